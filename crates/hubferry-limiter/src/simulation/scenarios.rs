//! What is simulated, and the figures that come of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::receiver::{From, Receiver};
use super::world::{Cut, World, ten_seconds};
use crate::ask::{Ask, Class, Hint};
use crate::chance;
use crate::limiter::Limiter;
use crate::settings::{Fresh, LimitName, LimiterOptions, OnLoss, Tickets};

/// One figure of one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be.
    pub wanted: &'static str,
}

/// The scenarios and what each is.
pub const SCENARIOS: [(&str, &str); 15] = [
    (
        "saturation-1",
        "24 hours at saturation, 1 worker, delays 20 to 250 ms",
    ),
    (
        "saturation-4",
        "24 hours at saturation, 4 workers, delays 20 to 250 ms",
    ),
    (
        "saturation-16",
        "24 hours at saturation, 16 workers, delays 20 to 250 ms",
    ),
    (
        "foreign",
        "24 hours beside an app that takes a random 0 to 40 %",
    ),
    (
        "priority",
        "an hour of live work at 60 % and unlimited replay",
    ),
    (
        "killed",
        "the server is gone for a minute and comes back empty",
    ),
    (
        "partitioned",
        "half of 8 workers do not reach the server for two minutes",
    ),
    ("failover-0", "a failover that loses nothing"),
    ("failover-10", "a failover that loses 10 grants"),
    ("failover-200", "a failover that loses 200 grants"),
    ("flushed", "the server's data is flushed"),
    ("clock-forward", "the server's clock jumps an hour ahead"),
    ("clock-back", "the server's clock jumps an hour back"),
    (
        "clock-frozen",
        "the server's clock stands still for a minute",
    ),
    (
        "chaos",
        "24 hours of random partitions, failovers, flushes, restarts and clock jumps",
    ),
];

const MAX: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn run(name: &str, seed: u64) -> Option<Vec<Figure>> {
    chance::fixed::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .ok()?;
    runtime.block_on(async {
        Some(match name {
            "saturation-1" => saturation(1, 24 * HOUR).await,
            "saturation-4" => saturation(4, 24 * HOUR).await,
            "saturation-16" => saturation(16, 24 * HOUR).await,
            "foreign" => foreign(24 * HOUR).await,
            "priority" => priority(HOUR).await,
            "killed" => trouble(Trouble::Killed).await,
            "partitioned" => trouble(Trouble::Partitioned).await,
            "failover-0" => trouble(Trouble::FailedOver(0)).await,
            "failover-10" => trouble(Trouble::FailedOver(10)).await,
            "failover-200" => trouble(Trouble::FailedOver(200)).await,
            "flushed" => trouble(Trouble::Flushed).await,
            "clock-forward" => trouble(Trouble::ClockForward).await,
            "clock-back" => trouble(Trouble::ClockBack).await,
            "chaos" => chaos(24 * HOUR).await,
            "clock-frozen" => trouble(Trouble::ClockFrozen).await,
            _ => return None,
        })
    })
}

