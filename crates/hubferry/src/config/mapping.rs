//! One mapping: trigger, action, fields and the options of names.md §3.

use std::collections::BTreeSet;
use std::time::Duration;

use hubferry_actions::{
    ActionKind, ActionSettings, Lifecycle, Nulls, OnMissingContact, Policy, PropertyName,
};
use hubferry_mapping::{
    Blank, CleanOptions, FieldSchema, Mapping, Required, Trigger, TriggerDialect,
};
use serde_json::{Map, Value};

use super::problem::{Fault, Problems, closest};
use super::section::{Section, seen};

/// A mapping, compiled.
#[derive(Debug)]
pub struct MappingEntry {
    /// `DESTINATION/NAME`.
    pub id: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// What it does.
    pub action: ActionKind,
    /// Which events it takes.
    pub trigger: Trigger,
    /// How the payload is made.
    pub fields: Mapping,
    /// How the payload is cleaned and checked.
    pub clean: CleanOptions,
    /// How the action treats it.
    pub settings: ActionSettings,
}

/// Slugs of the reference that later versions will have.
const LATER_ACTIONS: [&str; 4] = [
    "upsertCustomObjectRecord",
    "upsertObject",
    "sendCustomBehavioralEvent",
    "customEvent",
];
const ACTIONS: [&str; 2] = ["upsertContact", "upsertCompany"];

/// Fields of exported mappings that have no effect here: batching is not an option.
const BATCH_FIELDS: [&str; 3] = ["enable_batching", "batch_size", "batch_keys"];

/// Reads the mappings of one destination.
pub(crate) fn mappings(
    path: &str,
    written: Option<&Value>,
    destination: &str,
    group_id_property: &str,
    problems: &Problems,
) -> Vec<MappingEntry> {
    let items = match written {
        None => &[][..],
        Some(Value::Array(items)) => items,
        Some(other) => {
            problems.invalid(path, format!("{} is not a list of mappings", seen(other)));
            return Vec::new();
        }
    };
    let mut names = BTreeSet::new();
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let name = item.get("name").and_then(Value::as_str);
            let step = name.map_or_else(|| index.to_string(), ToOwned::to_owned);
            let at = format!("{path}[{step}]");
            if name.is_some_and(|name| !names.insert(name.to_owned())) {
                problems.invalid(&at, "the name is used twice");
            }
            let section = Section::at(&at, Some(item), problems);
            mapping(section, destination, group_id_property)
        })
        .collect()
}

fn mapping(
    section: Section<'_>,
    destination: &str,
    group_id_property: &str,
) -> Option<MappingEntry> {
    let name = section.text("name").unwrap_or_default();
    if name.is_empty() || name.contains(['/', ' ']) {
        section.missing("name", "a name without spaces and slashes");
    }
    let enabled = section.flag("enabled", true);
    let action = action(&section);
    let trigger = trigger(&section, action);
    let whole_object = has_whole_object(section.raw("fields"));
    let use_defaults = section.flag("use_defaults", false);
    let fields = action.and_then(|action| fields(&section, action, use_defaults));
    let (clean, settings) = options(&section, whole_object, group_id_property);
    section.finish();
    Some(MappingEntry {
        id: format!("{destination}/{name}"),
        enabled,
        action: action?,
        trigger: trigger?,
        fields: fields?,
        clean,
        settings,
    })
}

fn action(section: &Section<'_>) -> Option<ActionKind> {
    let Some(slug) = section.text("action") else {
        if section.raw("action").is_none() {
            section.missing("action", &format!("one of {}", ACTIONS.join(", ")));
        }
        return None;
    };
    if let Ok(kind) = slug.parse() {
        return Some(kind);
    }
    let message = if LATER_ACTIONS.contains(&slug.as_str()) {
        format!(
            "the action {slug} is not available in this version; there are {}",
            ACTIONS.join(", ")
        )
    } else {
        let hint = closest(&slug, ACTIONS.into_iter().chain(LATER_ACTIONS))
            .map_or_else(String::new, |known| format!("; did you mean {known:?}?"));
        format!(
            "{slug:?} is no action: there are {}{hint}",
            ACTIONS.join(", ")
        )
    };
    section
        .problems()
        .invalid(&section.path_of("action"), message);
    None
}

/// Without a dialect the text has to mean the same in both.
fn trigger(section: &Section<'_>, action: Option<ActionKind>) -> Option<Trigger> {
    let dialect = section.choice(
        "trigger_dialect",
        &[
            ("reference", TriggerDialect::Reference),
            ("fql", TriggerDialect::Fql),
        ],
    );
    let Some(text) = section.text("trigger") else {
        if section.raw("trigger").is_none() {
            let usual = action.map_or("type = \"identify\"", ActionKind::default_trigger);
            let form = format!("which events it takes, for instance {usual}");
            section.missing("trigger", &form);
        }
        return None;
    };
    let parsed = match dialect {
        Some(dialect) => Trigger::parse(&text, dialect),
        None => Trigger::parse_checked(&text),
    };
    match parsed {
        Ok(trigger) => Some(trigger),
        Err(fault) => {
            let kind = if fault.is_ambiguous() {
                Fault::AmbiguousTrigger
            } else {
                Fault::Trigger
            };
            let path = section.path_of("trigger");
            section
                .problems()
                .add(kind, &path, format!("{text:?}: {fault}"));
            None
        }
    }
}

