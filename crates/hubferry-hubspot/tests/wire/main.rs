//! The client on a real socket: what it sends, and what becomes of a call however the other side behaves.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod directory;
mod oauth;
mod requests;
mod stub;
mod transport;
