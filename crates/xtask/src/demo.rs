//! `cargo xtask demo`.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::outside::say;
use crate::report::run as run_to_end;
use crate::workspace::Workspace;

/// Builds hubferry as the tests build it (a release build takes minutes and the demo waits for a rate limit, not for
/// the processor) and becomes `hubferry demo`.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    say("building hubferry (a first build takes a few minutes)");
    run_to_end(workspace.cargo("build").args(["--bin", "hubferry"]))?;
    let error = Command::new(workspace.binary("debug"))
        .arg("demo")
        .args(arguments)
        .exec();
    Err(error).context("could not start hubferry")
}
