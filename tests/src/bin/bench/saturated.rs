//! How much of the limit a fleet of one and of four workers uses while there is always more to do.

use std::time::Duration;

use anyhow::{Result, ensure};
use hubferry_tests::{Config, Figure, Services, Sim, Worker, eventually, unique};
use tokio::time::sleep;

use crate::backlog;

const EVENTS: u32 = 200_000;
const PARTITIONS: i32 = 12;
/// The first window is full by then, and with it the start is over.
const AFTER_CALLS: u64 = 100;
const WATCHED: Duration = Duration::from_secs(60);
/// 100 calls in any ten seconds.
const ALLOWED: f64 = 600.0;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for workers in [1, 4] {
        figures.extend(fleet(workers).await?);
    }
    Ok(figures)
}

async fn fleet(count: usize) -> Result<Vec<Figure>> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    // Everybody is somebody else, so that nothing can be merged and the backlog lasts.
    let topic = backlog::fill(&kafka, "saturated", PARTITIONS, (EVENTS, EVENTS)).await?;
    let sim = Sim::start(&hubferry, folder).await?;
    let config = Config::to(sim.base_url())
        .kafka(kafka.brokers(), &unique("saturated"), &topic)
        .redis(&services.redis("saturated"))
        .with_people_and_companies(&[])
        .write(folder, "config")?;
    let start = |number| Worker::start(&hubferry, &config, folder, &format!("worker-{number}"));
    let mut workers = (0..count).map(start).collect::<Result<Vec<Worker>>>()?;

    eventually("the first window is full", PATIENCE, || {
        let summary = sim.summary();
        async move {
            let seen = summary.await.map_err(|error| error.to_string())?.calls;
            if seen >= AFTER_CALLS {
                Ok(())
            } else {
                Err(format!("{seen} calls"))
            }
        }
    })
    .await?;
    let before = sim.summary().await?.calls;
    sleep(WATCHED).await;
    let summary = sim.summary().await?;
    for worker in &mut workers {
        worker.must_run()?;
    }
    let upserts = summary
        .endpoints
        .iter()
        .find(|(name, _)| name.contains("contacts") && name.contains("upsert"));
    let fill = upserts.and_then(|(_, seen)| seen.fill);
    ensure!(
        fill.is_some(),
        "no contact was written: {:?}",
        summary.endpoints
    );
    for worker in workers {
        worker.stop(Duration::from_secs(70)).await?;
    }

    let label = |what: &str| match count {
        1 => format!("{what}, 1 worker"),
        _ => format!("{what}, {count} workers"),
    };
    let used = (summary.calls - before) as f64 / ALLOWED * 100.0;
    let filled = fill.unwrap_or_default() * 100.0;
    Ok(vec![
        Figure::of(label("permits used"), used, "%").wanted("at least 96"),
        Figure::of(label("places filled after 1 s"), filled, "%").wanted("at least 97"),
        Figure::count(label("429s"), summary.throttled).wanted("0"),
        Figure::count(
            label("most calls in any ten seconds"),
            summary.worst_ten_seconds,
        )
        .wanted("at most 100"),
    ])
}
