//! The e-mail of an event occurrence, judged before the payload is (actions.md §7.3, §8.5): a bad one must not cost an
//! event that names its person by something else.

use std::sync::LazyLock;

use hubferry_mapping::{CleanOptions, FieldSchema, Format, Note, Schema, Violation, js_text};
use serde_json::{Map, Value};

use crate::action::InvalidEmail;
use crate::catalogue::ActionSlug;

static EMAIL: LazyLock<Schema> =
    LazyLock::new(|| Schema::new(vec![FieldSchema::text("email").format(Format::Email)]));

/// Takes a blank e-mail out of an event's payload, and an invalid one when another identifier stands beside it; that one
/// is noted.
pub(crate) fn set_aside(
    action: ActionSlug,
    payload: &mut Map<String, Value>,
    policy: InvalidEmail,
) -> Option<Note> {
    let (identifiers, others, path) = match action {
        ActionSlug::SendCustomBehavioralEvent => (payload, ["utk", "objectId"], "/email"),
        ActionSlug::CustomEvent => {
            let details = payload.get_mut("record_details")?.as_object_mut()?;
            (details, ["utk", "object_id"], "/record_details/email")
        }
        ActionSlug::UpsertContact
        | ActionSlug::UpsertCompany
        | ActionSlug::UpsertCustomObjectRecord
        | ActionSlug::UpsertObject => return None,
    };
    let email = identifiers.get("email")?;
    if is_blank(email) {
        identifiers.shift_remove("email");
        return None;
    }
    let has_other = others
        .iter()
        .any(|name| identifiers.get(*name).is_some_and(|other| !is_blank(other)));
    if policy == InvalidEmail::DeadLetter || !has_other || is_valid(email) {
        return None;
    }
    identifiers.shift_remove("email");
    let field = path.trim_start_matches('/').split('/').next();
    Some(Note::Dropped {
        field: field.unwrap_or("email").to_owned(),
        why: vec![Violation {
            path: path.to_owned(),
            expected: "an e-mail address".to_owned(),
            actual: "something else (left out: another identifier is there)".to_owned(),
        }],
    })
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_blank),
        Value::String(text) => text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => js_text(value).is_empty(),
    }
}

fn is_valid(email: &Value) -> bool {
    let payload = Map::from_iter([("email".to_owned(), email.clone())]);
    EMAIL.validate(payload, &CleanOptions::default()).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::action::{Action, ActionSettings};
    use crate::test_settings::settings;

    /// What is left of the identifiers and how many notes were taken, or the paths at fault.
    fn judged(
        action: ActionSlug,
        settings: ActionSettings,
        payload: &Value,
    ) -> Result<(Value, usize), Vec<String>> {
        let Value::Object(payload) = payload.clone() else {
            panic!("an object")
        };
        let valid = Action::new(action, settings).validate(payload, &CleanOptions::default());
        valid
            .map(|valid| {
                let dropped = valid
                    .notes
                    .iter()
                    .filter(|note| matches!(note, Note::Dropped { .. }));
                let dropped = dropped.count();
                (Value::Object(valid.payload), dropped)
            })
            .map_err(|violations| violations.into_iter().map(|one| one.path).collect())
    }

    #[test]
    fn b7_an_invalid_e_mail_beside_a_token_is_dropped_with_a_note() {
        let event = |more: &Value| {
            let mut payload = json!({"eventName": "pe1_x"});
            let members = payload.as_object_mut().unwrap();
            members.extend(more.as_object().unwrap().clone());
            payload
        };
        let behavioral = ActionSlug::SendCustomBehavioralEvent;
        for (more, expected) in [
            (
                json!({"email": "nobody", "utk": "t"}),
                Ok((json!({"utk": "t"}), 1)),
            ),
            (
                json!({"email": "nobody", "objectId": 7}),
                Ok((json!({"objectId": "7"}), 1)),
            ),
            (
                json!({"email": " a@b.co ", "utk": "t"}),
                Ok((json!({"email": "a@b.co", "utk": "t"}), 0)),
            ),
            (
                json!({"email": "  ", "utk": "t"}),
                Ok((json!({"utk": "t"}), 0)),
            ),
            (
                json!({"email": null, "utk": "t"}),
                Ok((json!({"utk": "t"}), 0)),
            ),
            (json!({"email": "nobody"}), Err(vec!["/email".to_owned()])),
            (
                json!({"email": "nobody", "utk": " "}),
                Err(vec!["/email".to_owned()]),
            ),
        ] {
            let expected = expected.map(|(left, notes)| (event(&left), notes));
            let found = judged(behavioral, settings(), &event(&more));
            assert_eq!(found, expected, "{more}");
        }
        let strict = ActionSettings {
            invalid_email: InvalidEmail::DeadLetter,
            ..settings()
        };
        let found = judged(
            behavioral,
            strict,
            &event(&json!({"email": "nobody", "utk": "t"})),
        );
        assert_eq!(found, Err(vec!["/email".to_owned()]));
    }

    #[test]
    fn e10_a_blank_e_mail_in_the_record_details_is_no_fault() {
        let details = |details: Value| json!({"event_name": "x", "record_details": details});
        for (given, expected) in [
            (
                json!({"object_type": "contact", "email": "", "utk": "t"}),
                Ok((json!({"object_type": "contact", "utk": "t"}), 0)),
            ),
            (
                json!({"object_type": "contact", "email": "nobody", "object_id": 5}),
                Ok((json!({"object_type": "contact", "object_id": 5}), 1)),
            ),
            (
                json!({"object_type": "contact", "email": "nobody"}),
                Err(vec!["/record_details/email".to_owned()]),
            ),
        ] {
            let expected = expected.map(|(left, notes)| (details(left), notes));
            let found = judged(ActionSlug::CustomEvent, settings(), &details(given.clone()));
            assert_eq!(found, expected, "{given}");
        }
    }
}