/// Workers that always have another call to make.
pub(super) struct Crew {
    pub(super) cuts: Vec<Arc<Cut>>,
    pub(super) limiters: Vec<Limiter>,
    sent: Vec<Arc<AtomicU64>>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Crew {
    /// So many workers with four calls ready each.
    pub(super) fn start(
        world: &Arc<World>,
        workers: usize,
        options: &LimiterOptions,
        hears: bool,
    ) -> Self {
        let mut crew = Self {
            cuts: Vec::new(),
            limiters: Vec::new(),
            sent: Vec::new(),
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        for _ in 0..workers {
            let (limiter, cut) = world.worker(options);
            let sent = Arc::new(AtomicU64::new(0));
            for _ in 0..4 {
                let call = Caller {
                    world: Arc::clone(world),
                    limiter: limiter.clone(),
                    class: Class::Live,
                    sent: Arc::clone(&sent),
                    hears,
                };
                crew.tasks.spawn(call.always(crew.stop.clone()));
            }
            let (keeper, stop) = (limiter.clone(), crew.stop.clone());
            crew.tasks.spawn(async move { keeper.keep(&stop).await });
            crew.limiters.push(limiter);
            crew.cuts.push(cut);
            crew.sent.push(sent);
        }
        crew
    }

    /// Jain's index over the calls of the workers: 1 when all made as many.
    fn fairness(&self) -> f64 {
        let sent = self
            .sent
            .iter()
            .map(|sent| float(sent.load(Ordering::Relaxed)));
        let (sum, squares) = sent.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        sum * sum / (float(self.sent.len() as u64) * squares)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.abort_all();
    }
}

/// Somebody who makes calls.
#[derive(Clone)]
struct Caller {
    world: Arc<World>,
    limiter: Limiter,
    class: Class,
    sent: Arc<AtomicU64>,
    hears: bool,
}

impl Caller {
    async fn always(self, stop: CancellationToken) {
        let ask = Ask::new([LimitName::new("calls")], self.class);
        let mut calls = JoinSet::new();
        loop {
            let Ok(permit) = self.limiter.acquire(&ask, &stop).await else {
                return;
            };
            if permit.is_open(Instant::now()) {
                calls.spawn(self.clone().call());
            }
            while calls.try_join_next().is_some() {}
        }
    }

    /// A call on its way to the receiver and back.
    async fn call(self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(chance::between(20..=250))).await;
        let verdict = self.world.arrive(From::Fleet);
        if !self.hears {
            return;
        }
        sleep(Duration::from_millis(chance::between(10..=60))).await;
        let calls = LimitName::new("calls");
        let hint = if verdict.is_refused {
            Hint::Throttled {
                limits: [calls].into_iter().collect(),
                pause: None,
            }
        } else {
            Hint::Headers {
                limit: calls,
                max: MAX,
                remaining: verdict.remaining,
            }
        };
        self.limiter.observe(hint).await;
    }
}

fn empty() -> LimiterOptions {
    LimiterOptions {
        fresh: Some(Fresh::Empty),
        ..LimiterOptions::default()
    }
}

pub(super) async fn saturation(workers: usize, time: Duration) -> Vec<Figure> {
    let world = World::new(vec![ten_seconds(MAX)], Receiver::new(100, WINDOW, false));
    let crew = Crew::start(&world, workers, &empty(), false);
    sleep(time).await;
    let receiver = world
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let used = float(receiver.ours) / (100.0 * time.as_secs_f64() / WINDOW.as_secs_f64());
    let of = format!("{workers} workers: ");
    vec![
        figure(&of, "windows over N", float(receiver.over), "", "0"),
        figure(
            &of,
            "fullest window",
            float(receiver.fullest as u64),
            "of 100",
            "at most 100",
        ),
        figure(&of, "used of N", used * 100.0, "%", "at least 96"),
        figure(&of, "fairness (Jain)", crew.fairness(), "", "at least 0.98"),
        figure(
            &of,
            "questions to the store per permit",
            float(world.questions.load(Ordering::Relaxed)) / float(receiver.ours),
            "",
            "at most 1.5",
        ),
    ]
}

/// The other app takes another share every ten minutes, evenly but for a jitter.
async fn foreign(time: Duration) -> Vec<Figure> {
    let world = World::new(vec![ten_seconds(MAX)], Receiver::new(100, WINDOW, true));
    let _crew = Crew::start(&world, 4, &empty(), true);
    let end = Instant::now() + time;
    let (mut change, mut level) = (Instant::now(), 0);
    while Instant::now() < end {
        if Instant::now() >= change {
            level = chance::between(0..=40);
            change += Duration::from_secs(600);
        }
        if level == 0 {
            sleep_until(change).await;
            continue;
        }
        let every = 10_000_000 / level;
        sleep(Duration::from_micros(chance::between(
            every * 8 / 10..=every * 12 / 10,
        )))
        .await;
        world.arrive(From::Others);
    }
    let receiver = world
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let calls = receiver.ours + receiver.refused;
    let rest = 100.0 * time.as_secs_f64() / WINDOW.as_secs_f64() - float(receiver.others);
    vec![
        figure(
            "",
            "refused calls",
            100.0 * float(receiver.refused) / float(calls),
            "%",
            "at most 0.2",
        ),
        figure(
            "",
            "used of what the other left",
            100.0 * float(receiver.ours) / rest,
            "%",
            "at least 90",
        ),
        figure(
            "",
            "taken by the other",
            100.0 * float(receiver.others) / (float(receiver.others) + rest),
            "%",
            "0 to 40",
        ),
    ]
}

/// Live calls come at random, 60 in ten seconds on average, to four workers; replay takes what it gets.
async fn priority(time: Duration) -> Vec<Figure> {
    let world = World::new(vec![ten_seconds(MAX)], Receiver::new(100, WINDOW, false));
    let replayed = Arc::new(AtomicU64::new(0));
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let waits = Arc::new(Mutex::new(Vec::new()));
    let limiters: Vec<Limiter> = (0..4).map(|_| world.worker(&empty()).0).collect();
    for limiter in &limiters {
        let caller = Caller {
            world: Arc::clone(&world),
            limiter: limiter.clone(),
            class: Class::Replay,
            sent: Arc::clone(&replayed),
            hears: false,
        };
        for _ in 0..4 {
            tasks.spawn(caller.clone().always(stop.clone()));
        }
    }
    let end = Instant::now() + time;
    let mut next = 0;
    while Instant::now() < end {
        // Ten thousandths of a chance: a Bernoulli process of a millisecond's step, 6 calls a second.
        let mut gap = 1;
        while chance::between(1..=1_000) > 6 {
            gap += 1;
        }
        sleep(Duration::from_millis(gap)).await;
        next = (next + 1) % limiters.len();
        let caller = Caller {
            world: Arc::clone(&world),
            limiter: limiters[next].clone(),
            class: Class::Live,
            sent: Arc::default(),
            hears: false,
        };
        let (waits, stop) = (Arc::clone(&waits), stop.clone());
        tasks.spawn(async move {
            let asked = Instant::now();
            let ask = Ask::new([LimitName::new("calls")], Class::Live);
            if caller.limiter.acquire(&ask, &stop).await.is_ok() {
                waits
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(asked.elapsed());
                caller.call().await;
            }
        });
        while tasks.try_join_next().is_some() {}
    }
    stop.cancel();
    let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner).clone();
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 1_000].as_secs_f64() * 1_000.0;
    let windows = time.as_secs_f64() / WINDOW.as_secs_f64();
    let receiver = world
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    vec![
        figure(
            "",
            "live calls",
            float(waits.len() as u64) / windows,
            "% of N",
            "60",
        ),
        figure("", "live wait, median", at(500), "ms", ""),
        figure(
            "",
            "live wait, 99th percentile",
            at(990),
            "ms",
            "at most 300",
        ),
        figure(
            "",
            "replayed",
            float(replayed.load(Ordering::Relaxed)) / windows,
            "% of N",
            "at least 30",
        ),
        figure("", "windows over N", float(receiver.over), "", "0"),
    ]
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Killed,
    Partitioned,
    FailedOver(u64),
    Flushed,
    ClockForward,
    ClockBack,
    ClockFrozen,
}

