//! How to reach Kafka and how much to take in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::error::StreamError;
use crate::ledger::IntakeBounds;

/// What every client of the broker needs.
#[derive(Clone)]
pub struct ClientSettings {
    /// Bootstrap servers, `host:port[,host:port…]`.
    pub brokers: String,
    /// Further properties of the client library, such as `security.protocol` or `sasl.*`. Those that this crate sets
    /// itself, because a guarantee rests on them, are refused.
    pub properties: BTreeMap<String, String>,
}

/// How partitions are dealt out to the members of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The classic protocol with cooperative-sticky assignment.
    #[default]
    Classic,
    /// The protocol in which the broker decides (KIP-848, Kafka 4.0 and later). The session timeout is then the broker's.
    Consumer,
}

/// What the consumer needs.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// The connection.
    pub client: ClientSettings,
    /// The consumer group.
    pub group: String,
    /// The topics to read.
    pub topics: Vec<String>,
    /// After this long without a sign of life the member is out of the group.
    pub session_timeout: Duration,
    /// How partitions are dealt out.
    pub group_protocol: GroupProtocol,
    /// How much may be open at once.
    pub bounds: IntakeBounds,
}

/// A property on which a guarantee of this crate rests, and why it is not for the taking.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use kafka.brokers"),
    ("metadata.broker.list", "use kafka.brokers"),
    ("group.id", "use kafka.group"),
    ("group.protocol", "it is set by the worker"),
    (
        "partition.assignment.strategy",
        "assignment is cooperative-sticky",
    ),
    ("session.timeout.ms", "it is set by the worker"),
    ("heartbeat.interval.ms", "it is set by the worker"),
    ("enable.auto.commit", "only settled positions are committed"),
    (
        "enable.auto.offset.store",
        "only settled positions are committed",
    ),
    (
        "auto.offset.reset",
        "a new group starts at the earliest message, so that none is lost",
    ),
    (
        "allow.auto.create.topics",
        "topics are never created implicitly",
    ),
    (
        "enable.idempotence",
        "dead letters are written idempotently",
    ),
    ("acks", "dead letters are acknowledged by all replicas"),
    (
        "request.required.acks",
        "dead letters are acknowledged by all replicas",
    ),
    (
        "partitioner",
        "an identity must always reach the same partition",
    ),
    (
        "transactional.id",
        "it is made of the group and the instance",
    ),
    (
        "isolation.level",
        "what a transaction gave up is not for reading",
    ),
];

impl ClientSettings {
    /// Plain settings for these bootstrap servers.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            properties: BTreeMap::new(),
        }
    }

    /// Checks the properties without connecting.
    ///
    /// # Errors
    ///
    /// [`StreamError::Property`] for the first property that is unknown to the client library, malformed, or set by
    /// this crate.
    pub fn check(&self) -> Result<(), StreamError> {
        self.config()?
            .create_native_config()
            .map(drop)
            .map_err(|error| config_error(&error))
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, StreamError> {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            if let Some((_, why)) = RESERVED.iter().find(|(reserved, _)| reserved == name) {
                return Err(StreamError::Property {
                    name: name.clone(),
                    reason: (*why).to_owned(),
                });
            }
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        if !self.properties.contains_key("client.id") {
            config.set("client.id", "hubferry");
        }
        Ok(config)
    }

    /// The configuration of a consumer that joins no group. The library compares two times all the same that matter in
    /// a group only, and refuses the configuration when what the properties say for one is below its default for the
    /// other.
    pub(crate) fn reader_config(&self) -> Result<ClientConfig, StreamError> {
        let mut config = self.config()?;
        let interval = self.properties.get("max.poll.interval.ms");
        if let Some(ms) = interval.and_then(|text| text.parse::<u64>().ok()) {
            config.set("session.timeout.ms", ms.min(45_000).to_string());
        }
        Ok(config)
    }

    /// A producer's configuration: idempotent, acknowledged by all in-sync replicas, and with the partitioner of
    /// Kafka's Java client, so that a key reaches the same partition whoever writes it.
    pub(crate) fn producer_config(&self) -> Result<ClientConfig, StreamError> {
        let mut config = self.config()?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.type", self.or("compression.type", "zstd"))
            .set("linger.ms", self.or("linger.ms", "5"))
            .set(
                "queue.buffering.max.kbytes",
                self.or("queue.buffering.max.kbytes", "32768"),
            );
        Ok(config)
    }

    fn or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.properties.get(name).map_or(default, String::as_str)
    }
}

