//! The offset ledger: what is open, what has ended, and how far a partition may be committed.
//!
//! Messages end in any order; positions are committed in order. Per partition the ledger keeps the watermark (every
//! offset below it has ended), the position (the next offset to be read) and the ended offsets between the two, as
//! runs. Offsets that never arrive (compaction, transaction markers) count as ended as soon as a later one is opened.
//!
//! Each assignment of a partition is an epoch of its own: a ticket of an earlier one settles nothing, because its
//! message has been, or will be, read again by whoever owns the partition now.
//!
//! What had ended above the committed position when the partition was last let go can be restored: those messages come
//! again, count as ended at once, and are not opened.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use crate::finished::Finished;
use crate::lag::Times;
use crate::place::{Offset, Partition, Place, Position, Topic};

/// How much may be open at once (`intake.*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeBounds {
    /// Bytes of open messages per partition.
    pub partition_bytes: usize,
    /// Bytes of open messages of the whole worker.
    pub worker_bytes: usize,
    /// Messages between a partition's watermark and its position, whether ended or not.
    pub partition_messages: usize,
}

impl Default for IntakeBounds {
    fn default() -> Self {
        Self {
            partition_bytes: 16 << 20,
            worker_bytes: 64 << 20,
            partition_messages: 20_000,
        }
    }
}

/// The duty to end everything that came from one message. It cannot be copied; dropping it leaves the message open,
/// and the message is then read again after the next assignment.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a dropped ticket leaves its message open for ever"]
pub struct Ticket {
    slot: usize,
    epoch: u64,
    offset: i64,
    bytes: usize,
}

/// What settling a ticket did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The message has ended.
    Counted,
    /// The ticket came from an earlier assignment of the partition and was dropped.
    Stale,
}

/// Partitions that must stop or go on being fetched, because of the bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// To be paused.
    pub pause: Vec<(Topic, Partition)>,
    /// To be resumed.
    pub resume: Vec<(Topic, Partition)>,
}

/// The account of all open messages. Pure: it knows no clock and no Kafka.
#[derive(Debug)]
pub struct Ledger {
    bounds: IntakeBounds,
    slots: Vec<Slot>,
    index: BTreeMap<(Topic, Partition), usize>,
    open: usize,
    open_bytes: usize,
    worker_full: bool,
    stopped: bool,
    flow_changed: bool,
    stale: u64,
    passed_over: u64,
    next_epoch: u64,
}

/// One partition that is or was assigned. Slots are never removed, so that a ticket's slot stays valid; there are as
/// many as the worker has ever owned partitions.
#[derive(Debug)]
struct Slot {
    key: (Topic, Partition),
    /// Zero while the partition is not assigned.
    epoch: u64,
    account: Account,
    full: bool,
    held: bool,
}

/// The offsets of one assignment.
#[derive(Debug, Default)]
struct Account {
    /// `None` until the first message: where reading starts is the broker's answer.
    reach: Option<Reach>,
    /// Ended offsets above the watermark: start -> run.
    ended: BTreeMap<i64, Run>,
    ended_messages: usize,
    /// Ended before this assignment and not yet read again, in ascending order.
    restored: VecDeque<Range<i64>>,
    times: Times,
    open: usize,
    open_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Reach {
    watermark: i64,
    position: i64,
}

/// A run of ended offsets, up to but without `end`; `messages` of them were really messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    end: i64,
    messages: usize,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(bounds: IntakeBounds) -> Self {
        Self {
            bounds,
            slots: Vec::new(),
            index: BTreeMap::new(),
            open: 0,
            open_bytes: 0,
            worker_full: false,
            stopped: false,
            flow_changed: false,
            stale: 0,
            passed_over: 0,
            next_epoch: 1,
        }
    }

