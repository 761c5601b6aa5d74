//! Custom events, behavioural and v2: definitions, properties, identities, limits; one test for each known defect of the
//! reference, named after it.

use anyhow::{Result, ensure};
use hubferry_tests::{Config, Worker, eventually};
use serde_json::{Map, Value, json};

use crate::objects::merge;
use crate::scene::{PATIENCE, Scene, Stream};
use crate::world::{Counted, HUB, Ran};

const SEND: &str = "/send";

/// Track events as behavioural events under their own name; `properties.of` goes along.
fn behavioural(config: Config, changes: &Value) -> Config {
    let mut mapping = json!({
        "name": "behavioural",
        "action": "sendCustomBehavioralEvent",
        "trigger": "type = \"track\"",
        "use_defaults": true,
        "fields": {"eventName": {"@path": "$.event"}, "properties": {"@path": "$.properties.of"}},
    });
    merge(&mut mapping, changes);
    config
        .mapping(mapping)
        .set("/destinations/0/hubspot/portal_id", json!(HUB))
}

/// Track events as v2 events under their own name; `properties.of` goes along.
fn v2(config: Config, mode: &str, changes: &Value) -> Config {
    let mut mapping = json!({
        "name": format!("v2-{mode}"),
        "action": "customEvent",
        "sync_mode": mode,
        "trigger": "type = \"track\"",
        "use_defaults": true,
        "fields": {
            "event_name": {"@path": "$.event"},
            "record_details": {"object_type": "contact"},
            "properties": {"@path": "$.properties.of"},
        },
    });
    merge(&mut mapping, changes);
    config.mapping(mapping)
}

/// An event of somebody whose e-mail it tells.
fn track(name: &str, n: u32, of: &Value) -> Value {
    with(
        name,
        n,
        &json!({"email": format!("p{n}@example.com"), "of": of}),
    )
}

fn with(name: &str, n: u32, properties: &Value) -> Value {
    json!({"type": "track", "event": name, "messageId": format!("{name}-{n}"), "userId": format!("u{n}"),
        "timestamp": "2026-10-01T00:00:00Z", "properties": properties})
}

fn many(count: usize) -> Value {
    let properties = (0..count).map(|n| (format!("p{n:02}"), json!(n)));
    Value::Object(properties.collect::<Map<String, Value>>())
}

fn codes(ran: &Ran) -> Vec<(u64, &str)> {
    ran.dead()
        .into_iter()
        .map(|(line, _, code)| (line, code))
        .collect()
}

