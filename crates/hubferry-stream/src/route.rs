//! From topics that are not keyed by identity to one that is: a copy in Kafka transactions (`hubferry route`).
//!
//! What is written and how far was read become visible together or not at all, so a router that dies anywhere goes on
//! without loss and without duplicates. A second router of the same instance takes over and shuts the first one out: the
//! broker refuses whatever it still tries to write. Several instances share the partitions of the group.
//!
//! Whoever reads the copy must read committed messages only, as this crate's consumers do.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::StreamError;
use crate::group::{Group, Logged, Notice, assign, unassign};
use crate::orders::{Mark, Positions};
use crate::place::{Message, Partition, Position, Topic};
use crate::probe::reachable;
use crate::settings::{KafkaSettings, config_error};
use crate::wire::{Verdict, copy, list, offsets, verdict};

/// What a router needs.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// The connection, the group, and the topics to read.
    pub from: KafkaSettings,
    /// The topic to write.
    pub to: String,
    /// What tells this router from others of the group and stays the same when it is started again, such as the name of
    /// its pod. Of two routers with the same one the earlier is shut out.
    pub instance: String,
}

/// One message to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The identity; `None` when there is none, which leaves the partition to chance.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
}

/// What was routed so far. Only what was committed counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// Messages that were read.
    pub read: u64,
    /// Messages that were written: more than were read when envelopes were taken apart.
    pub written: u64,
    /// Those among them without a key.
    pub without_key: u64,
    /// Transactions that were committed.
    pub transactions: u64,
    /// Transactions that were given up, and done again.
    pub aborted: u64,
}

/// A transaction ends at this many messages or bytes …
const BATCH_MESSAGES: usize = 5_000;
const BATCH_BYTES: usize = 4 << 20;

/// … or this long after its first message.
const LINGER: Duration = Duration::from_millis(100);

/// How long one poll may wait when nothing is there.
const IDLE: Duration = Duration::from_millis(100);

/// How long one answer about a transaction may take before it is asked for again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Between two attempts at a transaction.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Copies until `stop` fires; then the transaction under way is finished. `split` says what becomes of a message: itself
/// under its identity, or its parts; it must give the same answer every time. Headers and time stay those of the
/// message. `progress` hears of every committed transaction.
///
/// Runs on a blocking thread; cancelling the future does not stop it, `stop` does.
///
/// # Errors
///
/// Another router of the same instance took over, a topic does not exist, the broker says no, or the settings are not
/// accepted. A broker that goes away later is waited for.
pub async fn route<S, P>(
    settings: RouteSettings,
    split: S,
    progress: P,
    stop: CancellationToken,
) -> Result<Routed, StreamError>
where
    S: Fn(&Message) -> Vec<Part> + Send + 'static,
    P: FnMut(Routed) + Send + 'static,
{
    check(&settings).await?;
    let routing = tokio::task::spawn_blocking(move || {
        Router::connect(settings, split, progress, stop)?.run()
    });
    routing
        .await
        .map_err(|_| StreamError::Ended { name: "router" })?
}

/// All topics exist, and none is copied onto itself for ever.
async fn check(settings: &RouteSettings) -> Result<(), StreamError> {
    let RouteSettings { from, to, .. } = settings;
    if from.topics.contains(to) {
        return Err(StreamError::Route {
            topic: to.clone(),
            reason: "it is one of the topics to read".to_owned(),
        });
    }
    let reached = reachable(&from.client, ANSWER_WITHIN).await?;
    let wanted = from.topics.iter().chain([to]);
    match wanted
        .into_iter()
        .find(|topic| !reached.topics.contains_key(*topic))
    {
        None => Ok(()),
        Some(missing) => Err(StreamError::TopicMissing {
            topic: missing.clone(),
            brokers: from.client.brokers.clone(),
        }),
    }
}

struct Router<S, P> {
    consumer: Member,
    producer: FutureProducer<Logged>,
    to: String,
    split: S,
    progress: P,
    stop: CancellationToken,
    batch: Vec<Message>,
    topic: Option<Topic>,
    routed: Routed,
}

/// The member of the group. However the router ends, a rebalance that nobody answers would keep it from leaving.
struct Member(BaseConsumer<Group>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.context().close();
        for notice in self.0.context().take() {
            let answered = match notice {
                Notice::Assigned(partitions) => assign(&self.0, &list(&partitions)),
                Notice::Revoked(partitions) | Notice::Lost(partitions) => {
                    unassign(&self.0, &list(&partitions))
                }
                Notice::CommitFailed(_) => Ok(()),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a rebalance while closing was not answered");
            }
        }
    }
}

/// What interrupted the filling of a batch.
enum Break {
    /// Nothing: it is full, or its time is over.
    Full,
    /// These must be let go after the batch was committed.
    Revoked(Vec<(Topic, Partition)>),
    /// These are gone: the batch is worth nothing.
    Lost(Vec<(Topic, Partition)>),
}

