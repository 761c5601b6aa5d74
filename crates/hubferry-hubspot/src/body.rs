//! The bodies of requests, as HubSpot's documentation writes them (hubspot-api.md §3, §4.1, §5.1).

use std::collections::BTreeSet;

use hubferry_actions::{Properties, PropertyDefinition, PropertyName};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::call::{AssociationInput, ReadInput, Request, SearchInput, UpdateInput, UpsertInput};

/// Contacts are known by this property and by secondary addresses beside it.
pub(crate) const EMAIL: &str = "email";
/// A contact's secondary addresses, separated by semicolons on reading (hubspot-api.md §10.3).
pub(crate) const ADDITIONAL_EMAILS: &str = "hs_additional_emails";
/// The most results of one search (hubspot-api.md §3.9).
pub(crate) const SEARCH_LIMIT: usize = 200;

/// The body of a request, serialised.
pub(crate) fn of_request(request: &Request) -> Vec<u8> {
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
        Request::Search { inputs, .. } => json(&SearchBody::of(inputs)),
        Request::Associate { kind, inputs, .. } => json(&Batch::of(inputs, |i| {
            Associated::of(&kind.category, kind.type_id, i)
        })),
        Request::CreateProperty { definition, .. } => json(&PropertyBody::of(definition)),
    };
    written.expect("text, numbers and lists of them always serialise")
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
    id_property: &'a str,
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
            id_property: unique,
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
        let filters = || inputs.iter().flat_map(|i| &i.filters);
        let group = |input: &'a SearchInput| FilterGroup {
            filters: input
                .filters
                .iter()
                .map(|(name, value)| Filter {
                    property_name: name.as_str(),
                    operator: "EQ",
                    value: value.expose(),
                })
                .collect(),
        };
        Self {
            filter_groups: inputs.iter().map(group).collect(),
            properties: filters().map(|(name, _)| name.as_str()).collect(),
            limit: SEARCH_LIMIT,
        }
    }
}

#[derive(Serialize)]
struct Associated<'a> {
    from: Id<'a>,
    to: Id<'a>,
    types: [Kind<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    association_category: &'a str,
    association_type_id: u32,
}

impl<'a> Associated<'a> {
    fn of(category: &'a str, type_id: u32, input: &'a AssociationInput) -> Self {
        Self {
            from: Id {
                id: input.from.as_str(),
            },
            to: Id {
                id: input.to.as_str(),
            },
            types: [Kind {
                association_category: category,
                association_type_id: type_id,
            }],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PropertyBody<'a> {
    name: &'a str,
    label: &'a str,
    description: &'a str,
    group_name: &'a str,
    r#type: &'static str,
    field_type: &'static str,
    has_unique_value: bool,
    hidden: bool,
}

impl<'a> PropertyBody<'a> {
    fn of(definition: &'a PropertyDefinition) -> Self {
        Self {
            name: definition.name.as_str(),
            label: definition.label,
            description: definition.description,
            group_name: definition.group,
            r#type: "string",
            field_type: "text",
            has_unique_value: definition.unique,
            hidden: definition.hidden,
        }
    }
}