impl KafkaSettings {
    /// Settings with the defaults: a session of 45 s (Kafka's own default), classic protocol, default bounds.
    #[must_use]
    pub fn new(client: ClientSettings, group: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            client,
            group: group.into(),
            topics,
            session_timeout: Duration::from_secs(45),
            group_protocol: GroupProtocol::default(),
            bounds: IntakeBounds::default(),
        }
    }

    /// How long a revoked partition may take to end what is on the wire: 20 s, or half a session when that is shorter.
    #[must_use]
    pub fn revoke_deadline(&self) -> Duration {
        Duration::from_secs(20).min(self.session_timeout / 2)
    }

    pub(crate) fn consumer_config(&self) -> Result<ClientConfig, StreamError> {
        let mut config = self.client.config()?;
        config
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "false")
            // The library's own queue is part of the memory budget: an eighth of what the worker may hold. One fetch
            // may not be larger than half of it, or the queue would be overrun by a single answer.
            .set(
                "queued.max.messages.kbytes",
                self.queue_kbytes().to_string(),
            )
            .set(
                "queued.min.messages",
                self.client.or("queued.min.messages", "20000"),
            )
            .set(
                "fetch.message.max.bytes",
                self.client.or("fetch.message.max.bytes", "1048576"),
            )
            .set(
                "fetch.max.bytes",
                self.client
                    .or("fetch.max.bytes", &self.fetch_bytes().to_string()),
            )
            // When its queue is full the library would look again only after a second: far longer than it takes to
            // work off a queue of this size.
            .set(
                "fetch.queue.backoff.ms",
                self.client.or("fetch.queue.backoff.ms", "10"),
            )
            // How long the broker may hold an empty answer back. A short wait lets a new assignment or a resume take
            // effect soon; ten idle requests a second per broker cost nothing.
            .set(
                "fetch.wait.max.ms",
                self.client.or("fetch.wait.max.ms", "100"),
            );
        let heartbeat = (self.session_timeout / 3).min(Duration::from_secs(3));
        match self.group_protocol {
            GroupProtocol::Classic => config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", millis(self.session_timeout))
                // Three signs of life per session, so that one may get lost; not rarer than the library's own default.
                .set("heartbeat.interval.ms", millis(heartbeat)),
            GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
        };
        Ok(config)
    }

    fn queue_kbytes(&self) -> usize {
        (self.bounds.worker_bytes / 8 / 1024).clamp(1024, 65_536)
    }

    fn fetch_bytes(&self) -> usize {
        // Not below the largest message the broker may send, or the client library refuses the configuration.
        (self.queue_kbytes() * 1024 / 2).max(1_048_576 + 512)
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// Names the property when the client library does.
pub(crate) fn config_error(error: &rdkafka::error::KafkaError) -> StreamError {
    match error {
        rdkafka::error::KafkaError::ClientConfig(_, reason, name, _) => StreamError::Property {
            name: name.clone(),
            reason: reason.trim().to_owned(),
        },
        other => StreamError::Client {
            reason: other.to_string(),
        },
    }
}

impl fmt::Debug for ClientSettings {
    /// Property values may be secrets: only their names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("brokers", &self.brokers)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_that_break_a_guarantee_are_refused() {
        for (name, value, message) in [
            (
                "enable.auto.commit",
                "true",
                "kafka.properties: `enable.auto.commit` is not accepted: only settled positions are committed",
            ),
            (
                "group.id",
                "x",
                "kafka.properties: `group.id` is not accepted: use kafka.group",
            ),
            (
                "no.such.thing",
                "1",
                "kafka.properties: `no.such.thing` is not accepted: No such configuration property: \"no.such.thing\"",
            ),
        ] {
            let mut settings = ClientSettings::new("localhost:1");
            settings
                .properties
                .insert(name.to_owned(), value.to_owned());
            assert_eq!(settings.check().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let mut settings = ClientSettings::new("localhost:1");
        settings
            .properties
            .insert("sasl.password".to_owned(), "hunter2".to_owned());
        assert_eq!(
            format!("{settings:?}"),
            r#"ClientSettings { brokers: "localhost:1", properties: ["sasl.password"] }"#
        );
    }

    #[test]
    fn a_short_poll_interval_disturbs_nobody_outside_the_group() {
        let mut client = ClientSettings::new("localhost:1");
        let interval = ("max.poll.interval.ms".to_owned(), "8000".to_owned());
        client.properties.extend([interval]);
        let reader = client.reader_config().unwrap();
        assert!(reader.create::<rdkafka::consumer::BaseConsumer>().is_ok());
    }

    #[test]
    fn both_group_protocols_are_accepted_by_the_library() {
        for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
            let mut settings = KafkaSettings::new(
                ClientSettings::new("localhost:1"),
                "g",
                vec!["t".to_owned()],
            );
            settings.group_protocol = protocol;
            settings
                .consumer_config()
                .unwrap()
                .create_native_config()
                .unwrap();
        }
    }

    #[test]
    fn a_revocation_ends_within_half_a_session() {
        let mut settings = KafkaSettings::new(ClientSettings::new("localhost:1"), "g", vec![]);
        assert_eq!(settings.revoke_deadline(), Duration::from_secs(20));
        settings.session_timeout = Duration::from_secs(10);
        assert_eq!(settings.revoke_deadline(), Duration::from_secs(5));
    }
}
