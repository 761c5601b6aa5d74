//! Which of the waiting steps go into one call: as many as fit, no record twice.

use std::sync::Arc;

use hubferry_actions::{MatchMode, RecordId, SearchBy};
use hubferry_hubspot::StepId;
use rustc_hash::FxHashSet;

use super::Scheduler;
use super::associations::email_of;
use super::requests::search_of;
use super::step::{Phase, State, Step, StepKind};
use crate::queues::QueueId;

impl Scheduler {
    /// Takes up to a call's worth of steps from a queue, no record twice; what does not fit stays in front.
    pub(super) fn gather(&mut self, queue: QueueId) -> Vec<StepId> {
        let max = self.queues.max(queue);
        let mut steps = Vec::with_capacity(max.min(128));
        let mut taken: FxHashSet<Arc<str>> = FxHashSet::default();
        let mut taken_ids: FxHashSet<RecordId> = FxHashSet::default();
        let mut search = SearchRoom::default();
        let mut left = Vec::new();
        let mut oldest_left = None;
        while steps.len() < max {
            let Some((step, since)) = self.queues.pop(queue) else {
                break;
            };
            let Some(state) = self.steps.get(&step) else {
                continue;
            };
            // A step that changed its line left its old place behind.
            let strayed = matches!(state.kind, StepKind::Link(_) | StepKind::Member(_))
                && self.queue_key(step).as_ref() != Some(self.queues.key(queue));
            if state.state != State::Ready || strayed {
                continue;
            }
            let has_room = search.takes(state);
            let fits = has_room
                && unique_value(state).is_none_or(|value| taken.insert(value))
                && self
                    .upserted_id(state)
                    .is_none_or(|id| taken_ids.insert(id));
            if fits {
                self.set_state(step, State::OnWire);
                steps.push(step);
            } else {
                oldest_left.get_or_insert(since);
                left.push(step);
            }
            if !has_room {
                break;
            }
        }
        if let Some(since) = oldest_left {
            self.queues.push_front(queue, &left, since);
        }
        steps
    }

    /// The record that an upsert is known to lead to, by whatever name.
    fn upserted_id(&self, step: &Step) -> Option<RecordId> {
        match &step.kind {
            StepKind::Record(work) if work.phase == Phase::Upsert => {
                self.recent.id(&work.record).cloned()
            }
            _ => None,
        }
    }
}

/// What still fits into one search (hubspot-api.md §3.9): five groups, eighteen filters.
struct SearchRoom {
    groups: usize,
    filters: usize,
}

impl Default for SearchRoom {
    fn default() -> Self {
        Self {
            groups: 5,
            filters: 18,
        }
    }
}

impl SearchRoom {
    /// Takes a step in, if there is room; steps that do not search always have room. One that would not fit into an empty
    /// search goes alone, for HubSpot to judge.
    fn takes(&mut self, step: &Step) -> bool {
        let Some(SearchBy { fields, mode }) = search_of(&step.kind) else {
            return true;
        };
        let groups = match mode {
            MatchMode::All => 1,
            MatchMode::Any => fields.len(),
        };
        let whole = Self::default();
        let is_empty = self.groups == whole.groups;
        if !is_empty && (groups > self.groups || fields.len() > self.filters) {
            return false;
        }
        self.groups = self.groups.saturating_sub(groups);
        self.filters = self.filters.saturating_sub(fields.len());
        true
    }
}

/// What must not stand twice in one call.
fn unique_value(step: &Step) -> Option<Arc<str>> {
    match &step.kind {
        StepKind::Record(work) => Some(match &work.phase {
            Phase::Update(id) | Phase::ClearStage(id, _) | Phase::SetStage(id, _) => {
                Arc::from(id.as_str())
            }
            _ => work.record.value.clone(),
        }),
        StepKind::Associate(work) => email_of(&work.person).map(Arc::from),
        StepKind::Deletion(work) => work.contact().map(|id| Arc::from(id.as_str())),
        StepKind::Target(work) => Some(Arc::clone(&work.target.record.value)),
        _ => None,
    }
}
