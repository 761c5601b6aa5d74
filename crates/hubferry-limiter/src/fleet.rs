//! What all limits of a scope share in the store: its clock, the server it lives on, and the workers with their tickets.
//!
//! *Clock.* The scope's time is the server's clock less an offset. Whoever asks says how much time passed since the last
//! answer, on a clock of its own that cannot be set; where the server's clock moved further, the difference becomes offset
//! and the scope's time goes on as if nothing had happened. Time never goes back, and never faster than somebody's clock.
//!
//! *Server.* Another server than last time may have missed the last bookings. Nothing is granted until everybody who
//! could have made them has said how far it had counted, or until they cannot matter any more.
//!
//! *Tickets.* A worker that holds one may go on alone when it loses the store. The store keeps its share free as soon as the
//! worker is silent, which is before the worker may begin; silent is who acknowledges no answers, not who sends no calls.

use crate::settings::Rule;

/// The state that limits share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fleet {
    /// When this life of the scope began.
    pub(crate) epoch: u64,
    pub(crate) last: u64,
    /// What is taken off the server's clock.
    pub(crate) offset: i64,
    /// How often the scope's time was held back; who knows an older one cannot say what time it is.
    pub(crate) era: u64,
    pub(crate) jumps: u64,
    /// How many servers have kept this state, and the present one.
    pub(crate) generation: u64,
    pub(crate) run: u64,
    /// Nothing is granted before the first, and before the second only when all have said how far they had counted.
    settle: u64,
    settled_at_last: u64,
    /// Until when workers that are not known may hold tickets.
    unknown_until: u64,
    /// When those who are gone were last forgotten.
    pruned: u64,
    pub(crate) workers: Vec<Worker>,
}

/// A worker as the store knows it. Times are the scope's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) id: u64,
    /// The newest answer it has shown to have received, and the newest that was sent to it.
    pub(crate) acked: u64,
    pub(crate) sent: u64,
    /// Until when calls it made on its own may be in a window.
    pub(crate) island: u64,
    pub(crate) ticket: u64,
    pub(crate) since: u64,
    pub(crate) waiting: u64,
    pub(crate) granted: u64,
    generation: u64,
}

/// What holds for everybody: tickets, and what a missing state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Whether a missing state is taken for spent.
    pub(crate) quarantine: u64,
    /// How many workers may hold tickets; 0 for none.
    pub(crate) workers: u64,
    /// How long a ticket lasts after the answer it came with.
    pub(crate) ticket: u64,
    /// Who acknowledged nothing for this long is silent.
    pub(crate) silent: u64,
}

/// Who asks, and what it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) worker: u64,
    /// The server its connection ends at; 0 when it could not find out.
    pub(crate) run: u64,
    /// Of its last answer: the scope's life, the generation and server, the server's clock, the scope's time, offset and era.
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    pub(crate) last_run: u64,
    pub(crate) raw: u64,
    pub(crate) seen: u64,
    pub(crate) offset: i64,
    pub(crate) era: u64,
    /// How long ago, on its own clock, that answer came.
    pub(crate) elapsed: u64,
    /// 0 for no interest in a ticket, 1 for a wish, 2 for one held.
    pub(crate) ticket: u64,
    /// One more than how long ago its last call without the store was; 0 for none that matters.
    pub(crate) island: u64,
    /// Live calls that wait in it.
    pub(crate) waiting: u64,
}

/// By how much two clocks may differ before one of them jumped.
const TOLERANCE: i64 = 500_000;
/// The least time after a change of servers in which nothing is granted.
const SETTLE: u64 = 500_000;
/// Who neither asked nor holds a ticket for this long is forgotten.
const FORGOTTEN: u64 = 60_000_000;
const MOST_WORKERS: usize = 256;

impl Fleet {
    pub(crate) fn new(raw: u64, run: u64, terms: &Terms, span: u64) -> Self {
        let unknown_until = if terms.quarantine > 0 && terms.workers > 0 {
            raw + terms.ticket + span
        } else {
            0
        };
        Self {
            epoch: raw,
            last: raw,
            offset: 0,
            era: 0,
            jumps: 0,
            generation: 1,
            run,
            settle: 0,
            settled_at_last: 0,
            unknown_until,
            pruned: 0,
            workers: Vec::new(),
        }
    }

    /// The scope's time, without moving it.
    pub(crate) fn time(&self, raw: u64) -> u64 {
        signed(self.last)
            .max(signed(raw) - self.offset)
            .cast_unsigned()
    }

    /// Moves the scope's time on to when somebody asks.
    pub(crate) fn tick(&mut self, raw: u64, caller: &Caller) -> u64 {
        let knows = caller.epoch == self.epoch && caller.seen > 0;
        if knows {
            let jump = signed(raw) - signed(caller.raw) - signed(caller.elapsed);
            let held = self.offset - caller.offset;
            if jump > TOLERANCE && jump - held > TOLERANCE {
                self.hold_back(jump - held);
            }
        }
        let mut now = self.time(raw);
        let expected = caller.seen + caller.elapsed;
        if !knows {
            if now > self.last + TOLERANCE.cast_unsigned() {
                // Somebody new cannot tell a jump of the clock from a time in which nobody asked.
                self.hold_back(signed(now - self.last));
                now = self.last;
            }
        } else if caller.era == self.era && expected > now {
            // What passed for somebody has passed, whatever the server's clock says.
            if expected > now + TOLERANCE.cast_unsigned() {
                self.offset = signed(raw) - signed(expected);
                self.jumps += 1;
            }
            now = expected;
        }
        self.last = now;
        now
    }

