//! The bodies of requests, as HubSpot's documentation writes them (hubspot-api.md §3, §4.1, §5.1, §6, §7).

mod events;
mod lists;
mod properties;

use std::collections::BTreeSet;

use hubferry_actions::{
    AssociationType, MatchMode, Properties, PropertyName, PropertyText, RECORD_ID_PROPERTY,
    RecordId,
};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use self::events::{DefinitionBody, EventProperty, Occurred};
use self::lists::{ListBody, MembersBody};
use self::properties::PropertyBody;
use crate::call::{
    ArchiveInput, CreateInput, LinkInput, ReadInput, Request, SearchInput, UpdateInput, UpsertInput,
};

/// Contacts are known by this property and by secondary addresses beside it.
pub(crate) const EMAIL: &str = "email";
/// A contact's secondary addresses, separated by semicolons on reading (hubspot-api.md §10.3).
pub(crate) const ADDITIONAL_EMAILS: &str = "hs_additional_emails";
/// The most results of one search (hubspot-api.md §3.9).
pub(crate) const SEARCH_LIMIT: usize = 200;

/// The body of a request, serialised; none for a request that only reads an address.
pub(crate) fn of_request(request: &Request) -> Option<Vec<u8>> {
    let written = match request {
        Request::Upsert {
            id_property,
            inputs,
            ..
        } => json(&Batch::of(inputs, |i| Upserted::of(id_property, i))),
        Request::Update { inputs, .. } => json(&Batch::of(inputs, Updated::of)),
        Request::Read {
            id_property,
            properties,
            inputs,
            ..
        } => json(&ReadBody::of(id_property, properties, inputs)),
        Request::Create { inputs, .. } => json(&Batch::of(inputs, Created::of)),
        Request::Search { inputs, .. } => json(&SearchBody::of(inputs)),
        Request::Link { inputs, .. } => json(&Batch::of(inputs, Linked::of)),
        Request::Archive { inputs, .. } => json(&Batch::of(inputs, Archived::of)),
        Request::GdprDelete { contact, .. } => json(&Forgotten::of(contact)),
        Request::CreateProperties { inputs, .. } => {
            json(&Batch::of(inputs, |i| PropertyBody::of(&i.definition)))
        }
        Request::SendEvents { inputs } => json(&Batch::of(inputs, Occurred::of)),
        Request::CreateEventDefinition {
            event,
            object,
            properties,
            ..
        } => json(&DefinitionBody::of(event, object, properties)),
        Request::CreateEventProperty { definition, .. } => json(&EventProperty::of(definition)),
        Request::CreateList { list, type_id, .. } => json(&ListBody::of(list, type_id)),
        Request::ChangeMembers { inputs, .. } => json(&MembersBody::of(inputs)),
        Request::ReadProperties { .. }
        | Request::ReadObjectType { .. }
        | Request::ReadEventDefinition { .. }
        | Request::ReadList { .. } => return None,
    };
    Some(written.expect("text, numbers and lists of them always serialise"))
}

fn json<T: Serialize>(body: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(body)
}

/// Without this wrapper HubSpot answers 200 and does nothing (hubspot-api.md §3.4).
#[derive(Serialize)]
struct Batch<T> {
    inputs: Vec<T>,
}

