//! The scheduler: order, coalescing, batches, retries and endings.
//!
//! [`Scheduler`] is a plain state machine. Events come in ([`Scheduler::admit`]), a call is composed at the moment a
//! permit is granted ([`Scheduler::fill`]), answers come back ([`Scheduler::settle`]), and every delivery ends exactly
//! once ([`Ended`]). Time is an argument, chance is a seed, and nothing here waits.
//!
//! [`Engine`] is the shell around it: it waits for permits, sends the calls, asks the fleet's memory, and keeps the
//! books ([`Stats`]). Everything that is hard to get right is in the scheduler; the engine only feeds it.

mod admission;
mod coalesce;
mod ending;
mod engine;
mod isolate;
mod lanes;
mod people;
mod queues;
mod recent;
mod retry;
mod scheduler;
mod sender;
mod stats;

pub use admission::{Admission, Delivery, DeliveryId, MappingIndex};
pub use ending::{Death, Ended, Ending, Note, SkipReason, Stage};
pub use engine::{Backlog, Engine, EngineParts, Instruction, LIMITS, PACE};
pub use scheduler::{CallId, Outgoing, RoundId, Scheduler, SchedulerSettings, WallClock};
pub use stats::{EndpointStats, HeldState, Stats, StatsSnapshot};
