//! The customer event and the identity it is about.
//!
//! A message from a topic goes through [`read_message`], which yields one [`Element`] per event it carries. An
//! [`Event`] is kept exactly as it arrived: nothing is renamed, re-typed or trimmed before triggers and mappings
//! see it, and numbers of any size survive. What cannot be an event is [`Malformed`], with a closed code and the
//! place of the fault, never with the values around it.
//!
//! The crate is pure: no clock, no network, no randomness.

mod document;
mod event;
mod identity;
mod integrations;
mod json;
mod kind;
mod lenient;
mod malformed;
mod membership;
mod message;
mod message_id;
mod number;
mod tape;
mod time;
mod view;

pub use event::Event;
pub use identity::{IdentityKey, IdentityKeys};
pub use integrations::DEFAULT_ALIASES;
pub use json::{MAX_DEPTH, parse_json};
pub use kind::EventType;
pub use lenient::parse_lenient_timestamp;
pub use malformed::{Malformed, MalformedCode};
pub use membership::{Membership, RowSync};
pub use message::{Element, Format, ReadLimits, Reading, read_message};
pub use message_id::synthetic_message_id;
pub use number::{digits_text, float_text, number_text};
pub use time::{EventTime, parse_timestamp, parse_timestamp_text};
pub use view::{Json, JsonKind, Key};
