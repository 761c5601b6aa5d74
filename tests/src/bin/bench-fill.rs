//! How full the calls are at the real limit: 100,000 identify events of 50,000 people.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Services, Sim, figure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

const EVENTS: u32 = 100_000;
const PEOPLE: u32 = 50_000;

#[tokio::main]
async fn main() -> Result<()> {
    let services = Services::from_env()?;
    let hubferry = services.hubferry();
    let folder = tempfile::tempdir()?;
    let path = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .map(str::to_owned)
            .context("a path that is text")
    };
    let sim = Sim::start(&hubferry, folder.path()).await?;
    Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .write(folder.path(), "config")?;
    let (config, input, dead) = (
        path("config.json")?,
        path("events.ndjson")?,
        path("dead.ndjson")?,
    );
    std::fs::write(&input, events())?;

    let arguments = [
        "run",
        "--config",
        &config,
        "--input",
        &input,
        "--dead-letters",
        &dead,
        "--output",
        "json",
    ];
    let finished = hubferry.run(&arguments).await?;
    ensure!(finished.code == Some(0), "{finished:?}");
    let report = finished.json()?;
    let summary = sim.summary().await?;

    figure("events", &report["events"].to_string(), "100000");
    figure("dead letters", &report["dead"].to_string(), "0");
    figure(
        "contacts written",
        &sim.portal().await?.contacts.len().to_string(),
        "",
    );
    figure("calls", &summary.calls.to_string(), "");
    figure("429s", &summary.throttled.to_string(), "0");
    figure(
        "most calls in any ten seconds",
        &summary.worst_ten_seconds.to_string(),
        "at most 100",
    );
    figure("seconds", &report["seconds"].to_string(), "");
    for (endpoint, seen) in &summary.endpoints {
        if let Some(fill) = seen.fill {
            let percent = format!("{:.1} %", fill * 100.0);
            figure(
                &format!("places filled after 1 s, {endpoint}"),
                &percent,
                "at least 97 %",
            );
        }
    }
    Ok(())
}

fn events() -> String {
    let mut chance = StdRng::seed_from_u64(1);
    let lines = (0..EVENTS).map(|number| {
        // Every person comes once; then people come back at random.
        let person = if number < PEOPLE { number } else { chance.random_range(0..PEOPLE) };
        let traits = json!({"email": format!("p{person}@example.com"), "firstName": format!("F{number}")});
        let event = json!({"type": "identify", "messageId": format!("m{number}"), "userId": format!("u{person}"), "traits": traits});
        format!("{event}\n")
    });
    lines.collect()
}
