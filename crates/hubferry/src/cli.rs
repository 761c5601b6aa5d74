//! The command line: what can be asked, and who answers.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::auth::{self, AuthArgs};
use crate::config::{self, Loaded, Surroundings};
use crate::dlq::{self, DlqArgs};
use crate::exit::Failure;
use crate::init::{self, InitArgs};
use crate::log::{self, Usual};
use crate::output::{self, Form};
use crate::replay::{self, ReplayArgs};
use crate::route::{self, RouteArgs};
use crate::schema_command::{self, SchemaArgs};
use crate::workbench::{self, Tool};
use crate::{check, demo, doctor, limits, produce, run, sim};

const EXAMPLES: &str = "\
Examples:
  hubferry demo                                        see it work: nothing else is needed
  hubferry check --config hubferry.yaml                find every mistake before the first event
  hubferry run --config hubferry.yaml                  the worker: Kafka to HubSpot
  hubferry run --config c.yaml --input events.ndjson   the same for a file, without Kafka

Exit codes: 0 done, nothing lost; 1 configuration or command line; 2 data; 3 something outside (broker, Redis, HubSpot)";

/// Carries customer events from Kafka into HubSpot: ordered per user, in full batches, within the limit.
#[derive(Parser, Debug)]
#[command(name = "hubferry", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct Common {
    /// Configuration: a YAML or JSON file, or a folder with hubferry.yaml and mappings/*.yaml; repeatable
    #[arg(long, short, value_name = "PATH", global = true)]
    config: Vec<PathBuf>,
    /// How results are printed
    #[arg(
        long,
        short,
        value_name = "FORM",
        global = true,
        default_value = "text"
    )]
    output: OutputForm,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum OutputForm {
    #[value(alias = "table")]
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show the whole thing in a minute: embedded broker, simulated HubSpot, sample events
    Demo(DemoArgs),
    /// Run the worker; with --input, carry the events of a file and end
    Run(RunArgs),
    /// Put NDJSON events on the topic, keyed by identity
    Produce(ProduceArgs),
    /// Copy a topic that is not keyed by identity to one that is
    Route(RouteArgs),
    /// Check configuration and mappings; with --live, broker, Redis and token too
    Check(CheckArgs),
    /// Sign in by OAuth, look at connections, renew, cut and connect them again
    Auth(AuthArgs),
    /// What the portal offers: types, properties, groups, ids, labels, lists, events; pin it, compare it
    Schema(SchemaArgs),
    #[command(flatten)]
    Workbench(Tool),
    /// Write a first configuration: mappings, their tests, the portal's schema; overwrites nothing
    Init(InitArgs),
    /// Look at everything outside, pass or fail with the fix: Kafka, Redis, clock, token, scopes, limits
    Doctor,
    /// The account's windows: what is used, who holds what, what is left of the day
    Limits,
    /// Dead letters: list, show, count by cause, explain, export
    Dlq(DlqArgs),
    /// Send dead letters through again: plan, run, status, stop, resume, discard
    Replay(ReplayArgs),
    /// Serve the HubSpot simulator
    Sim(SimArgs),
    /// About the configuration file
    Config(ConfigArgs),
}

#[derive(Args, Debug)]
struct DemoArgs {
    /// Makes another stream of sample events
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args, Debug)]
struct RunArgs {
    /// Events as NDJSON instead of a topic; `-` is standard input
    #[arg(long, value_name = "FILE|-")]
    input: Option<String>,
    /// Where the dead letters of --input go, one JSON object a line
    #[arg(
        long,
        value_name = "FILE",
        default_value = "dead-letters.ndjson",
        requires = "input"
    )]
    dead_letters: PathBuf,
}

#[derive(Args, Debug)]
struct ProduceArgs {
    /// Events as NDJSON; `-` is standard input
    #[arg(value_name = "FILE|-")]
    file: String,
    /// The topic, when it is not the first of the configuration
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// Also ask the broker, Redis and HubSpot
    #[arg(long)]
    live: bool,
    /// Warnings count as problems
    #[arg(long)]
    strict: bool,
}

#[derive(Args, Debug)]
struct SimArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Faults to inject, a JSON file
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Makes the same choices again
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args, Debug)]
struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand, Debug)]
enum ConfigCommand {
    /// Print the commented file with every key and its default
    Reference,
    /// Print the JSON Schema of the configuration, for completion in editors
    Schema,
}

