//! What can go wrong at the edge to Kafka and to files, each with what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why reading, committing or parking failed. Every message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// No broker answered in time.
    #[error("could not reach kafka at {brokers} within {} s: {reason}; check kafka.brokers", within.as_secs_f32())]
    Unreachable {
        /// The bootstrap servers that were tried.
        brokers: String,
        /// How long they had.
        within: Duration,
        /// What the client library said last.
        reason: String,
    },
    /// The broker answered and said no: credentials or permissions.
    #[error(
        "kafka refused this client: {reason}; check the credentials in kafka.properties and the permissions of the group and the topics"
    )]
    Refused {
        /// What the broker said.
        reason: String,
    },
    /// A setting that the client library does not accept.
    #[error("kafka.properties: `{name}` is not accepted: {reason}")]
    Property {
        /// The property.
        name: String,
        /// Why.
        reason: String,
    },
    /// The client could not be created.
    #[error("could not create the kafka client: {reason}")]
    Client {
        /// What the client library said.
        reason: String,
    },
    /// A topic to read from or to write to does not exist.
    #[error("topic `{topic}` does not exist at {brokers}; create it, or check kafka.topics")]
    TopicMissing {
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
    },
    /// A dead-letter topic does not exist. It is never created with one partition behind the operator's back.
    #[error(
        "dead-letter topic `{topic}` does not exist; create it with as many partitions as its source: \
         kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions {partitions} \
         --config retention.ms=2592000000 --config message.timestamp.type=LogAppendTime"
    )]
    DeadLetterTopicMissing {
        /// The dead-letter topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
        /// The number of partitions of the source.
        partitions: usize,
    },
    /// A name that cannot be a topic's.
    #[error("`{name}` is not a name for a topic: {reason}; check kafka.dead_letter_topic")]
    TopicName {
        /// The name as it was written.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// A topic could not be created.
    #[error("could not create topic `{topic}`: {reason}")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// What the broker said.
        reason: String,
    },
    /// A topic's settings are not told.
    #[error("could not read the settings of topic `{topic}`: {reason}")]
    DescribeTopic {
        /// The topic.
        topic: String,
        /// What the broker said.
        reason: String,
    },
    /// The consumer cannot go on.
    #[error(
        "the kafka consumer stopped: {reason}; the committed positions are safe, restart the worker"
    )]
    Consumer {
        /// What the client library said.
        reason: String,
    },
    /// Positions could not be committed when it mattered: at the end.
    #[error(
        "could not commit the last positions: {reason}; the messages after the last commit are read again after a restart"
    )]
    Commit {
        /// What the broker said.
        reason: String,
    },
    /// A message could not be written.
    #[error("could not write to topic `{topic}`: {reason}")]
    Produce {
        /// The topic.
        topic: String,
        /// What the broker said.
        reason: String,
    },
    /// A router cannot go on.
    #[error("could not route to topic `{topic}`: {reason}")]
    Route {
        /// The topic that is written.
        topic: String,
        /// What the client library said.
        reason: String,
    },
    /// Waiting for an acknowledgement was given up because the worker stops. The message stays unsettled.
    #[error(
        "stopped while waiting for the acknowledgement of topic `{topic}`; the message is read again after a restart"
    )]
    Stopped {
        /// The topic.
        topic: String,
    },
    /// The input file cannot be opened.
    #[error("could not open the input {}: {source}", path.display())]
    OpenInput {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Reading the input failed in the middle.
    #[error("could not read the input at line {line}: {source}")]
    ReadInput {
        /// The 0-based line.
        line: i64,
        /// The cause.
        source: io::Error,
    },
    /// The file for dead letters cannot be written.
    #[error("could not write the dead letters to {}: {source}", path.display())]
    WriteDeadLetters {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The embedded broker did not start, or is gone.
    #[error("the embedded broker failed: {reason}")]
    Embedded {
        /// What the client library said.
        reason: String,
    },
    /// A thread or task of this crate ended unexpectedly: a bug.
    #[error("the {name} ended unexpectedly")]
    Ended {
        /// Which one.
        name: &'static str,
    },
}
