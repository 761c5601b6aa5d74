use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Number;

use super::*;
use crate::config::layers::parse_text;
use crate::config::{REFERENCE, Surroundings, load_text};

/// Every place where a value breaks the schema. Knows the keywords that the schema uses, and no others.
fn faults(schema: &Value, root: &Value, at: &str, value: &Value, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "then" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                faults(&root["$defs"][name], root, at, value, found);
            }
            "type" => {
                let kinds = match rule {
                    Value::Array(kinds) => kinds.clone(),
                    kind => vec![kind.clone()],
                };
                if !kinds.iter().any(|kind| is(kind.as_str().unwrap(), value)) {
                    found.push(format!("{at}: not {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                found.push(format!("{at}: not one of {rule}"));
            }
            "const" if rule != value => found.push(format!("{at}: not {rule}")),
            "enum" | "const" => {}
            "minimum" => {
                let least = rule.as_f64().unwrap();
                if value.as_f64().is_some_and(|number| number < least) {
                    found.push(format!("{at}: below {least}"));
                }
            }
            "required" => {
                for key in rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|key| key.as_str().unwrap())
                {
                    if value
                        .as_object()
                        .is_some_and(|members| !members.contains_key(key))
                    {
                        found.push(format!("{at}: without {key}"));
                    }
                }
            }
            "properties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = rule.get(key) {
                        faults(rule, root, &format!("{at}/{key}"), member, found);
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(*rule, Value::Bool(false));
                for key in value.as_object().into_iter().flat_map(Map::keys) {
                    if schema["properties"].get(key).is_none() {
                        found.push(format!("{at}/{key}: unknown"));
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    faults(rule, root, &format!("{at}/{number}"), item, found);
                }
            }
            "allOf" => {
                for part in rule.as_array().unwrap() {
                    faults(part, root, at, value, found);
                }
            }
            "anyOf" => {
                if !rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|part| fits(part, root, value))
                {
                    found.push(format!("{at}: none of the forms"));
                }
            }
            "if" => {
                if fits(rule, root, value) {
                    faults(&schema["then"], root, at, value, found);
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
}

fn fits(schema: &Value, root: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    faults(schema, root, "", value, &mut found);
    found.is_empty()
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_number().is_some_and(Number::is_u64),
        other => panic!("the type {other} is not known here"),
    }
}

fn faults_of(text: &str) -> Vec<String> {
    let schema = schema();
    let mut found = Vec::new();
    faults(&schema, &schema, "", &parse_text(text).unwrap(), &mut found);
    found
}

#[test]
fn the_reference_and_the_examples_follow_it() {
    assert_eq!(faults_of(REFERENCE), Vec::<String>::new());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let mut count = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(faults_of(&text), Vec::<String>::new(), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 3, "the examples have moved");
}

#[test]
fn what_the_reader_refuses_it_refuses() {
    for (from, to, fault) in [
        ("\nkafka:", "\nkafak:", "/kafak: unknown"),
        ("drain: 55s", "drain: 55", "/drain: not \"string\""),
        (
            "format: json ",
            "format: jsn ",
            "/input/format: not one of [\"json\",\"array\",\"ndjson\"]",
        ),
        (
            "search: 5",
            "search: 0",
            "/destinations/0/hubspot/limits/search: below 1",
        ),
        (
            "action: upsertContact",
            "action: upsertContacts",
            "/destinations/0/mappings/0/action: none of the forms",
        ),
        (
            "          email: {",
            "          emial: {",
            "/destinations/0/mappings/0/fields/emial: unknown",
        ),
        (
            "lifecycle: both_ways",
            "lifecycle: both",
            "/destinations/0/mappings/0/lifecycle: not one of [\"forward_only\",\"both_ways\",\"never\"]",
        ),
        (
            "        kind: private_app",
            "        knd: private_app",
            "/destinations/0/hubspot/auth: without kind",
        ),
    ] {
        assert!(REFERENCE.contains(from), "{from}");
        let found = faults_of(&REFERENCE.replacen(from, to, 1));
        assert!(found.contains(&fault.to_owned()), "{fault} in {found:?}");
    }
}

#[test]
fn members_of_fields_and_directives_are_known() {
    let with = |details: &str| {
        faults_of(&format!(
            "destinations: [{{ name: a, mappings: [{{ name: d, action: upsertObject, trigger: t, fields: {{ object_details: {details} }} }}] }}]"
        ))
    };
    let at = "/destinations/0/mappings/0/fields/object_details";
    assert_eq!(
        with("{ object_type: deals, id_field_value: { '@path': x } }"),
        Vec::<String>::new()
    );
    assert_eq!(with("{ '@path': $.details }"), Vec::<String>::new());
    assert_eq!(
        with("{ object_tpye: deals }"),
        [format!("{at}: none of the forms")]
    );
}

/// A configuration in which every section is written.
const WHOLE: &str = r#"
kafka: { brokers: a, topics: [b] }
redis: { url: "redis://a" }
input: {}
intake: {}
delivery: {}
dedupe: {}
brake: {}
dead_letters: {}
secrets: {}
limiter: {}
admin: {}
destinations:
  - name: acme
    deletion: {}
    hubspot: { auth: { kind: private_app, token: t }, timeouts: {}, limits: {} }
    mappings:
      - { name: contacts, action: upsertContact, trigger: 'type = "identify"', use_defaults: true, flatten: {} }
"#;

/// The reader lists the keys it knows when it meets one that resembles none; they have to be those of the schema.
#[test]
fn it_has_exactly_the_keys_that_are_read() {
    let schema = schema();
    let destination = &schema["properties"]["destinations"]["items"];
    let hubspot = &destination["properties"]["hubspot"];
    let mut sections = vec![
        (String::new(), schema.clone()),
        ("/destinations/0".to_owned(), destination.clone()),
        (
            "/destinations/0/deletion".to_owned(),
            destination["properties"]["deletion"].clone(),
        ),
        ("/destinations/0/hubspot".to_owned(), hubspot.clone()),
        (
            "/destinations/0/hubspot/timeouts".to_owned(),
            hubspot["properties"]["timeouts"].clone(),
        ),
        (
            "/destinations/0/hubspot/limits".to_owned(),
            hubspot["properties"]["limits"].clone(),
        ),
        (
            "/destinations/0/mappings/0".to_owned(),
            schema["$defs"]["mapping"].clone(),
        ),
        (
            "/destinations/0/mappings/0/flatten".to_owned(),
            schema["$defs"]["mapping"]["properties"]["flatten"].clone(),
        ),
    ];
    for name in [
        "kafka",
        "redis",
        "input",
        "intake",
        "delivery",
        "dedupe",
        "brake",
        "dead_letters",
        "secrets",
        "limiter",
        "admin",
    ] {
        sections.push((format!("/{name}"), schema["properties"][name].clone()));
    }
    for (pointer, section) in sections {
        assert_eq!(known_at(&pointer), keys(&section), "{pointer}");
    }
    // Of the ways to authorise, the reader only knows the keys of the one that is written.
    let mut auth = known_at("/destinations/0/hubspot/auth");
    let oauth = WHOLE.replace(
        "private_app, token: t",
        "oauth, client_id: a, client_secret: b, refresh_token: c",
    );
    auth.extend(known_in(&oauth, "/destinations/0/hubspot/auth"));
    assert_eq!(auth, keys(&hubspot["properties"]["auth"]));
}

fn keys(section: &Value) -> BTreeSet<String> {
    section["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

fn known_at(pointer: &str) -> BTreeSet<String> {
    known_in(WHOLE, pointer)
}

fn known_in(text: &str, pointer: &str) -> BTreeSet<String> {
    const STRANGE: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
    let mut whole = parse_text(text).unwrap();
    let section = whole.pointer_mut(pointer).unwrap();
    section
        .as_object_mut()
        .unwrap()
        .insert(STRANGE.to_owned(), Value::Null);
    let problems = load_text(&whole.to_string(), &Surroundings::default()).unwrap_err();
    let said = problems
        .iter()
        .find(|problem| problem.path.ends_with(STRANGE))
        .unwrap();
    let (_, known) = said.message.split_once("known keys: ").unwrap();
    known.split(", ").map(ToOwned::to_owned).collect()
}
