//! A process of the product that runs beside a test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Memory it holds now, in bytes.
    pub resident_bytes: u64,
    /// The most memory it has held, in bytes.
    pub peak_bytes: u64,
    /// Processor time of all its threads, in user and system mode.
    pub processor: Duration,
}

/// A running process whose output goes to files. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts a command; its output goes to `NAME.out` and `NAME.err` in `folder`.
    ///
    /// # Errors
    ///
    /// The program is not there or the files cannot be written.
    pub fn start(command: &mut Command, folder: &Path, name: &str) -> Result<Process> {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Process {
            child,
            stdout,
            stderr,
        })
    }

    /// What it has printed so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it has said on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// The most memory it has held so far, in bytes; `None` where the system does not say (only Linux does).
    #[must_use]
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        self.usage().map(|usage| usage.peak_bytes)
    }

    /// What it has used so far; `None` after its end and where the system does not say (only Linux does).
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()?));
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let bytes = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key))?;
            let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib * 1024)
        };
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        Some(Usage {
            resident_bytes: bytes("VmRSS:")?,
            peak_bytes: bytes("VmHWM:")?,
            processor: processor(&stat)?,
        })
    }

    /// Whether it has not ended yet.
    ///
    /// # Errors
    ///
    /// The operating system does not say.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends SIGTERM, as an orchestrator does.
    ///
    /// # Errors
    ///
    /// It has ended already.
    pub async fn terminate(&self) -> Result<()> {
        let pid = self.child.id().context("it has ended already")?;
        let status = Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await?;
        ensure!(status.success(), "could not send SIGTERM to {pid}");
        Ok(())
    }

    /// Sends SIGKILL and waits until it is gone: it gets no chance to finish anything.
    ///
    /// # Errors
    ///
    /// It has ended already.
    pub async fn kill(mut self) -> Result<()> {
        ensure!(
            self.is_running()?,
            "it has ended already: {}",
            self.stderr()
        );
        self.child.kill().await?;
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// It is still running after `patience`; the message carries what it said.
    pub async fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        match timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(anyhow::anyhow!(
                "still running after {patience:?}; it said:\n{}",
                self.stderr()
            )),
        }
    }
}

/// User and system time of a line of `/proc/PID/stat`: fields 14 and 15, in ticks. Linux tells them as 100 a second
/// whatever its timer does.
fn processor(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat =
            "4242 (a name) with) S 1 4242 4242 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 4 0 1000";
        assert_eq!(processor(stat), Some(Duration::from_millis(1750)));
        assert_eq!(processor("4242 (cut"), None);
    }
}