    /// The partition is ours from now on. Tickets of an earlier assignment become stale.
    pub fn assign(&mut self, topic: &Topic, partition: Partition) {
        let key = (topic.clone(), partition);
        let slot = match self.index.get(&key) {
            Some(&slot) => slot,
            None => {
                self.index.insert(key.clone(), self.slots.len());
                self.slots.push(Slot {
                    key,
                    epoch: 0,
                    account: Account::default(),
                    full: false,
                    held: false,
                });
                self.slots.len() - 1
            }
        };
        self.reset(slot);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.epoch = self.next_epoch;
        }
        self.next_epoch += 1;
        self.flow_changed = true;
    }

    /// What had ended above the committed position before this assignment. To be told before its first message; it does
    /// nothing for a partition that is not ours or of which something was opened already.
    pub fn restore(&mut self, topic: &Topic, partition: Partition, finished: &Finished) {
        let slot = self.index.get(&(topic.clone(), partition));
        let slot = slot.and_then(|slot| self.slots.get_mut(*slot));
        if let Some(slot) = slot.filter(|slot| slot.epoch != 0) {
            slot.account.restore(finished);
        }
    }

    /// The partition is no longer ours. Its open messages are forgotten; their tickets become stale.
    pub fn release(&mut self, topic: &Topic, partition: Partition) {
        if let Some(&slot) = self.index.get(&(topic.clone(), partition)) {
            self.reset(slot);
            self.flow_changed = true;
        }
    }

    /// Opens a message. `None` means there is nothing to do: the partition is not ours, or this offset was handed out
    /// before in the same assignment and its first ticket still stands for it, or it had ended before
    /// ([`Ledger::restore`]).
    pub fn open(&mut self, at: &Place, bytes: usize) -> Option<Ticket> {
        let number = *self.index.get(&(at.topic.clone(), at.partition))?;
        let offset = at.offset.get();
        let went_back = self
            .slots
            .get(number)?
            .account
            .reach
            .is_some_and(|reach| offset < reach.watermark);
        if went_back {
            // The log was cut or made anew and starts below what had ended: everything from here on comes again.
            self.assign(&at.topic, at.partition);
        }
        let slot = self.slots.get_mut(number)?;
        if slot.epoch == 0 {
            return None;
        }
        let opened = slot.account.open(offset, bytes);
        // What had ended before takes its place in the span too.
        if !slot.full && slot.account.reached(&self.bounds) {
            slot.full = true;
            self.flow_changed = true;
        }
        match opened {
            Opened::New => (),
            Opened::Before => return None,
            Opened::Ended => {
                self.passed_over += 1;
                return None;
            }
        }
        self.open += 1;
        self.open_bytes += bytes;
        if !self.worker_full && self.open_bytes >= self.bounds.worker_bytes {
            self.worker_full = true;
            self.flow_changed = true;
        }
        Some(Ticket {
            slot: number,
            epoch: slot.epoch,
            offset,
            bytes,
        })
    }

    /// When an opened message was written, in milliseconds since 1970. To be told in the order of opening.
    pub fn written(&mut self, ticket: &Ticket, written_ms: i64) {
        let slot = self.slots.get_mut(ticket.slot);
        if let Some(slot) = slot.filter(|slot| slot.epoch == ticket.epoch) {
            slot.account.times.note(ticket.offset, written_ms);
        }
    }

    /// Ends a message.
    pub fn settle(&mut self, ticket: Ticket) -> Settled {
        let Some(slot) = self
            .slots
            .get_mut(ticket.slot)
            .filter(|slot| slot.epoch == ticket.epoch)
        else {
            self.stale += 1;
            return Settled::Stale;
        };
        slot.account.settle(ticket.offset, ticket.bytes);
        self.open -= 1;
        self.open_bytes -= ticket.bytes;
        if slot.full && slot.account.halved(&self.bounds) {
            slot.full = false;
            self.flow_changed = true;
        }
        self.relieve();
        Settled::Counted
    }

    /// Pauses everything from now on: nothing new is wanted, what is open may still end.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.flow_changed = true;
    }

    /// The position of every assigned partition that has one: everything below has ended.
    #[must_use]
    pub fn committable(&self) -> BTreeMap<(Topic, Partition), Position> {
        let assigned = self.slots.iter().filter(|slot| slot.epoch != 0);
        assigned
            .filter_map(|slot| {
                Some((
                    slot.key.clone(),
                    Position::new(slot.account.reach?.watermark),
                ))
            })
            .collect()
    }

    /// The position of one partition: everything below has ended. `None` before its first message.
    #[must_use]
    pub fn committable_of(&self, topic: &Topic, partition: Partition) -> Option<Position> {
        let slot = self.assigned(topic, partition)?;
        Some(Position::new(slot.account.reach?.watermark))
    }

    /// What has ended above the position of a partition, taken together with that position. `None` before its first
    /// message.
    #[must_use]
    pub fn finished_of(&self, topic: &Topic, partition: Partition) -> Option<Finished> {
        self.assigned(topic, partition)?.account.finished()
    }

    /// The same for every assigned partition.
    #[must_use]
    pub fn finished(&self) -> BTreeMap<(Topic, Partition), Finished> {
        let assigned = self.slots.iter().filter(|slot| slot.epoch != 0);
        assigned
            .filter_map(|slot| Some((slot.key.clone(), slot.account.finished()?)))
            .collect()
    }

    /// What must be paused and resumed since the last call, because a bound was reached or half of it is free again.
    pub fn flow(&mut self) -> Flow {
        let mut flow = Flow::default();
        if !std::mem::take(&mut self.flow_changed) {
            return flow;
        }
        let all = self.stopped || self.worker_full;
        for slot in self.slots.iter_mut().filter(|slot| slot.epoch != 0) {
            let hold = all || slot.full;
            match (slot.held, hold) {
                (false, true) => flow.pause.push(slot.key.clone()),
                (true, false) => flow.resume.push(slot.key.clone()),
                (false, false) | (true, true) => (),
            }
            slot.held = hold;
        }
        flow
    }

    /// Whether nothing at all is wanted at the moment, because the worker is full or stops.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.stopped || self.worker_full
    }

    /// Whether nothing of this partition is wanted at the moment.
    #[must_use]
    pub fn is_partition_full(&self, topic: &Topic, partition: Partition) -> bool {
        self.is_full()
            || self
                .assigned(topic, partition)
                .is_some_and(|slot| slot.full)
    }

    /// Messages that are open.
    #[must_use]
    pub fn open_messages(&self) -> usize {
        self.open
    }

    /// Messages of one partition that are open.
    #[must_use]
    pub fn open_messages_of(&self, topic: &Topic, partition: Partition) -> usize {
        self.assigned(topic, partition)
            .map_or(0, |slot| slot.account.open)
    }

    /// Bytes of all open messages.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.open_bytes
    }

    /// Messages between the watermark and the position of a partition, open or ended.
    #[must_use]
    pub fn span_messages(&self, topic: &Topic, partition: Partition) -> usize {
        self.assigned(topic, partition)
            .map_or(0, |slot| slot.account.span())
    }

    /// Partitions that one stuck message holds up: the span is over 90 % full, and over 95 % of it has ended.
    #[must_use]
    pub fn stuck(&self) -> Vec<(Topic, Partition, Offset)> {
        let crowded = |account: &Account| account.span() * 10 > self.bounds.partition_messages * 9;
        let mostly_ended = |account: &Account| account.ended_messages * 20 > account.span() * 19;
        self.slots
            .iter()
            .filter(|slot| slot.epoch != 0 && crowded(&slot.account) && mostly_ended(&slot.account))
            .filter_map(|slot| {
                let watermark = slot.account.reach?.watermark;
                Some((slot.key.0.clone(), slot.key.1, Offset::new(watermark)))
            })
            .collect()
    }

    /// Tickets of earlier assignments that were dropped.
    #[must_use]
    pub fn stale_tickets(&self) -> u64 {
        self.stale
    }

    /// When the oldest message of a partition that has not ended was written, in milliseconds since 1970, to the second;
    /// when all have ended, the last one. `None` before the first.
    #[must_use]
    pub fn oldest_ms_of(&self, topic: &Topic, partition: Partition) -> Option<i64> {
        self.assigned(topic, partition)?.account.times.oldest_ms()
    }

    /// Messages that came again and were passed over, because they had ended before.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The partitions that are ours.
    pub fn assignment(&self) -> impl Iterator<Item = &(Topic, Partition)> {
        let assigned = self.slots.iter().filter(|slot| slot.epoch != 0);
        assigned.map(|slot| &slot.key)
    }

    fn assigned(&self, topic: &Topic, partition: Partition) -> Option<&Slot> {
        let slot = *self.index.get(&(topic.clone(), partition))?;
        self.slots.get(slot).filter(|slot| slot.epoch != 0)
    }

    fn reset(&mut self, slot: usize) {
        let Some(slot) = self.slots.get_mut(slot) else {
            return;
        };
        self.open -= slot.account.open;
        self.open_bytes -= slot.account.open_bytes;
        slot.account = Account::default();
        slot.epoch = 0;
        slot.full = false;
        slot.held = false;
        self.relieve();
    }

    fn relieve(&mut self) {
        if self.worker_full && self.open_bytes <= self.bounds.worker_bytes / 2 {
            self.worker_full = false;
            self.flow_changed = true;
        }
    }
}

