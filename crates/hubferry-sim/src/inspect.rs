//! Looking inside: typed views for tests in the process, `/sim/…` for everybody else.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::associations::AssociationChange;
use crate::calls::{CallEntry, Summary};
use crate::events::{Occurrence, Tally};
use crate::faults::Faults;
use crate::history::RecordHistory;
use crate::limits::WindowReport;
use crate::objects::ObjectType;
use crate::portal::{Portal, Request};
use crate::properties::PropertyCreate;
use crate::setup::{self, SetupCall};
use crate::state::State;
use crate::switches::Switches;
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

/// A list as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListSnapshot {
    /// The list's id.
    pub list_id: String,
    /// Its name.
    pub name: String,
    /// The type of its members.
    pub object: ObjectType,
    /// `MANUAL`, `SNAPSHOT` or `DYNAMIC`.
    pub processing_type: String,
    /// The ids of its members, in order.
    pub members: Vec<String>,
}

/// An event definition as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventSnapshot {
    /// `pe{portal}_{name}`.
    pub name: String,
    /// Whether it was deleted.
    pub archived: bool,
    /// What was counted.
    pub counted: Tally,
    /// Uuids that came more than once, with how often they came. Each was counted once.
    pub repeats: BTreeMap<String, u32>,
    /// The occurrences that count, in order. Empty when history is off.
    pub occurrences: Vec<Occurrence>,
}

/// What the token endpoints did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OAuthSnapshot {
    /// Codes exchanged.
    pub grants: u64,
    /// Refreshes that gave a token.
    pub refreshes: u64,
    /// Refreshes refused because of their token.
    pub refused_refreshes: u64,
    /// Access tokens given out.
    pub issued: usize,
}

impl Portal {
    /// All lists, in the order they were made.
    #[must_use]
    pub fn lists(&self) -> Vec<ListSnapshot> {
        let state = self.lock();
        let lists = state.lists.all();
        lists
            .map(|list| ListSnapshot {
                list_id: list.id.to_string(),
                name: list.name.clone(),
                object: list.object,
                processing_type: json!(list.processing)
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                members: list.members.keys().map(u64::to_string).collect(),
            })
            .collect()
    }

    /// All event definitions with what was counted for them; the occurrences themselves only when asked for.
    #[must_use]
    pub fn events(&self, with_occurrences: bool) -> Vec<EventSnapshot> {
        let state = self.lock();
        let definitions = state.events.all().iter();
        definitions
            .map(|one| EventSnapshot {
                name: one.full_name.clone(),
                archived: one.archived,
                counted: one.counted,
                repeats: one
                    .repeats()
                    .into_iter()
                    .map(|(uuid, times)| (uuid.to_owned(), times))
                    .collect(),
                occurrences: match with_occurrences {
                    true => one.occurrences.clone(),
                    false => Vec::new(),
                },
            })
            .collect()
    }

