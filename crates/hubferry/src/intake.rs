//! From the bytes of a message to plans: reading, `integrations`, triggers, mappings, validation.
//!
//! Pure and CPU-bound: no clock, no network. Everything HubSpot never hears of ends here.

use std::borrow::Cow;
use std::cell::LazyCell;

use bytes::Bytes;
use hubferry_actions::{Action, Deletion, DeliveryKey, Plan, Planned};
use hubferry_delivery::MappingIndex;
use hubferry_event::{
    Element, Event, EventTime, Format, IdentityKeys, Malformed, ReadLimits, Reading, RowSync,
    read_message,
};
use hubferry_mapping::{CleanOptions, Mapping, Note, Trigger, Validated, Violation};
use hubferry_memory::SeenKey;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::closing::{Closing, Failed};
use crate::config::{Destination, Input, MappingEntry, hex};

/// Everything that turns messages into plans.
#[derive(Debug)]
pub(crate) struct Intake {
    format: Format,
    limits: ReadLimits,
    portals: Vec<Portal>,
    ids: Vec<String>,
    /// Whether deliveries are remembered, so that each needs a name.
    remembers: bool,
}

#[derive(Debug)]
struct Portal {
    /// What tells its deliveries from those of other portals: its id where that is known, else the destination's name.
    key: String,
    aliases: Vec<String>,
    mappings: Vec<Active>,
    deletion: Option<Deleting>,
}

/// What makes deliveries of `delete` events.
#[derive(Debug)]
struct Deleting {
    index: MappingIndex,
    id: String,
    deletion: Deletion,
}

/// A mapping that takes part.
#[derive(Debug)]
struct Active {
    index: MappingIndex,
    id: String,
    trigger: Trigger,
    fields: Mapping,
    clean: CleanOptions,
    action: Action,
    row_sync: Option<RowSync>,
}

/// Names an enabled destination by its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct PortalIndex(pub usize);

/// Where a message came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// Its coordinates, which no other message has.
    pub(crate) place: &'a str,
    /// When it was written, in milliseconds since the Unix epoch.
    pub(crate) written_ms: i64,
}

/// Where an event stands.
struct Seat<'a> {
    from: &'a Source<'a>,
    message: &'a [u8],
    position: Option<u32>,
}

impl Seat<'_> {
    /// The event's own id, else one derived from where it stands and from the bytes that stand there: the same whenever the
    /// message is read again, and another one when a file of the same name has other lines.
    fn message_id<'e>(&self, event: &'e Event) -> Cow<'e, str> {
        if let Some(own) = event.message_id() {
            return Cow::Borrowed(own);
        }
        let position = self.position.map_or_else(String::new, |p| p.to_string());
        let mut hasher = Sha256::new();
        hasher.update(format!("{} {position} ", self.from.place).as_bytes());
        hasher.update(self.message);
        Cow::Owned(hex(&hasher.finalize()))
    }
}

/// One event of a message, and what came of it so far.
#[derive(Debug)]
pub(crate) struct Read {
    /// Its place in an envelope.
    pub(crate) position: Option<u32>,
    /// Its own bytes, when the message's bytes do not stand for it.
    pub(crate) body: Option<Bytes>,
    /// Its keys; empty when it could not be read.
    pub(crate) keys: IdentityKeys,
    /// Deliveries that ended here; mapping `None` when no mapping fired.
    pub(crate) closed: Vec<(Option<MappingIndex>, Closing)>,
    /// Plans by portal; one event's plans for one portal stand together.
    pub(crate) planned: Vec<(PortalIndex, Vec<(MappingIndex, Plan)>)>,
    /// The event's own id, when one of its plans associates and may have to wait.
    pub(crate) message_id: Option<String>,
    /// By which each plan's delivery is remembered, in the order of the plans; empty when deliveries are not.
    pub(crate) seen: Vec<SeenKey>,
    /// Fields that were left out because their values broke a rule.
    pub(crate) dropped: u64,
}

