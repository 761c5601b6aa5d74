//! A HubSpot that runs on loopback: strict, rate limited, with faults on demand.
//!
//! [`Simulator::start`] opens a port and answers HubSpot's public API as far as data moves into an account: records of
//! every standard type and of types of the account's own, their properties, pipelines, associations and labels, lists,
//! custom events, OAuth and the account's limits; under the dated paths (`2026-03`, `2026-09`) and the legacy ones
//! (`v3`, `v4`). It was written from the published contract and from recorded answers alone and shares no type with any
//! client, so that a client tested against it meets a second reading of that contract.
//!
//! A call passes, in this order: the token, the rate limits, write locks, the products and scopes of the account, the
//! faults asked for, the endpoint. How the portal behaves is set at the start ([`SimSettings`]) and, where that makes
//! sense, turned while it runs ([`Switches`]). [`SimSettings::sample`] is a portal with a little of everything.
//! What came of it all can be read through [`Simulator::state`] inside the process, or under `/sim/…` from outside:
//!
//! | call | answer |
//! | --- | --- |
//! | `GET /sim/state[?object=contacts]` | every record with its properties, every association, custom properties, own types, lists, event counts, forgotten addresses |
//! | `GET /sim/summary` | counts: records, associations, calls and inputs by endpoint, 429s, worst rolling window |
//! | `GET /sim/calls` | the log of calls |
//! | `GET /sim/windows[?times=true]` | per limit what it counted and refused, its worst window, its arrivals |
//! | `GET /sim/history?object=contacts` | per record the ordered list of writes |
//! | `GET /sim/associations` | every change of an association, in order |
//! | `GET /sim/lists` | lists with their members |
//! | `GET /sim/events[?occurrences=true]` | per event what was counted, repeated and dropped, uuids that came more than once |
//! | `GET /sim/oauth` | codes exchanged, refreshes, tokens given out |
//! | `GET /sim/switches`, `POST /sim/switches` | the switches; a post turns the keys it names |
//! | `POST /sim/setup` | makes a list of calls that nobody counts ([`SetupCall`]) |
//! | `POST /sim/sample` | makes the sample portal of this one |
//! | `POST /sim/oauth/expire` | ends every access token given out |
//! | `POST /sim/reset` | the portal as it was at the start |
//! | `POST /sim/faults` | replaces the fault rules |
//! | `POST /sim/properties/{object}` | adds property definitions: a list of property create bodies |
//! | `POST /sim/delete/{object}/{id}` | archives a record as if somebody had done it in HubSpot |
//! | `POST /sim/restore/{object}/{id}` | brings an archived record back |
//!
//! ```
//! # async fn shown() -> Result<(), hubferry_sim::SimError> {
//! use hubferry_sim::{SimSettings, Simulator};
//!
//! let simulator = Simulator::start(SimSettings::default()).await?;
//! let base_url = simulator.base_url(); // http://127.0.0.1:PORT
//! # let _ = base_url;
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```

mod server;
mod settings;

mod dispatch;
mod paths;
mod policies;
mod portal;
mod routes;
mod setup;
mod state;
mod switches;
mod urls;
mod visit;

mod access;
mod account;
mod faults;
mod limits;
mod locks;
mod oauth;
mod pkce;
mod spoil;

mod association_calls;
mod batch;
mod event_calls;
mod inputs;
mod list_calls;
mod merges;
mod property_calls;
mod search;
mod singles;
mod usage;
mod writes;

mod association_types;
mod associations;
mod catalogue;
mod emails;
mod event_properties;
mod events;
mod history;
mod lists;
mod objects;
mod pipelines;
mod properties;
mod property;
mod records;
mod schemas;
mod stored;
mod values;
mod views;

mod answer;
mod calls;
mod inspect;

#[cfg(test)]
mod tests;

pub use associations::AssociationChange;
pub use calls::{CallEntry, EndpointSummary, Summary};
pub use events::{Occurrence, Tally};
pub use faults::{Canned, Effect, FaultRule, Faults, Matcher};
pub use history::{RecordHistory, Write};
pub use inspect::{
    AssociationSnapshot, EventSnapshot, ListSnapshot, OAuthSnapshot, RecordSnapshot,
};
pub use limits::WindowReport;
pub use objects::ObjectType;
pub use portal::Portal;
pub use server::{SimError, Simulator};
pub use settings::{OAuthApp, SimSettings, TokenSpec};
pub use setup::SetupCall;
pub use switches::{Condition, Foreign, Lock, Switches};
