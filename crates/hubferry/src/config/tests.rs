use std::path::PathBuf;

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
    }
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
    assert_eq!(reference.warnings, Vec::<String>::new());
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
            "config_invalid: destinations[acme].mappings[contacts].action: \"upsertContacts\" is no action: there are upsertContact, upsertCompany; did you mean \"upsertContact\"?",
        ),
        (
            "upsertContact",
            "customEvent",
            "config_invalid: destinations[acme].mappings[contacts].action: the action customEvent is not available in this version; there are upsertContact, upsertCompany",
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
        loaded.warnings,
        [
            "destinations[acme].hubspot.auth.token stands in the file itself: prefer token_file or token_env"
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
    let loaded = loaded(&MINIMAL.replacen("redis:", "dedupe: { window: 1h }\nredis:", 1));
    assert!(
        loaded
            .warnings
            .contains(&"dedupe.window has no effect in this version".to_owned())
    );
}
