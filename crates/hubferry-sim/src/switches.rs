//! Switches: behaviour of the portal that a test turns while it runs, through `POST /sim/switches`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::Refusal;

/// What can be switched. Every key can be given alone; what is left out keeps its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Whether the account has custom events. Without them every call about events is a 403.
    pub custom_events: bool,
    /// Whether the account has custom objects. Without them every call about schemas and their records is a 403.
    pub custom_objects: bool,
    /// Whether an event for an unknown e-mail makes a contact.
    pub events_create_contacts: bool,
    /// Whether a send with a property that the event does not define is refused; else it is let through.
    pub events_refuse_unknown_properties: bool,
    /// How long a new event definition or event property stays unknown to sends, in milliseconds.
    pub definition_delay_ms: u64,
    /// How long a new property stays unknown to record writes, in milliseconds. `None` leaves it to the settings.
    pub property_delay_ms: Option<u64>,
    /// How long a new record stays invisible to searches, in milliseconds. `None` leaves it to the settings.
    pub search_lag_ms: Option<u64>,
    /// Random delay of every answer in milliseconds, from and to. `None` leaves it to the settings.
    pub latency_ms: Option<(u64, u64)>,
    /// Whether an upsert by `email` may end in a 207. `None` leaves it to the settings.
    pub email_upsert_partial: Option<bool>,
    /// Whether a batch of new properties may end in a 207; else one that exists refuses them all (409).
    pub property_batch_partial: bool,
    /// Own properties an object type may have. `None` is no limit.
    pub most_properties: Option<usize>,
    /// Event definitions the account may have.
    pub most_event_definitions: usize,
    /// Ids one change of list memberships may carry. `None` is no limit; HubSpot publishes none.
    pub most_list_changes: Option<usize>,
    /// Inputs of the association batches for which HubSpot publishes no figure.
    pub most_pairs: usize,
    /// Whether a merged record goes on under an id of its own instead of that of the primary record.
    pub merge_makes_new_id: bool,
    /// Locks an object type for writes that come too fast (423).
    pub lock: Option<Lock>,
    /// Whether every refresh gives a new refresh token and ends the old one.
    pub rotate_refresh_tokens: bool,
    /// Whether the app was removed from the account: no refresh token works, and no access token either.
    pub uninstalled: bool,
    /// Scopes granted to every token, whatever the settings say. An empty list grants nothing; `None` leaves it to them.
    pub scopes: Option<Vec<String>>,
    /// Properties that a new record needs, by object type. Enforced by version 2026-09 only.
    pub creation_required: BTreeMap<String, Vec<String>>,
    /// Properties that a record needs when another one has a value. Enforced by version 2026-09 only.
    pub conditional_required: Vec<Condition>,
    /// Another program that uses the same limits.
    pub foreign: Foreign,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            custom_events: true,
            custom_objects: true,
            events_create_contacts: true,
            events_refuse_unknown_properties: true,
            definition_delay_ms: 0,
            property_delay_ms: None,
            search_lag_ms: None,
            latency_ms: None,
            email_upsert_partial: None,
            property_batch_partial: false,
            most_properties: None,
            most_event_definitions: 500,
            most_list_changes: None,
            most_pairs: 2_000,
            merge_makes_new_id: false,
            lock: None,
            rotate_refresh_tokens: false,
            uninstalled: false,
            scopes: None,
            creation_required: BTreeMap::new(),
            conditional_required: Vec::new(),
            foreign: Foreign::default(),
        }
    }
}

/// More than `writes` write calls to one object type within `within_ms` lock it for `lasting_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Write calls that are let through.
    pub writes: usize,
    /// In which time.
    pub within_ms: u64,
    /// For how long every write is a 423 then; HubSpot's lock lasts two seconds.
    #[serde(default = "two_seconds")]
    pub lasting_ms: u64,
}

fn two_seconds() -> u64 {
    2_000
}

/// When `property` has `value`, the properties in `required` must have one too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The object type, by any of its names.
    pub object: String,
    /// The property looked at.
    pub property: String,
    /// The value that makes the others required.
    pub value: String,
    /// The properties required then.
    pub required: Vec<String>,
}

/// A program beside the one that is tested, as the limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Foreign {
    /// Its part of every window, 0 to 1.
    pub share: f64,
    /// Whether it uses a random part up to `share`, new for each second, instead of the whole.
    pub random: bool,
    /// Calls of the day it has made.
    pub used_today: u32,
}

impl Switches {
    /// These switches with the keys of an object replaced.
    pub(crate) fn turned(&self, changes: Map<String, Value>) -> Result<Self, Refusal> {
        let refused = |error: serde_json::Error| Refusal::bad_json(&error);
        let mut all = serde_json::to_value(self).map_err(refused)?;
        if let Value::Object(all) = &mut all {
            all.extend(changes);
        }
        serde_json::from_value(all).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Lock, Switches};

    fn turned(changes: Value) -> Option<Switches> {
        let Value::Object(changes) = changes else {
            return None;
        };
        Switches::default().turned(changes).ok()
    }

    #[test]
    fn one_key_turns_and_the_others_stay() {
        let turned_on = turned(json!({"rotate_refresh_tokens": true,
            "lock": {"writes": 3, "within_ms": 100}, "latency_ms": [20, 250], "foreign": {"share": 0.5}}))
        .unwrap();
        assert!(turned_on.rotate_refresh_tokens && turned_on.custom_events);
        let lock = Lock {
            writes: 3,
            within_ms: 100,
            lasting_ms: 2_000,
        };
        assert_eq!(turned_on.lock, Some(lock));
        assert_eq!(turned_on.latency_ms, Some((20, 250)));
        assert_eq!(turned(json!({"rotate": true})), None);
    }
}
