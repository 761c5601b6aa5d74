//! The configuration as a JSON Schema (2020-12), for completion and checks while it is written.
//!
//! It knows keys, words and kinds of value. What depends on more than one value (`token` or `token_file`, a trigger that
//! means two things) is `check`'s business. Tests compare its keys with those that are read, section by section.

use hubferry_actions::ActionSlug;
use hubferry_mapping::{FieldSchema, FieldType, Required};
use serde_json::{Map, Value, json};

/// The schema of a whole configuration.
#[must_use]
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubferry",
        "description": "The configuration of hubferry. `${NAME}` inside a value takes an environment variable; durations and sizes carry units. `hubferry config reference` prints every key with its default, `hubferry check` finds what a schema cannot.",
        "type": "object",
        "properties": {
            "kafka": kafka(),
            "redis": section("What the workers of a fleet share: the call limit, contact ids, waiting links. Without it everything is held in one process.", &[
                ("url", text("The address, rediss:// for TLS.", None)),
                ("prefix", text("What every key begins with.", Some("hubferry"))),
                ("allow_eviction", flag("Whether a Redis that drops keys when memory is short will do; then a limit may be exceeded.", false)),
            ], &["url"]),
            "input": section("How a message is read.", &[
                ("format", words("What one message holds: one event or one batch envelope, a list of events, or one event a line.", &["json", "array", "ndjson"], Some("json"))),
                ("max_event_bytes", size("The largest event.", "1MiB")),
                ("max_batch_events", whole("The most events of a batch.", Some(10_000))),
            ], &[]),
            "intake": section("How much may be in flight before partitions are paused.", &[
                ("partition_bytes", size("Bytes in flight per partition.", "16MiB")),
                ("worker_bytes", size("Bytes in flight per worker.", "64MiB")),
                ("partition_messages", whole("Messages between the committed and the read position of a partition.", Some(20_000))),
            ], &[]),
            "delivery": section("How steps are gathered into calls.", &[
                ("linger", duration("How long a step waits for company when there is little traffic.", "25ms")),
                ("max_age", duration("After this long a waiting step outweighs a fuller call.", "2s")),
            ], &[]),
            "dedupe": section("Repeated events: the fleet remembers what it delivered, in Redis.", &[
                ("window", duration("How long a delivery is remembered; `off` for not at all.", "24h")),
            ], &[]),
            "brake": section("When a mapping is held because too much of it would become dead letters.", &[
                ("max_ratio", text("The share of dead deliveries among a mapping's last thousand.", Some("5%"))),
                ("max_consecutive", whole("Deliveries of a mapping that HubSpot refuses one after the other.", Some(100))),
            ], &[]),
            "dead_letters": section("Dead letters.", &[
                ("compat_headers", later("Headers of other tools.")),
                ("max_replays", later("How often one may be replayed.")),
                ("seal_key_file", later("The key with which values are sealed.")),
            ], &[]),
            "secrets": section("The key that seals OAuth tokens in Redis; needed there, and only there.", &[
                ("key_file", text("A file with the key: 32 bytes, as they are, as 64 hexadecimal digits or in base64.", None)),
                ("key_env", text("A variable with the key.", None)),
            ], &[]),
            "limiter": section("The shape of the limiter's windows; the limits themselves stand with each portal.", &[
                ("slot", duration("The width of a slot.", "100ms")),
                ("spread", duration("How much the way to HubSpot may vary.", "300ms")),
                ("horizon", duration("How far ahead a call may be booked.", "2s")),
                ("pacing_burst", text("The burst after idle time, as a share of the limit.", Some("25%"))),
                ("max_workers", whole("The most workers there ever are, the surge of an upgrade included.", None)),
                ("on_redis_loss", words("What a worker does that loses Redis: go on at its ticket's small rate (the default with max_workers), stop (the default without), or go on at that rate for a day.", &["ticket", "closed", "share"], None)),
                ("ticket", duration("How long a worker may go on without Redis.", "10m")),
            ], &[]),
            "admin": section("/healthz, /readyz and /metrics.", &[
                ("listen", text("Where the endpoint listens.", Some("127.0.0.1:9400"))),
                ("token_file", text("A file with the token that requests carry; required unless `listen` is loopback.", None)),
            ], &[]),
            "drain": duration("The longest an orderly stop may take; below the pod's grace period.", "55s"),
            "destinations": {
                "description": "The portals and their mappings.",
                "type": "array",
                "items": destination(),
            },
        },
        "additionalProperties": false,
        "$defs": {
            "directive": directive(),
            "value": {
                "description": "A constant, or a directive that takes it from the event.",
                "anyOf": [{ "$ref": "#/$defs/directive" }, {}],
            },
            "mapping": mapping(),
        },
    })
}

