//! Object types of the account's own: their schemas, and what HubSpot says about the types every account has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::catalogue;
use crate::objects::ObjectType;
use crate::properties::{PropertyCreate, PropertyGroup, PropertyKey};
use crate::routes::Verb;
use crate::state::State;
use crate::urls::field;
use crate::values::iso;
use crate::visit::Visit;

/// Types an account may define.
const MOST_SCHEMAS: usize = 10;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Labels {
    singular: Option<String>,
    plural: Option<String>,
}

/// A type of the account's own.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) name: String,
    labels: Labels,
    description: Option<String>,
    required: Vec<String>,
    searchable: Vec<String>,
    secondary: Vec<String>,
    primary: Option<String>,
    associated: Vec<ObjectType>,
    pub(crate) archived: bool,
    created_ms: i64,
    updated_ms: i64,
}

/// All of them, by type.
pub(crate) type Schemas = BTreeMap<ObjectType, Schema>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaCreate {
    name: Option<String>,
    labels: Option<Labels>,
    description: Option<String>,
    #[serde(default)]
    properties: Vec<PropertyCreate>,
    #[serde(default)]
    required_properties: Vec<String>,
    #[serde(default)]
    searchable_properties: Vec<String>,
    #[serde(default)]
    secondary_display_properties: Vec<String>,
    primary_display_property: Option<String>,
    #[serde(default)]
    associated_objects: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaPatch {
    labels: Option<Labels>,
    description: Option<String>,
    required_properties: Option<Vec<String>>,
    searchable_properties: Option<Vec<String>>,
    secondary_display_properties: Option<Vec<String>>,
    primary_display_property: Option<String>,
}

/// `/schemas`.
pub(crate) fn schemas(visit: &Visit<'_>, verb: Verb) -> Reply {
    match verb {
        Verb::Create => create(visit),
        _ => {
            let archived = field(&visit.query, "archived") == Some("true");
            let state = visit.state();
            let own = state.schemas.iter();
            let results: Vec<Value> = own
                .filter(|(_, schema)| schema.archived == archived)
                .map(|(object, _)| shown(visit, &state, *object))
                .collect();
            Ok(Answer::json(200, &json!({"results": results})))
        }
    }
}

/// `/schemas/{objectType}`.
pub(crate) fn schema(visit: &Visit<'_>, object: ObjectType, verb: Verb) -> Reply {
    let mut state = visit.state();
    match verb {
        Verb::Update => {
            let patch: SchemaPatch = visit.parse()?;
            change(&mut state, object, patch, visit.stamp.at_ms)?;
            Ok(Answer::json(200, &shown(visit, &state, object)))
        }
        Verb::Delete => {
            remove(&mut state, object)?;
            Ok(Answer::empty(204))
        }
        _ => Ok(Answer::json(200, &shown(visit, &state, object))),
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    inputs: Vec<String>,
}

/// `/schemas/batch/read`.
pub(crate) fn batch_read(visit: &Visit<'_>) -> Reply {
    let body: Named = visit.parse()?;
    let state = visit.state();
    let found = body
        .inputs
        .iter()
        .filter_map(|name| state.names.resolve(name));
    let results: Vec<Value> = found.map(|object| shown(visit, &state, object)).collect();
    Ok(Answer::json(
        200,
        &json!({"status": "COMPLETE", "results": results, "startedAt": iso(visit.stamp.at_ms),
            "completedAt": iso(visit.stamp.at_ms)}),
    ))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAssociation {
    from_object_type_id: String,
    to_object_type_id: String,
    name: Option<String>,
}

/// `/schemas/{objectType}/associations`.
pub(crate) fn associate(visit: &Visit<'_>) -> Reply {
    let body: NewAssociation = visit.parse()?;
    let mut state = visit.state();
    let resolve = |text: &str| {
        let found = state.names.resolve(text);
        found.ok_or_else(|| Refusal::unknown_object(text))
    };
    let (from, to) = (
        resolve(&body.from_object_type_id)?,
        resolve(&body.to_object_type_id)?,
    );
    state.graph.open((from, to));
    let type_id = state.graph.types((from, to)).next().map(|one| one.type_id);
    Ok(Answer::json(
        201,
        &json!({"id": type_id.unwrap_or_default().to_string(), "fromObjectTypeId": from.type_id(),
            "toObjectTypeId": to.type_id(), "name": body.name}),
    ))
}

fn create(visit: &Visit<'_>) -> Reply {
    let body: SchemaCreate = visit.parse()?;
    let mut state = visit.state();
    let (name, labels) = checked(&state, &body)?;
    let number = state.schemas.len() + 1;
    let object = ObjectType::Custom(u32::try_from(number).unwrap_or(u32::MAX));
    let associated = body
        .associated_objects
        .iter()
        .map(|text| {
            let known = state.names.resolve(text);
            known.ok_or_else(|| Refusal::unknown_object(text))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut book = catalogue::book(object);
    let group = format!("{}_information", name.to_lowercase());
    book.create_group(PropertyGroup {
        name: group.clone(),
        label: format!("{name} information"),
        display_order: -1,
        archived: false,
    })?;
    for property in body.properties {
        let property = property.in_group(&group);
        book.create(property, visit.stamp.since, visit.stamp.at_ms)?;
    }
    let schema = Schema {
        name,
        labels,
        description: body.description,
        required: body.required_properties,
        searchable: body.searchable_properties,
        secondary: body.secondary_display_properties,
        primary: body.primary_display_property,
        associated,
        archived: false,
        created_ms: visit.stamp.at_ms,
        updated_ms: visit.stamp.at_ms,
    };
    let undefined = schema
        .required
        .iter()
        .chain(&schema.searchable)
        .chain(&schema.primary)
        .find(|name| book.find(name).is_none());
    if let Some(name) = undefined {
        return Err(Refusal::validation(format!(
            "Property '{name}' is not defined by the schema"
        )));
    }
    state.open_drawer(object, book, visit.settings);
    state
        .names
        .add(object, visit.settings.portal_id, &schema.name);
    state.graph.open((object, object));
    for other in &schema.associated {
        state.graph.open((object, *other));
    }
    // Every type can have notes, calls and the like.
    for other in [
        ObjectType::Notes,
        ObjectType::Tasks,
        ObjectType::Calls,
        ObjectType::Emails,
        ObjectType::Meetings,
    ] {
        state.graph.open((object, other));
    }
    state.schemas.insert(object, schema);
    apply_names(&mut state, object);
    Ok(Answer::json(201, &shown(visit, &state, object)))
}

fn checked(state: &State, body: &SchemaCreate) -> Result<(String, Labels), Refusal> {
    let missing =
        |field: &str| Refusal::validation(format!("Some required fields were not set: [{field}]"));
    let name = body.name.clone().ok_or_else(|| missing("name"))?;
    let labels = body.labels.clone().ok_or_else(|| missing("labels"))?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !well_formed {
        return Err(Refusal::validation(format!(
            "Invalid object type name '{name}'"
        )));
    }
    if state.names.resolve(&name).is_some() {
        return Err(Refusal::new(
            409,
            format!("An object type named '{name}' already exists."),
        )
        .with("category", "OBJECT_ALREADY_EXISTS"));
    }
    let live = state.schemas.values().filter(|schema| !schema.archived);
    if live.count() >= MOST_SCHEMAS {
        return Err(Refusal::validation(format!(
            "At most {MOST_SCHEMAS} object types are allowed"
        )));
    }
    Ok((name, labels))
}

/// Tells the definitions what the schema wants shown, needed and searched.
fn apply_names(state: &mut State, object: ObjectType) {
    let Some(schema) = state.schemas.get(&object).cloned() else {
        return;
    };
    let book = &mut state.drawer_mut(object).book;
    let keys = |names: &[String]| -> Vec<PropertyKey> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        book.keys_of(&names)
    };
    let (required, searched) = (keys(&schema.required), keys(&schema.searchable));
    let always = book.keys_of(&["hs_createdate", "hs_lastmodifieddate", "hs_object_id"]);
    book.read = [always, required.clone()].concat();
    book.required = required;
    book.searched = searched;
}

fn change(
    state: &mut State,
    object: ObjectType,
    patch: SchemaPatch,
    at_ms: i64,
) -> Result<(), Refusal> {
    let schema = own(state, object)?;
    schema.updated_ms = at_ms;
    if let Some(labels) = patch.labels {
        schema.labels = labels;
    }
    if let Some(required) = patch.required_properties {
        schema.required = required;
    }
    if let Some(searchable) = patch.searchable_properties {
        schema.searchable = searchable;
    }
    if let Some(secondary) = patch.secondary_display_properties {
        schema.secondary = secondary;
    }
    schema.description = patch.description.or(schema.description.take());
    schema.primary = patch.primary_display_property.or(schema.primary.take());
    apply_names(state, object);
    Ok(())
}

fn remove(state: &mut State, object: ObjectType) -> Result<(), Refusal> {
    own(state, object)?;
    if state.drawer(object).shelf.len() > 0 {
        return Err(Refusal::validation(
            "The object type still has records; delete them first",
        ));
    }
    own(state, object)?.archived = true;
    state.names.remove(object);
    Ok(())
}

fn own(state: &mut State, object: ObjectType) -> Result<&mut Schema, Refusal> {
    state.schemas.get_mut(&object).ok_or_else(|| {
        Refusal::validation("Object types defined by HubSpot cannot be changed here")
    })
}

/// A schema as HubSpot prints it.
fn shown(visit: &Visit<'_>, state: &State, object: ObjectType) -> Value {
    let properties: Vec<Value> = state
        .drawer(object)
        .book
        .all()
        .filter(|property| !property.archived)
        .map(|property| property.to_json())
        .collect();
    let associations: Vec<Value> = state
        .graph
        .directions_from(object)
        .flat_map(|to| {
            let types = state.graph.types((object, to)).take(1);
            types.map(move |one| {
                json!({"id": one.type_id.to_string(), "fromObjectTypeId": object.type_id(),
                    "toObjectTypeId": to.type_id(), "name": one.name})
            })
        })
        .collect();
    let mut shown = Map::new();
    shown.insert("id".to_owned(), json!(object.type_id().replace("2-", "")));
    shown.insert("objectTypeId".to_owned(), json!(object.type_id()));
    match state.schemas.get(&object) {
        Some(schema) => shown.extend(own_part(schema, visit.settings.portal_id)),
        None => shown.extend(standard_part(object)),
    }
    shown.insert("properties".to_owned(), json!(properties));
    shown.insert("associations".to_owned(), json!(associations));
    Value::Object(shown)
}

fn own_part(schema: &Schema, portal_id: u64) -> Map<String, Value> {
    let associated: Vec<_> = schema.associated.iter().map(|one| one.type_id()).collect();
    let part = json!({
        "fullyQualifiedName": format!("p{portal_id}_{}", schema.name), "name": schema.name, "labels": schema.labels,
        "description": schema.description, "requiredProperties": schema.required,
        "searchableProperties": schema.searchable, "secondaryDisplayProperties": schema.secondary,
        "primaryDisplayProperty": schema.primary, "associatedObjects": associated, "archived": schema.archived,
        "createdAt": iso(schema.created_ms), "updatedAt": iso(schema.updated_ms),
    });
    object_of(part)
}

fn standard_part(object: ObjectType) -> Map<String, Value> {
    object_of(json!({
        "fullyQualifiedName": object.shouted(), "name": object.shouted(),
        "labels": {"singular": object.singular(), "plural": object.name()},
        "requiredProperties": [], "archived": false,
    }))
}

fn object_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
