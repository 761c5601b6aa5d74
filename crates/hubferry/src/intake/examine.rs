//! The same way as [`Intake::read`] goes, looked at step by step: for those who write mappings.

use hubferry_actions::{ActionSlug, DeliveryKey, Plan, PlanNote};
use hubferry_delivery::MappingIndex;
use hubferry_event::{
    Event, EventTime, EventType, IdentityKeys, Membership, Reading, read_message,
};
use hubferry_mapping::{Note, Violation};
use serde_json::{Map, Value};

use super::{Active, Deleting, Intake, PortalIndex, Seat, Source, invalid, unreadable};
use crate::closing::Closing;

/// One event, and what each mapping makes of it.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Its place in an envelope.
    pub(crate) position: Option<u32>,
    /// Its keys; empty when it could not be read.
    pub(crate) keys: IdentityKeys,
    /// Its type, when it could be read.
    pub(crate) kind: Option<EventType>,
    /// The name of a track, page or screen event.
    pub(crate) name: Option<String>,
    /// Its id, when it has one.
    pub(crate) message_id: Option<String>,
    /// How it ended, when it reached no mapping.
    pub(crate) closed: Option<Closing>,
    /// What each active mapping makes of it.
    pub(crate) looks: Vec<(PortalIndex, MappingIndex, Look)>,
}

/// What a mapping makes of an event.
#[derive(Debug)]
pub(crate) enum Look {
    /// The event's `integrations` keep it from the destination.
    Integrations,
    /// The trigger does not match, because of this clause.
    NotFired(String),
    /// The trigger matches.
    Fired(Box<Attempt>),
}

/// A mapping that fired, step by step.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Which action; `None` for a deletion, which is none.
    pub(crate) action: Option<ActionSlug>,
    /// Whether the event says that somebody joins or leaves, for a mapping of this sync mode.
    pub(crate) membership: Option<Membership>,
    /// What the fields resolved to, before it was made to fit; `None` when they could not be resolved.
    pub(crate) resolved: Option<Map<String, Value>>,
    /// The payload, made to fit; `None` when it does not.
    pub(crate) payload: Option<Map<String, Value>>,
    /// What was done to make it fit.
    pub(crate) notes: Vec<Note>,
    /// What the action decided by itself.
    pub(crate) decided: Vec<PlanNote>,
    /// Why it does not.
    pub(crate) violations: Vec<Violation>,
    /// What it asks of HubSpot, or how its delivery ended without asking.
    pub(crate) plan: Result<Plan, Closing>,
}

impl Intake {
    /// Reads a message and looks at each of its events; a batch without events gives none.
    pub(crate) fn examine(&self, body: &[u8], read_ms: i64) -> Vec<Examined> {
        match read_message(Some(body), self.format, &self.limits) {
            Reading::Tombstone => Vec::new(),
            Reading::Elements(elements) => elements
                .into_iter()
                .map(|element| match element.event {
                    Ok(event) => self.look_at(&event, element.position, body, read_ms),
                    Err(malformed) => Examined {
                        position: element.position,
                        keys: IdentityKeys::new(),
                        kind: None,
                        name: None,
                        message_id: None,
                        closed: Some(unreadable(&malformed)),
                        looks: Vec::new(),
                    },
                })
                .collect(),
        }
    }

    fn look_at(&self, event: &Event, position: Option<u32>, body: &[u8], read_ms: i64) -> Examined {
        let time = event
            .time()
            .unwrap_or_else(|| EventTime::from_millis(read_ms));
        let nowhere = Source {
            place: "",
            written_ms: read_ms,
        };
        let seat = Seat {
            from: &nowhere,
            message: body,
            position,
        };
        let id = seat.message_id(event);
        let mut looks = Vec::new();
        for (index, portal) in self.portals.iter().enumerate() {
            let allowed = event.integrations_allow(&portal.aliases);
            for active in &portal.mappings {
                let look = if allowed {
                    let key = DeliveryKey::new(&portal.key, &active.id, &id);
                    active.look_at(event, time, &key)
                } else {
                    Look::Integrations
                };
                looks.push((PortalIndex(index), active.index, look));
            }
            if let Some(deleting) = &portal.deletion {
                let look = if allowed {
                    deleting.look_at(event, time)
                } else {
                    Look::Integrations
                };
                looks.push((PortalIndex(index), deleting.index, look));
            }
        }
        let fired = looks
            .iter()
            .any(|(_, _, look)| matches!(look, Look::Fired(_)));
        let refused = looks
            .iter()
            .any(|(_, _, look)| matches!(look, Look::Integrations));
        let closed = match (fired, refused) {
            (true, _) => None,
            (false, true) => Some(Closing::Skipped("integrations")),
            (false, false) => Some(Closing::Skipped("not_subscribed")),
        };
        Examined {
            position,
            keys: event.identity_keys().clone(),
            kind: Some(event.kind()),
            name: event.name().map(ToOwned::to_owned),
            message_id: event.message_id().map(ToOwned::to_owned),
            closed,
            looks,
        }
    }
}

impl Deleting {
    fn look_at(&self, event: &Event, time: EventTime) -> Look {
        if !self.deletion.takes(event) {
            return Look::NotFired("the type is not `delete`".to_owned());
        }
        Look::Fired(Box::new(Attempt {
            action: None,
            membership: None,
            resolved: None,
            payload: None,
            notes: Vec::new(),
            decided: Vec::new(),
            violations: Vec::new(),
            plan: Ok(self.deletion.plan(event, time)),
        }))
    }
}

impl Active {
    fn look_at(&self, event: &Event, time: EventTime, key: &DeliveryKey) -> Look {
        match self.trigger.explain(event) {
            Some(because) => Look::NotFired(because),
            None => Look::Fired(Box::new(self.attempt(event, time, key))),
        }
    }

    fn attempt(&self, event: &Event, time: EventTime, key: &DeliveryKey) -> Attempt {
        let mut attempt = Attempt {
            action: Some(self.action.slug()),
            membership: Membership::of(event, self.row_sync),
            resolved: None,
            payload: None,
            notes: Vec::new(),
            decided: Vec::new(),
            violations: Vec::new(),
            plan: Err(Closing::Skipped("not_subscribed")),
        };
        let resolved = match self.payload(event) {
            Ok(resolved) => resolved,
            Err(closing) => {
                attempt.plan = Err(closing);
                return attempt;
            }
        };
        attempt.resolved = Some(resolved.clone());
        match self.validated(resolved) {
            Ok(validated) => {
                attempt.notes = validated.notes;
                let planned = self.planned(validated.payload.clone(), event, time, key);
                attempt.plan = planned.map(|planned| {
                    attempt.decided = planned.notes;
                    planned.plan
                });
                attempt.payload = Some(validated.payload);
            }
            Err(violations) => {
                attempt.plan = Err(invalid(&violations));
                attempt.violations = violations;
            }
        }
        attempt
    }
}
