//! Looking inside: typed views for tests in the process, `/sim/…` for everybody else.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::calls::{CallEntry, Summary};
use crate::faults::Faults;
use crate::history::RecordHistory;
use crate::objects::ObjectType;
use crate::portal::{Portal, Request};
use crate::properties::PropertyCreate;
use crate::urls::{field, form};

/// A record as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordSnapshot {
    /// The record's id.
    pub id: String,
    /// Its properties that have a value, the ones HubSpot makes included.
    pub properties: BTreeMap<String, String>,
}

/// A joined pair as it stands, seen from the type that comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssociationSnapshot {
    /// The object type it is seen from.
    pub from_object: ObjectType,
    /// The record it is seen from.
    pub from: String,
    /// The other object type.
    pub to_object: ObjectType,
    /// The other record.
    pub to: String,
    /// The ids of its association types in this direction.
    pub type_ids: Vec<u32>,
}

impl Portal {
    /// All live records of a type, oldest first.
    #[must_use]
    pub fn records(&self, object: ObjectType) -> Vec<RecordSnapshot> {
        let state = self.lock();
        let drawer = state.drawer(object);
        drawer
            .shelf
            .ids()
            .map(|id| RecordSnapshot {
                id: id.to_string(),
                properties: drawer.shelf.everything(&drawer.book, id),
            })
            .collect()
    }

    /// All joined pairs, each once: contact to company, contact to contact and company to company in both directions.
    #[must_use]
    pub fn associations(&self) -> Vec<AssociationSnapshot> {
        use ObjectType::{Companies, Contacts};
        let state = self.lock();
        let mut snapshots = Vec::new();
        for direction in [
            (Contacts, Companies),
            (Contacts, Contacts),
            (Companies, Companies),
        ] {
            for (from, to) in state.graph.pairs(direction) {
                let types = state.graph.types_of(direction, from, to);
                snapshots.push(AssociationSnapshot {
                    from_object: direction.0,
                    from: from.to_string(),
                    to_object: direction.1,
                    to: to.to_string(),
                    type_ids: types.iter().map(|one| one.type_id).collect(),
                });
            }
        }
        snapshots
    }

    /// The names of the properties an account added to a type.
    #[must_use]
    pub fn custom_properties(&self, object: ObjectType) -> Vec<String> {
        let state = self.lock();
        let own = state
            .drawer(object)
            .book
            .all()
            .filter(|property| !property.built_in && !property.archived);
        own.map(|property| property.name.to_string()).collect()
    }

    /// Counts of the whole run.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let state = self.lock();
        let endpoints = state.log.endpoints();
        Summary {
            records: ObjectType::ALL
                .into_iter()
                .map(|object| (object, state.drawer(object).shelf.len()))
                .collect(),
            associations: state.graph.len(),
            calls: endpoints.values().map(|endpoint| endpoint.calls).sum(),
            throttled: endpoints.values().map(|endpoint| endpoint.throttled).sum(),
            inputs: endpoints.values().map(|endpoint| endpoint.inputs).sum(),
            endpoints,
            worst_ten_seconds: state.meters.worst_ten_seconds(),
            worst_search_second: state.meters.worst_search_second(),
            worst_association_ten_seconds: state.meters.worst_association_ten_seconds(),
            used_today: state.meters.used_today(),
        }
    }

    /// The latest 200,000 calls in the order they were answered.
    #[must_use]
    pub fn calls(&self) -> Vec<CallEntry> {
        self.lock().log.entries()
    }

    /// Every write to every record of a type, archived ones included. Empty when history is off.
    #[must_use]
    pub fn history(&self, object: ObjectType) -> Vec<RecordHistory> {
        let state = self.lock();
        let drawer = state.drawer(object);
        drawer.shelf.histories(&drawer.book)
    }

    /// Removes a record as if somebody had done it in HubSpot. False when there was none.
    #[must_use = "false means that nothing was there to remove"]
    pub fn delete(&self, object: ObjectType, id: &str) -> bool {
        let mut state = self.lock();
        let id = state.drawer(object).shelf.parse_id(id);
        id.is_some_and(|id| state.archive(object, id))
    }

    /// Answers a call under `/sim/`. None of these count as calls.
    pub(crate) fn inspected(&self, request: &Request, now: Duration) -> Answer {
        self.inspect(request, now)
            .unwrap_or_else(|refusal| refusal.into_answer("sim"))
    }

    fn inspect(&self, request: &Request, now: Duration) -> Reply {
        let query = form(&request.query);
        let object = || field(&query, "object").map(object_type).transpose();
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').skip(1).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["state"]) => Ok(Answer::json(200, &self.whole_state(object()?))),
            ("GET", ["summary"]) => Ok(Answer::json(200, &self.summary())),
            ("GET", ["calls"]) => Ok(Answer::json(200, &self.calls())),
            ("GET", ["history"]) => {
                let object = object()?.ok_or_else(|| {
                    Refusal::validation("object is required: contacts or companies")
                })?;
                Ok(Answer::json(200, &self.history(object)))
            }
            ("POST", ["reset"]) => {
                self.reset();
                Ok(Answer::empty(204))
            }
            ("POST", ["faults"]) => {
                let faults: Faults = parsed(request)?;
                self.set_faults(faults);
                Ok(Answer::empty(204))
            }
            ("POST", ["properties", object]) => {
                self.add_properties(object_type(object)?, request, now)
            }
            ("POST", ["delete", object, id]) => match self.delete(object_type(object)?, id) {
                true => Ok(Answer::empty(204)),
                false => Err(Refusal::not_found()),
            },
            _ => Err(Refusal::not_found()),
        }
    }

    fn whole_state(&self, only: Option<ObjectType>) -> Value {
        let objects = || {
            ObjectType::ALL
                .into_iter()
                .filter(|object| only.is_none_or(|only| only == *object))
        };
        let records: BTreeMap<ObjectType, _> = objects()
            .map(|object| (object, self.records(object)))
            .collect();
        let properties: BTreeMap<ObjectType, _> = objects()
            .map(|object| (object, self.custom_properties(object)))
            .collect();
        json!({"records": records, "associations": self.associations(), "properties": properties})
    }

    /// Adds definitions that are known to writes at once, whatever `property_delay` says.
    fn add_properties(&self, object: ObjectType, request: &Request, now: Duration) -> Reply {
        let creates: Vec<PropertyCreate> = parsed(request)?;
        let mut state = self.lock();
        let book = &mut state.drawer_mut(object).book;
        for create in creates {
            book.create(create, Duration::ZERO, self.stamp(now, 0).at_ms)?;
        }
        Ok(Answer::empty(204))
    }
}

fn object_type(text: &str) -> Result<ObjectType, Refusal> {
    ObjectType::parse(text).ok_or_else(|| Refusal::unknown_object(text))
}

fn parsed<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| Refusal::bad_json(&error))
}
