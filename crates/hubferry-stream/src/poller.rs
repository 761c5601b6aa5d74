//! The thread that owns the consumer: it polls without ever blocking for long, hands messages over in batches, and
//! carries out the source's orders.
//!
//! When the source does not take the batches, the thread stops fetching but goes on polling, so that the member stays
//! in the group for as long as the worker needs.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use crate::error::StreamError;
use crate::finished::Finished;
use crate::group::{Group, Notice, assign, unassign};
use crate::orders::{Board, Close, Orders, Positions, Release};
use crate::place::{Message, Partition, Topic};
use crate::wire::{
    Verdict, committed, copy, is_too_large, list, offsets, refused_for_now, starting_at, verdict,
};

/// What the thread tells the source, in the order in which it happened.
#[derive(Debug)]
pub(crate) enum News {
    Batch(Vec<Message>),
    /// Ours from now on, with the committed positions and what had ended above them.
    Assigned(Vec<(Topic, Partition)>, Vec<(Topic, Partition, Finished)>),
    Revoking(Vec<(Topic, Partition)>),
    Lost(Vec<(Topic, Partition)>),
    CommitFailed(KafkaError),
    Failed(StreamError),
}

/// A batch ends at this many messages or bytes, or when nothing more is waiting: at 60,000 messages a second that is
/// about a hundred hand-overs a second.
const BATCH_MESSAGES: usize = 512;
const BATCH_BYTES: usize = 512 << 10;

/// Batches and other news that may wait for the source; with the batch being filled at most about 2 MiB.
pub(crate) const NEWS: usize = 3;

/// Without a wake-up the thread looks around this often.
const IDLE: Duration = Duration::from_millis(50);

/// When the source takes nothing for this long, fetching is stopped so that polling can go on.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long the group's coordinator has to tell what was committed. Fetching for the partitions that we keep goes on
/// meanwhile, only handing over waits.
const LOOK_UP: Duration = Duration::from_secs(2);

/// How often the answer to a commit is looked for.
const COMMIT_LOOK: Duration = Duration::from_millis(5);

/// How long the last commit may be tried again; well within the time that closing may take.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

/// The thread's state.
pub(crate) struct Poller {
    /// Shared with the thread that waits for a commit's answer, as long as that waits.
    consumer: Arc<BaseConsumer<Group>>,
    board: Board,
    news: mpsc::Sender<News>,
    outbox: VecDeque<News>,
    batch: Vec<Message>,
    batch_bytes: usize,
    topic: Option<Topic>,
    assigned: BTreeSet<(Topic, Partition)>,
    /// Revoked, but not let go: nothing of theirs is handed over any more.
    leaving: BTreeSet<(Topic, Partition)>,
    /// Paused because the source wants it.
    held: BTreeSet<(Topic, Partition)>,
    stopped: bool,
    blocked_since: Option<Instant>,
    /// Everything is paused because the source takes nothing.
    frozen: bool,
}

impl Poller {
    pub(crate) fn new(
        mut consumer: BaseConsumer<Group>,
        board: Board,
        news: mpsc::Sender<News>,
    ) -> Self {
        // Runs on the polling thread (see `run`), which is the one to wake when messages arrive.
        let this = thread::current();
        consumer.set_nonempty_callback(move || this.unpark());
        Self {
            consumer: Arc::new(consumer),
            board,
            news,
            outbox: VecDeque::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            topic: None,
            assigned: BTreeSet::new(),
            leaving: BTreeSet::new(),
            held: BTreeSet::new(),
            stopped: false,
            blocked_since: None,
            frozen: false,
        }
    }

    /// Works until the source closes or goes away.
    pub(crate) fn run(mut self) {
        loop {
            let orders = self.board.take();
            if orders.abandoned || self.news.is_closed() && orders.close.is_none() {
                return self.leave();
            }
            if let Some(close) = self.obey(orders) {
                return self.finish(close);
            }
            let delivered = self.deliver();
            self.freeze_or_thaw(delivered);
            let idle = if delivered || self.frozen {
                self.poll()
            } else {
                true
            };
            if idle && self.outbox.is_empty() || !delivered {
                thread::park_timeout(IDLE);
            }
        }
    }

