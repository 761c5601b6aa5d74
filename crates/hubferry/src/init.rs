//! `hubferry init`: a first configuration with mappings, their tests, and what the portal has, pinned.

mod asking;
mod files;
mod pin;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::config::Surroundings;
use crate::exit::Failure;
use crate::output::{self, Form};
use files::{Choices, Token};

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where to write; it is made when it is not there
    #[arg(default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Which mappings to begin with; repeatable, without it all of them
    #[arg(long, value_name = "TEMPLATE")]
    template: Vec<Template>,
    /// The destination's name
    #[arg(long, value_name = "NAME", default_value = "acme")]
    name: String,
    /// Kafka's brokers
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// The topic with the events
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Redis, which the workers share
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// The file with the token of a private app; without it the variable HUBSPOT_TOKEN
    #[arg(long, value_name = "FILE", conflicts_with = "simulator")]
    token_file: Option<PathBuf>,
    /// No account at hand: write for the simulator, with its sample portal
    #[arg(long)]
    simulator: bool,
}

/// What a mapping may begin with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum Template {
    /// identify events to contacts
    Contacts,
    /// group events to companies, linked with the person
    Companies,
    /// track events to custom events
    Events,
    /// page events to custom events
    PageViews,
    /// track events to deals, linked with the person
    Deals,
    /// audiences to lists
    Audiences,
}

impl Template {
    const ALL: [Self; 6] = [
        Self::Contacts,
        Self::Companies,
        Self::Events,
        Self::PageViews,
        Self::Deals,
        Self::Audiences,
    ];
}

/// Asks on a terminal for what was not said, and writes.
///
/// # Errors
///
/// Something is in the way, cannot be written, or the portal cannot be read.
pub(crate) async fn init(args: InitArgs, around: Surroundings, form: Form) -> Result<(), Failure> {
    let choices = asking::choices(&args, &around)?;
    let dir = &args.dir;
    let mut files = files::of(&choices);
    files::nothing_in_the_way(dir, &files)?;
    let pinned = Box::pin(pin::read(&choices, &files, &around)).await?;
    let mut switched_off = Vec::new();
    if let Some(portal) = &pinned {
        let path = PathBuf::from(format!("schema/{}.json", choices.name));
        files::nothing_in_the_way(dir, &[(path.clone(), String::new())])?;
        switched_off = pin::switch_off(&mut files, portal, &around)?;
        let text = serde_json::to_string_pretty(portal)
            .map_err(|error| Failure::Bug(format!("a schema that is no JSON: {error}")))?;
        files.push((path, format!("{text}\n")));
    }
    files::write(dir, &files)?;
    tell(dir, &files, &switched_off, &choices, form)
}

fn tell(
    dir: &Path,
    files: &[(PathBuf, String)],
    switched_off: &[(String, String)],
    choices: &Choices,
    form: Form,
) -> Result<(), Failure> {
    let written: Vec<String> = files
        .iter()
        .map(|(path, _)| dir.join(path).display().to_string())
        .collect();
    if form == Form::Json {
        let off = switched_off
            .iter()
            .map(|(mapping, why)| json!({ "mapping": mapping, "reason": why }));
        return output::print_json(&json!({
            "files": written,
            "switched_off": off.collect::<Vec<_>>(),
        }));
    }
    for path in &written {
        output::print(&format!("wrote {path}\n"))?;
    }
    for (mapping, why) in switched_off {
        output::tell(&format!("mapping {mapping} is switched off: {why}"));
    }
    let dir = dir.display();
    let before = match choices.token {
        Token::Simulator => {
            format!("  hubferry sim --listen {}\n", files::SIMULATOR)
        }
        Token::Variable(false) => "  export HUBSPOT_TOKEN=…\n".to_owned(),
        Token::Variable(true) | Token::File(_) => String::new(),
    };
    output::tell(&format!(
        "next:\n{before}  hubferry check --config {dir}\n  hubferry test {dir}/tests\n  hubferry run --config {dir}"
    ));
    Ok(())
}