/// At the full rate the window that misses the burst of a quarter holds 75 calls, give or take what is on its way.
const FULL: usize = 70;
const MINUTE: Duration = Duration::from_secs(60);

/// Eight workers with tickets at saturation; trouble after a quarter of an hour.
pub(super) async fn trouble(trouble: Trouble) -> Vec<Figure> {
    let world = World::new(vec![ten_seconds(MAX)], Receiver::new(100, WINDOW, false));
    let eight = std::num::NonZeroU32::new(8).expect("eight is not zero");
    let options = LimiterOptions {
        fresh: Some(Fresh::Quarantine),
        on_loss: OnLoss::Ticket(Tickets::new(eight)),
        ..LimiterOptions::default()
    };
    let crew = Crew::start(&world, 8, &options, false);
    sleep(15 * MINUTE).await;
    let before = world.granted();
    let mut least = usize::MAX;
    match trouble {
        Trouble::Killed => {
            world.stop_server();
            least = watch(&world, MINUTE).await;
            world.start_empty_server();
        }
        Trouble::Partitioned => {
            for cut in crew.cuts.iter().take(4) {
                cut.questions.store(true, Ordering::Relaxed);
            }
            least = watch(&world, 2 * MINUTE).await;
            for cut in &crew.cuts {
                cut.questions.store(false, Ordering::Relaxed);
            }
        }
        Trouble::FailedOver(lost) => {
            world.stop_replication();
            while world.granted() < before + lost {
                sleep(Duration::from_millis(1)).await;
            }
            world.fail_over();
        }
        Trouble::Flushed => world.flush(),
        Trouble::ClockForward => world.move_clock(HOUR, true),
        Trouble::ClockBack => world.move_clock(HOUR, false),
        Trouble::ClockFrozen => {
            world.freeze_clock(true);
            least = watch(&world, MINUTE).await;
            world.freeze_clock(false);
        }
    }
    let healed = Instant::now();
    let mut low_until = healed;
    while healed.elapsed() < 15 * MINUTE {
        sleep(Duration::from_millis(100)).await;
        if world.in_window() < FULL {
            low_until = Instant::now();
        }
    }
    let receiver = world
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut figures = vec![
        figure(
            "",
            "fullest window",
            float(receiver.fullest as u64),
            "of 100",
            "at most 100",
        ),
        figure(
            "",
            "until the full rate is back",
            (low_until - healed).as_secs_f64(),
            "s",
            "",
        ),
    ];
    if least < usize::MAX {
        figures.push(figure(
            "",
            "least in a window meanwhile",
            float(least as u64),
            "of 100",
            "",
        ));
    }
    figures
}

