//! A rehearsal: events go through mappings and the real scheduler, and a pretended portal says yes to every call.
//!
//! What is seen is what a worker would do with these events if they were waiting on the topic and the portal were empty:
//! which calls, what travels together, and how each delivery ends. Nothing leaves the process.

mod pretend;
mod stage;
mod steps;

use std::sync::Arc;

use hubferry_actions::ActionSlug;
use hubferry_delivery::{MappingIndex, Note};
use hubferry_event::{EventType, Membership};
use hubferry_mapping::Note as Fitted;
use serde_json::{Map, Value};

use crate::closing::Closing;
use crate::config::DELETION;
use crate::exit::Failure;
use crate::intake::{Attempt, Examined, Intake, Look, PortalIndex};
use crate::pinned::PinnedPortal;
use stage::{Played, Stage};
pub(super) use steps::Step;

/// Events on their way through mappings and scheduler.
pub(super) struct Rehearsal {
    intake: Arc<Intake>,
    stages: Vec<Stage>,
    /// Calls made so far, over all portals.
    calls: u64,
}

/// What became of one event.
#[derive(Debug)]
pub(super) struct EventReport {
    /// The line of the input, counted from 1.
    pub(super) line: u64,
    /// Its place in an envelope.
    pub(super) position: Option<u32>,
    /// Its type, when it could be read.
    pub(super) kind: Option<EventType>,
    /// The name of a track, page or screen event.
    pub(super) name: Option<String>,
    /// Its id, when it has one.
    pub(super) message_id: Option<String>,
    /// How it ended, when it reached no mapping.
    pub(super) closed: Option<Closing>,
    /// What each mapping made of it.
    pub(super) mappings: Vec<MappingReport>,
}

/// What one mapping made of one event.
#[derive(Debug)]
pub(super) struct MappingReport {
    /// Which.
    pub(super) index: MappingIndex,
    /// `DESTINATION/NAME`.
    pub(super) id: String,
    /// What came of it.
    pub(super) verdict: Verdict,
}

/// Whether a mapping fired.
#[derive(Debug)]
pub(super) enum Verdict {
    /// No: why.
    NotFired(String),
    /// Yes.
    Fired(Box<FiredReport>),
}

/// A mapping that fired.
#[derive(Debug)]
pub(super) struct FiredReport {
    /// Slug of the action, or `deletion`.
    pub(super) action: &'static str,
    /// Whether the event says that somebody joins or leaves.
    pub(super) membership: Option<Membership>,
    /// The payload: made to fit, else as far as it came.
    pub(super) payload: Option<Map<String, Value>>,
    /// What was made to fit, and what was left out and why; one sentence each.
    pub(super) notes: Vec<String>,
    /// Every rule the payload breaks.
    pub(super) violations: Vec<(String, String)>,
    /// What it asks of HubSpot.
    pub(super) steps: Vec<Step>,
    /// How the delivery ended.
    pub(super) ending: Option<Closing>,
    /// What came with the ending.
    pub(super) endnotes: Vec<Note>,
    /// The calls that carried its steps, by number.
    pub(super) calls: Vec<u64>,
}

/// A call that would be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CallReport {
    /// Counted from 1.
    pub(super) number: u64,
    /// Such as `contacts/batch/upsert`.
    pub(super) endpoint: String,
    /// How many steps it carries.
    pub(super) inputs: u64,
}

/// Names a delivery: the event's place in what was admitted since the last play, and the mapping's in the event.
type Owner = (usize, usize);

impl Rehearsal {
    /// A rehearsal over what an intake takes; `portals` says of each enabled destination what is
    /// pinned of its schema.
    pub(super) fn new(
        intake: Arc<Intake>,
        portals: &[Option<Arc<PinnedPortal>>],
        now_ms: i64,
    ) -> Self {
        let ids = intake.mapping_ids().to_vec();
        let portals = portals.iter();
        let stages = portals.map(|pinned| Stage::new(ids.clone(), now_ms, pinned.clone()));
        Self {
            stages: stages.collect(),
            intake,
            calls: 0,
        }
    }

    /// Takes the events of a message; they are played with the next [`Rehearsal::play`].
    pub(super) fn admit(
        &mut self,
        line: u64,
        body: &[u8],
        now_ms: i64,
        events: &mut Vec<EventReport>,
    ) {
        for examined in self.intake.examine(body, now_ms) {
            self.admit_event(line, examined, events);
        }
    }

