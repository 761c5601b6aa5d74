//! The product as a user runs it: processes, a real Kafka, a real Redis, the simulator.
//!
//! `cargo xtask e2e` starts the services and runs these; without them every test here fails.

mod kafka_smoke;
mod scene;
mod world;

mod access;
mod associations;
mod brake;
mod cli;
mod companies;
mod dead_letters;
mod deletions;
mod demo;
mod events;
mod file;
mod fleet;
mod holds;
mod input_errors;
mod isolation;
mod lifecycle;
mod links;
mod lists;
mod meanwhile;
mod metrics;
mod objects;
mod people;
mod privacy;
mod produce;
mod replay;
mod route;
mod sim;
mod stopping;
mod values;
