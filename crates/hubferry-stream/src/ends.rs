//! Where partitions end at the moment: asked for by a thread and a client of their own, so that neither a slow broker
//! nor a paused partition (of which the consumer hears nothing) keeps anybody waiting.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset as ListOffset, TopicPartitionList};
use tokio::time::Instant;

use crate::error::StreamError;
use crate::group::Logged;
use crate::place::{Partition, Position, Topic};
use crate::settings::ClientSettings;

/// Between two questions. One request to each broker, whatever the number of partitions.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

/// How long a broker has to answer.
const WITHIN: Duration = Duration::from_secs(5);

/// The end of a partition, and since when it has been there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) position: Position,
    pub(crate) since: Instant,
}

/// The wanted partitions with what is known of them.
type Known = BTreeMap<(Topic, Partition), Option<End>>;

/// An answer.
type Found = Vec<((Topic, Partition), Position)>;

/// The ends of the partitions that are wanted. The thread ends soon after this was dropped.
#[derive(Debug)]
pub(crate) struct Ends {
    known: Arc<Mutex<Known>>,
    wake: SyncSender<()>,
}

impl Ends {
    /// Starts the thread; it connects when something is wanted.
    pub(crate) fn start(client: &ClientSettings) -> Result<Self, StreamError> {
        let known = Arc::new(Mutex::new(Known::new()));
        let (wake, woken) = sync_channel(1);
        let asker = Asker {
            client: client.clone(),
            consumer: None,
            known: Arc::clone(&known),
        };
        thread::Builder::new()
            .name("kafka-ends".to_owned())
            .spawn(move || asker.run(&woken))
            .map_err(|error| StreamError::Client {
                reason: error.to_string(),
            })?;
        Ok(Self { known, wake })
    }

    /// These are wanted too, and soon.
    pub(crate) fn want(&self, partitions: &[(Topic, Partition)]) {
        let mut known = lock(&self.known);
        for key in partitions {
            known.entry(key.clone()).or_default();
        }
        drop(known);
        match self.wake.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => (),
            Err(TrySendError::Disconnected(())) => tracing::debug!("nobody asks for ends any more"),
        }
    }

    /// These are not wanted any more.
    pub(crate) fn forget(&self, partitions: &[(Topic, Partition)]) {
        let mut known = lock(&self.known);
        known.retain(|key, _| !partitions.contains(key));
    }

    /// What is known of a partition.
    pub(crate) fn of(&self, topic: &Topic, partition: Partition) -> Option<End> {
        *lock(&self.known).get(&(topic.clone(), partition))?
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    // Plain data: a panic elsewhere cannot leave it half changed.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's side.
struct Asker {
    client: ClientSettings,
    consumer: Option<BaseConsumer<Logged>>,
    known: Arc<Mutex<Known>>,
}

impl Asker {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            match woken.recv_timeout(EVERY) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let wanted: Vec<_> = lock(&self.known).keys().cloned().collect();
            if wanted.is_empty() {
                continue;
            }
            match self.ask(&wanted) {
                Ok(ends) => self.learn(ends),
                // The consumer has the same trouble and tells of it; the ends stay what they were.
                Err(reason) => tracing::debug!(reason, "could not ask for the ends of partitions"),
            }
        }
    }

    fn ask(&mut self, wanted: &[(Topic, Partition)]) -> Result<Found, String> {
        let consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => connect(&self.client).map_err(|error| error.to_string())?,
        };
        let answer = ends(&consumer, wanted);
        self.consumer = Some(consumer);
        let answer = answer.map_err(|error| error.to_string())?;
        let found = answer.elements().into_iter().filter_map(|element| {
            let ListOffset::Offset(offset) = element.offset() else {
                return None;
            };
            let key = (
                Topic::new(element.topic()),
                Partition::new(element.partition()),
            );
            Some((key, Position::new(offset)))
        });
        Ok(found.collect())
    }

    fn learn(&self, ends: Found) {
        let now = Instant::now();
        let mut known = lock(&self.known);
        for (key, position) in ends {
            // What was forgotten meanwhile stays forgotten.
            if let Some(end) = known.get_mut(&key)
                && end.is_none_or(|end| end.position != position)
            {
                *end = Some(End {
                    position,
                    since: now,
                });
            }
        }
    }
}

fn connect(client: &ClientSettings) -> Result<BaseConsumer<Logged>, StreamError> {
    BaseConsumer::from_config_and_context(&client.reader_config()?, Logged::quiet())
        .map_err(|error| crate::settings::config_error(&error))
}

/// The time "the end" finds the end.
fn ends(
    consumer: &BaseConsumer<Logged>,
    wanted: &[(Topic, Partition)],
) -> KafkaResult<TopicPartitionList> {
    let mut times = TopicPartitionList::with_capacity(wanted.len());
    for (topic, partition) in wanted {
        times.add_partition_offset(topic.as_str(), partition.get(), ListOffset::End)?;
    }
    consumer.offsets_for_times(times, WITHIN)
}
