//! Set-up, checks, tests and benchmarks: `cargo xtask help`.
//!
//! Only two small dependencies, so that this compiles in seconds on a machine where nothing is set up yet.

mod bench;
mod check;
mod demo;
mod deployment;
mod e2e;
mod fuzz;
mod kafka;
mod links;
mod outside;
mod policy;
mod redis;
mod report;
mod sbom;
mod service;
mod setup;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use outside::say;
use report::Report;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [ARGS…]    build hubferry and run `hubferry demo ARGS…`: embedded broker, simulator, sample events
  test            check, then e2e: everything that a change must pass
  check           formatting, links, licences and sources, lints, unit tests, docs, deployment files
  deployment [--update]
                  chart, alerts, dashboards, container and compose files; --update makes anew what is made from others
  sbom [--licences] [--output FILE]
                  what the binary is made of, as CycloneDX, or its licences as a list
  e2e [FILTER…]   start a real Kafka and a real Redis and run the tests that need them
  bench [NAME…] [--runs N] [--json FILE] [--against REVISION]
                  build for release and measure: fill, calls, memory, speed, objects, events, mix, saturated, latency,
                  start, inflight, growth, limiter; each three times unless told otherwise; --against takes turns with
                  the product as it was at another commit
  fuzz [TARGET…] [--seconds N]
                  run the fuzz targets event, mapping, trigger, liquid and fields, each for 30 s unless told otherwise
  help            this text

Every command first installs the system packages it misses (as root, with passwordless sudo, or with brew);
where it may not, it stops with the line to run. HUBFERRY_TEST_KAFKA and HUBFERRY_TEST_REDIS name services that
are already there; else Kafka comes from a docker engine that answers or from Maven Central (kept in target/),
Redis from this machine's redis-server, both on free ports and stopped at the end.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            outside::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    if command == "help" || command == "--help" || command == "-h" {
        say(USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    if !matches!(
        command,
        "demo" | "test" | "check" | "deployment" | "sbom" | "e2e" | "bench" | "fuzz"
    ) {
        bail!("unknown command `{command}`\n\n{USAGE}");
    }
    setup::prepare(&setup::to_build())?;
    if command == "demo" {
        return demo::run(&Workspace::load()?, rest);
    }

    if command == "sbom" {
        return sbom::run(&Workspace::load()?, rest);
    }
    let mut report = Report::default();
    if matches!(command, "test" | "check") {
        setup::prepare(&setup::to_check())?;
    }
    let workspace = Workspace::load()?;
    match command {
        "check" => check::run(&workspace, &mut report),
        "deployment" => deployment::run(&workspace, rest, &mut report)?,
        "e2e" => e2e::run(&workspace, rest, &mut report),
        "bench" => bench::run(&workspace, rest, &mut report)?,
        "fuzz" => fuzz::run(&workspace, rest, &mut report)?,
        _ => {
            check::run(&workspace, &mut report);
            e2e::run(&workspace, &[], &mut report);
        }
    }
    Ok(report.close())
}
