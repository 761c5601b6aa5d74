use hubferry_actions::Work;
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

fn at(written_ms: i64) -> Source<'static> {
    Source {
        place: "t/0/1",
        written_ms,
    }
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
    for read in intake.read(Some(body.as_bytes()), &at(7)) {
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

/// Destinations whose deletion is on (`archive`, `gdpr`), off, and not mentioned.
fn deleting() -> Intake {
    let of = |name: &str, deletion: &str| {
        format!(
            "  - name: {name}
    hubspot: {{ auth: {{ kind: private_app, token: t }} }}
    {deletion}
    mappings:
      - {{ name: contacts, action: upsertContact, trigger: 'type = \"identify\"', use_defaults: true }}
"
        )
    };
    let text = [
        of("archive", "deletion: { enabled: true }"),
        of(
            "gdpr",
            "deletion: { enabled: true, mode: gdpr }\n    aliases: [Second]",
        ),
        of("off", "deletion: { enabled: false, mode: gdpr }"),
        of("never", ""),
    ];
    let text = format!("destinations:\n{}", text.concat());
    let loaded = load_text(&text, &Surroundings::default()).unwrap();
    Intake::new(
        loaded.configuration.input,
        loaded.configuration.destinations,
    )
}

/// events.md §8: which deliveries an event makes, `mapping: what`, or how it ended without one.
fn deleted(body: &str) -> Vec<String> {
    let intake = deleting();
    let mut lines = Vec::new();
    for read in intake.read(Some(body.as_bytes()), &at(7)) {
        for (_, closing) in &read.closed {
            lines.push(format!("{} {}", closing.as_str(), closing.reason()));
        }
        for (mapping, plan) in read.planned.iter().flat_map(|(_, plans)| plans) {
            let mut told = Vec::new();
            tell(plan, &mut told);
            lines.push(format!(
                "{}: {}",
                intake.mapping_ids()[mapping.0 as usize],
                told[0]
            ));
        }
    }
    lines
}

#[test]
fn s8_deletions_are_delivered_under_a_name_of_their_own_where_they_are_enabled() {
    assert_eq!(
        deleting().mapping_ids(),
        [
            "archive/contacts",
            "archive/deletion",
            "gdpr/contacts",
            "gdpr/deletion",
            "off/contacts",
            "never/contacts"
        ]
    );
}

#[test]
fn s8_a_delete_event_deletes_in_the_way_its_destination_says() {
    let delete = r#"{"type":"delete","userId":"u1","anonymousId":"a1"}"#;
    assert_eq!(
        deleted(delete),
        [
            "archive/deletion: delete Archive by 2 keys",
            "gdpr/deletion: delete Gdpr by 2 keys"
        ]
    );
    let not_for_second = r#"{"type":"delete","userId":"u1","integrations":{"Second":false}}"#;
    assert_eq!(
        deleted(not_for_second),
        ["archive/deletion: delete Archive by 1 keys"]
    );
    let for_nobody = r#"{"type":"delete","userId":"u1","integrations":{"All":false}}"#;
    assert_eq!(deleted(for_nobody), ["skipped integrations"]);
    assert_eq!(
        deleted(r#"{"type":"delete"}"#),
        ["dead no_identity"],
        "nobody to delete"
    );
}

#[test]
fn s8_off_by_default_and_never_on_another_type() {
    // Nothing deletes in this configuration.
    assert_eq!(
        verdicts(r#"{"type":"delete","userId":"u"}"#),
        ["- none skipped(not_subscribed)"]
    );
    for kind in ["group", "track", "page", "screen", "alias"] {
        let event =
            format!(r#"{{"type":"{kind}","userId":"u","event":"delete","previousId":"v"}}"#);
        assert_eq!(deleted(&event), ["skipped not_subscribed"], "{kind}");
    }
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
    let read = intake().read(Some(event.to_string().as_bytes()), &at(1_700_000_000_000));
    let (_, plans) = &read[0].planned[0];
    assert_eq!(plans[0].1.time.as_millis(), 1_700_000_000_000);
}

#[test]
fn a_field_that_may_be_dropped_is_dropped_and_counted() {
    let event = json!({
        "type": "identify", "userId": "u", "messageId": "m",
        "traits": { "email": "a@b.co", "company_id": "c", "size": "a dozen" },
    });
    let read = intake().read(Some(event.to_string().as_bytes()), &at(7));
    assert_eq!(read[0].dropped, 1);
    assert_eq!(read[0].closed, []);
    assert_eq!(
        read[0].message_id.as_deref(),
        Some("m"),
        "a plan associates"
    );
}

const EVENTS: &str = r#"
destinations:
  - name: a
    hubspot: { auth: { kind: private_app, token: t }, portal_id: 12 }
    mappings:
      - name: views
        action: sendCustomBehavioralEvent
        trigger: type = "page"
        use_defaults: true
        fields: { eventName: Page Viewed, utk: { "@path": "$.properties.utk" } }
  - name: b
    hubspot: { auth: { kind: private_app, token: t } }
    mappings:
      - name: views
        action: customEvent
        sync_mode: upsert
        trigger: type = "page"
        use_defaults: true
        fields: { event_name: Page Viewed, record_details: { object_type: contact, utk: { "@path": "$.properties.utk" } } }
"#;

/// The occurrences of a message from a place: name and uuid, per delivery; and how many fields were dropped.
fn occurrences(body: &Value, place: &str) -> (Vec<(String, String)>, u64) {
    let loaded = load_text(EVENTS, &Surroundings::default()).unwrap();
    let configuration = loaded.configuration;
    let intake = Intake::new(configuration.input, configuration.destinations);
    let from = Source {
        place,
        written_ms: 7,
    };
    let reads = intake.read(Some(body.to_string().as_bytes()), &from);
    let dropped = reads.iter().map(|read| read.dropped).sum();
    let plans = reads
        .iter()
        .flat_map(|read| &read.planned)
        .flat_map(|(_, plans)| plans);
    let sent = plans.map(|(_, plan)| match &plan.work {
        Work::Occurrence(step) => (step.event.as_str().to_owned(), step.uuid.to_string()),
        Work::Record(_) | Work::Deletion(_) => panic!("an occurrence"),
    });
    (sent.collect(), dropped)
}

#[test]
fn b3_e11_an_occurrence_keeps_its_uuid_and_shares_it_with_no_other() {
    let view =
        json!({ "type": "page", "userId": "u", "messageId": "m", "properties": { "utk": "t" } });
    let (sent, _) = occurrences(&view, "t/0/1");
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["pe12_page_viewed", "page_viewed"]);
    assert_ne!(sent[0].1, sent[1].1, "each mapping sends its own");
    // Produced twice, an event is still one; and a message id of its own makes another.
    assert_eq!(occurrences(&view, "t/5/9").0, sent);
    let other =
        json!({ "type": "page", "userId": "u", "messageId": "n", "properties": { "utk": "t" } });
    assert_ne!(occurrences(&other, "t/0/1").0[0].1, sent[0].1);
}

#[test]
fn an_event_without_an_id_is_told_by_its_place_and_its_bytes() {
    let view = |user: &str| json!({ "type": "page", "userId": user, "properties": { "utk": "t" } });
    let (sent, _) = occurrences(&view("u"), "events.ndjson/0/1");
    assert_eq!(occurrences(&view("u"), "events.ndjson/0/1").0, sent);
    assert_ne!(occurrences(&view("u"), "events.ndjson/0/2").0, sent);
    // A file of the same name with other lines.
    assert_ne!(occurrences(&view("v"), "events.ndjson/0/1").0, sent);
    let twice = json!({ "batch": [view("u"), view("u")] });
    let (sent, _) = occurrences(&twice, "t/0/1");
    assert_eq!(sent.len(), 4);
    assert_ne!(sent[0].1, sent[2].1);
}

#[test]
fn b7_an_invalid_e_mail_beside_a_token_is_dropped_and_counted() {
    let view =
        json!({ "type": "page", "userId": "u", "properties": { "utk": "t", "email": "nobody" } });
    let (sent, dropped) = occurrences(&view, "t/0/1");
    assert_eq!((sent.len(), dropped), (2, 2));
}

/// What an example asks of HubSpot for an event, one line per part.
fn asked(example: &str, event: &Value) -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let text = std::fs::read_to_string(root.join(example)).unwrap();
    let loaded = load_text(&text, &Surroundings::default().without_secrets()).unwrap();
    let configuration = loaded.configuration;
    let intake = Intake::new(configuration.input, configuration.destinations);
    let mut lines = Vec::new();
    for read in intake.read(Some(event.to_string().as_bytes()), &at(7)) {
        lines.extend(
            read.closed
                .iter()
                .map(|(_, closing)| format!("{} {}", closing.as_str(), closing.reason())),
        );
        let plans = read.planned.iter().flat_map(|(_, plans)| plans);
        plans.for_each(|(_, plan)| tell(plan, &mut lines));
    }
    lines
}

fn tell(plan: &Plan, lines: &mut Vec<String>) {
    let record = match &plan.work {
        Work::Occurrence(step) => {
            let whom = step.email.as_deref().unwrap_or("-");
            lines.push(format!("event {} of {whom}", step.event.as_str()));
            let properties = step.properties.iter();
            lines.extend(
                properties.map(|(name, value)| format!("  {} = {}", name.as_str(), value.expose())),
            );
            return;
        }
        Work::Deletion(step) => {
            lines.push(format!(
                "delete {:?} by {} keys",
                step.mode,
                step.person.len()
            ));
            return;
        }
        Work::Record(record) => record,
    };
    let step = &record.record;
    let (object, id) = (step.record.object.as_str(), &step.record.value);
    lines.push(format!(
        "{object} {id} ({:?}, {:?})",
        step.when_missing, step.when_found
    ));
    let properties = step.properties.iter();
    lines.extend(
        properties.map(|(name, value)| format!("  {} = {}", name.as_str(), value.expose())),
    );
    lines.extend(record.links.iter().map(|link| {
        let target = &link.target;
        let (object, id) = (target.record.object.as_str(), &target.record.value);
        format!(
            "  {:?} {object} {id} {}:{}",
            link.change, link.kind.category, link.kind.type_id
        )
    }));
    lines.extend(
        record
            .membership
            .iter()
            .map(|membership| format!("  {:?} {}", membership.change, membership.list.name)),
    );
}

#[test]
fn the_examples_ask_for_what_they_say() {
    let track = |name: &str, properties: Value| {
        json!({ "type": "track", "userId": "u", "event": name, "timestamp": "2026-11-01T09:00:00Z", "properties": properties,
            "context": { "groupId": "g1", "traits": { "email": "Ada@example.com" } } })
    };
    let page = json!({ "type": "page", "userId": "u", "name": "Home", "properties": { "title": "Home", "url": "https://a.io/" },
        "context": { "traits": { "email": "Ada@example.com" } } });
    assert_eq!(
        asked("page-views.yaml", &page),
        [
            "event pe123456_page_viewed of ada@example.com",
            "  hs_page_title = Home",
            "  hs_page_url = https://a.io/",
        ]
    );
    let order = track(
        "Order Completed",
        json!({ "order_id": 17, "total": "99.50" }),
    );
    assert_eq!(
        asked("deals.yaml", &order),
        [
            "deals 17 (Create, Write)",
            "  dealname = Order 17",
            "  amount = 99.50",
            "  closedate = 2026-11-01T09:00:00Z",
            "  dealstage = closedwon",
            "  Associate contacts ada@example.com HUBSPOT_DEFINED:3",
            "  Associate companies g1 HUBSPOT_DEFINED:341",
        ]
    );
    let cancelled = track(
        "Order Cancelled",
        json!({ "order_id": 17, "reason": "price" }),
    );
    assert_eq!(
        asked("deals.yaml", &cancelled),
        ["deals 17 (Skip, Write)", "  closed_lost_reason = price"]
    );
    let entered = json!({ "type": "identify", "userId": "u", "traits": { "big_spenders": true, "email": "Ada@example.com" },
        "context": { "personas": { "computation_key": "big_spenders", "computation_class": "audience" } } });
    assert_eq!(
        asked("audience-to-list.yaml", &entered),
        [
            "contacts ada@example.com (Create, Write)",
            "  Add big_spenders"
        ]
    );
    let left = track(
        "Newsletter Unsubscribed",
        json!({ "email": "Ada@example.com", "subscribed": false }),
    );
    assert_eq!(
        asked("audience-to-list.yaml", &left),
        [
            "contacts ada@example.com (Skip, Write)",
            "  Remove Newsletter"
        ]
    );
    let changed = track(
        "Subscription Changed",
        json!({ "subscription_id": "s1", "plan": "pro", "renews_at": "2027-01-01T10:00:00Z",
        "iban": "DE00", "payer_email": "pay@a.io", "user_email": "use@a.io", "former_user_email": "" }),
    );
    assert_eq!(
        asked("labelled-associations.yaml", &changed),
        [
            "p123456_subscriptions s1 (Create, Write)",
            "  plan = pro",
            "  renews_on = 2027-01-01T10:00:00Z",
            "  iban = DE00",
            "  Associate contacts pay@a.io USER_DEFINED:36",
            "  Associate contacts use@a.io USER_DEFINED:38",
        ]
    );
    let identify = json!({ "type": "identify", "userId": "u", "traits": { "email": "Ada@example.com", "region": "eu" } });
    assert_eq!(
        asked("eu-account.yaml", &identify),
        ["contacts ada@example.com (Create, Write)"]
    );
}
