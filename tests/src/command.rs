//! Commands that run to their end.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(240);

/// The `hubferry` command line.
#[derive(Debug, Clone)]
pub struct Hubferry {
    binary: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Everything on standard output.
    pub stdout: String,
    /// Everything on standard error.
    pub stderr: String,
}

impl Hubferry {
    pub(crate) fn at(binary: PathBuf) -> Hubferry {
        Hubferry { binary }
    }

    /// A command of this binary with a clean environment: nothing of the caller's reaches the configuration.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env_clear()
            .env("HUBFERRY_LOG", "info")
            .env("NO_COLOR", "1");
        for kept in ["PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
    }

    /// Runs a command to its end without input.
    ///
    /// # Errors
    ///
    /// It does not start or does not end within four minutes.
    pub async fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.run_with(arguments, "").await
    }

    /// Runs a command to its end with this text on standard input.
    ///
    /// # Errors
    ///
    /// It does not start or does not end within four minutes.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Result<Finished> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", self.binary.display()))?;
        let mut stdin = child.stdin.take().context("standard input was asked for")?;
        let feed = async move {
            // A command that does not read its input closes it early.
            stdin.write_all(input.as_bytes()).await.ok();
            drop(stdin);
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = timeout(PATIENCE, both)
            .await
            .with_context(|| format!("{arguments:?} did not end within {PATIENCE:?}"))??;
        Ok(Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Finished {
    /// Standard output as the one JSON object that it must be.
    ///
    /// # Errors
    ///
    /// It is not exactly one JSON value; the message carries what was said.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| {
            format!(
                "exit {:?}, standard output is not one JSON value: {:?}\n{}",
                self.code, self.stdout, self.stderr
            )
        })
    }
}
