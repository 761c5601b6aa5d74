//! The list a record joins or leaves (actions.md §6.7).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::nouns::ObjectType;
use crate::plan::{MembershipChange, MembershipStep, WhenMissing};
use crate::portal::ListName;

/// Classes of computations whose entries and exits are list changes.
const AUDIENCES: [&str; 2] = ["audience", "journey_step"];

pub(super) fn of(payload: &Map<String, Value>, object: &ObjectType) -> Option<MembershipStep> {
    let details = payload.get("list_details")?.as_object()?;
    let list = text(details.get("list_name"));
    let (name, joins) = if flag(details.get("connected_to_engage_audience")) == Some(true) {
        let key = text(payload.get("computation_key"))?;
        let class = text(payload.get("computation_class"))?;
        let is_audience = AUDIENCES.contains(&class);
        let entered = payload.get("traits_or_props")?.get(key)?.as_bool();
        (list.unwrap_or(key), entered.filter(|_| is_audience)?)
    } else {
        (list?, flag(details.get("list_action"))?)
    };
    Some(MembershipStep {
        list: ListName {
            object: object.clone(),
            name: Arc::from(name),
        },
        change: if joins {
            MembershipChange::Add
        } else {
            MembershipChange::Remove
        },
        when_missing: match flag(details.get("should_create_list")) {
            Some(false) => WhenMissing::Skip,
            Some(true) | None => WhenMissing::Create,
        },
    })
}

fn text(value: Option<&Value>) -> Option<&str> {
    value?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

fn flag(value: Option<&Value>) -> Option<bool> {
    value?.as_bool()
}
