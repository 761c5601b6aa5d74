//! What is made from the binary's own description of its configuration: the reference page, and the part of the
//! chart's schema that refuses unknown keys under `config`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

use super::{Made, settle};

const PAGE: &str = "docs/reference/configuration.md";
const VALUES_SCHEMA: &str = "helm/hubferry/values.schema.json";

pub(super) fn check(root: &Path, binary: &Path, made: Made) -> Result<()> {
    let schema: Value = serde_json::from_str(&said(binary, "schema")?)
        .context("`hubferry config schema` is not JSON")?;
    settle(
        root,
        PAGE,
        &page(&said(binary, "reference")?, &schema),
        made,
    )?;

    let values = fs::read_to_string(root.join(VALUES_SCHEMA))
        .with_context(|| format!("could not read {VALUES_SCHEMA}"))?;
    let values: Value = serde_json::from_str(&values)?;
    settle(
        root,
        VALUES_SCHEMA,
        &format!("{:#}\n", with_configuration(values, schema)?),
        made,
    )
}

fn said(binary: &Path, what: &str) -> Result<String> {
    let output = Command::new(binary)
        .args(["config", what])
        .output()
        .context("could not start hubferry")?;
    ensure!(output.status.success(), "`hubferry config {what}` failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// The schema of the chart's values, with this one for `config`.
fn with_configuration(mut values: Value, mut configuration: Value) -> Result<Value> {
    let own = configuration
        .as_object_mut()
        .context("the configuration's schema is not an object")?;
    own.shift_remove("$schema");
    // References inside it stay its own.
    let mut named = Map::from_iter([("$id".to_owned(), "urn:hubferry:config".into())]);
    named.append(own);
    values["$defs"]["config"] = Value::Object(named);
    Ok(values)
}

fn page(reference: &str, schema: &Value) -> String {
    let mut rows = Vec::new();
    members(schema, "", &mut rows);
    if let Some(mapping) = schema["$defs"].get("mapping") {
        members(mapping, "destinations[].mappings[].", &mut rows);
    }
    let table: String = rows.concat();
    format!(
        "# Configuration\n\n\
         This page is made from `hubferry config reference` and `hubferry config schema`.\n\n\
         ## A file with every key\n\n\
         ```yaml\n{}\n```\n\n\
         ## Key by key\n\n\
         | key | takes | default | |\n|---|---|---|---|\n{table}",
        reference.trim_end()
    )
}

fn members(section: &Value, path: &str, rows: &mut Vec<String>) {
    let Some(properties) = section["properties"].as_object() else {
        return;
    };
    for (name, member) in properties {
        let path = format!("{path}{name}");
        let items = &member["items"];
        if member["properties"].is_object() {
            members(member, &format!("{path}."), rows);
        } else if items["properties"].is_object() {
            members(items, &format!("{path}[]."), rows);
        } else if path != "destinations[].mappings" {
            rows.push(row(&path, member));
        }
    }
}

fn row(path: &str, member: &Value) -> String {
    let about = member["description"].as_str().unwrap_or_default();
    let default = member.get("default").map(code).unwrap_or_default();
    format!(
        "| `{path}` | {} | {default} | {} |\n",
        takes(member),
        about.replace('|', "\\|")
    )
}

fn takes(member: &Value) -> String {
    if let Some(choices) = member["enum"].as_array() {
        let texts = choices.iter().filter(|choice| choice.is_string());
        return texts.map(code).collect::<Vec<_>>().join(", ");
    }
    if let Some(choices) = member["anyOf"].as_array() {
        let constants = choices.iter().filter_map(|choice| choice.get("const"));
        return constants.map(code).collect::<Vec<_>>().join(", ");
    }
    let one_of = |kind: &str| match kind {
        "string" => "text",
        "boolean" => "true, false",
        "integer" => "whole number",
        "array" => "list",
        "object" => "map",
        _ => "number",
    };
    match &member["type"] {
        Value::String(kind) => one_of(kind).to_owned(),
        // A variable may stand for any value, so text is always among several.
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| !matches!(*kind, "string"))
            .map(one_of)
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    }
}

fn code(value: &Value) -> String {
    let shown = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    format!("`{}`", shown.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_listed_with_what_they_take() {
        let schema = json!({
            "properties": {
                "drain": {"type": "string", "default": "55s", "description": "How long."},
                "destinations": {"items": {"properties": {
                    "enabled": {"type": ["boolean", "string"], "default": true},
                    "hubspot": {"properties": {"api_version": {"enum": ["a", "b", true]}}},
                    "mappings": {"type": "array"},
                }}},
            },
            "$defs": {"mapping": {"properties": {"action": {"anyOf": [{"const": "x"}, {"const": "y"}]}}}},
        });
        let expected = "# Configuration\n\n\
            This page is made from `hubferry config reference` and `hubferry config schema`.\n\n\
            ## A file with every key\n\n```yaml\na: 1\n```\n\n## Key by key\n\n\
            | key | takes | default | |\n|---|---|---|---|\n\
            | `drain` | text | `55s` | How long. |\n\
            | `destinations[].enabled` | true, false | `true` |  |\n\
            | `destinations[].hubspot.api_version` | `a`, `b` |  |  |\n\
            | `destinations[].mappings[].action` | `x`, `y` |  |  |\n";
        assert_eq!(page("a: 1\n", &schema), expected);
    }

    #[test]
    fn the_configuration_stands_in_the_schema_of_values_under_a_name_of_its_own() -> Result<()> {
        let values = json!({"properties": {}, "$defs": {"config": {"old": true}}});
        let made = with_configuration(values, json!({"$schema": "s", "type": "object"}))?;
        let expected = json!({"properties": {}, "$defs": {"config": {"$id": "urn:hubferry:config", "type": "object"}}});
        assert_eq!(made, expected);
        Ok(())
    }
}
