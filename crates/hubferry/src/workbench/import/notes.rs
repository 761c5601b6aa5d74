//! Where hubferry does something else with the same mapping (actions.md, mapping.md), as notes for the one who imports.

use hubferry_actions::ActionSlug;
use hubferry_mapping::Mapping;
use serde_json::{Map, Value};

/// The notes on one mapping's fields.
pub(super) fn on(action: ActionSlug, fields: &Map<String, Value>) -> Vec<String> {
    let mut notes: Vec<String> = match action {
        ActionSlug::UpsertContact => contact(fields),
        ActionSlug::UpsertCompany => company(fields),
        ActionSlug::UpsertCustomObjectRecord => object_record(fields),
        ActionSlug::UpsertObject => object(fields),
        ActionSlug::SendCustomBehavioralEvent | ActionSlug::CustomEvent => event(fields),
    };
    if is_directive(fields.get("properties")) && !is_event(action) {
        notes.push(
            "a whole object is mapped to properties: those HubSpot does not know are left out and reported, and the rest is written; the reference loses the record (unknown_property: dead_letter refuses it)"
                .to_owned(),
        );
    }
    match Mapping::compile(&Value::Object(fields.clone())) {
        Ok(mapping) => {
            for warning in mapping.warnings() {
                notes.push(format!("fields{}: {}", warning.location, warning.message));
            }
        }
        Err(faults) => {
            for fault in faults {
                notes.push(format!(
                    "to be settled before it can be used: fields{}: {}",
                    fault.location, fault.message
                ));
            }
        }
    }
    notes
}

fn is_event(action: ActionSlug) -> bool {
    matches!(
        action,
        ActionSlug::SendCustomBehavioralEvent | ActionSlug::CustomEvent
    )
}

fn is_directive(value: Option<&Value>) -> bool {
    value
        .and_then(Value::as_object)
        .is_some_and(|members| members.keys().any(|key| key.starts_with('@')))
}

/// Whether a field, or a property of this name, is mapped.
fn maps(fields: &Map<String, Value>, name: &str) -> bool {
    let among = |members: Option<&Value>| members.and_then(|members| members.get(name)).is_some();
    fields.contains_key(name) || among(fields.get("properties"))
}

fn is_given(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    }
}

fn contact(fields: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    let properties = fields.get("properties");
    if is_directive(properties) || properties.and_then(|own| own.get("email")).is_some() {
        notes.push(
            "an e-mail among the properties that differs from the one the contact is found by is refused (email_differs); allow_email_change: true writes it"
                .to_owned(),
        );
    }
    if maps(fields, "lifecyclestage") {
        notes.push(
            "a stage moves backwards wherever it is mapped, and is compared trimmed and lower-cased; the reference does so only for the field itself (lifecycle: forward_only or never changes it)"
                .to_owned(),
        );
    }
    notes
}

fn company(fields: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    if is_given(fields.get("companysearchfields")) {
        notes.push(
            "a company has to match all search fields here, and any of them in the reference; fields without a value are ignored"
                .to_owned(),
        );
    }
    if maps(fields, "lifecyclestage") {
        notes.push(
            "a stage moves backwards too, which the reference promises and does not do for companies (lifecycle: forward_only keeps it so)"
                .to_owned(),
        );
    }
    if fields.get("associateContact") != Some(&Value::Bool(false)) {
        notes.push(
            "a company whose contact is not known yet is written, and the association waits for the contact (on_missing_contact: wait, link_wait: 7d); the reference loses the event"
                .to_owned(),
        );
    }
    if fields.get("createNewCompany") == Some(&Value::Bool(false)) {
        notes.push(
            "a company that does not exist ends as skipped(not_found), which the reference calls a success"
                .to_owned(),
        );
    }
    if fields.contains_key("domain") {
        notes.push("a URL in domain is reduced to its host, without www.".to_owned());
    }
    if fields.contains_key("numberofemployees") {
        notes.push(
            "a number of employees that is no whole number refuses the event, as in the reference; invalid_property: drop leaves only it out"
                .to_owned(),
        );
    }
    notes
}

fn object_record(fields: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    let searches = [
        "customObjectSearchFields",
        "searchFieldsToAssociateCustomObjects",
    ];
    if searches.iter().any(|name| is_given(fields.get(*name))) {
        notes.push(
            "a record has to match all search fields here, and any of them in the reference; fields without a value are ignored"
                .to_owned(),
        );
    }
    if is_given(fields.get("searchFieldsToAssociateCustomObjects")) {
        notes.push(
            "when several records could be associated, the record is written and the association refused; the write is never repeated"
                .to_owned(),
        );
    }
    notes
}

fn object(fields: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    if is_given(fields.get("associations")) || is_given(fields.get("dissociations")) {
        notes.push(
            "every record of a batch gets its own associations; in the reference records that share a target lose all but one"
                .to_owned(),
        );
    }
    if is_given(fields.get("list_details")) {
        notes.push(
            "list memberships are always on; in the reference they need a feature flag".to_owned(),
        );
    }
    notes
}

fn event(fields: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    let email = fields.contains_key("email")
        || fields
            .get("record_details")
            .is_some_and(|details| details.get("email").is_some());
    if email {
        notes.push(
            "an invalid e-mail beside another identifier is left out and noted; the reference refuses the event"
                .to_owned(),
        );
    }
    notes
}
