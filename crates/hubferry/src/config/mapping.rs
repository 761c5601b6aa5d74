//! One mapping: trigger, action, fields and the options of names.md §3.

use std::collections::BTreeSet;
use std::time::Duration;

use hubferry_actions::{
    Action, ActionSettings, ActionSlug, InvalidEmail, Lifecycle, MatchMode, NameFix, Nulls,
    OnMissingContact, Overflow, Policy, PropertyHints, PropertyName, SyncMode, UnknownProperty,
};
use hubferry_event::RowSync;
use hubferry_mapping::{
    Blank, CleanOptions, FieldSchema, Mapping, PathDialect, Required, Trigger, TriggerDialect,
};
use serde_json::{Map, Value};

use super::clash::{Written, report_clashes};
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
    pub action: ActionSlug,
    /// Which events it takes.
    pub trigger: Trigger,
    /// How the payload is made.
    pub fields: Mapping,
    /// How the payload is cleaned and checked.
    pub clean: CleanOptions,
    /// How the action treats it.
    pub settings: ActionSettings,
    /// Which changes of warehouse rows it takes part in, when it says so (events.md §4.2).
    pub row_sync: Option<RowSync>,
    /// The properties it is known to write, whatever the event.
    pub(crate) written: Written,
    /// Its fields as they were compiled: what is written, and the defaults where they are wanted.
    pub(crate) named: Map<String, Value>,
}

/// Fields of exported mappings that have no effect here: batching is not an option.
const BATCH_FIELDS: [&str; 3] = ["enable_batching", "batch_size", "batch_keys"];

/// Makes a directive of the whole mapping (mapping.md §5).
pub(crate) const ROOT_DIRECTIVE: &str = "__segment_internal_directive";

/// What the mappings of a destination take from it.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The unique property of companies that holds the group id.
    pub(crate) group_id_property: &'a str,
    /// The portal's id, when it is written.
    pub(crate) portal_id: Option<u64>,
}

/// Reads the mappings of one destination.
pub(crate) fn mappings(
    path: &str,
    written: Option<&Value>,
    owner: Owner<'_>,
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
    let read: Vec<MappingEntry> = items
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
            mapping(section, owner)
        })
        .collect();
    report_clashes(path, &read, problems);
    read
}

fn mapping(section: Section<'_>, owner: Owner<'_>) -> Option<MappingEntry> {
    let name = section.text("name").unwrap_or_default();
    if name.is_empty() || name.contains(['/', ' ']) {
        section.missing("name", "a name without spaces and slashes");
    }
    let enabled = section.flag("enabled", true);
    let action = action(&section);
    let trigger = trigger(&section, action);
    let use_defaults = section.flag("use_defaults", false);
    let paths = section
        .choice(
            "path_dialect",
            &[
                ("reference", PathDialect::Reference),
                ("extended", PathDialect::Extended),
            ],
        )
        .unwrap_or_default();
    let hints = PropertyHints {
        sync_mode: sync_mode(&section, action),
        whole_object: has_whole_object(section.raw("fields")),
        names_group: names_group(section.raw("fields")),
    };
    let usual_unknown = action.map_or(UnknownProperty::DeadLetter, |action| {
        action.default_unknown_property(&hints)
    });
    let (clean, policy) = handling(&section, usual_unknown);
    let row_sync = row_sync(&section, action, hints.sync_mode);
    let settings = settings(&section, policy, hints.sync_mode, owner);
    later_options(&section);
    let fields = action.and_then(|action| {
        let named = fields(&section, action, use_defaults)?;
        let compiled = compiled(&section, &named, paths);
        constants_fit(&section, action, &named, paths, &clean);
        constants_deliver(&section, action, &named, &settings);
        Some((compiled?, named))
    });
    section.finish();
    let (fields, named) = fields?;
    let action = action?;
    Some(MappingEntry {
        id: format!("{}/{name}", owner.name),
        enabled,
        action,
        trigger: trigger?,
        fields,
        clean,
        settings,
        row_sync,
        written: Written::by(action, &named),
        named,
    })
}

fn action(section: &Section<'_>) -> Option<ActionSlug> {
    let Some(slug) = section.text("action") else {
        if section.raw("action").is_none() {
            section.missing("action", &format!("one of {}", slugs().join(", ")));
        }
        return None;
    };
    let action = slug.parse().ok();
    if action.is_none() {
        let hint = closest(&slug, slugs())
            .map_or_else(String::new, |known| format!("; did you mean {known:?}?"));
        let known = slugs().join(", ");
        let message = format!("{slug:?} is no action: there are {known}{hint}");
        let path = section.path_of("action");
        section.problems().invalid(&path, message);
    }
    action
}

