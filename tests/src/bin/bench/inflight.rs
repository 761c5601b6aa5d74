//! How much memory a worker holds with 200,000 people in flight.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Figure, Services, Sim, Worker, eventually, unique};
use serde_json::{Value, json};

use crate::{MIB, backlog};

const PEOPLE: u32 = 200_000;
/// Enough that no partition's bound of 20,000 messages is reached.
const PARTITIONS: i32 = 24;
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let topic = backlog::fill(&kafka, "inflight", PARTITIONS, (PEOPLE, PEOPLE)).await?;
    let sim = Sim::start(&hubferry, folder).await?;
    let config = Config::to(sim.base_url())
        .kafka(kafka.brokers(), &unique("inflight"), &topic)
        .redis(&services.redis("inflight"))
        .with_people_and_companies(&[])
        // Hardly anything leaves, so that nearly everything that was read is in flight.
        .set("/destinations/0/hubspot/limits", json!({"ten_seconds": 2}))
        .set(
            "/intake",
            json!({"worker_bytes": "256MiB", "partition_bytes": "64MiB"}),
        )
        .write(folder, "config")?;
    let mut worker = Worker::start(&hubferry, &config, folder, "worker")?;
    let admin = worker.admin().await?;
    let open = eventually("nearly everybody is in flight", PATIENCE, || {
        let asked = admin.get("/debug/lanes");
        async move {
            let (_, body) = asked.await?;
            let seen: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
            let open = seen["open_messages"].as_u64().unwrap_or_default();
            if open * 100 >= u64::from(PEOPLE) * 95 {
                Ok(open)
            } else {
                Err(format!("{open} messages"))
            }
        }
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let missing = "this system does not tell a process's memory";
    let peak = worker.process().peak_memory_bytes().context(missing)?;
    let now = worker.process().usage().context(missing)?.resident_bytes;
    worker.kill().await?;
    Ok(vec![
        Figure::count("people in flight", open),
        Figure::of("resident memory", now as f64 / MIB, "MiB"),
        Figure::of("peak resident memory", peak as f64 / MIB, "MiB").wanted("at most 300"),
        Figure::of(
            "memory per person in flight",
            now as f64 / open as f64,
            "bytes",
        ),
    ])
}
