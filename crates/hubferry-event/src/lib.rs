//! The customer event and the identity it is about.

mod identity;
mod time;

pub use identity::{IdentityKey, IdentityKeys};
pub use time::EventTime;