fn slugs() -> [&'static str; 6] {
    ActionSlug::ALL.map(ActionSlug::as_str)
}

/// The sync mode has to be named where there is a choice; elsewhere it is accepted, as exported mappings have it.
fn sync_mode(section: &Section<'_>, action: Option<ActionSlug>) -> SyncMode {
    const MODES: [(&str, SyncMode); 3] = [
        ("upsert", SyncMode::Upsert),
        ("add", SyncMode::Add),
        ("update", SyncMode::Update),
    ];
    let has_choice = action.is_some_and(|action| !action.sync_modes().is_empty());
    if !has_choice {
        section.raw("sync_mode");
        return SyncMode::default();
    }
    let exported = section
        .raw("fields")
        .and_then(|fields| fields.get("__segment_internal_sync_mode"))
        .and_then(Value::as_str)
        .and_then(|mode| MODES.iter().find(|(known, _)| *known == mode))
        .map(|(_, mode)| *mode);
    let named = section.choice("sync_mode", &MODES).or(exported);
    if named.is_none() && section.raw("sync_mode").is_none() {
        section.missing("sync_mode", "upsert, add or update");
    }
    named.unwrap_or_default()
}

/// The sync mode as the framework knows it: that of the mapping, or what an exported mapping says where the action has none.
fn row_sync(section: &Section<'_>, action: Option<ActionSlug>, mode: SyncMode) -> Option<RowSync> {
    let has_choice = action.is_some_and(|action| !action.sync_modes().is_empty());
    if has_choice {
        return Some(match mode {
            SyncMode::Add => RowSync::Add,
            SyncMode::Update => RowSync::Update,
            SyncMode::Upsert => RowSync::Upsert,
        });
    }
    let fields = section.raw("fields")?;
    let exported = fields.get("__segment_internal_sync_mode")?;
    RowSync::parse(exported.as_str()?)
}

/// Without a dialect the text has to mean the same in both.
fn trigger(section: &Section<'_>, action: Option<ActionSlug>) -> Option<Trigger> {
    let dialect = section.choice(
        "trigger_dialect",
        &[
            ("reference", TriggerDialect::Reference),
            ("fql", TriggerDialect::Fql),
        ],
    );
    let Some(text) = section.text("trigger") else {
        if section.raw("trigger").is_none() {
            let usual = action
                .and_then(ActionSlug::default_trigger)
                .unwrap_or("type = \"identify\"");
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

/// The fields of a mapping, complete: what is written, and the defaults where they are wanted.
fn fields(
    section: &Section<'_>,
    action: ActionSlug,
    use_defaults: bool,
) -> Option<Map<String, Value>> {
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
        let has_no_effect =
            name.starts_with("__segment_internal") || BATCH_FIELDS.contains(&name.as_str());
        name == ROOT_DIRECTIVE || !has_no_effect
    });
    if named.keys().any(|name| name.starts_with('@')) {
        return Some(named);
    }
    known_fields(&path, &named, action, problems);
    // The directive decides what becomes of the other fields.
    if named.contains_key(ROOT_DIRECTIVE) {
        return Some(named);
    }
    if use_defaults {
        named = with_defaults(named, action);
    }
    required_are_mapped(&named, action, &path, problems);
    Some(named)
}

/// Every field that is written has to be one, and so has every member of a field that declares its members.
fn known_fields(path: &str, named: &Map<String, Value>, action: ActionSlug, problems: &Problems) {
    let declared = action.schema().fields();
    for (name, value) in named.iter().filter(|(name, _)| *name != ROOT_DIRECTIVE) {
        let at = format!("{path}.{name}");
        let Some(field) = action.schema().field(name) else {
            let hint = closest(name, declared.iter().map(FieldSchema::name)).map_or_else(
                || "; other properties go under `properties`".to_owned(),
                |field| {
                    format!("; did you mean {field:?}? (other properties go under `properties`)")
                },
            );
            let message = format!("{action} has no such field{hint}");
            problems.add(Fault::UnknownKey, &at, message);
            continue;
        };
        known_members(&at, value, field, problems);
    }
}

fn known_members(path: &str, value: &Value, field: &FieldSchema, problems: &Problems) {
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                known_members(&format!("{path}[{number}]"), item, field, problems);
            }
        }
        Value::Object(members) if !field.members().is_empty() && !is_directive(members) => {
            for (name, member) in members {
                let at = format!("{path}.{name}");
                let known = field.members().iter();
                match known.clone().find(|known| known.name() == name) {
                    Some(known) => known_members(&at, member, known, problems),
                    None => {
                        let names: Vec<&str> = known.map(FieldSchema::name).collect();
                        let hint = closest(name, names.iter().copied()).map_or_else(
                            || format!("; known are {}", names.join(", ")),
                            |known| format!("; did you mean {known:?}?"),
                        );
                        let message = format!("{} has no such member{hint}", field.name());
                        problems.add(Fault::UnknownKey, &at, message);
                    }
                }
            }
        }
        _ => {}
    }
}

