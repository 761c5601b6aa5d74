//! What both event actions have in common (actions.md §7, §8).

use std::sync::Arc;

use hubferry_event::IdentityKey;
use serde_json::{Map, Value};
use smallvec::smallvec;
use uuid::Uuid;

use crate::action::{Planning, Refusal, RefusalCode};
use crate::clean::Cleaned;
use crate::moment::{iso, time_in};
use crate::nouns::PropertyName;
use crate::occurrence::OccurrenceStep;
use crate::occurrence::{EventValue, MAX_EVENT_PROPERTIES, Overflow, WhenUndefined};
use crate::plan::{DeliveryKey, Person, Plan, UnknownProperty, Work};
use crate::values::take_text;

/// The name space of occurrences; made up once, and never changed: HubSpot counts by what comes of it.
const OCCURRENCES: Uuid = Uuid::from_u128(0x6f1d_2f3a_5c0b_4e53_9d7e_8a41_c2b6_0d94);

/// The `uuid` of a delivery's occurrence: the same whenever it is sent again.
pub(super) fn uuid_of(key: &DeliveryKey) -> Arc<str> {
    Arc::from(Uuid::new_v5(&OCCURRENCES, key.as_str().as_bytes()).to_string())
}

/// When it happened: the payload's own time, else the event's.
pub(super) fn occurred_at(written: Option<&Value>, planning: &Planning<'_>) -> Option<Arc<str>> {
    let time = written.and_then(time_in).unwrap_or(planning.time);
    iso(time).map(Arc::from)
}

/// A text identifier; blank ones identify nobody.
pub(super) fn identifier(payload: &mut Map<String, Value>, field: &str) -> Option<Arc<str>> {
    take_text(payload, field)
        .filter(|text| !text.is_empty())
        .map(Arc::from)
}

/// An e-mail, lower-cased as HubSpot keeps it.
pub(super) fn email_of(payload: &mut Map<String, Value>) -> Option<Arc<str>> {
    identifier(payload, "email").map(|email| Arc::from(email.to_lowercase()))
}

/// Whose contact it is: the one with the e-mail, which says so most plainly. A record id needs no contact, and a token
/// stands for a visitor who may be somebody else than the user of the event.
pub(super) fn person_of(email: Option<&str>, has_record: bool) -> Person {
    match email {
        Some(email) if !has_record => smallvec![IdentityKey::Email(Box::from(email))],
        _ => Person::new(),
    }
}

/// What happens to a property that the definition lacks.
pub(super) const fn undefined_property(policy: UnknownProperty) -> WhenUndefined {
    match policy {
        UnknownProperty::Drop => WhenUndefined::Drop,
        UnknownProperty::DeadLetter => WhenUndefined::Refuse,
        UnknownProperty::Create => WhenUndefined::Create,
    }
}

/// The properties of an occurrence. More than HubSpot takes are refused here, unless some of them may turn out to be left
/// out, as unknown to the definition or beyond the limit.
pub(super) fn event_properties(
    clean: Vec<Cleaned>,
    property: WhenUndefined,
    overflow: Overflow,
) -> Result<Vec<(PropertyName, EventValue)>, Refusal> {
    let may_shrink = property == WhenUndefined::Drop || overflow == Overflow::Truncate;
    if clean.len() > MAX_EVENT_PROPERTIES && !may_shrink {
        let message = format!(
            "the event has {} properties and HubSpot takes {MAX_EVENT_PROPERTIES}: map fewer, or set overflow: truncate",
            clean.len()
        );
        let code = RefusalCode::TooManyProperties;
        return Err(Refusal::new(code, Some("properties"), message));
    }
    let values = clean
        .into_iter()
        .map(|one| (one.name, EventValue::new(&one.text, one.kind)));
    Ok(values.collect())
}

pub(super) fn plan_of(step: OccurrenceStep, planning: &Planning<'_>) -> Plan {
    Plan {
        time: planning.time,
        work: Work::Occurrence(Box::new(step)),
        policy: Arc::clone(planning.policy),
    }
}
