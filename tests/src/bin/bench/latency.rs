//! How long an event takes from the topic into HubSpot, which answers after 80 ms.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Figure, Services, Sim, Worker, eventually, unique};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

/// An answer comes after this; the change takes effect half way.
const ANSWER_MS: u64 = 80;
const WARM_UP: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    // An event that comes alone takes a call of its own, so five in a second are half of 100 calls in ten.
    for (label, per_second, count) in [("1 event/s", 1.0, 60), ("half of the limit", 5.0, 400)] {
        let mut took = at(per_second, count).await?;
        took.sort_unstable();
        let quantile = |percent: usize| took[(took.len() - 1) * percent / 100] as f64;
        figures.extend([
            Figure::of(
                format!("append to answer, {label}, median"),
                quantile(50),
                "ms",
            )
            .wanted("at most 250"),
            Figure::of(
                format!("append to answer, {label}, 99th percentile"),
                quantile(99),
                "ms",
            )
            .wanted("at most 800"),
        ]);
    }
    Ok(figures)
}

/// Milliseconds from the append to the answer, for each event.
async fn at(per_second: f64, count: u32) -> Result<Vec<u64>> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let topic = kafka.topic("latency", 4).await?;
    kafka.create(&format!("{topic}.hubferry.dlq"), 4).await?;
    let sim = Sim::start(&hubferry, folder).await?;
    let start = start_of(&sim).await?;
    sim.switch(&json!({"latency_ms": [ANSWER_MS, ANSWER_MS]}))
        .await?;
    let config = Config::to(sim.base_url())
        .kafka(kafka.brokers(), &unique("latency"), &topic)
        .redis(&services.redis("latency"))
        .with_people_and_companies(&[])
        .write(folder, "config")?;
    let worker = Worker::start(&hubferry, &config, folder, "worker")?;

    let appended = append(kafka.brokers(), &topic, per_second, count).await?;
    let all = appended.len();
    eventually("every event is in the portal", PATIENCE, || {
        let portal = sim.portal();
        async move {
            let seen = portal
                .await
                .map_err(|error| error.to_string())?
                .contacts
                .len();
            if seen >= all {
                Ok(())
            } else {
                Err(format!("{seen} contacts"))
            }
        }
    })
    .await?;
    worker.stop(Duration::from_secs(70)).await?;
    let mut took = Vec::new();
    for record in sim.history("contacts").await? {
        let write = record.writes.first().context("a write")?;
        let email = write.properties.get("email").context("an e-mail")?;
        let number: u32 = email[1..].split('@').next().context("a number")?.parse()?;
        if number < WARM_UP {
            continue;
        }
        let answered = start + write.at_ms + ANSWER_MS / 2;
        took.push(answered.saturating_sub(appended[&number]));
    }
    ensure!(!took.is_empty(), "nothing was measured");
    Ok(took)
}

/// Appends events of people of their own, at random times; gives when each was handed to the producer.
async fn append(
    brokers: &str,
    topic: &str,
    per_second: f64,
    count: u32,
) -> Result<BTreeMap<u32, u64>> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "0")
        .create()?;
    let mut chance = StdRng::seed_from_u64(7);
    let mut appended = BTreeMap::new();
    let mut due = Instant::now() + Duration::from_secs(5);
    for number in 0..count + WARM_UP {
        sleep_until(due).await;
        // Times between arrivals that do not know of each other.
        let gap = -(1.0 - chance.random::<f64>()).ln() / per_second;
        due += Duration::from_secs_f64(gap);
        let key = format!("u{number}");
        let traits = json!({"email": format!("p{number}@example.com"), "firstName": "F"});
        let event = json!({"type": "identify", "messageId": format!("m{number}"), "userId": key, "traits": traits});
        let value = event.to_string();
        appended.insert(number, now_ms()?);
        let sent = producer.send(
            FutureRecord::to(topic).key(&key).payload(&value),
            Duration::from_secs(5),
        );
        sent.await.map_err(|(error, _)| error)?;
    }
    Ok(appended)
}

/// When the simulator's clock stood at zero, in milliseconds since 1970.
async fn start_of(sim: &Sim) -> Result<u64> {
    #[derive(serde::Deserialize)]
    struct Arrival {
        at_ms: u64,
    }
    sleep(Duration::from_millis(50)).await;
    let before = now_ms()?;
    let nobody = json!({"inputs": [{"id": "1"}], "properties": ["email"]});
    sim.call("/crm/objects/2026-03/contacts/batch/read", &nobody)
        .await?;
    let after = now_ms()?;
    let calls: Vec<Arrival> = sim.look("calls").await?;
    let last = calls.last().context("a call in the log")?;
    Ok(u64::midpoint(before, after) - last.at_ms)
}

fn now_ms() -> Result<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "two processes agree on nothing but the wall clock"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(now.as_millis())?)
}
