//! Destinations: a portal, how to talk to it, and the mappings that feed it.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hubferry_actions::DeletionMode;
use hubferry_hubspot::{ApiVersion, Auth, BaseUrl, EventsPrefix, Secret};
use serde_json::Value;

use super::layers::{Secrets, Surroundings};
use super::mapping::{MappingEntry, Owner, mappings};
use super::meant::at_least_one;
use super::problem::Problems;
use super::section::Section;

/// A named portal with its mappings.
#[derive(Debug)]
pub struct Destination {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Whether anything is sent there.
    pub enabled: bool,
    /// The names by which an event's `integrations` may switch it off.
    pub aliases: Vec<String>,
    /// How to talk to the portal.
    pub hubspot: HubSpot,
    /// What feeds it; the disabled ones are here too.
    pub mappings: Vec<MappingEntry>,
    /// How `delete` events delete; they do nothing when it is not enabled.
    pub deletion: Option<DeletionMode>,
}

/// The name under which deletions are delivered, as if a mapping of that name made them.
pub(crate) const DELETION: &str = "deletion";

/// `hubspot` of a destination.
#[derive(Debug)]
pub struct HubSpot {
    /// Where HubSpot is.
    pub base_url: BaseUrl,
    /// The set of paths.
    pub version: ApiVersion,
    /// The prefix of the events paths, when it differs from the version's.
    pub events_prefix: Option<EventsPrefix>,
    /// The portal this has to be; checked against the token.
    pub portal_id: Option<u64>,
    /// How calls are authorised.
    pub auth: Auth,
    /// Where the refresh token of an OAuth app is kept, when it is a file; a sign-in without Redis writes it.
    pub refresh_token_file: Option<PathBuf>,
    /// How long a call for a single record may take.
    pub timeout_single: Duration,
    /// How long a batch call may take.
    pub timeout_batch: Duration,
    /// The limits of the portal.
    pub limits: Limits,
}

/// `hubspot.limits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls in any ten seconds.
    pub ten_seconds: NonZeroU32,
    /// Association batches in any ten seconds.
    pub associations: NonZeroU32,
    /// Searches in any second.
    pub search: NonZeroU32,
    /// Event sends in any second.
    pub event_sends: NonZeroU32,
    /// How far HubSpot's own word may raise the calls in ten seconds.
    pub ten_seconds_ceiling: NonZeroU32,
    /// Calls a day; learned from HubSpot's answers when it is not said.
    pub daily: Option<NonZeroU32>,
    /// The share that is left to the customer's other apps, in percent.
    pub others_percent: u8,
}

pub(crate) const DEFAULT_GROUP_ID: &str = "segment_group_id";
const DEFAULT_BASE_URL: &str = "https://api.hubapi.com";

/// Reads the list of destinations.
pub(crate) fn destinations(
    written: Option<&Value>,
    around: &Surroundings,
    problems: &Problems,
) -> Vec<Destination> {
    let items = match written {
        None => &[][..],
        Some(Value::Array(items)) => items,
        Some(_) => {
            problems.invalid("destinations", "not a list of destinations");
            return Vec::new();
        }
    };
    let mut names = BTreeSet::new();
    let read: Vec<Destination> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let name = item.get("name").and_then(Value::as_str);
            let path = format!(
                "destinations[{}]",
                name.map_or_else(|| index.to_string(), ToOwned::to_owned)
            );
            if name.is_some_and(|name| !names.insert(name.to_owned())) {
                problems.invalid(&path, "the name is used twice");
            }
            destination(&path, item, around, problems)
        })
        .collect();
    if items.is_empty() {
        problems.invalid(
            "destinations",
            "nothing is enabled: add a destination with a mapping",
        );
    } else if problems.count() == 0 && enabled_mappings(&read) == 0 {
        problems.invalid(
            "destinations",
            "nothing is enabled: no destination has an enabled mapping",
        );
    }
    read
}

fn enabled_mappings(destinations: &[Destination]) -> usize {
    destinations
        .iter()
        .filter(|destination| destination.enabled)
        .map(|destination| destination.active_ids().count())
        .sum()
}

impl Destination {
    /// `DESTINATION/NAME` of everything that makes deliveries: the enabled mappings, and deletions where they are enabled.
    pub(crate) fn active_ids(&self) -> impl Iterator<Item = String> + '_ {
        let enabled = self.mappings.iter().filter(|mapping| mapping.enabled);
        let mappings = enabled.map(|mapping| mapping.id.clone());
        mappings.chain(self.deletion.map(|_| self.deletion_id()))
    }

    /// The id of its deletions.
    pub(crate) fn deletion_id(&self) -> String {
        format!("{}/{DELETION}", self.name)
    }
}

