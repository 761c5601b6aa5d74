//! What both stores must do behind the one face. Each scenario takes a maker of limiters that share one state.

use std::num::NonZeroU32;
use std::time::Duration;

use hubferry_limiter::{
    Ask, Class, Closed, DayLimit, Fresh, Hint, LimitName, LimitSettings, LimitState, Limiter,
    LimiterError, LimiterOptions, Zone,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The window of the scenarios: short, so that a real clock passes several of them.
pub(crate) const WINDOW: Duration = Duration::from_millis(600);
/// Twice the error with which a store's time may be known, and a little more.
const SPREAD: Duration = Duration::from_millis(120);

/// A small limit.
pub(crate) fn limit(name: &str, max: u32) -> LimitSettings {
    LimitSettings {
        name: LimitName::new(name),
        max: NonZeroU32::new(max).unwrap(),
        ceiling: NonZeroU32::new(max).unwrap(),
        others: 0,
        window: WINDOW,
        slot: Duration::from_millis(40),
        spread: SPREAD,
        least_spread: SPREAD,
        horizon: Duration::from_secs(2),
        burst: NonZeroU32::new(max.div_ceil(4)).unwrap(),
    }
}

/// An ask against these limits.
pub(crate) fn ask(limits: &[&str], class: Class) -> Ask {
    Ask::new(limits.iter().map(|name| LimitName::new(name)), class)
}

/// Runs every scenario; `make` gives a limiter with a state of its own per name, shared by its calls.
pub(crate) async fn run(mut make: impl FnMut(&str, Vec<LimitSettings>) -> Limiter) {
    let both = || vec![limit("wide", 12), limit("narrow", 1)];
    several_workers_stay_inside_every_window(make("windows", vec![limit("wide", 12)])).await;
    all_limits_are_granted_together(make("together", both())).await;
    a_permit_given_back_is_somebody_elses(make("back", both())).await;
    stopping_ends_the_wait_and_returns_the_booking(make("stop", both())).await;
    a_refusal_pauses_and_slows(make("pause", both())).await;
    a_refusal_holds_for_permits_booked_before_it(make("booked", both())).await;
    hints_lower_the_limit(make("hints", both())).await;
    unknown_limits_are_an_error(make("unknown", both())).await;
    foreign_use_is_left_to_others(make("foreign", both())).await;
    a_share_may_be_left_to_others(make("others", vec![shared(limit("wide", 12))])).await;
    what_waiters_left_behind_goes_back(make("left", both())).await;
}

async fn several_workers_stay_inside_every_window(limiter: Limiter) {
    let until = Instant::now() + WINDOW * 5;
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let limiter = limiter.clone();
        workers.spawn(send_until(limiter, until));
    }
    let mut sent: Vec<Instant> = workers.join_all().await.into_iter().flatten().collect();
    sent.sort_unstable();
    assert!(
        sent.len() > 12,
        "more than one window was used: {}",
        sent.len()
    );
    for (index, first) in sent.iter().enumerate() {
        let inside = sent[index..]
            .iter()
            .take_while(|time| **time < *first + WINDOW)
            .count();
        assert!(inside <= 12, "{inside} calls in one window");
    }
}

/// Sends as often as it may; returns when each call went out.
async fn send_until(limiter: Limiter, until: Instant) -> Vec<Instant> {
    let stop = CancellationToken::new();
    let ask = ask(&["wide"], Class::Live);
    let mut sent = Vec::new();
    while Instant::now() < until {
        let permit = limiter.acquire(&ask, &stop).await.unwrap();
        let now = Instant::now();
        if permit.is_open(now) {
            sent.push(now);
        } else {
            limiter.give_back(permit).await;
        }
    }
    sent
}

async fn all_limits_are_granted_together(limiter: Limiter) {
    let stop = CancellationToken::new();
    for _ in 0..3 {
        drop(
            limiter
                .acquire(&ask(&["wide", "narrow"], Class::Live), &stop)
                .await
                .unwrap(),
        );
    }
    let states = limiter.snapshot().await.unwrap();
    assert_eq!(
        states[0].granted - states[0].returned,
        states[1].granted - states[1].returned
    );
}

