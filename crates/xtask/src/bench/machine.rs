//! What the figures hold for: without it they say nothing.

use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde_json::{Value, json};

/// A machine and the state of the sources.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    cores: usize,
    model: String,
    commit: String,
}

impl Machine {
    pub(crate) fn of(root: &Path) -> Machine {
        let unknown = || "unknown".to_owned();
        Machine {
            cores: available_parallelism().map_or(0, usize::from),
            model: model().unwrap_or_else(unknown),
            commit: commit(root).unwrap_or_else(unknown),
        }
    }

    pub(crate) fn line(&self) -> String {
        let Machine {
            cores,
            model,
            commit,
        } = self;
        format!("{cores} cores, {model}; commit {commit}")
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"cores": self.cores, "model": self.model, "commit": self.commit})
    }
}

/// The processor's name: Linux has it in a file, macOS tells it.
fn model() -> Option<String> {
    let file = std::fs::read_to_string("/proc/cpuinfo").ok();
    let from_file = file.and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    from_file.or_else(|| said(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])))
}

/// The short name of the commit, and whether the sources differ from it.
fn commit(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| said(Command::new("git").arg("-C").arg(root).args(arguments));
    let name = git(&["rev-parse", "--short", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        name
    } else {
        format!("{name} with local changes")
    })
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim().to_owned())
}