/// Reads the command line of the process, does what it says, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let around = Surroundings::of_process();
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match dispatch(cli, &around) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(&format!("hubferry: {failure}"));
            ExitCode::from(&failure)
        }
    }
}

/// Help and version end well; anything else clap refuses is a mistake of the command line: 1, not clap's 2.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // A closed terminal is no reason to change the exit code.
        error.print().ok();
        if error.use_stderr() {
            ExitCode::from(1)
        } else {
            ExitCode::SUCCESS
        }
    })
}

fn dispatch(cli: Cli, around: &Surroundings) -> Result<(), Failure> {
    let form = match cli.common.output {
        OutputForm::Text => Form::Text,
        OutputForm::Json => Form::Json,
    };
    let paths = cli.common.config;
    match cli.command {
        Command::Demo(args) => {
            log::start(Usual::Warn, around);
            run_to_end(Box::pin(demo::demo(args.seed, form)))
        }
        Command::Run(args) => match args.input {
            Some(input) => {
                log::start(Usual::Warn, around);
                let loaded = load(&paths, around)?;
                let asked = run::OverFile {
                    input,
                    dead_letters: args.dead_letters,
                    form,
                };
                run_to_end(Box::pin(run::over_file(loaded, asked)))
            }
            None => {
                log::start(Usual::Info, around);
                let loaded = load(&paths, around)?;
                run_to_end(Box::pin(run::over_kafka(loaded)))
            }
        },
        Command::Produce(args) => {
            log::start(Usual::Warn, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(produce::produce(
                loaded, &args.file, args.topic, form,
            )))
        }
        Command::Route(args) => {
            log::start(Usual::Info, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(route::route(loaded, args, form)))
        }
        Command::Check(args) => {
            log::start(Usual::Warn, around);
            let asked = check::Asked {
                live: args.live,
                strict: args.strict,
                form,
            };
            named(&paths)?;
            let inspected = config::inspect(&paths, around);
            run_to_end(Box::pin(check::check(&paths, inspected, asked)))
        }
        Command::Auth(args) => {
            log::start(Usual::Warn, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(auth::auth(loaded, args, form)))
        }
        Command::Schema(args) => {
            log::start(Usual::Warn, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(schema_command::schema(&paths, loaded, args, form)))
        }
        Command::Workbench(tool) => {
            log::start(Usual::Warn, around);
            workbench::work(tool, &paths, around, form)
        }
        Command::Init(args) => {
            log::start(Usual::Warn, around);
            run_to_end(Box::pin(init::init(args, around.clone(), form)))
        }
        Command::Doctor => {
            log::start(Usual::Warn, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(doctor::doctor(loaded, form)))
        }
        Command::Limits => {
            log::start(Usual::Warn, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(limits::limits(loaded, form)))
        }
        Command::Dlq(args) => {
            log::start(Usual::Warn, around);
            let loaded = args.needs_configuration().then(|| load(&paths, around));
            run_to_end(Box::pin(dlq::dlq(loaded.transpose()?, args, form)))
        }
        Command::Replay(args) => {
            log::start(Usual::Warn, around);
            let loaded = load(&paths, around)?;
            run_to_end(Box::pin(replay::replay(loaded, args, form)))
        }
        Command::Sim(args) => {
            log::start(Usual::Info, around);
            run_to_end(Box::pin(sim::sim(args.listen, args.faults, args.seed)))
        }
        Command::Config(args) => match args.command {
            ConfigCommand::Reference => output::print(config::REFERENCE),
            ConfigCommand::Schema => output::print(&format!("{:#}\n", config::schema())),
        },
    }
}

pub(crate) fn named(paths: &[PathBuf]) -> Result<(), Failure> {
    if paths.is_empty() {
        return Err(Failure::Usage(
            "no configuration: add --config FILE (`hubferry config reference` prints one to start from)"
                .to_owned(),
        ));
    }
    Ok(())
}

fn load(paths: &[PathBuf], around: &Surroundings) -> Result<Loaded, Failure> {
    named(paths)?;
    config::load(paths, around).map_err(Failure::Problems)
}

/// Runs a command on a runtime of its own.
pub(crate) fn run_to_end(
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Outside(format!("could not start the runtime: {error}")))?;
    let ended = runtime.block_on(command);
    // Everything that must be waited for has been. What is left are threads that wait for something that may never
    // come: a line on standard input, a broker that does not answer.
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests;
