//! A service process that cannot outlive this tool.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::outside::{answers, wait_for};

/// The shell between this tool and the service. It ends the service when its standard input closes, and that
/// happens however this tool ends: at the end of a run, on ctrl-c (which the shell itself ignores), even when killed.
const KEEPER: &str = r#"trap '' INT
"$@" </dev/null &
service=$!
read -r _
eval "$HUBFERRY_KEEPER_CLEANUP"
kill -9 $service 2>/dev/null
wait $service 2>/dev/null"#;

/// A started service. Dropping it ends the service and waits for its end.
pub(crate) struct Service {
    keeper: Child,
    name: &'static str,
    log: PathBuf,
}

impl Service {
    /// Starts `program` with its output in a file; `cleanup` is a shell line that runs before the service is ended.
    pub(crate) fn start(
        name: &'static str,
        program: &Command,
        log: &Path,
        cleanup: &str,
    ) -> Result<Service> {
        let output =
            File::create(log).with_context(|| format!("could not write {}", log.display()))?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program.get_program())
            .args(program.get_args())
            .env("HUBFERRY_KEEPER_CLEANUP", cleanup)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("could not start sh")?;
        Ok(Service {
            keeper,
            name,
            log: log.to_owned(),
        })
    }

    /// Waits until `answers` says yes.
    ///
    /// # Errors
    ///
    /// Not within `patience`; the message carries the end of the service's output.
    pub(crate) fn wait_until(
        &self,
        patience: Duration,
        answers: impl FnMut() -> bool,
    ) -> Result<()> {
        if wait_for(patience, answers) {
            return Ok(());
        }
        let output = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = output.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        bail!(
            "{} did not answer within {patience:?}; the end of {}:\n{tail}",
            self.name,
            self.log.display()
        );
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait() {
            crate::outside::complain(&format!("could not wait for {}: {error}", self.name));
        }
    }
}

/// A port of the loopback address that is free now.
pub(crate) fn free_port() -> Result<u16> {
    let listener =
        std::net::TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// An empty folder for this run under `target/e2e`, named after the process so that two runs do not meet.
///
/// What earlier runs left there, logs above all, is kept until the next run.
pub(crate) fn run_folder(target: &Path, service: &str) -> Result<PathBuf> {
    let all = target.join("e2e");
    std::fs::create_dir_all(&all).with_context(|| format!("could not create {}", all.display()))?;
    let prefix = format!("{service}-");
    for entry in std::fs::read_dir(&all)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        if owner.is_some_and(|pid| !answers("kill", &["-0", pid])) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    let folder = all.join(format!("{prefix}{}", std::process::id()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir(&folder)
        .with_context(|| format!("could not create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_alive(pid: &str) -> bool {
        crate::outside::answers("kill", &["-0", pid])
    }

    #[test]
    fn a_service_ends_with_its_handle_and_its_cleanup_runs_first() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (pid_file, cleaned) = (folder.path().join("pid"), folder.path().join("cleaned"));
        let mut program = Command::new("sh");
        program
            .args(["-c", "echo $$ > \"$0\"; exec sleep 600"])
            .arg(&pid_file);
        let cleanup = format!("touch '{}'", cleaned.display());
        let service = Service::start("sleeper", &program, &folder.path().join("log"), &cleanup)?;
        service.wait_until(Duration::from_secs(10), || {
            pid_file.metadata().is_ok_and(|file| file.len() > 1)
        })?;
        let pid = std::fs::read_to_string(&pid_file)?.trim().to_owned();
        assert!(is_alive(&pid));
        assert!(!cleaned.exists());
        drop(service);
        assert!(!is_alive(&pid));
        assert!(cleaned.exists());
        Ok(())
    }

    #[test]
    fn folders_of_runs_that_are_over_go_and_those_of_running_ones_stay() -> Result<()> {
        let target = tempfile::tempdir()?;
        let all = target.path().join("e2e");
        let mut over = Command::new("true").spawn()?;
        over.wait()?;
        let (old, running) = (format!("kafka-{}", over.id()), "kafka-1".to_owned());
        for name in [&old, &running, &"redis-x".to_owned()] {
            std::fs::create_dir_all(all.join(name))?;
        }
        let folder = run_folder(target.path(), "kafka")?;
        assert!(folder.is_dir());
        assert!(!all.join(old).exists());
        assert_eq!(all.join(running).exists(), is_alive("1"));
        assert!(all.join("redis-x").exists());
        Ok(())
    }

    #[test]
    fn a_service_that_never_answers_shows_its_last_words() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut program = Command::new("sh");
        program.args(["-c", "echo 'no such option'"]);
        let log = folder.path().join("log");
        let service = Service::start("broken", &program, &log, "")?;
        let mut looks = 0;
        let error = service.wait_until(Duration::from_millis(300), || {
            looks += 1;
            false
        });
        let message = error.expect_err("it never answers").to_string();
        assert!(looks > 1);
        assert!(
            message.starts_with("broken did not answer within 300ms"),
            "{message}"
        );
        assert!(message.ends_with("no such option"), "{message}");
        Ok(())
    }
}
