//! The limits of a fleet, on a real Redis whose address stands in HUBFERRY_TEST_REDIS.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod suite;

use std::time::{Duration, SystemTime};

use deadpool_redis::{Config, Pool, Runtime};
use hubferry_limiter::{
    Class, Closed, Fresh, LimitSettings, Limiter, LimiterError, LimiterOptions, Scope, StoreError,
};
use redis::AsyncCommands;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[expect(
    clippy::disallowed_methods,
    reason = "the test's service is named by the environment"
)]
fn pool() -> Pool {
    let url = std::env::var("HUBFERRY_TEST_REDIS")
        .expect("HUBFERRY_TEST_REDIS names a Redis server, as in redis://127.0.0.1:6379");
    Config::from_url(url)
        .create_pool(Some(Runtime::Tokio1))
        .unwrap()
}

/// A prefix that no other run uses.
#[expect(
    clippy::disallowed_methods,
    reason = "the time makes the name of a run unique"
)]
fn prefix() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    format!("hubferry-test-{}-{}", std::process::id(), since.as_nanos())
}

fn empty() -> LimiterOptions {
    LimiterOptions {
        fresh: Some(Fresh::Empty),
        ..LimiterOptions::default()
    }
}

fn limiter(prefix: &str, limits: Vec<LimitSettings>, options: LimiterOptions) -> Limiter {
    Limiter::redis_with(pool(), prefix, Scope::new("1:app"), limits, options).unwrap()
}

#[tokio::test]
async fn the_redis_store_passes_the_suite() {
    let run = prefix();
    suite::run(|name, limits| limiter(&format!("{run}-{name}"), limits, empty())).await;
}

#[tokio::test]
async fn workers_share_one_budget() {
    let run = prefix();
    let workers: Vec<Limiter> = (0..2)
        .map(|_| limiter(&run, vec![suite::limit("wide", 12)], empty()))
        .collect();
    let stop = CancellationToken::new();
    for worker in &workers {
        drop(
            worker
                .acquire(&suite::ask(&["wide"], Class::Live), &stop)
                .await
                .unwrap(),
        );
    }
    for worker in &workers {
        assert!(suite::state(worker, "wide").await.granted >= 2);
    }
}

#[tokio::test]
async fn a_lost_state_is_taken_for_spent() {
    let run = prefix();
    let limits = || vec![suite::limit("wide", 12)];
    let worker = limiter(&run, limits(), LimiterOptions::default());
    let stop = CancellationToken::new();
    let ask = suite::ask(&["wide"], Class::Live);
    let first = suite::state(&worker, "wide").await;
    assert!(
        matches!(first.closed, Some((Closed::Quarantine, _))),
        "{first:?}"
    );
    let held = worker.acquire(&ask, &stop).await.unwrap();

    let key = format!("{run}:v1:{{1:app}}:limit:wide");
    let mut connection = pool().get().await.unwrap();
    assert_eq!(
        connection.del::<_, u32>(&key).await.unwrap(),
        1,
        "the state stands under {key}"
    );
    let before = Instant::now();
    let lost = suite::state(&worker, "wide").await;
    assert!(
        matches!(lost.closed, Some((Closed::Quarantine, _))),
        "{lost:?}"
    );
    worker.give_back(held).await;
    assert_eq!(
        suite::state(&worker, "wide").await.returned,
        0,
        "the permit was another life's"
    );
    drop(worker.acquire(&ask, &stop).await.unwrap());
    assert!(before.elapsed() > suite::WINDOW / 2);
}

#[tokio::test]
async fn limits_without_a_state_begin_together() {
    let run = prefix();
    let limits = vec![suite::limit("wide", 12), suite::limit("narrow", 1)];
    let worker = limiter(&run, limits, LimiterOptions::default());
    let stop = CancellationToken::new();
    let wide = suite::ask(&["wide"], Class::Live);
    drop(worker.acquire(&wide, &stop).await.unwrap());
    // Both were closed for one window and the spread, and nobody asked for the second until now.
    let narrow = suite::state(&worker, "narrow").await;
    let left = narrow.closed.map_or(Duration::ZERO, |(_, left)| left);
    assert!(left < suite::WINDOW / 2, "{narrow:?}");
}

