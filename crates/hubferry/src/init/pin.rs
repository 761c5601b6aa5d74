//! What the portal has, for the first mappings: pinned, and compared with them.

use std::iter::repeat;
use std::path::PathBuf;

use hubferry_hubspot::BaseUrl;
use hubferry_sim::{SimSettings, Simulator};

use super::files::{Choices, Token, mapping_file};
use crate::config::{self, Configuration, Surroundings};
use crate::exit::Failure;
use crate::pinned::PinnedPortal;
use crate::portals;
use crate::schema_command::{fit, live};

/// Reads the portal when there is a token for it, or the simulator's sample.
///
/// # Errors
///
/// HubSpot does not answer, or does not accept the token.
pub(super) async fn read(
    choices: &Choices,
    files: &[(PathBuf, String)],
    around: &Surroundings,
) -> Result<Option<PinnedPortal>, Failure> {
    let simulator = match choices.token {
        Token::Variable(false) => return Ok(None),
        Token::Variable(true) | Token::File(_) => None,
        Token::Simulator => {
            let started = Simulator::start(SimSettings::sample()).await;
            Some(started.map_err(|error| Failure::Outside(error.to_string()))?)
        }
    };
    let mut configuration = configuration(files, around)?;
    // What the workers share is of no use to someone who only reads, and may not be there yet.
    configuration.redis = None;
    let Some(mut destination) = configuration.destinations.pop() else {
        return Ok(None);
    };
    if let Some(simulator) = &simulator {
        let url = BaseUrl::parse(&simulator.base_url());
        destination.hubspot.base_url =
            url.map_err(|error| Failure::Bug(format!("the simulator's address: {error}")))?;
    }
    let connected = portals::connect(&configuration, &destination, None).await?;
    let portal = live(&destination, &connected.client, &portals::Turns::alone()).await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    portal.map(Some)
}

/// The files as a configuration, before they are written.
fn configuration(
    files: &[(PathBuf, String)],
    around: &Surroundings,
) -> Result<Configuration, Failure> {
    let mut text = String::new();
    for (path, part) in files {
        if path.starts_with("mappings") {
            for (line, begin) in part
                .lines()
                .zip(std::iter::once("      - ").chain(repeat("        ")))
            {
                text.push_str(begin);
                text.push_str(line);
                text.push('\n');
            }
        } else if !path.starts_with("tests") {
            text.push_str(part);
            text.push_str("    mappings:\n");
        }
    }
    let loaded = config::load_text(&text, around).map_err(Failure::Problems)?;
    Ok(loaded.configuration)
}

/// Mappings that the portal is not ready for are written switched off, with the reason. Gives name and reason of each.
///
/// # Errors
///
/// The configuration cannot be read, which is a bug.
pub(super) fn switch_off(
    files: &mut [(PathBuf, String)],
    portal: &PinnedPortal,
    around: &Surroundings,
) -> Result<Vec<(String, String)>, Failure> {
    let configuration = configuration(files, around)?;
    let destination = configuration.destinations.first();
    let found = destination.map(|destination| fit::findings(destination, portal));
    let mut off: Vec<(String, String)> = Vec::new();
    for finding in found
        .unwrap_or_default()
        .into_iter()
        .filter(|one| one.is_error)
    {
        let name = finding.path.split("mappings[").nth(1);
        let Some((name, _)) = name.and_then(|rest| rest.split_once(']')) else {
            continue;
        };
        if off.iter().all(|(known, _)| known != name) {
            off.push((name.to_owned(), finding.message));
        }
    }
    for (name, why) in &off {
        let path = mapping_file(name);
        for (_, text) in files.iter_mut().filter(|(file, _)| *file == path) {
            let line = format!("name: {name}\n");
            let why = why.replace('\n', " ");
            *text = text.replacen(
                &line,
                &format!(
                    "{line}# {why}\n# Then `hubferry schema pull`, and switch it on.\nenabled: false\n"
                ),
                1,
            );
        }
    }
    Ok(off)
}
