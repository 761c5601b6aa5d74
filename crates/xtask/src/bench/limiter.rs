//! The shared limiter: simulated days and troubles, then a real Redis and sixteen real processes.

use std::process::Command;

use anyhow::Result;

use super::figures::Reading;
use crate::e2e::Services;
use crate::outside::say;
use crate::report::run as run_to_end;
use crate::workspace::Workspace;

/// How long the processes make calls.
const SECONDS: &str = "120";

/// The programs of the limiter's package that measure it.
pub(super) fn build(workspace: &Workspace) -> Result<()> {
    let examples = ["simulate", "fleet", "member"].map(|name| ["--example", name]);
    run_to_end(
        workspace
            .cargo("build")
            .args(["--release", "--package", "hubferry-limiter"])
            .args(["--features", "simulation"])
            .args(examples.concat()),
    )
}

/// One run of everything; its number is the seed of the simulations.
pub(super) fn measure(
    workspace: &Workspace,
    services: &Services,
    run: usize,
) -> Result<Vec<Reading>> {
    let mut readings = figures(workspace, services, "simulate", &[&run.to_string()])?;
    say("simulated; now sixteen processes for two minutes");
    let hubferry = workspace.binary("release");
    let hubferry = hubferry.to_string_lossy();
    readings.extend(figures(
        workspace,
        services,
        "fleet",
        &[&hubferry, SECONDS],
    )?);
    Ok(readings)
}

fn figures(
    workspace: &Workspace,
    services: &Services,
    example: &str,
    arguments: &[&str],
) -> Result<Vec<Reading>> {
    let program = workspace.target.join("release/examples").join(example);
    super::readings(services, Command::new(program).args(arguments))
}
