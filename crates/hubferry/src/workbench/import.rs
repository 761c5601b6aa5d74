//! `hubferry import`: the reference workspace's exported subscriptions as a configuration, with a note on each place
//! where hubferry differs.

mod notes;
mod subscription;
mod yaml;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use self::subscription::{Imported, read};
use crate::config::{self, Surroundings};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::words::{counted, size};

/// The destination that is written; there is nothing in an export to name it by.
const DESTINATION: &str = "hubspot";

/// Where the token is to be found.
const TOKEN_FILE: &str = "${HUBSPOT_TOKEN_FILE}";

/// Turns a file of subscriptions into a configuration on standard output.
///
/// # Errors
///
/// The file cannot be read or is no list of subscriptions, or standard output is closed.
pub(super) fn import(file: &Path, around: &Surroundings, form: Form) -> Result<(), Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::Usage(format!("could not read {shown}: {error}")))?;
    let exported = hubferry_event::parse_json(&bytes)
        .map_err(|malformed| Failure::Usage(format!("{shown} is not JSON: {malformed}")))?;
    let Some(subscriptions) = listed(exported) else {
        return Err(Failure::Usage(format!(
            "{shown} is no list of subscriptions: a JSON list of objects with name, actionSlug, trigger, enabled and settings or mapping"
        )));
    };
    let mut names = Vec::new();
    let imported: Vec<Imported> = subscriptions
        .into_iter()
        .map(|subscription| read(subscription, &mut names))
        .collect();
    let written = match form {
        Form::Text => page(&imported),
        Form::Json => format!("{:#}\n", document(&imported)),
    };
    output::print(&written)?;
    tell(&imported, &written, around, form);
    Ok(())
}

/// The list itself, or the list in what an API wraps around it.
fn listed(exported: Value) -> Option<Vec<Value>> {
    match exported {
        Value::Array(items) => Some(items),
        Value::Object(mut members) => ["subscriptions", "data"]
            .into_iter()
            .find_map(|key| members.remove(key))
            .and_then(listed),
        _ => None,
    }
}

fn document(imported: &[Imported]) -> Value {
    let mappings: Vec<Value> = imported
        .iter()
        .filter_map(|one| one.mapping.as_ref())
        .map(|mapping| yaml::escaped(&Value::Object(mapping.clone())))
        .collect();
    json!({ "destinations": [{
        "name": DESTINATION,
        "hubspot": { "auth": { "kind": "private_app", "token_file": TOKEN_FILE } },
        "mappings": mappings,
    }]})
}

fn page(imported: &[Imported]) -> String {
    let mut page = format!(
        "# Imported from the subscriptions of a reference workspace. Comments beginning with \"note\" say where hubferry\n\
         # differs. Read them, then: hubferry check --config THIS, and hubferry try --config THIS --events FILE.\n\
         destinations:\n  - name: {DESTINATION}\n    hubspot:\n      \
         auth: {{ kind: private_app, token_file: \"{TOKEN_FILE}\" }}\n    mappings:\n"
    );
    if imported.iter().all(|one| one.mapping.is_none()) {
        // An empty list: what follows are comments.
        page = page.replace("    mappings:\n", "    mappings: []\n");
    }
    for one in imported {
        page.push('\n');
        yaml::comment(&mut page, 6, &one.title);
        for note in &one.notes {
            yaml::comment(&mut page, 6, &format!("note: {note}"));
        }
        if let Some(mapping) = &one.mapping {
            item(&mut page, mapping);
        }
    }
    page
}

/// One mapping as an item of the list.
fn item(page: &mut String, mapping: &Map<String, Value>) {
    for (place, (key, value)) in mapping.iter().enumerate() {
        let lead = if place == 0 { "      - " } else { "        " };
        // Writing to a String cannot fail.
        write!(page, "{lead}{}:", yaml::key(key)).ok();
        yaml::value(page, 8, &yaml::escaped(value));
    }
}

/// Says on standard error what is left to do; the notes too when they could not stand in the result.
fn tell(imported: &[Imported], written: &str, around: &Surroundings, form: Form) {
    if form == Form::Json {
        for one in imported {
            for note in &one.notes {
                output::tell(&format!("note: {}: {note}", one.title));
            }
        }
    }
    let mappings = imported.iter().filter(|one| one.mapping.is_some()).count();
    let enabled = imported.iter().filter(|one| one.is_enabled()).count();
    output::tell(&format!(
        "{} imported, {enabled} enabled",
        counted(size(mappings), "mapping")
    ));
    let problems = config::load_text(written, &around.without_secrets()).err();
    for problem in problems.into_iter().flatten() {
        output::tell(&format!("still to be settled: {problem}"));
    }
}
