//! The product as a user runs it: processes, a real Kafka, a real Redis, the simulator.
//!
//! `cargo xtask e2e` starts the services and runs these; without them every test here fails.

mod kafka_smoke;

mod cli;
mod demo;
mod file;
mod fleet;
mod input_errors;
mod produce;
mod sim;
