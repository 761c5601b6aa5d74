//! A permit becomes the best call; answers become outcomes.

use std::time::{Duration, Instant};

use hubferry_actions::{PropertyName, RecordRef};
use hubferry_hubspot::{
    Answers, Bucket, Call, Cause, Code, Done, Outcome, Refusal, Resume, StepId,
};
use hubferry_memory::MarkWrite;
use rustc_hash::FxHashSet;

use super::records::LIFECYCLE_STAGE;
use super::step::{Phase, RecordWork, State, Step, StepKind};
use super::{CallId, Outgoing, Scheduler, Todo};
use crate::coalesce::Part;
use crate::ending::Note;
use crate::isolate::{GroupId, Isolated};
use crate::queues::{QueueId, QueueKey};

/// A call on the wire.
pub(super) struct OnWire {
    pub(super) queue: QueueId,
    pub(super) steps: Vec<StepId>,
    /// Set when the call is part of the search for an offender.
    group: Option<GroupId>,
}

impl Scheduler {
    /// Puts a step into the queue of what it asks next.
    pub(super) fn make_ready(&mut self, step: StepId, now: Instant) {
        let Some(state) = self.steps.get(&step) else {
            return;
        };
        if matches!(state.state, State::Ready | State::OnWire) {
            return;
        }
        if let StepKind::Record(work) = &state.kind {
            let first = self
                .chains
                .get(&work.record)
                .and_then(|chain| chain.steps.front());
            if first != Some(&step) {
                return;
            }
            self.freshen(step);
        }
        if !self.steps.contains_key(&step)
            || self.must_wait_for_property(step)
            || self.park_if_held(step)
            || self.must_wait_for_list(step, now)
            || self.must_wait_for_type(step, now)
        {
            return;
        }
        if self
            .record_work(step)
            .is_some_and(|work| work.phase == Phase::LookUp)
        {
            return self.look_up(step, now);
        }
        let Some(key) = self.queue_key(step) else {
            return;
        };
        let queue = self.queues.id(&key);
        self.queues.push(queue, step, now);
        self.set_state(step, State::Ready);
    }

    pub(super) fn queue_key(&self, step: StepId) -> Option<QueueKey> {
        Some(match &self.steps.get(&step)?.kind {
            StepKind::Record(work) => record_queue(work)?,
            StepKind::Associate(work) => QueueKey::Read {
                object: work.to_object.clone(),
                id_property: PropertyName::new("email"),
            },
            StepKind::Target(work) if work.is_searched() => QueueKey::Search {
                object: work.target.record.object.clone(),
            },
            StepKind::Target(work) => QueueKey::Read {
                object: work.target.record.object.clone(),
                id_property: work.target.record.id_property.clone(),
            },
            StepKind::Link(work) => QueueKey::Link {
                change: work.change,
                from: work.from.0.clone(),
                to: work.to.0.clone(),
            },
            StepKind::Member(work) => QueueKey::Members {
                list: work.id.clone()?,
            },
            StepKind::Occurrence(_) => QueueKey::SendEvents,
            StepKind::Deletion(work) => work.queue(),
            StepKind::Ensure(id) => self.ensures.queue(*id),
            StepKind::Fact(read) => QueueKey::Single(read.endpoint()),
        })
    }

    /// Composes the call that a permit of this bucket is worth most for; `None` when nothing is due.
    pub fn fill(&mut self, bucket: Bucket, now: Instant) -> Option<Outgoing> {
        if !self.holds.portal_may_send(now) {
            return None;
        }
        let on_wire = match self.next_isolated(bucket) {
            Some(batch) => OnWire {
                queue: batch.queue,
                steps: batch.steps,
                group: Some(batch.group),
            },
            None => self.next_due(bucket, now)?,
        };
        let request = self.compose(&on_wire)?;
        self.holds.sent(now);
        for step in &on_wire.steps {
            self.set_state(*step, State::OnWire);
        }
        self.next_call += 1;
        let id = CallId(self.next_call);
        let marks = if self.settings.marks {
            self.marks_of(&on_wire.steps)
        } else {
            Vec::new()
        };
        self.calls.insert(id, on_wire);
        Some(Outgoing {
            id,
            call: Call { request },
            marks,
        })
    }