fn kafka() -> Value {
    section(
        "Where events come from. Not needed for `run --input FILE`.",
        &[
            ("brokers", texts("host:port of at least one broker.")),
            ("group", text("The consumer group.", Some("hubferry"))),
            ("topics", texts("The topics that are read.")),
            (
                "dead_letter_topic",
                text(
                    "Where dead letters go; {topic} stands for the source.",
                    Some("{topic}.hubferry.dlq"),
                ),
            ),
            (
                "group_protocol",
                words(
                    "How partitions are dealt out; `consumer` needs Kafka 4.0 or later.",
                    &["classic", "consumer"],
                    Some("classic"),
                ),
            ),
            (
                "session_timeout",
                duration("How long the broker waits for a silent member.", "45s"),
            ),
            (
                "properties",
                json!({
                    "description": "Client properties passed on as they are, e.g. security.protocol: SASL_SSL.",
                    "type": "object",
                }),
            ),
        ],
        &["brokers", "topics"],
    )
}

fn destination() -> Value {
    section(
        "A portal, how to talk to it, and the mappings that feed it.",
        &[
            ("name", text("Its name, without spaces and slashes.", None)),
            ("enabled", flag("Whether anything is sent there.", true)),
            (
                "aliases",
                texts("Names by which an event's `integrations` may switch it off."),
            ),
            (
                "group_id_property",
                text(
                    "The unique property of companies that holds the group id.",
                    Some("segment_group_id"),
                ),
            ),
            (
                "deletion",
                section(
                    "What `delete` events do; where it is not enabled, nothing.",
                    &[
                        (
                            "enabled",
                            flag("Whether they delete the contact of their user.", false),
                        ),
                        (
                            "mode",
                            words(
                                "How: archived contacts can be restored for 90 days, of GDPR-deleted ones nothing is left.",
                                &["archive", "gdpr"],
                                Some("archive"),
                            ),
                        ),
                    ],
                    &[],
                ),
            ),
            ("hubspot", hubspot()),
            (
                "mappings",
                json!({
                    "description": "What feeds it.",
                    "type": "array",
                    "items": { "$ref": "#/$defs/mapping" },
                }),
            ),
        ],
        &["name"],
    )
}

fn hubspot() -> Value {
    section(
        "How to talk to the portal.",
        &[
            (
                "base_url",
                text("Where HubSpot is.", Some("https://api.hubapi.com")),
            ),
            (
                "api_version",
                words(
                    "The set of paths; v3 and v4 are the legacy one.",
                    &["2026-03", "2026-09", "v3", "v4"],
                    Some("2026-03"),
                ),
            ),
            (
                "events_prefix",
                text(
                    "The prefix of the events paths, only when it differs from the version's.",
                    None,
                ),
            ),
            (
                "portal_id",
                whole(
                    "The portal this has to be; checked against the token.",
                    None,
                ),
            ),
            ("auth", auth()),
            (
                "timeouts",
                section(
                    "How long a call may take.",
                    &[
                        ("single", duration("A call for a single record.", "10s")),
                        ("batch", duration("A batch call.", "30s")),
                    ],
                    &[],
                ),
            ),
            (
                "limits",
                section(
                    "The limits of the portal.",
                    &[
                        ("ten_seconds", whole("Calls in any 10 s.", Some(100))),
                        (
                            "associations",
                            whole("Association batches in any 10 s.", Some(100)),
                        ),
                        ("search", whole("Searches in any second.", Some(5))),
                        (
                            "ten_seconds_ceiling",
                            whole(
                                "How far HubSpot's answers may raise the calls in 10 s; the same when not said.",
                                None,
                            ),
                        ),
                        (
                            "event_sends",
                            whole("Event sends in any second.", Some(1_250)),
                        ),
                        (
                            "daily",
                            whole(
                                "Calls a day, until the account's midnight; learned from HubSpot's answers when not said.",
                                None,
                            ),
                        ),
                        (
                            "others_share",
                            text(
                                "The share of each window that is left to the customer's other apps.",
                                Some("0%"),
                            ),
                        ),
                    ],
                    &[],
                ),
            ),
        ],
        &["auth"],
    )
}

