use serde_json::json;

use super::*;
use crate::config::{Surroundings, load_text};

const TWO_PORTALS: &str = r#"
destinations:
  - name: a
    hubspot: { auth: { kind: private_app, token: t } }
    mappings:
      - { name: contacts, action: upsertContact, trigger: 'type = "identify"', use_defaults: true }
      - name: companies
        action: upsertCompany
        trigger: type = "identify"
        invalid_property: drop
        fields:
          groupid: { "@path": "$.traits.company_id" }
          createNewCompany: true
          associateContact: true
          numberofemployees: { "@path": "$.traits.size" }
      - { name: off, enabled: false, action: upsertContact, trigger: 'type = "track"', use_defaults: true }
  - name: b
    aliases: [Second]
    hubspot: { auth: { kind: private_app, token: t } }
    mappings:
      - { name: contacts, action: upsertContact, trigger: 'type = "identify"', use_defaults: true }
  - name: c
    enabled: false
    hubspot: { auth: { kind: private_app, token: t } }
    mappings:
      - { name: contacts, action: upsertContact, trigger: 'type = "track"', use_defaults: true }
"#;

fn intake() -> Intake {
    let loaded = load_text(TWO_PORTALS, &Surroundings::default()).unwrap();
    Intake::new(
        loaded.configuration.input,
        loaded.configuration.destinations,
    )
}

/// What came of a message, one line per delivery: `position mapping ending`.
fn verdicts(body: &str) -> Vec<String> {
    let intake = intake();
    let name = |mapping: Option<MappingIndex>| {
        mapping.map_or("none", |index| {
            intake.mapping_ids()[index.0 as usize].as_str()
        })
    };
    let mut lines = Vec::new();
    for read in intake.read(Some(body.as_bytes()), 7) {
        let at = read
            .position
            .map_or("-".to_owned(), |position| position.to_string());
        for (mapping, closing) in &read.closed {
            let (how, why) = (closing.as_str(), closing.reason());
            lines.push(format!("{at} {} {how}({why})", name(*mapping)));
        }
        for (portal, plans) in &read.planned {
            for (mapping, _) in plans {
                lines.push(format!(
                    "{at} {} planned for {}",
                    name(Some(*mapping)),
                    portal.0
                ));
            }
        }
    }
    lines
}

#[test]
fn only_what_is_enabled_takes_part() {
    assert_eq!(
        intake().mapping_ids(),
        ["a/contacts", "a/companies", "b/contacts"]
    );
}

#[test]
fn every_event_makes_at_least_one_delivery() {
    let identify =
        r#"{"type":"identify","userId":"u","traits":{"email":"a@b.co","company_id":"c"}}"#;
    let off_for_b = r#"{"type":"identify","userId":"u","traits":{"email":"a@b.co","company_id":"c"},"integrations":{"Second":false}}"#;
    for (body, expected) in [
        (
            identify,
            vec![
                "- a/contacts planned for 0",
                "- a/companies planned for 0",
                "- b/contacts planned for 1",
            ],
        ),
        (
            off_for_b,
            vec!["- a/contacts planned for 0", "- a/companies planned for 0"],
        ),
        (
            r#"{"type":"identify","userId":"u","traits":{"email":"a@b.co"}}"#,
            vec![
                "- a/companies dead(payload_invalid)",
                "- a/contacts planned for 0",
                "- b/contacts planned for 1",
            ],
        ),
        (
            r#"{"type":"track","userId":"u","event":"x"}"#,
            vec!["- none skipped(not_subscribed)"],
        ),
        (
            r#"{"type":"identify","userId":"u","integrations":{"All":false}}"#,
            vec!["- none skipped(integrations)"],
        ),
        (
            r#"{"type":"track","userId":"u","event":"x","integrations":{"Second":false}}"#,
            vec!["- none skipped(integrations)"],
        ),
        ("", vec!["- none skipped(tombstone)"]),
        ("{", vec!["- none dead(parse_error)"]),
        ("7", vec!["- none dead(not_an_object)"]),
        (
            r#"{"type":"purchase","userId":"u"}"#,
            vec!["- none dead(type_unknown)"],
        ),
        (r#"{"type":"identify"}"#, vec!["- none dead(no_identity)"]),
        (r#"{"batch":[]}"#, vec![]),
        (
            r#"{"batch":[{"type":"track","userId":"u","event":"x"},1]}"#,
            vec![
                "0 none skipped(not_subscribed)",
                "1 none dead(not_an_object)",
            ],
        ),
    ] {
        assert_eq!(verdicts(body), expected, "{body}");
    }
}

#[test]
fn an_event_without_a_time_happened_when_its_message_was_written() {
    let event = json!({ "type": "identify", "userId": "u", "traits": { "email": "a@b.co", "company_id": "c" } });
    let read = intake().read(Some(event.to_string().as_bytes()), 1_700_000_000_000);
    let (_, plans) = &read[0].planned[0];
    assert_eq!(plans[0].1.time.as_millis(), 1_700_000_000_000);
}

#[test]
fn a_field_that_may_be_dropped_is_dropped_and_counted() {
    let event = json!({
        "type": "identify", "userId": "u", "messageId": "m",
        "traits": { "email": "a@b.co", "company_id": "c", "size": "a dozen" },
    });
    let read = intake().read(Some(event.to_string().as_bytes()), 7);
    assert_eq!(read[0].dropped, 1);
    assert_eq!(read[0].closed, []);
    assert_eq!(
        read[0].message_id.as_deref(),
        Some("m"),
        "a plan associates"
    );
}