    /// The best batch among the queues; those that turn out to hold nothing any more are passed over.
    fn next_due(&mut self, bucket: Bucket, now: Instant) -> Option<OnWire> {
        loop {
            let (queue, _) = self.queues.best(bucket, &self.patience, now)?;
            let steps = self.gather(queue);
            if !steps.is_empty() {
                return Some(OnWire {
                    queue,
                    steps,
                    group: None,
                });
            }
        }
    }

    /// The values that a call is about to write, with the times of their events.
    fn marks_of(&self, steps: &[StepId]) -> Vec<(StepId, MarkWrite)> {
        let mark = |step: &StepId| {
            let StepKind::Record(work) = &self.steps.get(step)?.kind else {
                return None;
            };
            // What nobody else can name, nobody else can overtake.
            let named = work.record.has_unique_property() || work.record.record_id().is_some();
            let writes = named && work.phase.writes() && !work.sent.is_empty();
            writes.then(|| {
                let values = work
                    .sent
                    .iter()
                    .map(|sent| (sent.name.clone(), sent.time.as_millis()))
                    .collect();
                (
                    *step,
                    MarkWrite {
                        record: work.record.clone(),
                        values,
                    },
                )
            })
        };
        steps.iter().filter_map(mark).collect()
    }

    /// Hears, before a call is settled, which of its values were left out because the fleet has written newer ones.
    pub fn found_stale(&mut self, stale: &[(StepId, Vec<PropertyName>)]) {
        for (step, names) in stale {
            let Some(work) = self.record_work(*step) else {
                continue;
            };
            work.sent.retain(|sent| !names.contains(&sent.name));
            let mut parts = std::mem::take(&mut work.parts);
            for part in &mut parts {
                self.leave_out(part, names);
            }
            self.record_work_mut(*step).parts = parts;
        }
    }

    fn leave_out(&mut self, part: &mut Part, names: &[PropertyName]) {
        let delivery = &mut self.deliveries[part.delivery.0];
        let before = part.properties.len();
        part.properties.retain(|(name, _)| {
            let stale = names.contains(name);
            if stale {
                delivery.notes.push(Note::DroppedProperty {
                    property: name.clone(),
                    reason: "stale",
                });
            }
            !stale
        });
        delivery.stale = before > 0 && part.properties.is_empty();
        if names.iter().any(|name| name.as_str() == LIFECYCLE_STAGE) {
            part.stage = None;
        }
    }

    fn next_isolated(&mut self, bucket: Bucket) -> Option<Isolated> {
        loop {
            let queues = &self.queues;
            let mut batch = self
                .isolation
                .take(|queue| queues.bucket(queue) == bucket)?;
            // Steps that were withdrawn meanwhile are nobody's any more.
            batch.steps.retain(|step| self.steps.contains_key(step));
            if !batch.steps.is_empty() {
                return Some(batch);
            }
            self.isolation.close(batch.group);
        }
    }