#[tokio::test]
async fn a_state_of_other_slots_is_taken_for_spent_too() {
    let run = prefix();
    let stop = CancellationToken::new();
    let ask = suite::ask(&["wide"], Class::Live);
    let old = limiter(&run, vec![suite::limit("wide", 12)], empty());
    drop(old.acquire(&ask, &stop).await.unwrap());
    let other = LimitSettings {
        slot: Duration::from_millis(50),
        ..suite::limit("wide", 12)
    };
    let new = limiter(&run, vec![other], empty());
    let state = suite::state(&new, "wide").await;
    assert!(
        matches!(state.closed, Some((Closed::Quarantine, _))),
        "{state:?}"
    );
}

#[tokio::test]
async fn an_idle_state_is_kept_for_two_days() {
    let run = prefix();
    let worker = limiter(&run, vec![suite::limit("wide", 12)], empty());
    let stop = CancellationToken::new();
    drop(
        worker
            .acquire(&suite::ask(&["wide"], Class::Live), &stop)
            .await
            .unwrap(),
    );
    let key = format!("{run}:v1:{{1:app}}:limit:wide");
    let mut connection = pool().get().await.unwrap();
    let left: i64 = connection.ttl(key).await.unwrap();
    assert!((172_700..=172_800).contains(&left), "{left} s");
}

#[tokio::test]
async fn a_server_that_forgot_the_function_is_told_again() {
    let worker = limiter(&prefix(), vec![suite::limit("wide", 12)], empty());
    let stop = CancellationToken::new();
    let ask = suite::ask(&["wide"], Class::Live);
    drop(worker.acquire(&ask, &stop).await.unwrap());
    let mut connection = pool().get().await.unwrap();
    for what in ["SCRIPT", "FUNCTION"] {
        redis::cmd(what)
            .arg("FLUSH")
            .exec_async(&mut connection)
            .await
            .unwrap();
    }
    drop(worker.acquire(&ask, &stop).await.unwrap());
}

#[tokio::test]
async fn without_a_store_nothing_is_granted() {
    // Nobody listens on the discard port.
    let nowhere = Config::from_url("redis://127.0.0.1:9")
        .create_pool(Some(Runtime::Tokio1))
        .unwrap();
    let impatient = LimiterOptions {
        patience: Some(Duration::from_millis(300)),
        ..LimiterOptions::default()
    };
    let limits = vec![suite::limit("wide", 12)];
    let ask = suite::ask(&["wide"], Class::Live);
    let limiter = Limiter::redis_with(
        nowhere.clone(),
        "x",
        Scope::new("1:app"),
        limits.clone(),
        impatient,
    )
    .unwrap();
    let error = limiter
        .acquire(&ask, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, LimiterError::Store(_)), "{error:?}");

    let patient = Limiter::redis(nowhere, "x", Scope::new("1:app"), limits).unwrap();
    let stop = CancellationToken::new();
    let (ended, ()) = tokio::join!(patient.acquire(&ask, &stop), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    });
    assert!(matches!(ended, Err(LimiterError::Stopped)), "{ended:?}");
}

