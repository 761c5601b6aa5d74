//! What a mapping uses of a portal, as far as it is known before an event: kinds of calls, types, lists, events.

use std::collections::BTreeSet;

use hubferry_actions::{
    ActionSlug, DeletionMode, ObjectType, OnMissingContact, SyncMode, UnknownProperty,
};
use hubferry_hubspot::Endpoint;
use serde_json::{Map, Value};

use crate::config::{Destination, MappingEntry, is_directive, object_of};

/// What a mapping uses.
#[derive(Default, Debug)]
pub(crate) struct Uses {
    /// The kinds of calls it makes.
    pub(crate) calls: BTreeSet<Endpoint>,
    /// Those of them that carry sensitive values.
    pub(crate) sensitive: BTreeSet<Endpoint>,
    /// The types of records it touches.
    pub(crate) objects: BTreeSet<ObjectType>,
    /// The pairs of types it associates.
    pub(crate) links: BTreeSet<(ObjectType, ObjectType)>,
    /// The types of the lists it changes.
    pub(crate) lists: BTreeSet<ObjectType>,
    /// Whether it sends custom events.
    pub(crate) events: bool,
}

/// The enabled mappings of a destination, by their ids, and what they use; its deletions too, where they are enabled.
pub(crate) fn of_destination(destination: &Destination) -> impl Iterator<Item = (String, Uses)> {
    let enabled = destination.mappings.iter().filter(|one| one.enabled);
    let mappings = enabled.map(|mapping| (mapping.id.clone(), Uses::of(mapping)));
    let deletion = destination.deletion;
    mappings.chain(deletion.map(|mode| (destination.deletion_id(), Uses::deleting(mode))))
}

impl Uses {
    /// What a mapping uses.
    pub(crate) fn of(mapping: &MappingEntry) -> Self {
        let mut uses = Self::default();
        let fields = &mapping.named;
        let object = object_of(mapping.action, fields);
        match mapping.action {
            ActionSlug::UpsertContact => uses.contact(mapping),
            ActionSlug::UpsertCompany => uses.company(mapping),
            ActionSlug::UpsertCustomObjectRecord => uses.legacy_record(mapping, object),
            ActionSlug::UpsertObject => uses.object(mapping, object),
            ActionSlug::SendCustomBehavioralEvent => uses.event(false),
            ActionSlug::CustomEvent => {
                uses.event(mapping.settings.sync_mode != SyncMode::Update);
                let creates = mapping.settings.sync_mode != SyncMode::Add;
                if creates {
                    uses.calls.insert(Endpoint::CreateEventProperty);
                }
            }
        }
        uses
    }

    /// What deletions use.
    fn deleting(mode: DeletionMode) -> Self {
        let mut uses = Self::default();
        uses.calls.insert(match mode {
            DeletionMode::Archive => Endpoint::Archive(ObjectType::contacts()),
            DeletionMode::Gdpr => Endpoint::GdprDelete,
        });
        uses
    }

    fn contact(&mut self, mapping: &MappingEntry) {
        let contacts = ObjectType::contacts();
        self.writes(&contacts, mapping);
        self.calls.insert(Endpoint::Upsert(contacts.clone()));
        self.calls.insert(Endpoint::Read(contacts));
    }

    fn company(&mut self, mapping: &MappingEntry) {
        let companies = ObjectType::companies();
        self.writes(&companies, mapping);
        self.calls.insert(Endpoint::Upsert(companies.clone()));
        // The unique property of the group id is made when the portal has none.
        self.calls
            .insert(Endpoint::CreateProperties(companies.clone()));
        if is_given(mapping.named.get("companysearchfields")) {
            self.calls.insert(Endpoint::Search(companies.clone()));
        }
        if mapping.named.get("associateContact") != Some(&Value::Bool(false)) {
            let contacts = ObjectType::contacts();
            self.calls.insert(Endpoint::Read(contacts.clone()));
            if mapping.settings.policy.on_missing_contact == OnMissingContact::Create {
                self.calls.insert(Endpoint::Upsert(contacts.clone()));
            }
            self.links(&companies, contacts, true);
        }
    }

