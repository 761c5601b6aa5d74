//! Events that were delivered before: asked of the fleet's memory before they are admitted, and kept there once they ended
//! (fleet.md i.6).
//!
//! One question per portal is under way at a time, about everything that has gathered meanwhile, and what was asked about
//! is admitted in its order: so remembering costs one round trip per turn and never reorders. When the memory does not
//! answer, nothing counts as delivered before: order and at-least-once remain.

use std::sync::Arc;
use std::time::Duration;

use hubferry_delivery::{Admission, DeliveryId};
use hubferry_memory::{Memory, SeenKey};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::task::JoinSet;

use super::{Due, MessageKey, Origin, Worker};
use crate::closing::Closing;

/// What a worker knows about repeated deliveries.
pub(super) struct Repeats {
    /// How long a delivery is remembered; `None` when none is.
    window: Option<Duration>,
    /// One per portal.
    memories: Vec<Arc<Memory>>,
    /// Open deliveries: their portal, and by what they are remembered.
    open: FxHashMap<DeliveryId, (usize, SeenKey)>,
    /// Ended ones that are not kept yet, by portal.
    ended: Vec<Vec<SeenKey>>,
    questions: JoinSet<Answer>,
    keeping: JoinSet<()>,
}

/// What the memory said about one portal's deliveries.
pub(super) struct Answer {
    pub(super) portal: usize,
    /// Those that ended before; none when it did not say.
    delivered: FxHashSet<DeliveryId>,
}

/// What one question asks about at most; beyond it, one answer would take longer than a turn.
const ASKED_AT_ONCE: usize = 1_000;

/// How long the last deliveries may take to be kept when a worker ends.
const LAST_KEEPING: Duration = Duration::from_secs(2);

impl Repeats {
    pub(super) fn new(window: Option<Duration>, memories: Vec<Arc<Memory>>) -> Self {
        let remembers = memories.iter().any(|memory| memory.remembers_deliveries());
        Self {
            window: window.filter(|_| remembers),
            ended: vec![Vec::new(); memories.len()],
            memories,
            open: FxHashMap::default(),
            questions: JoinSet::new(),
            keeping: JoinSet::new(),
        }
    }

    /// Whether deliveries are remembered at all.
    pub(super) fn is_on(&self) -> bool {
        self.window.is_some()
    }

    /// A delivery is open that is remembered by `key` once it has ended.
    pub(super) fn opened(&mut self, delivery: DeliveryId, portal: usize, key: SeenKey) {
        self.open.insert(delivery, (portal, key));
    }

    /// A delivery ended; one that is dead may come again.
    pub(super) fn ended(&mut self, delivery: DeliveryId, closing: &Closing) {
        let Some((portal, key)) = self.open.remove(&delivery) else {
            return;
        };
        let repeated = matches!(closing, Closing::Skipped("duplicate") | Closing::Dead(_));
        if !repeated && let Some(ended) = self.ended.get_mut(portal) {
            ended.push(key);
        }
    }

    /// A delivery was taken back.
    pub(super) fn withdrawn(&mut self, delivery: DeliveryId) {
        self.open.remove(&delivery);
    }

    /// The next answer; never when nothing was asked.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        self.questions.join_next().await?.ok()
    }

    fn ask(&mut self, portal: usize, deliveries: Vec<DeliveryId>) {
        let Some(memory) = self.memories.get(portal).cloned() else {
            return;
        };
        let keys: Vec<SeenKey> = deliveries
            .iter()
            .filter_map(|delivery| self.open.get(delivery).map(|(_, key)| *key))
            .collect();
        self.questions.spawn(async move {
            let delivered = match memory.seen(&keys).await {
                Ok(seen) => {
                    let known = deliveries.into_iter().zip(seen);
                    known.filter_map(|(id, seen)| seen.then_some(id)).collect()
                }
                Err(error) => {
                    tracing::warn!(%error, "could not ask which events were delivered before; they are delivered again");
                    FxHashSet::default()
                }
            };
            Answer { portal, delivered }
        });
    }

    /// Keeps what has ended; all of it in one round trip per portal.
    pub(super) fn keep(&mut self) {
        while self.keeping.try_join_next().is_some() {}
        let Some(window) = self.window else {
            return;
        };
        for (ended, memory) in self.ended.iter_mut().zip(&self.memories) {
            if ended.is_empty() {
                continue;
            }
            let (ended, memory) = (std::mem::take(ended), Arc::clone(memory));
            self.keeping.spawn(async move {
                if let Err(error) = memory.keep_seen(&ended, window).await {
                    tracing::warn!(%error, "could not remember what was delivered");
                }
            });
        }
    }

    /// Keeps the last deliveries before the worker ends.
    pub(super) async fn close(&mut self) {
        self.questions.shutdown().await;
        self.keep();
        let kept = async { while self.keeping.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_KEEPING, kept).await.is_err() {
            tracing::warn!("the last deliveries were not remembered in time");
        }
    }
}

impl Worker {
    /// Puts an admission in line: before the question whether it was delivered before, or straight before the engine.
    pub(super) fn line_up(&mut self, portal: usize, message: MessageKey, admission: Admission) {
        let asks = self.repeats.is_on();
        let door = &mut self.doors[portal];
        if asks {
            door.unasked.push_back((message, admission));
        } else {
            door.waiting.push_back((message, admission));
        }
    }

    /// Asks about what has gathered, where no question is under way.
    pub(super) fn ask_about_repeats(&mut self) {
        for (portal, door) in self.doors.iter_mut().enumerate() {
            if door.asked || door.unasked.is_empty() {
                continue;
            }
            let count = door.unasked.len().min(ASKED_AT_ONCE);
            door.asking.extend(door.unasked.drain(..count));
            door.asked = true;
            let admissions = door
                .asking
                .iter()
                .flat_map(|(_, admission)| &admission.deliveries);
            let deliveries = admissions.map(|delivery| delivery.id).collect();
            self.repeats.ask(portal, deliveries);
        }
    }

    /// The memory has answered: repeated deliveries end, the others go on.
    pub(super) fn repeats_known(&mut self, answer: Answer) {
        let delivered = answer.delivered;
        let mut dues: Vec<Due<Origin>> = Vec::new();
        let door = &mut self.doors[answer.portal];
        door.asked = false;
        for (message, mut admission) in std::mem::take(&mut door.asking) {
            let (repeated, new) = admission
                .deliveries
                .into_iter()
                .partition::<Vec<_>, _>(|delivery| delivered.contains(&delivery.id));
            for delivery in repeated {
                let closing = Closing::Skipped("duplicate");
                self.repeats.ended(delivery.id, &closing);
                self.tracker.ended(delivery.id, closing, None, &mut dues);
            }
            admission.deliveries = new;
            if !admission.deliveries.is_empty() {
                door.waiting.push_back((message, admission));
            }
        }
        self.settle(dues);
        self.ask_about_repeats();
        self.admit();
    }
}
