//! What an answer says about the members of a list (hubspot-api.md §6).

use serde_json::Value;

use crate::call::StepId;
use crate::inputs::Inputs;
use crate::json::texts;
use crate::outcome::{Done, Outcome};
use crate::tally::Tally;

/// One outcome per member: records that do not exist are listed, members that were there or gone already are not.
pub(crate) fn settled(inputs: &Inputs<'_>, body: &Value) -> Vec<(StepId, Outcome)> {
    // HubSpot spells the first one so; the other spelling would be the right one.
    let known = [
        "recordsIdsAdded",
        "recordIdsAdded",
        "recordIdsRemoved",
        "recordsIdsRemoved",
        "recordIdsMissing",
    ];
    if known.iter().all(|key| body.get(key).is_none()) {
        return inputs.each(&Outcome::Unaccounted);
    }
    let mut tally = Tally::new(inputs.len());
    for id in texts(body, "recordIdsMissing") {
        if let Some(at) = inputs.of_record(&id) {
            tally.fail(at, Outcome::Gone);
        }
    }
    for at in tally.open() {
        tally.confirm(at, Outcome::Done(Done::There));
    }
    tally.settled(inputs)
}
