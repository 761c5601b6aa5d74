//! Property and property group endpoints.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::batch::{Batch, envelope, nothing_done};
use crate::objects::ObjectType;
use crate::properties::{PropertyCreate, PropertyGroup, PropertyPatch, unknown_property};
use crate::routes::{BatchOp, Verb};
use crate::state::State;
use crate::urls::field;
use crate::visit::{Touch, Visit};

/// Inputs of a property batch. HubSpot publishes no figure.
const MOST_INPUTS: usize = 100;

/// `/{objectType}`.
pub(crate) fn properties(visit: &Visit<'_>, object: ObjectType, verb: Verb) -> Reply {
    match verb {
        Verb::Create => {
            let body: PropertyCreate = visit.parse()?;
            let created = create(visit, object, body)?;
            let name = created["name"].as_str().unwrap_or_default().to_owned();
            Ok(Answer::json(201, &created).with_header("Location", name))
        }
        _ => list(visit, object),
    }
}

fn create(visit: &Visit<'_>, object: ObjectType, body: PropertyCreate) -> Result<Value, Refusal> {
    let mut state = visit.state();
    allowed(visit, &state, object, &body)?;
    let visible_from = visible_from(visit, &state);
    let book = &mut state.drawer_mut(object).book;
    let key = book.create(body, visible_from, visit.stamp.at_ms)?;
    Ok(book.get(key).to_json())
}

fn visible_from(visit: &Visit<'_>, state: &State) -> Duration {
    let switched = state.switches.property_delay_ms.map(Duration::from_millis);
    let delay = switched.unwrap_or(visit.settings.property_delay);
    visit.visible_after(delay)
}

/// Sensitive properties need a scope of their own, and the account has room for so many.
fn allowed(
    visit: &Visit<'_>,
    state: &State,
    object: ObjectType,
    body: &PropertyCreate,
) -> Result<(), Refusal> {
    visit.may_touch(object, Some(body.sensitivity()), Touch::Write)?;
    let most = state.switches.most_properties;
    if most.is_some_and(|most| state.drawer(object).book.own() >= most) {
        return Err(Refusal::validation(format!(
            "The object type {} has reached its limit of custom properties",
            object.name()
        ))
        .with("subCategory", "Properties.PROPERTY_LIMIT_REACHED"));
    }
    Ok(())
}

/// One call lists one class of sensitivity, archived ones or live ones.
fn list(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let archived = field(&visit.query, "archived") == Some("true");
    let sensitivity = field(&visit.query, "dataSensitivity").unwrap_or("non_sensitive");
    let state = visit.state();
    let results: Vec<Value> = state
        .drawer(object)
        .book
        .all()
        .filter(|property| property.archived == archived && property.sensitivity == sensitivity)
        .map(|property| property.to_json())
        .collect();
    Ok(Answer::json(200, &json!({"results": results})))
}

