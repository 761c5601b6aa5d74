//! A topic read from somewhere to its present end, beside the group: dead letters, the journal.
//!
//! A thread with a consumer of its own reads ahead by a few batches; it joins no group and commits nothing. Within a
//! partition messages come in order; across partitions they come as they arrive.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset as ListOffset, TopicPartitionList};
use tokio::sync::mpsc;

use crate::error::StreamError;
use crate::group::Logged;
use crate::place::{Message, Partition, Position, Topic};
use crate::probe::explain;
use crate::settings::{KafkaSettings, config_error};
use crate::wire::{Verdict, copy, verdict};

/// Where a scan starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanFrom {
    /// At the first message that the topic still has.
    Beginning,
    /// At the first message that is not older, in milliseconds since 1970.
    Time(i64),
    /// At these positions; partitions that are not named are read from their beginning.
    Positions(BTreeMap<Partition, Position>),
}

/// The library's own queue. With the waiting batches a scan holds at most about three times as much.
const QUEUE_KBYTES: &str = "4096";

/// A batch ends at this many messages or bytes.
const BATCH_MESSAGES: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// Batches that may wait: one to read from while the next one is filled.
const BATCHES: usize = 2;

/// A scan that is under way. Dropping it ends it.
#[derive(Debug)]
pub struct TopicScan {
    batches: mpsc::Receiver<Result<Vec<Message>, StreamError>>,
    ready: VecDeque<Message>,
    ends: BTreeMap<Partition, Position>,
}

impl TopicScan {
    /// Finds out where the topic ends at this moment, and starts to read. `within` is how long a broker has for each
    /// answer; a scan that gets nothing for so long fails.
    ///
    /// Cancelling the future leaves a thread behind that ends by itself.
    ///
    /// # Errors
    ///
    /// The broker cannot be reached or says no, the topic does not exist, or the settings are not accepted.
    pub async fn start(
        settings: &KafkaSettings,
        topic: &str,
        from: ScanFrom,
        within: Duration,
    ) -> Result<Self, StreamError> {
        let (settings, topic) = (settings.clone(), topic.to_owned());
        let planning =
            tokio::task::spawn_blocking(move || Scanner::plan(settings, topic, &from, within));
        let scanner = planning
            .await
            .map_err(|_| StreamError::Ended { name: "kafka scan" })??;
        let ends = scanner.ends.clone();
        let (sender, batches) = mpsc::channel(BATCHES);
        thread::Builder::new()
            .name("kafka-scan".to_owned())
            .spawn(move || scanner.run(&sender))
            .map_err(|error| StreamError::Client {
                reason: error.to_string(),
            })?;
        Ok(Self {
            batches,
            ready: VecDeque::new(),
            ends,
        })
    }

    /// The next message; `None` when everything up to the end was read. Cancelling the future loses nothing.
    ///
    /// # Errors
    ///
    /// The broker went away or said no; what was not read yet stays unread.
    pub async fn next(&mut self) -> Result<Option<Message>, StreamError> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            match self.batches.recv().await {
                Some(batch) => self.ready.extend(batch?),
                None => return Ok(None),
            }
        }
    }

    /// Where the scan ends: the positions after the last messages at its start. Another scan goes on from here.
    #[must_use]
    pub fn ends(&self) -> &BTreeMap<Partition, Position> {
        &self.ends
    }
}

/// The thread's side.
struct Scanner {
    consumer: BaseConsumer<Logged>,
    settings: KafkaSettings,
    topic: String,
    within: Duration,
    ends: BTreeMap<Partition, Position>,
    /// Partitions that are not read to their end yet.
    left: BTreeMap<Partition, Position>,
}

impl Scanner {
    fn plan(
        settings: KafkaSettings,
        topic: String,
        from: &ScanFrom,
        within: Duration,
    ) -> Result<Self, StreamError> {
        let mut scanner = Self {
            consumer: connect(&settings)?,
            settings,
            topic,
            within,
            ends: BTreeMap::new(),
            left: BTreeMap::new(),
        };
        let partitions = scanner.partitions()?;
        let planned = scanner.assign(&partitions, from);
        planned.map_err(|error| scanner.explain(&error))?;
        Ok(scanner)
    }

