//! HubSpot and the fleet's memory, as plain maps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use hubferry_actions::{
    EventDefinition, EventPropertyInfo, LinkChange, ListInfo, MatchMode, MembershipChange,
    ObjectProperties, ObjectType, PropertyInfo, PropertyName, PropertyText, RecordId, RecordRef,
    Sensitivity, ValueKind, ValueType,
};
use hubferry_event::IdentityKey;
use hubferry_hubspot::{
    Answers, Bucket, Call, Cause, Code, CreateInput, Done, ErrorClass, Fact, Found, Hold,
    HoldScope, LinkInput, MemberInput, OccurrenceInput, Outcome, Refusal, Rejection, Request,
    Resume, SearchInput, StepId, UpdateInput, UpsertInput,
};
use hubferry_memory::{EnsureKey, EnsureState, FactKey, Finding, Inquiry, Link};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// What goes wrong, in thousandths of calls or inputs.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Faults {
    pub(super) throttled: u32,
    pub(super) transient: u32,
    /// Written, but no answer came.
    pub(super) ambiguous: u32,
    pub(super) unaccounted: u32,
    /// A batch with a bad value is refused as a whole instead of per input.
    pub(super) whole: u32,
}

/// The association type that every other implies: who takes it away takes all away.
pub(super) const UNLABELLED: u32 = 1;

#[derive(Default)]
pub(super) struct Portal {
    pub(super) next_id: u64,
    /// Object type and unique value, whatever the property.
    pub(super) ids: BTreeMap<(String, String), String>,
    pub(super) records: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) objects: BTreeMap<String, String>,
    pub(super) history: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    pub(super) associations: BTreeSet<(String, String)>,
    /// From, to, type.
    pub(super) labels: BTreeSet<(String, String, u32)>,
    pub(super) properties: BTreeSet<String>,
    pub(super) calls: Vec<(String, usize)>,
    /// Records that a search does not find yet.
    pub(super) unindexed: BTreeSet<String>,
    /// Whether what is created is searchable only after a while.
    pub(super) search_lags: bool,
    pub(super) schemas: BTreeMap<String, ObjectProperties>,
    /// Whether the schema may be read.
    pub(super) schema_is_secret: bool,
    pub(super) definitions: BTreeMap<String, EventDefinition>,
    /// What was sent, in order: uuid and e-mail. Equal ones once.
    pub(super) occurrences: Vec<(String, String)>,
    uuids: BTreeSet<String>,
    pub(super) inputs: Vec<OccurrenceInput>,
    /// So many sends are refused after a definition was created.
    pub(super) unsettled: u32,
    pub(super) lists: BTreeMap<(String, String), ListInfo>,
    pub(super) members: BTreeMap<String, BTreeSet<String>>,
    /// What changed a list, in order: record, whether it joined.
    pub(super) changes: Vec<(String, bool)>,
    /// The contacts that were deleted, and how.
    pub(super) deleted: Vec<(String, String)>,
    pub(super) people: BTreeMap<IdentityKey, RecordId>,
    pub(super) links: Vec<(Vec<IdentityKey>, Link)>,
    pub(super) known: HashMap<RecordRef, RecordId>,
    pub(super) facts: HashMap<FactKey, Box<str>>,
    pub(super) ensured: Vec<EnsureKey>,
}

impl Portal {
    fn id_of(&mut self, object: &ObjectType, value: &str) -> String {
        let key = (object.as_str().to_owned(), value.to_owned());
        if let Some(id) = self.ids.get(&key) {
            return id.clone();
        }
        let id = self.new_id(object);
        self.ids.insert(key, id.clone());
        id
    }

    fn new_id(&mut self, object: &ObjectType) -> String {
        self.next_id += 1;
        let id = self.next_id.to_string();
        self.objects.insert(id.clone(), object.as_str().to_owned());
        if self.search_lags {
            self.unindexed.insert(id.clone());
        }
        id
    }

    /// Puts a record there, as if by hand.
    pub(super) fn put(
        &mut self,
        object: &str,
        unique: Option<&str>,
        values: &[(&str, &str)],
    ) -> String {
        let object = ObjectType::new(object);
        let id = match unique {
            Some(value) => self.id_of(&object, value),
            None => self.new_id(&object),
        };
        self.unindexed.remove(&id);
        self.write(&id, &super::properties(values));
        id
    }

