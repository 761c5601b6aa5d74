//! Who writes down what a replay does: into the journal, or, for letters of a file, nowhere.

use std::time::Duration;

use hubferry_stream::{
    DeliveryResult, Ending, Entry, Journal, JournalTopicError, Run, RunState, StreamError,
};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::again::Written;
use crate::clock::now_ms;
use crate::exit::Failure;

/// How long a process is taken to work on a replay after it said so last.
const LEASE_MS: i64 = 15_000;

/// How often it says so, and hears whether it is to stop.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Letters written down in one go.
const AT_ONCE: usize = 1_000;

/// A replay's place in the journal.
pub(super) struct Book {
    journal: Journal,
    run: Run,
    holder: String,
    tenure: i64,
}

impl Book {
    /// Begins to work on a replay, or goes on with it.
    ///
    /// # Errors
    ///
    /// Another process works on it, or the journal cannot be written.
    pub(super) async fn begin(
        mut journal: Journal,
        run: Run,
        holder: String,
    ) -> Result<Self, Failure> {
        let now = now_ms();
        let tenure = journal
            .begin(&run.id, &holder, now, now + LEASE_MS)
            .await
            .map_err(failure)?;
        let book = Self {
            journal,
            run,
            holder,
            tenure,
        };
        book.say(RunState::Running, None).await?;
        Ok(book)
    }

    /// Claims letters by their ids; answers with the journal's word on each: whether it is ours, and whether a delivery of
    /// it has ended since it was looked at.
    ///
    /// # Errors
    ///
    /// The journal cannot be written.
    pub(super) async fn claim(&mut self, letters: &[String]) -> Result<(), Failure> {
        self.journal
            .claim(&self.run.id, self.tenure, letters)
            .await
            .map_err(failure)
    }

    /// Whether a letter is ours.
    pub(super) fn is_ours(&self, letter: &str) -> bool {
        self.journal.state().claimed_by(letter, now_ms()) == Some(self.run.id.as_str())
    }

    /// Whether a delivery of a letter ended meanwhile.
    pub(super) fn has_ended(&self, letter: &str, mapping: &str, offset: i64) -> bool {
        self.journal
            .state()
            .result(letter, mapping, offset)
            .is_some()
    }

    /// Deliveries that it is about.
    pub(super) fn plan(&mut self, deliveries: u64) {
        self.run.planned = self.run.resolved + self.run.failed + deliveries;
    }

    /// Writes down what comes, until nothing more can come. `halt` fires when somebody stopped the replay or took it over.
    ///
    /// # Errors
    ///
    /// The journal cannot be read or written; what was not written down is done again by the next replay.
    pub(super) async fn keep(
        mut self,
        mut written: mpsc::Receiver<Written>,
        halt: CancellationToken,
    ) -> (Self, Result<(), Failure>) {
        let kept = self.keep_on(&mut written, &halt).await;
        if kept.is_err() {
            halt.cancel();
        }
        (self, kept)
    }

    async fn keep_on(
        &mut self,
        written: &mut mpsc::Receiver<Written>,
        halt: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut tick = tokio::time::interval(SAY_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut taken = Vec::with_capacity(AT_ONCE);
        loop {
            // Losing the other branch is harmless: the channel keeps what was not taken, and a tick comes again.
            tokio::select! {
                biased;
                _ = tick.tick() => self.look_up(halt).await?,
                count = written.recv_many(&mut taken, AT_ONCE) => {
                    if count == 0 {
                        return Ok(());
                    }
                    self.write(&mut taken).await?;
                }
            }
        }
    }

    async fn write(&mut self, taken: &mut Vec<Written>) -> Result<(), Failure> {
        let mut entries = Vec::new();
        for one in taken.drain(..) {
            for verdict in one.verdicts {
                let result = if verdict.failed {
                    self.run.failed += 1;
                    Ending::Failed
                } else {
                    self.run.resolved += 1;
                    Ending::Resolved
                };
                entries.push(Entry::Result(DeliveryResult {
                    letter: one.letter.clone(),
                    mapping: verdict.mapping,
                    offset: one.offset,
                    result,
                    run: Some(self.run.id.clone()),
                    at_ms: now_ms(),
                    code: verdict.code,
                }));
            }
        }
        self.journal
            .write(&entries)
            .await
            .map(drop)
            .map_err(outside)
    }

    /// Extends the lease, and hears what others wrote.
    async fn look_up(&mut self, halt: &CancellationToken) -> Result<(), Failure> {
        if halt.is_cancelled() {
            return Ok(());
        }
        let until = now_ms() + LEASE_MS;
        self.journal
            .extend(&self.run.id, &self.holder, self.tenure, until)
            .await
            .map_err(outside)?;
        self.journal.refresh().await.map_err(failure)?;
        let state = self.journal.state();
        let ours = state.holder(&self.run.id, now_ms());
        if ours.is_none_or(|(holder, _)| holder != self.holder) {
            self.run.reason = Some("another process took it over".to_owned());
            halt.cancel();
            return Ok(());
        }
        match state.run(&self.run.id) {
            Some(run) if run.state == RunState::Stopped => {
                self.run.reason = Some(format!("stopped by {}", run.by));
                halt.cancel();
                Ok(())
            }
            _ => self.say(RunState::Running, None).await,
        }
    }

    async fn say(&self, state: RunState, reason: Option<String>) -> Result<(), Failure> {
        let run = Run {
            state,
            reason,
            at_ms: now_ms(),
            ..self.run.clone()
        };
        let said = self.journal.write(&[Entry::Run(run)]).await;
        said.map(drop).map_err(outside)
    }

    /// Why it was stopped, when the journal said so.
    pub(super) fn told(&self) -> String {
        let reason = self.run.reason.clone();
        reason.unwrap_or_else(|| "the journal could not be kept".to_owned())
    }

    /// Says how it ended, and lets go of what it held.
    ///
    /// # Errors
    ///
    /// The journal cannot be written: then the lease and the claims end by themselves in a quarter of a minute.
    pub(super) async fn end(mut self, reason: Option<String>) -> Result<Run, Failure> {
        let state = match reason {
            None => RunState::Done,
            Some(_) => RunState::Stopped,
        };
        self.run.reason.clone_from(&reason);
        self.run.state = state;
        self.say(state, reason).await?;
        self.journal
            .end(&self.run.id, &self.holder)
            .await
            .map_err(failure)?;
        Ok(self.run)
    }
}

pub(super) fn outside(error: StreamError) -> Failure {
    Failure::Outside(error.to_string())
}

/// A process that works on it is no fault of anything outside.
pub(super) fn failure(error: JournalTopicError) -> Failure {
    match error {
        JournalTopicError::Stream(StreamError::TopicMissing { topic, .. }) => {
            Failure::Outside(format!(
                "topic `{topic}` does not exist: it is the journal of replays; create it with one partition and cleanup.policy=compact"
            ))
        }
        JournalTopicError::Stream(error) => outside(error),
        other @ (JournalTopicError::Record(_) | JournalTopicError::Held { .. }) => {
            Failure::Data(other.to_string())
        }
    }
}
