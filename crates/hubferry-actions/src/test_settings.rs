//! The settings that tests start from, every default, and a way from a payload to its plan.

use std::time::Duration;

use hubferry_event::{Event, EventTime};
use hubferry_mapping::CleanOptions;
use serde_json::{Value, json};

use crate::action::{Action, ActionSettings, InvalidEmail, NameFix, Nulls, Planned, Refusal};
use crate::catalogue::{ActionSlug, SyncMode};
use crate::nouns::PropertyName;
use crate::occurrence::Overflow;
use crate::plan::{DeliveryKey, Lifecycle, MatchMode, OnMissingContact, Policy, UnknownProperty};

pub(crate) fn settings() -> ActionSettings {
    ActionSettings {
        policy: Policy {
            coalesce: true,
            unknown_property: UnknownProperty::DeadLetter,
            drop_invalid_property: false,
            truncate_dates: false,
            lifecycle: Lifecycle::BothWays,
            on_missing_contact: OnMissingContact::Wait,
            link_wait: Duration::from_hours(168),
            required: Vec::new(),
        },
        group_id_property: PropertyName::new("segment_group_id"),
        search: MatchMode::All,
        allow_email_change: false,
        nulls: Nulls::Skip,
        skip_null_elements: false,
        sync_mode: SyncMode::Upsert,
        hub_id: None,
        overflow: Overflow::DeadLetter,
        invalid_email: InvalidEmail::Drop,
        name_fix: NameFix::DeadLetter,
        associate_existing: false,
    }
}

/// A track event of a user whose e-mail is known.
pub(crate) fn track() -> Value {
    json!({
        "type": "track", "event": "X", "userId": "u1", "anonymousId": "a1", "messageId": "m1",
        "timestamp": "2024-01-01T00:00:00Z", "context": {"traits": {"email": "a@c.io"}},
    })
}

/// When [`track`] happened.
pub(crate) const TRACKED: EventTime = EventTime::from_millis(1_704_067_200_000);

/// Validates a payload and plans it for an event.
pub(crate) fn planned_for(
    action: ActionSlug,
    settings: ActionSettings,
    payload: &Value,
    event: &Value,
) -> Result<Planned, Refusal> {
    let action = Action::new(action, settings);
    let payload = payload.as_object().unwrap().clone();
    let valid = action.validate(payload, &CleanOptions::default()).unwrap();
    let event = Event::from_value(event.clone()).unwrap();
    let time = event.time().unwrap_or(EventTime::from_millis(1));
    let key = DeliveryKey::new("1", "acme/m", "m1");
    action.plan_noted(valid.payload, &event, time, &key)
}
