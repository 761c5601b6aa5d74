//! What the client library calls back: rebalances, commit results, log lines.
//!
//! Callbacks only take notes. The polling thread acts on them after `poll` returned, so that a revoked partition can
//! be kept until what is on the wire has ended, while the member keeps polling and stays in the group.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::place::{Partition, Topic};

/// Something that a callback noted.
#[derive(Debug)]
pub(crate) enum Notice {
    Assigned(Vec<(Topic, Partition)>),
    Revoked(Vec<(Topic, Partition)>),
    Lost(Vec<(Topic, Partition)>),
    CommitFailed(KafkaError),
}

/// The context of a consumer in a group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    notices: Mutex<Vec<Notice>>,
    closing: AtomicBool,
}

impl Group {
    /// Takes the notes away.
    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on nobody reads the notes: rebalances are answered on the spot.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn note(&self, notice: Notice) {
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(notice);
    }
}

impl ConsumerContext for Group {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: Code, list: &mut TopicPartitionList) {
        let assigns = code == Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let answered = if assigns {
                assign(consumer, list)
            } else {
                unassign(consumer, list)
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a rebalance while closing was not answered");
            }
            return;
        }
        let partitions = keys_of(list);
        self.note(match (assigns, consumer.assignment_lost()) {
            (true, _) => Notice::Assigned(partitions),
            (false, true) => Notice::Lost(partitions),
            (false, false) => Notice::Revoked(partitions),
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => (),
            Err(error) => self.note(Notice::CommitFailed(error)),
        }
    }
}

/// Starts fetching these partitions, from their committed positions.
pub(crate) fn assign(consumer: &BaseConsumer<Group>, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
    }
}

/// Lets go of these partitions.
pub(crate) fn unassign(
    consumer: &BaseConsumer<Group>,
    list: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

/// The partitions of the client library's list. The list itself is never kept: one that outlives its consumer makes
/// the consumer's destruction hang.
fn keys_of(list: &TopicPartitionList) -> Vec<(Topic, Partition)> {
    list.elements()
        .iter()
        .map(|element| {
            (
                Topic::new(element.topic()),
                Partition::new(element.partition()),
            )
        })
        .collect()
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka client");
    }
}

/// The context of producers and probes: log lines go to `tracing`, the last error is kept for messages.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    last_error: Mutex<Option<String>>,
    quiet: bool,
}

impl Logged {
    /// For a client whose caller turns every failure into one line of its own: the library's lines are debug lines.
    pub(crate) fn quiet() -> Self {
        Self {
            quiet: true,
            ..Self::default()
        }
    }

    /// What the client library complained about last.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if self.quiet {
            tracing::debug!(?level, facility, message, "kafka client");
        } else {
            log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        // "all brokers are down" says less than the reason before it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Logged {}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "kafka client");
        }
        // The library repeats every failed connection as an error; those pass by themselves.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(facility, message, "kafka client")
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::debug!(facility, message, "kafka client")
        }
        RDKafkaLogLevel::Debug => tracing::trace!(facility, message, "kafka client"),
    }
}
