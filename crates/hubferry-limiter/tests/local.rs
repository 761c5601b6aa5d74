//! The limits of one process, on a clock that the tests move.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod suite;

use std::num::NonZeroU32;
use std::time::Duration;

use hubferry_limiter::{
    Class, Closed, Fresh, LimitName, LimitSettings, Limiter, LimiterOptions, Scope, SettingsError,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

fn local(limits: Vec<LimitSettings>) -> Limiter {
    Limiter::local(Scope::new("portal:app"), limits).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_local_store_passes_the_suite() {
    suite::run(|_, limits| local(limits)).await;
}

#[tokio::test(start_paused = true)]
async fn a_day_is_spent() {
    let limits = vec![suite::limit("wide", 12), suite::limit("narrow", 1)];
    let scope = Scope::new("portal:app");
    let limiter = Limiter::local_with(scope, limits, suite::day_of_four()).unwrap();
    suite::a_day_is_spent(limiter).await;
}

#[test]
fn a_day_covers_limits_that_are_there_and_has_a_name_of_its_own() {
    for (name, covers) in [("wide", "wide"), ("daily", "other")] {
        let mut options = suite::day_of_four();
        if let Some(day) = &mut options.day {
            day.name = LimitName::new(name);
            day.covers = vec![LimitName::new(covers)];
        }
        let limits = vec![suite::limit("wide", 12)];
        let error = Limiter::local_with(Scope::new("portal:app"), limits, options).unwrap_err();
        let limit = LimitName::new(name);
        assert_eq!(error, SettingsError::Day { limit });
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_per_ten_seconds_is_a_burst_of_25_and_then_one_in_104_ms() {
    let hundred = LimitSettings::ten_seconds(LimitName::new("wide"), NonZeroU32::new(100).unwrap());
    let limiter = local(vec![hundred]);
    let stop = CancellationToken::new();
    let start = Instant::now();
    let mut opened = Vec::new();
    for _ in 0..225 {
        drop(
            limiter
                .acquire(&suite::ask(&["wide"], Class::Live), &stop)
                .await
                .unwrap(),
        );
        opened.push(start.elapsed());
    }
    assert_eq!(opened[24], Duration::ZERO);
    // The timer has a resolution of a millisecond; the pace keeps no debt of it.
    let last = opened[224];
    let due = Duration::from_millis(104) * 200;
    assert!(
        last >= due - Duration::from_millis(26) && last <= due + Duration::from_millis(127),
        "{last:?}"
    );
    let state = suite::state(&limiter, "wide").await;
    assert_eq!((state.granted, state.returned, state.wasted), (225, 0, 0));
    assert!(state.used >= 96, "{} of 100 in the last window", state.used);
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_good_for_its_slot_only() {
    let limiter = local(vec![suite::limit("wide", 12)]);
    let stop = CancellationToken::new();
    let permit = limiter
        .acquire(&suite::ask(&["wide"], Class::Live), &stop)
        .await
        .unwrap();
    let now = Instant::now();
    assert_eq!(permit.closes_at() - now, Duration::from_millis(40));
    assert!(permit.is_open(now));
    assert!(!permit.is_open(permit.closes_at()));
    tokio::time::advance(Duration::from_millis(41)).await;
    limiter.give_back(permit).await;
    let state = suite::state(&limiter, "wide").await;
    assert_eq!((state.used, state.returned, state.wasted), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_may_have_sent_before_starts_in_quarantine() {
    let options = LimiterOptions {
        fresh: Some(Fresh::Quarantine),
        ..LimiterOptions::default()
    };
    let limits = vec![suite::limit("wide", 12)];
    let limiter = Limiter::local_with(Scope::new("portal:app"), limits, options).unwrap();
    let quarantine = Duration::from_millis(720);
    let state = suite::state(&limiter, "wide").await;
    assert_eq!(state.closed, Some((Closed::Quarantine, quarantine)));
    let start = Instant::now();
    let stop = CancellationToken::new();
    drop(
        limiter
            .acquire(&suite::ask(&["wide"], Class::Live), &stop)
            .await
            .unwrap(),
    );
    assert_eq!(start.elapsed(), quarantine);
}

#[test]
fn settings_that_cannot_be_kept_are_refused() {
    let name = LimitName::new("wide");
    let sound = suite::limit("wide", 12);
    let cases = [
        (
            vec![sound.clone(), sound.clone()],
            SettingsError::Twice {
                limit: name.clone(),
            },
        ),
        (
            vec![LimitSettings {
                slot: Duration::ZERO,
                ..sound.clone()
            }],
            SettingsError::Zero {
                limit: name.clone(),
                field: "slot",
            },
        ),
        (
            vec![LimitSettings {
                slot: Duration::from_secs(1),
                ..sound.clone()
            }],
            SettingsError::SlotOverWindow {
                limit: name.clone(),
            },
        ),
        (
            vec![LimitSettings {
                burst: NonZeroU32::new(13).unwrap(),
                ..sound
            }],
            SettingsError::BurstOverMax { limit: name },
        ),
    ];
    for (limits, expected) in cases {
        let error = Limiter::local(Scope::new("portal:app"), limits).unwrap_err();
        assert_eq!(error, expected);
    }
}