/// Six workers with tickets, and every minute or so another trouble, on top of those that last.
pub(super) async fn chaos(time: Duration) -> Vec<Figure> {
    let world = World::new(vec![ten_seconds(MAX)], Receiver::new(100, WINDOW, false));
    let six = std::num::NonZeroU32::new(6).expect("six is not zero");
    let options = LimiterOptions {
        on_loss: OnLoss::Ticket(Tickets::new(six)),
        ..LimiterOptions::default()
    };
    let crew = Crew::start(&world, 6, &options, false);
    let end = Instant::now() + time;
    let mut troubles = 0_u64;
    while Instant::now() < end {
        sleep(Duration::from_secs(chance::between(5..=150))).await;
        troubles += 1;
        let cut = &crew.cuts[usize::try_from(chance::between(0..=5)).unwrap_or(0)];
        match chance::between(0..=9) {
            0 => cut.questions.store(true, Ordering::Relaxed),
            1 => cut.answers.store(true, Ordering::Relaxed),
            2..=4 => {
                for cut in &crew.cuts {
                    cut.questions.store(false, Ordering::Relaxed);
                    cut.answers.store(false, Ordering::Relaxed);
                }
            }
            5 | 6 => {
                world.stop_replication();
                sleep(Duration::from_millis(chance::between(0..=5_000))).await;
                world.fail_over();
            }
            7 => {
                world.stop_server();
                sleep(Duration::from_secs(chance::between(1..=90))).await;
                world.start_empty_server();
            }
            8 => world.flush(),
            _ => {
                let by = Duration::from_secs(chance::between(1..=7_200));
                world.move_clock(by, chance::between(0..=1) == 0);
            }
        }
    }
    let receiver = world
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let used = float(receiver.ours) / (100.0 * time.as_secs_f64() / WINDOW.as_secs_f64());
    vec![
        figure("", "troubles", float(troubles), "", ""),
        figure(
            "",
            "calls over N in a window",
            float(receiver.over),
            "",
            "0",
        ),
        figure(
            "",
            "fullest window",
            float(receiver.fullest as u64),
            "of 100",
            "at most 100",
        ),
        figure("", "used of N all the same", used * 100.0, "%", ""),
    ]
}

/// Lets time pass; returns the emptiest window.
async fn watch(world: &World, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut least = usize::MAX;
    while Instant::now() < end {
        sleep(Duration::from_millis(100)).await;
        least = least.min(world.in_window());
    }
    least
}

fn figure(of: &str, what: &str, value: f64, unit: &'static str, wanted: &'static str) -> Figure {
    Figure {
        what: format!("{of}{what}"),
        value,
        unit,
        wanted,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures are shown with two digits"
)]
fn float(count: u64) -> f64 {
    count as f64
}
