//! Association endpoints: batches, single pairs, labels, in the shapes of both generations of paths.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::association_types::AssociationType;
use crate::associations::{Category, Direction, reversed};
use crate::batch::{Batch, envelope, nothing_done};
use crate::inputs::{LooseText, Reference, TypeReference};
use crate::objects::ObjectType;
use crate::routes::{Era, Pair, PairOp, Verb};
use crate::state::State;
use crate::urls::field;
use crate::visit::Visit;
use crate::writes::{no_such_record, unknown_type};

/// Pairs a create may carry (published). For the other writes the switches hold an assumption.
const MOST_PAIRS: usize = 2_000;

/// Records whose associations one read may ask for.
const MOST_READS: usize = 1_000;

#[derive(Debug, Deserialize)]
struct PairInput {
    from: Reference,
    to: Reference,
    #[serde(default)]
    types: Vec<TypeReference>,
    /// Legacy paths name the type by text.
    #[serde(default, rename = "type")]
    kind: Option<LooseText>,
}

#[derive(Debug, Deserialize)]
struct ArchiveInput {
    from: Reference,
    to: Vec<Reference>,
}

#[derive(Debug, Deserialize)]
struct ReadInput {
    id: LooseText,
}

/// Every batch of pairs.
pub(crate) fn batch(visit: &Visit<'_>, direction: Direction, op: PairOp, era: Era) -> Reply {
    match op {
        PairOp::Create | PairOp::AssociateDefault | PairOp::LegacyCreate => {
            join(visit, direction, op, era)
        }
        PairOp::Archive => archive(visit, direction, era),
        PairOp::ArchiveLabels | PairOp::LegacyArchive => archive_labels(visit, direction, op, era),
        PairOp::Read | PairOp::LegacyRead => read(visit, direction, op, era),
    }
}

fn inputs<T: serde::de::DeserializeOwned>(
    visit: &Visit<'_>,
    most: usize,
) -> Result<Option<Vec<T>>, Refusal> {
    let body: Batch<T> = visit.parse()?;
    let count = body.inputs.as_ref().map_or(0, Vec::len);
    visit.carried(count);
    if count > most {
        return Err(Refusal::validation(format!(
            "The maximum number of inputs supported in a batch is {most}. Please reduce the number of items and try again"
        )));
    }
    Ok(body.inputs)
}

/// One bad pair never harms its neighbours: there are no trace ids here, and none are needed for a 207.
fn join(visit: &Visit<'_>, direction: Direction, op: PairOp, era: Era) -> Reply {
    let success = if op == PairOp::AssociateDefault {
        200
    } else {
        201
    };
    let most = match op {
        PairOp::AssociateDefault => visit.state().switches.most_pairs,
        _ => MOST_PAIRS,
    };
    let Some(inputs) = inputs::<PairInput>(visit, most)? else {
        return Ok(nothing_done(success, &visit.stamp));
    };
    let mut state = visit.state();
    let mut results = Vec::with_capacity(inputs.len());
    let mut errors = Vec::new();
    for input in &inputs {
        match join_one(&mut state, direction, op, input) {
            Ok((from, to)) => results.extend(joined(&state, direction, op, era, from, to)),
            Err(refusal) => errors.push(refusal.into_entry()),
        }
    }
    drop(state);
    Ok(envelope(success, results, errors, &visit.stamp))
}

fn join_one(
    state: &mut State,
    direction: Direction,
    op: PairOp,
    input: &PairInput,
) -> Result<(u64, u64), Refusal> {
    let (from, to) = ends(state, direction, &input.from.id.0, &input.to.id.0)?;
    match op {
        PairOp::AssociateDefault => {
            joinable(state, direction)?;
            state.graph.room(direction, from, to, &[])?;
            state.graph.join(direction, from, to);
        }
        _ => {
            let places = places(state, direction, input)?;
            state.graph.room(direction, from, to, &places)?;
            state.graph.label(direction, from, to, &places);
        }
    }
    Ok((from, to))
}

fn places(state: &State, direction: Direction, input: &PairInput) -> Result<Vec<usize>, Refusal> {
    match &input.kind {
        Some(kind) => Ok(vec![legacy_place(state, direction, &kind.0)?]),
        None if input.types.is_empty() => Err(Refusal::validation(
            "At least one association type is required",
        )),
        None => typed_places(state, direction, &input.types),
    }
}

fn typed_places(
    state: &State,
    direction: Direction,
    types: &[TypeReference],
) -> Result<Vec<usize>, Refusal> {
    types
        .iter()
        .map(|kind| {
            let place = state.graph.place(
                direction,
                kind.association_category,
                kind.association_type_id,
            );
            place.ok_or_else(|| unknown_type(*kind))
        })
        .collect()
}

