//! What a call says: the inputs of its steps.

use std::sync::Arc;

use hubferry_actions::{Existing, Properties, PropertyName, PropertyText, SearchBy};
use hubferry_hubspot::{
    ArchiveInput, CreateInput, CreatePropertyInput, LinkInput, MemberInput, ReadInput, Request,
    SearchInput, StepId, UpdateInput, UpsertInput,
};
use hubferry_memory::FactKey;

use super::Scheduler;
use super::associations::email_of;
use super::calls::OnWire;
use super::ensure::{EnsureId, Piece};
use super::facts::ReadFact;
use super::records::LIFECYCLE_STAGE;
use super::step::{Phase, RecordWork, StepKind};
use crate::queues::QueueKey;

impl Scheduler {
    /// The request of a batch.
    pub(super) fn compose(&mut self, on_wire: &OnWire) -> Option<Request> {
        for step in &on_wire.steps {
            if self
                .record_work(*step)
                .is_some_and(|work| work.phase.writes())
            {
                self.compose_record(*step);
            }
        }
        let key = self.queues.key(on_wire.queue).clone();
        if key == QueueKey::SendEvents {
            let steps = on_wire.steps.iter();
            return Some(Request::SendEvents {
                inputs: steps
                    .filter_map(|step| self.occurrence_input(*step))
                    .collect(),
            });
        }
        let steps = on_wire
            .steps
            .iter()
            .filter_map(|id| self.steps.get(id).map(|step| (*id, &step.kind)));
        Some(match key {
            QueueKey::Upsert {
                object,
                id_property,
            } => Request::Upsert {
                object,
                id_property,
                inputs: steps.filter_map(upsert_input).collect(),
            },
            QueueKey::Update { object } => Request::Update {
                object,
                inputs: steps.filter_map(update_input).collect(),
            },
            QueueKey::Create { object } => Request::Create {
                object,
                inputs: steps.filter_map(create_input).collect(),
            },
            QueueKey::Read {
                object,
                id_property,
            } => Request::Read {
                object,
                id_property,
                properties: self.wanted_back(&on_wire.steps),
                inputs: steps.filter_map(read_input).collect(),
            },
            QueueKey::Search { object } => Request::Search {
                object,
                inputs: steps.filter_map(search_input).collect(),
            },
            QueueKey::Link { change, from, to } => Request::Link {
                change,
                from,
                to,
                inputs: steps.filter_map(link_input).collect(),
            },
            QueueKey::Members { list } => Request::ChangeMembers {
                list,
                inputs: steps.filter_map(member_input).collect(),
            },
            QueueKey::Archive { object } => Request::Archive {
                object,
                inputs: steps.filter_map(archive_input).collect(),
            },
            QueueKey::SendEvents => return None,
            QueueKey::CreateProperties { object } => Request::CreateProperties {
                object,
                inputs: steps.filter_map(|step| self.property_input(step)).collect(),
            },
            QueueKey::Single(_) => {
                let (step, kind) = steps.into_iter().next()?;
                match kind {
                    StepKind::Ensure(id) => self.ensure_request(step, *id)?,
                    StepKind::Fact(read) => fact_request(step, read),
                    StepKind::Deletion(work) => Request::GdprDelete {
                        step,
                        contact: work.contact()?.clone(),
                    },
                    _ => return None,
                }
            }
        })
    }

    fn property_input(&self, (step, kind): (StepId, &StepKind)) -> Option<CreatePropertyInput> {
        let StepKind::Ensure(id) = kind else {
            return None;
        };
        let Piece::Property(definition) = self.ensures.piece(*id) else {
            return None;
        };
        Some(CreatePropertyInput {
            step,
            definition: definition.clone(),
        })
    }

    fn ensure_request(&self, step: StepId, id: EnsureId) -> Option<Request> {
        Some(match self.ensures.piece(id).clone() {
            Piece::Property(_) => return None,
            Piece::Definition(definition) => Request::CreateEventDefinition {
                step,
                event: definition.event,
                object: definition.object,
                properties: definition.properties,
            },
            Piece::EventProperty(definition) => Request::CreateEventProperty { step, definition },
            Piece::List(list) => {
                let type_id = self.type_id_of(&list.object)?;
                Request::CreateList {
                    step,
                    list,
                    type_id,
                }
            }
        })
    }
}

