//! A world in which workers share limits, on a clock that the simulation moves: the real workers, the real store's rule, and
//! between them a network, a server and a receiver that misbehave as told.
//!
//! It exists for the figures of `examples/simulate.rs` and for tests; nothing of it is part of the limiter.

mod receiver;
mod scenarios;
mod world;

pub use scenarios::{Figure, SCENARIOS};
pub(crate) use world::Link;

/// Runs a scenario by its name; `None` for a name that is not in [`SCENARIOS`].
#[must_use]
pub fn run(name: &str, seed: u64) -> Option<Vec<Figure>> {
    scenarios::run(name, seed)
}

#[cfg(test)]
mod tests;
