//! A real Kafka, as tests need it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::services::unique;

const ANSWER: Duration = Duration::from_secs(15);

/// A Kafka cluster by its bootstrap address.
#[derive(Debug, Clone)]
pub struct Kafka {
    brokers: String,
}

/// One message as it stands on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The partition it stands on.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its time in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// The headers by name, as text; a name that comes twice keeps the last value.
    pub headers: BTreeMap<String, String>,
}

impl Kafka {
    /// The cluster behind this bootstrap address.
    #[must_use]
    pub fn at(brokers: impl Into<String>) -> Kafka {
        Kafka {
            brokers: brokers.into(),
        }
    }

    /// The bootstrap address.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Creates a topic under a name of its own and gives the name.
    ///
    /// # Errors
    ///
    /// The broker refused or did not answer.
    pub async fn topic(&self, label: &str, partitions: i32) -> Result<String> {
        let name = unique(label);
        self.create(&name, partitions).await?;
        Ok(name)
    }

    /// Creates a topic of this name and waits until every partition has a leader.
    ///
    /// # Errors
    ///
    /// The broker refused (the topic may exist) or did not answer.
    pub async fn create(&self, name: &str, partitions: i32) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(ANSWER));
        let answers = admin.create_topics(&[topic], &options).await?;
        for answer in answers {
            if let Err((topic, code)) = answer {
                bail!("could not create topic {topic}: {code}");
            }
        }
        let (kafka, name) = (self.clone(), name.to_owned());
        crate::eventually("every partition has a leader", ANSWER, || {
            let (kafka, name) = (kafka.clone(), name.clone());
            async move {
                let seen = kafka
                    .ends(&name)
                    .await
                    .map_err(|error| format!("{error:#}"))?;
                let count = i32::try_from(seen.len()).unwrap_or(i32::MAX);
                if count == partitions {
                    Ok(())
                } else {
                    Err(format!("{count} partitions"))
                }
            }
        })
        .await
    }

    /// Deletes a topic and waits until the broker knows it no more.
    ///
    /// # Errors
    ///
    /// The broker refused or did not answer.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().operation_timeout(Some(ANSWER));
        for answer in admin.delete_topics(&[name], &options).await? {
            if let Err((topic, code)) = answer {
                bail!("could not delete topic {topic}: {code}");
            }
        }
        crate::eventually("the topic is gone", ANSWER, || async {
            match self.ends(name).await {
                Ok(seen) => Err(format!("{seen:?}")),
                Err(_) => Ok(()),
            }
        })
        .await
    }

    /// Produces `(key, value)` pairs in order and waits until the broker has acknowledged every one.
    ///
    /// Keys are spread over partitions as Java clients do it; messages of one key keep their order.
    ///
    /// # Errors
    ///
    /// A message was not acknowledged.
    pub async fn produce(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = (Option<Vec<u8>>, Vec<u8>)>,
    ) -> Result<usize> {
        let producer: FutureProducer = self
            .client()
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "1000000")
            .create()?;
        let mut waiting = Vec::new();
        for (key, value) in messages {
            let mut record = FutureRecord::to(topic).payload(&value);
            if let Some(key) = &key {
                record = record.key(key);
            }
            let sent = producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .with_context(|| format!("could not produce to {topic}"))?;
            waiting.push(sent);
        }
        let count = waiting.len();
        for acknowledged in waiting {
            acknowledged
                .await
                .context("the producer went away")?
                .map_err(|(error, _)| error)
                .with_context(|| format!("{topic} did not take a message"))?;
        }
        Ok(count)
    }

    /// Reads every message that stands on the topic now, by partition and offset.
    ///
    /// # Errors
    ///
    /// The broker does not answer, or not all that should be there came in time.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<Read>> {
        let (kafka, topic) = (self.clone(), topic.to_owned());
        spawn_blocking(move || kafka.read_all_blocking(&topic)).await?
    }

    fn read_all_blocking(&self, topic: &str) -> Result<Vec<Read>> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", unique("reader"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()?;
        let ranges = ranges(&consumer, topic)?;
        let mut from = TopicPartitionList::new();
        for &partition in ranges.keys() {
            from.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&from)?;

        let mut open: BTreeMap<i32, i64> = ranges
            .iter()
            .filter(|(_, (low, high))| high > low)
            .map(|(&partition, &(_, high))| (partition, high))
            .collect();
        let mut read = Vec::new();
        while !open.is_empty() {
            let message = match consumer.poll(ANSWER) {
                None => bail!(
                    "{topic}: {} partitions were not read to their end",
                    open.len()
                ),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                    continue;
                }
                Some(message) => message?,
            };
            let last = open.get(&message.partition()).map(|high| high - 1);
            if last == Some(message.offset()) {
                open.remove(&message.partition());
            }
            read.push(Read::from(&message));
        }
        read.sort_by_key(|message| (message.partition, message.offset));
        Ok(read)
    }

    /// The position after the last message, by partition.
    ///
    /// # Errors
    ///
    /// The broker does not answer or the topic is not there.
    pub async fn ends(&self, topic: &str) -> Result<BTreeMap<i32, i64>> {
        let (kafka, topic) = (self.clone(), topic.to_owned());
        spawn_blocking(move || {
            let consumer: BaseConsumer = kafka.client().create()?;
            let ranges = ranges(&consumer, &topic)?;
            Ok(ranges
                .into_iter()
                .map(|(partition, (_, high))| (partition, high))
                .collect())
        })
        .await?
    }

    /// The position that a group has committed, by partition; partitions without one are left out.
    ///
    /// # Errors
    ///
    /// The broker does not answer or the topic is not there.
    pub async fn committed(&self, group: &str, topic: &str) -> Result<BTreeMap<i32, i64>> {
        let (kafka, group, topic) = (self.clone(), group.to_owned(), topic.to_owned());
        spawn_blocking(move || {
            let consumer: BaseConsumer = kafka.client().set("group.id", &group).create()?;
            let mut asked = TopicPartitionList::new();
            for partition in ranges(&consumer, &topic)?.into_keys() {
                asked.add_partition(&topic, partition);
            }
            let answer = committed_offsets(&consumer, &asked)?;
            let positions = answer.elements().into_iter().filter_map(|element| {
                let Offset::Offset(position) = element.offset() else {
                    return None;
                };
                Some((element.partition(), position))
            });
            Ok(positions.collect())
        })
        .await?
    }

    /// Messages of the topic that the group has not committed yet.
    ///
    /// # Errors
    ///
    /// The broker does not answer or the topic is not there.
    pub async fn lag_messages(&self, group: &str, topic: &str) -> Result<i64> {
        let ends = self.ends(topic).await?;
        let committed = self.committed(group, topic).await?;
        let behind = |(partition, end): (&i32, &i64)| end - committed.get(partition).unwrap_or(&0);
        Ok(ends.iter().map(behind).sum())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }
}

