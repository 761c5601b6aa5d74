use std::path::PathBuf;

use hubferry_actions::{
    DeletionMode, InvalidEmail, MatchMode, NameFix, Nulls, Overflow, SyncMode, UnknownProperty,
};

use super::*;

const MINIMAL: &str = r#"
kafka: { brokers: "localhost:9092", topics: [customer-events] }
redis: { url: "redis://localhost:6379" }
destinations:
  - name: acme
    hubspot: { auth: { kind: private_app, token: t } }
    mappings:
      - { name: contacts, action: upsertContact, trigger: 'type = "identify"', use_defaults: true }
"#;

fn around(variables: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Surroundings::default()
    }
}

fn warnings(loaded: &Loaded) -> Vec<String> {
    loaded.warnings.iter().map(ToString::to_string).collect()
}

fn loaded(text: &str) -> Loaded {
    load_text(text, &around(&[])).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The problems of a minimal configuration with one text replaced by another.
fn problems_of(from: &str, to: &str) -> Vec<String> {
    assert!(MINIMAL.contains(from), "{from}");
    match load_text(&MINIMAL.replacen(from, to, 1), &around(&[])) {
        Ok(loaded) => panic!("accepted: {loaded:#?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_reference_reads_back_as_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").unwrap();
    let text = REFERENCE.replace("/run/secrets/hubspot-token", token.to_str().unwrap());
    let reference = loaded(&text);
    assert_eq!(reference.warnings, Vec::new());
    let reference = reference.configuration;
    let minimal = loaded(MINIMAL).configuration;
    assert_eq!(reference.kafka, minimal.kafka);
    assert_eq!(reference.redis, minimal.redis);
    assert_eq!(reference.intake, minimal.intake);
    assert_eq!(reference.delivery, minimal.delivery);
    assert_eq!(reference.limiter, minimal.limiter);
    assert_eq!(reference.admin, minimal.admin);
    assert_eq!(reference.drain, minimal.drain);
    let (one, other) = (&reference.destinations[0], &minimal.destinations[0]);
    assert_eq!(one.aliases, other.aliases);
    assert_eq!((one.deletion, other.deletion), (None, None));
    assert_eq!(one.hubspot.limits, other.hubspot.limits);
    assert_eq!(one.hubspot.timeout_batch, other.hubspot.timeout_batch);
    assert_eq!(one.hubspot.timeout_single, other.hubspot.timeout_single);
    assert_eq!(one.mappings[0].id, "acme/contacts");
    assert_eq!(
        one.mappings[0].settings.policy,
        other.mappings[0].settings.policy
    );
    assert_eq!(one.mappings[0].clean, other.mappings[0].clean);
    assert_eq!(one.mappings[1].id, "acme/companies");
}

#[test]
fn each_refused_value_says_where_what_and_the_accepted_form() {
    for (from, to, expected) in [
        (
            "kafka: {",
            "kafka: { topicz: [a],",
            "config_unknown_key: kafka.topicz: unknown key; did you mean \"topics\"?",
        ),
        (
            "redis:",
            "delivery: { linger: 25 }\nredis:",
            "config_invalid: delivery.linger: 25 is not a duration with a unit, such as 25ms, 2s, 10m, 24h or 7d",
        ),
        (
            "redis:",
            "intake: { worker_bytes: 64 }\nredis:",
            "config_invalid: intake.worker_bytes: 64 is not a size with a unit, such as 512B, 64KiB, 16MiB or 1GiB",
        ),
        (
            "redis:",
            "input: { format: jsn }\nredis:",
            "config_invalid: input.format: \"jsn\" is not one of json, array, ndjson; did you mean \"json\"?",
        ),
        (
            "redis:",
            "admin: { listen: 0.0.0.0:9400 }\nredis:",
            "config_invalid: admin.token_file: missing: 0.0.0.0:9400 can be reached from outside, so requests have to carry a token",
        ),
        (
            "token: t",
            "token_file: /nowhere/token",
            "config_invalid: destinations[acme].hubspot.auth.token_file: could not read /nowhere/token: No such file or directory (os error 2)",
        ),
        (
            "token: t",
            "token_env: NOBODY",
            "config_invalid: destinations[acme].hubspot.auth.token_env: the environment variable NOBODY is not set",
        ),
        (
            "token: t",
            "token: t, token_env: T",
            "config_invalid: destinations[acme].hubspot.auth.token_file: give one of token_file, token_env and token, not several",
        ),
        (
            "upsertContact",
            "upsertContacts",
            "config_invalid: destinations[acme].mappings[contacts].action: \"upsertContacts\" is no action: there are upsertContact, upsertCompany, upsertCustomObjectRecord, upsertObject, sendCustomBehavioralEvent, customEvent; did you mean \"upsertContact\"?",
        ),
        (
            "upsertContact",
            "sendCustomBehavioralEvent",
            "mapping_invalid: destinations[acme].mappings[contacts].fields: the field eventName is required by sendCustomBehavioralEvent: map it",
        ),
        (
            "use_defaults: true",
            "use_defaults: true, enabled: false",
            "config_invalid: destinations: nothing is enabled: no destination has an enabled mapping",
        ),
        (
            "use_defaults: true",
            "use_defaults: true, fields: { emial: x }",
            "config_unknown_key: destinations[acme].mappings[contacts].fields.emial: upsertContact has no such field; did you mean \"email\"? (other properties go under `properties`)",
        ),
        (
            "use_defaults: true",
            "fields: { phone: '1' }",
            "mapping_invalid: destinations[acme].mappings[contacts].fields: the field email is required by upsertContact: map it, or set `use_defaults: true`",
        ),
        (
            "[customer-events]",
            "[customer-events], dead_letter_topic: customer-events",
            "config_invalid: kafka.dead_letter_topic: \"customer-events\" is also read as a source; dead letters would go round for ever",
        ),
    ] {
        assert_eq!(problems_of(from, to), [expected]);
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = load_text(
        "kafka: { brokers: x, topics: 3, grup: y }\ndrain: soon\ndestinations: []\n",
        &around(&[]),
    )
    .unwrap_err();
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "config_invalid: kafka.topics: 3 is not a text or a list of texts",
            "config_invalid: kafka.topics: missing: a list of topics, such as [customer-events]",
            "config_unknown_key: kafka.grup: unknown key; did you mean \"group\"?",
            "config_invalid: drain: \"soon\" is not a duration with a unit, such as 25ms, 2s, 10m, 24h or 7d",
            "config_invalid: destinations: nothing is enabled: add a destination with a mapping",
        ]
    );
}

#[test]
fn a_broken_trigger_and_a_broken_directive_are_named() {
    let trigger = problems_of("'type = \"identify\"'", "'and and'");
    assert_eq!(trigger.len(), 1, "{trigger:?}");
    assert!(
        trigger[0].starts_with("trigger_invalid: destinations[acme].mappings[contacts].trigger: "),
        "{trigger:?}"
    );
    let ambiguous = problems_of(
        "'type = \"identify\"'",
        "'type = \"a\" or type = \"b\" and event = \"c\"'",
    );
    assert_eq!(ambiguous.len(), 1, "{ambiguous:?}");
    assert!(
        ambiguous[0]
            .starts_with("trigger_ambiguous: destinations[acme].mappings[contacts].trigger: "),
        "{ambiguous:?}"
    );
    let directive = problems_of(
        "use_defaults: true",
        "use_defaults: true, fields: { phone: { '@oops': 1 } }",
    );
    assert_eq!(directive.len(), 1, "{directive:?}");
    assert!(
        directive[0]
            .starts_with("mapping_invalid: destinations[acme].mappings[contacts].fields/phone"),
        "{directive:?}"
    );
}

#[test]
fn secrets_never_show() {
    let loaded = loaded(
        &MINIMAL
            .replace("token: t", "token: pat-secret")
            .replace("redis://localhost", "redis://user:hidden@localhost"),
    );
    let printed = format!("{loaded:?}");
    assert!(!printed.contains("pat-secret"));
    assert!(!printed.contains("hidden"));
    assert_eq!(
        warnings(&loaded),
        [
            "destinations[acme].hubspot.auth.token: stands in the file itself: prefer token_file or token_env"
        ]
    );
}

#[test]
fn the_environment_overrides_sections_and_destinations() {
    let around = around(&[
        ("HUBFERRY__KAFKA__TOPICS", "a,b"),
        (
            "HUBFERRY__DESTINATIONS__ACME__HUBSPOT__LIMITS__TEN_SECONDS",
            "190",
        ),
    ]);
    let loaded = load_text(MINIMAL, &around).unwrap();
    assert_eq!(loaded.configuration.kafka.unwrap().topics, ["a", "b"]);
    let limits = loaded.configuration.destinations[0].hubspot.limits;
    assert_eq!(limits.ten_seconds.get(), 190);
}

#[test]
fn client_properties_keep_their_dots_however_they_are_written() {
    let around = around(&[("HUBFERRY__KAFKA__PROPERTIES__SASL__PASSWORD", "p")]);
    let text = MINIMAL.replacen(
        "kafka: {",
        "kafka: { properties: { security.protocol: SASL_SSL, sasl: { username: u } },",
        1,
    );
    let properties = load_text(&text, &around)
        .unwrap()
        .configuration
        .kafka
        .unwrap()
        .properties;
    assert_eq!(
        properties.0.into_iter().collect::<Vec<_>>(),
        [
            ("sasl.password", "p"),
            ("sasl.username", "u"),
            ("security.protocol", "SASL_SSL")
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_folder_holds_the_main_file_and_mappings() {
    let folder = tempfile::tempdir().unwrap();
    let mappings = folder.path().join("mappings");
    std::fs::create_dir(&mappings).unwrap();
    std::fs::write(
        folder.path().join("hubferry.yaml"),
        "destinations: [{ name: acme, hubspot: { auth: { kind: private_app, token: t } } }]",
    )
    .unwrap();
    std::fs::write(
        mappings.join("contacts.yaml"),
        "name: contacts\naction: upsertContact\ntrigger: type = \"identify\"\nuse_defaults: true\n",
    )
    .unwrap();
    std::fs::write(
        mappings.join("more.yaml"),
        "- { name: companies, destination: acme, action: upsertCompany, trigger: 'type = \"group\"', use_defaults: true }",
    )
    .unwrap();
    let loaded = load(&[folder.path().to_owned()], &around(&[])).unwrap();
    let ids: Vec<&str> = loaded.configuration.destinations[0]
        .mappings
        .iter()
        .map(|mapping| mapping.id.as_str())
        .collect();
    assert_eq!(ids, ["acme/contacts", "acme/companies"]);
}

#[test]
fn an_unreadable_file_is_the_only_problem() {
    let found = load(&[PathBuf::from("/nowhere/c.yaml")], &around(&[])).unwrap_err();
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["config_invalid: could not read /nowhere/c.yaml: No such file or directory (os error 2)"]
    );
}

#[test]
fn a_documented_key_of_a_later_version_is_a_warning() {
    let loaded = loaded(&MINIMAL.replacen("redis:", "dead_letters: { max_replays: 3 }\nredis:", 1));
    let warning = "dead_letters.max_replays: has no effect in this version".to_owned();
    assert!(warnings(&loaded).contains(&warning));
}

/// The minimal configuration with an OAuth app, where `auth` goes on.
fn with_app(auth: &str, secrets: &str) -> String {
    let app = format!("{{ kind: oauth, client_id: a, client_secret: s{auth} }}");
    MINIMAL
        .replacen("{ kind: private_app, token: t }", &app, 1)
        .replacen("redis:", &format!("{secrets}redis:"), 1)
}

#[test]
fn a_grant_in_redis_needs_a_key_and_a_private_app_needs_none() {
    let lines = |text: &str| -> Vec<String> {
        match load_text(text, &around(&[("KEY", &"ab".repeat(32)), ("SHORT", "x")])) {
            Ok(loaded) => {
                assert!(loaded.configuration.redis.is_some());
                Vec::new()
            }
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    };
    let missing = "config_invalid: secrets.key_file: missing: the OAuth tokens of acme are kept in redis, sealed with a key of 32 bytes (or key_env: NAME); `openssl rand -hex 32` makes one";
    assert_eq!(lines(&with_app("", "")), [missing]);
    for (secrets, expected) in [
        ("secrets: { key_env: KEY }\n", None),
        (
            "secrets: { key_env: SHORT }\n",
            Some(
                "config_invalid: secrets.key_env: a key has 32 bytes, as they are, as 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one",
            ),
        ),
        (
            "secrets: { key_env: NOBODY }\n",
            Some("config_invalid: secrets.key_env: the environment variable NOBODY is not set"),
        ),
        (
            "secrets: { key_env: KEY, key_file: f }\n",
            Some("config_invalid: secrets.key_file: give one of key_file and key_env, not both"),
        ),
    ] {
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(lines(&with_app("", secrets)), expected, "{secrets}");
    }
    assert_eq!(lines(MINIMAL), Vec::<String>::new());
}

#[test]
fn a_refresh_token_may_come_later_when_there_is_a_place_for_it() {
    let without_redis = |auth: &str| {
        with_app(auth, "").replacen("redis: { url: \"redis://localhost:6379\" }\n", "", 1)
    };
    let refused = load_text(&without_redis(""), &around(&[])).unwrap_err();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        refused[0].path,
        "destinations[acme].hubspot.auth.refresh_token_file"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("refresh");
    let loaded = loaded(&without_redis(&format!(
        ", refresh_token_file: {}",
        file.display()
    )));
    let warned = format!(
        "there is no {} yet: `hubferry auth login` writes it",
        file.display()
    );
    assert!(warnings(&loaded).iter().any(|line| line.ends_with(&warned)));
    let hubspot = &loaded.configuration.destinations[0].hubspot;
    assert_eq!(hubspot.refresh_token_file, Some(file));
}

#[test]
fn the_prefix_of_events_is_a_path() {
    let with = |prefix: &str| {
        let hubspot = format!("hubspot: {{ events_prefix: '{prefix}', auth:");
        MINIMAL.replacen("hubspot: { auth:", &hubspot, 1)
    };
    let loaded = loaded(&with("/events/custom/2026-03/"));
    let prefix = &loaded.configuration.destinations[0].hubspot.events_prefix;
    let prefix = prefix.as_ref().map(hubferry_hubspot::EventsPrefix::as_str);
    assert_eq!(prefix, Some("events/custom/2026-03"));
    let refused = load_text(&with("events//x"), &around(&[])).unwrap_err();
    assert_eq!(refused[0].path, "destinations[acme].hubspot.events_prefix");
}

#[test]
fn remembering_deliveries_has_a_window_or_is_off() {
    for (written, window) in [
        ("1h", Some(std::time::Duration::from_hours(1))),
        ("off", None),
        ("0s", None),
    ] {
        let text = MINIMAL.replacen(
            "redis:",
            &format!("dedupe: {{ window: {written} }}\nredis:"),
            1,
        );
        assert_eq!(loaded(&text).configuration.dedupe, window, "{written}");
    }
    let usual = loaded(MINIMAL).configuration;
    assert_eq!(usual.dedupe, Some(std::time::Duration::from_hours(24)));
    assert_eq!(usual.brake.max_consecutive.get(), 100);
    assert!((usual.brake.max_ratio - 0.05).abs() < f64::EPSILON);
}

/// The minimal configuration with one mapping more.
fn with_mapping(mapping: &str) -> Result<Loaded, Vec<String>> {
    load_text(&format!("{MINIMAL}      - {mapping}\n"), &around(&[]))
        .map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn deals(more: &str) -> Result<Loaded, Vec<String>> {
    with_mapping(&format!(
        "{{ name: deals, action: upsertObject, trigger: 'type = \"track\"', {more} }}"
    ))
}

const DEALS: &str = "destinations[acme].mappings[deals]";
const DETAILS: &str =
    "{ object_type: deals, id_field_name: k, id_field_value: { '@path': $.userId } }";

#[test]
fn o13_the_sync_mode_of_objects_and_events_has_to_be_named() {
    let fields = format!("fields: {{ object_details: {DETAILS} }}, use_defaults: true");
    let loaded = deals(&format!("sync_mode: add, {fields}")).unwrap();
    let entry = &loaded.configuration.destinations[0].mappings[1];
    assert_eq!(entry.settings.sync_mode, SyncMode::Add);
    let exported = fields.replace(
        "fields: {",
        "fields: { __segment_internal_sync_mode: update,",
    );
    let entry = &deals(&exported).unwrap().configuration.destinations[0].mappings[1];
    assert_eq!(entry.settings.sync_mode, SyncMode::Update);
    assert_eq!(
        deals(&fields).unwrap_err(),
        [format!(
            "config_invalid: {DEALS}.sync_mode: missing: upsert, add or update"
        )]
    );
    let misspelt = fields.replace("id_field_name", "id_feild_name");
    assert_eq!(
        deals(&format!("sync_mode: add, {misspelt}")).unwrap_err()[..1],
        [format!(
            "config_unknown_key: {DEALS}.fields.object_details.id_feild_name: object_details has no such member; did you mean \"id_field_name\"?"
        )]
    );
}

#[test]
fn o11_an_id_that_hubspot_makes_itself_creates_no_record() {
    let details = DETAILS.replace("id_field_name: k", "id_field_name: hs_object_id");
    let fields = format!("fields: {{ object_details: {details} }}, use_defaults: true");
    assert!(deals(&format!("sync_mode: update, {fields}")).is_ok());
    for mode in ["add", "upsert"] {
        let found = deals(&format!("sync_mode: {mode}, {fields}")).unwrap_err();
        let at = format!(
            "mapping_invalid: {DEALS}.fields/object_details/id_field_name: HubSpot makes this id itself"
        );
        assert!(found.len() == 1 && found[0].starts_with(&at), "{found:?}");
    }
}

#[test]
fn l6_the_form_of_a_label_is_checked_at_once() {
    let link =
        "{ object_type: company, association_label: foo, id_field_name: k, id_field_value: '1' }";
    let fields = format!(
        "fields: {{ object_details: {DETAILS}, associations: [{link}] }}, use_defaults: true"
    );
    assert_eq!(
        deals(&format!("sync_mode: upsert, {fields}")).unwrap_err(),
        [format!(
            "mapping_invalid: {DEALS}.fields/associations/0/association_label: the label has to be CATEGORY:number as HubSpot lists its labels, such as HUBSPOT_DEFINED:279"
        )]
    );
}

#[test]
fn b13_an_event_name_needs_a_prefix_or_the_portals_id() {
    let event = |hubspot: &str, name: &str| {
        let text = MINIMAL.replacen("token: t }", &format!("token: t }}{hubspot}"), 1);
        let mapping = format!(
            "      - {{ name: e, action: sendCustomBehavioralEvent, trigger: 'type = \"track\"', use_defaults: true, fields: {{ eventName: {name} }} }}\n"
        );
        let loaded = load_text(&format!("{text}{mapping}"), &around(&[]));
        loaded.map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert!(event("", "pe12_viewed").is_ok());
    assert!(event(", portal_id: 12", "Page Viewed").is_ok());
    for (hubspot, name) in [("", "viewed"), (", portal_id: 12", "pe13_viewed")] {
        let found = event(hubspot, name).unwrap_err();
        let at = "mapping_invalid: destinations[acme].mappings[e].fields/eventName: ";
        assert!(found.len() == 1 && found[0].starts_with(at), "{found:?}");
    }
}

#[test]
fn k9_the_reserved_property_of_companies_is_found_at_once() {
    let found = with_mapping(
        "{ name: c, action: upsertCompany, trigger: 'type = \"group\"', use_defaults: true, fields: { properties: { segment_group_id: x } } }",
    );
    assert_eq!(
        found.unwrap_err(),
        [
            "mapping_invalid: destinations[acme].mappings[c].fields/properties/segment_group_id: segment_group_id is written by the action itself; map groupid instead"
        ]
    );
}

#[test]
fn every_option_of_a_mapping_reaches_its_action() {
    let fields = format!("fields: {{ object_details: {DETAILS} }}, use_defaults: true");
    let options = "unknown_property: create, dates: { truncate: true }, overflow: truncate, invalid_email: dead_letter, property_name_fix: prefix, search: { match: any }, associate_existing: true, nulls: clear";
    let loaded = deals(&format!("sync_mode: add, {options}, {fields}")).unwrap();
    let settings = &loaded.configuration.destinations[0].mappings[1].settings;
    assert_eq!(settings.policy.unknown_property, UnknownProperty::Create);
    assert!(settings.policy.truncate_dates && settings.associate_existing);
    assert_eq!(settings.overflow, Overflow::Truncate);
    assert_eq!(settings.invalid_email, InvalidEmail::DeadLetter);
    assert_eq!(settings.name_fix, NameFix::Prefix);
    assert_eq!(settings.search, MatchMode::Any);
    assert_eq!(settings.nulls, Nulls::Clear);
    let without_effect = warnings(&loaded)
        .into_iter()
        .filter(|warning| warning.contains("no effect"));
    assert_eq!(without_effect.count(), 0);
}

#[test]
fn unknown_properties_are_treated_as_the_fields_ask_for() {
    use UnknownProperty::{Create, DeadLetter, Drop};
    let grouped = DETAILS.replace(
        "object_type: deals",
        "object_type: deals, property_group: g",
    );
    for (details, more, expected) in [
        (DETAILS, "properties: { a: 1 }", DeadLetter),
        (DETAILS, "properties: { '@path': $.traits }", Drop),
        (DETAILS, "sensitive_properties: { '@path': $.traits }", Drop),
        (&grouped, "properties: { a: 1 }", Create),
        (&grouped, "properties: { '@path': $.traits }", Drop),
    ] {
        let fields = format!("fields: {{ object_details: {details}, {more} }}, use_defaults: true");
        let loaded = deals(&format!("sync_mode: add, {fields}")).unwrap();
        let policy = &loaded.configuration.destinations[0].mappings[1]
            .settings
            .policy;
        assert_eq!(policy.unknown_property, expected, "{details} {more}");
    }
}

#[test]
fn object_mappings_of_one_type_clash_like_others() {
    let fields = format!(
        "fields: {{ object_details: {}, properties: {{ phone: x, nickname: y }} }}, use_defaults: true",
        DETAILS.replace("deals", "contact")
    );
    let loaded = deals(&format!("sync_mode: update, {fields}")).unwrap();
    assert_eq!(
        warnings(&loaded)[1..],
        [format!(
            "mapping_clash: {DEALS}: writes phone of contacts, and so does contacts: whichever event comes last wins; leave each property to one of the two"
        )]
    );
}

#[test]
fn a_value_that_no_event_changes_is_checked_at_once() {
    assert_eq!(
        problems_of(
            "use_defaults: true",
            "use_defaults: true, fields: { email: nobody, phone: [1, 2], city: '' }"
        ),
        [
            "mapping_invalid: destinations[acme].mappings[contacts].fields/email: no event changes this value: expected an e-mail address, got `n***`",
            "mapping_invalid: destinations[acme].mappings[contacts].fields/phone: no event changes this value: expected a text, got a list of 2",
        ]
    );
}

#[test]
fn keys_with_dots_need_the_extended_dialect() {
    let fields = |dialect: &str| {
        let text = MINIMAL.replacen(
            "use_defaults: true",
            &format!("path_dialect: {dialect}, use_defaults: true, fields: {{ phone: {{ '@path': 'traits.a\\.b' }} }}"),
            1,
        );
        let configuration = loaded(&text).configuration;
        let event = serde_json::json!({ "traits": { "a.b": "1" } });
        let payload = configuration.destinations[0].mappings[0]
            .fields
            .resolve(&event)
            .unwrap()
            .unwrap();
        payload.get("phone").cloned()
    };
    assert_eq!(fields("reference"), None);
    assert_eq!(fields("extended"), Some(serde_json::json!("1")));
}

#[test]
fn two_mappings_of_one_property_are_a_clash_to_be_decided() {
    let minimal = MINIMAL.replace("token: t", "token_env: T");
    let around = around(&[("T", "t")]);
    let with = |more: &str| warnings(&load_text(&format!("{minimal}{more}"), &around).unwrap());
    let signup = "      - { name: signup, action: upsertContact, trigger: 'type = \"track\"', fields: { email: { '@path': $.properties.email }, city: Rome, phone: null, properties: { zip: '1', plan: pro } } }\n";
    assert_eq!(
        with(signup),
        [
            "mapping_clash: destinations[acme].mappings[signup]: writes city, zip of contacts, and so does contacts: whichever event comes last wins; leave each property to one of the two"
        ]
    );
    let elsewhere = [
        signup.replace("name: signup", "enabled: false, name: signup"),
        signup.replace("city: Rome", "properties: { '@path': $.properties }").replace(", properties: { zip: '1', plan: pro }", ""),
        "      - { name: companies, action: upsertCompany, trigger: 'type = \"group\"', use_defaults: true }\n".to_owned(),
    ];
    for more in elsewhere {
        assert_eq!(with(&more), Vec::<String>::new(), "{more}");
    }
    let twice = "      - { name: again, action: upsertContact, trigger: 'type = \"track\"', use_defaults: true }\n";
    assert_eq!(
        with(twice),
        [
            "mapping_clash: destinations[acme].mappings[again]: writes address, city, company, country, firstname and 5 more of contacts, and so does contacts: whichever event comes last wins; leave each property to one of the two"
        ]
    );
}

#[test]
fn every_problem_and_warning_names_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let mappings = folder.path().join("mappings");
    std::fs::create_dir(&mappings).unwrap();
    let main = folder.path().join("hubferry.yaml");
    std::fs::write(
        &main,
        "kafka:\n  brokers: a\n  topicz: [x]\n  topics: [x]\ndestinations:\n- name: acme\n  hubspot:\n    auth: { kind: private_app, token: t }\n",
    )
    .unwrap();
    let contacts = mappings.join("contacts.yaml");
    std::fs::write(
        &contacts,
        "name: contacts\naction: upsertContact\ntrigger: type = \"identify\"\nuse_defaults: true\nfields:\n  phone:\n    '@oops': 1\n",
    )
    .unwrap();
    let inspected = inspect(&[folder.path().to_owned()], &around(&[]));
    let problems: Vec<String> = inspected
        .outcome
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    let (main, contacts) = (main.display(), contacts.display());
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(
        problems[0],
        format!(
            "{main}:3: config_unknown_key: kafka.topicz: unknown key; did you mean \"topics\"?"
        )
    );
    assert!(
        problems[1].starts_with(&format!(
            "{contacts}:6: mapping_invalid: destinations[acme].mappings[contacts].fields/phone"
        )),
        "{problems:?}"
    );
    assert_eq!(
        inspected.warnings[0].to_string(),
        format!(
            "{main}:8: destinations[acme].hubspot.auth.token: stands in the file itself: prefer token_file or token_env"
        )
    );
}

#[test]
fn a_text_that_is_neither_yaml_nor_json_is_placed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, line) in [
        ("c.yaml", "kafka:\n  brokers: [a\nredis: b\n", 3),
        ("c.json", "{\n\"kafka\": ]\n}", 2),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let found = load(std::slice::from_ref(&file), &around(&[])).unwrap_err();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, Some(Place { file, line }), "{found:?}");
    }
}

#[test]
fn without_secrets_nothing_of_the_surroundings_is_needed() {
    let text = MINIMAL.replacen("token: t", "token_file: '${NOWHERE}'", 1);
    assert!(load_text(&text, &around(&[])).is_err());
    assert!(load_text(&text, &around(&[]).without_secrets()).is_ok());
}

#[test]
fn the_root_directive_of_an_export_keeps_its_meaning() {
    let fields = r#"fields: { __segment_internal_directive: { "@transform": { apply: { k: { "@path": traits.email } } } }, email: { "@path": k } }"#;
    let text = MINIMAL.replacen("use_defaults: true", fields, 1);
    let event = serde_json::json!({ "traits": { "email": "a@b.co" } });
    let configuration = loaded(&text).configuration;
    let payload = configuration.destinations[0].mappings[0]
        .fields
        .resolve(&event)
        .unwrap();
    assert_eq!(payload, Some(serde_json::json!({ "email": "a@b.co" })));
}

#[test]
fn s8_deletion_is_off_unless_it_is_enabled_and_archives_unless_it_is_told_otherwise() {
    let with = |deletion: &str| {
        let text = MINIMAL.replacen("    hubspot:", &format!("    {deletion}\n    hubspot:"), 1);
        loaded(&text).configuration.destinations.remove(0)
    };
    for (deletion, expected) in [
        ("deletion: {}", None),
        ("deletion: { enabled: false, mode: gdpr }", None),
        ("deletion: { mode: gdpr }", None),
        ("deletion: { enabled: true }", Some(DeletionMode::Archive)),
        (
            "deletion: { enabled: true, mode: archive }",
            Some(DeletionMode::Archive),
        ),
        (
            "deletion: { enabled: true, mode: gdpr }",
            Some(DeletionMode::Gdpr),
        ),
    ] {
        assert_eq!(with(deletion).deletion, expected, "{deletion}");
    }
    let ids: Vec<String> = with("deletion: { enabled: true }").active_ids().collect();
    assert_eq!(ids, ["acme/contacts", "acme/deletion"]);
    let ids: Vec<String> = with("deletion: {}").active_ids().collect();
    assert_eq!(ids, ["acme/contacts"]);
    assert_eq!(
        problems_of(
            "    hubspot:",
            "    deletion: { enabled: true, mode: erase }\n    hubspot:"
        ),
        ["config_invalid: destinations[acme].deletion.mode: \"erase\" is not one of archive, gdpr"]
    );
}

#[test]
fn s8_the_name_of_deletions_is_free_for_a_mapping_only_where_nothing_is_deleted() {
    let named = MINIMAL.replacen("name: contacts", "name: deletion", 1);
    assert_eq!(
        loaded(&named).configuration.destinations[0].mappings[0].id,
        "acme/deletion"
    );
    let both = named.replacen(
        "    hubspot:",
        "    deletion: { enabled: true }\n    hubspot:",
        1,
    );
    let problems = load_text(&both, &around(&[])).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "config_invalid: destinations[acme].mappings[deletion].name: \"deletion\" is the name of the destination's own \
          deletions: give the mapping another name, or disable deletion"
        ]
    );
}

