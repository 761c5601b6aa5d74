//! The shell around the scheduler: it waits for permits, sends calls, asks the fleet's memory. Everything clever happens
//! in the scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hubferry_hubspot::{Bucket, Client};
use hubferry_limiter::{Ask, Class, LimitName, Limiter, LimiterError, Permit};
use hubferry_memory::{Finding, Memory};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::admission::{Admission, DeliveryId};
use crate::ending::Ended;
use crate::scheduler::{CallId, RoundId, Scheduler, SchedulerSettings, WallClock};
use crate::sender::{Sender, Sent, limit_of, now_ms, until_answered};
use crate::stats::Stats;

/// Whether the source has more events waiting than were taken; then batches may wait longer for company.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<AtomicBool>);

impl Backlog {
    /// Says how it stands.
    pub fn set(&self, more: bool) {
        self.0.store(more, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Delivers to one portal.
pub struct Engine {
    scheduler: Scheduler,
    client: Arc<Client>,
    limiter: Limiter,
    memory: Arc<Memory>,
    names: Vec<String>,
    stats: Arc<Stats>,
    backlog: Backlog,
    calls_in_flight: usize,
    class: Option<Class>,
    pace: Option<Limiter>,
}

/// What an engine works with.
pub struct EngineParts {
    /// How the scheduler weighs and waits.
    pub scheduler: SchedulerSettings,
    /// The most calls on the wire at once.
    pub calls_in_flight: usize,
    /// The portal's client.
    pub client: Arc<Client>,
    /// The portal's limits: it must know those of [`LIMITS`].
    pub limiter: Limiter,
    /// What the fleet remembers of the portal.
    pub memory: Arc<Memory>,
    /// `DESTINATION/NAME` of each mapping, by index.
    pub mappings: Vec<String>,
    /// Where the books are kept.
    pub stats: Arc<Stats>,
    /// Set by whoever reads the source.
    pub backlog: Backlog,
}

/// The limits that calls count against, by name (names.md §6): `ten_seconds`, `associations`, `search`, `event_sends`.
pub const LIMITS: [&str; 4] = ["ten_seconds", "associations", "search", "event_sends"];

/// The limit that an engine with a pace of its own counts against ([`Engine::paced`]).
pub const PACE: &str = "pace";

const BUCKETS: [Bucket; 4] = [
    Bucket::Burst,
    Bucket::Associations,
    Bucket::Search,
    Bucket::EventSends,
];

/// Instructions taken in one go: enough to keep the channel cheap, few enough to look at permits in between.
const INSTRUCTIONS_AT_ONCE: usize = 256;

/// What an engine is told, in order.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// Deliver this.
    Admit(Admission),
    /// Send nothing more for these deliveries: those not on the wire end [`Ending::Withdrawn`](crate::Ending::Withdrawn).
    Withdraw(Vec<DeliveryId>),
}

impl Engine {
    /// An engine that has not started.
    #[must_use]
    pub fn new(parts: EngineParts) -> Self {
        // Marks only mean something to others: a single process remembers itself what it wrote.
        let marks = parts.memory.keeps_marks();
        let clock = WallClock {
            at: Instant::now().into_std(),
            ms: now_ms(),
        };
        Self {
            scheduler: Scheduler::new(
                SchedulerSettings {
                    marks,
                    schema: true,
                    ..parts.scheduler
                },
                parts.mappings.clone(),
                clock,
            ),
            client: parts.client,
            limiter: parts.limiter,
            memory: parts.memory,
            names: parts.mappings,
            stats: parts.stats,
            backlog: parts.backlog,
            calls_in_flight: parts.calls_in_flight.max(1),
            class: None,
            pace: None,
        }
    }

    /// The same, with every permit asked for under one class: old work takes only what live work leaves.
    #[must_use]
    pub fn of_class(self, class: Class) -> Self {
        Self {
            class: Some(class),
            ..self
        }
    }

    /// The same, and no faster than a limiter of its own allows, which knows the one limit [`PACE`].
    #[must_use]
    pub fn paced(self, pace: Limiter) -> Self {
        Self {
            pace: Some(pace),
            ..self
        }
    }

    /// Delivers until `inbox` is closed and everything has ended, or until `stop`: then no new call starts, those on
    /// the wire come back, and what has not ended stays open.
    ///
    /// Endings go out in the order in which they happened. The receiver must keep taking them: this waits for it.
    pub async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Instruction>,
        endings: mpsc::Sender<Vec<Ended>>,
        stop: CancellationToken,
    ) {
        let mut calls: JoinSet<(CallId, Sent)> = JoinSet::new();
        let mut permits: JoinSet<(Bucket, Result<Permit, LimiterError>)> = JoinSet::new();
        let mut rounds: JoinSet<(RoundId, Option<Vec<Finding>>)> = JoinSet::new();
        let mut asking = [false; BUCKETS.len()];
        let mut taken = Vec::with_capacity(INSTRUCTIONS_AT_ONCE);
        let mut open = true;
        loop {
            let now = Instant::now();
            self.scheduler.set_backlog(open && self.backlog.is_set());
            self.scheduler.tick(now.into_std());
            self.start_round(&mut rounds, &stop);
            if !self.report(&endings).await {
                break;
            }
            if !stop.is_cancelled() {
                self.ask_for_permits(&mut permits, &mut asking, calls.len(), now, &stop);
            }
            // What was written before a stop is remembered before it ends, so that it is committed and not written again.
            let drained = calls.is_empty()
                && permits.is_empty()
                && rounds.is_empty()
                && !self.scheduler.is_asking();
            if drained && (stop.is_cancelled() || (!open && self.scheduler.is_idle())) {
                break;
            }
            let wake = self
                .scheduler
                .wake_at(now.into_std())
                .map(Instant::from_std);
            // Every branch takes from a queue that keeps what was not taken; losing the others loses nothing.
            tokio::select! {
                Some(answer) = calls.join_next() => self.answered(answer),
                Some(granted) = permits.join_next() => self.granted(granted, &mut asking, &mut calls, &stop).await,
                Some(round) = rounds.join_next() => self.learned(round),
                count = inbox.recv_many(&mut taken, INSTRUCTIONS_AT_ONCE), if open && !stop.is_cancelled() => {
                    open = count > 0;
                    self.follow(&mut taken);
                }
                () = sleep_until(wake), if wake.is_some() && !stop.is_cancelled() => (),
                () = stop.cancelled(), if !stop.is_cancelled() => (),
            }
        }
        rounds.shutdown().await;
        self.report(&endings).await;
    }

    fn follow(&mut self, instructions: &mut Vec<Instruction>) {
        let now = Instant::now().into_std();
        for instruction in instructions.drain(..) {
            match instruction {
                Instruction::Admit(admission) => self.scheduler.admit(admission, now),
                Instruction::Withdraw(deliveries) => {
                    self.scheduler
                        .withdraw(&deliveries.into_iter().collect(), now);
                }
            }
        }
    }

    /// Sends out what has ended; `false` when nobody listens any more.
    async fn report(&mut self, endings: &mpsc::Sender<Vec<Ended>>) -> bool {
        let scheduler = &self.scheduler;
        self.stats.progress(
            scheduler.counts(),
            scheduler.open_steps(),
            scheduler.open_events(),
            scheduler.calls_in_flight(),
        );
        self.stats.held(scheduler.holds(), &self.names);
        let ended = self.scheduler.take_ended();
        ended.is_empty() || endings.send(ended).await.is_ok()
    }

    /// One round trip to the memory at a time: what comes up meanwhile goes with the next.
    fn start_round(
        &mut self,
        rounds: &mut JoinSet<(RoundId, Option<Vec<Finding>>)>,
        stop: &CancellationToken,
    ) {
        if !rounds.is_empty() {
            return;
        }
        let Some((round, inquiries)) = self.scheduler.inquire() else {
            return;
        };
        let (memory, stop) = (self.memory.clone(), stop.clone());
        rounds.spawn(async move {
            (
                round,
                until_answered(&stop, || memory.ask(&inquiries, now_ms())).await,
            )
        });
    }

    fn learned(&mut self, round: Result<(RoundId, Option<Vec<Finding>>), tokio::task::JoinError>) {
        match round {
            Ok((round, Some(findings))) => {
                self.scheduler
                    .learn(round, findings, Instant::now().into_std());
            }
            Ok((round, None)) => self.scheduler.give_up(round),
            Err(_) => warn!(
                "a question to the memory ended because of a bug; its events stay uncommitted"
            ),
        }
    }

    /// One ask per bucket at a time: a permit is granted to whatever is worth most by then.
    fn ask_for_permits(
        &mut self,
        permits: &mut JoinSet<(Bucket, Result<Permit, LimiterError>)>,
        asking: &mut [bool; BUCKETS.len()],
        in_flight: usize,
        now: Instant,
        stop: &CancellationToken,
    ) {
        let mut room = self
            .calls_in_flight
            .saturating_sub(in_flight + permits.len());
        for (n, bucket) in BUCKETS.into_iter().enumerate() {
            if room == 0 || asking[n] {
                continue;
            }
            let Some(class) = self.scheduler.wants(bucket, now.into_std()) else {
                continue;
            };
            asking[n] = true;
            room -= 1;
            let ask = Ask::new([limit_of(bucket)], self.class.unwrap_or(class));
            let (limiter, pace, stop) = (self.limiter.clone(), self.pace.clone(), stop.clone());
            permits.spawn(async move {
                let permit = match keep_pace(pace, &stop).await {
                    Ok(()) => limiter.acquire(&ask, &stop).await,
                    Err(error) => Err(error),
                };
                (bucket, permit)
            });
        }
    }

    async fn granted(
        &mut self,
        granted: Result<(Bucket, Result<Permit, LimiterError>), tokio::task::JoinError>,
        asking: &mut [bool; BUCKETS.len()],
        calls: &mut JoinSet<(CallId, Sent)>,
        stop: &CancellationToken,
    ) {
        let Ok((bucket, permit)) = granted else {
            return;
        };
        if let Some(n) = BUCKETS.iter().position(|b| *b == bucket) {
            asking[n] = false;
        }
        let permit = match permit {
            Ok(permit) => permit,
            Err(LimiterError::Stopped) => return,
            Err(error) => {
                warn!(%error, "could not get a permit");
                return;
            }
        };
        match self.scheduler.fill(bucket, Instant::now().into_std()) {
            Some(outgoing) => {
                let sender = Sender {
                    client: self.client.clone(),
                    limiter: self.limiter.clone(),
                    memory: self.memory.clone(),
                    stats: self.stats.clone(),
                    stop: stop.clone(),
                    class: self.class.unwrap_or(Class::Live),
                };
                calls.spawn(
                    async move { (outgoing.id, sender.send(outgoing, bucket, permit).await) },
                );
            }
            None => {
                self.stats.permit_unused();
                self.limiter.give_back(permit).await;
            }
        }
    }

    fn answered(&mut self, answer: Result<(CallId, Sent), tokio::task::JoinError>) {
        // A call that panicked is a bug of ours; its steps stay on the wire, so that their offsets are never committed.
        let Ok((id, sent)) = answer else {
            warn!("a call ended without an answer because of a bug; its events stay uncommitted");
            return;
        };
        self.scheduler.found_stale(&sent.stale);
        self.scheduler
            .settle(id, sent.answers, Instant::now().into_std());
    }
}

/// Waits for the engine's own pace, if it has one. The portal's limits come after it: a permit of theirs is good for a
/// moment only.
async fn keep_pace(pace: Option<Limiter>, stop: &CancellationToken) -> Result<(), LimiterError> {
    let Some(pace) = pace else {
        return Ok(());
    };
    let ask = Ask::new([LimitName::new(PACE)], Class::Live);
    pace.acquire(&ask, stop).await.map(drop)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
