//! Telling created records apart that have no unique property and whose trace ids were not echoed: by what was written.

use hubferry_actions::{Properties, PropertyName, PropertyText};
use serde_json::Value;

use crate::answer::done;
use crate::inputs::Inputs;
use crate::json::text;
use crate::outcome::Outcome;
use crate::search::equal;
use crate::tally::Tally;

/// Gives results to the inputs that alone can have written them, again and again until none is clear any more; what
/// remains is returned. Inputs that wrote the same may have each other's records: nothing tells those apart either.
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

/// Inputs that wrote the same, and as many results that show it and that nobody else can have written.
fn clear_group(
    inputs: &Inputs<'_>,
    open: &[usize],
    left: &[&Value],
) -> Option<(Vec<usize>, Vec<usize>)> {
    let may_show = |at: usize| -> Vec<usize> {
        let results = 0..left.len();
        results.filter(|&i| is_shown(inputs, at, left[i])).collect()
    };
    let shown: Vec<(usize, Vec<usize>)> = open.iter().map(|&at| (at, may_show(at))).collect();
    shown.iter().find_map(|(at, results)| {
        let same = |other: usize| inputs.properties(other) == inputs.properties(*at);
        let (owners, others): (Vec<_>, Vec<_>) = shown.iter().partition(|(other, _)| same(*other));
        let is_ours = |result: &usize| others.iter().all(|(_, theirs)| !theirs.contains(result));
        let ours: Vec<usize> = results.iter().copied().filter(is_ours).collect();
        let clear = !ours.is_empty() && ours.len() == owners.len() && results.len() == ours.len();
        clear.then(|| (owners.into_iter().map(|(at, _)| *at).collect(), ours))
    })
}

/// Whether a result shows what an input wrote: one of its properties at least, and none otherwise.
fn is_shown(inputs: &Inputs<'_>, at: usize, result: &Value) -> bool {
    if done(inputs.request(), result).is_none() || !inputs.may_be(at, result) {
        return false;
    }
    let (Some(written), Some(shown)) = (inputs.properties(at), result.get("properties")) else {
        return false;
    };
    agrees(written, shown)
}

fn agrees(written: &Properties, shown: &Value) -> bool {
    let seen = |(name, value): &(PropertyName, PropertyText)| {
        text(shown, name.as_str()).map(|shown| equal(&shown, value.expose()))
    };
    let comparisons: Vec<bool> = written.iter().filter_map(seen).collect();
    !comparisons.is_empty() && comparisons.into_iter().all(|same| same)
}
