//! The few things that touch the terminal, the environment and the clock.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One line for the person at the terminal.
#[expect(clippy::print_stdout, reason = "this tool talks to a terminal")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// One line about what went wrong.
#[expect(clippy::print_stderr, reason = "this tool talks to a terminal")]
pub(crate) fn complain(line: &str) {
    eprintln!("xtask: {line}");
}

/// An environment variable; empty counts as absent.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this tool that reads the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// Whether this is a CI run, where `Cargo.lock` may not change.
pub(crate) fn in_ci() -> bool {
    variable("CI").is_some()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this tool measures how long its parts take"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Looks until `look` says yes or `patience` is over.
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks, with a deadline"
)]
pub(crate) fn wait_for(patience: Duration, mut look: impl FnMut() -> bool) -> bool {
    let until = now() + patience;
    loop {
        if look() {
            return true;
        }
        if now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether a program is there and runs with these arguments.
pub(crate) fn answers(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