    fn legacy_record(&mut self, mapping: &MappingEntry, object: Option<ObjectType>) {
        let Some(object) = object else { return };
        self.writes(&object, mapping);
        self.calls.insert(Endpoint::Update(object.clone()));
        if mapping.named.get("createNewCustomRecord") != Some(&Value::Bool(false)) {
            self.calls.insert(Endpoint::Create(object.clone()));
        }
        if is_given(mapping.named.get("customObjectSearchFields")) {
            self.calls.insert(Endpoint::Search(object.clone()));
        }
        if let Some(to) = type_in(mapping.named.get("toObjectType")) {
            self.calls.insert(Endpoint::Search(to.clone()));
            self.links(&object, to, true);
        }
    }

    fn object(&mut self, mapping: &MappingEntry, object: Option<ObjectType>) {
        let Some(object) = object else { return };
        self.writes(&object, mapping);
        match mapping.settings.sync_mode {
            SyncMode::Upsert => self.calls.insert(Endpoint::Upsert(object.clone())),
            SyncMode::Update => self.calls.insert(Endpoint::Update(object.clone())),
            SyncMode::Add => self.calls.insert(Endpoint::Create(object.clone())),
        };
        self.calls.insert(Endpoint::Read(object.clone()));
        let fields = &mapping.named;
        if is_given(fields.get("sensitive_properties")) {
            self.sensitive = self.calls.clone();
        }
        let creates = fields.get("association_sync_mode").and_then(Value::as_str) != Some("read");
        for (name, makes) in [("associations", true), ("dissociations", false)] {
            for item in items(fields.get(name)) {
                let Some(to) = type_in(item.get("object_type")) else {
                    continue;
                };
                self.calls.insert(Endpoint::Read(to.clone()));
                if makes && creates {
                    self.calls.insert(Endpoint::Upsert(to.clone()));
                }
                self.links(&object, to, makes);
            }
        }
        if let Some(details) = fields.get("list_details").and_then(Value::as_object) {
            self.list(&object, details);
        }
    }

    fn list(&mut self, object: &ObjectType, details: &Map<String, Value>) {
        let follows = details.get("connected_to_engage_audience");
        let follows = follows.is_some_and(|value| *value != Value::Bool(false) && !value.is_null());
        if !is_given(details.get("list_name")) && !follows && !is_directive(details) {
            return;
        }
        self.lists.insert(object.clone());
        self.calls.insert(Endpoint::ReadList);
        self.calls.insert(Endpoint::ChangeMembers);
        if details.get("should_create_list") != Some(&Value::Bool(false)) {
            self.calls.insert(Endpoint::CreateList);
        }
    }

    fn event(&mut self, defines: bool) {
        self.events = true;
        self.calls.insert(Endpoint::SendEvents);
        self.calls.insert(Endpoint::ReadEventDefinition);
        if defines {
            self.calls.insert(Endpoint::CreateEventDefinition);
        }
    }

    /// Records of a type are written.
    fn writes(&mut self, object: &ObjectType, mapping: &MappingEntry) {
        self.touches(object);
        self.calls.insert(Endpoint::ReadProperties(object.clone()));
        if mapping.settings.policy.unknown_property == UnknownProperty::Create {
            self.calls
                .insert(Endpoint::CreateProperties(object.clone()));
        }
    }

    fn links(&mut self, from: &ObjectType, to: ObjectType, makes: bool) {
        let call = match makes {
            true => Endpoint::Associate(from.clone(), to.clone()),
            false => Endpoint::Dissociate(from.clone(), to.clone()),
        };
        self.calls.insert(call);
        self.touches(&to);
        self.links.insert((from.clone(), to));
    }

    fn touches(&mut self, object: &ObjectType) {
        if object.type_id().is_none() {
            self.calls.insert(Endpoint::ReadObjectType);
        }
        self.objects.insert(object.clone());
    }
}

/// Whether a field is wanted: nothing and `""` say that it is not.
fn is_given(value: Option<&Value>) -> bool {
    value.is_some_and(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    })
}

/// A type, where no event decides it.
pub(crate) fn type_in(value: Option<&Value>) -> Option<ObjectType> {
    value?.as_str().and_then(ObjectType::parse)
}

/// The items of a list that is written as one, or as its only item.
pub(crate) fn items(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(item @ Value::Object(_)) => std::slice::from_ref(item),
        _ => &[],
    }
}
