//! The `hubferry` command: configuration, worker runtime, admin endpoint and the commands around them.
//!
//! [`cli::main`] reads the command line. [`config`] turns what was written into checked types. The worker (`worker`)
//! is one loop over the source, the engines and the dead letters; what is still owed for each message is kept by a
//! pure account (`tracker`), and what a message means is found by a pure intake (`intake`). The workbench (`workbench`)
//! holds the commands for mappings, which touch no network.

pub mod cli;
pub mod config;
pub mod exit;
pub mod output;

mod auth;
mod check;
mod demo;
mod dlq;
mod doctor;
mod init;
mod limits;
mod produce;
mod replay;
mod route;
mod run;
mod schema_command;
mod sim;
mod workbench;

mod intake;
mod portals;
mod seal;
mod vault;
mod worker;

mod brake;
mod closing;
mod holds;
mod links;
mod pinned;
mod scribe;
mod signals;
mod tally;
mod tracker;

mod admin;
mod hints;
mod metrics;
mod progress;
mod report;
mod words;

mod clock;
mod log;
