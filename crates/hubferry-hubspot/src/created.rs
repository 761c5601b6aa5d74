//! Telling created records apart that have no unique property and whose trace ids were not echoed: by what was written.

use hubferry_actions::{Properties, PropertyName, PropertyText};
use serde_json::Value;

use crate::answer::done;
use crate::inputs::Inputs;
use crate::json::text;
use crate::outcome::Outcome;
use crate::search::equal;
use crate::tally::Tally;

/// Gives results to the inputs that must have written them, again and again until none is clear any more; what remains is
/// returned. Inputs that wrote the same may have each other's records: nothing tells those apart either.
pub(crate) fn matched<'v>(
    inputs: &Inputs<'_>,
    tally: &mut Tally,
    mut left: Vec<&'v Value>,
) -> Vec<&'v Value> {
    while let Some((owners, results)) = clear_group(inputs, &tally.open(), &left) {
        for (&at, &result) in owners.iter().zip(&results) {
            if let Some(done) = done(inputs.request(), left[result]) {
                tally.confirm(at, Outcome::Done(done));
            }
        }
        left = (0..)
            .zip(left)
            .filter(|(i, _)| !results.contains(i))
            .map(|(_, result)| result)
            .collect();
    }
    left
}

/// Inputs that wrote the same, and as many results that show it.
fn clear_group(
    inputs: &Inputs<'_>,
    open: &[usize],
    left: &[&Value],
) -> Option<(Vec<usize>, Vec<usize>)> {
    let shown: Vec<(usize, Vec<usize>)> = open
        .iter()
        .map(|&at| (at, showing(inputs, at, left)))
        .collect();
    // When every input has a result, those that only these can have are theirs; else others must be unable to have them.
    let everyone_has_one = open.len() == left.len();
    shown.iter().find_map(|(at, results)| {
        let same = |other: usize| inputs.properties(other) == inputs.properties(*at);
        let (owners, others): (Vec<_>, Vec<_>) = shown.iter().partition(|(other, _)| same(*other));
        let is_disputed = |result| others.iter().any(|(_, theirs)| theirs.contains(result));
        let clear =
            owners.len() == results.len() && (everyone_has_one || !results.iter().any(is_disputed));
        clear.then(|| {
            let owners = owners.into_iter().map(|(at, _)| *at).collect();
            (owners, results.clone())
        })
    })
}

/// The results that show what an input wrote.
fn showing(inputs: &Inputs<'_>, at: usize, left: &[&Value]) -> Vec<usize> {
    let Some(written) = inputs.properties(at) else {
        return Vec::new();
    };
    let is_shown = |result: &Value| {
        done(inputs.request(), result).is_some()
            && inputs.may_be(at, result)
            && result
                .get("properties")
                .is_some_and(|shown| agrees(written, shown))
    };
    (0..left.len()).filter(|&i| is_shown(left[i])).collect()
}

/// Whether everything that was written is shown; something must have been.
fn agrees(written: &Properties, shown: &Value) -> bool {
    let mut values = written
        .iter()
        .filter(|(_, value)| !value.expose().is_empty())
        .peekable();
    let is_shown = |(name, value): &(PropertyName, PropertyText)| {
        text(shown, name.as_str()).is_some_and(|shown| equal(&shown, value.expose()))
    };
    values.peek().is_some() && values.all(is_shown)
}