    /// The properties that a read has to bring back, for steps that verify what was written.
    pub(super) fn wanted_back(&self, steps: &[StepId]) -> Vec<PropertyName> {
        let mut names: Vec<PropertyName> = Vec::new();
        for step in steps {
            let Some(Step {
                kind: StepKind::Record(work),
                ..
            }) = self.steps.get(step)
            else {
                continue;
            };
            if let Phase::Verify(_) = work.phase {
                names.extend(work.sent.iter().map(|sent| sent.name.clone()));
                names.push(PropertyName::new(LIFECYCLE_STAGE));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Takes the answers of a call. A step the answers do not mention counts as unaccounted.
    pub fn settle(&mut self, call: CallId, answers: Answers, now: Instant) {
        let Some(on_wire) = self.calls.remove(&call) else {
            return;
        };
        match answers {
            Answers::PerStep(outcomes) => self.settle_each(&on_wire, outcomes, now),
            Answers::Refused(refusal) => self.settle_refused(on_wire, refusal, now),
        }
        self.settle_todo(now);
    }

    fn settle_each(&mut self, on_wire: &OnWire, outcomes: Vec<(StepId, Outcome)>, now: Instant) {
        let mut open: FxHashSet<StepId> = on_wire.steps.iter().copied().collect();
        self.repair_order(&outcomes);
        self.forget_deleted(&outcomes);
        let mut throttled = Vec::new();
        for (step, outcome) in outcomes {
            if !open.remove(&step) {
                continue;
            }
            if let Outcome::Throttled { .. } = outcome {
                throttled.push(step);
                continue;
            }
            self.apply(step, outcome, now);
            // What a probe lets go stands in line before what comes next.
            self.settle_todo(now);
        }
        for step in on_wire.steps.iter().filter(|step| open.contains(step)) {
            self.apply(*step, Outcome::Unaccounted, now);
        }
        self.send_again(on_wire, throttled, now);
        if let Some(group) = on_wire.group {
            self.isolation.close(group);
        }
    }

    /// Throttled steps were not tried: they stand where they stood.
    fn send_again(&mut self, on_wire: &OnWire, throttled: Vec<StepId>, now: Instant) {
        if throttled.is_empty() {
            return;
        }
        for step in &throttled {
            self.set_state(*step, State::Ready);
        }
        match on_wire.group {
            Some(group) => self.isolation.push(group, on_wire.queue, throttled),
            None => self.queues.push_front(on_wire.queue, &throttled, now),
        }
    }

    fn apply(&mut self, step: StepId, outcome: Outcome, now: Instant) {
        let Some(state) = self.steps.get_mut(&step) else {
            return;
        };
        // Only now: as long as its own outcome is not known, nothing may join what has been sent.
        state.state = State::Chained;
        if !matches!(outcome, Outcome::Held { .. } | Outcome::Throttled { .. }) {
            count_attempt(state);
        }
        if matches!(outcome, Outcome::Done(_) | Outcome::Exists(_)) {
            self.let_go(step);
        }
        match outcome {
            Outcome::Done(done) => self.done(step, done, now),
            Outcome::Throttled { .. } => self.todo.push_back(Todo::Ready(step)),
            Outcome::Transient { cause, after } => {
                self.passing_trouble(step, cause, least_wait(cause, after), now);
            }
            Outcome::Unaccounted => self.unaccounted(step, now),
            Outcome::Rejected(rejection) => self.rejected(step, rejection, now),
            Outcome::Gone => self.gone(step, now),
            Outcome::Exists(id) => self.exists(step, id, now),
            Outcome::Held { scope, reason } => self.hold(step, scope, reason, now),
        }
    }

    fn done(&mut self, step: StepId, done: Done, now: Instant) {
        let Some(state) = self.steps.get(&step) else {
            return;
        };
        match (&state.kind, done) {
            (StepKind::Record(_), Done::Written { id, stage, .. }) => {
                self.record_written(step, id, stage.as_deref(), now);
            }
            (StepKind::Record(_), Done::Found(found)) => self.record_found(step, found, now),
            (StepKind::Associate(_), Done::Found(found)) => self.contact_read(step, found, now),
            (StepKind::Target(_), Done::Found(found)) => self.target_read(step, &found, now),
            (StepKind::Link(_), Done::There) => self.linked(step, now),
            (StepKind::Member(_), Done::There) => self.membership_changed(step, now),
            (StepKind::Occurrence(_), Done::There) => self.occurrence_sent(step),
            (StepKind::Deletion(_), Done::There) => self.contact_deleted(step),
            (StepKind::Ensure(_), Done::There) => self.ensured(step, now),
            (StepKind::Fact(_), Done::Learned(fact)) => self.fact_read(step, fact, now),
            // An answer to another question than was asked accounts for nothing.
            (_, Done::Written { .. } | Done::Found(_) | Done::There | Done::Learned(_)) => {
                self.unaccounted(step, now)
            }
        }
    }

    /// A whole call was refused: the named go alone, the innocent go on, the rest is halved.
    fn settle_refused(&mut self, on_wire: OnWire, refusal: Refusal, now: Instant) {
        let OnWire {
            queue,
            steps,
            group,
        } = on_wire;
        if let [only] = steps.as_slice() {
            if let Some(state) = self.steps.get_mut(only) {
                state.state = State::Chained;
                count_attempt(state);
            }
            if let Some(group) = group {
                let batch = Isolated {
                    queue,
                    group,
                    steps: steps.clone(),
                };
                self.isolation.split(batch);
                self.isolation.close(group);
            }
            self.rejected(*only, refusal.rejection, now);
            return;
        }
        if refusal.rejection.code == Code::ListMissing {
            // One list, and it is gone: nobody is at fault.
            for step in steps {
                self.reject_alone(step, &refusal, now);
            }
            if let Some(group) = group {
                self.isolation.close(group);
            }
            return;
        }
        self.counts.bisections += 1;
        for step in &steps {
            self.set_state(*step, State::Ready);
            if let Some(state) = self.steps.get_mut(step) {
                count_attempt(state);
            }
        }
        let search = group.unwrap_or_else(|| self.isolation.open(steps.len()));
        let (named, rest) = self.suspects(steps, &refusal);
        self.isolation.push(search, queue, rest.clone());
        let property = refusal.rejection.property.as_ref();
        let known = property.is_some_and(|name| named.iter().all(|step| self.carries(*step, name)));
        if known && of_the_schema(refusal.rejection.code) {
            // What every step with this property meets: their mappings decide, nothing is to be searched for.
            for step in named {
                self.reject_alone(step, &refusal, now);
            }
        } else if let [culprit] = named.as_slice() {
            self.reject_alone(*culprit, &refusal, now);
        } else if refusal.culprits.is_empty() {
            self.isolation.split(Isolated {
                queue,
                group: search,
                steps: named,
            });
        } else {
            for step in named {
                self.isolation.push(search, queue, vec![step]);
            }
        }
        if group.is_some() {
            self.isolation.close(search);
        }
    }

    fn reject_alone(&mut self, step: StepId, refusal: &Refusal, now: Instant) {
        self.set_state(step, State::Chained);
        self.rejected(step, refusal.rejection.clone(), now);
    }

    /// Splits a refused call into those that may have caused it and the innocent, in their order.
    fn suspects(&self, steps: Vec<StepId>, refusal: &Refusal) -> (Vec<StepId>, Vec<StepId>) {
        if !refusal.culprits.is_empty() {
            return steps
                .into_iter()
                .partition(|step| refusal.culprits.contains(step));
        }
        let property = refusal.rejection.property.as_ref();
        match property.filter(|name| steps.iter().any(|step| self.carries(*step, name))) {
            Some(name) => steps
                .into_iter()
                .partition(|step| self.carries(*step, name)),
            None => (steps, Vec::new()),
        }
    }

    fn carries(&self, step: StepId, property: &PropertyName) -> bool {
        match self.steps.get(&step).map(|s| &s.kind) {
            Some(StepKind::Record(work)) => {
                work.record.id_property == *property
                    || work.sent.iter().any(|sent| sent.name == *property)
            }
            _ => false,
        }
    }
}

fn count_attempt(step: &mut Step) {
    step.attempts.made += 1;
    if let StepKind::Record(work) = &mut step.kind {
        work.tried |= work.phase.writes();
    }
}

/// Whether a refusal is about a property itself, not about a value of it.
fn of_the_schema(code: Code) -> bool {
    matches!(code, Code::PropertyMissing | Code::PropertyReadOnly)
}

fn record_queue(work: &RecordWork) -> Option<QueueKey> {
    let RecordRef {
        object,
        id_property,
        ..
    } = work.record.clone();
    Some(match work.phase {
        Phase::Read | Phase::Verify(_) => QueueKey::Read {
            object,
            id_property,
        },
        Phase::Search => QueueKey::Search { object },
        Phase::Create => QueueKey::Create { object },
        Phase::Upsert => QueueKey::Upsert {
            object,
            id_property,
        },
        Phase::Update(_) | Phase::ClearStage(..) | Phase::SetStage(..) => {
            QueueKey::Update { object }
        }
        Phase::LookUp | Phase::Remember(_) => return None,
    })
}

/// HubSpot's write locks last two seconds (hubspot-api.md §8.2).
const LOCK: Duration = Duration::from_secs(2);

fn least_wait(cause: Cause, after: Option<Duration>) -> Option<Duration> {
    match cause {
        Cause::Locked => Some(after.unwrap_or(LOCK).max(LOCK)),
        Cause::Connect | Cause::Timeout | Cause::Broken | Cause::Server(_) | Cause::Migrating => {
            after
        }
    }
}

/// When a throttled bucket may be asked for again, for the limiter.
pub(crate) fn pause_of(resume: Resume) -> Option<Duration> {
    match resume {
        Resume::After(wait) => Some(wait),
        Resume::Limiter | Resume::Midnight => None,
    }
}
