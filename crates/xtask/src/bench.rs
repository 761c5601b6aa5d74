//! `cargo xtask bench`: figures of the release build, each with the machine and the commit that they hold for.

mod against;
mod figures;
mod limiter;
mod machine;
mod options;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::e2e::Services;
use crate::outside::say;
use crate::report::{Report, run as run_to_end};
use crate::workspace::Workspace;

use against::Other;
use figures::{Reading, Summary, summaries};
use machine::Machine;
use options::Options;

/// Names and what each measures.
const KNOWN: [(&str, &str); 13] = [
    (
        "fill",
        "100,000 identify events of 50,000 people at 100 calls/10 s",
    ),
    (
        "calls",
        "1,000 people in 100 companies, 2,000 events in three orders",
    ),
    (
        "memory",
        "a minute of `hubferry run` with a million events on Kafka",
    ),
    ("speed", "200,000 identify events without a limit"),
    (
        "objects",
        "10,000 custom objects, each with two labelled associations",
    ),
    ("events", "100,000 track events as custom events"),
    (
        "mix",
        "100,000 events of 20,000 people in 2,000 companies, against the fewest possible calls",
    ),
    (
        "saturated",
        "a backlog on Kafka at 100 calls/10 s, one worker and four",
    ),
    (
        "latency",
        "from the topic into a HubSpot that answers after 80 ms",
    ),
    ("start", "start of a worker, and what it holds while idle"),
    ("inflight", "200,000 people in flight in one worker"),
    (
        "growth",
        "a million events and ten million, without a limit",
    ),
    (
        LIMITER,
        "simulated days and troubles of a fleet, then 16 processes on a real Redis",
    ),
];

/// The one that is measured by programs of its own package.
const LIMITER: &str = "limiter";

/// Figures of one benchmark, over its runs.
struct Measured {
    name: &'static str,
    runs: usize,
    figures: Vec<Summary>,
    /// Those of the commit to compare with.
    before: Vec<Summary>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &[String], report: &mut Report) -> Result<()> {
    let options = Options::parse(arguments, &KNOWN.map(|(name, _)| name))?;
    let Some(other) = report.part("release build", |_| build(workspace, &options)) else {
        return Ok(());
    };
    let Some(services) = report.part("start of kafka and redis", |_| Services::start(workspace))
    else {
        return Ok(());
    };
    let mut measured = Vec::new();
    for (name, what) in KNOWN {
        if !options.names.contains(&name) {
            continue;
        }
        let seen = report.part(name, |_| {
            say(what);
            measure(workspace, &services, name, options.runs, other.as_ref())
        });
        measured.extend(seen);
    }
    report.part("stop of kafka and redis", |_| {
        drop(services);
        Ok(())
    });
    let machine = Machine::of(&workspace.root);
    say(&table(&machine, other.as_ref(), &measured));
    if let Some(file) = &options.json {
        report.part("figures as JSON", |_| write(file, &machine, &measured));
    }
    Ok(())
}

/// The product and the programs that measure it; and the product as it was, where it is to be compared.
fn build(workspace: &Workspace, options: &Options) -> Result<Option<Other>> {
    if options.names.contains(&LIMITER) {
        limiter::build(workspace)?;
    }
    run_to_end(workspace.cargo("build").args([
        "--release",
        "--bin",
        "hubferry",
        "--bin",
        "bench",
        "--bin",
        "special-sim",
    ]))?;
    let revision = options.against.as_deref();
    revision
        .map(|revision| against::build(workspace, revision))
        .transpose()
}

/// Runs take turns with those of the other commit, so that what else the machine does meets both.
fn measure(
    workspace: &Workspace,
    services: &Services,
    name: &'static str,
    runs: usize,
    other: Option<&Other>,
) -> Result<Measured> {
    let (mut now, mut before) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        if name == LIMITER {
            now.push(limiter::measure(workspace, services, run)?);
        } else {
            now.push(read(
                workspace,
                services,
                name,
                &workspace.binary("release"),
            )?);
            if let Some(other) = other {
                before.push(read(workspace, services, name, &other.binary)?);
            }
        }
        say(&format!("run {run} of {runs} done"));
    }
    Ok(Measured {
        name,
        runs,
        figures: summaries(&now),
        before: summaries(&before),
    })
}

/// One run of one benchmark with this binary of the product.
fn read(
    workspace: &Workspace,
    services: &Services,
    name: &str,
    binary: &Path,
) -> Result<Vec<Reading>> {
    let mut command = Command::new(workspace.target.join("release/bench"));
    command.arg(name).env("HUBFERRY_BIN", binary);
    readings(services, &mut command)
}

/// Runs a program that prints a figure a line.
fn readings(services: &Services, command: &mut Command) -> Result<Vec<Reading>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = services
        .give(command)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {name}"))?;
    ensure!(
        output.status.success(),
        "{name} ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout).context("figures are text")?;
    text.lines().map(Reading::parse).collect()
}

fn table(machine: &Machine, other: Option<&Other>, measured: &[Measured]) -> String {
    let mut lines = vec![String::new(), machine.line()];
    if let Some(other) = other {
        lines.push(format!("compared with commit {}", other.commit));
    }
    for one in measured {
        let runs = if one.runs == 1 {
            "1 run".to_owned()
        } else {
            format!("{} runs: median (lowest to highest)", one.runs)
        };
        lines.push(format!("\n{}, {runs}", one.name));
        for figure in &one.figures {
            lines.push(figure.row());
            lines.extend(figure.row_against(&one.before));
        }
    }
    lines.join("\n")
}

fn write(file: &Path, machine: &Machine, measured: &[Measured]) -> Result<()> {
    let benchmarks = measured.iter().map(|one| {
        let all =
            |figures: &[Summary]| -> Vec<Value> { figures.iter().map(Summary::to_json).collect() };
        let (figures, before) = (all(&one.figures), all(&one.before));
        json!({"name": one.name, "runs": one.runs, "figures": figures, "before": before})
    });
    let benchmarks: Vec<Value> = benchmarks.collect();
    let all = json!({"machine": machine.to_json(), "benchmarks": benchmarks});
    let text = serde_json::to_string_pretty(&all)? + "\n";
    std::fs::write(file, text).with_context(|| format!("could not write {}", file.display()))?;
    say(&format!("written to {}", file.display()));
    Ok(())
}
