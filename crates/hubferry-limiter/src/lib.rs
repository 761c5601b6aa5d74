//! A shared rate budget: permits that keep many workers inside rolling windows.
//!
//! A [`Limiter`] knows one or more limits, each "at most N calls in any window of length W". Whoever is about to make a
//! call names the limits it counts against in an [`Ask`], waits for [`Limiter::acquire`], and sends the call before
//! [`Permit::closes_at`]. All limits of an ask are granted together or not at all.
//!
//! The promise: the receiver counts at most N calls in *every* half-open window of length W, as long as the time from
//! sending a call to its being counted varies by no more than the configured spread. A token bucket of size N cannot
//! promise that (it lets 2N through); a log of the calls cannot either once delays vary. What can is a log of *slots*:
//! time is cut into slots, a permit is good for one slot only, and a slot is booked when the slots of a slightly
//! widened window before it hold few enough permits. A paced start (at most a burst after silence) stands in front.
//!
//! Two stores keep the log behind the same face: this process ([`Limiter::local`]), and Redis for a fleet
//! ([`Limiter::redis`]), where one atomic function decides and Redis' clock is the only clock.
//!
//! *Who gets what.* Every ask has a [`Class`]. Live work books up to the horizon ahead and stands in one line over the whole
//! fleet: a refusal gives a place in it, so nobody polls. Replay and backfill take what live work leaves, retries and
//! administration have ceilings, and whoever starves gets a floor.
//!
//! *What the receiver says.* [`Limiter::observe`] takes its answers: a refusal pauses the fleet and slows it down for a while, a
//! smaller limit counts at once, a larger one when several answers agree ([`LimitSettings::ceiling`]), and calls of others
//! against the same limit are seen and left room for. A limit per calendar day is an option ([`DayLimit`]).
//!
//! *What may go wrong.* State that is missing is taken for spent: a quarantine of a window follows. A failover that loses the
//! last bookings is noticed, and what was lost is charged again. A clock that jumps changes nothing, since every worker
//! says how much time passed on its own. Workers that lose the store stop, unless they hold a ticket ([`OnLoss::Ticket`])
//! for going on alone at a small rate that the store keeps free for them; then [`Limiter::keep`] has to run beside the work.
//! Nothing is ever granted because the store does not answer.
//!
//! *What to do around it.* Ask [`Limiter::check_store`] once at the start whether Redis may evict the state, show
//! [`Limiter::inspect`] to people, and end with [`Limiter::leave`] (which [`Limiter::keep`] does when it is stopped). Do
//! whatever is slow, like connecting and serialising, before asking for a permit: it is good for a slot only.
//!
//! ```
//! use std::num::NonZeroU32;
//!
//! use hubferry_limiter::{Ask, Class, LimitName, LimitSettings, Limiter, Scope};
//! use tokio_util::sync::CancellationToken;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
//! # runtime.block_on(async {
//! let calls = LimitName::new("calls");
//! let hundred = NonZeroU32::new(100).expect("not zero");
//! let limiter = Limiter::local(
//!     Scope::new("a-customer:an-app"),
//!     vec![LimitSettings::ten_seconds(calls.clone(), hundred)],
//! )
//! .expect("sound settings");
//!
//! let ask = Ask::new([calls], Class::Live);
//! let permit = limiter.acquire(&ask, &CancellationToken::new()).await.expect("not stopped");
//! // … send the call now; a permit that is not needed goes back:
//! assert!(permit.is_open(tokio::time::Instant::now()));
//! limiter.give_back(permit).await;
//! # });
//! ```

mod ask;
mod bucket;
mod chance;
mod check;
mod day;
mod desk;
mod error;
mod fleet;
mod group;
mod island;
mod learned;
mod limiter;
mod line;
mod member;
mod settings;
#[cfg(any(test, feature = "simulation"))]
#[doc(hidden)]
pub mod simulation;
mod slots;
mod view;
mod wire;

pub use ask::{Ask, Class, Closed, Hint, LimitState, Permit};
pub use check::StoreReport;
pub use day::Zone;
pub use error::{LimiterError, SettingsError, StoreError};
pub use limiter::{Limiter, LocalLimiter, RedisLimiter};
pub use settings::{
    DayLimit, Fresh, LimitName, LimitSettings, LimiterOptions, OnLoss, Scope, Tickets,
};
pub use view::{DayState, View, WorkerState};
