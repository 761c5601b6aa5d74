//! A small Kafka inside the process, for demonstrations and tests: librdkafka's mock cluster.
//!
//! It keeps about 5 MiB per partition and drops what is older, it knows no admin requests, and its transactions do
//! nothing. What must not be lost goes to a real broker.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::error::StreamError;

/// A broker in this process. It ends when it is dropped.
#[derive(Debug)]
pub struct EmbeddedBroker {
    brokers: String,
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

/// The cluster must stay on one thread: requests reach it here, each with a place for the answer.
#[derive(Debug)]
struct Request {
    what: What,
    answer: SyncSender<Result<(), String>>,
}

#[derive(Debug)]
enum What {
    Topic(String, i32),
    Down,
    Up,
}

impl EmbeddedBroker {
    /// Starts a broker with these topics, each a name and a number of partitions. Takes a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`StreamError::Embedded`] when it cannot be started or a topic cannot be made.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, StreamError> {
        let (started, brokers) = sync_channel(1);
        let (requests, inbox) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("embedded-broker".to_owned())
            .spawn(move || serve(&started, &inbox))
            .map_err(|error| StreamError::Embedded {
                reason: error.to_string(),
            })?;
        let brokers = brokers
            .recv()
            .map_err(|_| StreamError::Embedded {
                reason: "its thread ended".to_owned(),
            })?
            .map_err(|reason| StreamError::Embedded { reason })?;
        let broker = Self {
            brokers,
            requests: Some(requests),
            thread: Some(thread),
        };
        for (name, partitions) in topics {
            broker.create_topic(name, *partitions)?;
        }
        Ok(broker)
    }

    /// The bootstrap servers. Other processes on this machine can connect as well.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Makes a topic.
    ///
    /// # Errors
    ///
    /// [`StreamError::Embedded`] when the cluster says no.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), StreamError> {
        self.ask(What::Topic(name.to_owned(), partitions))
    }

    /// Closes all connections and takes no new ones.
    ///
    /// # Errors
    ///
    /// [`StreamError::Embedded`] when the cluster says no.
    pub fn take_down(&self) -> Result<(), StreamError> {
        self.ask(What::Down)
    }

    /// Takes connections again.
    ///
    /// # Errors
    ///
    /// [`StreamError::Embedded`] when the cluster says no.
    pub fn bring_up(&self) -> Result<(), StreamError> {
        self.ask(What::Up)
    }

    fn ask(&self, what: What) -> Result<(), StreamError> {
        let gone = || StreamError::Embedded {
            reason: "its thread ended".to_owned(),
        };
        let (answer, answered) = sync_channel(1);
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests
            .send(Request { what, answer })
            .map_err(|_| gone())?;
        answered
            .recv()
            .map_err(|_| gone())?
            .map_err(|reason| StreamError::Embedded { reason })
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::debug!("the embedded broker ended with a panic");
        }
    }
}

/// Holds the cluster until nobody can ask any more.
fn serve(started: &SyncSender<Result<String, String>>, inbox: &Receiver<Request>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(error) => return tell(started, Err(error.to_string())),
    };
    tell(started, Ok(cluster.bootstrap_servers()));
    for request in inbox {
        tell(
            &request.answer,
            carry_out(&cluster, &request.what).map_err(|error| error.to_string()),
        );
    }
}

fn carry_out(
    cluster: &MockCluster<'_, DefaultProducerContext>,
    what: &What,
) -> Result<(), rdkafka::error::KafkaError> {
    match what {
        What::Topic(name, partitions) => cluster.create_topic(name, *partitions, 1),
        What::Down => cluster.broker_down(-1),
        What::Up => cluster.broker_up(-1),
    }
}

fn tell<T>(to: &SyncSender<T>, what: T) {
    if to.send(what).is_err() {
        tracing::debug!("nobody waits for the embedded broker's answer");
    }
}
