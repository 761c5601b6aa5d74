//! Calls about one record, and the plain list.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::inputs::{NewAssociation, WrittenProperties};
use crate::objects::ObjectType;
use crate::properties::PropertyKey;
use crate::records::Wanted;
use crate::routes::Verb;
use crate::state::State;
use crate::urls::field;
use crate::visit::Visit;
use crate::writes::{Aim, Claimed, id_property, prepare};

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    properties: WrittenProperties,
    #[serde(default)]
    associations: Option<Vec<NewAssociation>>,
}

/// `/{objectType}`.
pub(crate) fn records(visit: &Visit<'_>, object: ObjectType, verb: Verb) -> Reply {
    match verb {
        Verb::Create => create(visit, object),
        _ => list(visit, object),
    }
}

/// `/{objectType}/{id}`.
pub(crate) fn record(visit: &Visit<'_>, object: ObjectType, id: &str, verb: Verb) -> Reply {
    match verb {
        Verb::Update => update(visit, object, id),
        Verb::Delete => {
            let mut state = visit.state();
            if let Some(id) = state.drawer(object).shelf.parse_id(id) {
                state.archive(object, id);
            }
            Ok(Answer::empty(204))
        }
        _ => read(visit, object, id),
    }
}

fn create(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let body: Body = visit.parse()?;
    let aim = Aim::New(body.associations.as_deref().unwrap_or_default());
    write(
        visit,
        &mut visit.state(),
        object,
        &aim,
        &body.properties,
        201,
    )
}

fn update(visit: &Visit<'_>, object: ObjectType, id: &str) -> Reply {
    let body: Body = visit.parse()?;
    if body.properties.is_empty() {
        return Err(Refusal::validation(
            "No properties found to update, please provide at least one.",
        )
        .with("context", json!({"properties": ["{}"]})));
    }
    let mut state = visit.state();
    let id = found(visit, &state, object, id)?;
    write(
        visit,
        &mut state,
        object,
        &Aim::Existing(id),
        &body.properties,
        200,
    )
}

fn write(
    visit: &Visit<'_>,
    state: &mut State,
    object: ObjectType,
    aim: &Aim<'_>,
    properties: &WrittenProperties,
    success: u16,
) -> Reply {
    visit.may_write(&state.drawer(object).book, properties)?;
    let prepared = prepare(state, object, aim, properties, visit, &mut Claimed::new())
        .map_err(|fault| fault.into_refusal(visit.settings.portal_id))?;
    let keys = prepared.keys();
    let (id, _) = prepared.apply(state, object, visit.stamp);
    let drawer = state.drawer(object);
    let view = drawer.shelf.view(&drawer.book, id, Wanted::Written(&keys));
    Ok(Answer::json(success, &view))
}

fn read(visit: &Visit<'_>, object: ObjectType, id: &str) -> Reply {
    let state = visit.state();
    if field(&visit.query, "archived") == Some("true") {
        let drawer = state.drawer(object);
        let found = drawer.shelf.parse_archived(id);
        let keys = asked(visit, &state, object);
        let view = found.and_then(|id| drawer.shelf.archived_view(&drawer.book, id, &keys));
        return view
            .map(|view| Answer::json(200, &view))
            .ok_or_else(Refusal::not_found);
    }
    let id = found(visit, &state, object, id)?;
    let drawer = state.drawer(object);
    let view = drawer.shelf.view(
        &drawer.book,
        id,
        Wanted::Named(&asked(visit, &state, object)),
    );
    let partners = partners(visit, &state, object, id)?;
    match partners.is_empty() {
        true => Ok(Answer::json(200, &view)),
        false => {
            let mut body = json!(view);
            body["associations"] = Value::Object(partners);
            Ok(Answer::json(200, &body))
        }
    }
}

/// The records of the types that `associations` names; a type without any is left out.
fn partners(
    visit: &Visit<'_>,
    state: &State,
    object: ObjectType,
    id: u64,
) -> Result<Map<String, Value>, Refusal> {
    let lists = visit.query.iter().filter(|(key, _)| key == "associations");
    let mut shown = Map::new();
    for name in lists.flat_map(|(_, list)| list.split(',')) {
        let to = state.names.resolve(name.trim());
        let to = to.ok_or_else(|| Refusal::unknown_object(name))?;
        let mut results = Vec::new();
        for partner in state.graph.partners((object, to), id) {
            for kind in state.graph.types_of((object, to), id, partner) {
                results.push(json!({"id": partner.to_string(), "type": kind.name}));
            }
        }
        if !results.is_empty() {
            shown.insert(to.name().into_owned(), json!({"results": results}));
        }
    }
    Ok(shown)
}

fn list(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let limit: usize = field(&visit.query, "limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(10);
    if limit == 0 || limit > 100 {
        return Err(Refusal::validation("limit must be between 1 and 100"));
    }
    let after: u64 = field(&visit.query, "after")
        .and_then(|after| after.parse().ok())
        .unwrap_or(0);
    let state = visit.state();
    let keys = asked(visit, &state, object);
    let drawer = state.drawer(object);
    let archived = field(&visit.query, "archived") == Some("true");
    let from = |id: &u64| *id >= after;
    let mut ids: Vec<u64> = match archived {
        true => drawer
            .shelf
            .archived_ids()
            .filter(from)
            .take(limit + 1)
            .collect(),
        false => drawer.shelf.ids().filter(from).take(limit + 1).collect(),
    };
    let next = if ids.len() > limit { ids.pop() } else { None };
    let results: Vec<_> = ids
        .into_iter()
        .filter_map(|id| match archived {
            true => drawer.shelf.archived_view(&drawer.book, id, &keys),
            false => Some(drawer.shelf.view(&drawer.book, id, Wanted::Named(&keys))),
        })
        .collect();
    let mut body = json!({"results": results});
    if let Some(next) = next {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, &body))
}

fn found(visit: &Visit<'_>, state: &State, object: ObjectType, id: &str) -> Result<u64, Refusal> {
    let drawer = state.drawer(object);
    let id = match field(&visit.query, "idProperty") {
        Some(name) => {
            let key = id_property(&drawer.book, name, "read", visit.settings.portal_id)?;
            drawer.shelf.owner(&drawer.book, key, id)
        }
        None => drawer.shelf.parse_id(id),
    };
    id.ok_or_else(Refusal::not_found)
}

fn asked(visit: &Visit<'_>, state: &State, object: ObjectType) -> Vec<PropertyKey> {
    let book = &state.drawer(object).book;
    let lists = visit.query.iter().filter(|(key, _)| key == "properties");
    let names = lists.flat_map(|(_, list)| list.split(','));
    let found = names.filter_map(|name| book.find(name.trim()));
    visit.readable(book, found.map(|(key, _)| key).collect())
}
