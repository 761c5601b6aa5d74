//! `hubferry schema`: what the portal offers, and what of it is pinned to a file.

mod choices;
mod diff;
pub(crate) mod fit;
pub(crate) mod pull;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hubferry_actions::{ActionSlug, ObjectType, Sensitivity};
use hubferry_hubspot::{Client, Directory, DirectoryError, ObjectSchema, ProbeError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::auth::only;
use crate::config::Loaded;
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::pinned;
use crate::portals::{self, Turns, outside};
use crate::words::{counted, size};
use choices::Choice;

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    #[command(subcommand)]
    what: What,
    /// Which destination, when there are several
    #[arg(long, value_name = "NAME", global = true)]
    destination: Option<String>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The object types a mapping can name
    Objects(For),
    /// The properties of a type that a mapping can write; of an event with --for customEvent
    Properties {
        /// Type, as a mapping names it
        #[arg(value_name = "TYPE")]
        object: String,
        /// The sensitive ones
        #[arg(long)]
        sensitive: bool,
        #[command(flatten)]
        action: For,
    },
    /// The property groups of a type
    Groups {
        /// Type, as a mapping names it
        #[arg(value_name = "TYPE")]
        object: String,
    },
    /// The properties by which records of a type can be found
    Ids {
        /// Type, as a mapping names it
        #[arg(value_name = "TYPE")]
        object: String,
    },
    /// The association labels from one type to another
    Labels {
        /// Type of the record
        from: String,
        /// Type of the other end
        to: String,
        #[command(flatten)]
        action: For,
    },
    /// The lists of a type whose members can be changed
    Lists {
        /// Type, as a mapping names it
        #[arg(value_name = "TYPE")]
        object: String,
    },
    /// The custom event definitions
    Events(For),
    /// Pin what the mappings use to schema/DESTINATION.json, for check, try and test
    Pull,
    /// Compare what is pinned with what the portal has now
    Diff,
}

#[derive(Args, Debug)]
struct For {
    /// As this action wants them
    #[arg(long = "for", value_name = "ACTION")]
    action: Option<ActionSlug>,
}

/// The calls of one listing that has no further pages.
const MOST_CALLS: u32 = 2;

/// Does what was asked.
///
/// # Errors
///
/// HubSpot does not answer or refuses, or a file cannot be written.
pub(crate) async fn schema(
    paths: &[PathBuf],
    loaded: Loaded,
    args: SchemaArgs,
    form: Form,
) -> Result<(), Failure> {
    let configuration = &loaded.configuration;
    let destination = only(configuration, args.destination.as_deref())?;
    let pool = match &configuration.redis {
        Some(redis) => Some(portals::redis(redis).await?),
        None => None,
    };
    let connected = portals::connect(configuration, destination, pool.as_ref()).await?;
    if connected.client.is_disconnected() {
        return Err(portals::was_cut(destination));
    }
    let client = &connected.client;
    let turns = Turns::of(configuration, destination, pool.as_ref()).await?;
    match args.what {
        What::Pull => {
            let (portal, left_out) = pull::read(destination, client, &turns).await?;
            let path = pinned::path_of(paths, &destination.name);
            pull::write(&path, &portal)?;
            for line in left_out {
                output::tell(&format!("warning: {line}"));
            }
            let (objects, events) = (portal.objects.len(), portal.events.len());
            match form {
                Form::Json => output::print_json(&json!({
                    "destination": destination.name,
                    "file": path.display().to_string(),
                    "objects": objects,
                    "events": events,
                    "lists": portal.lists.len(),
                })),
                Form::Text => output::print(&format!(
                    "{}: {}, {}, {} of portal {}\n",
                    path.display(),
                    counted(size(objects), "object type"),
                    counted(size(events), "event"),
                    counted(size(portal.lists.len()), "list"),
                    portal.portal_id,
                )),
            }
        }
        What::Diff => {
            let read = pinned::read(paths, &destination.name);
            let read = read.map_err(|error| Failure::Usage(error.to_string()))?;
            let Some(before) = read else {
                return Err(Failure::Usage(format!(
                    "nothing is pinned of {}: `hubferry schema pull` does it",
                    destination.name
                )));
            };
            let (now, _) = pull::read(destination, client, &turns).await?;
            diff::print(&diff::of(&before, &now), form)
        }
        listing => {
            let stop = CancellationToken::new();
            let directory = client.directory(&stop);
            turns.take(MOST_CALLS).await;
            match list(&directory, listing).await {
                Ok(choices) => print(&choices, form),
                Err(unlisted) => refuse(unlisted, &destination.name, form),
            }
        }
    }
}

/// Why nothing can be listed.
enum Unlisted {
    /// HubSpot did not tell.
    Directory(DirectoryError),
    /// What was asked about does not exist.
    Unknown(String),
}

