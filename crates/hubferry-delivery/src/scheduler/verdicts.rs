//! What happens to a step that did not succeed: repaired, trimmed, taken apart, tried again, or ended.

use std::time::{Duration, Instant};

use hubferry_actions::{Existing, PropertyName, RecordId, RecordRef, UnknownProperty};
use hubferry_hubspot::{Cause, Code, ErrorClass, Found, Rejection, StepId};

use super::records::LIFECYCLE_STAGE;
use super::step::{Phase, RecordWork, State, Step, StepKind};
use super::{DeliverySlot, Scheduler, Todo};
use crate::coalesce::{Dated, Part};
use crate::ending::{Death, Ending, Note, Stage};

/// After this many rounds without account, a step is given up (fleet.md ii.5.2).
const UNACCOUNTED_ROUNDS: u32 = 2;

/// How long it takes at most until a search finds what was created (hubspot-api.md §10.4: "seconds").
const SEARCH_LAG: Duration = Duration::from_secs(10);

impl Scheduler {
    /// A step that can never succeed as it is.
    pub(super) fn rejected(&mut self, step: StepId, rejection: Rejection, now: Instant) {
        match self.steps.get(&step).map(|s| &s.kind) {
            Some(StepKind::Record(work)) => match work.phase.clone() {
                Phase::Create if self.is_taken(step, &rejection) => (),
                Phase::Upsert | Phase::Create | Phase::Update(_) => {
                    self.judge(step, rejection, now);
                }
                Phase::ClearStage(id, _) | Phase::SetStage(id, _) => {
                    self.stage_refused(step, &id, &rejection);
                }
                Phase::LookUp
                | Phase::Read
                | Phase::Search
                | Phase::Verify(_)
                | Phase::Remember(_) => self.record_dies(step, &rejection, now),
            },
            Some(StepKind::Associate(_)) => self.association_dies(step, &rejection, now),
            Some(StepKind::Target(_)) => self.target_refused(step, &rejection, now),
            Some(StepKind::Link(_)) => self.link_refused(step, &rejection, now),
            Some(StepKind::Member(_)) => self.membership_judged(step, &rejection, now),
            Some(StepKind::Occurrence(_)) => self.occurrence_refused(step, &rejection, now),
            Some(StepKind::Deletion(_)) => self.deletion_refused(step, &rejection),
            Some(StepKind::Ensure(_)) => self.ensure_refused(step, &rejection, now),
            Some(StepKind::Fact(_)) => self.fact_refused(step, &rejection, now),
            None => (),
        }
    }

    /// A record that was to be created is there already, and HubSpot does not say which: it is looked for once more.
    fn is_taken(&mut self, step: StepId, rejection: &Rejection) -> bool {
        let Some(work) = self.record_work(step) else {
            return false;
        };
        let taken = rejection.class == ErrorClass::Conflict || rejection.code == Code::NotUnique;
        if !taken || work.gone_once || !work.record.has_unique_property() {
            return false;
        }
        work.gone_once = true;
        work.phase = Phase::Read;
        self.todo.push_back(Todo::Ready(step));
        true
    }

