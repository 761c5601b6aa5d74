//! Messages that are needed once more, long after they were settled: read by their coordinates, beside the group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset as ListOffset, TopicPartitionList};

use crate::error::StreamError;
use crate::group::Logged;
use crate::place::{Message, Place, Topic};
use crate::probe::explain;
use crate::settings::{KafkaSettings, config_error};
use crate::wire::copy;

/// Reads these messages again, one after the other, with a consumer of its own that neither joins the group nor commits
/// anything. Each may take as long as `within`. What the topic no longer has, whether deleted, compacted away or gone
/// with its partition, is missing in the answer; so is everything of a topic that does not exist.
///
/// Holds all of the messages at once: ask for few. Cancelling the future leaves a thread behind that ends by itself.
///
/// # Errors
///
/// [`StreamError::Unreachable`] when no broker answers in time, [`StreamError::Refused`] when one says no, or a setting
/// that is not accepted.
pub async fn read_at(
    settings: &KafkaSettings,
    places: Vec<Place>,
    within: Duration,
) -> Result<BTreeMap<Place, Message>, StreamError> {
    let settings = settings.clone();
    let reading = tokio::task::spawn_blocking(move || read_all(&settings, places, within));
    reading.await.map_err(|_| StreamError::Ended {
        name: "kafka reader",
    })?
}

fn read_all(
    settings: &KafkaSettings,
    places: Vec<Place>,
    within: Duration,
) -> Result<BTreeMap<Place, Message>, StreamError> {
    let reader = Reader::connect(settings, within)?;
    let mut found = BTreeMap::new();
    for place in places {
        if let Some(message) = reader.read(&place)? {
            found.insert(place, message);
        }
    }
    Ok(found)
}

struct Reader<'s> {
    consumer: BaseConsumer<Logged>,
    settings: &'s KafkaSettings,
    within: Duration,
}

impl<'s> Reader<'s> {
    fn connect(settings: &'s KafkaSettings, within: Duration) -> Result<Self, StreamError> {
        let mut config = settings.client.reader_config()?;
        config
            // Partitions are assigned by hand, so the group never hears of this member; the library wants a name all
            // the same, and may ask for its coordinator, which the worker may do too.
            .set("group.id", &settings.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            // One message is wanted: nothing is fetched ahead of it.
            .set("queued.min.messages", "1");
        let consumer = BaseConsumer::from_config_and_context(&config, Logged::quiet())
            .map_err(|error| config_error(&error))?;
        Ok(Self {
            consumer,
            settings,
            within,
        })
    }

    /// The message at this place; `None` when it is gone.
    fn read(&self, place: &Place) -> Result<Option<Message>, StreamError> {
        match self.range(place) {
            Ok((first, next)) if (first..next).contains(&place.offset.get()) => self.fetch(place),
            Ok(_) => Ok(None),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// The first offset of the partition, and the one after the last.
    fn range(&self, place: &Place) -> Result<(i64, i64), KafkaError> {
        let (topic, partition) = (place.topic.as_str(), place.partition.get());
        self.consumer
            .fetch_watermarks(topic, partition, self.within)
    }

    fn fetch(&self, place: &Place) -> Result<Option<Message>, StreamError> {
        self.assign(place).map_err(|error| self.explain(&error))?;
        let deadline = now() + self.within;
        loop {
            let left = deadline.saturating_duration_since(now());
            match self.consumer.poll(left) {
                Some(Ok(message)) if message.offset() < place.offset.get() => (),
                Some(Ok(message)) => {
                    let is_it = message.offset() == place.offset.get();
                    return Ok(is_it.then(|| copy(&message, &mut None::<Topic>)));
                }
                // At the end already: what stood there was compacted away, or was never committed.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) if is_gone(&error) => return Ok(None),
                // A lost connection is taken up again by the library, until the time is over.
                Some(Err(error)) if left.is_zero() => return Err(self.explain(&error)),
                Some(Err(_)) => (),
                None if left.is_zero() => {
                    return Err(StreamError::Unreachable {
                        brokers: self.settings.client.brokers.clone(),
                        within: self.within,
                        reason: format!("nothing came from {place}"),
                    });
                }
                None => (),
            }
        }
    }

    fn assign(&self, place: &Place) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(1);
        let offset = ListOffset::Offset(place.offset.get());
        list.add_partition_offset(place.topic.as_str(), place.partition.get(), offset)?;
        self.consumer.assign(&list)
    }

    fn explain(&self, error: &KafkaError) -> StreamError {
        explain(&self.consumer, &self.settings.client, self.within, error)
    }
}

/// Whether an error says that the topic, the partition or the offset is no longer there.
fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::OffsetOutOfRange
        )
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "this runs on a blocking thread, where a paused clock of a test would stand still for ever"
)]
fn now() -> Instant {
    Instant::now()
}
