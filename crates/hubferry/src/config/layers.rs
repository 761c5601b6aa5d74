//! What was written: files one over the other, then the environment, as one JSON tree.
//!
//! The sections of the process (`kafka`, `redis`, `delivery`, …) are layered by the `config` crate. It keeps
//! neither the order of keys nor the digits of long numbers, and both mean something inside a mapping, so
//! `destinations` is read and joined here, with yaml_serde and serde_json.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat, ValueKind};
use serde_json::{Map, Value};

use super::places::{Place, Root};
use super::problem::{Fault, Problems};

/// What the process is surrounded by: its environment variables, in a form tests can make up.
#[derive(Clone, Default, Debug)]
pub struct Surroundings {
    /// Environment variables by name.
    pub variables: BTreeMap<String, String>,
    /// Whether what is secret, or comes from the environment, has to be there.
    pub secrets: Secrets,
}

/// Whether a configuration is read to be run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// Tokens, and every variable that is referred to, have to be there.
    #[default]
    Needed,
    /// Nothing will be connected: tokens are not read, and a reference to a variable that is not set stays as it is
    /// written.
    Ignored,
}

impl Surroundings {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars().collect(),
            secrets: Secrets::Needed,
        }
    }

    /// The same for a command that connects to nothing.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self {
            variables: self.variables.clone(),
            secrets: Secrets::Ignored,
        }
    }
}

const PREFIX: &str = "HUBFERRY__";
const DESTINATIONS: &str = "destinations";

/// Everything that was written, joined: one object.
pub(crate) fn read(paths: &[PathBuf], around: &Surroundings, problems: &Problems) -> Value {
    let documents: Vec<Map<String, Value>> = paths
        .iter()
        .flat_map(|path| documents_of(path, problems))
        .collect();
    join(documents, around, problems)
}

/// Joins documents, later ones over earlier ones, then the environment over all.
pub(crate) fn join(
    documents: Vec<Map<String, Value>>,
    around: &Surroundings,
    problems: &Problems,
) -> Value {
    let mut sections = Config::builder();
    let mut destinations = Vec::new();
    let mut loose = Vec::new();
    for mut document in documents {
        if let Some(Value::Array(listed)) = document.get(DESTINATIONS) {
            join_by_name(&mut destinations, listed.clone(), Level::Destination);
            document.shift_remove(DESTINATIONS);
        }
        if let Some(Value::Array(listed)) = document.shift_remove(LOOSE_MAPPINGS) {
            loose.extend(listed);
        }
        let text = Value::Object(document).to_string();
        sections = sections.add_source(File::from_str(&text, FileFormat::Json));
    }
    place_loose(&mut destinations, loose, problems);

    let (for_destinations, for_sections): (Vec<_>, Vec<_>) = around
        .variables
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .partition(|(name, _)| {
            name[PREFIX.len()..]
                .to_ascii_lowercase()
                .starts_with("destinations__")
        });
    let overrides = for_sections
        .into_iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let environment = Environment::with_prefix("HUBFERRY")
        .prefix_separator("__")
        .separator("__")
        .source(Some(overrides));
    let mut root = match sections.add_source(environment).build() {
        Ok(built) => plain(built.cache),
        Err(error) => {
            problems.invalid("", error.to_string());
            Value::Null
        }
    };
    if !root.is_object() {
        root = Value::Object(Map::new());
    }
    for (name, value) in for_destinations {
        override_destination(&mut destinations, name, value, problems);
    }
    if let (Value::Object(members), false) = (&mut root, destinations.is_empty()) {
        members.insert(DESTINATIONS.to_owned(), Value::Array(destinations));
    }
    substitute(&mut root, "", around, problems);
    root
}

/// Where mappings of a folder that name no destination wait for theirs; no key a person can write.
const LOOSE_MAPPINGS: &str = "\u{0}mappings";

/// The documents of one `--config`: a file, or a folder with `hubferry.yaml` and `mappings/*.yaml`.
fn documents_of(path: &Path, problems: &Problems) -> Vec<Map<String, Value>> {
    if !path.is_dir() {
        return document(path, problems).into_iter().collect();
    }
    let mut documents = Vec::new();
    let main = ["hubferry.yaml", "hubferry.yml", "hubferry.json"]
        .iter()
        .map(|name| path.join(name))
        .find(|candidate| candidate.is_file());
    match main {
        Some(main) => documents.extend(document(&main, problems)),
        None => problems.invalid(
            "",
            format!("{}: no hubferry.yaml in this folder", path.display()),
        ),
    }
    for file in mapping_files(&path.join("mappings"), problems) {
        documents.extend(mapping_document(&file, problems));
    }
    documents
}

