//! Whether an event is meant for a destination at all.

use crate::view::Json;

/// The names under which `integrations` may mention this destination, unless configured otherwise.
pub const DEFAULT_ALIASES: [&str; 3] = [
    "HubSpot Cloud Mode (Actions)",
    "actions-hubspot-cloud",
    "HubSpot",
];

/// Judges an event's `integrations`: an entry `false` for any alias refuses; an entry that is `true` or an object
/// allows; without an entry `All: false` refuses. Anything that is no object counts as absent.
pub(crate) fn allow<S: AsRef<str>>(integrations: Option<Json<'_>>, aliases: &[S]) -> bool {
    let Some(entries) = integrations.filter(|entries| entries.is_object()) else {
        return true;
    };
    let mut enabled = false;
    for alias in aliases {
        let Some(entry) = entries.get(alias.as_ref()) else {
            continue;
        };
        match entry.as_bool() {
            Some(false) => return false,
            Some(true) => enabled = true,
            None => enabled |= entry.is_object(),
        }
    }
    enabled || entries.get("All").and_then(Json::as_bool) != Some(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integrations_decide() {
        let hubspot = "HubSpot Cloud Mode (Actions)";
        let cases = [
            (json!({}), true),
            (json!({"All": true}), true),
            (json!({"All": false}), false),
            (json!({"All": false, hubspot: true}), true),
            (json!({"All": false, hubspot: {"option": 1}}), true),
            (json!({hubspot: false}), false),
            (json!({"All": true, "HubSpot": false}), false),
            (
                json!({hubspot: true, "actions-hubspot-cloud": false}),
                false,
            ),
            (json!({"Mixpanel": false}), true),
            (json!({"All": null}), true),
            (json!("no"), true),
            (json!(null), true),
            (json!([false]), true),
        ];
        for (integrations, expected) in cases {
            assert_eq!(
                allow(Some(Json::from(&integrations)), &DEFAULT_ALIASES),
                expected,
                "{integrations}"
            );
        }
        assert!(allow(None, &DEFAULT_ALIASES));
    }

    #[test]
    fn only_the_given_aliases_count() {
        let entries = json!({"HubSpot": false, "mine": true});
        assert!(allow(Some(Json::from(&entries)), &["mine".to_owned()]));
        assert!(!allow(Some(Json::from(&json!({"mine": false}))), &["mine"]));
    }
}
