//! A step: what it asks, where it stands, what it has been through.

use hubferry_actions::{
    AssociationType, Existing, LifecycleStage, ObjectType, Person, PropertyDefinition, RecordId,
    RecordRef, WhenFound, WhenMissing,
};
use hubferry_hubspot::StepId;
use hubferry_memory::LinkId;
use smallvec::SmallVec;

use super::DeliverySlot;
use super::deletions::DeletionWork;
use super::ensure::EnsureId;
use super::facts::ReadFact;
use super::links::LinkWork;
use super::lists::MemberWork;
use super::occurrences::OccurrenceWork;
use super::targets::TargetWork;
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
    /// Writes a record.
    Record(Box<RecordWork>),
    /// Looks for a person's contact, to tie a written record to it.
    Associate(Box<AssociateWork>),
    /// Looks for the other end of an association.
    Target(Box<TargetWork>),
    /// Ties and unties two records.
    Link(Box<LinkWork>),
    /// Adds a record to a list, or takes it off.
    Member(Box<MemberWork>),
    /// Sends an occurrence of an event.
    Occurrence(Box<OccurrenceWork>),
    /// Takes a contact away.
    Deletion(Box<DeletionWork>),
    /// Creates a piece of the schema.
    Ensure(EnsureId),
    /// Reads a part of the schema.
    Fact(Box<ReadFact>),
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
    /// For something else that has to be done first.
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
    pub(super) when_found: WhenFound,
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
    /// The record it worked on turned out to be gone once, or to exist although it was not found.
    pub(super) gone_once: bool,
    /// The record stood twice in a call: its values are sent again when the call is answered.
    pub(super) once_more: bool,
    /// Associations and targets that wait for this record to be there.
    pub(super) wanted_by: Vec<StepId>,
}

/// What a record's step asks next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Does the fleet's memory know the record's id?
    LookUp,
    /// Is there a record with the id?
    Read,
    /// Is there one with these values?
    Search,
    /// Write by the unique property.
    Upsert,
    /// Make a record.
    Create,
    /// Write by record id.
    Update(RecordId),
    /// Clear the lifecycle stage, so that it may move backwards.
    ClearStage(RecordId, LifecycleStage),
    /// Set it.
    SetStage(RecordId, LifecycleStage),
    /// Was it written, as this phase was to? HubSpot did not say.
    Verify(Box<Phase>),
    /// Written; it is being remembered.
    Remember(RecordId),
}

/// Finds a person's contact, for a written record to be tied to.
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
    /// Deliveries by which the contact became known for which a link waited. They end after it, whatever comes of it: until
    /// then a crash brings their event again, and with it the link.
    pub(super) behind: Vec<DeliverySlot>,
    /// One of its ends turned out to be gone once.
    pub(super) gone_once: bool,
    /// When it was wished for: the event's time, and the order of arrival.
    pub(super) wished: (i64, u64),
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

impl Phase {
    /// Whether it writes the values.
    pub(super) const fn writes(&self) -> bool {
        matches!(self, Self::Upsert | Self::Create | Self::Update(_))
    }

    /// Whether it comes before the values are written.
    pub(super) const fn looks(&self) -> bool {
        matches!(self, Self::LookUp | Self::Read | Self::Search)
    }
}

impl RecordWork {
    /// Whether more values may still join: nothing of it has been tried, and nothing forbids it.
    pub(super) fn is_joinable(&self, state: State) -> bool {
        if self.alone {
            return false;
        }
        // What was tried may have been written although HubSpot did not say so: were it taken apart later because of
        // what joined it, its older values would be written after its newer ones.
        (self.phase.looks() && !self.tried)
            || (self.phase.writes() && state != State::OnWire && !self.tried)
    }

    /// Whether its values are on the wire.
    pub(super) fn is_being_written(&self, state: State) -> bool {
        state == State::OnWire && self.phase.writes()
    }

    /// A step on the same record, found the same way, that is judged on its own.
    pub(super) fn alone_with(&self, parts: Vec<Part>) -> Self {
        Self {
            record: self.record.clone(),
            existing: self.existing.clone(),
            when_missing: self.when_missing,
            when_found: self.when_found,
            needs: self.needs.clone(),
            parts,
            riders: Vec::new(),
            sent: Vec::new(),
            phase: self.phase.clone(),
            alone: true,
            tried: false,
            ensured_again: self.ensured_again,
            gone_once: self.gone_once,
            once_more: false,
            wanted_by: Vec::new(),
        }
    }

    /// What is asked first.
    pub(super) fn first_phase(
        record: &RecordRef,
        existing: &Existing,
        when_missing: WhenMissing,
        when_found: WhenFound,
    ) -> Phase {
        if let Some(id) = record.record_id() {
            return Phase::Update(id);
        }
        match (existing, when_missing, when_found) {
            (Existing::Nowhere, ..) => Phase::Create,
            (Existing::SearchAlone(_), ..) => Phase::LookUp,
            (Existing::ById, WhenMissing::Create, WhenFound::Write) => Phase::Upsert,
            (Existing::ById | Existing::Search(_), ..) => Phase::Read,
        }
    }

    /// What makes the record when it was not found.
    pub(super) fn making_phase(&self) -> Phase {
        match self.when_found {
            WhenFound::Write if self.record.has_unique_property() => Phase::Upsert,
            _ => Phase::Create,
        }
    }
}
