//! What an account says about its limits, and the numbers of associations a record may have.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::associations::{Category, Direction};
use crate::batch::{envelope, nothing_done};
use crate::objects::ObjectType;
use crate::routes::{Era, LimitCall, UsageCall};
use crate::state::State;
use crate::urls::field;
use crate::visit::Visit;

/// Labels per object pair.
const MOST_LABELS: usize = 10;

/// Custom properties of the account when no switch says otherwise.
const MOST_PROPERTIES: usize = 1_000;

/// Share of a limit from which on a record is near it.
const NEAR: f64 = 0.8;

/// `/crm/limits/{V}/…`.
pub(crate) fn usage(visit: &Visit<'_>, call: UsageCall) -> Reply {
    let state = visit.state();
    let body = match call {
        UsageCall::Properties => properties(&state),
        UsageCall::Labels => json!({"results": labels(visit, &state)}),
        UsageCall::RecordsFrom => {
            let near = state
                .graph
                .directions()
                .filter(|one| crowded(&state, *one).2 > 0);
            let mut types: Vec<_> = near.map(|(from, _)| from.type_id()).collect();
            types.dedup();
            json!({"results": types})
        }
        UsageCall::RecordsTo(from) => {
            let near = state.graph.directions_from(from);
            let near = near.filter(|to| crowded(&state, (from, *to)).2 > 0);
            let types: Vec<_> = near.map(ObjectType::type_id).collect();
            json!({"results": types})
        }
        UsageCall::Records(direction) => {
            let (limit, at, near_or_at) = crowded(&state, direction);
            json!({"limit": limit, "totalRecordsAtLimit": at, "totalRecordsNearLimit": near_or_at - at,
                "atLimitFromRecordSamples": [], "nearLimitFromRecordSamples": []})
        }
    };
    Ok(Answer::json(200, &body))
}

fn properties(state: &State) -> Value {
    let limit = state.switches.most_properties.unwrap_or(MOST_PROPERTIES);
    let mut overall = 0;
    let mut by_type = Vec::new();
    for object in state.objects() {
        let own = state.drawer(object).book.own();
        overall += own;
        if own > 0 {
            by_type.push(
                json!({"objectTypeId": object.type_id(), "limit": limit, "usage": own,
                "percentage": percentage(own, limit)}),
            );
        }
    }
    json!({"overallLimit": limit, "overallUsage": overall, "overallPercentage": percentage(overall, limit),
        "byObjectType": by_type})
}

fn percentage(used: usize, limit: usize) -> f64 {
    match limit {
        0 => 100.0,
        _ => used as f64 * 100.0 / limit as f64,
    }
}

fn labels(visit: &Visit<'_>, state: &State) -> Vec<Value> {
    let wanted = |name: &str| field(&visit.query, name).and_then(|text| state.names.resolve(text));
    let (from, to) = (wanted("fromObjectTypeId"), wanted("toObjectTypeId"));
    let all = state.graph.directions();
    all.filter(|one| from.is_none_or(|from| from == one.0) && to.is_none_or(|to| to == one.1))
        .filter_map(|direction| {
            let own = state.graph.types(direction);
            let own = own.filter(|one| one.category == Category::UserDefined && one.label.is_some());
            let used = own.count();
            (used > 0).then(|| {
                json!({"fromObjectTypeId": direction.0.type_id(), "toObjectTypeId": direction.1.type_id(),
                    "limit": MOST_LABELS, "usage": used, "percentage": percentage(used, MOST_LABELS)})
            })
        })
        .collect()
}

/// The limit of a direction's plain type, records at it, records at it or near it.
fn crowded(state: &State, direction: Direction) -> (usize, usize, usize) {
    let Some(limit) = state.graph.limit(direction, 0) else {
        return (0, 0, 0);
    };
    let degrees = state.graph.degrees(direction);
    let near = NEAR * limit as f64;
    (
        limit,
        degrees.values().filter(|count| **count >= limit).count(),
        degrees
            .values()
            .filter(|count| **count as f64 >= near)
            .count(),
    )
}

#[derive(Debug, Deserialize)]
struct Limits {
    inputs: Vec<LimitInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LimitInput {
    category: Category,
    type_id: u32,
    max_to_object_ids: Option<usize>,
}

/// `/crm/associations/{V}/definitions/configurations/…`.
pub(crate) fn pair_limits(visit: &Visit<'_>, call: LimitCall) -> Reply {
    let mut state = visit.state();
    match call {
        LimitCall::All => {
            let all: Vec<_> = state.graph.directions().collect();
            let limited = all.into_iter().flat_map(|one| shown(&state, one));
            let results: Vec<Value> = limited
                .filter(|one| one.get("userEnforcedMaxToObjectIds").is_some())
                .collect();
            Ok(Answer::json(200, &json!({"results": results})))
        }
        LimitCall::OfPair(direction) => Ok(Answer::json(
            200,
            &json!({"results": shown(&state, direction)}),
        )),
        LimitCall::Set(direction, success) => {
            let body: Limits = visit.parse()?;
            visit.carried(body.inputs.len());
            let mut results = Vec::new();
            let mut errors = Vec::new();
            for input in &body.inputs {
                match set(&mut state, direction, input) {
                    Ok(set) => results.push(set),
                    Err(refusal) => errors.push(refusal.into_entry()),
                }
            }
            Ok(envelope(success, results, errors, &visit.stamp))
        }
        LimitCall::Purge(direction, era) => {
            let body: Limits = visit.parse()?;
            for input in &body.inputs {
                let place = state.graph.place(direction, input.category, input.type_id);
                if let Some(place) = place {
                    state.graph.limits.remove(&(direction, place));
                }
            }
            Ok(match era {
                Era::Legacy => Answer::empty(204),
                Era::Dated => nothing_done(200, &visit.stamp),
            })
        }
    }
}

fn set(state: &mut State, direction: Direction, input: &LimitInput) -> Result<Value, Refusal> {
    let place = state.graph.place(direction, input.category, input.type_id);
    let place = place.ok_or_else(|| {
        Refusal::validation(format!(
            "Association type {} does not exist for these object types",
            input.type_id
        ))
    })?;
    let most = input
        .max_to_object_ids
        .ok_or_else(|| Refusal::validation("maxToObjectIds is required"))?;
    state.graph.limits.insert((direction, place), most);
    Ok(
        json!({"category": input.category, "typeId": input.type_id, "userEnforcedMaxToObjectIds": most,
        "fromObjectTypeId": direction.0.type_id(), "toObjectTypeId": direction.1.type_id()}),
    )
}

fn shown(state: &State, direction: Direction) -> Vec<Value> {
    let types = state.graph.placed(direction);
    types
        .map(|(place, one)| {
            let mut shown = one.to_json();
            if let Some(most) = state.graph.limit(direction, place) {
                shown["userEnforcedMaxToObjectIds"] = json!(most);
            }
            shown
        })
        .collect()
}