fn compiled(
    section: &Section<'_>,
    named: &Map<String, Value>,
    paths: PathDialect,
) -> Option<Mapping> {
    let path = section.path_of("fields");
    let problems = section.problems();
    match Mapping::compile_with(&Value::Object(named.clone()), paths) {
        Ok(mapping) => {
            for fault in mapping.warnings() {
                problems.warn(&format!("{path}{}", fault.location), fault.message.clone());
            }
            Some(mapping)
        }
        Err(faults) => {
            for fault in faults {
                let at = format!("{path}{}", fault.location);
                problems.add(Fault::Mapping, &at, fault.message);
            }
            None
        }
    }
}

/// A field whose value no event changes is checked now rather than with every event.
fn constants_fit(
    section: &Section<'_>,
    action: ActionSlug,
    named: &Map<String, Value>,
    paths: PathDialect,
    clean: &CleanOptions,
) {
    let path = section.path_of("fields");
    let strict = CleanOptions {
        drop_invalid: false,
        ..*clean
    };
    let directed = named.contains_key(ROOT_DIRECTIVE);
    for (name, value) in named
        .iter()
        .filter(|(_, value)| !directed && is_constant(value))
    {
        let only = Map::from_iter([(name.clone(), value.clone())]);
        let nothing = Value::Object(Map::new());
        let resolved = Mapping::compile_with(&Value::Object(only), paths)
            .ok()
            .and_then(|mapping| mapping.resolve(&nothing).ok().flatten());
        let Some(Value::Object(payload)) = resolved else {
            continue;
        };
        let violations = action.schema().validate(payload, &strict).err();
        for violation in violations.into_iter().flatten() {
            if violation.field() == name {
                let message = format!(
                    "no event changes this value: expected {}, got {}",
                    violation.expected, violation.actual
                );
                let at = format!("{path}{}", violation.path);
                section.problems().add(Fault::Mapping, &at, message);
            }
        }
    }
}

/// A constant that HubSpot never takes refuses every event: better said now.
fn constants_deliver(
    section: &Section<'_>,
    action: ActionSlug,
    named: &Map<String, Value>,
    settings: &ActionSettings,
) {
    if named.contains_key(ROOT_DIRECTIVE) {
        return;
    }
    let path = section.path_of("fields");
    for fault in Action::new(action, settings.clone()).faults(named) {
        let at = format!("{path}{}", fault.path);
        section.problems().add(Fault::Mapping, &at, fault.message);
    }
}

/// Whether there is no directive in it. Nothing and `""` say that the field is not wanted.
fn is_constant(value: &Value) -> bool {
    fn is_plain(value: &Value) -> bool {
        match value {
            Value::Object(members) => members
                .iter()
                .all(|(key, member)| !key.starts_with('@') && is_plain(member)),
            Value::Array(items) => items.iter().all(is_plain),
            _ => true,
        }
    }
    !value.is_null() && value.as_str() != Some("") && is_plain(value)
}

