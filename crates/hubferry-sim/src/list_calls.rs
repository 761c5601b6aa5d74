//! List endpoints.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::inputs::LooseText;
use crate::lists::{List, Moved, Processing};
use crate::objects::ObjectType;
use crate::routes::ListCall;
use crate::state::State;
use crate::urls::field;
use crate::values::iso;
use crate::visit::Visit;

const MOST_FOUND: usize = 500;

/// Lists above this size are neither emptied nor copied in one call.
const LARGE: usize = 100_000;

/// Every call about lists.
pub(crate) fn lists(visit: &Visit<'_>, call: &ListCall) -> Reply {
    let mut state = visit.state();
    match call {
        ListCall::Create => create(visit, &mut state),
        ListCall::GetMany => get_many(visit, &state),
        ListCall::Search => search(visit, &state),
        ListCall::ByName(object, name) => by_name(&state, *object, name),
        ListCall::Get(id) => Ok(one(state.lists.get(id)?)),
        ListCall::Rename(id) => {
            let name = field(&visit.query, "listName").unwrap_or_default();
            let list = state.lists.rename(id, name, visit.stamp)?.to_json();
            Ok(Answer::json(200, &json!({"updatedList": list})))
        }
        ListCall::Delete(id) => {
            state.lists.delete(id)?;
            Ok(Answer::empty(204))
        }
        ListCall::Members(id) => members(visit, &state, id),
        ListCall::AddAndRemove(id) => {
            let body: Changes = visit.parse()?;
            change(visit, &mut state, id, &body)
        }
        ListCall::Add(id) => {
            let record_ids_to_add = visit.parse()?;
            let body = Changes {
                record_ids_to_add,
                record_ids_to_remove: Vec::new(),
            };
            change(visit, &mut state, id, &body)
        }
        ListCall::Remove(id) => {
            let record_ids_to_remove = visit.parse()?;
            let body = Changes {
                record_ids_to_add: Vec::new(),
                record_ids_to_remove,
            };
            change(visit, &mut state, id, &body)
        }
        ListCall::AddFrom(id, source) => {
            let add = small(state.lists.get(source)?)?;
            state.lists.change(id, &add, &[], visit.stamp)?;
            Ok(Answer::empty(204))
        }
        ListCall::Clear(id) => {
            let remove = small(state.lists.get(id)?)?;
            state.lists.change(id, &[], &remove, visit.stamp)?;
            Ok(Answer::empty(204))
        }
        ListCall::OfRecord(object, record) => {
            let results = memberships(&state, *object, record);
            Ok(Answer::json(200, &json!({"results": results})))
        }
        ListCall::OfRecords => of_records(visit, &state),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListCreate {
    name: Option<String>,
    object_type_id: Option<String>,
    processing_type: Option<Processing>,
}

fn create(visit: &Visit<'_>, state: &mut State) -> Reply {
    let body: ListCreate = visit.parse()?;
    let missing =
        |field: &str| Refusal::validation(format!("Some required fields were not set: [{field}]"));
    let name = body.name.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| missing("name"))?;
    let object = body.object_type_id.ok_or_else(|| missing("objectTypeId"))?;
    let processing = body
        .processing_type
        .ok_or_else(|| missing("processingType"))?;
    let object = state
        .names
        .resolve(&object)
        .ok_or_else(|| Refusal::unknown_object(&object))?;
    let list = state.lists.create(&name, object, processing, visit.stamp)?;
    Ok(one(list))
}

fn one(list: &List) -> Answer {
    Answer::json(200, &json!({"list": list.to_json()}))
}

fn get_many(visit: &Visit<'_>, state: &State) -> Reply {
    let ids = visit.query.iter().filter(|(key, _)| key == "listIds");
    let found = ids.filter_map(|(_, id)| state.lists.get(id).ok());
    let lists: Vec<Value> = found.map(List::to_json).collect();
    Ok(Answer::json(200, &json!({"lists": lists})))
}

/// A missing list was recorded as a 400 without a category.
fn by_name(state: &State, object: ObjectType, name: &str) -> Reply {
    let list = state.lists.named(object, name).ok_or_else(|| {
        let type_id = object.type_id();
        Refusal::new(
            400,
            format!("List does not exist with name {name} and object type ID {type_id}."),
        )
    })?;
    Ok(one(list))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    offset: usize,
    count: Option<usize>,
    #[serde(default)]
    processing_types: Vec<Processing>,
    object_type_id: Option<String>,
    #[serde(default)]
    list_ids: Vec<LooseText>,
}

fn search(visit: &Visit<'_>, state: &State) -> Reply {
    let body: Search = visit.parse()?;
    let count = body.count.unwrap_or(20);
    if count == 0 || count > MOST_FOUND {
        return Err(Refusal::validation(format!(
            "count must be between 1 and {MOST_FOUND}"
        )));
    }
    let object = match &body.object_type_id {
        Some(text) => Some(
            state
                .names
                .resolve(text)
                .ok_or_else(|| Refusal::unknown_object(text))?,
        ),
        None => None,
    };
    let query = body.query.unwrap_or_default().to_lowercase();
    let wanted = |list: &&List| {
        list.name.to_lowercase().contains(&query)
            && object.is_none_or(|object| object == list.object)
            && (body.processing_types.is_empty()
                || body.processing_types.contains(&list.processing))
            && (body.list_ids.is_empty()
                || body.list_ids.iter().any(|id| id.0 == list.id.to_string()))
    };
    let total = state.lists.all().filter(wanted).count();
    let page = state
        .lists
        .all()
        .filter(wanted)
        .skip(body.offset)
        .take(count);
    let lists: Vec<Value> = page.map(List::to_json).collect();
    let next = body.offset.saturating_add(lists.len());
    Ok(Answer::json(
        200,
        &json!({"lists": lists, "hasMore": next < total, "offset": next, "total": total}),
    ))
}

fn members(visit: &Visit<'_>, state: &State, id: &str) -> Reply {
    let number = |name: &str| field(&visit.query, name).and_then(|text| text.parse::<u64>().ok());
    let limit = usize::try_from(number("limit").unwrap_or(100)).unwrap_or(usize::MAX);
    let list = state.lists.get(id)?;
    let mut page: Vec<(&u64, &(i64, i64))> = list
        .members
        .range(number("after").unwrap_or(0)..)
        .take(limit.saturating_add(1))
        .collect();
    let next = if page.len() > limit { page.pop() } else { None };
    let results: Vec<Value> = page
        .into_iter()
        .map(|(record, times)| json!({"recordId": record.to_string(), "membershipTimestamp": iso(times.0)}))
        .collect();
    let mut body = json!({"results": results, "total": list.members.len()});
    if let Some((next, _)) = next {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, &body))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changes {
    record_ids_to_add: Vec<LooseText>,
    record_ids_to_remove: Vec<LooseText>,
}

fn change(visit: &Visit<'_>, state: &mut State, id: &str, body: &Changes) -> Reply {
    let count = body.record_ids_to_add.len() + body.record_ids_to_remove.len();
    visit.carried(count);
    if let Some(most) = state.switches.most_list_changes
        && count > most
    {
        return Err(Refusal::validation(format!(
            "At most {most} record ids are allowed in one request"
        )));
    }
    let object = state.lists.get(id)?.object;
    let mut missing = Vec::new();
    let add = known(state, object, &body.record_ids_to_add, &mut missing);
    let remove = known(state, object, &body.record_ids_to_remove, &mut missing);
    let moved = state.lists.change(id, &add, &remove, visit.stamp)?;
    Ok(Answer::json(200, &shown(&moved, &missing)))
}

/// The records that exist; the ids of the others are noted.
fn known(
    state: &State,
    object: ObjectType,
    ids: &[LooseText],
    missing: &mut Vec<String>,
) -> Vec<u64> {
    let shelf = &state.drawer(object).shelf;
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        match shelf.parse_id(&id.0) {
            Some(record) => records.push(record),
            None => missing.push(id.0.clone()),
        }
    }
    records
}

