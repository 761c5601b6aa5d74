//! Batches of records: what refuses the whole request, what fails alone, and how the answer is put together.

use std::collections::HashSet;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::inputs::{LooseText, NewAssociation, WrittenProperties};
use crate::objects::ObjectType;
use crate::properties::{PropertyBook, PropertyKey};
use crate::property::Role;
use crate::records::{Stamp, Wanted};
use crate::routes::BatchOp;
use crate::state::State;
use crate::urls::field;
use crate::values::iso;
use crate::views::RecordView;
use crate::visit::Visit;
use crate::writes::{
    Aim, Claimed, Fault, Prepared, conflict, id_property, invalid_values, non_unique, prepare,
};

/// Inputs a batch of records may carry.
const MOST_INPUTS: usize = 100;

/// Inputs a read may carry when it asks for property histories.
const MOST_INPUTS_WITH_HISTORY: usize = 50;

/// A batch body. Without the `inputs` wrapper HubSpot does nothing and says so to nobody.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch<T> {
    pub(crate) inputs: Option<Vec<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WriteInput {
    id: Option<LooseText>,
    id_property: Option<String>,
    object_write_trace_id: Option<LooseText>,
    #[serde(default)]
    properties: WrittenProperties,
    #[serde(default)]
    associations: Option<Vec<NewAssociation>>,
}

impl WriteInput {
    fn id(&self) -> &str {
        self.id.as_ref().map_or("", |id| id.0.as_str())
    }
}

/// The envelope of a batch answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<T> {
    status: &'static str,
    results: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_errors: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Map<String, Value>>>,
    started_at: String,
    completed_at: String,
}

/// A batch answer: `success`, or 207 when there are errors.
pub(crate) fn envelope<T: Serialize>(
    success: u16,
    results: Vec<T>,
    errors: Vec<Map<String, Value>>,
    stamp: &Stamp,
) -> Answer {
    let status = if errors.is_empty() { success } else { 207 };
    let at = iso(stamp.at_ms);
    let errors = (!errors.is_empty()).then_some(errors);
    let body = Envelope {
        status: "COMPLETE",
        results,
        num_errors: errors.as_ref().map(Vec::len),
        errors,
        started_at: at.clone(),
        completed_at: at,
    };
    Answer::json(status, &body)
}

/// The answer of a batch in which nothing happened.
pub(crate) fn nothing_done(success: u16, stamp: &Stamp) -> Answer {
    envelope(success, Vec::<Value>::new(), Vec::new(), stamp)
}

/// Create, update and upsert.
pub(crate) fn write(visit: &Visit<'_>, object: ObjectType, op: BatchOp) -> Reply {
    let success = if op == BatchOp::Create { 201 } else { 200 };
    let body: Batch<WriteInput> = visit.parse()?;
    let Some(inputs) = body.inputs else {
        return Ok(nothing_done(success, &visit.stamp));
    };
    visit.carried(inputs.len());
    not_too_many(inputs.len(), MOST_INPUTS)?;
    if op != BatchOp::Create {
        no_duplicates(&inputs)?;
    }
    let written = {
        let mut state = visit.state();
        let keys = id_keys(
            &state.drawer(object).book,
            op,
            &inputs,
            visit.settings.portal_id,
        )?;
        for input in &inputs {
            visit.may_write(&state.drawer(object).book, &input.properties)?;
        }
        let prepared = prepare_all(&state, object, &inputs, &keys, op, visit);
        if !may_be_partial(&state, object, &inputs, &keys, visit) {
            all_or_nothing(&prepared, visit.settings.portal_id)?;
        }
        apply_all(&mut state, object, op, &inputs, prepared, visit)
    };
    Ok(envelope(
        success,
        written.results,
        written.errors,
        &visit.stamp,
    ))
}

fn not_too_many(inputs: usize, most: usize) -> Result<(), Refusal> {
    if inputs <= most {
        return Ok(());
    }
    let what = match most {
        MOST_INPUTS_WITH_HISTORY => "a batch request for property histories",
        _ => "a batch",
    };
    Err(Refusal::validation(format!(
        "The maximum number of inputs supported in {what} is {most}. Please reduce the number of items and try again"
    )))
}

/// The same id twice refuses everything, trace ids or not. Emails count as the same whatever their case.
fn no_duplicates(inputs: &[WriteInput]) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let mut twice: Vec<&str> = Vec::new();
    for input in inputs {
        let by_email = input.id_property.as_deref() == Some("email");
        let id = if by_email {
            input.id().trim().to_lowercase()
        } else {
            input.id().trim().to_owned()
        };
        if !seen.insert((input.id_property.as_deref(), id)) && !twice.contains(&input.id()) {
            twice.push(input.id());
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        format!(
            "Duplicate IDs found in batch input: [{}]. IDs must be unique",
            twice.join(", ")
        ),
    )
    .with("context", json!({"ids": twice}))
    .with("category", "VALIDATION_ERROR"))
}

