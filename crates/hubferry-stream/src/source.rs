//! One face for everything that messages can come from.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::StreamError;
use crate::file::FileSource;
use crate::kafka::KafkaSource;
use crate::lag::Lag;
use crate::ledger::{Ledger, Ticket};
use crate::place::{Message, Partition, Topic};
use crate::rebalances::Rebalances;

/// What can happen to a source.
#[derive(Debug)]
pub enum Intake {
    /// A message, and the duty to end everything that comes from it.
    Arrived(Message, Ticket),
    /// These partitions are ours from now on.
    Assigned(Vec<(Topic, Partition)>),
    /// These partitions must be let go. No further message of theirs arrives; the worker ends what is on the wire,
    /// settles it, and answers with [`Source::revoked`].
    Revoking(Revocation),
    /// These partitions are gone already. Nothing of theirs is committed any more; their tickets are stale.
    Lost(Vec<(Topic, Partition)>),
    /// Nothing is available right now. Said once each time the source runs dry (or is held by its bounds), so that
    /// nobody waits for more before going on.
    Quiet,
    /// A file: everything has been handed out. Said once; after that `next` waits for ever.
    Finished,
}

/// The request to let go of partitions. Answer it with [`Source::revoked`]; when the deadline passes without an
/// answer, the source lets go by itself.
#[derive(Debug)]
#[must_use = "the group waits until the revocation is answered"]
pub struct Revocation {
    pub(crate) id: u64,
    pub(crate) partitions: Vec<(Topic, Partition)>,
    pub(crate) deadline: Instant,
}

impl Revocation {
    /// The partitions to let go.
    #[must_use]
    pub fn partitions(&self) -> &[(Topic, Partition)] {
        &self.partitions
    }

    /// The latest time for the answer.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// Where messages come from.
#[derive(Debug)]
pub enum Source {
    /// A consumer group of Kafka.
    Kafka(KafkaSource),
    /// A file or standard input.
    File(FileSource),
}

impl Source {
    /// Waits for the next thing to happen. Positions are committed here, every second and every 1,000 settled messages.
    ///
    /// Cancelling the future loses nothing: what it had not returned is returned by the next call.
    ///
    /// # Errors
    ///
    /// The source cannot go on: the broker refused the client, the client library gave up, or the file cannot be
    /// read. Disturbances that pass by themselves are logged and waited out instead.
    pub async fn next(&mut self) -> Result<Intake, StreamError> {
        match self {
            Self::Kafka(source) => source.next().await,
            Self::File(source) => source.next().await,
        }
    }

    /// Ends a message: everything that came from it is delivered, skipped, or safe among the dead letters.
    pub fn settle(&mut self, ticket: Ticket) {
        match self {
            Self::Kafka(source) => source.settle(ticket),
            Self::File(source) => source.settle(ticket),
        }
    }

    /// The worker's answer to [`Intake::Revoking`]: all that will end has ended. What is settled is committed and the
    /// partitions are let go.
    pub fn revoked(&mut self, revocation: Revocation) {
        match self {
            Self::Kafka(source) => source.revoked(&revocation),
            Self::File(_) => (),
        }
    }

    /// Stops taking in: every partition pauses, while the member stays in the group and settled positions are still
    /// committed. What was already fetched is dropped and is read again after a restart.
    pub fn stop_intake(&mut self) {
        match self {
            Self::Kafka(source) => source.stop_intake(),
            Self::File(source) => source.stop_intake(),
        }
    }

    /// Commits what is settled and leaves the group. Open tickets are given up: their messages are read again.
    ///
    /// # Errors
    ///
    /// [`StreamError::Commit`] when the broker refused the last positions. A group that is changing hands and answers nobody is
    /// warned of instead: messages after the last commit may be read again.
    pub async fn close(self) -> Result<(), StreamError> {
        match self {
            Self::Kafka(source) => source.close().await,
            Self::File(_) => Ok(()),
        }
    }

    /// Messages that were handed out and have not been settled.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.ledger().open_messages()
    }

    /// Messages of one partition that were handed out and have not been settled: what a revocation waits for.
    #[must_use]
    pub fn unsettled_of(&self, topic: &Topic, partition: Partition) -> usize {
        self.ledger().open_messages_of(topic, partition)
    }

    /// The account behind this source, for metrics and for spotting stuck partitions.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        match self {
            Self::Kafka(source) => source.ledger(),
            Self::File(source) => source.ledger(),
        }
    }

    /// How far each assigned partition is behind: for gauges, computed from what is known, without asking anybody. Empty
    /// for a file, whose end nobody knows.
    #[must_use]
    pub fn lags(&self) -> BTreeMap<(Topic, Partition), Lag> {
        match self {
            Self::Kafka(source) => source.lags(),
            Self::File(_) => BTreeMap::new(),
        }
    }

    /// How often partitions changed hands.
    #[must_use]
    pub fn rebalances(&self) -> Rebalances {
        match self {
            Self::Kafka(source) => source.rebalances(),
            Self::File(_) => Rebalances::default(),
        }
    }

    /// How long each revocation took from the request to the answer, since the last call: for a histogram. At most 256
    /// are kept in between.
    pub fn take_drains(&mut self) -> Vec<Duration> {
        match self {
            Self::Kafka(source) => source.take_drains(),
            Self::File(_) => Vec::new(),
        }
    }
}
