//! `hubferry check`: every mistake before the first event.

use std::path::PathBuf;

use deadpool_redis::Pool;
use hubferry_stream::{DeadLetterTopic, reachable};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::auth::scopes::{self, Lacks};
use crate::config::{
    Configuration, Destination, Fault, Inspected, Place, Places, Problem, Warning,
};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::pinned;
use crate::portals::{self, START_PATIENCE, Turns};
use crate::run::{kafka_client, tell_warnings};
use crate::schema_command;
use crate::schema_command::fit::{self, Finding};
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
pub(crate) async fn check(
    paths: &[PathBuf],
    inspected: Inspected,
    asked: Asked,
) -> Result<(), Failure> {
    let Inspected {
        outcome,
        mut warnings,
        places,
    } = inspected;
    let configuration = match outcome {
        Ok(configuration) => configuration,
        Err(problems) => {
            if asked.form == Form::Text {
                tell_warnings(&warnings);
            }
            return refuse(problems, &warnings, asked.form);
        }
    };
    let mut seen = Seen {
        found: vec![shape(&configuration)],
        ..Seen::default()
    };
    if let Some(kafka) = &configuration.kafka {
        kafka_client(kafka)
            .check()
            .map_err(|error| Failure::Usage(format!("config_invalid: {error}")))?;
    }
    if asked.live {
        live(&configuration, &mut seen).await;
    } else {
        pinned_schemas(paths, &configuration, &mut seen)?;
    }
    let mut problems = Vec::new();
    for finding in std::mem::take(&mut seen.findings) {
        place(finding, &places, &mut problems, &mut warnings);
    }
    if asked.form == Form::Text {
        tell_warnings(&warnings);
        for line in &seen.found {
            output::print(&format!("ok  {line}\n"))?;
        }
    } else {
        let placed = problems.iter().map(problem_json);
        let unplaced = seen.trouble.iter();
        let unplaced = unplaced.map(|message| json!({ "message": message }));
        output::print_json(&json!({
            "ok": seen.found,
            "warnings": warnings.iter().map(warning_json).collect::<Vec<_>>(),
            "problems": placed.chain(unplaced).collect::<Vec<_>>(),
        }))?;
    }
    if !seen.trouble.is_empty() {
        if asked.form == Form::Text {
            tell_warnings(&problems);
        }
        return Err(Failure::Outside(seen.trouble.join("\nhubferry: ")));
    }
    if !problems.is_empty() {
        return match asked.form {
            Form::Text => Err(Failure::Problems(problems)),
            Form::Json => Err(how_many(&problems)),
        };
    }
    if asked.strict && !warnings.is_empty() {
        return Err(Failure::Usage(format!(
            "{}, and --strict",
            counted(size(warnings.len()), "warning")
        )));
    }
    Ok(())
}

/// What a check has seen.
#[derive(Default)]
struct Seen {
    /// What is as it should be.
    found: Vec<String>,
    /// What does not answer, or refuses.
    trouble: Vec<String>,
    /// What mappings and portals do not agree on.
    findings: Vec<Finding>,
}

/// Holds the mappings against what is pinned of their portals.
fn pinned_schemas(
    paths: &[PathBuf],
    configuration: &Configuration,
    seen: &mut Seen,
) -> Result<(), Failure> {
    for destination in configuration.destinations.iter().filter(|one| one.enabled) {
        let read = pinned::read(paths, &destination.name);
        let read = read.map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(portal) = read {
            seen.found.push(format!(
                "schema of {}: portal {}, pinned {}",
                destination.name, portal.portal_id, portal.read_at
            ));
            seen.findings.extend(fit::findings(destination, &portal));
        }
    }
    Ok(())
}

/// A finding as a problem or a warning, with its place.
fn place(
    finding: Finding,
    places: &Places,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Warning>,
) {
    let Finding {
        is_error,
        path,
        message,
    } = finding;
    let place = places.find(&path);
    if is_error {
        problems.push(Problem {
            fault: Fault::Mapping,
            path,
            message,
            place,
        });
    } else {
        warnings.push(Warning {
            fault: Some(Fault::Mapping),
            path,
            message,
            place,
        });
    }
}

/// For people the problems are the error; for programs they are the result, and the error says how many.
fn refuse(problems: Vec<Problem>, warnings: &[Warning], form: Form) -> Result<(), Failure> {
    if form == Form::Text {
        return Err(Failure::Problems(problems));
    }
    let listed: Vec<Value> = problems.iter().map(problem_json).collect();
    output::print_json(&json!({
        "ok": [],
        "warnings": warnings.iter().map(warning_json).collect::<Vec<_>>(),
        "problems": listed,
    }))?;
    Err(how_many(&problems))
}

fn how_many(problems: &[Problem]) -> Failure {
    Failure::Usage(format!(
        "{} in the configuration",
        counted(size(problems.len()), "problem")
    ))
}

fn problem_json(problem: &Problem) -> Value {
    let place = problem.place.as_ref();
    entry(Some(problem.fault), place, &problem.path, &problem.message)
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

async fn live(configuration: &Configuration, seen: &mut Seen) {
    let Seen {
        found,
        trouble,
        findings,
    } = seen;
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
    let mut pool = None;
    if let Some(redis) = &configuration.redis {
        match portals::redis(redis).await {
            Ok(opened) => {
                found.push(format!("redis at {}", redis.shown()));
                pool = Some(opened);
            }
            Err(failure) => trouble.push(failure.to_string()),
        }
    }
    for destination in configuration.destinations.iter().filter(|one| one.enabled) {
        match account(configuration, destination, pool.as_ref()).await {
            Ok(account) => {
                found.push(format!(
                    "destination {}: portal {}",
                    destination.name, account.portal
                ));
                trouble.extend(account.lacking.iter().map(Lacks::line));
                findings.extend(account.findings);
            }
            Err(failure) => trouble.push(failure.to_string()),
        }
    }
}

/// What an account says of the mappings.
struct Account {
    portal: u64,
    lacking: Vec<Lacks>,
    findings: Vec<Finding>,
}

async fn account(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
) -> Result<Account, Failure> {
    let connected = portals::connect(configuration, destination, pool).await?;
    let client = &connected.client;
    if client.is_disconnected() {
        return Err(portals::was_cut(destination));
    }
    let turns = Turns::of(configuration, destination, pool).await?;
    turns.take(2).await;
    let portal = portals::ask(destination, client, None).await?;
    let stop = CancellationToken::new();
    let lacking = scopes::compare(client, &scopes::needs(destination), &stop).await;
    let lacking = lacking.map_err(|error| portals::outside(destination, &error.to_string()))?;
    // Without its scopes the schema cannot be read, and they are what has to be said.
    let findings = if lacking.is_empty() {
        fit::findings(
            destination,
            &schema_command::live(destination, client, &turns).await?,
        )
    } else {
        Vec::new()
    };
    Ok(Account {
        portal,
        lacking,
        findings,
    })
}