    fn delete(&mut self, how: &str, id: &str) {
        if self.records.contains_key(id) {
            self.deleted.push((how.to_owned(), id.to_owned()));
        }
        self.remove(id);
    }

    /// Takes a record away, as if by hand.
    pub(super) fn remove(&mut self, id: &str) {
        self.records.remove(id);
        self.ids.retain(|_, known| known != id);
    }

    pub(super) fn write(
        &mut self,
        id: &str,
        values: &[(PropertyName, PropertyText)],
    ) -> Option<String> {
        let record = self.records.entry(id.to_owned()).or_default();
        let mut written = BTreeMap::new();
        for (name, value) in values {
            written.insert(name.as_str().to_owned(), value.expose().to_owned());
            let backwards = name.as_str() == "lifecyclestage"
                && record
                    .get("lifecyclestage")
                    .is_some_and(|now| rank(now) > rank(value.expose()))
                && !value.expose().is_empty();
            if !backwards {
                record.insert(name.as_str().to_owned(), value.expose().to_owned());
            }
        }
        let stage = record.get("lifecyclestage").cloned();
        self.history.entry(id.to_owned()).or_default().push(written);
        stage
    }

    pub(super) fn answer(&mut self, call: &Call, faults: Faults, chance: &mut StdRng) -> Answers {
        let steps = call.request.steps();
        let distinct: BTreeSet<_> = steps.iter().collect();
        assert_eq!(distinct.len(), steps.len(), "a step stands twice in a call");
        assert!(!steps.is_empty() && steps.len() <= call.request.endpoint().max_inputs());
        self.calls
            .push((call.request.endpoint().name(), steps.len()));
        if happens(chance, faults.throttled) {
            return each(&steps, |_| Outcome::Throttled {
                resume: Resume::Limiter,
                bucket: Bucket::Burst,
            });
        }
        if happens(chance, faults.transient) {
            return each(&steps, |_| Outcome::Transient {
                cause: Cause::Server(500),
                after: None,
            });
        }
        let ambiguous = happens(chance, faults.ambiguous);
        let whole = happens(chance, faults.whole);
        let answers = self.do_it(call, whole, faults, chance);
        if ambiguous && !matches!(call.request, Request::Read { .. }) {
            return each(&steps, |_| Outcome::Transient {
                cause: Cause::Timeout,
                after: None,
            });
        }
        answers
    }