fn mapping_files(folder: &Path, problems: &Problems) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.invalid("", format!("could not read {}: {error}", folder.display()));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_yaml_or_json(path) && !is_test_file(path))
        .collect();
    files.sort();
    files
}

fn is_yaml_or_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json")
}

/// Whether a file holds tests of mappings (`*.test.yaml`); they stand beside the mappings and are none.
pub(crate) fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().map(Path::new);
    is_yaml_or_json(path)
        && stem
            .and_then(Path::extension)
            .is_some_and(|ext| ext == "test")
}

fn document(path: &Path, problems: &Problems) -> Option<Map<String, Value>> {
    match parsed(path, Root::Whole, problems)? {
        Value::Object(members) => Some(members),
        Value::Null => Some(Map::new()),
        _ => {
            problems.invalid(
                "",
                format!(
                    "{}: not a configuration: it has to be a map of sections",
                    path.display()
                ),
            );
            None
        }
    }
}

/// A file of the mappings folder: a fragment with `destinations`, one mapping, or a list of mappings.
fn mapping_document(path: &Path, problems: &Problems) -> Option<Map<String, Value>> {
    let mappings = match parsed(path, Root::Mappings, problems)? {
        Value::Object(members) if members.contains_key(DESTINATIONS) => return Some(members),
        Value::Object(members) if members.contains_key("mappings") => {
            return Some(under_destination(members));
        }
        Value::Array(mappings) => mappings,
        mapping => vec![mapping],
    };
    Some(Map::from_iter([(
        LOOSE_MAPPINGS.to_owned(),
        Value::Array(mappings),
    )]))
}

/// `{destination: NAME, mappings: […]}` as a fragment; without a name its mappings stay loose.
fn under_destination(mut members: Map<String, Value>) -> Map<String, Value> {
    let mappings = members.shift_remove("mappings").unwrap_or(Value::Null);
    match members.shift_remove("destination") {
        Some(name) => {
            members.insert("name".to_owned(), name);
            members.insert("mappings".to_owned(), mappings);
            Map::from_iter([(
                DESTINATIONS.to_owned(),
                Value::Array(vec![Value::Object(members)]),
            )])
        }
        None => Map::from_iter([(LOOSE_MAPPINGS.to_owned(), mappings)]),
    }
}

fn parsed(path: &Path, root: Root, problems: &Problems) -> Option<Value> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.invalid("", format!("could not read {}: {error}", path.display()));
            return None;
        }
    };
    match parse_text(&text) {
        Ok(value) => {
            problems.read_from(path, &text, root);
            Some(value)
        }
        Err(unparsed) => {
            let place = Place {
                file: path.to_owned(),
                line: unparsed.line,
            };
            problems.unreadable(place, unparsed.message);
            None
        }
    }
}

/// A text that is neither YAML nor JSON.
#[derive(Debug)]
pub(crate) struct Unparsed {
    /// What is wrong.
    pub(crate) message: String,
    /// Where the reader gave up, counted from 1.
    pub(crate) line: usize,
}

/// Parses YAML, or JSON when the text begins with a brace.
pub(crate) fn parse_text(text: &str) -> Result<Value, Unparsed> {
    let as_yaml = yaml_serde::from_str(text);
    if text.trim_start().starts_with('{') {
        // A YAML flow map begins with a brace too; what is neither is more likely meant as JSON.
        return serde_json::from_str(text).or_else(|error| {
            as_yaml.map_err(|_| Unparsed {
                message: format!("not JSON: {error}"),
                line: error.line().max(1),
            })
        });
    }
    as_yaml.map_err(|error| Unparsed {
        line: error.location().map_or(1, |location| location.line()),
        message: format!("not YAML: {error}"),
    })
}

/// What is being joined by name.
#[derive(Clone, Copy)]
enum Level {
    Destination,
    Mapping,
}

