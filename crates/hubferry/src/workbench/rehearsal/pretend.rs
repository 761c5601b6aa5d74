//! A portal without records that says yes: to everything where nothing is known of its schema, else to what the pinned
//! schema takes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hubferry_actions::{
    EventDefinition, EventName, EventPropertyDefinition, EventPropertyInfo, ListInfo, ListName,
    OccurrenceStep, Plan, Properties, PropertyName, PropertyText, RecordId, RecordRef, Sensitivity,
    ValueKind, ValueType, WhenUndefined, Work,
};
use hubferry_hubspot::{Answers, Call, Done, Fact, Found, Outcome, Request, StepId};

use crate::pinned::PinnedPortal;

/// What was written so far.
#[derive(Default)]
pub(super) struct Pretend {
    pinned: Option<Arc<PinnedPortal>>,
    ids: HashMap<RecordRef, RecordId>,
    stages: HashMap<RecordId, String>,
    next: u64,
    /// Properties that were created.
    properties: BTreeMap<(String, PropertyName), ValueKind>,
    /// Definitions that were created, or that somebody must have made because no mapping makes them.
    definitions: HashMap<EventName, EventDefinition>,
    lists: HashMap<ListName, ListInfo>,
}

const STAGE: &str = "lifecyclestage";

impl Pretend {
    /// An empty portal.
    pub(super) fn new(pinned: Option<Arc<PinnedPortal>>) -> Self {
        Self {
            pinned,
            ..Self::default()
        }
    }

    /// Makes up the event definition that a plan takes for granted, when nothing is known of the portal.
    pub(super) fn expect(&mut self, plan: &Plan) {
        let Work::Occurrence(step) = &plan.work else {
            return;
        };
        if self.pinned.is_none() && step.definition.definition != WhenUndefined::Create {
            self.define_for(step);
        }
    }

    fn define_for(&mut self, step: &OccurrenceStep) {
        let definition = self.definition(&step.event);
        for (name, value) in &step.properties {
            add_property(definition, name.as_str(), value.kind());
        }
    }

    /// The definition of this name, made when there is none.
    fn definition(&mut self, event: &EventName) -> &mut EventDefinition {
        self.definitions
            .entry(event.clone())
            .or_insert_with(|| EventDefinition {
                full_name: event.as_str().into(),
                name: event.as_str().into(),
                archived: false,
                properties: Vec::new(),
            })
    }

    /// Does what a call asks.
    pub(super) fn answer(&mut self, call: &Call) -> Answers {
        let outcomes = match &call.request {
            Request::Upsert {
                object,
                id_property,
                inputs,
            } => {
                let mut done = Vec::new();
                for input in inputs {
                    let key = RecordRef {
                        object: object.clone(),
                        id_property: id_property.clone(),
                        value: input.value.clone(),
                    };
                    done.push((input.step, self.upsert(key, &input.properties)));
                }
                done
            }
            Request::Update { inputs, .. } => inputs
                .iter()
                .map(|input| {
                    let done = Done::Written {
                        id: input.id.clone(),
                        created: Some(false),
                        stage: self.write(&input.id, &input.properties),
                    };
                    (input.step, done)
                })
                .collect(),
            Request::Create { object, inputs } => {
                let mut done = Vec::new();
                for input in inputs {
                    let key = match &input.unique {
                        Some((property, value)) => RecordRef {
                            object: object.clone(),
                            id_property: property.clone(),
                            value: value.clone(),
                        },
                        None => RecordRef::fresh(object.clone(), &input.step.0.to_string()),
                    };
                    done.push((input.step, self.upsert(key, &input.properties)));
                }
                done
            }
            Request::Read {
                object,
                id_property,
                inputs,
                ..
            } => inputs
                .iter()
                .map(|input| {
                    let key = RecordRef {
                        object: object.clone(),
                        id_property: id_property.clone(),
                        value: input.value.clone(),
                    };
                    (input.step, Done::Found(self.read(&key)))
                })
                .collect(),
            // Nobody but hubferry writes here, and what it writes it remembers.
            Request::Search { inputs, .. } => inputs
                .iter()
                .map(|input| (input.step, Done::Found(Vec::new())))
                .collect(),
            Request::CreateProperties { object, inputs } => {
                for input in inputs {
                    let name = input.definition.name.clone();
                    self.properties
                        .insert((object.as_str().to_owned(), name), input.definition.kind);
                }
                all_there(call)
            }
            Request::Archive { inputs, .. } => {
                for input in inputs {
                    self.remove(&input.id);
                }
                all_there(call)
            }
            Request::GdprDelete { contact, .. } => {
                self.remove(contact);
                all_there(call)
            }
            Request::Link { .. } | Request::SendEvents { .. } | Request::ChangeMembers { .. } => {
                all_there(call)
            }
            Request::CreateEventDefinition {
                event, properties, ..
            } => {
                let definition = self.definition(event);
                for property in properties {
                    add(definition, property);
                }
                all_there(call)
            }
            Request::CreateEventProperty { definition, .. } => {
                add(self.definition(&definition.event), definition);
                all_there(call)
            }
            Request::CreateList { list, .. } => {
                self.next += 1;
                let info = ListInfo {
                    id: self.next.to_string().into(),
                    writable: true,
                };
                self.lists.insert(list.clone(), info);
                all_there(call)
            }
            Request::ReadProperties {
                step,
                object,
                sensitivity,
            } => {
                let fact = self.properties_of(object.as_str(), *sensitivity);
                vec![(*step, Done::Learned(fact))]
            }
            Request::ReadObjectType { step, object } => {
                let pinned = self.pinned.as_ref();
                let id = pinned.and_then(|portal| portal.type_id(object.as_str()));
                let fact = Fact::TypeId(id.unwrap_or("2-1").into());
                vec![(*step, Done::Learned(fact))]
            }
            Request::ReadEventDefinition { step, event } => {
                vec![(*step, Done::Learned(self.definition_of(event)))]
            }
            Request::ReadList { step, list } => vec![(*step, Done::Learned(self.list_of(list)))],
        };
        Answers::PerStep(outcomes.into_iter().map(done).collect())
    }

