//! Logs: lines for people on a terminal, JSON everywhere else, filtered by `HUBFERRY_LOG`.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::config::Surroundings;

/// How much is logged when `HUBFERRY_LOG` says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Usual {
    /// A worker: what an operator should know.
    Info,
    /// A command that a person runs: what went wrong.
    Warn,
}

/// Starts logging to standard error. A second start in one process changes nothing.
pub(crate) fn start(usual: Usual, around: &Surroundings) {
    let fallback = match usual {
        Usual::Info => "info,librdkafka=warn,rdkafka=warn,hyper=warn,reqwest=warn",
        Usual::Warn => "warn,librdkafka=error,rdkafka=error,hyper=error,reqwest=error",
    };
    let filter = around
        .variables
        .get("HUBFERRY_LOG")
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(fallback));
    let terminal = io::stderr().is_terminal();
    let plain = around.variables.contains_key("NO_COLOR");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal && !plain);
    // Only the first subscriber of a process is taken; tests start several commands in one.
    if terminal {
        let builder = builder.compact().with_filter_reloading();
        let handle = builder.reload_handle();
        if builder.try_init().is_ok() {
            keep(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
        }
    } else {
        let builder = builder.json().flatten_event(true).with_filter_reloading();
        let handle = builder.reload_handle();
        if builder.try_init().is_ok() {
            keep(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
        }
    }
}

type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// How the filter of the one subscriber is changed.
static CHANGE: OnceLock<Change> = OnceLock::new();

fn keep(change: impl Fn(EnvFilter) -> Result<(), String> + Send + Sync + 'static) {
    // The subscriber is set once, and so is this.
    CHANGE.set(Box::new(change)).ok();
}

/// Changes what is logged from now on: `info`, `debug`, or a filter as in `HUBFERRY_LOG`.
///
/// # Errors
///
/// It is no filter, or nothing is logged here.
pub(crate) fn change(text: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    let change = CHANGE.get().ok_or("nothing is logged by this process")?;
    change(filter)
}
