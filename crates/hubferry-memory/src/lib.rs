//! What the fleet remembers between events: record ids, identities, waiting links, ensured schema, marks.
//!
//! Any worker may see a contact first and any other may need it later. A [`Memory`] keeps, per portal, the contact of a
//! person under each of her keys, the ids of other records that associations end at, the associations that wait for a
//! contact to appear, what has been ensured in the portal's schema, and what was read of it lately. For a fleet it also keeps marks: per record and property the time of the newest event whose value
//! was, or may have been, written, so that no worker writes an older one over it. It lives in Redis for a fleet, and in
//! this process where there is only one.
//!
//! Nothing here is a source of truth. What is forgotten costs a read from HubSpot, with two exceptions: a waiting link is
//! the only trace of an association still to be made, so it stays until somebody says that it was made or given up; and
//! without its mark an old value that comes late overwrites a newer one.
//!
//! E-mails and ids of people never stand in a key: a key is a hash.

mod error;
mod inquiry;
mod link;
mod local;
mod mark;
mod memory;
mod person;
mod portal;
mod redis;
mod seen;
mod stored;

pub use error::MemoryError;
pub use inquiry::{EnsureKey, EnsureState, FactKey, Finding, Inquiry};
pub use link::{Link, LinkId, LinkOrigin};
pub use local::{LocalLimits, LocalMemory};
pub use mark::{MarkWrite, RecordKey};
pub use memory::Memory;
pub use portal::{CredentialKey, keep_portal, known_portal};
pub use redis::RedisMemory;
pub use seen::SeenKey;
