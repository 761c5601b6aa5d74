//! Standard output and standard error: data on the one, everything else on the other.

use std::io::{self, Write};

use serde_json::Value;

use crate::exit::Failure;

/// How a command prints its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For people.
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Writes a text to standard output.
///
/// # Errors
///
/// When standard output is closed.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Outside(format!("could not write to standard output: {error}")))
}

/// Writes bytes to standard output as they are.
///
/// # Errors
///
/// When standard output is closed.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Outside(format!("could not write to standard output: {error}")))
}

/// Writes one JSON document and a line end to standard output.
///
/// # Errors
///
/// When standard output is closed.
pub fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Writes a line to standard error; a closed standard error is nobody's problem.
pub fn tell(line: &str) {
    io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes())
        .ok();
}