/// `/{objectType}/{name}`.
pub(crate) fn property(visit: &Visit<'_>, object: ObjectType, name: &str, verb: Verb) -> Reply {
    match verb {
        Verb::Update => {
            let body: PropertyPatch = visit.parse()?;
            let mut state = visit.state();
            let book = &mut state.drawer_mut(object).book;
            let key = book.patch(name, body, visit.stamp.at_ms)?;
            Ok(Answer::json(200, &book.get(key).to_json()))
        }
        Verb::Delete => {
            visit.state().drawer_mut(object).book.archive(name)?;
            Ok(Answer::empty(204))
        }
        _ => {
            let state = visit.state();
            let (_, property) = state
                .drawer(object)
                .book
                .find(name)
                .ok_or_else(|| unknown_property(name))?;
            Ok(Answer::json(200, &property.to_json()))
        }
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// Batch create, read, archive.
pub(crate) fn batch(visit: &Visit<'_>, object: ObjectType, op: BatchOp) -> Reply {
    match op {
        BatchOp::Create => batch_create(visit, object),
        BatchOp::Archive => batch_archive(visit, object),
        BatchOp::Read | BatchOp::Update | BatchOp::Upsert => batch_read(visit, object),
    }
}

fn inputs<T: serde::de::DeserializeOwned>(visit: &Visit<'_>) -> Result<Option<Vec<T>>, Refusal> {
    let body: Batch<T> = visit.parse()?;
    let count = body.inputs.as_ref().map_or(0, Vec::len);
    visit.carried(count);
    if count > MOST_INPUTS {
        return Err(Refusal::validation(format!(
            "The maximum number of inputs supported in a batch is {MOST_INPUTS}. Please reduce the number of items and try again"
        )));
    }
    Ok(body.inputs)
}

/// All or nothing, unless a switch lets good inputs through.
fn batch_create(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let Some(inputs) = inputs::<PropertyCreate>(visit)? else {
        return Ok(nothing_done(201, &visit.stamp));
    };
    let mut state = visit.state();
    let visible_from = visible_from(visit, &state);
    let mut book = state.drawer(object).book.clone();
    let mut results = Vec::with_capacity(inputs.len());
    let mut errors = Vec::new();
    for input in inputs {
        let made = allowed(visit, &state, object, &input)
            .and_then(|()| book.create(input, visible_from, visit.stamp.at_ms));
        match made {
            Ok(key) => results.push(book.get(key).to_json()),
            Err(refusal) if state.switches.property_batch_partial => {
                errors.push(refusal.into_entry());
            }
            Err(refusal) => return Err(refusal),
        }
    }
    state.drawer_mut(object).book = book;
    Ok(envelope(201, results, errors, &visit.stamp))
}

fn batch_read(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let Some(inputs) = inputs::<Named>(visit)? else {
        return Ok(nothing_done(200, &visit.stamp));
    };
    let state = visit.state();
    let mut results = Vec::new();
    let mut errors = Vec::new();
    for input in inputs {
        match state.drawer(object).book.find(&input.name) {
            Some((_, property)) => results.push(property.to_json()),
            None => errors.push(
                unknown_property(&input.name)
                    .with("context", json!({"name": [input.name]}))
                    .into_entry(),
            ),
        }
    }
    Ok(envelope(200, results, errors, &visit.stamp))
}

/// 204 always, whatever could not be archived.
fn batch_archive(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let mut state = visit.state();
    for input in inputs::<Named>(visit)?.unwrap_or_default() {
        let kept = state.drawer_mut(object).book.archive(&input.name).is_err();
        if kept {
            tracing::debug!(property = input.name, "property was not archived");
        }
    }
    Ok(Answer::empty(204))
}

/// `/{objectType}/groups`.
pub(crate) fn groups(visit: &Visit<'_>, object: ObjectType, verb: Verb) -> Reply {
    let mut state = visit.state();
    let book = &mut state.drawer_mut(object).book;
    match verb {
        Verb::Create => {
            let group: PropertyGroup = visit.parse()?;
            Ok(Answer::json(201, book.create_group(group)?))
        }
        _ => Ok(Answer::json(200, &json!({"results": book.groups()}))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupPatch {
    label: Option<String>,
    display_order: Option<i64>,
}

/// `/{objectType}/groups/{name}`.
pub(crate) fn group(visit: &Visit<'_>, object: ObjectType, name: &str, verb: Verb) -> Reply {
    let mut state = visit.state();
    let book = &mut state.drawer_mut(object).book;
    match verb {
        Verb::Delete => {
            book.archive_group(name)?;
            Ok(Answer::empty(204))
        }
        Verb::Update => {
            let patch: GroupPatch = visit.parse()?;
            let group = book.group(name)?;
            group.label = patch.label.unwrap_or_else(|| group.label.clone());
            group.display_order = patch.display_order.unwrap_or(group.display_order);
            Ok(Answer::json(200, group))
        }
        _ => Ok(Answer::json(200, book.group(name)?)),
    }
}
