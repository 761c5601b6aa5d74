//! How much memory a worker holds with a backlog of a million events on the topic.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Figure, Services, Sim, Worker, unique};
use serde_json::json;
use tokio::time::sleep;

use crate::MIB;

const EVENTS: u32 = 1_000_000;
const PEOPLE: u32 = 300_000;
const PIECE: u32 = 50_000;
const PARTITIONS: i32 = 12;
const WATCHED: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let topic = kafka.topic("backlog", PARTITIONS).await?;
    kafka
        .create(&format!("{topic}.hubferry.dlq"), PARTITIONS)
        .await?;
    for start in (0..EVENTS).step_by(PIECE as usize) {
        kafka
            .produce(
                &topic,
                (start..start + PIECE).map(|number| message(number, number % PEOPLE)),
            )
            .await?;
    }

    let sim = Sim::start(&hubferry, folder.path()).await?;
    let group = unique("backlog");
    let config = Config::to(sim.base_url())
        .kafka(kafka.brokers(), &group, &topic)
        .redis(&services.redis("backlog"))
        .with_people_and_companies(&[])
        .write(folder.path(), "config")?;
    let mut worker = Worker::start(&hubferry, &config, folder.path(), "worker")?;
    sleep(WATCHED).await;
    worker.must_run()?;
    let peak = worker
        .process()
        .peak_memory_bytes()
        .context("this system does not tell a process's memory")?;
    let committed: i64 = kafka.committed(&group, &topic).await?.values().sum();
    worker.stop(Duration::from_secs(70)).await?;

    let throttled = sim.summary().await?.throttled;
    Ok(vec![
        Figure::count("events on the topic", u64::from(EVENTS)),
        Figure::count("events committed in a minute", u64::try_from(committed)?),
        Figure::of(
            "peak resident memory of the worker",
            peak as f64 / MIB,
            "MiB",
        )
        .wanted("at most 150"),
        Figure::count("429s", throttled).wanted("0"),
    ])
}

/// Key and value of an identify event of this person.
pub(crate) fn message(number: u32, person: u32) -> (Option<Vec<u8>>, Vec<u8>) {
    let key = format!("u{person}").into_bytes();
    (Some(key), event(number, person).into_bytes())
}

/// An identify event of this person.
pub(crate) fn event(number: u32, person: u32) -> String {
    let traits = json!({
        "email": format!("p{person}@example.com"),
        "firstName": format!("First{number}"),
        "lastName": format!("Last{person}"),
        "company": format!("Company {}", person % 1000),
        "address": {"city": "Berlin", "postalCode": "10115"},
    });
    json!({"type": "identify", "messageId": format!("m{number}"), "userId": format!("u{person}"), "traits": traits})
        .to_string()
}