/// What opening an offset did.
enum Opened {
    New,
    /// It was opened before in this assignment.
    Before,
    /// It had ended before this assignment.
    Ended,
}

impl Account {
    fn restore(&mut self, finished: &Finished) {
        if self.reach.is_none() {
            let position = finished.position().get();
            self.reach = Some(Reach {
                watermark: position,
                position,
            });
            self.restored = finished.runs().iter().cloned().collect();
        }
    }

    fn finished(&self) -> Option<Finished> {
        let reach = self.reach?;
        let ended = self.ended.iter().map(|(start, run)| *start..run.end);
        let restored = self
            .restored
            .iter()
            .map(|run| run.start.max(reach.position)..run.end);
        Some(Finished::new(
            Position::new(reach.watermark),
            ended.chain(restored),
        ))
    }

    fn open(&mut self, offset: i64, bytes: usize) -> Opened {
        let reach = self.reach.get_or_insert(Reach {
            watermark: offset,
            position: offset,
        });
        if offset < reach.position {
            return Opened::Before;
        }
        let (gap, position) = (reach.position..offset, offset.saturating_add(1));
        reach.position = position;
        if !gap.is_empty() {
            self.end(gap.start, gap.end, 0);
        }
        if self.had_ended(offset) {
            self.end(offset, position, 1);
            return Opened::Ended;
        }
        self.open += 1;
        self.open_bytes += bytes;
        Opened::New
    }

