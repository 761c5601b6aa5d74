//! The memory of a fleet, on a real Redis whose address stands in HUBFERRY_TEST_REDIS.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

mod marks;
mod suite;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deadpool_redis::{Config, Connection, Pool, Runtime};
use hubferry_memory::{EnsureState, Finding, Inquiry, Memory, MemoryError, SeenKey};
use redis::AsyncCommands;
use suite::{
    DAY, NOBODY, NOW, Workers, ask, claim, contact, email, find, group_id, keep, link, user,
    wait_for,
};

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

fn worker(prefix: &str) -> Memory {
    Memory::redis(pool(), prefix, "42")
}

async fn connection() -> Connection {
    pool().get().await.unwrap()
}

/// The keys of a run, each without its prefix and portal.
async fn keys(prefix: &str) -> Vec<String> {
    let base = format!("{prefix}:v1:42:");
    let mut keys: Vec<String> = connection().await.keys(format!("{prefix}*")).await.unwrap();
    keys.sort_unstable();
    keys.iter()
        .map(|key| key.strip_prefix(&base).unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_redis_store_passes_the_suite() {
    let run = prefix();
    suite::run(|name| {
        let prefix = format!("{run}-{name}");
        Workers {
            one: Arc::new(worker(&prefix)),
            other: Arc::new(worker(&prefix)),
        }
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_starts_anew_knows_what_the_last_one_kept() {
    let run = prefix();
    let person = [user("u")];
    let waiting = link("c1", &person, DAY);
    {
        let last = worker(&run);
        last.ask(&[wait_for(&person, &waiting), keep(&[user("v")], "7")], NOW)
            .await
            .unwrap();
    }
    let new = worker(&run);
    assert_eq!(ask(&new, find(&[user("v")]), NOW).await, contact("7"));
    assert_eq!(
        ask(&new, keep(&person, "8"), NOW).await,
        Finding::Links(vec![waiting])
    );
}

#[tokio::test]
async fn only_one_worker_ensures_and_a_dead_one_is_replaced() {
    let run = prefix();
    let (one, other) = (worker(&run), worker(&run));
    assert_eq!(claim(&one, &group_id()).await, EnsureState::Claimed);
    assert_eq!(claim(&other, &group_id()).await, EnsureState::Busy);
    let key = format!("{run}:v1:42:ensure:property:companies:segment_group_id");
    let left: i64 = connection().await.pttl(&key).await.unwrap();
    assert!((1..=30_000).contains(&left), "{left} ms");
    // What the end of the lease does.
    let _: u32 = connection().await.del(&key).await.unwrap();
    assert_eq!(claim(&other, &group_id()).await, EnsureState::Claimed);
    ask(&other, Inquiry::EnsureDone { what: group_id() }, NOW).await;
    let left: i64 = connection().await.pttl(&key).await.unwrap();
    assert!((DAY - 60_000..=DAY).contains(&left), "{left} ms");
}

#[tokio::test]
async fn keys_and_values_name_nobody_and_expire() {
    let run = prefix();
    let memory = worker(&run);
    let person = [user("jane-doe-id"), email("jane@example.com")];
    let waiting = link("c1", &person, DAY);
    memory
        .ask(&[wait_for(&person, &waiting), keep(&person, "7")], NOW)
        .await
        .unwrap();
    let keys = keys(&run).await;
    let families: Vec<&str> = keys
        .iter()
        .map(|key| key.rsplit_once(':').unwrap().0)
        .collect();
    assert_eq!(
        families,
        ["identity", "identity", "link", "link", "link:of", "link:of"]
    );
    assert!(!keys.concat().contains("jane"), "{keys:?}");
    let bodies: Vec<String> = connection()
        .await
        .hvals(format!("{run}:v1:42:link:body"))
        .await
        .unwrap();
    assert!(!bodies.concat().contains("jane"), "{bodies:?}");
    for key in keys
        .iter()
        .filter(|key| key.starts_with("identity") || key.contains(":of:"))
    {
        let left: i64 = connection()
            .await
            .pttl(format!("{run}:v1:42:{key}"))
            .await
            .unwrap();
        assert!(
            (90 * DAY - 60_000..=91 * DAY).contains(&left),
            "{key}: {left} ms"
        );
    }
}

#[tokio::test]
async fn finding_a_contact_renews_it() {
    let run = prefix();
    let memory = worker(&run);
    let person = [user("u")];
    ask(&memory, keep(&person, "7"), NOW).await;
    let key = format!("{run}:v1:42:{}", keys(&run).await[0]);
    let _: bool = connection().await.pexpire(&key, 100_000).await.unwrap();
    ask(&memory, find(&person), NOW).await;
    let left: i64 = connection().await.pttl(&key).await.unwrap();
    assert!(left > 89 * DAY, "{left} ms");
}

#[tokio::test]
async fn values_of_another_version_count_as_absent_and_stay() {
    let run = prefix();
    let memory = worker(&run);
    let person = [user("u")];
    let waiting = link("c1", &person, DAY);
    memory
        .ask(&[wait_for(&person, &waiting), keep(&person, "7")], NOW)
        .await
        .unwrap();
    let identity = format!("{run}:v1:42:{}", keys(&run).await[0]);
    let _: () = connection().await.set(&identity, "2:7:more").await.unwrap();
    let body = format!("{run}:v1:42:link:body");
    let newer = r#"{"v":2,"shape":"unknown"}"#;
    let _: u32 = connection()
        .await
        .hset(&body, waiting.id.as_str(), newer)
        .await
        .unwrap();
    assert_eq!(ask(&memory, find(&person), NOW).await, NOBODY);
    assert_eq!(
        ask(&memory, keep(&person, "7"), NOW).await,
        Finding::Links(vec![])
    );
    assert_eq!(memory.expired_links(NOW + DAY, 9).await.unwrap(), []);
    assert_eq!(memory.waiting_links().await.unwrap(), 1);
}

/// A released form of a stored link; it must be read for as long as a link may wait.
#[tokio::test]
async fn a_link_of_the_first_release_is_read() {
    let run = prefix();
    let memory = worker(&run);
    let person = [user("u")];
    let waiting = link("c1", &person, DAY);
    ask(&memory, wait_for(&person, &waiting), NOW).await;
    let sample = format!(
        concat!(
            r#"{{"v":1,"id":"{}","mapping":"acme/companies","from_object":"companies","from":"c1","#,
            r#""category":"HUBSPOT_DEFINED","type_id":280,"since_ms":1764000000000,"expires_ms":1764086400000,"#,
            r#""origin":{{"topic":"events","partition":3,"offset":99,"element":1,"message_id":"message-1"}}}}"#
        ),
        waiting.id
    );
    let body = format!("{run}:v1:42:link:body");
    let written: String = connection()
        .await
        .hget(&body, waiting.id.as_str())
        .await
        .unwrap();
    assert_eq!(written, sample);
    assert_eq!(
        ask(&memory, keep(&person, "7"), NOW).await,
        Finding::Links(vec![waiting])
    );
}

#[tokio::test]
async fn a_link_without_an_origin_is_kept_whole() {
    let memory = worker(&prefix());
    let person = [user("u")];
    let mut waiting = link("c1", &person, DAY);
    waiting.origin = None;
    ask(&memory, wait_for(&person, &waiting), NOW).await;
    assert_eq!(
        ask(&memory, keep(&person, "7"), NOW).await,
        Finding::Links(vec![waiting])
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error() {
    // Nobody listens on the discard port.
    let nowhere = Config::from_url("redis://127.0.0.1:9")
        .create_pool(Some(Runtime::Tokio1))
        .unwrap();
    let memory = Memory::redis(nowhere, "x", "42");
    let inquiries = [find(&[user("u")])];
    let asked = tokio::time::timeout(Duration::from_secs(10), memory.ask(&inquiries, NOW));
    let error = asked.await.expect("every call has a deadline").unwrap_err();
    assert!(
        matches!(error, MemoryError::Unreachable(_) | MemoryError::TooSlow(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_delivery_that_ended_is_remembered_by_the_fleet_for_the_window() {
    let run = prefix();
    let (one, other) = (worker(&run), worker(&run));
    let deliveries = [
        SeenKey::of("acme/contacts", "m1"),
        SeenKey::of("acme/contacts", "m2"),
    ];
    assert!(one.remembers_deliveries());
    assert_eq!(one.seen(&deliveries).await.unwrap(), [false, false]);
    let window = Duration::from_hours(24);
    one.keep_seen(&deliveries[1..], window).await.unwrap();
    assert_eq!(other.seen(&deliveries).await.unwrap(), [false, true]);
    let keys = keys(&run).await;
    let left: i64 = connection()
        .await
        .pttl(format!("{run}:v1:42:{}", keys[0]))
        .await
        .unwrap();
    assert!((DAY - 60_000..=DAY).contains(&left), "{left} ms");
}
