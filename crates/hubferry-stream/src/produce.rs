//! Writing events to a topic, keyed by identity.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;

use crate::error::StreamError;
use crate::group::Logged;
use crate::probe::reachable;
use crate::settings::{ClientSettings, config_error};

/// Messages that may wait for their acknowledgement at once. With idempotence five requests a broker are on the wire;
/// this is a few of them, filled.
const IN_FLIGHT: usize = 10_000;

/// How long a broker has to answer at the start.
const REACH_WITHIN: Duration = Duration::from_secs(10);

/// Progress is told after this many acknowledgements.
const PROGRESS_EVERY: u64 = 1_000;

/// Writes messages: idempotent, acknowledged by all in-sync replicas, keys placed as Kafka's Java client does.
pub struct Producer {
    client: ClientSettings,
    producer: FutureProducer<Logged>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Produced {
    /// Messages that the broker acknowledged.
    pub sent: u64,
    /// Those among them without a key, which went to a partition by chance.
    pub without_key: u64,
    /// Blank lines, which were left out.
    pub blank: u64,
    /// Bytes of all values.
    pub bytes: u64,
}

impl Producer {
    /// A producer. Nothing is sent yet; a broker out of reach shows with the first message.
    ///
    /// # Errors
    ///
    /// The settings are not accepted.
    pub fn connect(client: &ClientSettings) -> Result<Self, StreamError> {
        let config = client.producer_config()?;
        let producer = FutureProducer::from_config_and_context(&config, Logged::default())
            .map_err(|error| config_error(&error))?;
        Ok(Self {
            client: client.clone(),
            producer,
        })
    }

    /// Writes one message and waits for the acknowledgement.
    ///
    /// # Errors
    ///
    /// [`StreamError::Produce`] when the broker refuses it or does not answer for five minutes.
    pub async fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<(), StreamError> {
        let sent = self
            .producer
            .send(record(topic, key, value), Timeout::Never)
            .await;
        sent.map(drop)
            .map_err(|(error, _)| produce_error(topic, &error))
    }

    /// Writes all lines, each as one message under its key, in order. A line without a key is written all the same:
    /// the worker will say what is wrong with it. Blank lines are left out. `progress` hears how many were
    /// acknowledged so far.
    ///
    /// The lines are read on a blocking thread, so a slow input disturbs nobody. Cancelling the future does not stop
    /// that thread.
    ///
    /// # Errors
    ///
    /// The broker cannot be reached, the topic does not exist (it is not created implicitly), the input cannot be
    /// read, or the broker refuses a message; what was acknowledged until then stays written.
    pub async fn send_all<L, K, P>(
        self,
        topic: &str,
        lines: L,
        key_of: K,
        progress: P,
    ) -> Result<Produced, StreamError>
    where
        L: Iterator<Item = io::Result<Vec<u8>>> + Send + 'static,
        K: Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static,
        P: FnMut(u64) + Send + 'static,
    {
        let reached = reachable(&self.client, REACH_WITHIN).await?;
        if !reached.topics.contains_key(topic) {
            let brokers = self.client.brokers;
            return Err(StreamError::TopicMissing {
                topic: topic.to_owned(),
                brokers,
            });
        }
        let (runtime, topic) = (tokio::runtime::Handle::current(), topic.to_owned());
        let sending = tokio::task::spawn_blocking(move || {
            let mut sending = Sending {
                producer: self.producer,
                topic,
                pending: VecDeque::new(),
                produced: Produced::default(),
                progress,
            };
            runtime.block_on(sending.run(lines, key_of))
        });
        sending
            .await
            .map_err(|_| StreamError::Ended { name: "producer" })?
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

/// One run of `send_all`.
struct Sending<P> {
    producer: FutureProducer<Logged>,
    topic: String,
    pending: VecDeque<DeliveryFuture>,
    produced: Produced,
    progress: P,
}

impl<P: FnMut(u64)> Sending<P> {
    async fn run(
        &mut self,
        lines: impl Iterator<Item = io::Result<Vec<u8>>>,
        key_of: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<Produced, StreamError> {
        for (number, line) in lines.enumerate() {
            let line = line.map_err(|source| StreamError::ReadInput {
                line: i64::try_from(number).unwrap_or(i64::MAX),
                source,
            })?;
            if line.trim_ascii().is_empty() {
                self.produced.blank += 1;
                continue;
            }
            let key = key_of(&line);
            self.enqueue(key.as_deref(), &line).await?;
            self.produced.without_key += u64::from(key.is_none());
            self.produced.bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
        }
        while !self.pending.is_empty() {
            self.await_oldest().await?;
        }
        (self.progress)(self.produced.sent);
        Ok(self.produced)
    }

    async fn enqueue(&mut self, key: Option<&[u8]>, value: &[u8]) -> Result<(), StreamError> {
        while self.pending.len() >= IN_FLIGHT {
            self.await_oldest().await?;
        }
        loop {
            match self.producer.send_result(record(&self.topic, key, value)) {
                Ok(delivery) => {
                    self.pending.push_back(delivery);
                    return Ok(());
                }
                Err((error, _))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    if self.pending.is_empty() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    } else {
                        self.await_oldest().await?;
                    }
                }
                Err((error, _)) => return Err(produce_error(&self.topic, &error)),
            }
        }
    }

    async fn await_oldest(&mut self) -> Result<(), StreamError> {
        let Some(oldest) = self.pending.pop_front() else {
            return Ok(());
        };
        match oldest.await {
            Ok(Ok(_)) => {
                self.produced.sent += 1;
                if self.produced.sent.is_multiple_of(PROGRESS_EVERY) {
                    (self.progress)(self.produced.sent);
                }
                Ok(())
            }
            Ok(Err((error, _))) => Err(produce_error(&self.topic, &error)),
            Err(_) => Err(StreamError::Ended { name: "producer" }),
        }
    }
}

fn record<'a>(
    topic: &'a str,
    key: Option<&'a [u8]>,
    value: &'a [u8],
) -> FutureRecord<'a, [u8], [u8]> {
    let record = FutureRecord::to(topic).payload(value);
    match key {
        Some(key) => record.key(key),
        None => record,
    }
}

fn produce_error(topic: &str, error: &KafkaError) -> StreamError {
    StreamError::Produce {
        topic: topic.to_owned(),
        reason: error.to_string(),
    }
}
