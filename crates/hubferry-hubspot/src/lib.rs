//! The HubSpot client: one call out, one outcome per step back.
//!
//! A [`Call`] carries as many steps of one kind as HubSpot takes. [`Client::prepare`] makes its address and body,
//! [`Client::send`] makes the HTTP request, and the [`Reply`] tells for every step what came of it and what is to be
//! done about it. Reading an answer is pure and total: no status, header or body makes it fail or panic.
//!
//! Beside the calls of events, [`Client::directory`] lists what a portal has, for people and commands; [`Login`] signs an
//! OAuth app in, and a [`TokenStore`] lets the workers of a fleet share the grant.
//!
//! HTTP and HubSpot's JSON stop at this crate.

mod call;
mod outcome;

mod secret;
mod settings;

mod client;
mod directory;
mod grant;
mod known;
mod login;
mod probe;
mod scopes;
mod store;
mod token;
mod transport;
mod usual;

mod body;
mod clock;
mod paths;

mod answer;
mod classify;
mod created;
mod ends;
mod failure;
mod headers;
mod inputs;
mod json;
mod judge;
mod learned;
mod members;
mod search;
mod tally;
mod words;

mod writers;

pub use call::{
    ArchiveInput, Bucket, Call, CreateInput, CreatePropertyInput, Endpoint, LinkInput, MemberInput,
    OccurrenceInput, ReadInput, Request, SearchInput, StepId, UpdateInput, UpsertInput,
};
pub use client::{Client, Prepared};
pub use directory::{
    AssociationLabel, DailyUsage, Directory, DirectoryError, EventEntry, EventPropertyEntry,
    ListEntry, ObjectSchema, PropertyEntry, PropertyGroup, TokenInfo,
};
pub use login::{Login, LoginError, NewGrant};
pub use outcome::{
    Answers, Cause, Code, Daily, Done, ErrorClass, Fact, Found, Hold, HoldScope, Outcome, Refusal,
    Rejection, Reply, Resume, Window,
};
pub use probe::{AccountInfo, PortalId, ProbeError};
pub use scopes::AnyScope;
pub use secret::Secret;
pub use settings::{
    ApiVersion, Auth, BaseUrl, BaseUrlError, ClientSettings, EventsPrefix, InvalidPrefix,
    UnknownVersion,
};
pub use store::{Lease, StoreError, StoreFuture, StoredAccess, StoredGrant, TokenStore};
pub use transport::ClientError;
pub use writers::WriteConcurrency;