#[tokio::test]
async fn b1_over_fifty_properties_are_refused_before_any_request_or_cut() -> Result<()> {
    let scene = Scene::new().await?;
    let wide: Vec<Value> = (0..50)
        .map(|n| json!({"name": format!("p{n:02}"), "label": "P", "type": "number"}))
        .collect();
    let definition = json!({"name": "wide", "label": "Wide", "primaryObject": "CONTACT", "includeDefaultProperties": false, "propertyDefinitions": wide});
    scene
        .sim
        .call("/events/2026-03/event-definitions", &definition)
        .await?;
    let of_own = json!({"unknown_property": "dead_letter"});
    let events = [track("wide", 1, &many(50)), track("wide", 2, &many(51))];
    let ran = scene
        .play(&behavioural(scene.config(), &of_own), &events)
        .await?;
    assert_eq!(codes(&ran), [(1, "too_many_properties")], "{ran:?}");
    assert!(ran.message(1)?.contains("50"), "{ran:?}");
    assert_eq!(scene.event("wide").await?.counted.occurrences, 1);

    let cut = json!({"unknown_property": "drop", "overflow": "truncate"});
    let ran = scene
        .play(
            &behavioural(scene.config(), &cut),
            &[track("wide", 3, &many(51))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let event = scene.event("wide").await?;
    assert_eq!(
        event
            .occurrences
            .iter()
            .map(|one| one.properties.len())
            .collect::<Vec<_>>(),
        [50, 50]
    );
    Ok(())
}

#[tokio::test]
async fn b2_property_names_are_lowered_and_checked_against_the_definition() -> Result<()> {
    let scene = Scene::sample().await?;
    let strict = json!({"unknown_property": "dead_letter"});
    let events = [
        track("order_completed", 1, &json!({"Title": " T ", "TOTAL": "5"})),
        track("order_completed", 2, &json!({"title": "T", "nowhere": 1})),
    ];
    let ran = scene
        .play(&behavioural(scene.config(), &strict), &events)
        .await?;
    assert_eq!(codes(&ran), [(1, "property_missing")], "{ran:?}");
    assert!(ran.message(1)?.contains("nowhere"), "{ran:?}");
    let event = scene.event("order_completed").await?;
    let one = &event.occurrences[0];
    assert_eq!((one.get("title"), one.get("total")), (Some("T"), Some("5")));
    // A whole object leaves out what the definition does not know.
    let ran = scene
        .play(
            &behavioural(scene.config(), &json!({})),
            &[track(
                "order_completed",
                3,
                &json!({"title": "T", "nowhere": 1}),
            )],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn b3_e11_a_send_whose_answer_is_lost_counts_once() -> Result<()> {
    let scene = Scene::sample().await?;
    scene
        .sim
        .faults(
            &json!([{"match": {"path_contains": SEND}, "then": "reset_after_write", "times": 2}]),
        )
        .await?;
    let events: Vec<Value> = (0..100)
        .map(|n| track("order_completed", n, &json!({"total": n})))
        .collect();
    let ran = scene
        .play(&behavioural(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.endings(), [100, 0, 0, 0], "{:?}", ran.report);
    // The whole file once more: the same deliveries have the same uuids.
    scene
        .play(&behavioural(scene.config(), &json!({})), &events)
        .await?;
    let event = scene.event("order_completed").await?;
    assert_eq!((event.counted.occurrences, event.counted.dropped), (100, 0));
    assert!(event.counted.repeated >= 100, "{:?}", event.counted);
    assert!(event.occurrences.iter().all(|one| one.uuid.is_some()));
    Ok(())
}

#[tokio::test]
async fn b4_a_thousand_events_of_two_definitions_take_two_sends() -> Result<()> {
    let scene = Scene::sample().await?;
    let name = |n: u32| {
        if n.is_multiple_of(2) {
            "order_completed"
        } else {
            "page_viewed"
        }
    };
    let events: Vec<Value> = (0..1_000)
        .map(|n| track(name(n), n, &json!({"total": n})))
        .collect();
    let ran = scene
        .play(&behavioural(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.endings(), [1_000, 0, 0, 0], "{:?}", ran.report);
    assert!(
        scene.calls(SEND).await? <= 3,
        "{:?}",
        scene.sim.calls().await?
    );
    assert_eq!(scene.event("page_viewed").await?.counted.occurrences, 500);
    Ok(())
}

#[tokio::test]
async fn b5_epochs_in_seconds_are_told_from_milliseconds() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = behavioural(
        scene.config(),
        &json!({"fields": {"occurredAt": {"@path": "$.properties.at"}}}),
    );
    let at = |n: u32, at: Value| {
        with(
            "order_completed",
            n,
            &json!({"email": "p@example.com", "at": at, "of": {"total": n}}),
        )
    };
    let events = [
        at(1, json!("1704722400")),
        at(2, json!("1704722400000")),
        at(3, json!("2024-01-08T15:00:00+01:00")),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [3, 0, 0, 0], "{ran:?}");
    for one in scene.event("order_completed").await?.occurrences {
        assert!(
            one.occurred_at.starts_with("2024-01-08T14:00:00"),
            "{one:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn b6_b11_b13_names_are_brought_into_form_and_unknown_ones_refused() -> Result<()> {
    let scene = Scene::sample().await?;
    let events = [
        track("Order Completed", 1, &json!({})),
        track(&format!("pe{HUB}_Order.Completed"), 2, &json!({})),
        track("never_defined", 3, &json!({})),
        track("Bestellung-é!", 4, &json!({})),
        track("pe1_order_completed", 5, &json!({})),
    ];
    let ran = scene
        .play(&behavioural(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(
        codes(&ran),
        [
            (2, "definition_missing"),
            (3, "event_name_invalid"),
            (4, "event_name_invalid")
        ],
        "{ran:?}"
    );
    assert!(ran.message(2)?.contains("never_defined"), "{ran:?}");
    assert_eq!(scene.event("order_completed").await?.counted.occurrences, 2);
    Ok(())
}

#[tokio::test]
async fn b7_an_invalid_email_beside_a_token_is_dropped_unless_the_mapping_refuses_it() -> Result<()>
{
    let scene = Scene::sample().await?;
    let fields = json!({"fields": {"utk": {"@path": "$.properties.utk"}, "email": {"@path": "$.properties.email"}}});
    let of = |n: u32, email: Value, utk: Option<&str>| {
        with(
            "order_completed",
            n,
            &json!({"email": email, "utk": utk, "of": {"total": n}}),
        )
    };
    let events = [
        of(0, json!("a@example.com"), None),
        of(1, json!("  b@example.com "), Some("token-1")),
        of(2, json!(""), Some("token-2")),
        of(3, Value::Null, Some("token-3")),
        of(4, json!("not an address"), Some("token-4")),
        of(5, json!("not an address"), None),
        of(6, json!(""), None),
        of(7, Value::Null, None),
    ];
    let ran = scene
        .play(&behavioural(scene.config(), &fields), &events)
        .await?;
    let dead = ran.dead();
    assert_eq!(
        dead.iter().map(|(line, ..)| *line).collect::<Vec<_>>(),
        [5, 6, 7],
        "{ran:?}"
    );
    assert!(
        codes(&ran)[1..]
            .iter()
            .all(|(_, code)| *code == "identifier_missing"),
        "{ran:?}"
    );
    assert_eq!(scene.event("order_completed").await?.occurrences.len(), 5);
    let mut strict = fields.clone();
    merge(&mut strict, &json!({"invalid_email": "dead_letter"}));
    let ran = scene
        .play(
            &behavioural(scene.config(), &strict),
            &[of(9, json!("not an address"), Some("t"))],
        )
        .await?;
    assert_eq!(codes(&ran), [(0, "payload_invalid")], "{ran:?}");
    assert!(!ran.message(0)?.contains("not an address"), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn b8_c2_a_contact_and_an_event_of_one_track_make_one_contact() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = behavioural(scene.config(), &json!({})).mapping(json!({
        "name": "contacts", "action": "upsertContact", "trigger": "type = \"track\"",
        "fields": {"email": {"@path": "$.properties.email"}, "firstname": {"@path": "$.properties.name"}},
    }));
    let events: Vec<Value> = (0..1_000).map(|n| with("order_completed", n, &json!({"email": format!("p{}@example.com", n % 300), "name": "N", "of": {"total": n}}))).collect();
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings()[3], 0, "{:?}", ran.report);
    assert_eq!(ran.world.all("contacts").len(), 300);
    assert!(ran.world.values("contacts", "firstname").len() == 300);
    let event = scene.event("order_completed").await?;
    assert_eq!(event.counted.occurrences, 1_000);
    Ok(())
}

#[tokio::test]
async fn b10_without_the_product_the_event_mapping_waits_and_contacts_flow() -> Result<()> {
    let scene = Scene::sample().await?;
    let stream = Stream::new(&scene.services, "product", 2).await?;
    scene.sim.switch(&json!({"custom_events": false})).await?;
    let config = behavioural(scene.config().with_people_and_companies(&[]), &json!({}));
    let config = stream.config(config, scene.folder())?;
    let mut worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    let orders: Vec<Value> = (0..10)
        .map(|n| track("order_completed", n, &json!({"total": n})))
        .collect();
    let person = |n: u32| json!({"type": "identify", "userId": format!("i{n}"), "messageId": format!("i{n}"), "traits": {"email": format!("i{n}@example.com")}});
    stream.produce(&orders).await?;
    stream
        .produce(&(0..10).map(person).collect::<Vec<_>>())
        .await?;
    eventually("contacts are written", PATIENCE, || async {
        match scene.sim.portal().await {
            Ok(portal) if portal.contacts.len() >= 10 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    worker.must_run()?;
    let process = worker.process();
    eventually("the hold is said", PATIENCE, || async {
        let said = process.stderr();
        if said.contains("forbidden") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await?;
    assert!(
        stream
            .kafka
            .read_all(&stream.dead_letters)
            .await?
            .is_empty()
    );
    assert_eq!(scene.event("order_completed").await?.counted.occurrences, 0);

    scene.sim.switch(&json!({"custom_events": true})).await?;
    stream.until_committed(20).await?;
    assert_eq!(
        scene.event("order_completed").await?.counted.occurrences,
        10
    );
    assert!(
        stream
            .kafka
            .read_all(&stream.dead_letters)
            .await?
            .is_empty()
    );
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[tokio::test]
async fn b12_null_elements_are_left_out_when_the_mapping_says_so() -> Result<()> {
    let scene = Scene::sample().await?;
    let list = json!({"title": ["a", null, {"z": 1}]});
    scene
        .play(
            &behavioural(scene.config(), &json!({})),
            &[track("order_completed", 1, &list)],
        )
        .await?;
    let skipping = json!({"flatten": {"skip_null_elements": true}});
    scene
        .play(
            &behavioural(scene.config(), &skipping),
            &[track("order_completed", 2, &list)],
        )
        .await?;
    let event = scene.event("order_completed").await?;
    let titles: Vec<&str> = event
        .occurrences
        .iter()
        .filter_map(|one| one.get("title"))
        .collect();
    assert_eq!(titles, ["a;null;{\"z\":1}", "a;{\"z\":1}"]);
    Ok(())
}

#[tokio::test]
async fn the_sync_mode_of_events_says_what_may_be_created() -> Result<()> {
    let scene = Scene::new().await?;
    for (mode, endings) in [
        ("update", [(0, Some("definition_missing"))]),
        ("add", [(0, None)]),
        ("upsert", [(0, None)]),
    ] {
        let name = format!("made_by_{mode}");
        let ran = scene
            .play(
                &v2(scene.config(), mode, &json!({})),
                &[track(&name, 1, &json!({"q": "x"}))],
            )
            .await?;
        let wanted: Vec<(u64, &str)> = endings
            .iter()
            .filter_map(|(line, code)| Some((*line, (*code)?)))
            .collect();
        assert_eq!(codes(&ran), wanted, "{mode}: {ran:?}");
    }
    for (mode, name, dead) in [
        ("upsert", "made_by_add", None),
        ("update", "made_by_upsert", None),
        ("add", "made_by_add", Some("property_missing")),
    ] {
        let fresh = format!("new_{mode}");
        let ran = scene
            .play(
                &v2(scene.config(), mode, &json!({"unknown_property": "create"})),
                &[track(name, 2, &json!({"q": "x", fresh.clone(): 1}))],
            )
            .await?;
        assert_eq!(
            codes(&ran).first().map(|(_, code)| *code),
            dead,
            "{mode}: {ran:?}"
        );
    }
    let event = scene.event("made_by_add").await?;
    assert_eq!(
        event.counted,
        Counted {
            occurrences: 2,
            repeated: 0,
            dropped: 0
        }
    );
    assert_eq!(event.occurrences[1].get("new_upsert"), Some("1"));
    Ok(())
}

#[tokio::test]
async fn e1_e12_a_property_whose_creation_fails_at_first_is_there_before_the_event_is_sent()
-> Result<()> {
    let scene = Scene::sample().await?;
    scene
        .sim
        .faults(&json!([{"match": {"path_contains": "/property", "method": "POST", "nth": 2}, "then": {"answer": "internal_error"}, "times": 1}]))
        .await?;
    let of = json!({"one": "1st", "two": "2nd", "three": "3rd"});
    let ran = scene
        .play(
            &v2(scene.config(), "upsert", &json!({})),
            &[track("order_completed", 1, &of)],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let event = scene.event("order_completed").await?;
    let one = &event.occurrences[0];
    assert_eq!(
        ["one", "two", "three"].map(|name| one.get(name)),
        [Some("1st"), Some("2nd"), Some("3rd")]
    );
    assert_eq!(scene.calls("/property").await?, 4);
    Ok(())
}

#[tokio::test]
async fn e2_e3_e4_values_lose_nothing() -> Result<()> {
    let scene = Scene::new().await?;
    let of = json!({"nothing": null, "empty": [], "one": [5], "endless": "Infinity", "code": "00123", "zip": "02134",
        "long": "12345678901234567890", "hex": "0x1F", "phone": "+5", "number": 5, "plain": "42"});
    let ran = scene
        .play(
            &v2(scene.config(), "upsert", &json!({})),
            &[track("values", 1, &of)],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let event = scene.event("values").await?;
    let one = &event.occurrences[0];
    let seen = [
        "nothing", "code", "zip", "long", "hex", "phone", "endless", "number", "plain",
    ]
    .map(|name| one.get(name));
    assert_eq!(
        seen,
        [
            None,
            Some("00123"),
            Some("02134"),
            Some("12345678901234567890"),
            Some("0x1F"),
            Some("+5"),
            Some("Infinity"),
            Some("5"),
            Some("42")
        ]
    );
    assert_eq!(
        (one.get("empty"), one.get("one")),
        (Some("[]"), Some("[5]"))
    );
    Ok(())
}

#[tokio::test]
async fn e5_e19_later_values_of_another_kind_become_what_the_definition_takes() -> Result<()> {
    let scene = Scene::new().await?;
    let config = v2(scene.config(), "upsert", &json!({}));
    let events = [
        track(
            "kinds",
            1,
            &json!({"at": "2024-01-08", "flag": true, "word": "x"}),
        ),
        track(
            "kinds",
            2,
            &json!({"at": "2024-01-08T10:00:00Z", "flag": "true", "word": true}),
        ),
        track("kinds", 3, &json!({"word": 5})),
        track("kinds", 4, &json!({"at": "not a date"})),
    ];
    let mut dead = Vec::new();
    for event in events {
        let ran = scene.play(&config, &[event]).await?;
        dead.push(codes(&ran).first().map(|(_, code)| (*code).to_owned()));
    }
    assert_eq!(dead, [None, None, None, Some("property_type".to_owned())]);
    let event = scene.event("kinds").await?;
    let words: Vec<Option<&str>> = event
        .occurrences
        .iter()
        .map(|one| one.get("word"))
        .collect();
    assert_eq!(words, [Some("x"), Some("true"), Some("5")]);
    Ok(())
}

#[tokio::test]
async fn e6_e7_a_definition_is_read_once_for_all_shapes_and_names() -> Result<()> {
    let scene = Scene::sample().await?;
    let full = format!("pe{HUB}_order_completed");
    let names = ["order_completed", "Order Completed", &full];
    let events: Vec<Value> = (0..60)
        .map(|n| {
            track(
                names[n as usize % 3],
                n,
                &match n % 2 {
                    0 => json!({"total": n}),
                    _ => json!({"title": "x"}),
                },
            )
        })
        .collect();
    let ran = scene
        .play(&v2(scene.config(), "upsert", &json!({})), &events)
        .await?;
    assert_eq!(ran.endings(), [60, 0, 0, 0], "{ran:?}");
    let calls = scene.sim.calls().await?;
    let reads = calls
        .iter()
        .filter(|call| call.method == "GET" && call.path.contains("event-definitions"))
        .count();
    assert!(reads <= 2, "{calls:?}");
    assert_eq!(
        scene.event("order_completed").await?.counted.occurrences,
        60
    );
    Ok(())
}

#[tokio::test]
async fn e8_e15_trouble_with_a_definition_is_not_its_absence() -> Result<()> {
    let scene = Scene::sample().await?;
    scene
        .sim
        .faults(&json!([{"match": {"path_contains": "event-definitions", "method": "GET"}, "then": {"answer": "internal_error"}, "times": 2}]))
        .await?;
    let ran = scene
        .play(
            &v2(scene.config(), "upsert", &json!({})),
            &[track("order_completed", 1, &json!({"total": 1}))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let calls = scene.sim.calls().await?;
    assert!(
        !calls
            .iter()
            .any(|call| call.method == "POST" && call.path.ends_with("event-definitions")),
        "{calls:?}"
    );
    Ok(())
}

#[tokio::test]
async fn e9_archived_definitions_and_properties_are_refused_with_an_explanation() -> Result<()> {
    let scene = Scene::sample().await?;
    let base = "/events/2026-03/event-definitions";
    scene
        .sim
        .set_up(&json!([
            {"method": "DELETE", "path": format!("{base}/page_viewed")},
            {"method": "DELETE", "path": format!("{base}/order_completed/property/title")},
        ]))
        .await?;
    let events = [
        track("page_viewed", 1, &json!({"total": 1})),
        track("order_completed", 2, &json!({"title": "x"})),
        track("order_completed", 3, &json!({"total": 1})),
    ];
    for config in [
        v2(scene.config(), "upsert", &json!({})),
        behavioural(scene.config(), &json!({"unknown_property": "dead_letter"})),
    ] {
        let ran = scene.play(&config, &events).await?;
        assert_eq!(
            codes(&ran),
            [(0, "definition_archived"), (1, "property_archived")],
            "{ran:?}"
        );
        assert!(ran.message(0)?.contains("page_viewed"), "{ran:?}");
        assert!(ran.message(1)?.contains("title"), "{ran:?}");
    }
    Ok(())
}

#[tokio::test]
async fn e10_e13_a_blank_email_is_no_fault_and_contacts_are_contacts_by_every_name() -> Result<()> {
    let scene = Scene::sample().await?;
    for (n, kind) in (1..).zip(["contact", "contacts", "0-1"]) {
        let fields = json!({"fields": {"record_details": {"object_type": kind, "email": {"@path": "$.properties.email"}, "utk": {"@path": "$.properties.utk"}}}});
        let events = [
            with(
                "order_completed",
                10 * n,
                &json!({"email": "", "utk": format!("token-{n}"), "of": {}}),
            ),
            with(
                "order_completed",
                10 * n + 1,
                &json!({"email": "a@example.com", "of": {}}),
            ),
            with(
                "order_completed",
                10 * n + 2,
                &json!({"email": "", "of": {}}),
            ),
        ];
        let ran = scene
            .play(&v2(scene.config(), "upsert", &fields), &events)
            .await?;
        assert_eq!(codes(&ran), [(2, "identifier_missing")], "{kind}: {ran:?}");
    }
    let event = scene.event("order_completed").await?;
    assert_eq!(event.occurrences.len(), 6);
    assert_eq!(
        event
            .occurrences
            .iter()
            .filter(|one| one.utk.is_some() || one.object_id.is_none())
            .count(),
        3,
        "{event:?}"
    );
    Ok(())
}

#[tokio::test]
async fn events_of_other_records_need_their_number() -> Result<()> {
    let scene = Scene::new().await?;
    let company = scene
        .sim
        .call(
            "/crm/objects/2026-03/companies/batch/create",
            &json!({"inputs": [{"properties": {"name": "Acme"}}]}),
        )
        .await?;
    let id = company["results"][0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let fields = json!({"fields": {"record_details": {"object_type": "company", "object_id": {"@path": "$.properties.company"}}}});
    let events = [
        with(
            "visited",
            1,
            &json!({"company": id, "email": "a@example.com", "of": {}}),
        ),
        with("visited", 2, &json!({"email": "a@example.com", "of": {}})),
    ];
    let ran = scene
        .play(&v2(scene.config(), "upsert", &fields), &events)
        .await?;
    assert_eq!(codes(&ran), [(1, "identifier_missing")], "{ran:?}");
    let event = scene.event("visited").await?;
    assert_eq!(event.occurrences[0].object_id.as_deref(), Some(id.as_str()));
    Ok(())
}

#[tokio::test]
async fn e14_e17_names_that_hubspot_refuses_are_refused_before() -> Result<()> {
    let scene = Scene::new().await?;
    let events = [
        track("Éa  B-c.d", 1, &json!({})),
        track(&"x".repeat(200), 2, &json!({})),
        track("fine", 3, &json!({"2fa": "on"})),
        track("fine", 4, &json!({"title": "x"})),
    ];
    let ran = scene
        .play(&v2(scene.config(), "upsert", &json!({})), &events)
        .await?;
    assert_eq!(
        codes(&ran),
        [
            (0, "event_name_invalid"),
            (1, "event_name_invalid"),
            (2, "property_name_invalid")
        ],
        "{ran:?}"
    );
    let ran = scene
        .play(
            &v2(
                scene.config(),
                "upsert",
                &json!({"property_name_fix": "prefix"}),
            ),
            &[track("fine", 5, &json!({"2fa": "on"}))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn e11_the_fifty_first_property_is_refused_before_any_request() -> Result<()> {
    let scene = Scene::new().await?;
    let events = [track("wide", 1, &many(50)), track("wide", 2, &many(51))];
    let ran = scene
        .play(&v2(scene.config(), "upsert", &json!({})), &events)
        .await?;
    assert_eq!(codes(&ran), [(1, "too_many_properties")], "{ran:?}");
    let ran = scene
        .play(
            &v2(scene.config(), "upsert", &json!({"overflow": "truncate"})),
            &[track("wide", 3, &many(51))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(scene.event("wide").await?.occurrences.len(), 2);
    Ok(())
}

#[tokio::test]
async fn e16_a_value_that_cannot_fit_costs_its_event_or_only_itself() -> Result<()> {
    let scene = Scene::sample().await?;
    let events = [
        track(
            "order_completed",
            1,
            &json!({"total": "many", "title": "x"}),
        ),
        track("order_completed", 2, &json!({"total": 2})),
    ];
    let ran = scene
        .play(&v2(scene.config(), "upsert", &json!({})), &events)
        .await?;
    assert_eq!(codes(&ran), [(0, "property_type")], "{ran:?}");
    assert!(ran.message(0)?.contains("total"), "{ran:?}");
    let ran = scene
        .play(
            &v2(
                scene.config(),
                "upsert",
                &json!({"invalid_property": "drop"}),
            ),
            &[events[0].clone()],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let event = scene.event("order_completed").await?;
    assert_eq!(
        (
            event.occurrences[1].get("total"),
            event.occurrences[1].get("title")
        ),
        (None, Some("x"))
    );
    Ok(())
}

#[tokio::test]
async fn e20_a_definition_that_is_not_ready_yet_is_waited_for() -> Result<()> {
    let scene = Scene::new().await?;
    scene
        .sim
        .switch(&json!({"definition_delay_ms": 1500}))
        .await?;
    let ran = scene
        .play(
            &v2(scene.config(), "upsert", &json!({})),
            &[track("slow", 1, &json!({"q": "x"}))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(scene.event("slow").await?.counted.occurrences, 1);
    Ok(())
}

#[tokio::test]
async fn a_definition_made_by_somebody_else_meanwhile_is_no_error() -> Result<()> {
    let scene = Scene::new().await?;
    scene
        .sim
        .faults(&json!([{"match": {"path_contains": "event-definitions", "method": "POST"}, "then": "reset_after_write", "times": 1}]))
        .await?;
    let ran = scene
        .play(
            &v2(scene.config(), "upsert", &json!({})),
            &[track("raced", 1, &json!({"q": "x"}))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(scene.event("raced").await?.counted.occurrences, 1);
    Ok(())
}

#[tokio::test]
async fn e21_a_definition_that_was_deleted_meanwhile_is_noticed() -> Result<()> {
    let scene = Scene::sample().await?;
    let stream = Stream::new(&scene.services, "deleted", 1).await?;
    let config = stream.config(v2(scene.config(), "upsert", &json!({})), scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    stream
        .produce(&[track("order_completed", 1, &json!({"total": 1}))])
        .await?;
    stream.until_committed(1).await?;
    scene.sim.set_up(&json!([{"method": "DELETE", "path": "/events/2026-03/event-definitions/order_completed"}])).await?;
    stream
        .produce(&[track("order_completed", 2, &json!({"total": 2}))])
        .await?;
    stream.until_committed(2).await?;
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    let codes: Vec<_> = letters
        .iter()
        .map(|letter| letter.headers.get("hubferry.error.code").cloned())
        .collect();
    assert_eq!(codes, [Some("definition_archived".to_owned())]);
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[tokio::test]
async fn b3_of_a_worker_that_is_killed_half_way_every_event_counts_once() -> Result<()> {
    const EVENTS: u32 = 5_000;
    let scene = Scene::sample().await?;
    let stream = Stream::new(&scene.services, "killed", 4).await?;
    let events: Vec<Value> = (0..EVENTS)
        .map(|n| track("order_completed", n, &json!({"total": n})))
        .collect();
    stream.produce(&events).await?;
    // Slow enough to be met in the middle.
    let slow = behavioural(scene.config(), &json!({}))
        .set("/destinations/0/hubspot/limits/event_sends", json!(2));
    let config = stream.config(slow, scene.folder())?;
    let first = Worker::start(&scene.hubferry(), &config, scene.folder(), "first")?;
    eventually("a part is sent", PATIENCE, || async {
        match scene.event("order_completed").await {
            Ok(event) if event.counted.occurrences >= 1_000 => Ok(()),
            other => Err(format!("{other:?}").chars().take(200).collect::<String>()),
        }
    })
    .await?;
    first.kill().await?;
    let half = scene.event("order_completed").await?.counted.occurrences;
    ensure!(half < u64::from(EVENTS), "all was sent before");

    let second = Worker::start(&scene.hubferry(), &config, scene.folder(), "second")?;
    stream.until_committed(i64::from(EVENTS)).await?;
    let event = scene.event("order_completed").await?;
    assert_eq!(
        (event.counted.occurrences, event.counted.dropped),
        (u64::from(EVENTS), 0)
    );
    let mut totals: Vec<u32> = event
        .occurrences
        .iter()
        .filter_map(|one| one.get("total")?.parse().ok())
        .collect();
    totals.sort_unstable();
    assert_eq!(totals, (0..EVENTS).collect::<Vec<u32>>());
    assert!(
        stream
            .kafka
            .read_all(&stream.dead_letters)
            .await?
            .is_empty()
    );
    let (code, said) = second.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[tokio::test]
async fn page_views_arrive_as_events_with_title_and_url() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = v2(
        scene.config(),
        "upsert",
        &json!({
        "trigger": "type = \"page\"",
        "fields": {"event_name": "page_viewed", "properties": {"title": {"@path": "$.properties.title"}, "page_url": {"@path": "$.properties.url"}}}}),
    );
    let config = config.set("/destinations/0/mappings/0/fields/properties", json!({"title": {"@path": "$.properties.title"}, "page_url": {"@path": "$.properties.url"}}));
    let page = json!({"type": "page", "userId": "u", "messageId": "m", "context": {"traits": {"email": "a@example.com"}},
        "properties": {"title": "Home", "url": "https://example.com/?q=1&x=é"}});
    let ran = scene.play(&config, &[page]).await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let event = scene.event("page_viewed").await?;
    let one = &event.occurrences[0];
    assert_eq!(
        (one.get("title"), one.get("page_url")),
        (Some("Home"), Some("https://example.com/?q=1&x=é"))
    );
    Ok(())
}

#[tokio::test]
async fn the_event_action_of_the_classic_product_is_refused_with_a_pointer_to_the_others()
-> Result<()> {
    let scene = Scene::new().await?;
    let classic = behavioural(scene.config(), &json!({"action": "sendBehavioralEvent"}));
    let finished = scene.carry(&classic, &[]).await?;
    ensure!(finished.code == Some(1), "{finished:?}");
    for action in ["sendCustomBehavioralEvent", "customEvent"] {
        assert!(finished.stderr.contains(action), "{finished:?}");
    }
    Ok(())
}