fn legacy_place(state: &State, direction: Direction, kind: &str) -> Result<usize, Refusal> {
    let place = state.graph.legacy_place(direction, kind);
    place.ok_or_else(|| {
        Refusal::validation(format!(
            "Association type {kind} does not exist for these object types"
        ))
    })
}

/// Types of the account's own can only be joined as their schema says.
fn joinable(state: &State, direction: Direction) -> Result<(), Refusal> {
    match state.graph.types(direction).next() {
        Some(_) => Ok(()),
        None => Err(Refusal::validation(format!(
            "No association is defined between {} and {}",
            direction.0.name(),
            direction.1.name()
        ))),
    }
}

/// Both ends of a pair, or what is wrong with them.
fn ends(state: &State, direction: Direction, from: &str, to: &str) -> Result<(u64, u64), Refusal> {
    let from_id = numeric(from)?;
    let to_id = numeric(to)?;
    if direction.0 == direction.1 && from_id == to_id {
        return Err(Refusal::validation(format!(
            "Object {from_id} cannot be associated to itself ({from_id})"
        )));
    }
    let from_id = state.drawer(direction.0).shelf.parse_id(from);
    let from_id =
        from_id.ok_or_else(|| no_such_record(direction.0, from, "FROM_OBJECT_NOT_FOUND"))?;
    let to_id = state.drawer(direction.1).shelf.parse_id(to);
    let to_id = to_id.ok_or_else(|| no_such_record(direction.1, to, "TO_OBJECT_NOT_FOUND"))?;
    Ok((from_id, to_id))
}

fn numeric(id: &str) -> Result<u64, Refusal> {
    id.trim().parse().map_err(|_| {
        Refusal::new(400, format!("{id} is not a valid ID"))
            .with("category", "VALIDATION_ERROR")
            .with("subCategory", "crm.associations.INVALID_IDENTIFIER")
            .with("context", json!({"id": [id]}))
    })
}

/// A record id as it is stored: that of the survivor for a record that was merged, the number itself for one that is
/// not there.
fn stored_id(state: &State, object: ObjectType, id: &str) -> Result<u64, Refusal> {
    match state.drawer(object).shelf.parse_id(id) {
        Some(known) => Ok(known),
        None => numeric(id),
    }
}

fn stored_ids(
    state: &State,
    direction: Direction,
    from: &str,
    to: &str,
) -> Result<(u64, u64), Refusal> {
    Ok((
        stored_id(state, direction.0, from)?,
        stored_id(state, direction.1, to)?,
    ))
}

/// What a joined pair looks like in a batch answer. The default route lists both directions.
fn joined(
    state: &State,
    direction: Direction,
    op: PairOp,
    era: Era,
    from: u64,
    to: u64,
) -> Vec<Value> {
    match op {
        PairOp::AssociateDefault => both_defaults(state, direction, from, to),
        PairOp::LegacyCreate => {
            let kind = state
                .graph
                .types(direction)
                .next()
                .map(|one| one.name.clone())
                .unwrap_or_default();
            vec![
                json!({"from": {"id": from.to_string()}, "to": {"id": to.to_string()}, "type": kind}),
            ]
        }
        _ => vec![labelled(state, direction, era, from, to)],
    }
}

fn both_defaults(state: &State, direction: Direction, from: u64, to: u64) -> Vec<Value> {
    let one = |direction: Direction, from: u64, to: u64| {
        let type_id = state.graph.types(direction).next().map(|one| one.type_id);
        json!({
            "from": {"id": from.to_string()}, "to": {"id": to.to_string()},
            "associationSpec": {"associationCategory": Category::HubspotDefined, "associationTypeId": type_id},
        })
    };
    vec![one(direction, from, to), one(reversed(direction), to, from)]
}

fn labelled(state: &State, direction: Direction, era: Era, from: u64, to: u64) -> Value {
    let types = state.graph.types_of(direction, from, to);
    let labels: Vec<&str> = types
        .iter()
        .filter_map(|one| one.label.as_deref())
        .collect();
    json!({
        "fromObjectTypeId": direction.0.type_id(), "fromObjectId": id_value(era, from),
        "toObjectTypeId": direction.1.type_id(), "toObjectId": id_value(era, to),
        "labels": labels,
    })
}

/// Text as the specification says, numbers as the older documentation shows.
fn id_value(era: Era, id: u64) -> Value {
    match era {
        Era::Dated => json!(id.to_string()),
        Era::Legacy => json!(id),
    }
}

