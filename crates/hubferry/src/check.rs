//! `hubferry check`: every mistake before the first event.

use hubferry_stream::{DeadLetterTopic, reachable};
use serde_json::{Map, Value, json};

use crate::config::{Configuration, Fault, Inspected, Place, Problem, Warning};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::{self, START_PATIENCE};
use crate::run::{kafka_client, tell_warnings};
use crate::words::{counted, size};

/// What was asked of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Ask the broker, Redis and HubSpot.
    pub(crate) live: bool,
    /// Warnings count as problems.
    pub(crate) strict: bool,
    /// How the result is printed.
    pub(crate) form: Form,
}

/// Says everything that is wrong, or what was found.
///
/// # Errors
///
/// Problems; warnings when strict; and whatever does not answer when live.
pub(crate) async fn check(inspected: Inspected, asked: Asked) -> Result<(), Failure> {
    let Inspected { outcome, warnings } = inspected;
    if asked.form == Form::Text {
        tell_warnings(&warnings);
    }
    let configuration = match outcome {
        Ok(configuration) => configuration,
        Err(problems) => return refuse(problems, &warnings, asked.form),
    };
    let mut found = vec![shape(&configuration)];
    let mut trouble = Vec::new();
    if let Some(kafka) = &configuration.kafka {
        kafka_client(kafka)
            .check()
            .map_err(|error| Failure::Usage(format!("config_invalid: {error}")))?;
    }
    if asked.live {
        live(&configuration, &mut found, &mut trouble).await;
    }
    match asked.form {
        Form::Text => {
            for line in &found {
                output::print(&format!("ok  {line}\n"))?;
            }
        }
        Form::Json => output::print_json(&json!({
            "ok": found,
            "warnings": warnings.iter().map(warning_json).collect::<Vec<_>>(),
            "problems": trouble.iter().map(|message| json!({ "message": message })).collect::<Vec<_>>(),
        }))?,
    }
    if !trouble.is_empty() {
        return Err(Failure::Outside(trouble.join("\nhubferry: ")));
    }
    if asked.strict && !warnings.is_empty() {
        return Err(Failure::Usage(format!(
            "{}, and --strict",
            counted(size(warnings.len()), "warning")
        )));
    }
    Ok(())
}

/// For people the problems are the error; for programs they are the result, and the error says how many.
fn refuse(problems: Vec<Problem>, warnings: &[Warning], form: Form) -> Result<(), Failure> {
    if form == Form::Text {
        return Err(Failure::Problems(problems));
    }
    let listed: Vec<Value> = problems
        .iter()
        .map(|problem| {
            let code = Some(problem.fault);
            entry(
                code,
                problem.place.as_ref(),
                &problem.path,
                &problem.message,
            )
        })
        .collect();
    output::print_json(&json!({
        "ok": [],
        "warnings": warnings.iter().map(warning_json).collect::<Vec<_>>(),
        "problems": listed,
    }))?;
    Err(Failure::Usage(format!(
        "{} in the configuration",
        counted(size(problems.len()), "problem")
    )))
}

fn warning_json(warning: &Warning) -> Value {
    let place = warning.place.as_ref();
    entry(warning.fault, place, &warning.path, &warning.message)
}

fn entry(fault: Option<Fault>, place: Option<&Place>, path: &str, message: &str) -> Value {
    let mut entry = Map::new();
    if let Some(fault) = fault {
        entry.insert("code".to_owned(), fault.code().into());
    }
    if let Some(place) = place {
        entry.insert("file".to_owned(), place.file.display().to_string().into());
        entry.insert("line".to_owned(), place.line.into());
    }
    entry.insert("path".to_owned(), path.into());
    entry.insert("message".to_owned(), message.into());
    Value::Object(entry)
}

fn shape(configuration: &Configuration) -> String {
    let enabled: Vec<_> = configuration
        .destinations
        .iter()
        .filter(|destination| destination.enabled)
        .collect();
    let mappings = enabled
        .iter()
        .flat_map(|destination| &destination.mappings)
        .filter(|mapping| mapping.enabled)
        .count();
    format!(
        "configuration {}: {}, {}",
        configuration.hash,
        counted(size(enabled.len()), "destination"),
        counted(size(mappings), "mapping"),
    )
}

async fn live(configuration: &Configuration, found: &mut Vec<String>, trouble: &mut Vec<String>) {
    if let Some(kafka) = &configuration.kafka {
        let client = kafka_client(kafka);
        match reachable(&client, START_PATIENCE).await {
            Ok(reached) => {
                found.push(format!(
                    "kafka at {}: {}",
                    client.brokers,
                    counted(size(reached.brokers), "broker")
                ));
                let template = DeadLetterTopic::parse(&kafka.dead_letter_topic);
                for topic in &kafka.topics {
                    let parked = template.as_ref().map(|template| template.of(topic));
                    for name in std::iter::once(topic.clone()).chain(parked) {
                        match reached.topics.get(&name) {
                            Some(partitions) => {
                                found.push(format!(
                                    "topic {name}: {}",
                                    counted(size(*partitions), "partition")
                                ));
                            }
                            None => trouble.push(format!(
                                "topic `{name}` does not exist at {}",
                                client.brokers
                            )),
                        }
                    }
                }
            }
            Err(error) => trouble.push(error.to_string()),
        }
    }
    if let Some(redis) = &configuration.redis {
        match portals::redis(redis).await {
            Ok(_) => found.push(format!("redis at {}", redis.shown())),
            Err(failure) => trouble.push(failure.to_string()),
        }
    }
    for destination in configuration.destinations.iter().filter(|one| one.enabled) {
        let asked = match portals::client(destination) {
            Ok(client) => portals::ask(destination, &client, None).await,
            Err(failure) => Err(failure),
        };
        match asked {
            Ok(portal) => found.push(format!("destination {}: portal {portal}", destination.name)),
            Err(failure) => trouble.push(failure.to_string()),
        }
    }
}
