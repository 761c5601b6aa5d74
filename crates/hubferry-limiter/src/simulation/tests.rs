//! What must not go wrong, in minutes instead of hours.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::receiver::Receiver;
use super::scenarios::{Crew, Figure, Trouble, chaos, saturation, trouble};
use super::world::{World, ten_seconds};
use crate::ask::{Ask, Class, Closed};
use crate::chance;
use crate::limiter::Limiter;
use crate::settings::{Fresh, LimitName, LimiterOptions, OnLoss, Tickets};

const WINDOW: Duration = Duration::from_secs(10);

/// Runs on a clock that the run moves, with chance that follows from the number.
fn simulate<T>(seed: u64, run: impl Future<Output = T>) -> T {
    chance::fixed::seed(seed);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(run)
}

fn value(figures: &[Figure], what: &str) -> f64 {
    let found = figures.iter().find(|figure| figure.what.ends_with(what));
    found
        .map(|figure| figure.value)
        .expect("the figure is there")
}

fn tickets(workers: u32) -> LimiterOptions {
    let workers = NonZeroU32::new(workers).expect("not zero");
    LimiterOptions {
        fresh: Some(Fresh::Empty),
        on_loss: OnLoss::Ticket(Tickets::new(workers)),
        ..LimiterOptions::default()
    }
}

#[test]
fn a_saturated_fleet_stays_inside_every_window_and_uses_it() {
    for (seed, workers) in [(1, 1), (4, 4), (16, 16)] {
        let figures = simulate(seed, saturation(workers, Duration::from_secs(1_800)));
        assert!(value(&figures, "windows over N") < 0.5, "{figures:?}");
        assert!(value(&figures, "used of N") >= 96.0, "{figures:?}");
        assert!(value(&figures, "fairness (Jain)") >= 0.98, "{figures:?}");
        assert!(value(&figures, "per permit") <= 1.5, "{figures:?}");
    }
}

#[test]
fn no_trouble_of_the_store_makes_a_window_too_full_and_the_full_rate_comes_back() {
    // With the longest time in seconds until the rate is full again: a quarantine, a settling, or nothing at all.
    let cases = [
        (Trouble::Killed, 35.0),
        (Trouble::Partitioned, 40.0),
        (Trouble::FailedOver(0), 20.0),
        (Trouble::FailedOver(10), 20.0),
        (Trouble::FailedOver(200), 30.0),
        (Trouble::Flushed, 25.0),
        (Trouble::ClockForward, 15.0),
        (Trouble::ClockBack, 15.0),
        (Trouble::ClockFrozen, 15.0),
    ];
    for (what, longest) in cases {
        for seed in 1..=3 {
            let figures = simulate(seed, trouble(what));
            assert!(
                value(&figures, "fullest window") <= 100.0,
                "{what:?}: {figures:?}"
            );
            let back = value(&figures, "full rate is back");
            assert!(back <= longest, "{what:?}: {figures:?}");
        }
    }
}

#[test]
fn no_mixture_of_troubles_makes_a_window_too_full() {
    for seed in 1..=5 {
        let figures = simulate(seed, chaos(Duration::from_secs(3_600)));
        assert!(
            value(&figures, "fullest window") <= 100.0,
            "{seed}: {figures:?}"
        );
    }
}

/// The most that was in a window, with and without that many lost answers.
async fn cut_off(workers: usize, holders: u32, cut: impl Fn(&Crew, bool)) -> (usize, usize) {
    let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
    let crew = Crew::start(&world, workers, &tickets(holders), false);
    sleep(Duration::from_secs(300)).await;
    cut(&crew, true);
    sleep(Duration::from_secs(180)).await;
    let alone = crew
        .limiters
        .iter()
        .filter(|limiter| limiter.is_alone())
        .count();
    cut(&crew, false);
    sleep(Duration::from_secs(120)).await;
    assert!(
        !crew.limiters.iter().any(Limiter::is_alone),
        "all came back"
    );
    let fullest = world.receiver.lock().expect("not poisoned").fullest;
    (alone, fullest)
}

#[test]
fn workers_whose_answers_are_lost_are_silent_though_they_ask() {
    let (alone, fullest) = simulate(
        3,
        cut_off(4, 4, |crew, is_cut| {
            for cut in crew.cuts.iter().take(2) {
                cut.answers.store(is_cut, Ordering::Relaxed);
            }
        }),
    );
    assert_eq!(alone, 2);
    assert!(fullest <= 100, "{fullest}");
}

#[test]
fn more_workers_than_tickets_share_no_more_than_the_tickets() {
    let (alone, fullest) = simulate(
        5,
        cut_off(6, 2, |crew, is_cut| {
            for cut in &crew.cuts {
                cut.questions.store(is_cut, Ordering::Relaxed);
            }
        }),
    );
    assert_eq!(alone, 2, "only those who hold a ticket go on");
    assert!(fullest <= 100, "{fullest}");
}