    fn admit_event(&mut self, line: u64, examined: Examined, events: &mut Vec<EventReport>) {
        let place = events.len();
        let mut mappings = Vec::new();
        let mut planned: Vec<(PortalIndex, Vec<_>)> = Vec::new();
        for (portal, index, look) in examined.looks {
            let verdict = match look {
                Look::Integrations => Verdict::NotFired(
                    "the event's `integrations` keep it from this destination".to_owned(),
                ),
                Look::NotFired(because) => Verdict::NotFired(because),
                Look::Fired(attempt) => {
                    let owner: Owner = (place, mappings.len());
                    let (report, plan) = fired(*attempt);
                    if let Some(plan) = plan {
                        match planned.last_mut() {
                            Some((last, plans)) if *last == portal => {
                                plans.push((owner, index, plan))
                            }
                            _ => planned.push((portal, vec![(owner, index, plan)])),
                        }
                    }
                    Verdict::Fired(Box::new(report))
                }
            };
            let id = self.intake.mapping_ids().get(index.0 as usize).cloned();
            mappings.push(MappingReport {
                index,
                id: id.unwrap_or_default(),
                verdict,
            });
        }
        for (portal, plans) in planned {
            if let Some(stage) = self.stages.get_mut(portal.0) {
                stage.admit(&examined.keys, plans);
            }
        }
        events.push(EventReport {
            line,
            position: examined.position,
            kind: examined.kind,
            name: examined.name,
            message_id: examined.message_id,
            closed: examined.closed,
            mappings,
        });
    }

    /// Plays what was admitted until every delivery has ended, and writes the endings into the events' reports.
    ///
    /// # Errors
    ///
    /// A bug: something never ends.
    pub(super) async fn play(
        &mut self,
        events: &mut [EventReport],
    ) -> Result<Vec<CallReport>, Failure> {
        let mut calls = Vec::new();
        for stage in &mut self.stages {
            let played = stage.play(&mut self.calls, &mut calls).await?;
            for (
                owner,
                Played {
                    closing,
                    notes,
                    calls,
                },
            ) in played
            {
                let report = events
                    .get_mut(owner.0)
                    .and_then(|event| event.mappings.get_mut(owner.1));
                if let Some(MappingReport {
                    verdict: Verdict::Fired(fired),
                    ..
                }) = report
                {
                    fired.ending = closing;
                    fired.endnotes = notes;
                    fired.calls = calls;
                }
            }
        }
        Ok(calls)
    }
}

impl Rehearsal {
    /// How many associations wait for a contact that no event has brought.
    ///
    /// # Errors
    ///
    /// A bug: the memory of this process does not answer.
    pub(super) async fn waiting_links(&self) -> Result<u64, Failure> {
        let mut waiting = 0;
        for stage in &self.stages {
            waiting += stage.waiting_links().await?;
        }
        Ok(waiting)
    }
}

/// The report of a mapping that fired, and its plan when it has one.
fn fired(attempt: Attempt) -> (FiredReport, Option<hubferry_actions::Plan>) {
    let mut notes: Vec<String> = attempt.notes.iter().map(said).collect();
    notes.extend(left_out(&attempt));
    notes.extend(attempt.decided.iter().map(ToString::to_string));
    let (plan, ending) = match attempt.plan {
        Ok(plan) => (Some(plan), None),
        Err(closing) => (None, Some(closing)),
    };
    let report = FiredReport {
        action: attempt.action.map_or(DELETION, ActionSlug::as_str),
        membership: attempt.membership,
        payload: attempt.payload.or(attempt.resolved),
        notes,
        violations: attempt
            .violations
            .into_iter()
            .map(|violation| {
                let message = format!("expected {}, got {}", violation.expected, violation.actual);
                (violation.path, message)
            })
            .collect(),
        steps: plan.as_ref().map(steps::of).unwrap_or_default(),
        ending,
        endnotes: Vec::new(),
        calls: Vec::new(),
    };
    (report, plan)
}

/// What was done to a value, in a sentence.
fn said(note: &Fitted) -> String {
    match note {
        // Only blanks can go from a text without making it another kind of value.
        Fitted::Coerced { path, from, to } if from == to => {
            format!("{path}: the blanks around it were removed")
        }
        Fitted::Coerced { .. } | Fitted::Dropped { .. } => note.to_string(),
    }
}

/// What cleaning took out without a word: fields that nobody declared, and empty values.
fn left_out(attempt: &Attempt) -> Vec<String> {
    let (Some(resolved), Some(payload)) = (&attempt.resolved, &attempt.payload) else {
        return Vec::new();
    };
    let noted = |name: &str| {
        attempt.notes.iter().any(|note| match note {
            Fitted::Dropped { field, .. } => field == name,
            Fitted::Coerced { .. } => false,
        })
    };
    resolved
        .iter()
        .filter(|(name, _)| !payload.contains_key(*name) && !noted(name))
        .map(|(name, value)| {
            let schema = attempt.action.map(ActionSlug::schema);
            let why = if schema.is_none_or(|schema| schema.field(name).is_none()) {
                "the action has no such field"
            } else if value.is_null() {
                "it is null"
            } else {
                "it is empty"
            };
            format!("/{name}: left out; {why}")
        })
        .collect()
}