/// What a failed request about a transaction needs.
enum Cure {
    /// The same again.
    Again,
    /// The transaction must be given up.
    Abort,
    /// The producer is of no more use.
    Fatal,
}

impl<S: Fn(&Message) -> Vec<Part>, P: FnMut(Routed)> Router<S, P> {
    fn connect(
        settings: RouteSettings,
        split: S,
        progress: P,
        stop: CancellationToken,
    ) -> Result<Self, StreamError> {
        let RouteSettings { from, to, instance } = settings;
        let mut config = from.client.producer_config()?;
        config.set("transactional.id", format!("{}-{instance}", from.group));
        let producer = FutureProducer::from_config_and_context(&config, Logged::default())
            .map_err(|error| config_error(&error))?;
        let config = from.consumer_config()?;
        let consumer = BaseConsumer::from_config_and_context(&config, Group::default())
            .map_err(|error| config_error(&error))?;
        let router = Self {
            consumer: Member(consumer),
            producer,
            to,
            split,
            progress,
            stop,
            batch: Vec::new(),
            topic: None,
            routed: Routed::default(),
        };
        // Shuts out an earlier router of this instance before anything is read: what it had under way is settled.
        router.persist(|router| router.producer.init_transactions(ANSWER_WITHIN))?;
        let topics: Vec<&str> = from.topics.iter().map(String::as_str).collect();
        let subscribed = router.consumer.0.subscribe(&topics);
        subscribed.map_err(|error| StreamError::Client {
            reason: error.to_string(),
        })?;
        Ok(router)
    }

    fn run(mut self) -> Result<Routed, StreamError> {
        while !self.stop.is_cancelled() {
            let interrupted = self.fill()?;
            match interrupted {
                Break::Full => self.commit()?,
                Break::Revoked(partitions) => {
                    self.commit()?;
                    self.let_go(&partitions);
                }
                Break::Lost(partitions) => {
                    self.rewind();
                    self.let_go(&partitions);
                }
            }
        }
        Ok(self.routed)
    }

