//! What ten times as many events cost: processor time per event and memory, without a limit.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Figure, Process, Services, Sim};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::backlog::event;
use crate::speed::without_limit;
use crate::{MIB, command_line};

const PEOPLE: u32 = 50_000;
const STEPS: [(u32, &str); 2] = [(1_000_000, "1 million"), (10_000_000, "10 million")];
const LOOK: Duration = Duration::from_millis(50);

/// What one run took.
struct Took {
    seconds_per_million: f64,
    processor_per_million: f64,
    peak_mib: f64,
}

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut all = Vec::new();
    for (count, label) in STEPS {
        let took = carry(count).await?;
        figures.extend([
            Figure::of(
                format!("time per million, {label}"),
                took.seconds_per_million,
                "s",
            ),
            Figure::of(
                format!("processor time per million, {label}"),
                took.processor_per_million,
                "s",
            ),
            Figure::of(
                format!("peak resident memory, {label}"),
                took.peak_mib,
                "MiB",
            ),
        ]);
        all.push(took);
    }
    let [small, large] = all.as_slice() else {
        return Ok(figures);
    };
    let over = |large: f64, small: f64| (large / small - 1.0) * 100.0;
    figures.extend([
        Figure::of(
            "processor time per event, 10 million over 1 million",
            over(large.processor_per_million, small.processor_per_million),
            "%",
        )
        .wanted("at most 5"),
        Figure::of(
            "peak memory, 10 million over 1 million",
            over(large.peak_mib, small.peak_mib),
            "%",
        )
        .wanted("about 0"),
    ]);
    Ok(figures)
}

async fn carry(count: u32) -> Result<Took> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    write_events(&folder.join("events.ndjson"), count)?;
    let sim = Sim::special(folder, &json!({"limits_on": false, "history": false})).await?;
    let arguments = command_line(&without_limit(&sim), folder)?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let start = Instant::now();
    let mut command = services.hubferry().command(&words);
    let mut process = Process::start(command.env("HUBFERRY_LOG", "warn"), folder, "run")?;
    let mut usage = None;
    while process.is_running()? {
        usage = process.usage().or(usage);
        sleep(LOOK).await;
    }
    let took = start.elapsed().as_secs_f64();
    let said = process.stdout();
    let report: Value =
        serde_json::from_str(&said).with_context(|| format!("{said}{}", process.stderr()))?;
    ensure!(report["dead"] == 0 && report["events"] == count, "{report}");
    let usage = usage.context("this system does not tell a process's memory")?;
    let millions = f64::from(count) / 1e6;
    Ok(Took {
        seconds_per_million: took / millions,
        processor_per_million: usage.processor.as_secs_f64() / millions,
        peak_mib: usage.peak_bytes as f64 / MIB,
    })
}

fn write_events(path: &Path, count: u32) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in 0..count {
        writeln!(file, "{}", event(number, number % PEOPLE))?;
    }
    Ok(file.flush()?)
}