fn destination(
    path: &str,
    item: &Value,
    around: &Surroundings,
    problems: &Problems,
) -> Option<Destination> {
    let section = Section::at(path, Some(item), problems);
    let name = section.text("name").unwrap_or_default();
    if name.is_empty() || name.contains(['/', ' ']) {
        section.missing("name", "a name without spaces and slashes");
    }
    let enabled = section.flag("enabled", true);
    let aliases = section.texts("aliases").unwrap_or_else(|| {
        hubferry_event::DEFAULT_ALIASES
            .map(ToOwned::to_owned)
            .to_vec()
    });
    let group_id_property = section
        .text("group_id_property")
        .unwrap_or_else(|| DEFAULT_GROUP_ID.to_owned());
    let deletion = deletion(section.section("deletion"));
    let hubspot = hubspot(section.section("hubspot"), around);
    let mappings_path = section.path_of("mappings");
    let mappings = mappings(
        &mappings_path,
        section.raw("mappings"),
        Owner {
            name: &name,
            group_id_property: &group_id_property,
            portal_id: hubspot.as_ref().and_then(|hubspot| hubspot.portal_id),
        },
        problems,
    );
    if deletion.is_some() {
        keep_free(&mappings_path, &mappings, problems);
    }
    section.finish();
    Some(Destination {
        name,
        enabled,
        aliases,
        hubspot: hubspot?,
        mappings,
        deletion,
    })
}

/// How `delete` events delete, when they do.
fn deletion(section: Section<'_>) -> Option<DeletionMode> {
    let enabled = section.flag("enabled", false);
    let modes = [
        ("archive", DeletionMode::Archive),
        ("gdpr", DeletionMode::Gdpr),
    ];
    let mode = section.choice("mode", &modes).unwrap_or_default();
    section.finish();
    enabled.then_some(mode)
}

/// Two kinds of deliveries must not bear one name.
fn keep_free(path: &str, mappings: &[MappingEntry], problems: &Problems) {
    let takes_it = |mapping: &&MappingEntry| {
        mapping
            .id
            .split_once('/')
            .is_some_and(|(_, name)| name == DELETION)
    };
    if mappings.iter().any(|mapping| takes_it(&mapping)) {
        problems.invalid(
            &format!("{path}[{DELETION}].name"),
            format!("{DELETION:?} is the name of the destination's own deletions: give the mapping another name, or disable deletion"),
        );
    }
}

fn hubspot(section: Section<'_>, around: &Surroundings) -> Option<HubSpot> {
    let base_url = base_url(&section);
    let version = section
        .choice(
            "api_version",
            &[
                ("2026-03", ApiVersion::V2026_03),
                ("2026-09", ApiVersion::V2026_09),
                ("v3", ApiVersion::Legacy),
                ("v4", ApiVersion::Legacy),
            ],
        )
        .unwrap_or(ApiVersion::V2026_03);
    let events_prefix = events_prefix(&section);
    let portal_id = section.number("portal_id");
    let timeouts = section.section("timeouts");
    let timeout_single = timeouts.duration("single", Duration::from_secs(10));
    let timeout_batch = timeouts.duration("batch", Duration::from_secs(30));
    timeouts.finish();
    let limits = limits(section.section("limits"));
    let section_auth = section.raw("auth");
    let auth = if section_auth.is_some() {
        auth(section.section("auth"), around)
    } else {
        section.missing("auth", "{ kind: private_app, token_file: PATH }, with token_env: NAME instead, or { kind: oauth, … }");
        None
    };
    section.finish();
    Some(HubSpot {
        base_url: base_url?,
        version,
        events_prefix,
        portal_id,
        refresh_token_file: refresh_token_file(section_auth),
        auth: auth?,
        timeout_single,
        timeout_batch,
        limits,
    })
}

fn base_url(section: &Section<'_>) -> Option<BaseUrl> {
    let text = section
        .text("base_url")
        .unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
    match BaseUrl::parse(&text) {
        Ok(url) => Some(url),
        Err(error) => {
            let path = section.path_of("base_url");
            section
                .problems()
                .invalid(&path, format!("{text:?}: {error}"));
            None
        }
    }
}

fn events_prefix(section: &Section<'_>) -> Option<EventsPrefix> {
    let text = section.text("events_prefix")?;
    let parsed = EventsPrefix::parse(&text);
    let refused = |error: &hubferry_hubspot::InvalidPrefix| {
        let path = section.path_of("events_prefix");
        section.problems().invalid(&path, error.to_string());
    };
    parsed.inspect_err(refused).ok()
}

/// The file of the refresh token, for a sign-in that writes it.
fn refresh_token_file(auth: Option<&Value>) -> Option<PathBuf> {
    let auth = auth?.as_object()?;
    let is_oauth = auth.get("kind").and_then(Value::as_str) == Some("oauth");
    let file = auth.get(REFRESH_TOKEN.file)?.as_str()?;
    is_oauth.then(|| PathBuf::from(file))
}

fn limits(section: Section<'_>) -> Limits {
    let ten_seconds = section.limit("ten_seconds", at_least_one(100));
    let limits = Limits {
        ten_seconds,
        associations: section.limit("associations", at_least_one(100)),
        search: section.limit("search", at_least_one(5)),
        event_sends: section.limit("event_sends", at_least_one(1_250)),
        ten_seconds_ceiling: section
            .limit("ten_seconds_ceiling", ten_seconds)
            .max(ten_seconds),
        daily: section.optional_limit("daily"),
        others_percent: others_percent(&section),
    };
    section.finish();
    limits
}

