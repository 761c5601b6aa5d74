//! How much memory a worker holds with a backlog of a million events on the topic.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Services, Sim, Worker, figure, unique};
use serde_json::json;
use tokio::time::sleep;

const EVENTS: u32 = 1_000_000;
const PEOPLE: u32 = 300_000;
const PIECE: u32 = 50_000;
const WATCHED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let topic = kafka.topic("backlog", 12).await?;
    kafka.create(&format!("{topic}.hubferry.dlq"), 12).await?;
    for start in (0..EVENTS).step_by(PIECE as usize) {
        kafka
            .produce(&topic, (start..start + PIECE).map(message))
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

    figure("events on the topic", &EVENTS.to_string(), "1000000");
    figure("events finished in a minute", &committed.to_string(), "");
    figure(
        "peak memory of the worker",
        &format!("{} MiB", peak / 1024 / 1024),
        "under 200 MiB",
    );
    figure("429s", &sim.summary().await?.throttled.to_string(), "0");
    Ok(())
}

fn message(number: u32) -> (Option<Vec<u8>>, Vec<u8>) {
    let person = number % PEOPLE;
    let traits = json!({
        "email": format!("p{person}@example.com"),
        "firstName": format!("First{number}"),
        "lastName": format!("Last{person}"),
        "company": format!("Company {}", person % 1000),
        "address": {"city": "Berlin", "postalCode": "10115"},
    });
    let event = json!({"type": "identify", "messageId": format!("m{number}"), "userId": format!("u{person}"), "traits": traits});
    (
        Some(format!("u{person}").into_bytes()),
        event.to_string().into_bytes(),
    )
}
