//! What the fleet remembers between events: record ids, identities, waiting links, ensured schema.
//!
//! Any worker may see a contact first and any other may need it later. A [`Memory`] keeps, per portal, the contact of a
//! person under each of her keys, the associations that wait for a contact to appear, and what has been ensured in the
//! portal's schema. It lives in Redis for a fleet, and in this process where there is only one.
//!
//! Nothing here is a source of truth. What is forgotten costs a read from HubSpot, with one exception: a waiting link is
//! the only trace of an association still to be made, so it stays until somebody says that it was made or given up.
//!
//! E-mails and ids of people never stand in a key: a key is a hash.

mod error;
mod inquiry;
mod link;
mod local;
mod memory;
mod person;
mod redis;
mod stored;

pub use error::MemoryError;
pub use inquiry::{EnsureKey, EnsureState, Finding, Inquiry};
pub use link::{Link, LinkId, LinkOrigin};
pub use local::{LocalLimits, LocalMemory};
pub use memory::Memory;
pub use redis::RedisMemory;
