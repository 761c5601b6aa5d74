//! The configuration of a workbench command: read without its secrets, and narrowed to what is looked at.

use std::path::PathBuf;
use std::sync::Arc;

use super::rehearsal::Rehearsal;
use crate::clock;
use crate::config::{self, Configuration, Surroundings, Warning, closest};
use crate::exit::Failure;
use crate::intake::Intake;
use crate::pinned::{self, PinnedPortal};

/// Mappings that can be rehearsed.
pub(super) struct Bench {
    intake: Arc<Intake>,
    /// Per enabled destination, what is pinned of its schema.
    portals: Vec<Option<Arc<PinnedPortal>>>,
    /// What is worth a second look in the configuration.
    pub(super) warnings: Vec<Warning>,
}

impl Bench {
    /// Opens the enabled mappings of a configuration, or the one that is named, enabled or not.
    ///
    /// # Errors
    ///
    /// The configuration has problems, or no such mapping.
    pub(super) fn open(
        paths: &[PathBuf],
        around: &Surroundings,
        only: Option<&str>,
    ) -> Result<Self, Failure> {
        let loaded = config::load(paths, &around.without_secrets()).map_err(Failure::Problems)?;
        let mut configuration = loaded.configuration;
        if let Some(name) = only {
            narrow(&mut configuration, name)?;
        }
        let portals = configuration
            .destinations
            .iter()
            .filter(|destination| destination.enabled)
            .map(|destination| pinned::read(paths, &destination.name))
            .map(|read| read.map(|portal| portal.map(Arc::new)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let intake = Intake::new(configuration.input, configuration.destinations);
        Ok(Self {
            intake: Arc::new(intake),
            portals,
            warnings: loaded.warnings,
        })
    }

    /// A rehearsal on an empty portal.
    pub(super) fn rehearsal(&self) -> Rehearsal {
        Rehearsal::new(Arc::clone(&self.intake), &self.portals, clock::now_ms())
    }
}

/// Leaves one mapping, by its id or by its name where that is enough.
fn narrow(configuration: &mut Configuration, name: &str) -> Result<(), Failure> {
    let ids: Vec<String> = configuration
        .destinations
        .iter()
        .flat_map(|destination| {
            let mappings = destination
                .mappings
                .iter()
                .map(|mapping| mapping.id.clone());
            mappings.chain(destination.deletion.map(|_| destination.deletion_id()))
        })
        .collect();
    let matching: Vec<&String> = ids
        .iter()
        .filter(|id| *id == name || id.split_once('/').is_some_and(|(_, own)| own == name))
        .collect();
    let id = match matching[..] {
        [only] => only.clone(),
        [] => {
            let known = ids.iter().flat_map(|id| {
                let own = id.split_once('/').map_or("", |(_, own)| own);
                [id.as_str(), own]
            });
            let hint = closest(name, known)
                .map_or_else(String::new, |known| format!("; did you mean {known:?}?"));
            return Err(Failure::Usage(format!(
                "there is no mapping {name:?} that can be delivered: there are {}{hint}",
                ids.join(", ")
            )));
        }
        _ => {
            let named: Vec<&str> = matching.iter().map(|id| id.as_str()).collect();
            return Err(Failure::Usage(format!(
                "{name:?} is the name of several mappings: say {}",
                named.join(" or ")
            )));
        }
    };
    for destination in &mut configuration.destinations {
        destination.mappings.retain(|mapping| mapping.id == id);
        destination.deletion = destination
            .deletion
            .filter(|_| destination.deletion_id() == id);
        destination.enabled = !destination.mappings.is_empty() || destination.deletion.is_some();
        for mapping in &mut destination.mappings {
            mapping.enabled = true;
        }
    }
    Ok(())
}
