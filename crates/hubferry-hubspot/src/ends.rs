//! Which associations an error is about. They have no trace id: an error names the record of one of their ends
//! (hubspot-api.md §4.2).

use crate::call::LinkInput;
use crate::failure::Failure;

/// The positions of the inputs that an error names by the records of their ends.
pub(crate) fn named_by(inputs: &[LinkInput], failure: &Failure) -> Vec<usize> {
    let named = &failure.named;
    let sub_category = failure.sub_category.as_deref().unwrap_or_default();
    // Ids of two types may be equal; the sub-category tells which end is meant.
    let only_to = sub_category.ends_with("TO_OBJECT_NOT_FOUND");
    let only_from = sub_category.ends_with("FROM_OBJECT_NOT_FOUND");
    let among = |ids: &[String], id: &str| ids.iter().any(|x| x.trim() == id);
    let itself = tied_to_itself(&failure.message);
    let is_named = |from: &str, to: &str| {
        let by_pair = match (named.from_ids.is_empty(), named.to_ids.is_empty()) {
            (true, true) => false,
            (false, true) => among(&named.from_ids, from),
            (true, false) => among(&named.to_ids, to),
            (false, false) => among(&named.from_ids, from) && among(&named.to_ids, to),
        };
        by_pair
            || (!only_from && among(&named.ids, to))
            || (!only_to && among(&named.ids, from))
            || (from == to && itself == Some(from))
    };
    (0..)
        .zip(inputs)
        .filter(|(_, x)| is_named(x.from.as_str(), x.to.as_str()))
        .map(|(i, _)| i)
        .collect()
}

/// The record in `Object 12 cannot be associated to itself (12)`, an error that has no context.
fn tied_to_itself(message: &str) -> Option<&str> {
    let (id, rest) = message.strip_prefix("Object ")?.split_once(' ')?;
    rest.starts_with("cannot be associated to itself")
        .then_some(id)
}
