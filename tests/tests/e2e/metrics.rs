//! What a worker under a faulty load tells: every metric that has a source, and what `/debug` shows.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Worker, eventually};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream};

/// More than this would be too many for one worker (fleet.md vi.1), with a hundred partitions and twenty mappings.
const MOST_SERIES: usize = 2_000;

/// Without a source as yet: nothing of a list for dashboards may be left out silently.
const WITHOUT_A_SOURCE: [&str; 8] = [
    "hubferry_lane_wait_seconds",
    "hubferry_retry_budget_ratio",
    "hubferry_breaker_state",
    "hubferry_dead_letters_open",
    "hubferry_dead_letter_oldest_seconds",
    "hubferry_replay_events_total",
    "hubferry_replay_progress_ratio",
    "hubferry_waiting_link_oldest_seconds",
];

/// The list of names that dashboards, alerts and the chart go by.
const LIST: &str = include_str!("../../../deploy/metrics.txt");

/// Names that are not there before something rare has happened.
const RARE: [&str; 2] = [
    "hubferry_rebalance_drain_seconds",
    "hubferry_dropped_properties_total",
];

#[tokio::test]
async fn a_faulty_load_moves_every_metric_that_has_a_source() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "metrics", 2).await?;
    let person = |n: u32, id: &str| {
        let email = format!("p{n}@example.com");
        json!({"type": "identify", "userId": format!("u{n}"), "messageId": id, "traits": {"email": email}})
    };
    let group = |n: u32| json!({"type": "group", "userId": format!("u{n}"), "groupId": format!("g{n}"), "traits": {"name": "G"}});
    let events: Vec<Value> = (0..20)
        .map(|n| person(n, &format!("m{n}")))
        .chain((0..5).map(group))
        .chain([
            // Dead at once.
            json!({"type": "identify", "userId": "u90", "traits": {"email": "not an address"}}),
            // No mapping fires.
            json!({"type": "track", "userId": "u91", "event": "Nothing"}),
        ])
        .collect();
    let faults = json!([
        {"match": {"path_contains": "contacts/batch/upsert", "nth": 1}, "then": {"raw": {"status": 503, "body": "{}"}}, "times": 1},
    ]);
    scene.sim.faults(&faults).await?;
    let config = scene.config().with_people_and_companies(&[]);
    let config = stream.config(config, scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    let admin = worker.admin().await?;
    stream.produce(&events).await?;

    let ended = |text: &str, ending: &str| -> f64 {
        let of = |line: &&str| {
            line.starts_with("hubferry_deliveries_ended_total{")
                && line.contains(&format!("ending=\"{ending}\""))
        };
        text.lines().filter(of).filter_map(value).sum()
    };
    stream.until_committed(i64::try_from(events.len())?).await?;
    // Said again, with the same id.
    stream.produce(&[person(1, "m1")]).await?;
    eventually("everything has ended", PATIENCE, || async {
        let (_, text) = admin.get("/metrics").await?;
        let all = ["delivered", "merged", "skipped", "dead"].map(|ending| ended(&text, ending));
        if all.iter().sum::<f64>() >= 28.0 && text.contains("hubferry_consumer_lag_messages") {
            Ok(())
        } else {
            Err(format!("{all:?}\n{text}"))
        }
    })
    .await?;
    let (_, text) = admin.get("/metrics").await.map_err(anyhow::Error::msg)?;
    let shown: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let missing: Vec<&str> = LIST
        .lines()
        .filter(|line| line.starts_with("hubferry_"))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !WITHOUT_A_SOURCE.contains(name) && !RARE.contains(name))
        .filter(|name| !shown.contains(name))
        .collect();
    ensure!(missing.is_empty(), "missing: {missing:?}\n{text}");
    for begins in [
        "hubferry_events_consumed_total{",
        "hubferry_deliveries_ended_total{",
        "hubferry_event_latency_seconds_count{",
        "hubferry_rebalances_total{kind=\"assigned\"}",
        "hubferry_http_request_seconds_count{",
        "hubferry_batch_steps_sum{",
        "hubferry_batch_fill_ratio_sum{",
        "hubferry_limiter_permits_total{limit=\"ten_seconds\"",
        "hubferry_limiter_capacity{limit=\"ten_seconds\"",
        "hubferry_limiter_effective_limit{limit=\"ten_seconds\"",
        "hubferry_limiter_store_seconds_count",
        "hubferry_retries_total{",
        "hubferry_error_answer_ratio{",
        "hubferry_dead_letters_total{",
        "hubferry_duplicates_skipped_total{",
        "hubferry_scaling_desired_workers",
        "hubferry_auth_ok{",
    ] {
        let moved = text.lines().filter(|line| line.starts_with(begins));
        ensure!(
            moved.filter_map(value).any(|value| value > 0.0),
            "{begins} did not move\n{text}"
        );
    }
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    ensure!(series < MOST_SERIES / 2, "{series} series");
    ensure!(!text.contains("example.com"), "{text}");

    let (status, lanes) = admin
        .get("/debug/lanes")
        .await
        .map_err(anyhow::Error::msg)?;
    let lanes: Value = serde_json::from_str(&lanes).with_context(|| format!("status {status}"))?;
    ensure!(
        lanes["ready"] == true && lanes["open_messages"] == 0,
        "{lanes}"
    );
    let (_, limiter) = admin
        .get("/debug/limiter")
        .await
        .map_err(anyhow::Error::msg)?;
    let limiter: Value = serde_json::from_str(&limiter)?;
    ensure!(
        limiter[0]["limits"][0]["limit"] == "ten_seconds",
        "{limiter}"
    );
    let plan = admin.get("/debug/plan?message_id=m1").await;
    let (_, plan) = plan.map_err(anyhow::Error::msg)?;
    ensure!(plan.trim() == r#"{"open":[]}"#, "{plan}");
    let path = config.to_str().context("a path that is text")?;
    let asked = |command: &'static str| {
        let hubferry = scene.hubferry();
        async move {
            hubferry
                .run(&[command, "--config", path, "-o", "json"])
                .await
        }
    };
    let doctor = asked("doctor").await?;
    let found = doctor.json()?;
    ensure!(doctor.code == Some(0), "{doctor:?}");
    let verdict = |name: &str| {
        let checks = found["checks"].as_array().into_iter().flatten();
        let mut named = checks.filter(|check| check["check"] == name);
        named.next().map(|check| check["verdict"].clone())
    };
    for name in ["clock", "redis.version", "redis.eviction"] {
        ensure!(verdict(name) == Some(json!("pass")), "{name}: {found:#}");
    }
    let read = format!("kafka.read.{}", stream.topic);
    ensure!(verdict(&read) == Some(json!("pass")), "{found:#}");
    let journal = format!("kafka.journal.{}.hubferry.replay", stream.topic);
    ensure!(verdict(&journal) == Some(json!("warn")), "{found:#}");
    let limits = asked("limits").await?.json()?;
    let store = &limits[0]["store"];
    ensure!(store["limits"][0]["effective"] == 100, "{limits:#}");
    ensure!(store["day"]["used"].as_u64() > Some(0), "{limits:#}");
    ensure!(
        store["workers"]
            .as_array()
            .is_some_and(|all| !all.is_empty()),
        "{limits:#}"
    );
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

/// The value at the end of a line.
fn value(line: &str) -> Option<f64> {
    line.rsplit(' ').next()?.parse().ok()
}