impl Intake {
    /// Takes the enabled destinations and mappings of a configuration.
    #[must_use]
    pub(crate) fn new(input: Input, destinations: Vec<Destination>) -> Self {
        let mut ids = Vec::new();
        let portals = destinations
            .into_iter()
            .filter(|destination| destination.enabled)
            .map(|destination| Portal::new(destination, &mut ids))
            .collect();
        Self {
            format: input.format,
            limits: input.limits,
            portals,
            ids,
            remembers: false,
        }
    }

    /// The same, for a fleet that remembers what it delivered.
    #[must_use]
    pub(crate) fn remembering(self, remembers: bool) -> Self {
        Self { remembers, ..self }
    }

    /// `DESTINATION/NAME` of every active mapping, and of deletions where they are enabled, by index.
    #[must_use]
    pub(crate) fn mapping_ids(&self) -> &[String] {
        &self.ids
    }

    /// Reads a message; one entry per event. A batch without events gives none.
    #[must_use]
    pub(crate) fn read(&self, body: Option<&[u8]>, from: &Source<'_>) -> Vec<Read> {
        match read_message(body, self.format, &self.limits) {
            Reading::Tombstone => vec![Read::closed(None, None, Closing::Skipped("tombstone"))],
            Reading::Elements(elements) => elements
                .into_iter()
                .map(|element| self.read_element(element, from, body.unwrap_or_default()))
                .collect(),
        }
    }

    fn read_element(&self, element: Element, from: &Source<'_>, message: &[u8]) -> Read {
        match element.event {
            Ok(event) => {
                let seat = Seat {
                    from,
                    message,
                    position: element.position,
                };
                self.map(&event, element.body, &seat)
            }
            Err(malformed) => Read::closed(element.position, element.body, unreadable(&malformed)),
        }
    }

    fn map(&self, event: &Event, body: Option<Bytes>, seat: &Seat<'_>) -> Read {
        let time = event
            .time()
            .unwrap_or_else(|| EventTime::from_millis(seat.from.written_ms));
        let message_id = LazyCell::new(|| seat.message_id(event));
        let mut read = Read {
            position: seat.position,
            body,
            keys: event.identity_keys().clone(),
            closed: Vec::new(),
            planned: Vec::new(),
            message_id: None,
            seen: Vec::new(),
            dropped: 0,
        };
        let mut refused = false;
        for (index, portal) in self.portals.iter().enumerate() {
            if !event.integrations_allow(&portal.aliases) {
                refused = true;
                continue;
            }
            let mut plans = Vec::new();
            for active in &portal.mappings {
                if !active.trigger.matches(event) {
                    continue;
                }
                let key = DeliveryKey::new(&portal.key, &active.id, &message_id);
                match active.plan(event, time, &key, &mut read.dropped) {
                    Ok(plan) => {
                        if self.remembers {
                            read.seen.push(SeenKey::of(&active.id, &message_id));
                        }
                        plans.push((active.index, plan));
                    }
                    Err(closing) => read.closed.push((Some(active.index), closing)),
                }
            }
            if let Some(deleting) = &portal.deletion
                && deleting.deletion.takes(event)
            {
                if self.remembers {
                    read.seen.push(SeenKey::of(&deleting.id, &message_id));
                }
                plans.push((deleting.index, deleting.deletion.plan(event, time)));
            }
            if plans.iter().any(|(_, plan)| associates(plan)) {
                read.message_id = event.message_id().map(ToOwned::to_owned);
            }
            if !plans.is_empty() {
                read.planned.push((PortalIndex(index), plans));
            }
        }
        if read.closed.is_empty() && read.planned.is_empty() {
            let reason = if refused {
                "integrations"
            } else {
                "not_subscribed"
            };
            read.closed.push((None, Closing::Skipped(reason)));
        }
        read
    }
}

impl Read {
    fn closed(position: Option<u32>, body: Option<Bytes>, closing: Closing) -> Self {
        Self {
            position,
            body,
            keys: IdentityKeys::new(),
            closed: vec![(None, closing)],
            planned: Vec::new(),
            message_id: None,
            seen: Vec::new(),
            dropped: 0,
        }
    }
}