    fn do_it(&mut self, call: &Call, whole: bool, faults: Faults, chance: &mut StdRng) -> Answers {
        match &call.request {
            Request::Upsert {
                object,
                id_property,
                inputs,
            } => {
                distinct(inputs.iter().map(|i| i.value.to_string()));
                if id_property.as_str() == "segment_group_id" {
                    assert!(
                        self.properties.contains("segment_group_id"),
                        "the property was not ensured"
                    );
                }
                if whole && inputs.iter().any(|i| bad(&i.properties).is_some()) {
                    return refused();
                }
                let one = |input: &UpsertInput| {
                    let outcome = self.upsert(object, input, faults, chance);
                    (input.step, outcome)
                };
                Answers::PerStep(inputs.iter().map(one).collect())
            }
            Request::Create { object, inputs } => {
                let unique = |i: &CreateInput| i.unique.as_ref().map(|(_, v)| v.to_string());
                distinct(inputs.iter().filter_map(unique));
                if whole && inputs.iter().any(|i| bad(&i.properties).is_some()) {
                    return refused();
                }
                let one = |input: &CreateInput| {
                    let outcome = self.create(object, input, faults, chance);
                    (input.step, outcome)
                };
                Answers::PerStep(inputs.iter().map(one).collect())
            }
            Request::Update { inputs, .. } => {
                distinct(inputs.iter().map(|i| i.id.as_str().to_owned()));
                let one = |input: &UpdateInput| (input.step, self.update(input));
                Answers::PerStep(inputs.iter().map(one).collect())
            }
            Request::Read {
                object,
                id_property,
                properties,
                inputs,
            } => {
                let by_id = id_property.as_str() == "hs_object_id";
                let answers = inputs.iter().map(|input| {
                    let key = (object.as_str().to_owned(), input.value.to_string());
                    let id = if by_id {
                        Some(input.value.to_string()).filter(|id| self.records.contains_key(id))
                    } else {
                        self.ids.get(&key).cloned()
                    };
                    let found = id.map(|id| self.show(&id, properties));
                    let found = found.into_iter().collect();
                    (input.step, Outcome::Done(Done::Found(found)))
                });
                Answers::PerStep(answers.collect())
            }
            Request::Search { object, inputs } => {
                let filters: usize = inputs.iter().map(|i| i.filters.len()).sum();
                assert!(filters <= 18);
                let one = |input: &SearchInput| {
                    let found = self.search(object, input);
                    (input.step, Outcome::Done(Done::Found(found)))
                };
                Answers::PerStep(inputs.iter().map(one).collect())
            }
            Request::Link { change, inputs, .. } => {
                distinct(inputs.iter().map(|i| (i.from.clone(), i.to.clone())));
                let one = |input: &LinkInput| (input.step, self.link(*change, input));
                Answers::PerStep(inputs.iter().map(one).collect())
            }
            Request::Archive { inputs, .. } => {
                distinct(inputs.iter().map(|i| i.id.as_str().to_owned()));
                for input in inputs {
                    self.delete("archive", input.id.as_str());
                }
                each(&call.request.steps(), |_| Outcome::Done(Done::There))
            }
            Request::GdprDelete { step, contact } => {
                if !self.records.contains_key(contact.as_str()) {
                    return Answers::PerStep(vec![(*step, Outcome::Gone)]);
                }
                self.delete("gdpr", contact.as_str());
                there(*step)
            }
            Request::CreateProperties { object, inputs } => {
                for input in inputs {
                    let name = input.definition.name.clone();
                    self.properties.insert(name.as_str().to_owned());
                    if let Some(schema) = self.schemas.get_mut(object.as_str()) {
                        let info = property(input.definition.kind);
                        schema.extend(ObjectProperties::new([(name, info)]));
                    }
                }
                each(&call.request.steps(), |_| Outcome::Done(Done::There))
            }
            Request::ReadProperties { step, .. } if self.schema_is_secret => {
                let held = Outcome::Held {
                    scope: HoldScope::Mapping,
                    reason: Hold::Scope {
                        message: "schemas".to_owned(),
                    },
                };
                Answers::PerStep(vec![(*step, held)])
            }
            Request::ReadProperties {
                step,
                object,
                sensitivity,
            } => {
                let schema = self.schemas.entry(object.as_str().to_owned()).or_default();
                let of_class = schema
                    .sorted()
                    .into_iter()
                    .filter(|(_, info)| info.sensitivity == *sensitivity)
                    .map(|(name, info)| (PropertyName::new(name), info.clone()));
                learned(*step, Fact::Properties(ObjectProperties::new(of_class)))
            }
            Request::ReadObjectType { step, object } => {
                let id = format!("2-{}", object.as_str().len());
                learned(*step, Fact::TypeId(Arc::from(id)))
            }
            Request::SendEvents { inputs } => self.send(inputs, whole),
            Request::ReadEventDefinition { step, event } => {
                let found = self.definitions.get(event.as_str()).cloned();
                learned(*step, found.map_or(Fact::Absent, Fact::Definition))
            }
            Request::CreateEventDefinition {
                step,
                event,
                properties,
                ..
            } => {
                let definition = EventDefinition {
                    full_name: format!("pe1_{}", event.as_str()).into(),
                    name: event.as_str().into(),
                    archived: false,
                    properties: properties
                        .iter()
                        .map(|p| event_property(p.name.as_str(), p.kind))
                        .collect(),
                };
                let name = event.as_str().to_owned();
                self.definitions.entry(name).or_insert(definition);
                there(*step)
            }
            Request::CreateEventProperty { step, definition } => {
                let of = self
                    .definitions
                    .get_mut(definition.event.as_str())
                    .expect("a property is made for a definition that is there");
                let more = event_property(definition.name.as_str(), definition.kind);
                if !of.properties.iter().any(|known| known.name == more.name) {
                    of.properties.push(more);
                }
                there(*step)
            }
            Request::ReadList { step, list } => {
                let key = (list.object.as_str().to_owned(), list.name.to_string());
                let found = self.lists.get(&key).cloned();
                learned(*step, found.map_or(Fact::Absent, Fact::List))
            }
            Request::CreateList {
                step,
                list,
                type_id,
            } => {
                assert!(
                    type_id.contains('-'),
                    "a list is made by the id of its type"
                );
                let key = (list.object.as_str().to_owned(), list.name.to_string());
                if !self.lists.contains_key(&key) {
                    self.put_list(list.object.as_str(), &list.name, true);
                }
                there(*step)
            }
            Request::ChangeMembers { list, inputs } => {
                distinct(inputs.iter().map(|i| i.record.clone()));
                if !self.members.contains_key(&**list) {
                    let rejection = Rejection {
                        code: Code::ListMissing,
                        ..rejection(None)
                    };
                    return each(&call.request.steps(), |_| {
                        Outcome::Rejected(rejection.clone())
                    });
                }
                let one = |input: &MemberInput| (input.step, self.change_member(list, input));
                Answers::PerStep(inputs.iter().map(one).collect())
            }
        }
    }

