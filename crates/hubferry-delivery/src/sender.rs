//! One call on its way: marked, sent inside its permit, and accounted for to the limiter and the books.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hubferry_actions::PropertyName;
use hubferry_hubspot::{Answers, Bucket, Client, Outcome, Reply, Request, Resume, StepId};
use hubferry_limiter::{Ask, Class, Hint, LimitName, Limiter, Permit};
use hubferry_memory::{MarkWrite, Memory, MemoryError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::scheduler::{Outgoing, pause_of};
use crate::stats::Stats;

/// Makes one call.
pub(crate) struct Sender {
    pub(crate) client: Arc<Client>,
    pub(crate) limiter: Limiter,
    pub(crate) memory: Arc<Memory>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) stop: CancellationToken,
    /// What a call that comes too late asks again under.
    pub(crate) class: Class,
}

/// What came of a call.
pub(crate) struct Sent {
    pub(crate) answers: Answers,
    /// Values that were left out, because the fleet has written newer ones.
    pub(crate) stale: Vec<(StepId, Vec<PropertyName>)>,
}

impl Sender {
    pub(crate) async fn send(self, outgoing: Outgoing, bucket: Bucket, permit: Permit) -> Sent {
        let Outgoing {
            mut call, marks, ..
        } = outgoing;
        let steps = call.request.steps();
        let Some(stale) = self.mark(&marks).await else {
            return unsent(&steps);
        };
        for (step, names) in &stale {
            leave_out(&mut call.request, *step, names);
        }
        let endpoint = call.request.endpoint();
        let prepared = self.client.prepare(&call);
        // Marking and composing took longer than the slot: the call asks again rather than go out late.
        if !permit.is_open(Instant::now()) && !self.renew(bucket, permit).await {
            return unsent(&steps);
        }
        let started = Instant::now();
        let reply = self.client.send(prepared, &self.stop).await;
        self.stats
            .called(&endpoint, steps.len(), reply.status, started.elapsed());
        self.unmark(marks, &reply.answers).await;
        self.tell_limiter(bucket, &reply).await;
        Sent {
            answers: reply.answers,
            stale,
        }
    }

    /// Says to the fleet what is about to be written; learns which values are older than what was. `None` when stopped.
    ///
    /// The mark comes before the write. A worker that dies between the two has promised a value that its successor writes,
    /// because the event was not committed; until then nothing older gets past the mark.
    async fn mark(
        &self,
        marks: &[(StepId, MarkWrite)],
    ) -> Option<Vec<(StepId, Vec<PropertyName>)>> {
        if marks.is_empty() {
            return Some(Vec::new());
        }
        let writes: Vec<MarkWrite> = marks.iter().map(|(_, write)| write.clone()).collect();
        let stale = until_answered(&self.stop, || self.memory.mark(&writes)).await?;
        let steps = marks.iter().map(|(step, _)| *step);
        Some(
            steps
                .zip(stale)
                .filter(|(_, names)| !names.is_empty())
                .collect(),
        )
    }

    /// Takes back the marks of what HubSpot refused. When the memory does not answer they stay: then a value that is older
    /// than a refused one is left out too.
    async fn unmark(&self, marks: Vec<(StepId, MarkWrite)>, answers: &Answers) {
        let refused = refused_marks(marks, answers);
        if refused.is_empty() {
            return;
        }
        if let Err(error) = self.memory.unmark(&refused).await {
            warn!(%error, "could not take back the marks of refused values");
        }
    }

    async fn renew(&self, bucket: Bucket, late: Permit) -> bool {
        self.limiter.give_back(late).await;
        let ask = Ask::new([limit_of(bucket)], self.class);
        self.limiter.acquire(&ask, &self.stop).await.is_ok()
    }

