//! The settings that tests start from: every default.

use std::time::Duration;

use crate::action::{ActionSettings, Nulls};
use crate::nouns::PropertyName;
use crate::plan::{Lifecycle, OnMissingContact, Policy};

pub(crate) fn settings() -> ActionSettings {
    ActionSettings {
        policy: Policy {
            coalesce: true,
            drop_unknown_property: false,
            drop_invalid_property: false,
            lifecycle: Lifecycle::BothWays,
            on_missing_contact: OnMissingContact::Wait,
            link_wait: Duration::from_hours(168),
            required: Vec::new(),
        },
        group_id_property: PropertyName::new("segment_group_id"),
        allow_email_change: false,
        nulls: Nulls::Skip,
        skip_null_elements: false,
    }
}
