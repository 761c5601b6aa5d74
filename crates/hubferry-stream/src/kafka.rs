//! A consumer group as a source: the async face of the polling thread, and the owner of the ledger.

use std::collections::{BTreeMap, VecDeque};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::clock::wall_clock_ms;
use crate::ends::Ends;
use crate::error::StreamError;
use crate::group::Group;
use crate::lag::{Lag, age};
use crate::ledger::{Ledger, Settled, Ticket};
use crate::orders::{Board, Close, Mark, Positions, Release};
use crate::place::{Message, Partition, Topic};
use crate::poller::{NEWS, News, Poller};
use crate::rebalances::{Rebalances, Turnover};
use crate::settings::{KafkaSettings, config_error};
use crate::source::{Intake, Revocation};
use crate::wire::is_too_large;

/// Settled positions are committed at least this often (`spec/fleet.md` i.2.1) …
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// … or after this many settled messages …
const COMMIT_AFTER: usize = 1_000;

/// … but not more often than this: a commit carries up to 3.5 kB for each partition, which a broker stores every time.
const COMMIT_AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// What was ordered to be committed is ordered again after this long: the client library does not say when the group's
/// coordinator refused it, as it does while partitions change hands.
const COMMIT_ALL_EVERY: Duration = Duration::from_secs(10);

/// How long the last commit may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How long leaving the group may take after it: the broker notices by the session timeout then.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// A partition whose end has stood still for so long, and of which nothing more arrives, is at its end.
const CAUGHT_UP_AFTER: Duration = Duration::from_secs(10);

/// A member of a consumer group.
#[derive(Debug)]
pub struct KafkaSource {
    ledger: Ledger,
    ready: VecDeque<Message>,
    news: mpsc::Receiver<News>,
    board: Board,
    thread: Option<JoinHandle<()>>,
    committed: Positions,
    settled_since_commit: usize,
    commit_at: Instant,
    commit_all_at: Instant,
    revoke_within: Duration,
    revoking: Vec<Pending>,
    next_revocation: u64,
    said_quiet: bool,
    stopped: bool,
    commit_failures: u64,
    /// Whether commits tell what has ended above them; no more once the broker found that too large.
    tells_finished: bool,
    ends: Ends,
    turnover: Box<Turnover>,
}

/// A revocation that waits for the worker's answer.
#[derive(Debug)]
struct Pending {
    id: u64,
    partitions: Vec<(Topic, Partition)>,
    since: Instant,
    deadline: Instant,
}