impl<T> Batch<T> {
    fn of<'a, I: 'a>(inputs: &'a [I], each: impl FnMut(&'a I) -> T) -> Self {
        Self {
            inputs: inputs.iter().map(each).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upserted<'a> {
    id: &'a str,
    id_property: &'a str,
    object_write_trace_id: String,
    properties: Written<'a>,
}

impl<'a> Upserted<'a> {
    fn of(id_property: &'a PropertyName, input: &'a UpsertInput) -> Self {
        let id_property = id_property.as_str();
        // Repeating the unique value makes the answer show it. Not so the e-mail: when the id is a secondary
        // address, writing `email` would change the contact's primary one (hubspot-api.md §3.5).
        let echoed = (id_property != EMAIL).then_some((id_property, &*input.value));
        Self {
            id: &input.value,
            id_property,
            object_write_trace_id: input.step.0.to_string(),
            properties: Written {
                first: echoed,
                rest: &input.properties,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Updated<'a> {
    id: &'a str,
    object_write_trace_id: String,
    properties: Written<'a>,
}

impl<'a> Updated<'a> {
    fn of(input: &'a UpdateInput) -> Self {
        Self {
            id: input.id.as_str(),
            object_write_trace_id: input.step.0.to_string(),
            properties: Written {
                first: None,
                rest: &input.properties,
            },
        }
    }
}

#[derive(Serialize)]
struct Archived<'a> {
    id: &'a str,
}

impl<'a> Archived<'a> {
    fn of(input: &'a ArchiveInput) -> Self {
        Self {
            id: input.id.as_str(),
        }
    }
}

/// By record id: an address that HubSpot does not know would be put on its block list (hubspot-api.md §3.10).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Forgotten<'a> {
    object_id: &'a str,
}

impl<'a> Forgotten<'a> {
    fn of(contact: &'a RecordId) -> Self {
        Self {
            object_id: contact.as_str(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    object_write_trace_id: String,
    properties: Written<'a>,
}

impl<'a> Created<'a> {
    fn of(input: &'a CreateInput) -> Self {
        let unique = input.unique.as_ref();
        Self {
            object_write_trace_id: input.step.0.to_string(),
            properties: Written {
                first: unique.map(|(name, value)| (name.as_str(), &**value)),
                rest: &input.properties,
            },
        }
    }
}

/// Properties as a JSON object; `first` wins over a property of the same name.
struct Written<'a> {
    first: Option<(&'a str, &'a str)>,
    rest: &'a Properties,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, value)) = self.first {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in self.rest {
            if self.first.is_none_or(|(first, _)| first != name.as_str()) {
                map.serialize_entry(name.as_str(), value.expose())?;
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadBody<'a> {
    /// HubSpot refuses its own id here: it is what inputs are read by when nothing is said (hubspot-api.md §3.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    id_property: Option<&'a str>,
    properties: Vec<&'a str>,
    inputs: Vec<Id<'a>>,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

impl<'a> ReadBody<'a> {
    fn of(
        id_property: &'a PropertyName,
        properties: &'a [PropertyName],
        inputs: &'a [ReadInput],
    ) -> Self {
        let unique = id_property.as_str();
        let mut wanted = vec![unique];
        // An answer shows the primary address; the secondary ones tell whose it is.
        wanted.extend((unique == EMAIL).then_some(ADDITIONAL_EMAILS));
        for property in properties.iter().map(PropertyName::as_str) {
            if !wanted.contains(&property) {
                wanted.push(property);
            }
        }
        Self {
            id_property: (unique != RECORD_ID_PROPERTY).then_some(unique),
            properties: wanted,
            inputs: inputs.iter().map(|i| Id { id: &i.value }).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchBody<'a> {
    filter_groups: Vec<FilterGroup<'a>>,
    properties: BTreeSet<&'a str>,
    limit: usize,
}

#[derive(Serialize)]
struct FilterGroup<'a> {
    filters: Vec<Filter<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    property_name: &'a str,
    operator: &'static str,
    value: &'a str,
}

impl<'a> SearchBody<'a> {
    fn of(inputs: &'a [SearchInput]) -> Self {
        let fields = || inputs.iter().flat_map(|i| &i.filters);
        Self {
            filter_groups: inputs.iter().flat_map(groups).collect(),
            properties: fields().map(|(name, _)| name.as_str()).collect(),
            limit: SEARCH_LIMIT,
        }
    }
}

/// All filters of a group must match, and of the groups any may.
fn groups(input: &SearchInput) -> Vec<FilterGroup<'_>> {
    let filters = input.filters.iter().map(filter);
    match input.mode {
        MatchMode::All => vec![FilterGroup {
            filters: filters.collect(),
        }],
        MatchMode::Any => filters
            .map(|one| FilterGroup { filters: vec![one] })
            .collect(),
    }
}

fn filter((name, value): &(PropertyName, PropertyText)) -> Filter<'_> {
    Filter {
        property_name: name.as_str(),
        operator: "EQ",
        value: value.expose(),
    }
}

#[derive(Serialize)]
struct Linked<'a> {
    from: Id<'a>,
    to: Id<'a>,
    types: Vec<Kind<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    association_category: &'a str,
    association_type_id: u32,
}

impl<'a> Linked<'a> {
    fn of(input: &'a LinkInput) -> Self {
        let kind = |kind: &'a AssociationType| Kind {
            association_category: &kind.category,
            association_type_id: kind.type_id,
        };
        Self {
            from: Id {
                id: input.from.as_str(),
            },
            to: Id {
                id: input.to.as_str(),
            },
            types: input.kinds.iter().map(kind).collect(),
        }
    }
}