fn archive(visit: &Visit<'_>, direction: Direction, era: Era) -> Reply {
    let most = visit.state().switches.most_pairs;
    let Some(inputs) = inputs::<ArchiveInput>(visit, most)? else {
        return Ok(archived(visit, era));
    };
    let mut state = visit.state();
    for input in &inputs {
        for to in &input.to {
            if let Ok((from, to)) = stored_ids(&state, direction, &input.from.id.0, &to.id.0) {
                state.graph.part(direction, from, to);
            }
        }
    }
    Ok(archived(visit, era))
}

fn archive_labels(visit: &Visit<'_>, direction: Direction, op: PairOp, era: Era) -> Reply {
    let most = visit.state().switches.most_pairs;
    let Some(inputs) = inputs::<PairInput>(visit, most)? else {
        return Ok(archived(visit, era));
    };
    let mut state = visit.state();
    for input in &inputs {
        let ids = stored_ids(&state, direction, &input.from.id.0, &input.to.id.0);
        let Ok((from, to)) = ids else {
            continue;
        };
        match op {
            PairOp::LegacyArchive => state.graph.part(direction, from, to),
            _ => {
                let places = typed_places(&state, direction, &input.types)?;
                state.graph.unlabel(direction, from, to, &places);
            }
        }
    }
    Ok(archived(visit, era))
}

/// v3 and v4 say 204, the dated versions answer with an envelope.
fn archived(visit: &Visit<'_>, era: Era) -> Answer {
    match era {
        Era::Legacy => Answer::empty(204),
        Era::Dated => nothing_done(200, &visit.stamp),
    }
}

fn read(visit: &Visit<'_>, direction: Direction, op: PairOp, era: Era) -> Reply {
    let Some(inputs) = inputs::<ReadInput>(visit, MOST_READS)? else {
        return Ok(nothing_done(200, &visit.stamp));
    };
    let state = visit.state();
    let mut results = Vec::new();
    let mut errors: Vec<Map<String, Value>> = Vec::new();
    for input in &inputs {
        let id = match stored_id(&state, direction.0, &input.id.0) {
            Ok(id) => id,
            Err(refusal) => {
                errors.push(refusal.into_entry());
                continue;
            }
        };
        let partners = state.graph.partners(direction, id);
        if partners.is_empty() {
            let refusal = Refusal::new(
                404,
                format!(
                    "No {} is associated with {} {id}.",
                    direction.1.singular(),
                    direction.0.singular()
                ),
            )
            .with("category", "OBJECT_NOT_FOUND")
            .with("subCategory", "crm.associations.NO_ASSOCIATIONS_FOUND")
            .with("context", json!({"fromObjectId": [id.to_string()]}));
            errors.push(refusal.into_entry());
            continue;
        }
        let to: Vec<Value> = partners
            .into_iter()
            .map(|to| match op {
                PairOp::LegacyRead => {
                    let kind = state
                        .graph
                        .types(direction)
                        .next()
                        .map(|one| one.name.clone());
                    json!({"id": to.to_string(), "type": kind})
                }
                _ => partner(&state, direction, era, id, to),
            })
            .collect();
        results.push(json!({"from": {"id": id.to_string()}, "to": to}));
    }
    drop(state);
    Ok(envelope(200, results, errors, &visit.stamp))
}

fn partner(state: &State, direction: Direction, era: Era, from: u64, to: u64) -> Value {
    let types: Vec<Value> = state
        .graph
        .types_of(direction, from, to)
        .into_iter()
        .map(AssociationType::to_json)
        .collect();
    json!({"toObjectId": id_value(era, to), "associationTypes": types})
}

/// `GET /objects/{from}/{id}/associations/{to}`.
pub(crate) fn list(visit: &Visit<'_>, direction: Direction, from: &str, era: Era) -> Reply {
    let limit: usize = field(&visit.query, "limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(500);
    let after: u64 = field(&visit.query, "after")
        .and_then(|after| after.parse().ok())
        .unwrap_or(0);
    let state = visit.state();
    let id = state
        .drawer(direction.0)
        .shelf
        .parse_id(from)
        .ok_or_else(Refusal::not_found)?;
    let mut partners: Vec<u64> = state
        .graph
        .partners(direction, id)
        .into_iter()
        .filter(|to| *to >= after)
        .collect();
    let next = partners.get(limit).copied();
    partners.truncate(limit);
    let results: Vec<Value> = partners
        .into_iter()
        .map(|to| partner(&state, direction, era, id, to))
        .collect();
    let mut body = json!({"results": results});
    if let Some(next) = next {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, &body))
}