    /// HubSpot refused what the step writes.
    fn judge(&mut self, step: StepId, rejection: Rejection, now: Instant) {
        if self.ensure_anew(step, &rejection) {
            return;
        }
        self.resubmit_riders(step);
        let Some(work) = self.record_work(step) else {
            return;
        };
        let parts = std::mem::take(&mut work.parts);
        let before = parts.len();
        if before == 0 {
            // A target with nothing but its id: there is no value that could be left out or changed.
            return self.record_dies(step, &rejection, now);
        }
        let parts = self.fit_again(parts, &rejection, now);
        let refitted = parts.len() < before;
        let is_named = |part: &Part| {
            let named = rejection.property.as_ref();
            part.properties.iter().any(|(name, _)| Some(name) == named)
        };
        let (clean, guilty) = if refitted && !parts.iter().any(is_named) {
            (parts, Vec::new())
        } else {
            self.sort_out(parts, &rejection)
        };
        if refitted && clean.is_empty() && guilty.is_empty() {
            return self.give_back_wanted(step);
        }
        if guilty.is_empty() {
            self.record_work_mut(step).parts = clean;
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        if clean.is_empty() && guilty.len() == 1 {
            self.record_work_mut(step).parts = guilty;
            self.record_dies(step, &rejection, now);
            return;
        }
        self.take_apart(step, clean, guilty);
    }

    /// Splits the parts into those that may go on and those that carry what was refused.
    ///
    /// A property that its mapping lets drop is taken out and noted. When the answer names no property, every part is
    /// suspect.
    fn sort_out(&mut self, parts: Vec<Part>, rejection: &Rejection) -> (Vec<Part>, Vec<Part>) {
        let named = rejection.property.as_ref().filter(|name| {
            parts
                .iter()
                .any(|part| part.properties.iter().any(|(n, _)| n == *name))
        });
        let Some(name) = named else {
            return (Vec::new(), parts);
        };
        let mut clean = Vec::new();
        let mut guilty = Vec::new();
        for mut part in parts {
            let carries = part.properties.iter().any(|(n, _)| n == name);
            if !carries {
                clean.push(part);
            } else if let Some(reason) = self.droppable(part.delivery, name, rejection.code) {
                part.properties.retain(|(n, _)| n != name);
                if name.as_str() == LIFECYCLE_STAGE {
                    part.stage = None;
                }
                self.deliveries[part.delivery.0]
                    .notes
                    .push(Note::DroppedProperty {
                        property: name.clone(),
                        reason,
                    });
                clean.push(part);
            } else {
                guilty.push(part);
            }
        }
        (clean, guilty)
    }

    /// Whether the delivery's mapping lets a refused property be left out, and under which word.
    pub(super) fn droppable(
        &self,
        slot: DeliverySlot,
        name: &PropertyName,
        code: Code,
    ) -> Option<&'static str> {
        let policy = &self.deliveries[slot.0].policy;
        if policy.required.contains(name) {
            return None;
        }
        match code {
            Code::PropertyMissing => {
                (policy.unknown_property == UnknownProperty::Drop).then_some("unknown")
            }
            Code::PropertyReadOnly => policy.drop_invalid_property.then_some("read_only"),
            Code::PropertyType | Code::PropertyOption | Code::DateHasTime => {
                policy.drop_invalid_property.then_some("invalid")
            }
            _ => None,
        }
    }

    /// Sends what is clean as one step and judges the rest one by one, in order, before anything that came later.
    fn take_apart(&mut self, step: StepId, clean: Vec<Part>, guilty: Vec<Part>) {
        let mut guilty = guilty.into_iter();
        let work = self.record_work_mut(step);
        if clean.is_empty() {
            work.parts = guilty.next().into_iter().collect();
            work.alone = true;
        } else {
            work.parts = clean;
        }
        let record = work.record.clone();
        let template = work.alone_with(Vec::new());
        self.todo.push_back(Todo::Ready(step));
        for (n, part) in guilty.enumerate() {
            let id = self.add_step(StepKind::Record(Box::new(template.alone_with(vec![part]))));
            if let Some(chain) = self.chains.get_mut(&record) {
                let at = (n + 1).min(chain.steps.len());
                chain.steps.insert(at, id);
            }
        }
        self.counts.bisections += 1;
    }

