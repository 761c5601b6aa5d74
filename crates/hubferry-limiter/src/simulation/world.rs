//! The server, the network to it, and the workers.

use std::fmt;
use std::future::pending;
use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::receiver::{From, Receiver, Verdict};
use crate::chance;
use crate::desk::{Desk, Op, Question};
use crate::error::StoreError;
use crate::limiter::Limiter;
use crate::member::Member;
use crate::settings::{LimitName, LimitSettings, LimiterOptions, rules};
use crate::wire::{Reply, Wire};

/// Everything that is simulated.
pub(super) struct World {
    server: Mutex<Server>,
    pub(super) receiver: Mutex<Receiver>,
    limits: Vec<LimitSettings>,
    start: Instant,
    /// Questions that reached the server.
    pub(super) questions: AtomicU64,
}

struct Server {
    desk: Desk,
    replica: Option<Desk>,
    run: u64,
    is_up: bool,
    /// Added to its clock.
    clock: i64,
    /// The clock shows this and does not move.
    frozen: Option<u64>,
}

/// A worker's way to the server, which may be cut in either direction.
#[derive(Clone)]
pub(crate) struct Link {
    world: Arc<World>,
    pub(super) cut: Arc<Cut>,
}

#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) questions: AtomicBool,
    pub(super) answers: AtomicBool,
    /// Milliseconds more in each direction.
    pub(super) slower: AtomicU64,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// The server's clock at the start: some day in 2023.
const EPOCH: u64 = 1_700_000_000_000_000;

impl World {
    pub(super) fn new(limits: Vec<LimitSettings>, receiver: Receiver) -> Arc<Self> {
        Arc::new(Self {
            server: Mutex::new(Server {
                desk: desk(&limits),
                replica: None,
                run: 1,
                is_up: true,
                clock: 0,
                frozen: None,
            }),
            receiver: Mutex::new(receiver),
            limits,
            start: Instant::now(),
            questions: AtomicU64::new(0),
        })
    }

    /// A worker of the fleet.
    pub(super) fn worker(self: &Arc<Self>, options: &LimiterOptions) -> (Limiter, Arc<Cut>) {
        let cut = Arc::new(Cut::default());
        let link = Link {
            world: Arc::clone(self),
            cut: Arc::clone(&cut),
        };
        let member = Member::new(&self.limits, options, 2, |_| Wire::Simulated(link))
            .expect("the simulation's settings are sound");
        (Limiter::Redis(Arc::new(member)), cut)
    }

    pub(super) fn arrive(&self, from: From) -> Verdict {
        locked(&self.receiver).arrive(Instant::now(), from)
    }

    pub(super) fn in_window(&self) -> usize {
        locked(&self.receiver).in_window(Instant::now())
    }

    pub(super) fn stop_server(&self) {
        locked(&self.server).is_up = false;
    }

    /// Starts another server, which remembers nothing.
    pub(super) fn start_empty_server(&self) {
        let mut server = locked(&self.server);
        server.desk = desk(&self.limits);
        server.run += 1;
        server.is_up = true;
    }

    /// From here on the replica hears nothing any more.
    pub(super) fn stop_replication(&self) {
        let mut server = locked(&self.server);
        server.replica = Some(server.desk.clone());
    }

    /// The replica takes over.
    pub(super) fn fail_over(&self) {
        let mut server = locked(&self.server);
        if let Some(replica) = server.replica.take() {
            server.desk = replica;
        }
        server.run += 1;
    }

    pub(super) fn flush(&self) {
        locked(&self.server).desk = desk(&self.limits);
    }

    pub(super) fn move_clock(&self, by: Duration, is_forward: bool) {
        let by = i64::try_from(by.as_micros()).unwrap_or(0);
        locked(&self.server).clock += if is_forward { by } else { -by };
    }

    pub(super) fn freeze_clock(&self, is_frozen: bool) {
        let raw = self.raw();
        locked(&self.server).frozen = is_frozen.then_some(raw);
    }

    /// Permits that the server knows to have granted.
    pub(super) fn granted(&self) -> u64 {
        let server = locked(&self.server);
        server
            .desk
            .buckets
            .iter()
            .flatten()
            .map(|bucket| bucket.granted)
            .sum()
    }

    fn raw(&self) -> u64 {
        let server = locked(&self.server);
        if let Some(frozen) = server.frozen {
            return frozen;
        }
        let gone = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(0);
        (EPOCH + gone).saturating_add_signed(server.clock)
    }
}

impl Link {
    pub(crate) async fn exchange(&self, mut question: Question<'_>) -> Result<Reply, StoreError> {
        let sent = Instant::now();
        self.way(&self.cut.questions).await;
        let raw = self.world.raw();
        let numbers = {
            let mut server = locked(&self.world.server);
            if !server.is_up {
                let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
                return Err(StoreError::Failed(refused.into()));
            }
            question.caller.run = server.run;
            if question.op != Op::Look {
                self.world.questions.fetch_add(1, Ordering::Relaxed);
            }
            server.desk.answer(raw, &question)
        };
        self.way(&self.cut.answers).await;
        Ok(Reply {
            numbers,
            sent,
            received: Instant::now(),
        })
    }

    /// One direction: up to two milliseconds, or for ever.
    async fn way(&self, cut: &AtomicBool) {
        let slower = self.cut.slower.load(Ordering::Relaxed);
        sleep(Duration::from_millis(slower + chance::between(0..=2))).await;
        if cut.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

/// One limit of so many calls per ten seconds.
pub(super) fn ten_seconds(max: u32) -> LimitSettings {
    LimitSettings::ten_seconds(
        LimitName::new("calls"),
        NonZeroU32::new(max).expect("a limit of a scenario is not zero"),
    )
}

fn desk(limits: &[LimitSettings]) -> Desk {
    let rules = rules(limits).expect("the simulation's settings are sound");
    Desk::new(rules.into_iter().map(|(_, rule)| rule).collect(), false)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