    fn partitions(&self) -> Result<Vec<Partition>, StreamError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), self.within);
        let metadata = metadata.map_err(|error| self.explain(&error))?;
        let found = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == self.topic);
        let partitions: Vec<Partition> = found
            .filter(|topic| topic.error().is_none())
            .map(|topic| {
                topic
                    .partitions()
                    .iter()
                    .map(|one| Partition::new(one.id()))
                    .collect()
            })
            .unwrap_or_default();
        if partitions.is_empty() {
            return Err(StreamError::TopicMissing {
                topic: self.topic.clone(),
                brokers: self.settings.client.brokers.clone(),
            });
        }
        Ok(partitions)
    }

    /// Assigns every partition that has something to read.
    fn assign(&mut self, partitions: &[Partition], from: &ScanFrom) -> KafkaResult<()> {
        let by_time = self.by_time(partitions, from)?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            let number = partition.get();
            let (first, end) = self
                .consumer
                .fetch_watermarks(&self.topic, number, self.within)?;
            let start = match from {
                ScanFrom::Beginning => first,
                ScanFrom::Time(_) => by_time.get(partition).map_or(end, |found| found.get()),
                ScanFrom::Positions(positions) => positions
                    .get(partition)
                    .map_or(first, |position| position.get().max(first)),
            };
            self.ends.insert(*partition, Position::new(end));
            if start < end {
                self.left.insert(*partition, Position::new(end));
                list.add_partition_offset(&self.topic, number, ListOffset::Offset(start))?;
            }
        }
        self.consumer.assign(&list)
    }

    /// The positions of a time; a partition that has nothing so late is missing.
    fn by_time(
        &self,
        partitions: &[Partition],
        from: &ScanFrom,
    ) -> KafkaResult<BTreeMap<Partition, Position>> {
        let ScanFrom::Time(since_ms) = from else {
            return Ok(BTreeMap::new());
        };
        let mut times = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            // Negative times mean the ends of a partition to the broker.
            let time = ListOffset::Offset((*since_ms).max(0));
            times.add_partition_offset(&self.topic, partition.get(), time)?;
        }
        let answer = self.consumer.offsets_for_times(times, self.within)?;
        let found = answer
            .elements()
            .into_iter()
            .filter_map(|element| match element.offset() {
                ListOffset::Offset(offset) => {
                    Some((Partition::new(element.partition()), Position::new(offset)))
                }
                _ => None,
            });
        Ok(found.collect())
    }

    /// Reads until the end, an error, or until nobody listens any more.
    fn run(mut self, sender: &mpsc::Sender<Result<Vec<Message>, StreamError>>) {
        while !self.left.is_empty() {
            let batch = self.batch();
            let failed = batch.is_err();
            let empty = batch.as_ref().is_ok_and(Vec::is_empty);
            if !empty && sender.blocking_send(batch).is_err() || failed {
                return;
            }
        }
    }

    fn batch(&mut self) -> Result<Vec<Message>, StreamError> {
        let (mut batch, mut bytes, mut topic) = (Vec::new(), 0, None::<Topic>);
        let mut deadline = now() + self.within;
        while !self.left.is_empty() && batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            // What is there already is not held back for what may come.
            let patience = if batch.is_empty() {
                deadline.saturating_duration_since(now())
            } else {
                Duration::ZERO
            };
            let polled = match self.consumer.poll(patience) {
                None => None,
                Some(Ok(message)) => Some(Ok(copy(&message, &mut topic))),
                Some(Err(error)) => Some(Err(error)),
            };
            match polled {
                Some(Ok(message)) => {
                    deadline = now() + self.within;
                    if self.take(&message) {
                        bytes += message.cost_bytes();
                        batch.push(message);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.left.remove(&Partition::new(partition));
                }
                Some(Err(error)) => self.judge(&error, deadline)?,
                None if !batch.is_empty() => break,
                None if now() >= deadline => {
                    return Err(StreamError::Unreachable {
                        brokers: self.settings.client.brokers.clone(),
                        within: self.within,
                        reason: format!("nothing came from topic `{}`", self.topic),
                    });
                }
                None => (),
            }
        }
        Ok(batch)
    }

    /// Whether the message belongs to the scan.
    fn take(&mut self, message: &Message) -> bool {
        let partition = message.at.partition;
        let Some(end) = self.left.get(&partition).copied() else {
            return false;
        };
        if message.at.offset.next() >= end {
            self.left.remove(&partition);
        }
        message.at.offset.get() < end.get()
    }

    /// A lost connection is taken up again by the library, until the time is over.
    fn judge(&self, error: &KafkaError, deadline: Instant) -> Result<(), StreamError> {
        let reason = error.to_string();
        match verdict(error) {
            Verdict::Passes if now() < deadline => Ok(()),
            Verdict::Passes => Err(self.explain(error)),
            Verdict::Refused => Err(StreamError::Refused { reason }),
            Verdict::Fatal => Err(StreamError::Consumer { reason }),
        }
    }

    fn explain(&self, error: &KafkaError) -> StreamError {
        explain(&self.consumer, &self.settings.client, self.within, error)
    }
}

fn connect(settings: &KafkaSettings) -> Result<BaseConsumer<Logged>, StreamError> {
    let mut config = settings.client.reader_config()?;
    config
        // Partitions are assigned by hand, so the group never hears of this member; the library wants a name all the same.
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", QUEUE_KBYTES)
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "100");
    BaseConsumer::from_config_and_context(&config, Logged::quiet())
        .map_err(|error| config_error(&error))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this runs on a blocking thread, where a paused clock of a test would stand still for ever"
)]
fn now() -> Instant {
    Instant::now()
}
