//! `cargo xtask bench`: figures of the release build, each with the machine and the commit that they hold for.

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

use figures::{Reading, Summary, summaries};
use machine::Machine;
use options::Options;

/// Names and what each measures.
const KNOWN: [(&str, &str); 7] = [
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
}

pub(crate) fn run(workspace: &Workspace, arguments: &[String], report: &mut Report) -> Result<()> {
    let options = Options::parse(arguments, &KNOWN.map(|(name, _)| name))?;
    let Some(()) = report.part("release build", |_| build(workspace, &options)) else {
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
            measure(workspace, &services, name, options.runs)
        });
        measured.extend(seen);
    }
    report.part("stop of kafka and redis", |_| {
        drop(services);
        Ok(())
    });
    let machine = Machine::of(&workspace.root);
    say(&table(&machine, &measured));
    if let Some(file) = &options.json {
        report.part("figures as JSON", |_| write(file, &machine, &measured));
    }
    Ok(())
}

/// The product and the programs that measure it.
fn build(workspace: &Workspace, options: &Options) -> Result<()> {
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
    ]))
}

fn measure(
    workspace: &Workspace,
    services: &Services,
    name: &'static str,
    runs: usize,
) -> Result<Measured> {
    let program = workspace.target.join("release/bench");
    let mut readings = Vec::new();
    for run in 1..=runs {
        if name == LIMITER {
            readings.push(limiter::measure(workspace, services, run)?);
            say(&format!("run {run} of {runs} done"));
            continue;
        }
        let mut command = Command::new(&program);
        command
            .arg(name)
            .env("HUBFERRY_BIN", workspace.binary("release"));
        let output = services
            .give(&mut command)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("could not start {}", program.display()))?;
        ensure!(
            output.status.success(),
            "{name} ended with {}",
            output.status
        );
        let text = String::from_utf8(output.stdout).context("figures are text")?;
        let lines = text.lines().map(Reading::parse);
        readings.push(lines.collect::<Result<Vec<Reading>>>()?);
        say(&format!("run {run} of {runs} done"));
    }
    Ok(Measured {
        name,
        runs,
        figures: summaries(&readings),
    })
}

fn table(machine: &Machine, measured: &[Measured]) -> String {
    let mut lines = vec![String::new(), machine.line()];
    for one in measured {
        let runs = if one.runs == 1 {
            "1 run".to_owned()
        } else {
            format!("{} runs: median (lowest to highest)", one.runs)
        };
        lines.push(format!("\n{}, {runs}", one.name));
        lines.extend(one.figures.iter().map(Summary::row));
    }
    lines.join("\n")
}

fn write(file: &Path, machine: &Machine, measured: &[Measured]) -> Result<()> {
    let benchmarks = measured.iter().map(|one| {
        let figures: Vec<Value> = one.figures.iter().map(Summary::to_json).collect();
        json!({"name": one.name, "runs": one.runs, "figures": figures})
    });
    let benchmarks: Vec<Value> = benchmarks.collect();
    let all = json!({"machine": machine.to_json(), "benchmarks": benchmarks});
    let text = serde_json::to_string_pretty(&all)? + "\n";
    std::fs::write(file, text).with_context(|| format!("could not write {}", file.display()))?;
    say(&format!("written to {}", file.display()));
    Ok(())
}