    /// Takes a time off the clock. It may have passed for the workers all the same, so they count as silent that much sooner.
    fn hold_back(&mut self, by: i64) {
        self.offset += by;
        self.era += 1;
        self.jumps += 1;
        for worker in &mut self.workers {
            worker.acked = worker.acked.saturating_sub(by.cast_unsigned());
        }
    }

    /// Notes the server; says whether it is another one than before.
    pub(crate) fn is_moved(
        &mut self,
        now: u64,
        before: u64,
        caller: &Caller,
        terms: &Terms,
        span: u64,
    ) -> bool {
        if caller.run == 0 || caller.run == self.run {
            return false;
        }
        let is_first = self.run == 0;
        self.run = caller.run;
        if is_first {
            return false;
        }
        self.generation += 1;
        self.settle = now + SETTLE;
        self.settled_at_last = now + span.max(SETTLE);
        for worker in &mut self.workers {
            if worker.sent + span < now {
                worker.generation = self.generation;
            }
            // It may have had answers that this state does not know of.
            worker.sent = now;
        }
        if terms.workers > 0 && now > before + terms.ticket / 10 {
            // Too much was lost to know everybody who holds a ticket.
            self.unknown_until = now + terms.ticket + span;
        }
        true
    }

    /// Until when nothing is granted because bookings of another server may be missing.
    pub(crate) fn unsettled(&self, now: u64) -> Option<u64> {
        if now >= self.settled_at_last {
            return None;
        }
        let all_reported = self
            .workers
            .iter()
            .all(|worker| worker.generation == self.generation);
        if !all_reported {
            return Some(self.settled_at_last);
        }
        (now < self.settle).then_some(self.settle)
    }

    /// Whether a caller counted on another server's line.
    pub(crate) fn has_to_report(&self, caller: &Caller) -> bool {
        caller.epoch == self.epoch
            && (caller.generation != self.generation || caller.last_run != self.run)
    }

    /// Notes who asks; says whether it holds a ticket from now on.
    pub(crate) fn meet(&mut self, now: u64, caller: &Caller, terms: &Terms, span: u64) -> bool {
        self.prune(now, terms, span);
        let index = match self.workers.iter().position(|w| w.id == caller.worker) {
            Some(index) => index,
            None => self.join(now, caller.worker),
        };
        let holders = self.workers.iter().filter(|w| w.ticket > 0).count() as u64;
        let worker = &mut self.workers[index];
        if caller.epoch == self.epoch {
            worker.acked = worker.acked.max(caller.seen.min(now));
        }
        worker.sent = now;
        worker.waiting = caller.waiting;
        worker.generation = self.generation;
        if caller.island > 0 {
            let used = (now + 1).saturating_sub(caller.island);
            worker.island = worker.island.max(used + span);
        }
        let is_due = caller.ticket == 1
            && worker.ticket == 0
            && holders < terms.workers
            && now >= worker.since + terms.ticket / 10;
        if is_due || caller.ticket == 2 {
            worker.ticket = 1;
        }
        worker.ticket > 0 && caller.ticket > 0 && terms.workers > 0
    }

    /// Forgets who is gone, once a second.
    fn prune(&mut self, now: u64, terms: &Terms, span: u64) {
        if now < self.pruned + 1_000_000 {
            return;
        }
        self.pruned = now;
        self.workers.retain(|worker| {
            if worker.ticket > 0 {
                now <= (worker.sent + terms.ticket + span).max(worker.island)
            } else {
                now <= worker.sent + FORGOTTEN.max(span)
            }
        });
    }

    fn join(&mut self, now: u64, id: u64) -> usize {
        if self.workers.len() >= MOST_WORKERS
            && let Some(oldest) = self.workers.iter().position(|w| w.ticket == 0)
        {
            self.workers.remove(oldest);
        }
        self.workers.push(Worker {
            id,
            acked: now,
            sent: now,
            island: 0,
            ticket: 0,
            since: now,
            waiting: 0,
            granted: 0,
            generation: self.generation,
        });
        self.workers.len() - 1
    }

    /// A worker stops: it will not use its ticket.
    pub(crate) fn leave(&mut self, now: u64, id: u64) {
        for worker in &mut self.workers {
            if worker.id == id {
                worker.ticket = 0;
                worker.waiting = 0;
                // What it did on its own stays in the windows.
                if worker.island > now {
                    worker.ticket = 1;
                    worker.sent = 0;
                }
            }
        }
        self.workers
            .retain(|worker| worker.id != id || worker.island > now);
    }

    /// What is kept free of one limit for workers that may be on their own.
    pub(crate) fn reserved(&self, now: u64, rule: &Rule, terms: &Terms) -> u64 {
        if terms.workers == 0 {
            return 0;
        }
        let alone = self.workers.iter().filter(|worker| {
            worker.ticket > 0 && (now > worker.acked + terms.silent || now < worker.island)
        });
        let known = self.workers.len() as u64;
        let unknown = if now < self.unknown_until {
            terms.workers.saturating_sub(known)
        } else {
            0
        };
        island_share(rule.max, terms.workers) * (alone.count() as u64 + unknown)
    }

    /// Live calls that wait in all workers that asked lately.
    pub(crate) fn waiting(&self, now: u64) -> u64 {
        let lately = self
            .workers
            .iter()
            .filter(|worker| now < worker.sent + 10_000_000);
        lately.map(|worker| worker.waiting).sum()
    }

    pub(crate) fn granted(&mut self, id: u64, count: u64) {
        for worker in &mut self.workers {
            if worker.id == id {
                worker.granted += count;
            }
        }
    }
}

/// What a worker on its own may do per window: all of them together 80 %.
pub(crate) fn island_share(max: u64, workers: u64) -> u64 {
    max * 8 / (10 * workers.max(1))
}

fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
