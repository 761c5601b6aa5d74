//! What is not said on the command line is asked for on a terminal; everywhere else the defaults are taken.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::files::{Choices, Token};
use super::{InitArgs, Template};
use crate::config::Surroundings;
use crate::exit::Failure;
use crate::output;

const BROKERS: &str = "localhost:9092";
const TOPIC: &str = "customer-events";
const REDIS: &str = "redis://localhost:6379";

pub(super) fn choices(args: &InitArgs, around: &Surroundings) -> Result<Choices, Failure> {
    if !is_name(&args.name) {
        return Err(Failure::Usage(format!(
            "--name {:?}: letters, digits, - and _ only",
            args.name
        )));
    }
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    let has_variable = around.variables.contains_key("HUBSPOT_TOKEN");
    let token = match (&args.token_file, args.simulator) {
        (Some(path), _) => Token::File(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        (None, true) => Token::Simulator,
        (None, false) if asks && !has_variable => token_of(&answer(
            "file with the token of a private app (empty: the simulator)",
            "",
        )?),
        (None, false) => Token::Variable(has_variable),
    };
    Ok(Choices {
        name: args.name.clone(),
        templates: match args.template.as_slice() {
            [] => Template::ALL.to_vec(),
            chosen => chosen.to_vec(),
        },
        brokers: value("Kafka brokers", args.brokers.as_ref(), BROKERS, asks)?,
        topic: value("topic with the events", args.topic.as_ref(), TOPIC, asks)?,
        redis: value("Redis", args.redis.as_ref(), REDIS, asks)?,
        token,
    })
}

fn token_of(path: &str) -> Token {
    if path.is_empty() {
        Token::Simulator
    } else {
        Token::File(std::path::absolute(path).unwrap_or_else(|_| path.into()))
    }
}

fn value(what: &str, given: Option<&String>, usual: &str, asks: bool) -> Result<String, Failure> {
    let text = match given {
        Some(given) => given.clone(),
        None if asks => answer(what, usual)?,
        None => usual.to_owned(),
    };
    if text.chars().any(char::is_control) {
        return Err(Failure::Usage(format!("{what}: a text of one line")));
    }
    Ok(text)
}

fn answer(what: &str, usual: &str) -> Result<String, Failure> {
    let hint = if usual.is_empty() {
        String::new()
    } else {
        format!(" [{usual}]")
    };
    output::tell(&format!("{what}{hint}:"));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::Usage(format!("could not read the answer: {error}")))?;
    let line = line.trim();
    Ok(if line.is_empty() { usual } else { line }.to_owned())
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && name.chars().all(allowed)
}