    /// What each rate limit has seen since the start: `ten_seconds`, `search`, `associations`, `events`.
    #[must_use]
    pub fn windows(&self, with_times: bool) -> BTreeMap<&'static str, WindowReport> {
        self.lock().meters.reports(with_times)
    }

    /// What the token endpoints did.
    #[must_use]
    pub fn oauth(&self) -> OAuthSnapshot {
        let state = self.lock();
        OAuthSnapshot {
            grants: state.tokens.grants,
            refreshes: state.tokens.refreshes,
            refused_refreshes: state.tokens.refused_refreshes,
            issued: state.tokens.issued.len(),
        }
    }

    /// Ends every access token given out so far, `now` after the start.
    pub(crate) fn expire_tokens(&self, now: Duration) {
        for until in self.lock().tokens.issued.values_mut() {
            *until = now.min(*until);
        }
    }

    /// Every change of an association, oldest first. Empty when history is off.
    #[must_use]
    pub fn association_changes(&self) -> Vec<AssociationChange> {
        self.lock().graph.changes().to_vec()
    }

    /// The switches as they stand.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.lock().switches.clone()
    }

    /// Brings an archived record back as if somebody had done it in HubSpot. False when that cannot be.
    #[must_use = "false means that nothing was restored"]
    pub fn restore(&self, object: ObjectType, id: &str) -> bool {
        let mut state = self.lock();
        let drawer = state.drawer_mut(object);
        let id = drawer.shelf.parse_archived(id);
        id.is_some_and(|id| drawer.shelf.restore(&drawer.book, id))
    }

    /// The object type behind a name, those of the account's own included.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<ObjectType> {
        self.lock().names.resolve(name)
    }

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

    /// All joined pairs, each once and seen from the type that comes first; pairs of one type in both directions.
    #[must_use]
    pub fn associations(&self) -> Vec<AssociationSnapshot> {
        let state = self.lock();
        let mut snapshots = Vec::new();
        for direction in state.graph.directions().filter(|(from, to)| from <= to) {
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
            records: shown(&state)
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
        let object = || {
            let name = field(&query, "object");
            name.map(|name| self.object_type(name)).transpose()
        };
        let asked = |name: &str| field(&query, name) == Some("true");
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
            ("GET", ["windows"]) => Ok(Answer::json(200, &self.windows(asked("times")))),
            ("GET", ["lists"]) => Ok(Answer::json(200, &self.lists())),
            ("GET", ["events"]) => Ok(Answer::json(200, &self.events(asked("occurrences")))),
            ("GET", ["oauth"]) => Ok(Answer::json(200, &self.oauth())),
            ("POST", ["oauth", "expire"]) => {
                self.expire_tokens(now);
                Ok(Answer::empty(204))
            }
            ("GET", ["associations"]) => Ok(Answer::json(200, &self.association_changes())),
            ("GET", ["switches"]) => Ok(Answer::json(200, &self.switches())),
            ("POST", ["switches"]) => {
                self.turn(parsed(request)?)?;
                Ok(Answer::empty(204))
            }
            ("POST", ["setup"]) => {
                let calls: Vec<SetupCall> = parsed(request)?;
                Ok(self.set_up_now(&calls, now))
            }
            ("POST", ["sample"]) => Ok(self.set_up_now(&setup::sample(), now)),
            ("POST", ["restore", object, id]) => {
                match self.restore(self.object_type(object)?, id) {
                    true => Ok(Answer::empty(204)),
                    false => Err(Refusal::not_found()),
                }
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
                self.add_properties(self.object_type(object)?, request, now)
            }
            ("POST", ["delete", object, id]) => match self.delete(self.object_type(object)?, id) {
                true => Ok(Answer::empty(204)),
                false => Err(Refusal::not_found()),
            },
            _ => Err(Refusal::not_found()),
        }
    }

    fn set_up_now(&self, calls: &[SetupCall], now: Duration) -> Answer {
        match self.set_up(calls, now) {
            Ok(()) => Answer::empty(204),
            Err(refused) => refused,
        }
    }

    fn object_type(&self, text: &str) -> Result<ObjectType, Refusal> {
        self.object(text)
            .ok_or_else(|| Refusal::unknown_object(text))
    }

    fn whole_state(&self, only: Option<ObjectType>) -> Value {
        let (objects, own, blocked) = {
            let state = self.lock();
            let objects: Vec<ObjectType> = match only {
                Some(object) => vec![object],
                None => shown(&state).collect(),
            };
            let live = state.schemas.iter().filter(|(_, schema)| !schema.archived);
            let own: BTreeMap<ObjectType, String> = live
                .map(|(object, schema)| (*object, schema.name.clone()))
                .collect();
            (objects, own, state.blocked.clone())
        };
        let records: BTreeMap<ObjectType, _> = objects
            .iter()
            .map(|object| (*object, self.records(*object)))
            .collect();
        let properties: BTreeMap<ObjectType, _> = objects
            .iter()
            .map(|object| (*object, self.custom_properties(*object)))
            .collect();
        json!({"records": records, "associations": self.associations(), "properties": properties,
            "objects": own, "lists": self.lists(), "events": self.events(false), "blocked": blocked})
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

/// Types worth showing: contacts and companies, and whatever has records or properties of the account's own.
fn shown(state: &State) -> impl Iterator<Item = ObjectType> {
    state.objects().filter(|object| {
        let always = matches!(object, ObjectType::Contacts | ObjectType::Companies);
        let drawer = state.drawer(*object);
        always || drawer.shelf.len() > 0 || drawer.book.own() > 0
    })
}

fn parsed<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| Refusal::bad_json(&error))
}