/// `recordsIdsAdded` is HubSpot's spelling.
fn shown(moved: &Moved, missing: &[String]) -> Value {
    let texts = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>();
    json!({"recordsIdsAdded": texts(&moved.added), "recordIdsRemoved": texts(&moved.removed), "recordIdsMissing": missing})
}

fn small(list: &List) -> Result<Vec<u64>, Refusal> {
    if list.members.len() >= LARGE {
        return Err(Refusal::validation(format!(
            "The list has {LARGE} or more members"
        )));
    }
    Ok(list.members.keys().copied().collect())
}

fn memberships(state: &State, object: ObjectType, record: &str) -> Vec<Value> {
    let Some(record) = state.drawer(object).shelf.parse_id(record) else {
        return Vec::new();
    };
    let lists = state.lists.all().filter(|list| list.object == object);
    lists
        .filter_map(|list| {
            let (first, last) = list.members.get(&record)?;
            Some(json!({"listId": list.id.to_string(), "listVersion": 1,
                "firstAddedTimestamp": iso(*first), "lastAddedTimestamp": iso(*last)}))
        })
        .collect()
}

#[derive(Debug, Deserialize)]
struct OfRecords {
    inputs: Vec<OfRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfRecord {
    object_type_id: String,
    record_id: LooseText,
}

fn of_records(visit: &Visit<'_>, state: &State) -> Reply {
    let body: OfRecords = visit.parse()?;
    visit.carried(body.inputs.len());
    let results = body
        .inputs
        .iter()
        .map(|input| {
            let object = state.names.resolve(&input.object_type_id);
            let object = object.ok_or_else(|| Refusal::unknown_object(&input.object_type_id))?;
            let lists = memberships(state, object, &input.record_id.0);
            Ok(json!({"objectTypeId": object.type_id(), "recordId": input.record_id.0, "recordListMemberships": lists}))
        })
        .collect::<Result<Vec<Value>, Refusal>>()?;
    Ok(Answer::json(
        200,
        &json!({"status": "COMPLETE", "results": results, "startedAt": iso(visit.stamp.at_ms),
            "completedAt": iso(visit.stamp.at_ms)}),
    ))
}