#[test]
fn a_store_that_takes_two_seconds_grants_nothing_and_is_forgiven() {
    simulate(7, async {
        let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
        let crew = Crew::start(&world, 4, &tickets(4), false);
        sleep(Duration::from_secs(60)).await;
        let slower = |milliseconds| {
            for cut in &crew.cuts {
                cut.slower.store(milliseconds, Ordering::Relaxed);
            }
        };
        slower(1_000);
        // What was booked before is used; then nothing is.
        sleep(Duration::from_secs(15)).await;
        assert_eq!(world.in_window(), 0);
        slower(0);
        sleep(Duration::from_secs(30)).await;
        assert!(world.in_window() >= 70, "{}", world.in_window());
        assert!(world.receiver.lock().expect("not poisoned").fullest <= 100);
    });
}

#[test]
fn a_worker_that_was_stopped_for_long_does_not_use_what_it_had_booked() {
    simulate(11, async {
        let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
        let (limiter, _) = world.worker(&tickets(1));
        let ask = Ask::new([LimitName::new("calls")], Class::Live);
        let stop = CancellationToken::new();
        let permit = limiter.acquire(&ask, &stop).await.expect("not stopped");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!permit.is_open(Instant::now()), "its slot is over");
        limiter.give_back(permit).await;
        let state = limiter
            .snapshot()
            .await
            .expect("the store answers")
            .remove(0);
        assert_eq!((state.returned, state.wasted), (0, 1));
    });
}

#[test]
fn workers_of_one_name_are_two_workers() {
    simulate(13, async {
        let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
        let options = LimiterOptions {
            worker: Some("twin".to_owned()),
            ..tickets(2)
        };
        let (first, _) = world.worker(&options);
        let (second, _) = world.worker(&options);
        let ask = Ask::new([LimitName::new("calls")], Class::Live);
        let stop = CancellationToken::new();
        for limiter in [&first, &second] {
            drop(limiter.acquire(&ask, &stop).await.expect("not stopped"));
        }
        let view = first.inspect().await.expect("the store answers");
        let names: Vec<Option<&str>> = view.workers.iter().map(|w| w.name.as_deref()).collect();
        assert_eq!(names, [Some("twin"), None]);
        assert_ne!(view.workers[0].id, view.workers[1].id);
    });
}

#[test]
fn a_worker_that_leaves_hands_its_ticket_back_and_one_that_dies_does_not() {
    simulate(17, async {
        let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
        let (watcher, _) = world.worker(&tickets(4));
        let stop = CancellationToken::new();
        let (leaver, _) = world.worker(&tickets(4));
        let (dead, cut) = world.worker(&tickets(4));
        let mut tasks = tokio::task::JoinSet::new();
        for (limiter, stop) in [
            (watcher.clone(), CancellationToken::new()),
            (leaver, stop.clone()),
            (dead, CancellationToken::new()),
        ] {
            tasks.spawn(async move { limiter.keep(&stop).await });
        }
        sleep(Duration::from_secs(120)).await;
        let view = watcher.inspect().await.expect("the store answers");
        assert_eq!(view.workers.iter().filter(|w| w.has_ticket).count(), 3);
        stop.cancel();
        cut.questions.store(true, Ordering::Relaxed);
        sleep(Duration::from_secs(60)).await;
        let view = watcher.inspect().await.expect("the store answers");
        assert_eq!(view.workers.len(), 2, "one is gone");
        assert_eq!(view.workers.iter().filter(|w| w.is_alone).count(), 1);
        // 80 % of 100 by four.
        assert_eq!(
            (view.limits[0].reserved, view.limits[0].effective),
            (20, 80)
        );
        sleep(Duration::from_secs(700)).await;
        let view = watcher.inspect().await.expect("the store answers");
        assert_eq!(view.limits[0].reserved, 0, "its ticket has ended");
    });
}

#[test]
fn without_tickets_a_lost_store_stops_everybody() {
    simulate(19, async {
        let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
        let options = LimiterOptions {
            fresh: Some(Fresh::Empty),
            ..LimiterOptions::default()
        };
        let crew = Crew::start(&world, 2, &options, false);
        sleep(Duration::from_secs(60)).await;
        world.stop_server();
        sleep(Duration::from_secs(120)).await;
        assert_eq!(world.in_window(), 0);
        assert!(!crew.limiters.iter().any(Limiter::is_alone));
        world.start_empty_server();
        sleep(Duration::from_secs(30)).await;
        assert!(world.in_window() > 0);
        let view = crew.limiters[0].inspect().await.expect("the store answers");
        assert_ne!(
            view.limits[0].closed.map(|(why, _)| why),
            Some(Closed::Quarantine)
        );
    });
}

#[test]
fn replay_that_live_work_starves_gets_its_floor() {
    simulate(23, async {
        let world = World::new(vec![ten_seconds(100)], Receiver::new(100, WINDOW, false));
        let crew = Crew::start(&world, 4, &tickets(4), false);
        let (replayer, _) = world.worker(&tickets(4));
        let ask = Ask::new([LimitName::new("calls")], Class::Replay);
        let stop = CancellationToken::new();
        sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..4 {
            drop(replayer.acquire(&ask, &stop).await.expect("not stopped"));
        }
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(200), "{waited:?}");
        drop(crew);
    });
}
