//! A worker process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use serde_json::Value;

use crate::{Admin, Hubferry, Process, eventually};

const START: Duration = Duration::from_secs(30);

/// `hubferry run --config …` as a process.
#[derive(Debug)]
pub struct Worker {
    process: Process,
    name: String,
}

impl Worker {
    /// Starts a worker; its log goes to `NAME.err` in `folder`.
    ///
    /// # Errors
    ///
    /// The binary does not start.
    pub fn start(hubferry: &Hubferry, config: &Path, folder: &Path, name: &str) -> Result<Worker> {
        Worker::start_logging(hubferry, config, folder, name, "info")
    }

    /// Starts a worker that logs what this filter lets through.
    ///
    /// # Errors
    ///
    /// The binary does not start.
    pub fn start_logging(
        hubferry: &Hubferry,
        config: &Path,
        folder: &Path,
        name: &str,
        filter: &str,
    ) -> Result<Worker> {
        let config = config.to_str().context("a path that is text")?;
        let mut command = hubferry.command(&["run", "--config", config]);
        let process = Process::start(command.env("HUBFERRY_LOG", filter), folder, name)?;
        Ok(Worker {
            process,
            name: name.to_owned(),
        })
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until the worker says where its admin endpoint is.
    ///
    /// # Errors
    ///
    /// It does not within half a minute.
    pub async fn admin(&self) -> Result<Admin> {
        let address = eventually("the worker has started", START, || {
            let said = self.process.stderr();
            async move {
                let mut lines = said.lines().filter_map(|line| {
                    let line: Value = serde_json::from_str(line).ok()?;
                    line["admin"].as_str().map(str::to_owned)
                });
                lines.next_back().ok_or(said)
            }
        });
        Admin::at(address.await?)
    }

    /// Fails when the worker has ended by itself.
    ///
    /// # Errors
    ///
    /// It has ended; the message carries what it said.
    pub fn must_run(&mut self) -> Result<()> {
        let running = self.process.is_running()?;
        ensure!(
            running,
            "{} has ended: {}",
            self.name,
            self.process.stderr()
        );
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    ///
    /// It has ended by itself before.
    pub async fn kill(self) -> Result<()> {
        self.process.kill().await
    }

    /// SIGTERM; gives the exit code and what it said.
    ///
    /// # Errors
    ///
    /// It has ended before, or does not end within `patience`.
    pub async fn stop(mut self, patience: Duration) -> Result<(Option<i32>, String)> {
        self.process.terminate().await?;
        let status = self.process.ended(patience).await?;
        Ok((status.code(), self.process.stderr()))
    }
}