fn join_by_name(into: &mut Vec<Value>, listed: Vec<Value>, level: Level) {
    // Names that stand twice in one list are a mistake, not a wish to join: they are kept for the reader to refuse.
    let before = into.len();
    for item in listed {
        let same = into[..before]
            .iter_mut()
            .find(|known| known.get("name").is_some() && known.get("name") == item.get("name"));
        match (same, item) {
            (Some(Value::Object(known)), Value::Object(item)) => join_members(known, item, level),
            (_, item) => into.push(item),
        }
    }
}

/// Members of the later one win; sections are joined, and the values of fields are replaced whole, because
/// half of one directive and half of another is neither.
fn join_members(known: &mut Map<String, Value>, later: Map<String, Value>, level: Level) {
    for (key, value) in later {
        match (known.get_mut(&key), value, level) {
            (Some(Value::Array(known)), Value::Array(later), Level::Destination)
                if key == "mappings" =>
            {
                join_by_name(known, later, Level::Mapping);
            }
            (Some(Value::Object(known)), Value::Object(later), Level::Mapping) => {
                known.extend(later)
            }
            (Some(Value::Object(known)), Value::Object(later), Level::Destination) => {
                join_members(known, later, level);
            }
            (_, value, _) => {
                known.insert(key, value);
            }
        }
    }
}

fn place_loose(destinations: &mut [Value], loose: Vec<Value>, problems: &Problems) {
    let only = destinations.len() == 1;
    for mut mapping in loose {
        let named = mapping
            .as_object_mut()
            .and_then(|members| members.shift_remove("destination"));
        let home = destinations.iter_mut().find(|destination| match &named {
            Some(name) => destination.get("name") == Some(name),
            None => only,
        });
        let Some(Value::Object(home)) = home else {
            let name = mapping
                .get("name")
                .map_or_else(|| "a mapping".to_owned(), ToString::to_string);
            problems.invalid(
                "mappings",
                format!(
                    "{name} does not say which destination it belongs to: add `destination: NAME`"
                ),
            );
            continue;
        };
        if let Value::Array(mappings) = home
            .entry("mappings")
            .or_insert_with(|| Value::Array(Vec::new()))
        {
            join_by_name(mappings, vec![mapping], Level::Mapping);
        }
    }
}

/// Applies `HUBFERRY__DESTINATIONS__NAME__SECTION__KEY`; NAME is the destination's name in capitals with
/// `_` for what a variable cannot hold, or its number.
fn override_destination(
    destinations: &mut [Value],
    variable: &str,
    value: &str,
    problems: &Problems,
) {
    let mut parts = variable[PREFIX.len()..].split("__").skip(1);
    let which = parts.next().unwrap_or_default().to_ascii_lowercase();
    let path: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    let number: Option<usize> = which.parse().ok();
    let found = destinations
        .iter_mut()
        .enumerate()
        .find(|(index, destination)| {
            let name = destination
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            variable_form(name) == which || number == Some(*index)
        });
    let Some((_, destination)) = found else {
        problems.add(Fault::UnknownKey, variable, "there is no such destination");
        return;
    };
    let Some((last, sections)) = path.split_last() else {
        problems.add(
            Fault::UnknownKey,
            variable,
            "names no key of the destination",
        );
        return;
    };
    let mut at = destination;
    for section in sections {
        let Value::Object(members) = at else {
            problems.add(Fault::UnknownKey, variable, "there is no such section");
            return;
        };
        at = members
            .entry(section.clone())
            .or_insert_with(|| Value::Object(Map::new()));
    }
    match at {
        Value::Object(members) => {
            members.insert(last.clone(), Value::String(value.to_owned()));
        }
        _ => problems.add(Fault::UnknownKey, variable, "there is no such section"),
    }
}

fn variable_form(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

/// Replaces `${NAME}` in every text; `$${NAME}` stands for the text `${NAME}` itself.
fn substitute(value: &mut Value, path: &str, around: &Surroundings, problems: &Problems) {
    match value {
        Value::String(text) if text.contains("${") => {
            *text = substituted(text, path, around, problems);
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let name = item
                    .get("name")
                    .and_then(Value::as_str)
                    .map(ToOwned::to_owned);
                let step = name.unwrap_or_else(|| index.to_string());
                substitute(item, &format!("{path}[{step}]"), around, problems);
            }
        }
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                substitute(member, &below, around, problems);
            }
        }
        _ => {}
    }
}