    async fn tell_limiter(&self, bucket: Bucket, reply: &Reply) {
        if let Some(window) = reply.window {
            let (limit, max, remaining) = (limit_of(bucket), window.max, window.remaining);
            self.limiter
                .observe(Hint::Headers {
                    limit,
                    max,
                    remaining,
                })
                .await;
        }
        if let Some(day) = reply.daily {
            let (max, remaining) = (day.limit, day.remaining);
            self.limiter.observe(Hint::Day { max, remaining }).await;
        }
        let Answers::PerStep(outcomes) = &reply.answers else {
            return;
        };
        let throttled = outcomes.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Throttled { resume, bucket } => Some((*resume, *bucket)),
            _ => None,
        });
        if let Some((resume, bucket)) = throttled {
            let limits = [limit_of(bucket)].into_iter().collect();
            let hint = match resume {
                Resume::Midnight => Hint::DaySpent,
                Resume::After(_) | Resume::Limiter => Hint::Throttled {
                    limits,
                    pause: pause_of(resume),
                },
            };
            self.limiter.observe(hint).await;
        }
    }
}

fn refused_marks(marks: Vec<(StepId, MarkWrite)>, answers: &Answers) -> Vec<MarkWrite> {
    let rejected: HashSet<StepId> = match answers {
        Answers::Refused(_) => return marks.into_iter().map(|(_, write)| write).collect(),
        Answers::PerStep(outcomes) => outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Rejected(_)))
            .map(|(step, _)| *step)
            .collect(),
    };
    marks
        .into_iter()
        .filter(|(step, _)| rejected.contains(step))
        .map(|(_, write)| write)
        .collect()
}

/// Takes properties out of one input.
fn leave_out(request: &mut Request, step: StepId, names: &[PropertyName]) {
    let properties = match request {
        Request::Upsert { inputs, .. } => inputs
            .iter_mut()
            .find(|i| i.step == step)
            .map(|i| &mut i.properties),
        Request::Update { inputs, .. } => inputs
            .iter_mut()
            .find(|i| i.step == step)
            .map(|i| &mut i.properties),
        Request::Create { inputs, .. } => inputs
            .iter_mut()
            .find(|i| i.step == step)
            .map(|i| &mut i.properties),
        Request::Read { .. }
        | Request::Search { .. }
        | Request::Link { .. }
        | Request::CreateProperties { .. }
        | Request::ReadProperties { .. }
        | Request::ReadObjectType { .. }
        | Request::SendEvents { .. }
        | Request::ReadEventDefinition { .. }
        | Request::CreateEventDefinition { .. }
        | Request::CreateEventProperty { .. }
        | Request::ReadList { .. }
        | Request::CreateList { .. }
        | Request::ChangeMembers { .. }
        | Request::Archive { .. }
        | Request::GdprDelete { .. } => None,
    };
    if let Some(properties) = properties {
        properties.retain(|(name, _)| !names.contains(name));
    }
}

/// The worker is stopping: the steps were not tried, and nobody will count them as tried.
fn unsent(steps: &[StepId]) -> Sent {
    let throttled = |step| {
        (
            step,
            Outcome::Throttled {
                resume: Resume::Limiter,
                bucket: Bucket::Burst,
            },
        )
    };
    Sent {
        answers: Answers::PerStep(steps.iter().copied().map(throttled).collect()),
        stale: Vec::new(),
    }
}

/// The limit a bucket stands for.
pub(crate) fn limit_of(bucket: Bucket) -> LimitName {
    LimitName::new(match bucket {
        Bucket::Burst => "ten_seconds",
        Bucket::Associations => "associations",
        Bucket::Search => "search",
        Bucket::EventSends => "event_sends",
    })
}

/// How long to wait before a memory that failed is asked again, at first and at most.
const MEMORY_WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Asks the memory until it answers; what waits for the answer waits that long. `None` when stopped.
pub(crate) async fn until_answered<T, F>(
    stop: &CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, MemoryError>>,
{
    let mut wait = MEMORY_WAIT.0;
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => warn!(%error, "the fleet's memory does not answer; asking again"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(MEMORY_WAIT.1),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this crate reads the wall clock: links expire by it"
)]
pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