fn auth() -> Value {
    section(
        "How calls are authorised. Each secret stands in a file, in an environment variable, or (`check` warns) in the text.",
        &[
            (
                "kind",
                words(
                    "A private app (also service keys), or OAuth.",
                    &["private_app", "oauth"],
                    None,
                ),
            ),
            ("token_file", text("A file with the token.", None)),
            ("token_env", text("A variable with the token.", None)),
            ("token", text("The token itself.", None)),
            ("client_id", text("The id of the OAuth app.", None)),
            (
                "client_secret_file",
                text("A file with the app's secret.", None),
            ),
            (
                "client_secret_env",
                text("A variable with the app's secret.", None),
            ),
            ("client_secret", text("The app's secret itself.", None)),
            (
                "refresh_token_file",
                text("A file with the refresh token.", None),
            ),
            (
                "refresh_token_env",
                text("A variable with the refresh token.", None),
            ),
            ("refresh_token", text("The refresh token itself.", None)),
        ],
        &["kind"],
    )
}

fn mapping() -> Value {
    let drop_or_dead = &["drop", "dead_letter"][..];
    let mut mapping = section(
        "Which events it takes, what it does, and how the payload is made.",
        &[
            ("name", text("Its name, without spaces and slashes.", None)),
            ("enabled", flag("Whether it takes part.", true)),
            ("action", action()),
            (
                "trigger",
                text(
                    "Which events it takes, e.g. type = \"track\" and event = \"Order Completed\".",
                    None,
                ),
            ),
            (
                "trigger_dialect",
                words(
                    "How the trigger is read; without it the text has to mean the same in both.",
                    &["reference", "fql"],
                    None,
                ),
            ),
            (
                "path_dialect",
                words(
                    "How paths are read; `extended` can address keys with dots.",
                    &["reference", "extended"],
                    Some("reference"),
                ),
            ),
            (
                "use_defaults",
                flag(
                    "Whether a field that is not named here gets the action's default.",
                    false,
                ),
            ),
            (
                "sync_mode",
                words(
                    "What may be done to records or event definitions; required for upsertObject and customEvent, without effect elsewhere.",
                    &["upsert", "add", "update"],
                    None,
                ),
            ),
            (
                "fields",
                json!({ "description": "From the action's fields to values.", "type": "object" }),
            ),
            (
                "coalesce",
                json!({
                    "description": "Whether waiting steps of one record may become one; off: every intermediate value is written.",
                    "enum": ["on", "off", true, false],
                    "default": "on",
                }),
            ),
            (
                "unknown_property",
                words(
                    "What happens to a property HubSpot does not know; default: dead_letter, drop when a whole object is mapped, and create where the action's own fields ask for it (a property group, a sync mode of customEvent that creates).",
                    &["drop", "dead_letter", "create"],
                    None,
                ),
            ),
            (
                "invalid_property",
                words(
                    "What happens to an optional value that is refused.",
                    drop_or_dead,
                    Some("dead_letter"),
                ),
            ),
            (
                "blank_fields",
                words(
                    "What an empty text in a declared field means.",
                    &["skip", "clear"],
                    Some("skip"),
                ),
            ),
            (
                "nulls",
                words(
                    "What null in a property object means.",
                    &["skip", "clear"],
                    Some("skip"),
                ),
            ),
            (
                "lifecycle",
                words(
                    "How lifecycle stages may move.",
                    &["forward_only", "both_ways", "never"],
                    Some("both_ways"),
                ),
            ),
            (
                "allow_email_change",
                flag(
                    "Whether a contact may get another e-mail than the one it is found by.",
                    false,
                ),
            ),
            (
                "flatten",
                section(
                    "How lists become text.",
                    &[(
                        "skip_null_elements",
                        flag("Whether null elements are left out.", false),
                    )],
                    &[],
                ),
            ),
            (
                "on_missing_contact",
                words(
                    "What an association does when its contact does not exist.",
                    &["wait", "create", "skip", "dead_letter"],
                    Some("wait"),
                ),
            ),
            (
                "link_wait",
                duration("How long an association waits for its contact.", "7d"),
            ),
            (
                "invalid_email",
                words(
                    "What happens to an invalid e-mail beside another identifier of an event.",
                    drop_or_dead,
                    Some("drop"),
                ),
            ),
            (
                "dates",
                section(
                    "Dates with a time of day.",
                    &[(
                        "truncate",
                        flag(
                            "Whether a date property takes the date of a value that has a time of day.",
                            false,
                        ),
                    )],
                    &[],
                ),
            ),
            ("followers", later("What events behind a dead one do.")),
            (
                "parallel_companies",
                later("Companies beside their contacts."),
            ),
            (
                "skip_unchanged",
                later("Leaving out what was written before."),
            ),
            (
                "overflow",
                words(
                    "What happens to event properties beyond the fiftieth.",
                    &["dead_letter", "truncate"],
                    Some("dead_letter"),
                ),
            ),
            (
                "property_name_fix",
                words(
                    "What happens to a property name that does not begin with a letter; `prefix` puts p_ in front.",
                    &["dead_letter", "prefix"],
                    Some("dead_letter"),
                ),
            ),
            (
                "search",
                section(
                    "How search fields are combined.",
                    &[(
                        "match",
                        words(
                            "Whether all or any of them have to be equal.",
                            &["all", "any"],
                            Some("all"),
                        ),
                    )],
                    &[],
                ),
            ),
            (
                "associate_existing",
                flag(
                    "Whether a record that is there already, and so not written by sync mode add, gets its associations and its list.",
                    false,
                ),
            ),
        ],
        &["name", "action", "trigger"],
    );
    if let Value::Object(members) = &mut mapping {
        let by_action = ActionSlug::ALL.map(|action| {
            json!({
                "if": { "properties": { "action": { "const": action.as_str() } } },
                "then": { "properties": { "fields": fields(action) } },
            })
        });
        members.insert("allOf".to_owned(), by_action.to_vec().into());
    }
    mapping
}