    /// Whether the offset had ended before this assignment. Offsets are asked for in ascending order.
    fn had_ended(&mut self, offset: i64) -> bool {
        while self.restored.front().is_some_and(|run| run.end <= offset) {
            self.restored.pop_front();
        }
        self.restored
            .front()
            .is_some_and(|run| run.contains(&offset))
    }

    fn settle(&mut self, offset: i64, bytes: usize) {
        self.open -= 1;
        self.open_bytes -= bytes;
        self.end(offset, offset.saturating_add(1), 1);
    }

    /// Marks `start..end` as ended, joins it with its neighbours, and moves the watermark over what is now contiguous.
    fn end(&mut self, start: i64, end: i64, messages: usize) {
        let Some(reach) = self.reach.as_mut() else {
            return;
        };
        let mut run = Run { end, messages };
        self.ended_messages += messages;
        if let Some(after) = self.ended.remove(&end) {
            run = Run {
                end: after.end,
                messages: run.messages + after.messages,
            };
        }
        if start == reach.watermark {
            reach.watermark = run.end;
            self.times.pass(run.end);
            self.ended_messages -= run.messages;
            return;
        }
        match self.ended.range_mut(..start).next_back() {
            Some((_, before)) if before.end == start => {
                before.end = run.end;
                before.messages += run.messages;
            }
            _ => {
                self.ended.insert(start, run);
            }
        }
    }

    fn span(&self) -> usize {
        self.open + self.ended_messages
    }

    fn reached(&self, bounds: &IntakeBounds) -> bool {
        self.open_bytes >= bounds.partition_bytes || self.span() >= bounds.partition_messages
    }

    fn halved(&self, bounds: &IntakeBounds) -> bool {
        self.open_bytes <= bounds.partition_bytes / 2
            && self.span() <= bounds.partition_messages / 2
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
