//! Lists and their members (hubspot-api.md §6).

use hubferry_actions::{ListName, MembershipChange};
use serde::Serialize;

use crate::call::MemberInput;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListBody<'a> {
    name: &'a str,
    object_type_id: &'a str,
    processing_type: &'static str,
}

impl<'a> ListBody<'a> {
    pub(super) fn of(list: &'a ListName, type_id: &'a str) -> Self {
        Self {
            name: &list.name,
            object_type_id: type_id,
            processing_type: "MANUAL",
        }
    }
}

/// HubSpot wants both, empty or not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MembersBody<'a> {
    record_ids_to_add: Vec<&'a str>,
    record_ids_to_remove: Vec<&'a str>,
}

impl<'a> MembersBody<'a> {
    pub(super) fn of(inputs: &'a [MemberInput]) -> Self {
        let those = |change| {
            inputs
                .iter()
                .filter(move |input| input.change == change)
                .map(|input| input.record.as_str())
                .collect()
        };
        Self {
            record_ids_to_add: those(MembershipChange::Add),
            record_ids_to_remove: those(MembershipChange::Remove),
        }
    }
}
