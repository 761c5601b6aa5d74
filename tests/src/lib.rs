//! The harness of the end-to-end tests.
//!
//! The tests drive what a user drives: the command line as a process, a real Kafka, a real Redis, and the
//! simulator as a second process. Nothing of the product is linked in here, so that what the tests expect is
//! written down a second time and not copied from the code under test.
//!
//! - [`Services`] says where Kafka, Redis and the binary are; `cargo xtask e2e` starts them and sets the variables.
//! - [`Kafka`] creates topics, produces, reads everything back and asks for committed positions.
//! - [`Sim`] and [`Worker`] are processes; [`Hubferry`] runs a command to its end.
//! - [`generate`] makes seeded events, [`oracle`] works out what HubSpot must hold afterwards.

//Smod command;
//Spub mod config;
//Spub mod generate;
mod kafka;
//Spub mod oracle;
//Smod process;
mod services;
//Smod sim;
mod wait;
//Smod worker;

//Spub use command::{Finished, Hubferry};
pub use kafka::{Kafka, Read};
//Spub use process::Process;
pub use services::{Services, unique};
//Spub use sim::{Record, Sim, Summary, Write};
pub use wait::eventually;
//Spub use worker::Worker;
