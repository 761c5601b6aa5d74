//! The settings that tests start from: every default.

use std::time::Duration;

use crate::action::{ActionSettings, Nulls};
use crate::nouns::PropertyName;
use crate::plan::{Lifecycle, MatchMode, OnMissingContact, Policy, UnknownProperty};

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
    }
}