fn fields(section: &Section<'_>, action: ActionKind, use_defaults: bool) -> Option<Mapping> {
    let path = section.path_of("fields");
    let problems = section.problems();
    let mut named = match section.raw("fields") {
        None => Map::new(),
        Some(Value::Object(members)) => members.clone(),
        Some(other) => {
            section.refuse("fields", other, "a map from the action's fields to values");
            return None;
        }
    };
    named.retain(|name, _| {
        !name.starts_with("__segment_internal") && !BATCH_FIELDS.contains(&name.as_str())
    });
    let known: Vec<&str> = action
        .schema()
        .fields()
        .iter()
        .map(FieldSchema::name)
        .collect();
    let is_directive = named.keys().any(|name| name.starts_with('@'));
    for name in named.keys().filter(|_| !is_directive) {
        if !known.contains(&name.as_str()) {
            let hint = closest(name, known.iter().copied()).map_or_else(
                || "; other properties go under `properties`".to_owned(),
                |field| {
                    format!("; did you mean {field:?}? (other properties go under `properties`)")
                },
            );
            let message = format!("{} has no such field{hint}", action.slug());
            problems.add(Fault::UnknownKey, &format!("{path}.{name}"), message);
        }
    }
    if use_defaults && !is_directive {
        named = with_defaults(named, action);
    } else {
        required_are_mapped(&named, action, &path, is_directive, problems);
    }
    match Mapping::compile(&Value::Object(named)) {
        Ok(mapping) => {
            for fault in mapping.warnings() {
                problems.warn(format!("{path}{}: {}", fault.location, fault.message));
            }
            Some(mapping)
        }
        Err(faults) => {
            for fault in faults {
                problems.add(
                    Fault::Mapping,
                    &format!("{path}{}", fault.location),
                    fault.message,
                );
            }
            None
        }
    }
}

/// The action's default for every field that is not named, in the order of the schema.
fn with_defaults(mut named: Map<String, Value>, action: ActionKind) -> Map<String, Value> {
    let mut complete = Map::new();
    for field in action.schema().fields() {
        let value = named
            .shift_remove(field.name())
            .or_else(|| field.default().cloned());
        if let Some(value) = value {
            complete.insert(field.name().to_owned(), value);
        }
    }
    complete.extend(named);
    complete
}

/// A mapping that never sets a required field refuses every event: better said now.
fn required_are_mapped(
    named: &Map<String, Value>,
    action: ActionKind,
    path: &str,
    is_directive: bool,
    problems: &Problems,
) {
    for field in action
        .schema()
        .fields()
        .iter()
        .filter(|field| *field.requirement() == Required::Always)
    {
        if !is_directive && !named.contains_key(field.name()) {
            let message = format!(
                "the field {} is required by {}: map it, or set `use_defaults: true`",
                field.name(),
                action.slug()
            );
            problems.add(Fault::Mapping, path, message);
        }
    }
}

/// Whether `properties` takes a whole object by a directive rather than key by key.
fn has_whole_object(fields: Option<&Value>) -> bool {
    fields
        .and_then(|fields| fields.get("properties"))
        .and_then(Value::as_object)
        .is_some_and(|members| members.keys().any(|key| key.starts_with('@')))
}

fn options(
    section: &Section<'_>,
    whole_object: bool,
    group_id_property: &str,
) -> (CleanOptions, ActionSettings) {
    let drop_or_dead = [("drop", true), ("dead_letter", false)];
    let drop_invalid_property = section
        .choice("invalid_property", &drop_or_dead)
        .unwrap_or(false);
    let policy = Policy {
        coalesce: coalesce(section),
        drop_unknown_property: section
            .choice("unknown_property", &drop_or_dead)
            .unwrap_or(whole_object),
        drop_invalid_property,
        lifecycle: section
            .choice(
                "lifecycle",
                &[
                    ("forward_only", Lifecycle::ForwardOnly),
                    ("both_ways", Lifecycle::BothWays),
                    ("never", Lifecycle::Never),
                ],
            )
            .unwrap_or(Lifecycle::BothWays),
        on_missing_contact: section
            .choice(
                "on_missing_contact",
                &[
                    ("wait", OnMissingContact::Wait),
                    ("create", OnMissingContact::Create),
                    ("skip", OnMissingContact::Skip),
                    ("dead_letter", OnMissingContact::DeadLetter),
                ],
            )
            .unwrap_or(OnMissingContact::Wait),
        link_wait: section.duration("link_wait", Duration::from_secs(7 * 86_400)),
        required: Vec::new(),
    };
    let clean = CleanOptions {
        blank_fields: section
            .choice(
                "blank_fields",
                &[("skip", Blank::Skip), ("clear", Blank::Clear)],
            )
            .unwrap_or(Blank::Skip),
        drop_invalid: drop_invalid_property,
    };
    let settings = ActionSettings {
        policy,
        group_id_property: PropertyName::new(group_id_property),
        allow_email_change: section.flag("allow_email_change", false),
        nulls: section
            .choice("nulls", &[("skip", Nulls::Skip), ("clear", Nulls::Clear)])
            .unwrap_or_default(),
        skip_null_elements: skip_null_elements(section),
    };
    later_options(section);
    (clean, settings)
}

fn skip_null_elements(section: &Section<'_>) -> bool {
    let flatten = section.section("flatten");
    let skip = flatten.flag("skip_null_elements", false);
    flatten.finish();
    skip
}

/// `on` and `off`, which YAML 1.1 readers may hand over as booleans.
fn coalesce(section: &Section<'_>) -> bool {
    section
        .choice(
            "coalesce",
            &[
                ("on", true),
                ("off", false),
                ("true", true),
                ("false", false),
            ],
        )
        .unwrap_or(true)
}

fn later_options(section: &Section<'_>) {
    section.raw("sync_mode");
    section.choice("path_dialect", &[("reference", ())]);
    for key in [
        "invalid_email",
        "dates",
        "followers",
        "parallel_companies",
        "skip_unchanged",
        "overflow",
        "property_name_fix",
        "search",
        "associate_existing",
    ] {
        section.later(key);
    }
}