impl From<DirectoryError> for Unlisted {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

async fn list(directory: &Directory<'_>, what: What) -> Result<Vec<Choice>, Unlisted> {
    Ok(match what {
        What::Objects(For { action }) => {
            choices::objects(&directory.object_schemas().await?, action)
        }
        What::Properties {
            object,
            sensitive,
            action,
        } => match action.action {
            Some(ActionSlug::CustomEvent | ActionSlug::SendCustomBehavioralEvent) => {
                choices::event_properties(&directory.event_definitions().await?, &object)
            }
            _ => {
                let class = match sensitive {
                    true => Sensitivity::Sensitive,
                    false => Sensitivity::Plain,
                };
                let properties = directory.properties_of(&named(&object)?, class).await?;
                choices::properties(&properties)
            }
        },
        What::Groups { object } => {
            choices::groups(&directory.property_groups(&named(&object)?).await?)
        }
        What::Ids { object } => {
            let object = named(&object)?;
            let properties = directory.properties_of(&object, Sensitivity::Plain).await?;
            choices::ids(&object, &properties)
        }
        What::Labels { from, to, action } => {
            let labels = directory
                .association_labels(&named(&from)?, &named(&to)?)
                .await?;
            choices::labels(&from, &to, &labels, action.action)
        }
        What::Lists { object } => {
            let id = type_id(directory, &named(&object)?).await?;
            choices::lists(&directory.lists(Some(&id)).await?)
        }
        What::Events(For { action }) => {
            choices::events(&directory.event_definitions().await?, action)
        }
        What::Pull | What::Diff => Vec::new(),
    })
}

fn named(text: &str) -> Result<ObjectType, Unlisted> {
    ObjectType::parse(text)
        .ok_or_else(|| Unlisted::Unknown("name an object type, such as contact".to_owned()))
}

/// The id of a type: a standard one is known, a custom one is asked for.
async fn type_id(directory: &Directory<'_>, object: &ObjectType) -> Result<String, Unlisted> {
    if let Some(id) = object.type_id() {
        return Ok(id.to_owned());
    }
    let schemas = directory.object_schemas().await?;
    schema_of(&schemas, object)
        .map(|schema| schema.type_id.clone())
        .ok_or_else(|| {
            let name = object.as_str();
            let known = schemas.iter().map(|schema| schema.full_name.as_str());
            let hint = crate::config::closest(name, known)
                .map_or_else(String::new, |close| format!("; did you mean {close:?}?"));
            Unlisted::Unknown(format!("the portal has no object type {name:?}{hint}"))
        })
}

/// The schema of a type, by any of its names.
pub(crate) fn schema_of<'s>(
    schemas: &'s [ObjectSchema],
    object: &ObjectType,
) -> Option<&'s ObjectSchema> {
    let name = object.as_str();
    let mut all = schemas.iter();
    all.find(|schema| {
        [&schema.full_name, &schema.name, &schema.type_id].contains(&&name.to_owned())
    })
}

fn print(choices: &[Choice], form: Form) -> Result<(), Failure> {
    match form {
        Form::Json => output::print_json(&json!({
            "choices": choices.iter().map(Choice::to_json).collect::<Vec<_>>(),
        })),
        Form::Text => {
            let widths = choices.iter().map(|choice| choice.value.chars().count());
            let width = widths.max().unwrap_or_default();
            let lines = choices.iter().map(|choice| {
                let Choice { label, value } = choice;
                format!("{value:width$}  {label}\n")
            });
            output::print(&lines.collect::<String>())
        }
    }
}

/// No choices, and why: for programs in the form that the reference's drop-downs have (actions.md §2.10).
fn refuse(unlisted: Unlisted, destination: &str, form: Form) -> Result<(), Failure> {
    let (code, message) = match &unlisted {
        Unlisted::Unknown(message) => ("404".to_owned(), message.clone()),
        Unlisted::Directory(error) => (code_of(error), error.to_string()),
    };
    if form == Form::Json {
        output::print_json(&json!({
            "choices": [],
            "error": {"message": message, "code": code},
        }))?;
    }
    let message = format!("destination {destination}: {message}");
    Err(match unlisted {
        Unlisted::Unknown(_) => Failure::Usage(message),
        Unlisted::Directory(_) => Failure::Outside(message),
    })
}

/// HubSpot's status as text; 500 when there is none.
fn code_of(error: &DirectoryError) -> String {
    let status = match error {
        DirectoryError::Forbidden { .. } => 403,
        DirectoryError::Refused { .. } => 404,
        DirectoryError::Endless { .. } => 500,
        DirectoryError::Unreachable(error) => match error {
            ProbeError::Unauthorized { .. } => 401,
            ProbeError::Forbidden { .. } => 403,
            ProbeError::Passing { status } => *status,
            ProbeError::Connect { .. }
            | ProbeError::Timeout { .. }
            | ProbeError::Unexpected { .. }
            | ProbeError::Stopped => 500,
        },
    };
    status.to_string()
}

/// What a portal has now, for a comparison with mappings.
///
/// # Errors
///
/// HubSpot does not answer or refuses.
pub(crate) async fn live(
    destination: &crate::config::Destination,
    client: &Client,
    turns: &Turns,
) -> Result<pinned::PinnedPortal, Failure> {
    let (portal, _) = pull::read(destination, client, turns).await?;
    Ok(portal)
}

/// A directory's error as a command's.
fn unread(destination: &crate::config::Destination, error: &DirectoryError) -> Failure {
    outside(destination, &error.to_string())
}
