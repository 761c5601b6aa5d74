//! The product as it was at another commit, so that two are measured in one run on one machine.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::report::run as run_to_end;
use crate::workspace::Workspace;

/// The release build of another commit.
pub(super) struct Other {
    /// Its short name.
    pub(super) commit: String,
    pub(super) binary: PathBuf,
}

/// Builds `hubferry` as it was at this revision, in a folder of its own under `target/`.
pub(super) fn build(workspace: &Workspace, revision: &str) -> Result<Other> {
    let commit = name(workspace, revision)?;
    let folder = workspace.target.join("against").join(&commit);
    let (source, target) = (folder.join("source"), folder.join("target"));
    if !source.join("Cargo.toml").exists() {
        std::fs::create_dir_all(&source)?;
        unpack(workspace, &commit, &source)?;
    }
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--package", "hubferry"])
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", &target);
    run_to_end(&mut cargo)?;
    let binary = target.join("release/hubferry");
    Ok(Other { commit, binary })
}

fn name(workspace: &Workspace, revision: &str) -> Result<String> {
    let output = Command::new("git")
        .current_dir(&workspace.root)
        .args(["rev-parse", "--verify", "--quiet", "--short"])
        .arg(format!("{revision}^{{commit}}"))
        .output()
        .context("could not start git")?;
    ensure!(
        output.status.success(),
        "--against takes a commit, branch or tag of this repository, not {revision}"
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn unpack(workspace: &Workspace, commit: &str, folder: &PathBuf) -> Result<()> {
    let mut archive = Command::new("git")
        .current_dir(&workspace.root)
        .args(["archive", "--format=tar", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start git")?;
    let packed = archive
        .stdout
        .take()
        .context("git's output was asked for")?;
    let tar = Command::new("tar")
        .args(["-x", "-C"])
        .arg(folder)
        .stdin(packed)
        .status()
        .context("could not start tar")?;
    ensure!(
        archive.wait()?.success() && tar.success(),
        "could not unpack {commit}"
    );
    Ok(())
}
