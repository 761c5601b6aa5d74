//! How much memory a worker holds with a backlog of a million events on the topic.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Figure, Services, Sim, Worker, unique};
use tokio::time::sleep;

use crate::{MIB, backlog};

const EVENTS: u32 = 1_000_000;
const PEOPLE: u32 = 300_000;
const PARTITIONS: i32 = 12;
const WATCHED: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let topic = backlog::fill(&kafka, "backlog", PARTITIONS, (EVENTS, PEOPLE)).await?;

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