fn action() -> Value {
    let known = ActionSlug::ALL
        .map(|action| json!({ "const": action.as_str(), "description": action.title() }));
    json!({ "description": "What it does.", "anyOf": known.to_vec() })
}

/// The fields of one action, the reserved members of exported mappings, and a directive for the whole.
fn fields(action: ActionSlug) -> Value {
    let mut properties = Map::new();
    for field in action.schema().fields() {
        properties.insert(field.name().to_owned(), value_of(field));
    }
    for batching in ["enable_batching", "batch_size", "batch_keys"] {
        let note = json!({ "description": "Accepted from exported mappings; without effect." });
        properties.insert(batching.to_owned(), note);
    }
    for reserved in [
        "__segment_internal_sync_mode",
        "__segment_internal_matching_key",
        "__segment_internal_directive",
    ] {
        let note = json!({ "description": "Reserved by the reference's exports." });
        properties.insert(reserved.to_owned(), note);
    }
    for (name, note) in DIRECTIVES {
        properties.insert((*name).to_owned(), json!({ "description": note }));
    }
    json!({
        "description": format!("The fields of {}.", action.title()),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn value_of(field: &FieldSchema) -> Value {
    let kind = match field.kind() {
        FieldType::Text => "text",
        FieldType::Number => "number",
        FieldType::Integer => "whole number",
        FieldType::Boolean => "true or false",
        FieldType::DateTime => "date or time",
        FieldType::Object => "object",
    };
    let list = if field.is_multiple() { ", a list" } else { "" };
    let required = match field.requirement() {
        Required::Always => ", required",
        Required::No | Required::When(..) => "",
    };
    let mut value = Map::new();
    value.insert(
        "description".to_owned(),
        format!("{} ({kind}{list}{required}).", field.label_text()).into(),
    );
    if let Some(default) = field.default() {
        value.insert("default".to_owned(), default.clone());
    }
    if field.members().is_empty() {
        value.insert("$ref".to_owned(), "#/$defs/value".into());
        return Value::Object(value);
    }
    let members: Map<String, Value> = field
        .members()
        .iter()
        .map(|member| (member.name().to_owned(), value_of(member)))
        .collect();
    let object = json!({
        "type": "object",
        "properties": members,
        "additionalProperties": false,
    });
    let directive = json!({ "$ref": "#/$defs/directive" });
    let forms = if field.is_multiple() {
        let item = json!({ "anyOf": [directive, object] });
        json!([directive, object, { "type": "array", "items": item }])
    } else {
        json!([directive, object])
    };
    value.insert("anyOf".to_owned(), forms);
    Value::Object(value)
}

/// The directives of the mapping language.
const DIRECTIVES: &[(&str, &str)] = &[
    ("@path", "A value of the event: \"$.traits.email\"."),
    (
        "@template",
        "A text with values of the event: \"{{traits.first}} {{traits.last}}\".",
    ),
    (
        "@if",
        "{ exists or blank: VALUE, then: VALUE, else: VALUE }.",
    ),
    ("@case", "{ operator: lower or upper, value: VALUE }."),
    (
        "@replace",
        "{ pattern: TEXT, replacement: TEXT, value: VALUE, ignorecase, global, pattern2, replacement2 }.",
    ),
    ("@arrayPath", "[PATH, { KEY: VALUE for each element }]."),
    (
        "@literal",
        "The value as it is; directives inside are resolved.",
    ),
    (
        "@flatten",
        "{ value: VALUE, separator: TEXT, omitArrays: true or false }.",
    ),
    ("@json", "{ mode: encode or decode, value: VALUE }."),
    (
        "@merge",
        "{ direction: left or right, objects: [OBJECT, …] }.",
    ),
    (
        "@transform",
        "{ apply: OBJECT, mapping: OBJECT }: the mapping sees what apply gives.",
    ),
    ("@excludeWhenNull", "The value without nulls."),
    ("@liquid", "A Liquid template of at most 1000 characters."),
];

fn directive() -> Value {
    let mut properties: Map<String, Value> = DIRECTIVES
        .iter()
        .map(|(name, note)| ((*name).to_owned(), json!({ "description": note })))
        .collect();
    let ignored = json!({ "description": "Ignored." });
    properties.insert("_metadata".to_owned(), ignored);
    json!({
        "description": "Takes the value from the event.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn section(description: &str, keys: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let mut section = json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Value::Object(members), false) = (&mut section, required.is_empty()) {
        members.insert("required".to_owned(), json!(required));
    }
    section
}

fn with_default(mut schema: Value, default: Option<Value>) -> Value {
    if let (Value::Object(members), Some(default)) = (&mut schema, default) {
        members.insert("default".to_owned(), default);
    }
    schema
}

fn text(description: &str, default: Option<&str>) -> Value {
    let schema = json!({ "description": description, "type": "string" });
    with_default(schema, default.map(Value::from))
}

fn texts(description: &str) -> Value {
    json!({
        "description": format!("{description} A text with commas, or a list."),
        "type": ["string", "array"],
        "items": { "type": "string" },
    })
}

fn words(description: &str, words: &[&str], default: Option<&str>) -> Value {
    let schema = json!({ "description": description, "enum": words });
    with_default(schema, default.map(Value::from))
}

fn flag(description: &str, default: bool) -> Value {
    // A text may be a reference to a variable.
    let schema = json!({ "description": description, "type": ["boolean", "string"] });
    with_default(schema, Some(default.into()))
}

fn whole(description: &str, default: Option<u64>) -> Value {
    let schema = json!({ "description": description, "type": ["integer", "string"], "minimum": 1 });
    with_default(schema, default.map(Value::from))
}

fn duration(description: &str, default: &str) -> Value {
    let description = format!("{description} With a unit: 25ms, 2s, 10m, 24h, 7d.");
    text(&description, Some(default))
}

fn size(description: &str, default: &str) -> Value {
    let description = format!("{description} With a unit: 512B, 64KiB, 16MiB, 1GiB.");
    text(&description, Some(default))
}

/// A key that is read and has no effect yet.
fn later(description: &str) -> Value {
    json!({ "description": format!("{description} Without effect in this version.") })
}

#[cfg(test)]
mod tests;
