//! The harness of the end-to-end tests.
//!
//! The tests drive what a user drives: the command line as a process, a real Kafka, a real Redis, and the
//! simulator as a second process. Nothing of the product but the simulator is linked in here, so that what the tests
//! expect is written down a second time and not copied from the code under test.
//!
//! - [`Services`] says where Kafka, Redis and the binary are; `cargo xtask e2e` starts them and sets the variables.
//! - [`Kafka`] creates topics, produces, reads everything back and asks for committed positions.
//! - [`Sim`] and [`Worker`] are processes; [`Hubferry`] runs a command to its end with a [`Config`].
//! - [`generate`] makes seeded events, [`oracle`] works out what HubSpot must hold afterwards.

mod admin;
mod bound;
mod command;
mod config;
mod figure;
pub mod generate;
mod kafka;
pub mod oracle;
mod process;
mod redis;
mod services;
mod sim;
mod wait;
mod worker;

pub use admin::Admin;
pub use bound::Demand;
pub use command::{Finished, Hubferry};
pub use config::Config;
pub use figure::Figure;
pub use kafka::{Kafka, Read};
pub use process::{Process, Usage};
pub use redis::Redis;
pub use services::{Services, unique};
pub use sim::{Call, Endpoint, Portal, Properties, RecordHistory, Sim, Summary, Write};
pub use wait::eventually;
pub use worker::Worker;
