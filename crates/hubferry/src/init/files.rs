//! What is written: the configuration, a file for each mapping, and one for its tests.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Template;
use crate::exit::Failure;

/// What was chosen.
pub(super) struct Choices {
    pub(super) name: String,
    pub(super) templates: Vec<Template>,
    pub(super) brokers: String,
    pub(super) topic: String,
    pub(super) redis: String,
    pub(super) token: Token,
}

/// Where the token comes from.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A file.
    File(PathBuf),
    /// The variable `HUBSPOT_TOKEN`, and whether it is there now.
    Variable(bool),
    /// There is no account: the simulator takes any.
    Simulator,
}

/// Where the simulator is expected.
pub(super) const SIMULATOR: &str = "127.0.0.1:8080";

impl Template {
    const fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Contacts => (
                "contacts",
                include_str!("templates/contacts.yaml"),
                include_str!("templates/contacts.test.yaml"),
            ),
            Self::Companies => (
                "companies",
                include_str!("templates/companies.yaml"),
                include_str!("templates/companies.test.yaml"),
            ),
            Self::Events => (
                "events",
                include_str!("templates/events.yaml"),
                include_str!("templates/events.test.yaml"),
            ),
            Self::PageViews => (
                "page-views",
                include_str!("templates/page-views.yaml"),
                include_str!("templates/page-views.test.yaml"),
            ),
            Self::Deals => (
                "deals",
                include_str!("templates/deals.yaml"),
                include_str!("templates/deals.test.yaml"),
            ),
            Self::Audiences => (
                "audiences",
                include_str!("templates/audiences.yaml"),
                include_str!("templates/audiences.test.yaml"),
            ),
        }
    }
}

/// All files, relative to the folder.
pub(super) fn of(choices: &Choices) -> Vec<(PathBuf, String)> {
    let mut files = vec![(PathBuf::from("hubferry.yaml"), configuration(choices))];
    let mut chosen: Vec<Template> = Vec::new();
    for template in &choices.templates {
        if chosen.contains(template) {
            continue;
        }
        chosen.push(*template);
        let (name, mapping, tests) = template.parts();
        files.push((mapping_file(name), mapping.to_owned()));
        let tests_file = PathBuf::from(format!("tests/{name}.test.yaml"));
        files.push((tests_file, tests.to_owned()));
    }
    files
}

pub(super) fn mapping_file(name: &str) -> PathBuf {
    PathBuf::from(format!("mappings/{name}.yaml"))
}

fn configuration(choices: &Choices) -> String {
    let Choices {
        name,
        brokers,
        topic,
        redis,
        token,
        ..
    } = choices;
    let (brokers, topic, redis) = (quoted(brokers), quoted(topic), quoted(redis));
    let base = match token {
        Token::Simulator => format!(
            "      # `hubferry sim --listen {SIMULATOR}` stands in for HubSpot; without this line it is the real one.\n      base_url: http://{SIMULATOR}\n"
        ),
        Token::File(_) | Token::Variable(_) => String::new(),
    };
    let token = match token {
        Token::File(path) => format!("token_file: {}", quoted(&path.display().to_string())),
        Token::Variable(_) => "token_env: HUBSPOT_TOKEN".to_owned(),
        Token::Simulator => "token: any-will-do".to_owned(),
    };
    format!(
        "# hubferry. `hubferry config reference` prints every key with its default; the mappings stand in mappings/*.yaml.

# Where events come from. `hubferry run --input FILE` needs none of this.
kafka:
  brokers: {brokers}
  # The workers of a group share the partitions.
  group: hubferry
  topics: [{topic}]
  # What can never be delivered goes there, with everything that is needed to replay it.
  dead_letter_topic: \"{{topic}}.hubferry.dlq\"

# What the workers share: the call limit, record ids, waiting links. A single worker can do without.
redis:
  url: {redis}

destinations:
  - name: {name}
    hubspot:
{base}      # The token of a private app.
      auth: {{ kind: private_app, {token} }}
      limits:
        # Calls in any ten seconds, as the account has them; `hubferry limits` shows what is used.
        ten_seconds: 100
"
    )
}

/// A text of one line as YAML reads it back; JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Nothing is ever overwritten.
///
/// # Errors
///
/// Something is there.
pub(super) fn nothing_in_the_way(dir: &Path, files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let there: Vec<String> = files
        .iter()
        .map(|(path, _)| dir.join(path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "nothing was written, because nothing is overwritten: {} there already",
        match there.as_slice() {
            [one] => format!("{one} is"),
            several => format!("{} are", several.join(", ")),
        }
    )))
}

/// Writes all files; one that came in between is not overwritten.
///
/// # Errors
///
/// A file or folder cannot be written.
pub(super) fn write(dir: &Path, files: &[(PathBuf, String)]) -> Result<(), Failure> {
    for (path, text) in files {
        let path = dir.join(path);
        let unwritten = |error: std::io::Error| {
            Failure::Usage(format!("could not write {}: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unwritten)?;
        }
        let mut file = fs::File::create_new(&path).map_err(unwritten)?;
        file.write_all(text.as_bytes()).map_err(unwritten)?;
    }
    Ok(())
}