impl KafkaSource {
    /// Joins the group. Returns at once: the assignment comes as [`Intake::Assigned`], and a broker that cannot be
    /// reached is waited for (use [`crate::reachable`] first for a clear error at the start).
    ///
    /// # Errors
    ///
    /// The settings are not accepted, or the client cannot be created.
    pub fn connect(settings: &KafkaSettings) -> Result<Self, StreamError> {
        let config = settings.consumer_config()?;
        let consumer: BaseConsumer<Group> =
            BaseConsumer::from_config_and_context(&config, Group::default())
                .map_err(|error| config_error(&error))?;
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|error| StreamError::Client {
                reason: error.to_string(),
            })?;
        let (sender, news) = mpsc::channel(NEWS);
        let board = Board::default();
        let thread = start_poller(consumer, board.clone(), sender)?;
        Ok(Self {
            ledger: Ledger::new(settings.bounds),
            ready: VecDeque::new(),
            news,
            board,
            thread: Some(thread),
            committed: Positions::new(),
            settled_since_commit: 0,
            commit_at: Instant::now() + COMMIT_EVERY,
            commit_all_at: Instant::now() + COMMIT_ALL_EVERY,
            revoke_within: settings.revoke_deadline(),
            revoking: Vec::new(),
            next_revocation: 0,
            said_quiet: false,
            stopped: false,
            commit_failures: 0,
            tells_finished: true,
            ends: Ends::start(&settings.client)?,
            turnover: Box::default(),
        })
    }

    /// Commits that the broker did not take and that were tried again.
    #[must_use]
    pub fn commit_failures(&self) -> u64 {
        self.commit_failures
    }

    pub(crate) async fn next(&mut self) -> Result<Intake, StreamError> {
        loop {
            if let Some(arrived) = self.pop() {
                self.said_quiet = false;
                return Ok(arrived);
            }
            self.tick();
            let news = match self.news.try_recv() {
                Ok(news) => news,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    return Err(StreamError::Ended {
                        name: "kafka consumer",
                    });
                }
                Err(mpsc::error::TryRecvError::Empty) if !self.said_quiet => {
                    self.said_quiet = true;
                    return Ok(Intake::Quiet);
                }
                Err(mpsc::error::TryRecvError::Empty) => {
                    let wake_at = self.wake_at();
                    // Both branches are cancel-safe: news stay in the channel, and time does not run out twice.
                    tokio::select! {
                        news = self.news.recv() => news.ok_or(StreamError::Ended { name: "kafka consumer" })?,
                        () = tokio::time::sleep_until(wake_at) => continue,
                    }
                }
            };
            // The thread may have waited for room.
            self.wake_thread();
            if let Some(intake) = self.hear(news)? {
                return Ok(intake);
            }
        }
    }

    pub(crate) fn settle(&mut self, ticket: Ticket) {
        if self.ledger.settle(ticket) == Settled::Stale {
            return;
        }
        self.settled_since_commit += 1;
        let enough = self.settled_since_commit >= COMMIT_AFTER;
        if enough && Instant::now() + COMMIT_EVERY >= self.commit_at + COMMIT_AT_MOST_EVERY {
            self.commit();
        }
        self.pass_flow();
    }

    pub(crate) fn revoked(&mut self, revocation: &Revocation) {
        self.finish_revocation(revocation.id);
    }

    pub(crate) fn stop_intake(&mut self) {
        self.stopped = true;
        self.ready.clear();
        self.ledger.stop();
        self.order(|orders| orders.stop = true);
    }

    pub(crate) async fn close(self) -> Result<(), StreamError> {
        let (committed, outcome) = oneshot::channel();
        let (left, leaving) = oneshot::channel();
        let commit = self.marks();
        self.order(|orders| {
            orders.close = Some(Close {
                commit,
                committed,
                left,
            });
        });
        let ended = tokio::time::timeout(CLOSE_WITHIN, outcome).await;
        let late = || StreamError::Commit {
            reason: format!("no answer within {} s", CLOSE_WITHIN.as_secs()),
        };
        let outcome = ended.map_err(|_| late())?.map_err(|_| StreamError::Ended {
            name: "kafka consumer",
        })?;
        // The positions are safe or they are not; that the group hears of our leaving is a courtesy to the others.
        if tokio::time::timeout(LEAVE_WITHIN, leaving).await.is_err() {
            tracing::warn!(
                "the group was not left in time; it misses this member when its session ends"
            );
        }
        outcome
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn rebalances(&self) -> Rebalances {
        self.turnover.counts
    }

    pub(crate) fn take_drains(&mut self) -> Vec<Duration> {
        self.turnover.take_drains()
    }

    pub(crate) fn lags(&self) -> BTreeMap<(Topic, Partition), Lag> {
        let now_ms = wall_clock_ms();
        let lag = |key: &(Topic, Partition)| (key.clone(), self.lag(&key.0, key.1, now_ms));
        self.ledger.assignment().map(lag).collect()
    }

    fn lag(&self, topic: &Topic, partition: Partition, now_ms: i64) -> Lag {
        let span_messages = self.ledger.span_messages(topic, partition);
        let end = self.ends.of(topic, partition);
        let finished = self.ledger.committable_of(topic, partition);
        let messages = end.zip(finished).map(|(end, finished)| {
            let ahead = end.position.get().saturating_sub(finished.get());
            u64::try_from(ahead).unwrap_or_default()
        });
        // Everything that arrived has ended, and nothing more came though we would take it: what is left before the end
        // are marks of transactions, which are never handed out.
        let takes_more = self.ready.is_empty() && !self.ledger.is_partition_full(topic, partition);
        let settled_down = end.is_some_and(|end| end.since.elapsed() >= CAUGHT_UP_AFTER);
        let caught_up = span_messages == 0 && takes_more && settled_down;
        let behind = match self.ledger.oldest_ms_of(topic, partition) {
            Some(oldest_ms) if messages != Some(0) && !caught_up => age(oldest_ms, now_ms),
            _ => Duration::ZERO,
        };
        Lag {
            messages: if caught_up { Some(0) } else { messages },
            behind,
            span_messages,
        }
    }

    fn pop(&mut self) -> Option<Intake> {
        while let Some(message) = self.ready.pop_front() {
            let ticket = self.ledger.open(&message.at, message.cost_bytes());
            self.pass_flow();
            if let Some(ticket) = ticket {
                self.ledger.written(&ticket, message.written_ms);
                return Some(Intake::Arrived(message, ticket));
            }
        }
        None
    }

    fn hear(&mut self, news: News) -> Result<Option<Intake>, StreamError> {
        match news {
            News::Batch(batch) => {
                if !self.stopped {
                    self.ready.extend(batch);
                }
                Ok(None)
            }
            News::Assigned(partitions, finished) => {
                self.begin_assignment(&partitions);
                for (topic, partition, finished) in finished {
                    self.ledger.restore(&topic, partition, &finished);
                }
                Ok(Some(Intake::Assigned(partitions)))
            }
            News::Revoking(partitions) => {
                Ok(Some(Intake::Revoking(self.begin_revocation(partitions))))
            }
            News::Lost(partitions) => {
                let lost = &mut self.turnover.counts;
                lost.lost += 1;
                lost.lost_partitions += u64::try_from(partitions.len()).unwrap_or(u64::MAX);
                self.forget(&partitions);
                Ok(Some(Intake::Lost(partitions)))
            }
            News::CommitFailed(error) => {
                tracing::warn!(%error, "could not commit positions; trying again");
                self.tells_finished &= !is_too_large(&error);
                self.commit_failures += 1;
                self.committed.clear();
                Ok(None)
            }
            News::Failed(error) => Err(error),
        }
    }

    fn begin_assignment(&mut self, partitions: &[(Topic, Partition)]) {
        for (topic, partition) in partitions {
            self.ledger.assign(topic, *partition);
        }
        self.turnover.counts.assigned += 1;
        self.ends.want(partitions);
        // What was ordered while the group changed hands may have been refused without a word.
        self.committed.clear();
        // An order to pause that was given before we heard that the partition had been lost and came back belongs to
        // the earlier assignment, and nobody would ever lift it.
        let free = partitions.iter().cloned().map(|key| (key, false));
        self.order(|orders| orders.hold.extend(free));
        self.pass_flow();
    }

    fn begin_revocation(&mut self, partitions: Vec<(Topic, Partition)>) -> Revocation {
        let (id, since) = (self.next_revocation, Instant::now());
        let deadline = since + self.revoke_within;
        self.next_revocation += 1;
        self.turnover.counts.revoked += 1;
        self.revoking.push(Pending {
            id,
            partitions: partitions.clone(),
            since,
            deadline,
        });
        Revocation {
            id,
            partitions,
            deadline,
        }
    }

    /// Commits what the revoked partitions have settled and lets them go. Does nothing the second time.
    fn finish_revocation(&mut self, id: u64) {
        let Some(at) = self.revoking.iter().position(|pending| pending.id == id) else {
            return;
        };
        let Pending {
            partitions, since, ..
        } = self.revoking.swap_remove(at);
        self.turnover.drained(since.elapsed());
        let mut commit = self.marks();
        commit.retain(|key, _| partitions.contains(key));
        self.forget(&partitions);
        self.order(|orders| {
            orders.commit.retain(|key, _| !partitions.contains(key));
            orders.release.push(Release { partitions, commit });
        });
    }

    fn forget(&mut self, partitions: &[(Topic, Partition)]) {
        for (topic, partition) in partitions {
            self.ledger.release(topic, *partition);
            self.committed.remove(&(topic.clone(), *partition));
        }
        self.ends.forget(partitions);
        self.revoking.retain(|pending| {
            !pending
                .partitions
                .iter()
                .all(|key| partitions.contains(key))
        });
        self.pass_flow();
    }

    /// Does what time demands: a due commit, revocations whose deadline passed.
    fn tick(&mut self) {
        let now = Instant::now();
        if now >= self.commit_at {
            self.commit();
        }
        let late: Vec<u64> = self
            .revoking
            .iter()
            .filter(|pending| now >= pending.deadline)
            .map(|pending| pending.id)
            .collect();
        for id in late {
            tracing::warn!("a revocation was not answered in time; letting go");
            self.turnover.counts.late += 1;
            self.finish_revocation(id);
        }
    }

    fn wake_at(&self) -> Instant {
        self.revoking
            .iter()
            .map(|pending| pending.deadline)
            .fold(self.commit_at, Instant::min)
    }

    fn commit(&mut self) {
        self.settled_since_commit = 0;
        let now = Instant::now();
        self.commit_at = now + COMMIT_EVERY;
        if now >= self.commit_all_at {
            self.committed.clear();
            self.commit_all_at = now + COMMIT_ALL_EVERY;
        }
        let mut due = self.marks();
        due.retain(|key, mark| self.committed.get(key) != Some(mark));
        if !due.is_empty() {
            self.committed
                .extend(due.iter().map(|(key, mark)| (key.clone(), mark.clone())));
            self.order(|orders| orders.commit.extend(due));
        }
    }

    /// What to commit: each position together with what has ended above it.
    fn marks(&self) -> Positions {
        let marks = self.ledger.finished().into_iter().map(|(key, finished)| {
            let mark = Mark {
                position: finished.position(),
                finished: finished.encode().filter(|_| self.tells_finished),
            };
            (key, mark)
        });
        marks.collect()
    }

    fn pass_flow(&mut self) {
        let flow = self.ledger.flow();
        if !flow.pause.is_empty() || !flow.resume.is_empty() {
            self.order(|orders| orders.flow(flow));
        }
    }

    fn order(&self, change: impl FnOnce(&mut crate::orders::Orders)) {
        if let Some(thread) = &self.thread {
            self.board.change(thread.thread(), change);
        }
    }

    fn wake_thread(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for KafkaSource {
    /// Without `close` nothing more is committed; the thread leaves the group by itself.
    fn drop(&mut self) {
        self.order(|orders| orders.abandoned = orders.close.is_none());
    }
}

fn start_poller(
    consumer: BaseConsumer<Group>,
    board: Board,
    news: mpsc::Sender<News>,
) -> Result<JoinHandle<()>, StreamError> {
    thread::Builder::new()
        .name("kafka-consumer".to_owned())
        .spawn(move || Poller::new(consumer, board, news).run())
        .map_err(|error| StreamError::Client {
            reason: error.to_string(),
        })
}
