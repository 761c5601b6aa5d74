//! One benchmark, run once: `bench NAME` prints a JSON line for each figure. `cargo xtask bench` runs it and makes the table.

mod backlog;
mod calls;
mod events;
mod fill;
mod growth;
mod inflight;
mod latency;
mod memory;
mod mix;
mod objects;
mod saturated;
mod speed;
mod start;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use hubferry_tests::{Config, Figure, Hubferry, Services, Sim};
use serde_json::Value;
use tempfile::TempDir;

/// The events of a run, in its folder.
const EVENTS: &str = "events.ndjson";
/// Bytes in a mebibyte.
const MIB: f64 = 1024.0 * 1024.0;

#[tokio::main]
async fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let figures = match name.as_str() {
        "fill" => fill::measure().await?,
        "calls" => calls::measure().await?,
        "memory" => memory::measure().await?,
        "speed" => speed::measure().await?,
        "objects" => objects::measure().await?,
        "events" => events::measure().await?,
        "mix" => mix::measure().await?,
        "saturated" => saturated::measure().await?,
        "latency" => latency::measure().await?,
        "start" => start::measure().await?,
        "inflight" => inflight::measure().await?,
        "growth" => growth::measure().await?,
        other => bail!("no benchmark is called `{other}`"),
    };
    for figure in figures {
        figure.print();
    }
    Ok(())
}

/// A simulator with the real limit, the command, and a folder for what they write.
struct Scene {
    hubferry: Hubferry,
    sim: Sim,
    folder: TempDir,
}

impl Scene {
    async fn open() -> Result<Scene> {
        let hubferry = Services::from_env()?.hubferry();
        let folder = tempfile::tempdir()?;
        let sim = Sim::start(&hubferry, folder.path()).await?;
        Ok(Scene {
            hubferry,
            sim,
            folder,
        })
    }
}

/// Carries events from a file to a good end with this configuration; gives the report.
async fn carry(hubferry: &Hubferry, config: &Config, events: &str, folder: &Path) -> Result<Value> {
    let arguments = arguments(config, events, folder)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let finished = hubferry.run(&arguments).await?;
    ensure!(finished.code == Some(0), "{finished:?}");
    finished.json()
}

/// Writes configuration and events, and gives the command line that reads them.
fn arguments(config: &Config, events: &str, folder: &Path) -> Result<Vec<String>> {
    std::fs::write(folder.join(EVENTS), events)?;
    command_line(config, folder)
}

/// Writes the configuration and gives the command line that carries `events.ndjson` of this folder.
fn command_line(config: &Config, folder: &Path) -> Result<Vec<String>> {
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .context("a path that is text")
    };
    let config = text(&config.write(folder, "config")?)?;
    let (input, dead) = (
        text(&folder.join(EVENTS))?,
        text(&folder.join("dead.ndjson"))?,
    );
    let words = [
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
    Ok(words.map(str::to_owned).to_vec())
}

/// The figures that hold for every run of a file.
fn of_report(report: &Value) -> Vec<Figure> {
    let number = |key: &str| report[key].as_f64().unwrap_or(f64::NAN);
    vec![
        Figure::of("events", number("events"), ""),
        Figure::of("dead letters", number("dead"), "").wanted("0"),
        Figure::of("duration", number("seconds"), "s"),
    ]
}