    fn upsert(
        &mut self,
        object: &ObjectType,
        input: &UpsertInput,
        faults: Faults,
        chance: &mut StdRng,
    ) -> Outcome {
        if let Some(name) = bad(&input.properties) {
            return Outcome::Rejected(rejection(Some(name)));
        }
        let id = self.id_of(object, &input.value);
        self.write_maybe(&id, &input.properties, faults, chance)
    }

    fn create(
        &mut self,
        object: &ObjectType,
        input: &CreateInput,
        faults: Faults,
        chance: &mut StdRng,
    ) -> Outcome {
        if let Some(name) = bad(&input.properties) {
            return Outcome::Rejected(rejection(Some(name)));
        }
        let key = input
            .unique
            .as_ref()
            .map(|(_, value)| (object.as_str().to_owned(), value.to_string()));
        if let Some(id) = key.as_ref().and_then(|key| self.ids.get(key)) {
            return Outcome::Exists(RecordId::new(id));
        }
        let id = self.new_id(object);
        if let Some(key) = key {
            self.ids.insert(key, id.clone());
        }
        self.write_maybe(&id, &input.properties, faults, chance)
    }

    fn write_maybe(
        &mut self,
        id: &str,
        properties: &[(PropertyName, PropertyText)],
        faults: Faults,
        chance: &mut StdRng,
    ) -> Outcome {
        let lost = happens(chance, faults.unaccounted);
        let written = !lost || happens(chance, 500);
        let stage = if written {
            self.write(id, properties)
        } else {
            None
        };
        if !written && !self.records.contains_key(id) {
            self.ids.retain(|_, known| *known != id);
        }
        if lost {
            return Outcome::Unaccounted;
        }
        Outcome::Done(Done::Written {
            id: RecordId::new(id),
            created: None,
            stage,
        })
    }

    fn update(&mut self, input: &UpdateInput) -> Outcome {
        assert!(
            !input.properties.is_empty(),
            "an update that changes nothing"
        );
        if !self.records.contains_key(input.id.as_str()) {
            return Outcome::Gone;
        }
        if let Some(name) = bad(&input.properties) {
            return Outcome::Rejected(rejection(Some(name)));
        }
        let stage = self.write(input.id.as_str(), &input.properties);
        Outcome::Done(Done::Written {
            id: input.id.clone(),
            created: Some(false),
            stage,
        })
    }

    fn show(&self, id: &str, properties: &[PropertyName]) -> Found {
        let record = &self.records[id];
        let shown = properties.iter().filter_map(|name| {
            let value = record.get(name.as_str()).filter(|v| !v.is_empty())?;
            Some((name.clone(), PropertyText::new(value)))
        });
        Found {
            id: RecordId::new(id),
            properties: shown.collect(),
        }
    }

    fn search(&self, object: &ObjectType, input: &SearchInput) -> Vec<Found> {
        let hits = self.records.iter().filter(|(id, record)| {
            let mut equal = input
                .filters
                .iter()
                .map(|(n, v)| record.get(n.as_str()).is_some_and(|w| w == v.expose()));
            let matches = match input.mode {
                MatchMode::All => equal.all(|e| e),
                MatchMode::Any => equal.any(|e| e),
            };
            let of_type = self.objects.get(*id).is_none_or(|of| of == object.as_str());
            matches && of_type && !self.unindexed.contains(*id)
        });
        let found = hits.map(|(id, _)| Found {
            id: RecordId::new(id),
            properties: Vec::new(),
        });
        found.collect()
    }