/// The action's default for every field that is not named, in the order of the schema; and for every member that is not
/// named of a field whose members have defaults of their own.
fn with_defaults(mut named: Map<String, Value>, action: ActionSlug) -> Map<String, Value> {
    let mut defaults = action.default_mapping();
    let mut complete = Map::new();
    for field in action.schema().fields() {
        let default = defaults.shift_remove(field.name());
        let value = match (named.shift_remove(field.name()), default) {
            (Some(Value::Object(written)), Some(Value::Object(default)))
                if field.default().is_none() && !is_directive(&written) =>
            {
                let mut members = default;
                members.extend(written);
                Some(Value::Object(members))
            }
            (written, default) => written.or(default),
        };
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
    action: ActionSlug,
    path: &str,
    problems: &Problems,
) {
    for field in action
        .schema()
        .fields()
        .iter()
        .filter(|field| *field.requirement() == Required::Always)
    {
        if !named.contains_key(field.name()) && !BATCH_FIELDS.contains(&field.name()) {
            let or_default = match field.default() {
                Some(_) => ", or set `use_defaults: true`",
                None => "",
            };
            let message = format!(
                "the field {} is required by {action}: map it{or_default}",
                field.name(),
            );
            problems.add(Fault::Mapping, path, message);
        }
    }
}

/// Whether the properties are a whole object by a directive rather than mapped key by key.
fn has_whole_object(fields: Option<&Value>) -> bool {
    ["properties", "sensitive_properties"].iter().any(|field| {
        fields
            .and_then(|fields| fields.get(field))
            .and_then(Value::as_object)
            .is_some_and(is_directive)
    })
}

fn is_directive(members: &Map<String, Value>) -> bool {
    members.keys().any(|key| key.starts_with('@'))
}

/// Whether a property group is named, in which missing properties can be created.
fn names_group(fields: Option<&Value>) -> bool {
    fields
        .and_then(|fields| fields.get("object_details")?.get("property_group"))
        .is_some_and(|group| !group.is_null() && group.as_str() != Some(""))
}

/// How the payload is cleaned, and what is done in the cases that HubSpot or its schema may raise.
fn handling(section: &Section<'_>, usual_unknown: UnknownProperty) -> (CleanOptions, Policy) {
    let drop_invalid_property = section
        .choice("invalid_property", &DROP_OR_DEAD)
        .unwrap_or(false);
    let policy = Policy {
        coalesce: coalesce(section),
        unknown_property: section
            .choice(
                "unknown_property",
                &[
                    ("drop", UnknownProperty::Drop),
                    ("dead_letter", UnknownProperty::DeadLetter),
                    ("create", UnknownProperty::Create),
                ],
            )
            .unwrap_or(usual_unknown),
        drop_invalid_property,
        truncate_dates: truncate_dates(section),
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
    (clean, policy)
}

const DROP_OR_DEAD: [(&str, bool); 2] = [("drop", true), ("dead_letter", false)];

fn settings(
    section: &Section<'_>,
    policy: Policy,
    sync_mode: SyncMode,
    owner: Owner<'_>,
) -> ActionSettings {
    ActionSettings {
        policy,
        group_id_property: PropertyName::new(owner.group_id_property),
        search: search_mode(section),
        allow_email_change: section.flag("allow_email_change", false),
        nulls: section
            .choice("nulls", &[("skip", Nulls::Skip), ("clear", Nulls::Clear)])
            .unwrap_or_default(),
        skip_null_elements: skip_null_elements(section),
        sync_mode,
        hub_id: owner.portal_id,
        overflow: section
            .choice(
                "overflow",
                &[
                    ("dead_letter", Overflow::DeadLetter),
                    ("truncate", Overflow::Truncate),
                ],
            )
            .unwrap_or(Overflow::DeadLetter),
        invalid_email: section
            .choice(
                "invalid_email",
                &[
                    ("drop", InvalidEmail::Drop),
                    ("dead_letter", InvalidEmail::DeadLetter),
                ],
            )
            .unwrap_or_default(),
        name_fix: section
            .choice(
                "property_name_fix",
                &[
                    ("dead_letter", NameFix::DeadLetter),
                    ("prefix", NameFix::Prefix),
                ],
            )
            .unwrap_or_default(),
        associate_existing: section.flag("associate_existing", false),
    }
}

fn truncate_dates(section: &Section<'_>) -> bool {
    let dates = section.section("dates");
    let truncate = dates.flag("truncate", false);
    dates.finish();
    truncate
}

fn search_mode(section: &Section<'_>) -> MatchMode {
    let search = section.section("search");
    let modes = [("all", MatchMode::All), ("any", MatchMode::Any)];
    let mode = search.choice("match", &modes).unwrap_or_default();
    search.finish();
    mode
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
    for key in ["followers", "parallel_companies", "skip_unchanged"] {
        section.later(key);
    }
}