/// The share of others, up to 90 %.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 0.9"
)]
fn others_percent(section: &Section<'_>) -> u8 {
    let share = section.share("others_share").unwrap_or(0.0);
    if share > 0.9 {
        let path = section.path_of("others_share");
        section
            .problems()
            .invalid(&path, "leaves hubferry less than 10%");
    }
    (share.min(0.9) * 100.0).round() as u8
}

fn auth(section: Section<'_>, around: &Surroundings) -> Option<Auth> {
    #[derive(Clone, Copy)]
    enum Kind {
        PrivateApp,
        OAuth,
    }
    let kind = section.choice(
        "kind",
        &[("private_app", Kind::PrivateApp), ("oauth", Kind::OAuth)],
    );
    if section.raw("kind").is_none() {
        section.missing("kind", "private_app or oauth");
    }
    let auth = match kind {
        None => return None,
        Some(Kind::PrivateApp) => {
            let keys = SecretKeys {
                file: "token_file",
                env: "token_env",
                inline: "token",
            };
            secret(&section, keys, around).map(Auth::Private)
        }
        Some(Kind::OAuth) => oauth(&section, around),
    };
    section.finish();
    auth
}

fn oauth(section: &Section<'_>, around: &Surroundings) -> Option<Auth> {
    let client_id = section.text("client_id");
    if client_id.is_none() {
        section.missing("client_id", "the id of the app");
    }
    let client_secret = SecretKeys {
        file: "client_secret_file",
        env: "client_secret_env",
        inline: "client_secret",
    };
    let client_secret = secret(section, client_secret, around);
    let refresh_token = refresh_token(section, around);
    Some(Auth::OAuth {
        client_id: client_id?,
        client_secret: client_secret?,
        refresh_token: refresh_token?,
    })
}

const REFRESH_TOKEN: SecretKeys = SecretKeys {
    file: "refresh_token_file",
    env: "refresh_token_env",
    inline: "refresh_token",
};

/// The refresh token; empty while nobody has signed in. It may stand in Redis alone, and its file appears with the first
/// sign-in.
fn refresh_token(section: &Section<'_>, around: &Surroundings) -> Option<Secret> {
    let SecretKeys { file, env, inline } = REFRESH_TOKEN;
    if [file, env, inline]
        .iter()
        .all(|key| section.raw(key).is_none())
    {
        return Some(Secret::new(""));
    }
    if let Some(path) = section.text(file)
        && around.secrets == Secrets::Needed
        && section.raw(env).is_none()
        && section.raw(inline).is_none()
        && !Path::new(&path).exists()
    {
        let message = format!("there is no {path} yet: `hubferry auth login` writes it");
        section.problems().warn(&section.path_of(file), message);
        return Some(Secret::new(""));
    }
    secret(section, REFRESH_TOKEN, around)
}

/// The three ways to name one secret.
#[derive(Clone, Copy)]
struct SecretKeys {
    file: &'static str,
    env: &'static str,
    inline: &'static str,
}

fn secret(section: &Section<'_>, keys: SecretKeys, around: &Surroundings) -> Option<Secret> {
    let SecretKeys { file, env, inline } = keys;
    let from_file = section.text(file);
    let from_env = section.text(env);
    let from_line = section.secret(inline);
    let given = [from_file.is_some(), from_env.is_some(), from_line.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        let path = section.path_of(file);
        section.problems().invalid(
            &path,
            format!("give one of {file}, {env} and {inline}, not several"),
        );
        return None;
    }
    if around.secrets == Secrets::Ignored {
        return Some(Secret::new("not read"));
    }
    if let Some(file) = from_file {
        return match read_secret_file(&PathBuf::from(file)) {
            Ok(text) => Some(Secret::new(&text)),
            Err(message) => {
                section
                    .problems()
                    .invalid(&section.path_of(keys.file), message);
                None
            }
        };
    }
    if let Some(name) = from_env {
        let found = around.variables.get(&name).map(|text| text.trim());
        let Some(text) = found.filter(|text| !text.is_empty()) else {
            let message = format!("the environment variable {name} is not set");
            section.problems().invalid(&section.path_of(env), message);
            return None;
        };
        return Some(Secret::new(text));
    }
    if let Some(text) = from_line {
        let path = section.path_of(inline);
        section.problems().warn(
            &path,
            format!("stands in the file itself: prefer {file} or {env}"),
        );
        return Some(Secret::new(&text));
    }
    section.missing(
        file,
        &format!("a file with the secret (or {env}: NAME, or {inline}: TEXT)"),
    );
    None
}

/// Reads a secret from a file, without the line end.
pub(crate) fn read_secret_file(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("could not read {}: {error}", path.display()))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(text.to_owned())
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
