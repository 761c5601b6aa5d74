//! A step: what it asks, where it stands, what it has been through.

use hubferry_actions::{
    AssociationType, Existing, LifecycleStage, ObjectType, Person, PropertyDefinition, RecordId,
    RecordRef, WhenMissing,
};
use hubferry_hubspot::StepId;
use hubferry_memory::LinkId;
use smallvec::SmallVec;

use super::DeliverySlot;
use super::ensure::EnsureId;
use crate::coalesce::{Dated, Part};
use crate::retry::Attempts;

pub(crate) struct Step {
    pub(super) kind: StepKind,
    pub(super) state: State,
    pub(super) attempts: Attempts,
    /// How often HubSpot accepted it without accounting for it.
    pub(super) unaccounted: u32,
}

pub(super) enum StepKind {
    Record(Box<RecordWork>),
    Associate(Box<AssociateWork>),
    CreateProperty(EnsureId),
}

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Behind another step of its record.
    Chained,
    /// In a ready queue, or in a batch of its own.
    Ready,
    /// In a call.
    OnWire,
    /// Until a time.
    Backoff,
    /// For a property.
    Blocked,
    /// For the fleet's memory.
    Asking,
    /// In a held mapping.
    Held,
}

/// One record's step: what several deliveries write together.
pub(super) struct RecordWork {
    pub(super) record: RecordRef,
    pub(super) existing: Existing,
    pub(super) when_missing: WhenMissing,
    pub(super) needs: Option<PropertyDefinition>,
    pub(super) parts: Vec<Part>,
    /// Deliveries that arrived while the step was on the wire and add nothing to it.
    pub(super) riders: Vec<Part>,
    /// What went out last.
    pub(super) sent: Vec<Dated>,
    pub(super) phase: Phase,
    /// Judged on its own: nothing joins it.
    pub(super) alone: bool,
    /// Its values went out in a call that was not just throttled.
    pub(super) tried: bool,
    /// The needed property was made anew for it once.
    pub(super) ensured_again: bool,
    /// The record it worked on turned out to be gone once.
    pub(super) gone_once: bool,
    /// Associations that wait for this contact to be created.
    pub(super) wanted_by: Vec<StepId>,
}

/// What a record's step asks next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Is there a record with the id?
    Read,
    /// Is there one with these values?
    Search,
    /// Write by the unique property.
    Upsert,
    /// Write by record id.
    Update(RecordId),
    /// Clear the lifecycle stage, so that it may move backwards.
    ClearStage(RecordId, LifecycleStage),
    /// Set it.
    SetStage(RecordId, LifecycleStage),
    /// Was it written, as this phase was to? HubSpot did not say.
    Verify(Box<Phase>),
    /// Written; the contact is being remembered.
    Remember(RecordId),
}

/// Ties a written record to a person's contact.
pub(super) struct AssociateWork {
    pub(super) from_object: ObjectType,
    pub(super) from: RecordId,
    pub(super) to_object: ObjectType,
    pub(super) kind: AssociationType,
    pub(super) person: Person,
    /// The contact, once it is known.
    pub(super) to: Option<RecordId>,
    /// Deliveries that want this association; none when it comes from a waiting link alone.
    pub(super) deliveries: SmallVec<[DeliverySlot; 1]>,
    /// Waiting links that are made with it.
    pub(super) links: Vec<LinkId>,
    /// One of its ends turned out to be gone once.
    pub(super) gone_once: bool,
}

impl Step {
    pub(super) fn new(kind: StepKind) -> Self {
        Self {
            kind,
            state: State::Chained,
            attempts: Attempts::default(),
            unaccounted: 0,
        }
    }
}

impl RecordWork {
    /// Whether more values may still join: nothing of it has been tried, and nothing forbids it.
    pub(super) fn is_joinable(&self, state: State) -> bool {
        if self.alone {
            return false;
        }
        match self.phase {
            Phase::Read | Phase::Search => true,
            // What was tried may have been written although HubSpot did not say so: were it taken apart later because of
            // what joined it, its older values would be written after its newer ones.
            Phase::Upsert | Phase::Update(_) => state != State::OnWire && !self.tried,
            Phase::ClearStage(..) | Phase::SetStage(..) | Phase::Verify(_) | Phase::Remember(_) => {
                false
            }
        }
    }

    /// Whether its values are on the wire.
    pub(super) fn is_being_written(&self, state: State) -> bool {
        state == State::OnWire && matches!(self.phase, Phase::Upsert | Phase::Update(_))
    }

    /// A step on the same record, found the same way, that is judged on its own.
    pub(super) fn alone_with(&self, parts: Vec<Part>) -> Self {
        Self {
            record: self.record.clone(),
            existing: self.existing.clone(),
            when_missing: self.when_missing,
            needs: self.needs.clone(),
            parts,
            riders: Vec::new(),
            sent: Vec::new(),
            phase: self.phase.clone(),
            alone: true,
            tried: false,
            ensured_again: self.ensured_again,
            gone_once: self.gone_once,
            wanted_by: Vec::new(),
        }
    }

    /// The first phase of a record found as `existing` says.
    pub(super) fn first_phase(existing: &Existing, when_missing: WhenMissing) -> Phase {
        match (existing, when_missing) {
            (Existing::ById, WhenMissing::Create) => Phase::Upsert,
            (Existing::ById, WhenMissing::Skip) | (Existing::Search(_), _) => Phase::Read,
        }
    }
}
