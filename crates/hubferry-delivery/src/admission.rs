//! What comes in: one event's deliveries to one portal.

use std::sync::Arc;

use hubferry_actions::Plan;
use hubferry_event::IdentityKeys;
use hubferry_memory::LinkOrigin;

/// Names one delivery; the caller chooses the number and gets it back with the ending.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct DeliveryId(pub u64);

/// A mapping's place in the list the scheduler was made with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MappingIndex(pub u32);

/// One event's deliveries to one portal. Admissions arrive in the order of their messages.
#[derive(Clone, Debug)]
pub struct Admission {
    /// All keys of the event; order is kept among events that share one naming a person.
    pub keys: IdentityKeys,
    /// At least one, each for another mapping.
    pub deliveries: Vec<Delivery>,
    /// Where the event came from, kept with a link that has to wait; only needed when a plan associates.
    pub origin: Option<Arc<LinkOrigin>>,
}

/// One event through one mapping.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// The mapping that made it.
    pub mapping: MappingIndex,
    /// What it asks of HubSpot.
    pub plan: Plan,
}