fn id_keys(
    book: &PropertyBook,
    op: BatchOp,
    inputs: &[WriteInput],
    portal_id: u64,
) -> Result<Vec<Option<PropertyKey>>, Refusal> {
    inputs
        .iter()
        .map(|input| match (op, input.id_property.as_deref()) {
            (BatchOp::Upsert, Some(name)) => id_property(book, name, "upsert", portal_id).map(Some),
            (BatchOp::Upsert, None) => Err(Refusal::validation(
                "idProperty is required for every input of an upsert",
            )),
            (BatchOp::Update, Some(name)) => match id_property(book, name, "update", portal_id)? {
                // Contacts are updated by record id; email has been refused here.
                key if book.get(key).role == Role::Email => {
                    Err(non_unique(book, name, "update", portal_id))
                }
                key => Ok(Some(key)),
            },
            _ => Ok(None),
        })
        .collect()
}

type Outcome = Result<Prepared, Fault>;

fn prepare_all(
    state: &State,
    object: ObjectType,
    inputs: &[WriteInput],
    keys: &[Option<PropertyKey>],
    op: BatchOp,
    visit: &Visit<'_>,
) -> Vec<Outcome> {
    let mut claimed = Claimed::new();
    let drawer = state.drawer(object);
    inputs
        .iter()
        .zip(keys)
        .map(|(input, key)| {
            let aim = match (op, key) {
                (BatchOp::Upsert, Some(key)) => Aim::Upsert(*key, input.id()),
                (BatchOp::Create, _) => Aim::New(input.associations.as_deref().unwrap_or_default()),
                (_, key) => {
                    let found = match key {
                        Some(key) => drawer.shelf.owner(&drawer.book, *key, input.id()),
                        None => drawer.shelf.parse_id(input.id()),
                    };
                    Aim::Existing(found.ok_or(Fault::Missing)?)
                }
            };
            prepare(state, object, &aim, &input.properties, visit, &mut claimed)
        })
        .collect()
}

/// Inputs fail alone only when each has a trace id of its own, and (by a switch) not in upserts by email.
fn may_be_partial(
    state: &State,
    object: ObjectType,
    inputs: &[WriteInput],
    keys: &[Option<PropertyKey>],
    visit: &Visit<'_>,
) -> bool {
    let traces: HashSet<&str> = inputs
        .iter()
        .filter_map(|input| input.object_write_trace_id.as_ref())
        .map(|trace| trace.0.as_str())
        .collect();
    let book = &state.drawer(object).book;
    let by_email = keys
        .iter()
        .flatten()
        .any(|key| book.get(*key).role == Role::Email);
    let switched = state.switches.email_upsert_partial;
    let partial = switched.unwrap_or(visit.settings.email_upsert_partial);
    traces.len() == inputs.len() && (partial || !by_email)
}

/// All bad values of all inputs in one 400; else the first conflict; records that are missing never refuse the rest.
fn all_or_nothing(prepared: &[Outcome], portal_id: u64) -> Result<(), Refusal> {
    let faults = || prepared.iter().filter_map(|outcome| outcome.as_ref().err());
    let bad: Vec<_> = faults()
        .filter_map(|fault| match fault {
            Fault::Invalid(bad) => Some(bad.clone()),
            Fault::Exists(_) | Fault::Missing | Fault::Refused(_) => None,
        })
        .flatten()
        .collect();
    if !bad.is_empty() {
        return Err(invalid_values(&bad, portal_id));
    }
    match faults().find(|fault| !matches!(fault, Fault::Missing)) {
        Some(fault) => Err(fault.clone().into_refusal(portal_id)),
        None => Ok(()),
    }
}

struct Written {
    results: Vec<RecordView>,
    errors: Vec<Map<String, Value>>,
}

