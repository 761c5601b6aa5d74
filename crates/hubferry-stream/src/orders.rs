//! What the source wants from the thread that polls Kafka.
//!
//! Orders merge (a later position replaces an earlier one, a resume undoes a pause), so there is no queue that could
//! grow: at most one entry per partition. The lock is held for the time of a merge or of taking everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use tokio::sync::oneshot;

use crate::error::StreamError;
use crate::ledger::Flow;
use crate::place::{Partition, Position, Topic};

/// A position to commit, and the text that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: Position,
    /// What has ended above the position, as [`crate::Finished`] writes it; of the same moment as the position.
    pub(crate) finished: Option<String>,
}

/// Positions by partition.
pub(crate) type Positions = BTreeMap<(Topic, Partition), Mark>;

/// Everything that is wanted at the moment.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Commit these, without waiting for the answer.
    pub(crate) commit: Positions,
    /// Pause (true) or resume (false) these.
    pub(crate) hold: BTreeMap<(Topic, Partition), bool>,
    /// Commit and let go of these revocations.
    pub(crate) release: Vec<Release>,
    /// From now on every newly assigned partition starts paused.
    pub(crate) stop: bool,
    /// Commit these, leave the group, and say how it went.
    pub(crate) close: Option<Close>,
    /// The source was dropped: leave the group without committing.
    pub(crate) abandoned: bool,
}

/// The end of one revocation.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) partitions: Vec<(Topic, Partition)>,
    pub(crate) commit: Positions,
}

/// The end of everything: what is to be committed, and who hears first how that went, and then that the group was left.
#[derive(Debug)]
pub(crate) struct Close {
    pub(crate) commit: Positions,
    pub(crate) committed: oneshot::Sender<Result<(), StreamError>>,
    pub(crate) left: oneshot::Sender<()>,
}

/// The board both sides share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Orders>>);

impl Board {
    /// Takes all orders away.
    pub(crate) fn take(&self) -> Orders {
        let mut orders = self.lock();
        let stop = orders.stop;
        std::mem::replace(
            &mut *orders,
            Orders {
                stop,
                ..Orders::default()
            },
        )
    }

    /// Changes the orders and wakes the thread.
    pub(crate) fn change(&self, thread: &Thread, change: impl FnOnce(&mut Orders)) {
        change(&mut self.lock());
        thread.unpark();
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        // Orders are plain data: a panic elsewhere cannot leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    /// Merges a change of the flow.
    pub(crate) fn flow(&mut self, flow: Flow) {
        self.hold
            .extend(flow.pause.into_iter().map(|key| (key, true)));
        self.hold
            .extend(flow.resume.into_iter().map(|key| (key, false)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> (Topic, Partition) {
        (Topic::new("t"), Partition::new(partition))
    }

    fn mark(position: i64) -> Mark {
        Mark {
            position: Position::new(position),
            finished: None,
        }
    }

    #[test]
    fn later_orders_replace_earlier_ones_and_taking_empties_the_board() {
        let board = Board::default();
        let thread = std::thread::current();
        board.change(&thread, |orders| {
            orders.flow(Flow {
                pause: vec![key(0), key(1)],
                resume: vec![],
            });
            orders.commit.insert(key(0), mark(5));
            orders.stop = true;
        });
        board.change(&thread, |orders| {
            orders.flow(Flow {
                pause: vec![],
                resume: vec![key(1)],
            });
            orders.commit.insert(key(0), mark(7));
        });
        let orders = board.take();
        assert_eq!(orders.hold, [(key(0), true), (key(1), false)].into());
        assert_eq!(orders.commit, [(key(0), mark(7))].into());
        let rest = board.take();
        assert!(rest.hold.is_empty() && rest.commit.is_empty());
        assert!(rest.stop, "stopping is for good");
    }
}