/// `PUT …/associations/{to}/{toId}` with a list of types.
pub(crate) fn label(visit: &Visit<'_>, pair: &Pair, era: Era) -> Reply {
    let types: Vec<TypeReference> = visit.parse()?;
    let mut state = visit.state();
    let (from, to) = ends(&state, pair.direction, &pair.from, &pair.to)?;
    let places = typed_places(&state, pair.direction, &types)?;
    state.graph.room(pair.direction, from, to, &places)?;
    state.graph.label(pair.direction, from, to, &places);
    Ok(Answer::json(
        201,
        &labelled(&state, pair.direction, era, from, to),
    ))
}

/// `PUT …/associations/default/{to}/{toId}`.
pub(crate) fn default(visit: &Visit<'_>, pair: &Pair) -> Reply {
    let mut state = visit.state();
    let (from, to) = ends(&state, pair.direction, &pair.from, &pair.to)?;
    joinable(&state, pair.direction)?;
    state.graph.room(pair.direction, from, to, &[])?;
    state.graph.join(pair.direction, from, to);
    let results = both_defaults(&state, pair.direction, from, to);
    Ok(envelope(200, results, Vec::new(), &visit.stamp))
}

/// `DELETE …/associations/{to}/{toId}`.
pub(crate) fn remove(visit: &Visit<'_>, pair: &Pair) -> Reply {
    let mut state = visit.state();
    let (from, to) = stored_ids(&state, pair.direction, &pair.from, &pair.to)?;
    state.graph.part(pair.direction, from, to);
    Ok(Answer::empty(204))
}

/// v3 `PUT …/associations/{to}/{toId}/{type}`: adds one type, answers with the record.
pub(crate) fn legacy_label(visit: &Visit<'_>, pair: &Pair, kind: &str) -> Reply {
    let mut state = visit.state();
    let (from, to) = ends(&state, pair.direction, &pair.from, &pair.to)?;
    let place = legacy_place(&state, pair.direction, kind)?;
    state.graph.room(pair.direction, from, to, &[place])?;
    match place {
        0 => state.graph.join(pair.direction, from, to),
        _ => state.graph.label(pair.direction, from, to, &[place]),
    }
    let drawer = state.drawer(pair.direction.0);
    let view = drawer
        .shelf
        .view(&drawer.book, from, crate::records::Wanted::Named(&[]));
    let mut body = json!(view);
    let other = pair.direction.1.name();
    body["associations"][&*other] = json!({"results": [{"id": to.to_string(), "type": kind}]});
    Ok(Answer::json(200, &body))
}

/// v3 `DELETE …/associations/{to}/{toId}/{type}`.
pub(crate) fn legacy_remove(visit: &Visit<'_>, pair: &Pair, kind: &str) -> Reply {
    let mut state = visit.state();
    let (from, to) = stored_ids(&state, pair.direction, &pair.from, &pair.to)?;
    let place = legacy_place(&state, pair.direction, kind)?;
    state.graph.unlabel(pair.direction, from, to, &[place]);
    Ok(Answer::empty(204))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelBody {
    name: Option<String>,
    label: String,
    inverse_label: Option<String>,
    association_type_id: Option<u32>,
}

/// `…/labels`.
pub(crate) fn labels(visit: &Visit<'_>, direction: Direction, verb: Verb) -> Reply {
    let mut state = visit.state();
    match verb {
        Verb::Create => {
            let body: LabelBody = visit.parse()?;
            let name = body
                .name
                .unwrap_or_else(|| body.label.to_lowercase().replace(' ', "_"));
            let (here, there) =
                state
                    .graph
                    .define(direction, &name, &body.label, body.inverse_label.as_deref())?;
            let inverse = body.inverse_label.as_deref().unwrap_or(&body.label);
            let mut results = vec![
                json!({"category": Category::UserDefined, "typeId": here, "label": body.label}),
            ];
            if here != there {
                results.push(
                    json!({"category": Category::UserDefined, "typeId": there, "label": inverse}),
                );
            }
            Ok(Answer::json(200, &json!({"results": results})))
        }
        Verb::Update => {
            let body: LabelBody = visit.parse()?;
            let id = body
                .association_type_id
                .ok_or_else(|| Refusal::validation("associationTypeId is required"))?;
            state
                .graph
                .rename(direction, id, &body.label, body.inverse_label.as_deref())?;
            Ok(Answer::empty(204))
        }
        _ => {
            let results: Vec<Value> = state
                .graph
                .types(direction)
                .map(AssociationType::to_json)
                .collect();
            Ok(Answer::json(200, &json!({"results": results})))
        }
    }
}

/// `DELETE …/labels/{id}`.
pub(crate) fn delete_label(visit: &Visit<'_>, direction: Direction, id: &str) -> Reply {
    let id = id.parse().map_err(|_| Refusal::not_found())?;
    visit.state().graph.undefine(direction, id)?;
    Ok(Answer::empty(204))
}