    fn remove(&mut self, gone: &RecordId) {
        self.ids.retain(|_, id| id != gone);
        self.stages.remove(gone);
    }

    fn properties_of(&self, object: &str, sensitivity: Sensitivity) -> Fact {
        let pinned = self.pinned.as_ref();
        let Some(known) = pinned.and_then(|portal| portal.properties(object)) else {
            return Fact::Absent;
        };
        let created = self.properties.iter();
        let created = created
            .filter(|((of, _), _)| of == object)
            .map(|((_, name), kind)| (name.clone(), *kind));
        Fact::Properties(known.with(sensitivity, created))
    }

    fn definition_of(&self, event: &EventName) -> Fact {
        let pinned = self.pinned.as_ref();
        let known = self
            .definitions
            .get(event)
            .or_else(|| pinned.and_then(|portal| portal.definition(event.as_str())));
        known.map_or(Fact::Absent, |definition| {
            Fact::Definition(definition.clone())
        })
    }

    fn list_of(&self, list: &ListName) -> Fact {
        let pinned = self.pinned.as_ref();
        let known = self
            .lists
            .get(list)
            .or_else(|| pinned.and_then(|portal| portal.list(list)));
        known.map_or(Fact::Absent, |info| Fact::List(info.clone()))
    }

    fn upsert(&mut self, key: RecordRef, properties: &Properties) -> Done {
        let known = self.ids.get(&key).cloned();
        let created = known.is_none();
        let id = known.unwrap_or_else(|| {
            self.next += 1;
            let id = RecordId::new(&self.next.to_string());
            self.ids.insert(key, id.clone());
            id
        });
        Done::Written {
            stage: self.write(&id, properties),
            id,
            created: Some(created),
        }
    }

    /// HubSpot shows the stage as it was last written with every answer.
    fn write(&mut self, id: &RecordId, properties: &Properties) -> Option<String> {
        if let Some((_, stage)) = properties.iter().find(|(name, _)| name.as_str() == STAGE) {
            self.stages.insert(id.clone(), stage.expose().to_owned());
        }
        self.stages.get(id).cloned()
    }

    fn read(&self, key: &RecordRef) -> Vec<Found> {
        let Some(id) = self.ids.get(key) else {
            return Vec::new();
        };
        let properties = self
            .stages
            .get(id)
            .map(|stage| (PropertyName::new(STAGE), PropertyText::new(stage)))
            .into_iter()
            .collect();
        vec![Found {
            id: id.clone(),
            properties,
        }]
    }
}

fn add(definition: &mut EventDefinition, property: &EventPropertyDefinition) {
    add_property(definition, property.name.as_str(), property.kind);
}

fn add_property(definition: &mut EventDefinition, name: &str, kind: ValueKind) {
    if definition
        .properties
        .iter()
        .any(|known| *known.name == *name)
    {
        return;
    }
    definition.properties.push(EventPropertyInfo {
        name: name.into(),
        value: match kind {
            ValueKind::Number => ValueType::Number,
            ValueKind::Boolean => ValueType::Boolean,
            ValueKind::Date | ValueKind::DateTime => ValueType::DateTime,
            ValueKind::Text => ValueType::Text,
        },
        archived: false,
    });
}

fn all_there(call: &Call) -> Vec<(StepId, Done)> {
    let steps = call.request.steps().into_iter();
    steps.map(|step| (step, Done::There)).collect()
}

fn done((step, done): (StepId, Done)) -> (StepId, Outcome) {
    (step, Outcome::Done(done))
}