fn fact_request(step: StepId, read: &ReadFact) -> Request {
    match read.key.clone() {
        FactKey::Properties(object) => Request::ReadProperties {
            step,
            object,
            sensitivity: read.sensitivity,
        },
        FactKey::TypeId(object) => Request::ReadObjectType { step, object },
        FactKey::Definition(event) => Request::ReadEventDefinition { step, event },
        FactKey::List(list) => Request::ReadList { step, list },
    }
}

fn sent_properties(work: &RecordWork) -> Properties {
    work.sent
        .iter()
        .map(|sent| (sent.name.clone(), sent.value.clone()))
        .collect()
}

fn upsert_input((step, kind): (StepId, &StepKind)) -> Option<UpsertInput> {
    let StepKind::Record(work) = kind else {
        return None;
    };
    Some(UpsertInput {
        step,
        value: Arc::clone(&work.record.value),
        properties: sent_properties(work),
    })
}

fn create_input((step, kind): (StepId, &StepKind)) -> Option<CreateInput> {
    let StepKind::Record(work) = kind else {
        return None;
    };
    let record = &work.record;
    let unique = record
        .has_unique_property()
        .then(|| (record.id_property.clone(), Arc::clone(&record.value)));
    Some(CreateInput {
        step,
        unique,
        properties: sent_properties(work),
    })
}

fn update_input((step, kind): (StepId, &StepKind)) -> Option<UpdateInput> {
    let StepKind::Record(work) = kind else {
        return None;
    };
    let stage = |text: &str| vec![(PropertyName::new(LIFECYCLE_STAGE), PropertyText::new(text))];
    let (id, properties) = match &work.phase {
        Phase::Update(id) => {
            let mut properties = sent_properties(work);
            // A record found by other values is adopted: from now on it is found by the id. An e-mail is left alone, it may
            // be a contact's second one.
            if work.record.has_unique_property() && work.record.id_property.as_str() != "email" {
                let value = PropertyText::new(&work.record.value);
                properties.push((work.record.id_property.clone(), value));
            }
            (id, properties)
        }
        Phase::ClearStage(id, _) => (id, stage("")),
        Phase::SetStage(id, wish) => (id, stage(wish.as_str())),
        Phase::LookUp
        | Phase::Read
        | Phase::Search
        | Phase::Upsert
        | Phase::Create
        | Phase::Verify(_)
        | Phase::Remember(_) => return None,
    };
    Some(UpdateInput {
        step,
        id: id.clone(),
        properties,
    })
}

fn read_input((step, kind): (StepId, &StepKind)) -> Option<ReadInput> {
    let value = match kind {
        StepKind::Record(work) => Arc::clone(&work.record.value),
        StepKind::Target(work) => Arc::clone(&work.target.record.value),
        StepKind::Associate(work) => Arc::from(email_of(&work.person)?),
        _ => return None,
    };
    Some(ReadInput { step, value })
}

/// What a step that searches searches by.
pub(super) fn search_of(kind: &StepKind) -> Option<&SearchBy> {
    let existing = match kind {
        StepKind::Record(work) if work.phase == Phase::Search => &work.existing,
        StepKind::Target(work) => &work.target.existing,
        _ => return None,
    };
    match existing {
        Existing::Search(by) | Existing::SearchAlone(by) => Some(by),
        Existing::ById | Existing::Nowhere => None,
    }
}

fn search_input((step, kind): (StepId, &StepKind)) -> Option<SearchInput> {
    search_of(kind).map(|by| SearchInput {
        step,
        filters: by.fields.clone(),
        mode: by.mode,
    })
}

fn link_input((step, kind): (StepId, &StepKind)) -> Option<LinkInput> {
    let StepKind::Link(work) = kind else {
        return None;
    };
    Some(LinkInput {
        step,
        from: work.from.1.clone(),
        to: work.to.1.clone(),
        kinds: work.wishes.iter().map(|wish| wish.kind.clone()).collect(),
    })
}

fn archive_input((step, kind): (StepId, &StepKind)) -> Option<ArchiveInput> {
    let StepKind::Deletion(work) = kind else {
        return None;
    };
    let id = work.contact()?.clone();
    Some(ArchiveInput { step, id })
}

fn member_input((step, kind): (StepId, &StepKind)) -> Option<MemberInput> {
    let StepKind::Member(work) = kind else {
        return None;
    };
    Some(MemberInput {
        step,
        record: work.record.clone(),
        change: work.wish.change,
    })
}