    /// Lets what rode along be looked at on its own.
    pub(super) fn resubmit_riders(&mut self, step: StepId) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        for part in std::mem::take(&mut work.riders) {
            self.put_back(part);
        }
    }

    /// Gives a delivery its values back and lets it be looked at anew.
    pub(super) fn put_back(&mut self, part: Part) {
        self.deliveries[part.delivery.0].fitting.values = Some(part.properties);
        self.todo.push_back(Todo::Submit(part.delivery));
    }

    /// Every delivery of the step is dead.
    fn record_dies(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        self.resubmit_riders(step);
        let attempts = self.attempts_of(step);
        let Some(work) = self.record_work(step) else {
            return;
        };
        let record = work.record.clone();
        let parts = std::mem::take(&mut work.parts);
        let wanted_by = std::mem::take(&mut work.wanted_by);
        for part in parts {
            self.die(part.delivery, rejection, Stage::Record, attempts);
        }
        self.close_record_step(step, &record);
        for waiter in wanted_by {
            self.wanted_is_refused(waiter, rejection, now);
        }
    }

    /// The record is written, but its stage cannot be: only who wished for it dies.
    fn stage_refused(&mut self, step: StepId, id: &RecordId, rejection: &Rejection) {
        let attempts = self.attempts_of(step);
        let Some(work) = self.record_work(step) else {
            return;
        };
        let record = work.record.clone();
        let parts = std::mem::take(&mut work.parts);
        for part in parts {
            if part.stage.is_some() {
                self.die(part.delivery, rejection, Stage::Record, attempts);
            } else {
                self.deliveries[part.delivery.0].written = Some(id.clone());
                self.todo.push_back(Todo::RecordDone(part.delivery));
            }
        }
        self.resubmit_riders(step);
        self.close_record_step(step, &record);
    }

    pub(super) fn die(
        &mut self,
        slot: DeliverySlot,
        rejection: &Rejection,
        stage: Stage,
        attempts: u32,
    ) {
        let death = Death {
            rejection: rejection.clone(),
            stage,
            attempts,
        };
        self.end_without_record(slot, Ending::Dead(Box::new(death)));
    }

    /// More than one record matches: hubferry does not choose.
    pub(super) fn not_unique(&mut self, step: StepId, matches: usize, now: Instant) {
        let rejection = Rejection {
            code: Code::NotUnique,
            message: format!(
                "{matches} records match the search fields; match by a unique property, or merge them in HubSpot"
            ),
            ..plain(Code::NotUnique, ErrorClass::Input)
        };
        self.record_dies(step, &rejection, now);
    }

    /// HubSpot accepted the call without accounting for the step.
    pub(super) fn unaccounted(&mut self, step: StepId, now: Instant) {
        self.counts.unaccounted += 1;
        let Some(state) = self.steps.get_mut(&step) else {
            return;
        };
        state.unaccounted += 1;
        if state.unaccounted > UNACCOUNTED_ROUNDS {
            let rejection = Rejection {
                message: "HubSpot answered without saying what became of this record, and it is not there; \
                          replay it, and ask HubSpot's support if it repeats"
                    .to_owned(),
                ..plain(Code::Unaccounted, ErrorClass::Unaccounted)
            };
            return self.rejected(step, rejection, now);
        }
        if let StepKind::Record(work) = &mut state.kind
            && work.phase.writes()
            && work.record.has_unique_property()
        {
            work.phase = Phase::Verify(Box::new(work.phase.clone()));
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        let least = self.doubt_creation(step);
        self.try_again(step, least, now);
    }

    /// An attempt failed in passing. Whether a record was created is found out before it is created again.
    pub(super) fn passing_trouble(
        &mut self,
        step: StepId,
        cause: Cause,
        least: Option<Duration>,
        now: Instant,
    ) {
        let ambiguous = match cause {
            Cause::Timeout | Cause::Broken | Cause::Server(_) => true,
            Cause::Connect | Cause::Locked | Cause::Migrating => false,
        };
        let lag = if ambiguous {
            self.doubt_creation(step)
        } else {
            None
        };
        self.try_again(step, least.max(lag), now);
    }

    /// A creation that may have happened: the record is read, or searched as soon as a search can find it. A record that
    /// nothing identifies can only be created again.
    fn doubt_creation(&mut self, step: StepId) -> Option<Duration> {
        let work = self.record_work(step)?;
        if work.phase != Phase::Create {
            return None;
        }
        if work.record.has_unique_property() {
            work.phase = Phase::Verify(Box::new(Phase::Create));
            return None;
        }
        if matches!(work.existing, Existing::SearchAlone(_)) {
            work.phase = Phase::Search;
            return Some(SEARCH_LAG);
        }
        None
    }

    /// The record was read back: it shows what was sent, or it is sent again.
    pub(super) fn verified(&mut self, step: StepId, write: Phase, found: &[Found], now: Instant) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        let creates = write == Phase::Create;
        work.phase = write;
        match found {
            [one] if shows(one, &work.sent) => {
                let stage = one
                    .properties
                    .iter()
                    .find(|(n, _)| n.as_str() == LIFECYCLE_STAGE);
                let stage = stage.map(|(_, v)| v.expose().to_owned());
                self.record_written(step, one.id.clone(), stage.as_deref(), now);
            }
            [one] if creates => self.record_is_there(step, one.id.clone(), now),
            _ => self.todo.push_back(Todo::Ready(step)),
        }
    }

    /// The record a step worked on is gone: looked up or made anew once.
    pub(super) fn gone(&mut self, step: StepId, now: Instant) {
        match self.steps.get_mut(&step).map(|s| &mut s.kind) {
            Some(StepKind::Record(work)) => {
                let record: RecordRef = work.record.clone();
                if record.record_id().is_some() {
                    return self.record_missing(step);
                }
                if work.gone_once {
                    return self.rejected(step, missing_record(), now);
                }
                work.gone_once = true;
                let searched = matches!(work.existing, Existing::SearchAlone(_));
                work.phase = if searched {
                    Phase::Search
                } else {
                    RecordWork::first_phase(
                        &record,
                        &work.existing,
                        work.when_missing,
                        work.when_found,
                    )
                };
                self.forget_record(&record);
                self.todo.push_back(Todo::Ready(step));
            }
            Some(StepKind::Link(_)) => self.link_gone(step, now),
            Some(StepKind::Member(_)) => self.member_gone(step, now),
            // Who is gone already is deleted.
            Some(StepKind::Deletion(_)) => self.contact_deleted(step),
            Some(
                StepKind::Associate(_)
                | StepKind::Target(_)
                | StepKind::Occurrence(_)
                | StepKind::Ensure(_)
                | StepKind::Fact(_),
            ) => self.rejected(step, missing_record(), now),
            None => (),
        }
    }

    /// The value belongs to a record already: that one is updated.
    pub(super) fn exists(&mut self, step: StepId, id: RecordId, now: Instant) {
        self.record_is_there(step, id, now);
    }

    /// Passing trouble: again after a while, until the budget is spent.
    pub(super) fn try_again(&mut self, step: StepId, least: Option<Duration>, now: Instant) {
        self.counts.retries += 1;
        let budget = self.budget;
        let Some(state) = self.steps.get_mut(&step) else {
            return;
        };
        match state.attempts.fail(&budget, least, now, &mut self.chance) {
            Some(at) => {
                state.state = State::Backoff;
                self.timers.push(std::cmp::Reverse((at, step)));
            }
            None => {
                let rejection = Rejection {
                    message: "HubSpot could not be reached or failed until all attempts were used up; replay it when HubSpot is well"
                        .to_owned(),
                    ..plain(Code::RetriesExhausted, ErrorClass::Transient)
                };
                self.rejected(step, rejection, now);
            }
        }
    }

    pub(super) fn attempts_of(&self, step: StepId) -> u32 {
        self.steps.get(&step).map_or(0, |s: &Step| s.attempts.made)
    }
}

/// A rejection of our own making.
pub(super) fn plain(code: Code, class: ErrorClass) -> Rejection {
    Rejection {
        code,
        class,
        status: None,
        category: None,
        sub_category: None,
        property: None,
        message: String::new(),
        correlation_id: None,
    }
}

pub(super) fn missing_record() -> Rejection {
    Rejection {
        message: "the record does not exist any more, and looking it up anew led to one that does not either".to_owned(),
        ..plain(Code::HubspotRejected, ErrorClass::Missing)
    }
}

/// Whether a record that was read back shows everything that was sent; a cleared property has no value.
fn shows(found: &Found, sent: &[Dated]) -> bool {
    sent.iter().all(|sent| {
        let shown = found.properties.iter().find(|(name, _)| *name == sent.name);
        shown.map_or("", |(_, value)| value.expose()) == sent.value.expose()
    })
}