fn substituted(text: &str, path: &str, around: &Surroundings, problems: &Problems) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        let Some(end) = reference.find('}') else {
            break;
        };
        let name = &reference[2..end];
        rest = &reference[end + 1..];
        if let Some(kept) = before.strip_suffix('$') {
            out.push_str(kept);
            out.push_str(&reference[..=end]);
            continue;
        }
        out.push_str(before);
        match around.variables.get(name) {
            Some(found) => out.push_str(found),
            None if around.secrets == Secrets::Ignored => out.push_str(&reference[..=end]),
            None => problems.invalid(path, format!("the environment variable {name} is not set")),
        }
    }
    out.push_str(rest);
    out
}

fn plain(value: config::Value) -> Value {
    match value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(flag) => Value::Bool(flag),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::I128(number) => Value::String(number.to_string()),
        ValueKind::U128(number) => Value::String(number.to_string()),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => Value::String(text),
        ValueKind::Table(members) => {
            let mut sorted: Vec<_> = members.into_iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            sorted
                .into_iter()
                .map(|(key, value)| (key, plain(value)))
                .collect()
        }
        ValueKind::Array(items) => items.into_iter().map(plain).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn joined(documents: &[&str], variables: &[(&str, &str)]) -> (Value, Vec<String>) {
        let problems = Problems::default();
        let documents = documents
            .iter()
            .map(|text| match parse_text(text).unwrap() {
                Value::Object(members) => members,
                other => panic!("not an object: {other}"),
            })
            .collect();
        let around = Surroundings {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Surroundings::default()
        };
        let root = join(documents, &around, &problems);
        let (found, ..) = problems.into_parts();
        (root, found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn later_files_and_the_environment_win() {
        let (root, problems) = joined(
            &[
                "kafka: { brokers: a:1, group: g, properties: { Security.Protocol: ssl } }",
                r#"{"kafka": {"group": "h"}}"#,
            ],
            &[
                ("HUBFERRY__KAFKA__BROKERS", "b:2"),
                ("HUBFERRY__DELIVERY__LINGER", "5ms"),
                ("OTHER", "x"),
            ],
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            root,
            json!({
                "delivery": { "linger": "5ms" },
                "kafka": { "brokers": "b:2", "group": "h", "properties": { "Security.Protocol": "ssl" } },
            })
        );
    }

    #[test]
    fn destinations_and_mappings_join_by_name_and_keep_order_and_digits() {
        let (root, problems) = joined(
            &[
                "destinations: [{ name: acme, hubspot: { api_version: v3 }, mappings: [{ name: c, fields: { Zeta: 1, alpha: { '@path': x } } }] }]",
                "destinations: [{ name: acme, hubspot: { portal_id: 7 }, mappings: [{ name: c, fields: { alpha: { '@literal': 12345678901234567890 } } }, { name: d }] }]",
            ],
            &[("HUBFERRY__DESTINATIONS__ACME__HUBSPOT__API_VERSION", "v4")],
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            root.to_string(),
            r#"{"destinations":[{"name":"acme","hubspot":{"api_version":"v4","portal_id":7},"mappings":[{"name":"c","fields":{"Zeta":1,"alpha":{"@literal":12345678901234567890}}},{"name":"d"}]}]}"#
        );
    }

    #[test]
    fn references_take_the_environment_and_say_when_it_is_silent() {
        let (root, problems) = joined(
            &[
                "redis: { url: 'redis://${HOST}:6379', prefix: '$${HOST}' }\nkafka: { group: '${NOBODY}' }",
            ],
            &[("HOST", "r1")],
        );
        assert_eq!(
            root["redis"],
            json!({ "prefix": "${HOST}", "url": "redis://r1:6379" })
        );
        assert_eq!(
            problems,
            ["config_invalid: kafka.group: the environment variable NOBODY is not set"]
        );
    }

    #[test]
    fn an_override_of_an_unknown_destination_is_a_problem() {
        let (_, problems) = joined(
            &["{}"],
            &[("HUBFERRY__DESTINATIONS__ACME__ENABLED", "false")],
        );
        assert_eq!(
            problems,
            [
                "config_unknown_key: HUBFERRY__DESTINATIONS__ACME__ENABLED: there is no such destination"
            ]
        );
    }
}
