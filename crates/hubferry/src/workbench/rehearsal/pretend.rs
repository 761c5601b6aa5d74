//! A portal that starts empty and says yes to everything.

use std::collections::HashMap;

use hubferry_actions::{Properties, PropertyName, PropertyText, RecordId, RecordRef};
use hubferry_hubspot::{Answers, Call, Done, Found, Outcome, Request, StepId};

/// The records written so far.
#[derive(Default)]
pub(super) struct Pretend {
    ids: HashMap<RecordRef, RecordId>,
    records: HashMap<RecordId, Record>,
    next: u64,
}

struct Record {
    key: RecordRef,
    /// As it was last written; HubSpot shows it with every answer.
    stage: Option<String>,
}

const STAGE: &str = "lifecyclestage";

impl Pretend {
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
                    (
                        input.step,
                        Done::Written {
                            id: input.id.clone(),
                            created: Some(false),
                            stage: self.write(&input.id, &input.properties),
                        },
                    )
                })
                .collect(),
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
            // Nobody but hubferry writes here, and what it writes has its id.
            Request::Search { inputs, .. } => inputs
                .iter()
                .map(|input| (input.step, Done::Found(Vec::new())))
                .collect(),
            Request::Associate { .. } | Request::CreateProperty { .. } => call
                .request
                .steps()
                .into_iter()
                .map(|step| (step, Done::There))
                .collect(),
        };
        Answers::PerStep(outcomes.into_iter().map(done).collect())
    }

    /// The record that an id stands for.
    pub(super) fn key_of(&self, id: &RecordId) -> Option<&RecordRef> {
        self.records.get(id).map(|record| &record.key)
    }

    fn upsert(&mut self, key: RecordRef, properties: &Properties) -> Done {
        let known = self.ids.get(&key).cloned();
        let created = known.is_none();
        let id = known.unwrap_or_else(|| {
            self.next += 1;
            let id = RecordId::new(&self.next.to_string());
            self.ids.insert(key.clone(), id.clone());
            self.records.insert(id.clone(), Record { key, stage: None });
            id
        });
        Done::Written {
            stage: self.write(&id, properties),
            id,
            created: Some(created),
        }
    }

    fn write(&mut self, id: &RecordId, properties: &Properties) -> Option<String> {
        let record = self.records.get_mut(id)?;
        if let Some((_, stage)) = properties.iter().find(|(name, _)| name.as_str() == STAGE) {
            record.stage = Some(stage.expose().to_owned());
        }
        record.stage.clone()
    }

    fn read(&self, key: &RecordRef) -> Vec<Found> {
        let Some(id) = self.ids.get(key) else {
            return Vec::new();
        };
        let stage = self
            .records
            .get(id)
            .and_then(|record| record.stage.as_ref());
        let properties = stage
            .map(|stage| (PropertyName::new(STAGE), PropertyText::new(stage)))
            .into_iter()
            .collect();
        vec![Found {
            id: id.clone(),
            properties,
        }]
    }
}

fn done((step, done): (StepId, Done)) -> (StepId, Outcome) {
    (step, Outcome::Done(done))
}