fn apply_all(
    state: &mut State,
    object: ObjectType,
    op: BatchOp,
    inputs: &[WriteInput],
    prepared: Vec<Outcome>,
    visit: &Visit<'_>,
) -> Written {
    let mut applied = Vec::with_capacity(inputs.len());
    let mut errors = Vec::new();
    let mut missing = Vec::new();
    for (input, outcome) in inputs.iter().zip(prepared) {
        match outcome {
            Ok(write) => {
                let keys = write.keys();
                let (id, new) = write.apply(state, object, visit.stamp);
                applied.push((id, new, keys, input));
            }
            Err(Fault::Missing) => missing.push(input.id()),
            Err(fault) => errors.push(entry(fault, input, visit.settings.portal_id)),
        }
    }
    if !missing.is_empty() {
        errors.push(objects_missing(object, &missing).into_entry());
    }
    if visit.settings.shuffle {
        applied.shuffle(&mut state.chance);
    }
    let drawer = state.drawer(object);
    let results = applied
        .into_iter()
        .map(|(id, new, keys, input)| {
            let mut view = drawer.shelf.view(&drawer.book, id, Wanted::Written(&keys));
            view.new = (op == BatchOp::Upsert).then_some(new);
            view.trace = match &input.object_write_trace_id {
                Some(trace) if visit.settings.echo_trace_ids => Some(trace.0.clone()),
                _ => None,
            };
            view
        })
        .collect();
    Written { results, errors }
}

/// One input's error; the trace id is the only thing that says whose it is.
fn entry(fault: Fault, input: &WriteInput, portal_id: u64) -> Map<String, Value> {
    let trace = input
        .object_write_trace_id
        .as_ref()
        .map_or("", |trace| trace.0.as_str());
    let mut context = json!({"objectWriteTraceId": [trace]});
    let refusal = match fault {
        Fault::Exists(owner) => {
            if let Some(id) = owner {
                context["existingId"] = json!([id.to_string()]);
            }
            conflict(owner)
        }
        other => other.into_refusal(portal_id),
    };
    refusal.with("context", context).into_entry()
}

fn objects_missing(object: ObjectType, ids: &[&str]) -> Refusal {
    let message = format!(
        "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
        object.shouted()
    );
    Refusal::new(404, message)
        .with("category", "OBJECT_NOT_FOUND")
        .with("context", json!({"ids": ids}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadBody {
    inputs: Option<Vec<ReadInput>>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    properties_with_history: Vec<String>,
    id_property: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReadInput {
    id: LooseText,
}

/// Batch read.
pub(crate) fn read(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let body: ReadBody = visit.parse()?;
    let Some(inputs) = body.inputs else {
        return Ok(nothing_done(200, &visit.stamp));
    };
    visit.carried(inputs.len());
    let most = if body.properties_with_history.is_empty() {
        MOST_INPUTS
    } else {
        MOST_INPUTS_WITH_HISTORY
    };
    not_too_many(inputs.len(), most)?;
    let mut state = visit.state();
    let drawer = state.drawer(object);
    let key = match &body.id_property {
        Some(name) => Some(id_property(
            &drawer.book,
            name,
            "read",
            visit.settings.portal_id,
        )?),
        None => None,
    };
    let asked = body.properties.iter().chain(&body.properties_with_history);
    let names: Vec<&str> = asked.map(String::as_str).collect();
    let keys = visit.readable(&drawer.book, drawer.book.keys_of(&names));
    let archived = field(&visit.query, "archived") == Some("true");
    let mut seen = HashSet::new();
    let mut missing = Vec::new();
    let mut results = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let id = input.id.0.as_str();
        if archived {
            let found = drawer.shelf.parse_archived(id);
            let view = found.and_then(|id| drawer.shelf.archived_view(&drawer.book, id, &keys));
            match view {
                Some(view) => results.push(view),
                None => missing.push(id),
            }
            continue;
        }
        let found = match key {
            Some(key) => drawer.shelf.owner(&drawer.book, key, id),
            None => drawer.shelf.parse_id(id),
        };
        match found {
            Some(id) if seen.insert(id) => {
                results.push(drawer.shelf.view(&drawer.book, id, Wanted::Named(&keys)))
            }
            Some(_) => (),
            None => missing.push(id),
        }
    }
    if visit.settings.shuffle {
        results.shuffle(&mut state.chance);
    }
    drop(state);
    let errors = match missing.is_empty() {
        true => Vec::new(),
        false => vec![objects_missing(object, &missing).into_entry()],
    };
    Ok(envelope(200, results, errors, &visit.stamp))
}

/// Batch archive: 204 whatever was there.
pub(crate) fn archive(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let body: Batch<ReadInput> = visit.parse()?;
    let inputs = body.inputs.unwrap_or_default();
    visit.carried(inputs.len());
    not_too_many(inputs.len(), MOST_INPUTS)?;
    let mut state = visit.state();
    for input in &inputs {
        if let Some(id) = state.drawer(object).shelf.parse_id(&input.id.0) {
            state.archive(object, id);
        }
    }
    Ok(Answer::empty(204))
}