impl Portal {
    fn new(destination: Destination, ids: &mut Vec<String>) -> Self {
        let deletion_id = destination.deletion_id();
        let mappings = destination.mappings.into_iter();
        let mappings = mappings
            .filter(|mapping| mapping.enabled)
            .map(|mapping| Active::new(mapping, ids))
            .collect();
        let deletion = destination.deletion.map(|mode| Deleting {
            index: next_index(ids, &deletion_id),
            id: deletion_id,
            deletion: Deletion::new(mode),
        });
        Self {
            key: match destination.hubspot.portal_id {
                Some(id) => id.to_string(),
                None => destination.name,
            },
            aliases: destination.aliases,
            mappings,
            deletion,
        }
    }
}

/// The index of what takes part next.
fn next_index(ids: &mut Vec<String>, id: &str) -> MappingIndex {
    // More mappings than a u32 counts do not fit in memory.
    let index = MappingIndex(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    ids.push(id.to_owned());
    index
}

impl Active {
    fn new(entry: MappingEntry, ids: &mut Vec<String>) -> Self {
        Self {
            index: next_index(ids, &entry.id),
            id: entry.id,
            trigger: entry.trigger,
            fields: entry.fields,
            clean: entry.clean,
            action: Action::new(entry.action, entry.settings),
            row_sync: entry.row_sync,
        }
    }

    /// The plan of one event, or how its delivery ended without one.
    fn plan(
        &self,
        event: &Event,
        time: EventTime,
        key: &DeliveryKey,
        dropped: &mut u64,
    ) -> Result<Plan, Closing> {
        let payload = self.payload(event)?;
        let validated = self
            .validated(payload)
            .map_err(|violations| invalid(&violations))?;
        *dropped += validated
            .notes
            .iter()
            .map(|note| u64::from(matches!(note, Note::Dropped { .. })))
            .sum::<u64>();
        self.planned(validated.payload, event, time, key)
            .map(|planned| planned.plan)
    }

    fn validated(&self, payload: Map<String, Value>) -> Result<Validated, Vec<Violation>> {
        self.action.validate(payload, &self.clean)
    }

    fn planned(
        &self,
        payload: Map<String, Value>,
        event: &Event,
        time: EventTime,
        key: &DeliveryKey,
    ) -> Result<Planned, Closing> {
        let planned = self.action.plan_noted(payload, event, time, key);
        planned.map_err(|refusal| {
            let property = refusal.property.map(|name| name.as_str().to_owned());
            let failed = Failed::here("mapping", refusal.code.as_str(), refusal.message);
            dead(failed.about(property))
        })
    }

    fn payload(&self, event: &Event) -> Result<Map<String, Value>, Closing> {
        match self.fields.resolve(event) {
            Ok(Some(Value::Object(payload))) => Ok(payload),
            Ok(None) => Ok(Map::new()),
            Ok(Some(_)) => Err(mapping_failed("the mapping gives no object".to_owned())),
            Err(error) => Err(mapping_failed(error.to_string())),
        }
    }
}

/// Whether a plan associates with a person's contact, which may have to be waited for.
pub(crate) fn associates(plan: &Plan) -> bool {
    plan.record()
        .is_some_and(|record| record.associate.is_some())
}

fn unreadable(malformed: &Malformed) -> Closing {
    let code = malformed.code.as_str();
    dead(Failed::here("intake", code, malformed.message().to_owned()))
}

fn mapping_failed(message: String) -> Closing {
    dead(Failed::here("mapping", "mapping_failed", message))
}

/// All violations in one message; the first names the property.
fn invalid(violations: &[Violation]) -> Closing {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let property = violations
        .first()
        .map(|violation| violation.field().to_owned());
    dead(Failed::here("mapping", "payload_invalid", lines.join("; ")).about(property))
}

fn dead(failed: Failed) -> Closing {
    Closing::Dead(Box::new(failed))
}

mod examine;

pub(crate) use examine::{Attempt, Examined, Look};

#[cfg(test)]
mod tests;
