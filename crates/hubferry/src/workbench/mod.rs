//! The workbench: the commands with which mappings are written and tested. None of them touches the network.

mod eval;
mod import;
mod lines;
mod suite;
mod trial;

mod open;
mod paint;
mod rehearsal;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli;
use crate::config::Surroundings;
use crate::exit::Failure;
use crate::output::Form;

/// The commands of the workbench, as they stand on the command line.
#[derive(Subcommand, Debug)]
pub(crate) enum Tool {
    /// Evaluate mapping, trigger or payload cases: NDJSON on standard input, one answer a line
    Eval(EvalArgs),
    /// Show what events would do: mappings, payloads, steps and calls; nothing is written
    Try(TryArgs),
    /// Run the mapping tests (*.test.yaml) of folders; no network, no token
    Test(TestArgs),
    /// Turn the reference workspace's exported subscriptions into a configuration, with notes
    Import(ImportArgs),
}

#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    what: eval::What,
}

#[derive(Args, Debug)]
pub(crate) struct TryArgs {
    /// Events as NDJSON; `-` is standard input
    #[arg(long, value_name = "FILE|-")]
    events: String,
    /// Only this mapping, by DESTINATION/NAME or its name alone; also one that is not enabled
    #[arg(long, value_name = "MAPPING")]
    mapping: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Folders to look through, or test files
    #[arg(required = true, value_name = "DIR")]
    places: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// A JSON list of subscriptions: name, actionSlug, trigger, enabled, settings or mapping
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Does what was asked.
///
/// # Errors
///
/// As the command says.
pub(crate) fn work(
    tool: Tool,
    paths: &[PathBuf],
    around: &Surroundings,
    form: Form,
) -> Result<(), Failure> {
    match tool {
        Tool::Eval(args) => eval::eval(args.what),
        Tool::Try(args) => {
            cli::named(paths)?;
            let asked = trial::Asked {
                events: args.events,
                mapping: args.mapping,
                form,
            };
            cli::run_to_end(Box::pin(trial::trial(paths, around, asked)))
        }
        Tool::Import(args) => import::import(&args.file, around, form),
        Tool::Test(args) => {
            let asked = suite::Asked {
                places: args.places,
                form,
            };
            cli::run_to_end(Box::pin(suite::suite(paths, around, asked)))
        }
    }
}
