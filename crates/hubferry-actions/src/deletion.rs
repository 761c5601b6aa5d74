//! Deletions: what a `delete` event asks of HubSpot (events.md §8).

use std::sync::Arc;
use std::time::Duration;

use hubferry_event::{Event, EventTime, EventType, IdentityKey};

use crate::plan::{Lifecycle, OnMissingContact, Person, Plan, Policy, UnknownProperty, Work};

/// How a contact is deleted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DeletionMode {
    /// It is archived, and can be restored for 90 days.
    #[default]
    Archive,
    /// Nothing of it is left (HubSpot's GDPR delete).
    Gdpr,
}

/// Takes the contact of a person away.
#[derive(Clone, Debug)]
pub struct DeletionStep {
    /// The keys by which the contact is found: user id, then anonymous id. Without any there is nothing to delete.
    pub person: Person,
    /// How.
    pub mode: DeletionMode,
}

/// What a destination makes of `delete` events, and of no others.
#[derive(Clone, Debug)]
pub struct Deletion {
    mode: DeletionMode,
    policy: Arc<Policy>,
}

impl Deletion {
    /// Deletes in this way.
    #[must_use]
    pub fn new(mode: DeletionMode) -> Self {
        // A deletion writes nothing: of all this only what is shared by every delivery has a meaning.
        let policy = Policy {
            coalesce: false,
            unknown_property: UnknownProperty::DeadLetter,
            drop_invalid_property: false,
            truncate_dates: false,
            lifecycle: Lifecycle::Never,
            on_missing_contact: OnMissingContact::Skip,
            link_wait: Duration::ZERO,
            required: Vec::new(),
        };
        Self {
            mode,
            policy: Arc::new(policy),
        }
    }

    /// Whether the event asks for a deletion.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        event.kind() == EventType::Delete
    }

    /// What a `delete` event asks. Its e-mails do not count: the contact is found by `userId`, then by `anonymousId`.
    #[must_use]
    pub fn plan(&self, event: &Event, time: EventTime) -> Plan {
        let keys = event.identity_keys().iter();
        let names =
            |key: &&IdentityKey| matches!(key, IdentityKey::User(_) | IdentityKey::Anonymous(_));
        Plan {
            time,
            work: Work::Deletion(DeletionStep {
                person: keys.filter(names).cloned().collect(),
                mode: self.mode,
            }),
            policy: Arc::clone(&self.policy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn asked(event: &Value) -> Option<DeletionStep> {
        let event = Event::from_value(event.clone()).unwrap();
        let deletion = Deletion::new(DeletionMode::Gdpr);
        if !deletion.takes(&event) {
            return None;
        }
        match deletion.plan(&event, EventTime::from_millis(1)).work {
            Work::Deletion(step) => Some(step),
            Work::Record(_) | Work::Occurrence(_) => panic!("a deletion"),
        }
    }

    #[test]
    fn a_contact_is_looked_for_by_user_id_then_by_anonymous_id_and_by_nothing_else() {
        let user = IdentityKey::User("u1".into());
        let anonymous = IdentityKey::Anonymous("a1".into());
        let table = [
            (
                json!({"type": "delete", "anonymousId": "a1", "userId": "u1", "traits": {"email": "a@b.co"}}),
                vec![user.clone(), anonymous.clone()],
            ),
            (json!({"type": "delete", "userId": " u1 "}), vec![user]),
            (
                json!({"type": "delete", "anonymousId": "a1"}),
                vec![anonymous],
            ),
            (
                json!({"type": "delete", "userId": 42}),
                vec![IdentityKey::User("42".into())],
            ),
            (
                json!({"type": "delete", "traits": {"email": "a@b.co"}}),
                vec![],
            ),
            (json!({"type": "delete", "groupId": "g"}), vec![]),
        ];
        for (event, person) in table {
            let step = asked(&event).unwrap();
            assert_eq!(
                (step.person.to_vec(), step.mode),
                (person, DeletionMode::Gdpr),
                "{event}"
            );
        }
    }

    #[test]
    fn no_other_type_deletes() {
        for kind in EventType::ALL
            .into_iter()
            .filter(|kind| *kind != EventType::Delete)
        {
            let event =
                json!({"type": kind.as_str(), "userId": "u1", "event": "delete", "name": "delete"});
            assert!(asked(&event).is_none(), "{kind}");
        }
    }
}
