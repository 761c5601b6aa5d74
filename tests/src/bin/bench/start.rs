//! How fast a worker starts, and what it holds while there is nothing to do.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Figure, Services, Sim, Worker, eventually, unique};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::MIB;
use crate::backlog::message;

const IDLE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(60);
const HELPS: u32 = 20;
const PORTALS: usize = 200;

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let topic = kafka.topic("start", 4).await?;
    kafka.create(&format!("{topic}.hubferry.dlq"), 4).await?;
    let sim = Sim::start(&hubferry, folder).await?;
    let base = Config::to(sim.base_url())
        .kafka(kafka.brokers(), &unique("start"), &topic)
        .redis(&services.redis("start"))
        .with_people_and_companies(&[]);
    let config = base.write(folder, "config")?;

    let mut figures = Vec::new();
    let mut helps = Vec::new();
    for _ in 0..HELPS {
        let start = Instant::now();
        let finished = hubferry.run(&["--help"]).await?;
        ensure!(finished.code == Some(0), "{finished:?}");
        helps.push(start.elapsed());
    }
    helps.sort_unstable();
    let help = helps[helps.len() / 2].as_secs_f64() * 1e3;
    figures.push(Figure::of("`--help`, median of 20", help, "ms").wanted("at most 100"));

    // The first start learns the portal's schema; the second finds it in Redis.
    for (number, label) in [(0, "nothing known"), (1, "warm cache")] {
        kafka.produce(&topic, [message(number, number)]).await?;
        let before = sim.summary().await?.calls;
        let start = Instant::now();
        let worker = Worker::start(&hubferry, &config, folder, label)?;
        eventually("a first call", PATIENCE, || {
            let summary = sim.summary();
            async move {
                let seen = summary.await.map_err(|error| error.to_string())?.calls;
                if seen > before {
                    Ok(())
                } else {
                    Err("none".to_owned())
                }
            }
        })
        .await?;
        let took = start.elapsed().as_secs_f64() * 1e3;
        let figure = Figure::of(format!("start to first call, {label}"), took, "ms");
        figures.push(if number == 1 {
            figure.wanted("at most 1000")
        } else {
            figure
        });
        worker.stop(Duration::from_secs(70)).await?;
    }
    let alone = idle(&services, &base, folder).await?;
    let many = idle(&services, &with_portals(base, sim.base_url()), folder).await?;
    let per_portal = |all: f64, one: f64| (all - one) / PORTALS as f64;
    figures.extend([
        Figure::of("resident memory, idle", alone.0, "MiB").wanted("at most 30"),
        Figure::of("processor time, idle, per second", alone.1, "ms"),
        Figure::of(
            "resident memory per idle portal",
            per_portal(many.0, alone.0) * 1024.0,
            "KiB",
        ),
        Figure::of(
            "processor time per idle portal and second",
            per_portal(many.1, alone.1),
            "ms",
        ),
    ]);
    Ok(figures)
}

/// The same with portals to which nothing comes.
fn with_portals(config: Config, base_url: &str) -> Config {
    (1..=PORTALS).fold(config, |config, number| {
        config.set(
            &format!("/destinations/{number}"),
            json!({
                "name": format!("portal-{number}"),
                "hubspot": {"base_url": base_url, "portal_id": 1_000_000 + number, "auth": {"kind": "private_app", "token": "test-token"}},
                "mappings": [{"name": "contacts", "action": "upsertContact", "trigger": "type = \"identify\"", "use_defaults": true}],
            }),
        )
    })
}

/// Resident memory in MiB and processor time in milliseconds per second of a worker that has nothing to do.
async fn idle(
    services: &Services,
    config: &Config,
    folder: &std::path::Path,
) -> Result<(f64, f64)> {
    let config = config.write(folder, "idle")?;
    let mut worker = Worker::start(&services.hubferry(), &config, folder, "idle")?;
    worker.admin().await?;
    sleep(Duration::from_secs(5)).await;
    let missing = "this system does not tell a process's memory and processor time";
    let before = worker.process().usage().context(missing)?;
    sleep(IDLE).await;
    let after = worker.process().usage().context(missing)?;
    worker.must_run()?;
    worker.stop(Duration::from_secs(70)).await?;
    let spent = after.processor.saturating_sub(before.processor);
    let per_second = spent.as_secs_f64() * 1e3 / IDLE.as_secs_f64();
    Ok((after.resident_bytes as f64 / MIB, per_second))
}
