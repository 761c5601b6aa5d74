//! What the machine could do if HubSpot had no limit: events per second and the worker's processor time.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Figure, Services, Sim};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::fill::events;
use crate::{arguments, of_report};

const EVENTS: u32 = 200_000;
const NO_LIMIT: u32 = 100_000;

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let sim = Sim::special(folder, &json!({"limits_on": false, "history": false})).await?;
    let arguments = arguments(&without_limit(&sim), &events(EVENTS), folder)?;

    // The shell tells the processor time of what it ran, on its last two lines.
    let output = Command::new("sh")
        .args(["-c", "\"$@\" || exit $?; times", "sh"])
        .arg(&services.binary)
        .args(arguments)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{:?}: {said}",
        output.status.code()
    );
    let text = String::from_utf8(output.stdout)?;
    let (report, times) = text.trim_end().rsplit_once('\n').context("times")?;
    let (report, _) = report.rsplit_once('\n').context("a report")?;
    let report: Value = serde_json::from_str(report)?;
    let processor = processor_seconds(times).with_context(|| format!("times: {times}"))?;

    let summary = sim.summary().await?;
    let number = |key: &str| report[key].as_f64().context("a number in the report");
    let (count, seconds) = (number("events")?, number("seconds")?);
    let mut figures = of_report(&report);
    figures.push(Figure::of("events per second", count / seconds, "/s").wanted("at least 60000"));
    let per_million = processor / count * 1e6;
    let spent = Figure::of(
        "processor time of the worker per million events",
        per_million,
        "s",
    );
    figures.push(spent.wanted("at most 15"));
    figures.push(Figure::count("calls", summary.calls));
    figures.push(Figure::count("429s", summary.throttled).wanted("0"));
    Ok(figures)
}

/// Contacts and companies, as if HubSpot took any number of calls.
pub(crate) fn without_limit(sim: &Sim) -> Config {
    let limits = json!({"ten_seconds": NO_LIMIT, "associations": NO_LIMIT, "search": NO_LIMIT});
    Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .set("/destinations/0/hubspot/limits", limits)
}

/// Reads `1m2.50s 0m0.50s`: user and system time.
fn processor_seconds(times: &str) -> Option<f64> {
    let parts = times.split_whitespace().map(|part| {
        let (minutes, seconds) = part.strip_suffix('s')?.split_once('m')?;
        // Some locales write a comma.
        let seconds: f64 = seconds.replace(',', ".").parse().ok()?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds)
    });
    parts.sum()
}