    /// Carries out the orders; gives back the one to close.
    fn obey(&mut self, mut orders: Orders) -> Option<Close> {
        if orders.stop {
            self.stop();
        }
        if !orders.hold.is_empty() {
            self.hold(orders.hold);
        }
        // What was lost since the order was given belongs to somebody else now.
        orders.commit.retain(|key, _| self.assigned.contains(key));
        if let Err(error) = self.commit(&orders.commit, CommitMode::Async) {
            self.outbox.push_back(News::CommitFailed(error));
        }
        for release in orders.release {
            self.release(release);
        }
        orders.close
    }

    fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopped, true) {
            self.batch.clear();
            self.outbox.retain(|news| !matches!(news, News::Batch(_)));
            self.pause(&self.assigned);
        }
    }

    fn hold(&mut self, changes: impl IntoIterator<Item = ((Topic, Partition), bool)>) {
        let (mut pause, mut resume) = (BTreeSet::new(), BTreeSet::new());
        for (key, hold) in changes {
            if hold {
                self.held.insert(key.clone());
                pause.insert(key);
            } else {
                self.held.remove(&key);
                resume.insert(key);
            }
        }
        self.pause(&pause);
        if !self.frozen {
            self.resume(resume);
        }
    }

    fn release(&mut self, release: Release) {
        if !release
            .partitions
            .iter()
            .any(|key| self.leaving.contains(key))
        {
            return; // lost in the meantime, and let go already
        }
        if let Err(error) = self.commit_firmly(release.commit, Duration::from_secs(2)) {
            tracing::warn!(
                %error,
                "could not commit revoked partitions; their last messages are read again elsewhere"
            );
        }
        self.let_go(&release.partitions);
    }

    fn let_go(&mut self, partitions: &[(Topic, Partition)]) {
        if let Err(error) = unassign(&self.consumer, &list(partitions)) {
            tracing::warn!(%error, "could not let go of revoked partitions");
        }
        for key in partitions {
            self.assigned.remove(key);
            self.leaving.remove(key);
            self.held.remove(key);
        }
    }

    /// Hands over what is waiting; false when the source does not take it now.
    fn deliver(&mut self) -> bool {
        while let Some(news) = self.outbox.pop_front() {
            match self.news.try_send(news) {
                Ok(()) => (),
                Err(TrySendError::Full(news)) => {
                    self.outbox.push_front(news);
                    return false;
                }
                Err(TrySendError::Closed(_)) => return true,
            }
        }
        true
    }

    fn freeze_or_thaw(&mut self, delivered: bool) {
        if delivered {
            self.blocked_since = None;
            if std::mem::take(&mut self.frozen) {
                self.resume(self.assigned.clone());
            }
            return;
        }
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        if !self.frozen && since.elapsed() >= PATIENCE {
            self.frozen = true;
            self.pause(&self.assigned);
        }
    }

    /// Takes what the consumer has, up to one batch; true when there was nothing.
    fn poll(&mut self) -> bool {
        let mut idle = true;
        while self.batch.len() < BATCH_MESSAGES && self.batch_bytes < BATCH_BYTES {
            let polled = match self.consumer.poll(Duration::ZERO) {
                None => None,
                Some(Err(error)) => Some(Err(error)),
                Some(Ok(message)) => Some(Ok(copy(&message, &mut self.topic))),
            };
            let notices = self.consumer.context().take();
            let noticed = !notices.is_empty();
            for notice in notices {
                self.heed(notice);
            }
            match polled {
                Some(Ok(message)) => self.keep(message),
                Some(Err(error)) => self.judge(&error),
                None if noticed => (),
                None => break,
            }
            idle = false;
        }
        self.flush();
        idle
    }

    fn keep(&mut self, message: Message) {
        let leaving = !self.leaving.is_empty()
            && self
                .leaving
                .contains(&(message.at.topic.clone(), message.at.partition));
        if !leaving && !self.stopped {
            self.batch_bytes += message.cost_bytes();
            self.batch.push(message);
        }
    }

    fn flush(&mut self) {
        self.batch_bytes = 0;
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_MESSAGES));
            self.outbox.push_back(News::Batch(batch));
        }
    }

    fn heed(&mut self, notice: Notice) {
        self.flush();
        let news = match notice {
            Notice::Assigned(partitions) => self.take_on(partitions),
            Notice::Revoked(partitions) => self.begin_revocation(partitions),
            Notice::Lost(partitions) => {
                self.let_go(&partitions);
                News::Lost(partitions)
            }
            Notice::CommitFailed(error) => News::CommitFailed(error),
        };
        self.outbox.push_back(news);
    }

    fn take_on(&mut self, partitions: Vec<(Topic, Partition)>) -> News {
        let (start, finished) = self.committed(&partitions);
        if let Err(error) = assign(&self.consumer, &start) {
            return News::Failed(StreamError::Consumer {
                reason: error.to_string(),
            });
        }
        self.assigned.extend(partitions.iter().cloned());
        // The client library forgets what was paused with each assignment.
        let paused = if self.stopped || self.frozen {
            &self.assigned
        } else {
            &self.held
        };
        self.pause(&paused.clone());
        News::Assigned(partitions, finished)
    }

    /// Where to start, and what had ended above it: both from one answer, so that they belong together. Without an
    /// answer the client library looks for the positions itself, and what had ended comes again.
    fn committed(
        &self,
        partitions: &[(Topic, Partition)],
    ) -> (TopicPartitionList, Vec<(Topic, Partition, Finished)>) {
        let plain = list(partitions);
        if self.stopped || partitions.is_empty() {
            return (plain, Vec::new());
        }
        match self.consumer.committed_offsets(plain.clone(), LOOK_UP) {
            Ok(answer) => {
                let finished = committed(&answer);
                (starting_at(partitions, &finished), finished)
            }
            Err(error) => {
                tracing::info!(
                    %error,
                    "what had ended above the committed positions is unknown; those messages come again"
                );
                (plain, Vec::new())
            }
        }
    }

    fn begin_revocation(&mut self, partitions: Vec<(Topic, Partition)>) -> News {
        self.leaving.extend(partitions.iter().cloned());
        self.pause(&partitions.iter().cloned().collect());
        News::Revoking(partitions)
    }

    fn judge(&mut self, error: &KafkaError) {
        match verdict(error) {
            Verdict::Passes => tracing::warn!(%error, "kafka consumer is disturbed; going on"),
            Verdict::Refused => {
                let failed = News::Failed(StreamError::Refused {
                    reason: error.to_string(),
                });
                self.outbox.push_back(failed);
            }
            Verdict::Fatal => {
                let failed = News::Failed(StreamError::Consumer {
                    reason: error.to_string(),
                });
                self.outbox.push_back(failed);
            }
        }
    }

    fn pause(&self, partitions: &BTreeSet<(Topic, Partition)>) {
        let ours: Vec<_> = partitions.intersection(&self.assigned).cloned().collect();
        if !ours.is_empty()
            && let Err(error) = self.consumer.pause(&list(&ours))
        {
            tracing::warn!(%error, "could not pause partitions");
        }
    }

    /// Resumes those of the partitions that nothing else holds.
    fn resume(&self, partitions: BTreeSet<(Topic, Partition)>) {
        if self.stopped {
            return;
        }
        let wanted = |key: &(Topic, Partition)| {
            self.assigned.contains(key) && !self.leaving.contains(key) && !self.held.contains(key)
        };
        let ours: Vec<_> = partitions.into_iter().filter(wanted).collect();
        if !ours.is_empty()
            && let Err(error) = self.consumer.resume(&list(&ours))
        {
            tracing::warn!(%error, "could not resume partitions");
        }
    }

    fn commit(&self, positions: &Positions, mode: CommitMode) -> KafkaResult<()> {
        if positions.is_empty() {
            return Ok(());
        }
        match self.consumer.commit(&offsets(positions)?, mode) {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            other => other,
        }
    }

    /// Commits and waits for the answer. A group that is changing hands, or a coordinator that is moving, refuses for
    /// a moment: polling goes on and the commit is tried again. Only what is still ours is committed.
    fn commit_firmly(&mut self, mut positions: Positions, patience: Duration) -> KafkaResult<()> {
        let since = Instant::now();
        loop {
            positions.retain(|key, _| self.assigned.contains(key));
            match self.commit_beside(&positions, patience) {
                Err(error) if is_too_large(&error) && plain(&mut positions) => (),
                Err(error) if refused_for_now(&error) && since.elapsed() < patience => {
                    tracing::debug!(%error, "could not commit for now; trying again");
                    if self.deliver() || self.stopped {
                        self.poll();
                    }
                    thread::park_timeout(IDLE);
                }
                done => return done,
            }
        }
    }

    /// Commits and polls until the answer is there. A member that rejoins its group has its answer wait behind that: were the
    /// polling to stand still, nobody would go on.
    fn commit_beside(&mut self, positions: &Positions, patience: Duration) -> KafkaResult<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let (consumer, offsets) = (Arc::clone(&self.consumer), offsets(positions)?);
        let committing = thread::Builder::new()
            .name("kafka commit".to_owned())
            .spawn(move || consumer.commit(&offsets, CommitMode::Sync));
        let Ok(committing) = committing else {
            return self.commit(positions, CommitMode::Sync);
        };
        let since = Instant::now();
        while !committing.is_finished() {
            if since.elapsed() >= patience {
                return Err(KafkaError::ConsumerCommit(
                    RDKafkaErrorCode::OperationTimedOut,
                ));
            }
            if self.deliver() || self.stopped {
                self.poll();
            }
            thread::park_timeout(COMMIT_LOOK);
        }
        match committing.join() {
            Ok(Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset))) => Ok(()),
            Ok(other) => other,
            Err(_) => Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::Fail)),
        }
    }

    /// The orderly end: commit, answer what is pending, leave the group.
    fn finish(mut self, close: Close) {
        self.stop();
        let committed = match self.commit_firmly(close.commit, CLOSING_PATIENCE) {
            // The group is changing hands and answers nobody until that is over, which may take longer than a stop. What was
            // committed before stands; the rest, if there is any, comes again.
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut)) => {
                tracing::warn!(
                    "the last positions were not confirmed within {} s; messages after the last commit may be read again",
                    CLOSING_PATIENCE.as_secs()
                );
                Ok(())
            }
            other => other.map_err(|error| StreamError::Commit {
                reason: error.to_string(),
            }),
        };
        if close.committed.send(committed).is_err() {
            tracing::debug!("nobody waits for the last commit");
        }
        let leaving: Vec<_> = self.leaving.iter().cloned().collect();
        if !leaving.is_empty() {
            self.let_go(&leaving);
        }
        self.leave();
        if close.left.send(()).is_err() {
            tracing::debug!("nobody waits for the end of the kafka consumer");
        }
    }

    fn leave(self) {
        self.consumer.context().close();
        // A rebalance that waits for our answer would keep the consumer from closing.
        for notice in self.consumer.context().take() {
            let answered = match notice {
                Notice::Assigned(partitions) => assign(&self.consumer, &list(&partitions)),
                Notice::Revoked(partitions) | Notice::Lost(partitions) => {
                    unassign(&self.consumer, &list(&partitions))
                }
                Notice::CommitFailed(_) => Ok(()),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a rebalance while closing was not answered");
            }
        }
        if !self.leaving.is_empty() {
            let leaving: Vec<_> = self.leaving.iter().cloned().collect();
            if let Err(error) = unassign(&self.consumer, &list(&leaving)) {
                tracing::debug!(%error, "a revocation while closing was not answered");
            }
        }
        drop(self.consumer);
    }
}

/// Leaves the texts out; false when there were none.
fn plain(positions: &mut Positions) -> bool {
    let texts = positions
        .values_mut()
        .filter_map(|mark| mark.finished.take());
    texts.count() > 0
}