    fn link(&mut self, change: LinkChange, input: &LinkInput) -> Outcome {
        let (from, to) = (input.from.as_str().to_owned(), input.to.as_str().to_owned());
        assert!(!input.kinds.is_empty(), "a link of no type");
        distinct(input.kinds.iter().map(|kind| kind.type_id));
        if !self.records.contains_key(&from) || !self.records.contains_key(&to) {
            return Outcome::Gone;
        }
        if input.kinds.iter().any(|kind| kind.type_id == 666) {
            return Outcome::Rejected(rejection(None));
        }
        for kind in &input.kinds {
            let label = (from.clone(), to.clone(), kind.type_id);
            match change {
                LinkChange::Associate => {
                    self.labels.insert(label);
                }
                LinkChange::Dissociate if kind.type_id == UNLABELLED => {
                    self.labels.retain(|(f, t, _)| (f, t) != (&from, &to));
                }
                LinkChange::Dissociate => {
                    self.labels.remove(&label);
                }
            }
        }
        if self.labels.iter().any(|(f, t, _)| (f, t) == (&from, &to)) {
            self.associations.insert((from, to));
        } else {
            self.associations.remove(&(from, to));
        }
        Outcome::Done(Done::There)
    }

    fn send(&mut self, inputs: &[OccurrenceInput], whole: bool) -> Answers {
        let is_bad = |input: &OccurrenceInput| {
            let unknown = !self
                .definitions
                .values()
                .any(|definition| *definition.full_name == *input.event);
            unknown || input.properties.iter().any(|(_, v)| v.starts_with("bad"))
        };
        if self.unsettled > 0 {
            self.unsettled -= 1;
            return refused();
        }
        // There is no other answer than one for all.
        let _ = whole;
        if inputs.iter().any(is_bad) {
            return refused();
        }
        for input in inputs {
            self.inputs.push(input.clone());
            if self.uuids.insert(input.uuid.to_string()) {
                let email = input.email.as_deref().unwrap_or_default().to_owned();
                self.occurrences.push((input.uuid.to_string(), email));
            }
        }
        let steps: Vec<StepId> = inputs.iter().map(|input| input.step).collect();
        each(&steps, |_| Outcome::Done(Done::There))
    }

    pub(super) fn put_list(&mut self, object: &str, name: &str, writable: bool) -> String {
        let id = format!("list-{}", self.members.len() + 1);
        let info = ListInfo {
            id: id.as_str().into(),
            writable,
        };
        self.lists
            .insert((object.to_owned(), name.to_owned()), info);
        self.members.insert(id.clone(), BTreeSet::new());
        id
    }

    fn change_member(&mut self, list: &str, input: &MemberInput) -> Outcome {
        let record = input.record.as_str().to_owned();
        if !self.records.contains_key(&record) {
            return Outcome::Gone;
        }
        let members = self.members.get_mut(list).expect("the list is there");
        let joins = input.change == MembershipChange::Add;
        self.changes.push((record.clone(), joins));
        if joins {
            members.insert(record);
        } else {
            members.remove(&record);
        }
        Outcome::Done(Done::There)
    }

    pub(super) fn put_definition(&mut self, name: &str, properties: &[&str]) {
        let definition = EventDefinition {
            full_name: format!("pe1_{name}").into(),
            name: name.into(),
            archived: false,
            properties: properties
                .iter()
                .map(|p| event_property(p, ValueKind::Text))
                .collect(),
        };
        self.definitions.insert(name.to_owned(), definition);
    }

    /// How often an endpoint was called.
    pub(super) fn called(&self, name: &str) -> usize {
        self.calls.iter().filter(|(n, _)| n == name).count()
    }

    pub(super) fn remember(&mut self, inquiries: Vec<Inquiry>) -> Vec<Finding> {
        inquiries
            .into_iter()
            .map(|inquiry| self.remember_one(inquiry))
            .collect()
    }