#[tokio::test]
async fn a_state_of_a_newer_version_is_left_alone() {
    let run = prefix();
    let worker = limiter(&run, vec![suite::limit("wide", 12)], empty());
    let stop = CancellationToken::new();
    let ask = suite::ask(&["wide"], Class::Live);
    drop(worker.acquire(&ask, &stop).await.unwrap());
    let mut connection = pool().get().await.unwrap();
    // A msgpack map of one entry: layout 3.
    let newer = b"\x81\xa6layout\x03".as_slice();
    for key in ["ticket:fleet", "limit:wide"] {
        let key = format!("{run}:v1:{{1:app}}:{key}");
        let before: Vec<u8> = connection.get(&key).await.unwrap();
        let () = connection.set(&key, newer).await.unwrap();
        let error = worker.snapshot().await.unwrap_err();
        assert!(
            matches!(error, LimiterError::Store(StoreError::Newer)),
            "{key}: {error:?}"
        );
        let after: Vec<u8> = connection.get(&key).await.unwrap();
        assert_eq!(after, newer, "{key}");
        let () = connection.set(&key, before).await.unwrap();
    }
    drop(worker.acquire(&ask, &stop).await.unwrap());
}

#[tokio::test]
async fn a_state_that_is_none_is_taken_for_spent() {
    let run = prefix();
    let mut connection = pool().get().await.unwrap();
    let key = format!("{run}:v1:{{1:app}}:ticket:fleet");
    let () = connection.set(&key, "what?").await.unwrap();
    let worker = limiter(&run, vec![suite::limit("wide", 12)], empty());
    let state = suite::state(&worker, "wide").await;
    assert!(
        matches!(state.closed, Some((Closed::Quarantine, _))),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_saturated_limit_keeps_less_than_two_kilobytes() {
    let run = prefix();
    let hundred = LimitSettings {
        window: Duration::from_millis(2_500),
        slot: Duration::from_millis(20),
        spread: Duration::from_millis(120),
        ..suite::limit("wide", 500)
    };
    let worker = limiter(&run, vec![hundred], empty());
    let mut tasks = tokio::task::JoinSet::new();
    let until = Instant::now() + Duration::from_secs(4);
    for class in [Class::Live, Class::Retry, Class::Lookup] {
        let worker = worker.clone();
        tasks.spawn(async move {
            let ask = suite::ask(&["wide"], class);
            while Instant::now() < until {
                drop(
                    worker
                        .acquire(&ask, &CancellationToken::new())
                        .await
                        .unwrap(),
                );
            }
        });
    }
    tasks.join_all().await;
    let mut connection = pool().get().await.unwrap();
    let key = format!("{run}:v1:{{1:app}}:limit:wide");
    let bytes: usize = connection.strlen(key).await.unwrap();
    assert!((500..=2_048).contains(&bytes), "{bytes} bytes");
}

#[tokio::test]
async fn every_key_of_a_scope_stands_in_one_place_of_a_cluster() {
    let run = prefix();
    let options = suite::day_of_four();
    let worker = limiter(&run, vec![suite::limit("wide", 12)], options);
    let stop = CancellationToken::new();
    drop(
        worker
            .acquire(&suite::ask(&["wide"], Class::Live), &stop)
            .await
            .unwrap(),
    );
    let mut connection = pool().get().await.unwrap();
    let mut keys: Vec<String> = connection.keys(format!("{run}:*")).await.unwrap();
    keys.sort();
    let expected = ["limit:daily", "limit:wide", "ticket:fleet"]
        .map(|key| format!("{run}:v1:{{1:app}}:{key}"));
    assert_eq!(keys, expected);
    for key in keys {
        let left: i64 = connection.ttl(&key).await.unwrap();
        assert!((172_700..=172_800).contains(&left), "{key}: {left} s");
    }
}

#[tokio::test]
async fn a_day_is_spent() {
    let limits = vec![suite::limit("wide", 12), suite::limit("narrow", 1)];
    suite::a_day_is_spent(limiter(&prefix(), limits, suite::day_of_four())).await;
}

#[tokio::test]
async fn the_store_says_whether_it_may_forget() {
    let worker = limiter(&prefix(), vec![suite::limit("wide", 12)], empty());
    let report = worker.check_store().await.unwrap();
    assert!(!report.policy.is_empty(), "{report:?}");
    assert!(!report.may_evict(), "{report:?}");
    assert!(report.snapshots.is_some(), "{report:?}");
}
