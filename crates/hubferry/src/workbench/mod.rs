//! The workbench: the commands with which mappings are written and tested. None of them touches the network.

mod eval;
mod lines;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::Surroundings;
use crate::exit::Failure;
use crate::output::Form;

/// The commands of the workbench, as they stand on the command line.
#[derive(Subcommand, Debug)]
pub(crate) enum Tool {
    /// Evaluate mapping, trigger or payload cases: NDJSON on standard input, one answer a line
    Eval(EvalArgs),
}

#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    what: eval::What,
}

/// Does what was asked.
///
/// # Errors
///
/// As the command says.
pub(crate) fn work(
    tool: Tool,
    _paths: &[PathBuf],
    _around: &Surroundings,
    _form: Form,
) -> Result<(), Failure> {
    match tool {
        Tool::Eval(args) => eval::eval(args.what),
    }
}