    /// Collects what is there, until the batch is full or something happens to the assignment.
    fn fill(&mut self) -> Result<Break, StreamError> {
        let (mut bytes, mut until) = (0, None);
        while self.batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            let left = until.map_or(IDLE, |until: Instant| {
                until.saturating_duration_since(Instant::now())
            });
            let polled = match self.consumer.0.poll(left) {
                None => None,
                Some(Ok(message)) => Some(Ok(copy(&message, &mut self.topic))),
                Some(Err(error)) => Some(Err(error)),
            };
            match polled {
                Some(Ok(message)) => {
                    bytes += message.cost_bytes();
                    self.batch.push(message);
                    until.get_or_insert_with(|| Instant::now() + LINGER);
                }
                Some(Err(error)) => judge(&error)?,
                None => (),
            }
            for notice in self.consumer.0.context().take() {
                match notice {
                    Notice::Assigned(partitions) => self.take_on(&partitions)?,
                    Notice::Revoked(partitions) => return Ok(Break::Revoked(partitions)),
                    Notice::Lost(partitions) => return Ok(Break::Lost(partitions)),
                    Notice::CommitFailed(_) => (),
                }
            }
            let over = until.is_some_and(|until| Instant::now() >= until);
            if over || self.stop.is_cancelled() {
                break;
            }
        }
        Ok(Break::Full)
    }

    fn take_on(&self, partitions: &[(Topic, Partition)]) -> Result<(), StreamError> {
        assign(&self.consumer.0, &list(partitions)).map_err(|error| StreamError::Consumer {
            reason: error.to_string(),
        })
    }

    fn let_go(&self, partitions: &[(Topic, Partition)]) {
        if let Err(error) = unassign(&self.consumer.0, &list(partitions)) {
            tracing::warn!(%error, "could not let go of revoked partitions");
        }
    }

    /// Writes the batch and how far it goes in one transaction.
    fn commit(&mut self) -> Result<(), StreamError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        match self.attempt() {
            Ok(written) => {
                self.routed.read += u64::try_from(self.batch.len()).unwrap_or(u64::MAX);
                self.routed.written += written.0;
                self.routed.without_key += written.1;
                self.routed.transactions += 1;
                (self.progress)(self.routed);
                self.batch.clear();
                Ok(())
            }
            Err(error) => match cure(&error) {
                Cure::Fatal => Err(self.fatal(&error)),
                Cure::Again | Cure::Abort => {
                    tracing::warn!(%error, "could not commit a transaction; doing it again");
                    self.persist(|router| router.producer.abort_transaction(ANSWER_WITHIN))?;
                    self.routed.aborted += 1;
                    self.rewind();
                    thread::park_timeout(RETRY_AFTER);
                    Ok(())
                }
            },
        }
    }

    /// How many messages were written, and how many of them without a key.
    fn attempt(&self) -> Result<(u64, u64), KafkaError> {
        self.producer.begin_transaction()?;
        let (mut written, mut without_key) = (0, 0);
        for message in &self.batch {
            for part in (self.split)(message) {
                self.send(message, &part)?;
                written += 1;
                without_key += u64::from(part.key.is_none());
            }
        }
        let group = self.consumer.0.group_metadata();
        let group = group.ok_or(KafkaError::Canceled)?;
        let read = offsets(&positions(&self.batch))?;
        self.again(|router| {
            let producer = &router.producer;
            producer.send_offsets_to_transaction(&read, &group, ANSWER_WITHIN)
        })?;
        self.again(|router| router.producer.commit_transaction(ANSWER_WITHIN))?;
        Ok((written, without_key))
    }

    /// Hands one message to the producer. Whether it arrives shows when the transaction is committed.
    fn send(&self, message: &Message, part: &Part) -> Result<(), KafkaError> {
        loop {
            let headers =
                message
                    .headers
                    .iter()
                    .fold(OwnedHeaders::new(), |headers, (key, value)| {
                        headers.insert(Header {
                            key,
                            value: Some(value.as_ref()),
                        })
                    });
            let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.to)
                .headers(headers)
                .timestamp(message.written_ms);
            if let Some(key) = &part.key {
                record = record.key(key.as_ref());
            }
            if let Some(value) = &part.value {
                record = record.payload(value.as_ref());
            }
            match self.producer.send_result(record) {
                Ok(_) => return Ok(()),
                Err((error, _)) if is_queue_full(&error) => thread::park_timeout(FULL_FOR),
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Goes back to where the batch began: its messages come again. A partition that is no longer ours is read by its
    /// new owner from there.
    fn rewind(&mut self) {
        let mut begins = Positions::new();
        for message in self.batch.drain(..).rev() {
            let position = Position::new(message.at.offset.get());
            let mark = Mark {
                position,
                finished: None,
            };
            begins.insert((message.at.topic, message.at.partition), mark);
        }
        let sought = offsets(&begins)
            .and_then(|begins| self.consumer.0.seek_partitions(begins, ANSWER_WITHIN));
        if let Err(error) = sought {
            tracing::warn!(%error, "could not go back in partitions");
        }
    }

    /// The same until it holds, or needs something else.
    fn again(&self, request: impl Fn(&Self) -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        loop {
            match request(self) {
                Err(error) if matches!(cure(&error), Cure::Again) && !self.stop.is_cancelled() => {
                    tracing::debug!(%error, "a request about a transaction is sent again");
                    thread::park_timeout(RETRY_AFTER);
                }
                done => return done,
            }
        }
    }

    /// The same until it holds or never can.
    fn persist(
        &self,
        request: impl Fn(&Self) -> Result<(), KafkaError>,
    ) -> Result<(), StreamError> {
        self.again(request).map_err(|error| self.fatal(&error))
    }

    fn fatal(&self, error: &KafkaError) -> StreamError {
        let fenced = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fenced)
            || matches!(error, KafkaError::Transaction(reason) if reason.is_fatal());
        let reason = if fenced {
            format!("another router of the same instance took over ({error})")
        } else {
            error.to_string()
        };
        StreamError::Route {
            topic: self.to.clone(),
            reason,
        }
    }
}

/// The library's queue is worked off in the time of a few round trips.
const FULL_FOR: Duration = Duration::from_millis(10);

fn is_queue_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// The position after the last message of each partition.
fn positions(batch: &[Message]) -> Positions {
    let position = |message: &Message| {
        let mark = Mark {
            position: message.at.offset.next(),
            finished: None,
        };
        ((message.at.topic.clone(), message.at.partition), mark)
    };
    // Later messages replace earlier ones.
    batch.iter().map(position).collect::<BTreeMap<_, _>>()
}

fn cure(error: &KafkaError) -> Cure {
    match error {
        KafkaError::Transaction(reason) if reason.is_fatal() => Cure::Fatal,
        KafkaError::Transaction(reason) if reason.txn_requires_abort() => Cure::Abort,
        KafkaError::Transaction(reason) if reason.is_retriable() => Cure::Again,
        KafkaError::Transaction(_) => Cure::Fatal,
        other if other.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) => Cure::Fatal,
        _ => Cure::Abort,
    }
}

fn judge(error: &KafkaError) -> Result<(), StreamError> {
    let reason = error.to_string();
    match verdict(error) {
        Verdict::Passes => {
            tracing::warn!(reason, "kafka consumer is disturbed; going on");
            Ok(())
        }
        Verdict::Refused => Err(StreamError::Refused { reason }),
        Verdict::Fatal => Err(StreamError::Consumer { reason }),
    }
}