    fn remember_one(&mut self, inquiry: Inquiry) -> Finding {
        match inquiry {
            Inquiry::FindContact { person } => {
                Finding::Contact(person.iter().find_map(|k| self.people.get(k).cloned()))
            }
            Inquiry::KeepContact { person, contact } => {
                for key in &person {
                    self.people.insert(key.clone(), contact.clone());
                }
                let links = self
                    .links
                    .iter()
                    .filter(|(waits, _)| waits.iter().any(|k| person.contains(k)));
                Finding::Links(links.map(|(_, link)| link.clone()).collect())
            }
            Inquiry::KeepLink { person, link } => {
                let contact = person.iter().find_map(|k| self.people.get(k).cloned());
                self.links.push((person, link));
                Finding::LinkKept(contact)
            }
            Inquiry::DropLinks { links, .. } => {
                self.links.retain(|(_, link)| !links.contains(&link.id));
                Finding::Kept
            }
            Inquiry::ForgetContact { person } => {
                for key in person {
                    self.people.remove(&key);
                }
                Finding::Kept
            }
            Inquiry::ClaimEnsure { what } => {
                let done = self.ensured.contains(&what);
                Finding::Ensure(if done {
                    EnsureState::Done
                } else {
                    EnsureState::Claimed
                })
            }
            Inquiry::EnsureDone { what } => {
                self.ensured.push(what);
                Finding::Kept
            }
            Inquiry::ForgetEnsure { what } => {
                self.ensured.retain(|done| *done != what);
                Finding::Kept
            }
            Inquiry::FindRecord { record } => Finding::Record(self.known.get(&record).cloned()),
            Inquiry::KeepRecord { record, id } => {
                self.known.insert(record, id);
                Finding::Kept
            }
            Inquiry::ForgetRecord { record } => {
                self.known.remove(&record);
                Finding::Kept
            }
            Inquiry::FindFact { what } => Finding::Fact(self.facts.get(&what).cloned()),
            Inquiry::KeepFact { what, text } => {
                self.facts.insert(what, text);
                Finding::Kept
            }
            Inquiry::ForgetFact { what } => {
                self.facts.remove(&what);
                Finding::Kept
            }
        }
    }
}

fn distinct<T: Ord>(keys: impl Iterator<Item = T>) {
    let mut seen = BTreeSet::new();
    for key in keys {
        assert!(seen.insert(key), "a record stands twice in a call");
    }
}

pub(super) fn happens(chance: &mut StdRng, thousandths: u32) -> bool {
    chance.random_range(0..1000) < thousandths
}

fn rank(stage: &str) -> usize {
    ["", "subscriber", "lead", "customer"]
        .iter()
        .position(|s| *s == stage)
        .unwrap_or(0)
}

fn bad(properties: &[(PropertyName, PropertyText)]) -> Option<&PropertyName> {
    properties
        .iter()
        .find(|(_, v)| v.expose().starts_with("bad"))
        .map(|(n, _)| n)
}

pub(super) fn rejection(property: Option<&PropertyName>) -> Rejection {
    Rejection {
        code: Code::PropertyOption,
        class: ErrorClass::Input,
        status: Some(400),
        category: Some("VALIDATION_ERROR".to_owned()),
        sub_category: None,
        property: property.cloned(),
        message: "not an option".to_owned(),
        correlation_id: None,
    }
}

fn refused() -> Answers {
    Answers::Refused(Refusal {
        rejection: rejection(None),
        culprits: Vec::new(),
    })
}

pub(super) fn each(steps: &[StepId], outcome: impl Fn(StepId) -> Outcome) -> Answers {
    Answers::PerStep(steps.iter().map(|s| (*s, outcome(*s))).collect())
}

fn there(step: StepId) -> Answers {
    Answers::PerStep(vec![(step, Outcome::Done(Done::There))])
}

fn learned(step: StepId, fact: Fact) -> Answers {
    Answers::PerStep(vec![(step, Outcome::Done(Done::Learned(fact)))])
}

pub(super) fn property(kind: ValueKind) -> PropertyInfo {
    PropertyInfo {
        label: "Label".into(),
        value: value_type(kind),
        kind: "string:text".into(),
        read_only: false,
        unique: false,
        sensitivity: Sensitivity::Plain,
    }
}

fn event_property(name: &str, kind: ValueKind) -> EventPropertyInfo {
    EventPropertyInfo {
        name: name.into(),
        value: value_type(kind),
        archived: false,
    }
}

fn value_type(kind: ValueKind) -> ValueType {
    match kind {
        ValueKind::Boolean => ValueType::Boolean,
        ValueKind::Number => ValueType::Number,
        ValueKind::Date => ValueType::Date,
        ValueKind::DateTime => ValueType::DateTime,
        ValueKind::Text => ValueType::Text,
    }
}
