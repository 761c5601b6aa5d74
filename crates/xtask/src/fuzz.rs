//! `cargo xtask fuzz`: each fuzz target for a bounded time, from the committed seeds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::outside::say;
use crate::report::Report;
use crate::workspace::Workspace;

const TARGETS: [&str; 5] = ["event", "mapping", "trigger", "liquid", "fields"];
const SECONDS: u32 = 30;
/// One input may take this long before it counts as a hang.
const HANG_SECONDS: u32 = 5;

/// Runs the targets that are named, or all.
pub(crate) fn run(workspace: &Workspace, arguments: &[String], report: &mut Report) -> Result<()> {
    let (targets, seconds) = read(arguments)?;
    let tool = tool(workspace)?;
    for target in targets {
        report.part(target, |_| fuzz(workspace, &tool, target, seconds));
    }
    Ok(())
}

fn read(arguments: &[String]) -> Result<(Vec<&'static str>, u32)> {
    let mut targets = Vec::new();
    let mut seconds = SECONDS;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seconds" {
            let value = rest.next().context("--seconds needs a number")?;
            seconds = value
                .parse()
                .with_context(|| format!("--seconds {value}: not a number of seconds"))?;
            continue;
        }
        match TARGETS.iter().find(|target| *target == argument) {
            Some(target) => targets.push(*target),
            None => bail!(
                "unknown fuzz target `{argument}`; known are {}",
                TARGETS.join(", ")
            ),
        }
    }
    if targets.is_empty() {
        targets = TARGETS.to_vec();
    }
    Ok((targets, seconds))
}

/// cargo-fuzz: the installed one, else one of our own under `target/`.
fn tool(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.target.join("tools");
    let own = root.join("bin").join("cargo-fuzz");
    if own.exists() {
        return Ok(own);
    }
    if Command::new("cargo-fuzz")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return Ok(PathBuf::from("cargo-fuzz"));
    }
    say("installing cargo-fuzz under target/tools, once");
    let installed = Command::new("cargo")
        .args(["install", "--locked", "cargo-fuzz", "--root"])
        .arg(&root)
        .status()?;
    ensure!(installed.success(), "cargo-fuzz could not be installed");
    Ok(own)
}

fn fuzz(workspace: &Workspace, tool: &Path, target: &str, seconds: u32) -> Result<()> {
    let folder = workspace.root.join("fuzz");
    let corpus = workspace.target.join("fuzz").join("corpus").join(target);
    std::fs::create_dir_all(&corpus)
        .with_context(|| format!("could not make {}", corpus.display()))?;
    let status = Command::new(tool)
        // Coverage instrumentation is a compiler flag that stable toolchains keep behind this.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(&workspace.root)
        .args(["run", "--fuzz-dir"])
        .arg(&folder)
        .arg("--target-dir")
        .arg(workspace.target.join("fuzz"))
        .args(["--sanitizer", "none", target])
        .arg(&corpus)
        .arg(folder.join("seeds").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={HANG_SECONDS}"))
        .args(["-max_len=16384", "-rss_limit_mb=1024"])
        .status()?;
    ensure!(
        status.success(),
        "the target `{target}` found something: see fuzz/artifacts/{target}"
    );
    Ok(())
}