/// Asks until the group has a coordinator: a new broker still looks for one when the first group comes.
fn committed_offsets(
    consumer: &BaseConsumer,
    asked: &TopicPartitionList,
) -> Result<TopicPartitionList> {
    let until = Instant::now() + ANSWER;
    loop {
        let answer = consumer.committed_offsets(asked.clone(), ANSWER);
        let code = answer
            .as_ref()
            .err()
            .and_then(KafkaError::rdkafka_error_code);
        let is_passing = matches!(
            code,
            Some(
                RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
            )
        );
        if !is_passing || Instant::now() >= until {
            return Ok(answer?);
        }
    }
}

fn ranges(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, (i64, i64)>> {
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER)
        .with_context(|| format!("no answer about topic {topic}"))?;
    let known = metadata
        .topics()
        .first()
        .context("the broker named no topic")?;
    ensure!(
        known.error().is_none(),
        "topic {topic}: {:?}",
        known.error()
    );
    let mut ranges = BTreeMap::new();
    for partition in known.partitions() {
        let range = consumer.fetch_watermarks(topic, partition.id(), ANSWER)?;
        ranges.insert(partition.id(), range);
    }
    Ok(ranges)
}

impl From<&rdkafka::message::BorrowedMessage<'_>> for Read {
    fn from(message: &rdkafka::message::BorrowedMessage<'_>) -> Read {
        let headers = message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter());
        let as_text =
            |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        Read {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp_ms: message.timestamp().to_millis(),
            headers: headers
                .map(|header| (header.key.to_owned(), as_text(header.value)))
                .collect(),
        }
    }
}
