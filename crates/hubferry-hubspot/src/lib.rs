//! The HubSpot client: one call out, one outcome per step back.

mod call;
mod outcome;

pub use call::{
    AssociationInput, Bucket, Call, Endpoint, ReadInput, Request, SearchInput, StepId, UpdateInput,
    UpsertInput,
};
pub use outcome::{
    Answers, Cause, Code, Done, ErrorClass, Found, Hold, HoldScope, Outcome, Refusal, Rejection,
    Reply, Resume, Window,
};
