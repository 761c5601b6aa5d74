//! Telling the inputs of a search apart: HubSpot returns one list for all of them, so a result belongs to the inputs
//! whose filters its properties meet.

use hubferry_actions::{MatchMode, PropertyName, PropertyText, RecordId};
use serde_json::Value;

use crate::answer::found;
use crate::call::{SearchInput, StepId};
use crate::json::text;
use crate::outcome::{Done, Found, Outcome};

/// One outcome per input.
pub(crate) fn attribute(inputs: &[SearchInput], body: &Value) -> Vec<(StepId, Outcome)> {
    let Some(Value::Array(results)) = body.get("results") else {
        return inputs
            .iter()
            .map(|i| (i.step, Outcome::Unaccounted))
            .collect();
    };
    let mut hits: Vec<Vec<Found>> = vec![Vec::new(); inputs.len()];
    let mut left: Vec<&Value> = Vec::new();
    for result in results {
        let owners: Vec<usize> = (0..inputs.len())
            .filter(|&at| meets(&inputs[at], result))
            .collect();
        if owners.is_empty() {
            left.push(result);
        }
        for at in owners {
            hits[at].extend(record(&inputs[at], result));
        }
    }
    let open: Vec<usize> = (0..inputs.len())
        .filter(|&at| hits[at].is_empty())
        .collect();
    // HubSpot compares looser than we do (words, numbers); what only one input can have asked for is its own.
    let clear = left.is_empty() || open.len() == 1;
    if let &[at] = open.as_slice() {
        hits[at].extend(left.iter().filter_map(|result| record(&inputs[at], result)));
    }
    let complete = is_complete(body, results.len());
    (0..)
        .zip(inputs)
        .zip(hits)
        .map(|((_, input), hits): ((usize, _), _)| {
            let told = !hits.is_empty() || (clear && complete);
            let outcome = if told {
                Outcome::Done(Done::Found(hits))
            } else {
                Outcome::Unaccounted
            };
            (input.step, outcome)
        })
        .collect()
}

fn record(input: &SearchInput, result: &Value) -> Option<Found> {
    let id = RecordId::new(&text(result, "id").filter(|id| !id.is_empty())?);
    let none = Value::Null;
    let shown = result.get("properties").unwrap_or(&none);
    let wanted = input
        .filters
        .iter()
        .map(|(name, _): &(PropertyName, _)| name);
    Some(found(id, wanted, shown))
}

fn meets(input: &SearchInput, result: &Value) -> bool {
    let Some(shown) = result.get("properties") else {
        return false;
    };
    let mut fields = input.filters.iter();
    let is_met = |(name, value): &(PropertyName, PropertyText)| {
        text(shown, name.as_str()).is_some_and(|shown| equal(&shown, value.expose()))
    };
    match input.mode {
        MatchMode::All => fields.all(is_met),
        MatchMode::Any => fields.any(is_met),
    }
}

/// HubSpot's EQ ignores case in text; numbers compare as numbers.
pub(crate) fn equal(shown: &str, sent: &str) -> bool {
    let (shown, sent) = (shown.trim(), sent.trim());
    let numbers = || match (shown.parse::<f64>(), sent.parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    shown == sent || shown.to_lowercase() == sent.to_lowercase() || numbers()
}

/// Whether the list holds all there is: no next page.
fn is_complete(body: &Value, results: usize) -> bool {
    let next = body.pointer("/paging/next/after").is_some();
    let total = body.get("total").and_then(Value::as_u64);
    !next && total.is_none_or(|total| usize::try_from(total).is_ok_and(|total| total <= results))
}