#[test]
fn a_destination_that_only_deletes_is_not_nothing() {
    let text = "destinations:\n- name: acme\n  deletion: { enabled: true }\n  hubspot: { auth: { kind: private_app, token: t } }\n";
    assert_eq!(loaded(text).configuration.destinations[0].mappings.len(), 0);
    let off = text.replacen("true", "false", 1);
    assert!(load_text(&off, &around(&[])).is_err());
}

/// `FILE MAPPING` of everything that makes deliveries in the examples, and of everything that their tests try.
#[test]
fn every_mapping_of_the_examples_has_tests_beside_it() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let files = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let texts = paths.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
        texts
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect::<Vec<_>>()
    };
    let mut tried = std::collections::BTreeSet::new();
    for (name, text) in files(&examples.join("tests")) {
        let file = parse_text(&text).unwrap();
        let config = file["config"].as_str().unwrap().trim_start_matches("../");
        for case in file["cases"].as_array().unwrap() {
            let mapping = case.get("mapping").unwrap_or(&file["mapping"]).as_str();
            let mapping = mapping.unwrap_or_else(|| panic!("{name} names no mapping"));
            let own = mapping.split_once('/').map_or(mapping, |(_, own)| own);
            tried.insert(format!("{config} {own}"));
            tried.insert(format!("{config} {mapping}"));
        }
    }
    for (name, text) in files(&examples) {
        let around = around(&[]).without_secrets();
        let configuration = load_text(&text, &around).unwrap().configuration;
        let several = configuration.destinations.len() > 1;
        for id in configuration
            .destinations
            .iter()
            .flat_map(Destination::active_ids)
        {
            let own = id.split_once('/').map_or(id.as_str(), |(_, own)| own);
            let wanted = if several { id.as_str() } else { own };
            assert!(
                tried.contains(&format!("{name} {wanted}")),
                "{name}: nothing tests {id}"
            );
        }
    }
}

#[test]
fn every_example_can_be_used_as_it_is() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let inspected = inspect(std::slice::from_ref(&path), &around(&[]).without_secrets());
        let problems = inspected.outcome.err().unwrap_or_default();
        let found = problems.iter().map(ToString::to_string);
        let warned = inspected.warnings.iter().map(ToString::to_string);
        let warned = warned.filter(|warning| !warning.contains("auth.token"));
        let told: Vec<String> = found.chain(warned).collect();
        assert_eq!(told, Vec::<String>::new(), "{}", path.display());
        names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    for example in [
        "audience-to-list",
        "contacts-and-companies",
        "deals",
        "deletion",
        "eu-account",
        "labelled-associations",
        "page-views",
    ] {
        assert!(
            names.iter().any(|name| name == example),
            "{example} has moved"
        );
    }
}
