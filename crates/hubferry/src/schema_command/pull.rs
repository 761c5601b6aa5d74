//! What is pinned of a portal: the types, lists and events that the enabled mappings use, and the four usual types.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use hubferry_actions::{ListInfo, ObjectType};
use hubferry_hubspot::{Client, Directory, DirectoryError, ObjectSchema};
use tokio_util::sync::CancellationToken;

use super::{schema_of, unread};
use crate::auth::uses;
use crate::clock::{now_ms, rfc3339};
use crate::config::Destination;
use crate::exit::Failure;
use crate::pinned::{PinnedLabel, PinnedList, PinnedObject, PinnedPortal, VERSION};
use crate::portals::{self, Turns};

/// Types that are pinned whether a mapping uses them or not.
const USUAL: [&str; 4] = ["contacts", "companies", "deals", "tickets"];

/// Reads a portal; gives also what it does not let us read and nothing needs.
///
/// # Errors
///
/// HubSpot does not answer, or refuses something that a mapping uses.
pub(crate) async fn read(
    destination: &Destination,
    client: &Client,
    turns: &Turns,
) -> Result<(PinnedPortal, Vec<String>), Failure> {
    let stop = CancellationToken::new();
    let reading = Reading {
        destination,
        directory: client.directory(&stop),
        wanted: Wanted::of(destination),
        turns,
    };
    turns.take(1).await;
    let mut left_out = Vec::new();
    let mut portal = PinnedPortal {
        version: VERSION,
        portal_id: portals::ask(destination, client, None).await?,
        read_at: rfc3339(now_ms()),
        ..PinnedPortal::default()
    };
    let schemas = reading.schemas(&mut left_out).await?;
    reading
        .objects(&schemas, &mut portal, &mut left_out)
        .await?;
    reading.labels(&mut portal).await?;
    reading.lists(&schemas, &mut portal).await?;
    if reading.wanted.events {
        turns.take(1).await;
        let events = reading.directory.event_definitions().await;
        let events = events.map_err(|error| unread(destination, &error))?;
        let events = events.into_iter().map(|event| event.definition);
        portal.events = events.collect();
        portal.events.sort_by(|a, b| a.full_name.cmp(&b.full_name));
    }
    Ok((portal, left_out))
}

/// Writes a pinned portal, whole or not at all.
///
/// # Errors
///
/// The file or its folder cannot be written.
pub(crate) fn write(path: &Path, portal: &PinnedPortal) -> Result<(), Failure> {
    let unwritten = |error: std::io::Error| {
        Failure::Usage(format!("could not write {}: {error}", path.display()))
    };
    let text = serde_json::to_string_pretty(portal)
        .map_err(|error| Failure::Bug(format!("a schema that is no JSON: {error}")))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritten)?;
    }
    let beside = path.with_extension("json.new");
    let mut file = std::fs::File::create(&beside).map_err(unwritten)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .map_err(unwritten)?;
    std::fs::rename(&beside, path).map_err(unwritten)
}

/// What the enabled mappings use together.
#[derive(Default)]
struct Wanted {
    objects: BTreeSet<ObjectType>,
    links: BTreeSet<(ObjectType, ObjectType)>,
    lists: BTreeSet<ObjectType>,
    events: bool,
}

impl Wanted {
    fn of(destination: &Destination) -> Self {
        let mut wanted = Self::default();
        for (_, uses) in uses::of_destination(destination) {
            wanted.objects.extend(uses.objects);
            wanted.links.extend(uses.links);
            wanted.lists.extend(uses.lists);
            wanted.events |= uses.events;
        }
        wanted
    }

    fn has_custom(&self) -> bool {
        self.objects.iter().any(|object| object.type_id().is_none())
    }
}

struct Reading<'a> {
    destination: &'a Destination,
    directory: Directory<'a>,
    wanted: Wanted,
    turns: &'a Turns,
}

impl Reading<'_> {
    async fn schemas(&self, left_out: &mut Vec<String>) -> Result<Vec<ObjectSchema>, Failure> {
        if !self.wanted.has_custom() {
            return Ok(Vec::new());
        }
        self.turns.take(1).await;
        match self.directory.object_schemas().await {
            Ok(schemas) => Ok(schemas),
            Err(error @ (DirectoryError::Forbidden { .. } | DirectoryError::Refused { .. })) => {
                left_out.push(error.to_string());
                Ok(Vec::new())
            }
            Err(error) => Err(unread(self.destination, &error)),
        }
    }

    async fn objects(
        &self,
        schemas: &[ObjectSchema],
        portal: &mut PinnedPortal,
        left_out: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let usual = USUAL.iter().map(|name| ObjectType::new(name));
        let all: BTreeSet<ObjectType> = self.wanted.objects.iter().cloned().chain(usual).collect();
        for object in all {
            // One for each class of sensitivity.
            self.turns.take(3).await;
            let properties = match self.directory.properties(&object).await {
                Ok(properties) => properties,
                Err(
                    error @ (DirectoryError::Forbidden { .. } | DirectoryError::Refused { .. }),
                ) => {
                    left_out.push(format!("{}: {error}", object.as_str()));
                    continue;
                }
                Err(error) => return Err(unread(self.destination, &error)),
            };
            let properties = properties.into_iter();
            let pinned = PinnedObject {
                type_id: type_id(schemas, &object).unwrap_or_default(),
                properties: properties
                    .map(|entry| (entry.name.as_str().to_owned(), entry.info))
                    .collect(),
            };
            portal.objects.insert(object.as_str().to_owned(), pinned);
        }
        Ok(())
    }

    async fn labels(&self, portal: &mut PinnedPortal) -> Result<(), Failure> {
        for (from, to) in &self.wanted.links {
            self.turns.take(1).await;
            let labels = match self.directory.association_labels(from, to).await {
                Ok(labels) => labels,
                Err(DirectoryError::Forbidden { .. } | DirectoryError::Refused { .. }) => continue,
                Err(error) => return Err(unread(self.destination, &error)),
            };
            portal
                .labels
                .extend(labels.into_iter().map(|entry| PinnedLabel {
                    from: from.as_str().to_owned(),
                    to: to.as_str().to_owned(),
                    kind: format!("{}:{}", entry.kind.category, entry.kind.type_id),
                    label: entry.label,
                }));
        }
        Ok(())
    }

    async fn lists(
        &self,
        schemas: &[ObjectSchema],
        portal: &mut PinnedPortal,
    ) -> Result<(), Failure> {
        for object in &self.wanted.lists {
            let Some(id) = type_id(schemas, object) else {
                continue;
            };
            self.turns.take(1).await;
            let lists = self.directory.lists(Some(&id)).await;
            let lists = lists.map_err(|error| unread(self.destination, &error))?;
            portal
                .lists
                .extend(lists.into_iter().map(|list| PinnedList {
                    object: object.as_str().to_owned(),
                    info: ListInfo {
                        writable: list.processing != "DYNAMIC",
                        id: list.id.into(),
                    },
                    name: list.name,
                }));
        }
        Ok(())
    }
}

fn type_id(schemas: &[ObjectSchema], object: &ObjectType) -> Option<String> {
    let known = object.type_id().map(ToOwned::to_owned);
    known.or_else(|| schema_of(schemas, object).map(|schema| schema.type_id.clone()))
}