async fn a_permit_given_back_is_somebody_elses(limiter: Limiter) {
    let stop = CancellationToken::new();
    let narrow = ask(&["narrow"], Class::Live);
    let permit = limiter.acquire(&narrow, &stop).await.unwrap();
    assert_eq!(state(&limiter, "narrow").await.used, 1);
    limiter.give_back(permit).await;
    let after = state(&limiter, "narrow").await;
    // On a slow machine the slot may be over by now; then the permit is counted as wasted.
    assert_eq!(after.returned + after.wasted, after.granted);
    assert_eq!(u64::from(after.used + after.ahead), after.wasted);
}

async fn stopping_ends_the_wait_and_returns_the_booking(limiter: Limiter) {
    let stop = CancellationToken::new();
    let narrow = ask(&["narrow"], Class::Live);
    drop(limiter.acquire(&narrow, &stop).await.unwrap());
    let waiting = {
        let (limiter, stop) = (limiter.clone(), stop.clone());
        async move { limiter.acquire(&narrow, &stop).await }
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(waiting);
    booked_ahead(&limiter).await;
    stop.cancel();
    let ended = tasks.join_next().await.unwrap().unwrap();
    assert!(matches!(ended, Err(LimiterError::Stopped)), "{ended:?}");
    assert_eq!(state(&limiter, "narrow").await.ahead, 0);
}

/// Waits until somebody has booked a slot to come.
async fn booked_ahead(limiter: &Limiter) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while state(limiter, "narrow").await.ahead == 0 {
        assert!(Instant::now() < deadline, "nobody booked ahead");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn a_refusal_pauses_and_slows(limiter: Limiter) {
    let wide = LimitName::new("wide");
    let before = Instant::now();
    limiter
        .observe(Hint::Throttled {
            limits: [wide].into_iter().collect(),
            pause: None,
        })
        .await;
    let paused = state(&limiter, "wide").await;
    assert!(
        matches!(paused.closed, Some((Closed::Paused, left)) if left <= Duration::from_secs(1))
    );
    assert_eq!((paused.effective, paused.throttled), (10, 1));
    assert_eq!(state(&limiter, "narrow").await.closed, None);
    let permit = limiter
        .acquire(&ask(&["wide"], Class::Live), &CancellationToken::new())
        .await;
    drop(permit.unwrap());
    // The store's time is known to 50 ms.
    assert!(before.elapsed() > Duration::from_millis(900));
}

async fn a_refusal_holds_for_permits_booked_before_it(limiter: Limiter) {
    let stop = CancellationToken::new();
    let narrow = ask(&["narrow"], Class::Live);
    drop(limiter.acquire(&narrow, &stop).await.unwrap());
    let waiting = {
        let limiter = limiter.clone();
        async move {
            limiter
                .acquire(&narrow, &stop)
                .await
                .map(|_| Instant::now())
        }
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(waiting);
    booked_ahead(&limiter).await;
    let limits = [LimitName::new("narrow")].into_iter().collect();
    let before = Instant::now();
    limiter
        .observe(Hint::Throttled {
            limits,
            pause: Some(Duration::from_secs(3)),
        })
        .await;
    let opened = tasks.join_next().await.unwrap().unwrap().unwrap();
    // The store's time is known to 50 ms.
    assert!(
        opened >= before + Duration::from_millis(2_900),
        "{:?}",
        opened - before
    );
}

async fn hints_lower_the_limit(limiter: Limiter) {
    let wide = LimitName::new("wide");
    for (max, expected) in [(12, 12), (500, 12), (0, 12), (6, 6), (12, 6)] {
        limiter
            .observe(Hint::Headers {
                limit: wide.clone(),
                max,
                remaining: max,
            })
            .await;
        assert_eq!(
            state(&limiter, "wide").await.effective,
            expected,
            "after a hint of {max}"
        );
    }
}

async fn foreign_use_is_left_to_others(limiter: Limiter) {
    let wide = LimitName::new("wide");
    let stop = CancellationToken::new();
    for _ in 0..4 {
        // Whatever is ours goes back, and yet eleven of twelve are gone.
        let hint = Hint::Headers {
            limit: wide.clone(),
            max: 12,
            remaining: 1,
        };
        limiter.observe(hint).await;
        let permit = limiter.acquire(&ask(&["wide"], Class::Live), &stop).await;
        limiter.give_back(permit.unwrap()).await;
    }
    let state = state(&limiter, "wide").await;
    assert!(state.others > 5, "{state:?}");
    assert_eq!(state.effective, 12 - state.others);
}

fn shared(limit: LimitSettings) -> LimitSettings {
    LimitSettings {
        others: 50,
        ..limit
    }
}

async fn a_share_may_be_left_to_others(limiter: Limiter) {
    let state = state(&limiter, "wide").await;
    assert_eq!((state.others, state.effective), (6, 6));
}

async fn what_waiters_left_behind_goes_back(limiter: Limiter) {
    let stop = CancellationToken::new();
    let narrow = ask(&["narrow"], Class::Live);
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (limiter, stop, narrow) = (limiter.clone(), stop.clone(), narrow.clone());
        tasks.spawn(async move { limiter.acquire(&narrow, &stop).await.map(drop) });
    }
    booked_ahead(&limiter).await;
    stop.cancel();
    tasks.join_all().await;
    assert_eq!(state(&limiter, "narrow").await.ahead, 0);
}

async fn unknown_limits_are_an_error(limiter: Limiter) {
    let stop = CancellationToken::new();
    let error = limiter
        .acquire(&ask(&["wide", "other"], Class::Live), &stop)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "there is no limit named other");
    let unlimited = limiter
        .acquire(&ask(&[], Class::Live), &stop)
        .await
        .unwrap();
    assert!(unlimited.is_open(Instant::now()));
}

/// Options with a day of four calls that the wide limit counts for.
pub(crate) fn day_of_four() -> LimiterOptions {
    LimiterOptions {
        fresh: Some(Fresh::Empty),
        day: Some(DayLimit {
            name: LimitName::new("daily"),
            max: NonZeroU32::new(4),
            zone: Zone::utc(),
            covers: vec![LimitName::new("wide")],
        }),
        ..LimiterOptions::default()
    }
}

/// A limiter with [`day_of_four`] grants four calls, and others that do not count for the day.
pub(crate) async fn a_day_is_spent(limiter: Limiter) {
    let stop = CancellationToken::new();
    let wide = ask(&["wide"], Class::Live);
    let back = limiter.acquire(&wide, &stop).await.unwrap();
    limiter.give_back(back).await;
    let soon = Duration::from_millis(300);
    let granted = async |ask: &Ask| {
        let permit = tokio::time::timeout(soon, limiter.acquire(ask, &stop)).await;
        permit.is_ok_and(|permit| permit.is_ok())
    };
    let used = limiter.inspect().await.unwrap().day.unwrap().used;
    // On a slow machine the permit came back too late to be saved.
    for _ in used..4 {
        assert!(granted(&wide).await);
    }
    assert!(!granted(&wide).await, "the day is spent");
    assert!(granted(&ask(&["narrow"], Class::Live)).await);
    let day = limiter.inspect().await.unwrap().day.unwrap();
    assert_eq!((day.max, day.used, day.is_spent), (Some(4), 4, false));
    assert!(day.left <= Duration::from_secs(24 * 3_600));

    let said = Hint::Day {
        max: 1_000,
        remaining: 400,
    };
    limiter.observe(said).await;
    assert!(granted(&wide).await, "the receiver's day is larger");
    let day = limiter.inspect().await.unwrap().day.unwrap();
    assert_eq!((day.max, day.used), (Some(1_000), 601));
    limiter.observe(Hint::DaySpent).await;
    assert!(!granted(&wide).await, "the receiver's word counts");
}

/// How one limit stands.
pub(crate) async fn state(limiter: &Limiter, name: &str) -> LimitState {
    let states = limiter.snapshot().await.unwrap();
    states
        .into_iter()
        .find(|state| state.name.as_str() == name)
        .unwrap()
}
