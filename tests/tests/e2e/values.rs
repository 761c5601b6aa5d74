//! Values by the kind of their property: dates and moments, options, special characters, and one bad record among a
//! hundred, whatever is bad about it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use hubferry_tests::Config;
use serde_json::{Map, Value, json};

use crate::objects::{mapping, set, target};
use crate::scene::Scene;
use crate::world::HUB;

/// Identify events as contacts, with everything in `traits.more` as further properties.
fn people(config: Config, changes: &Value) -> Config {
    let mut wanted = json!({
        "name": "contacts",
        "action": "upsertContact",
        "trigger": "type = \"identify\"",
        "use_defaults": true,
        "fields": {"properties": {"@path": "$.traits.more"}},
    });
    crate::objects::merge(&mut wanted, changes);
    config.mapping(wanted)
}

fn person(n: u32, more: &Value) -> Value {
    json!({"type": "identify", "messageId": format!("m{n}"), "userId": format!("u{n}"), "timestamp": "2026-10-01T00:00:00Z",
        "traits": {"email": format!("p{n}@example.com"), "more": more}})
}

#[tokio::test]
async fn dates_and_moments_go_into_either_kind_of_property() -> Result<()> {
    let scene = Scene::new().await?;
    // A date, a moment at midnight, one within the day, one of another zone; then other ways to write them.
    let kinds = [
        ("2024-01-08", Ok("2024-01-08"), "2024-01-08T00:00:00Z"),
        (
            "2024-01-08T00:00:00Z",
            Ok("2024-01-08"),
            "2024-01-08T00:00:00Z",
        ),
        (
            "2024-01-08T10:00:00Z",
            Err("date_has_time"),
            "2024-01-08T10:00:00Z",
        ),
        (
            "2024-01-08T23:00:00-05:00",
            Err("date_has_time"),
            "2024-01-09T04:00:00Z",
        ),
        (
            "2024-01-08T10:00:00.212Z",
            Err("date_has_time"),
            "2024-01-08T10:00:00.212Z",
        ),
        (
            "2024-01-08T10:00:00,212+00:00",
            Err("date_has_time"),
            "2024-01-08T10:00:00.212Z",
        ),
    ];
    let strict = people(scene.config(), &json!({}));
    let events: Vec<Value> = (0..)
        .zip(kinds)
        .flat_map(|(n, (value, ..))| {
            [
                person(2 * n, &json!({"start_date": value})),
                person(2 * n + 1, &json!({"closedate": value})),
            ]
        })
        .collect();
    let ran = scene.play(&strict, &events).await?;
    let dead: BTreeSet<(u64, &str)> = ran
        .dead()
        .into_iter()
        .map(|(line, _, code)| (line, code))
        .collect();
    let wanted: BTreeSet<(u64, &str)> = (0..)
        .zip(kinds)
        .filter_map(|(n, (_, date, _))| Some((2 * n, date.err()?)))
        .collect();
    assert_eq!(dead, wanted, "{ran:?}");
    let message = ran.message(4)?;
    assert!(
        message.contains("start_date") && message.contains("truncate"),
        "{message}"
    );
    for (n, (value, date, moment)) in (0u32..).zip(kinds) {
        let of = |n: u32, property: &str| {
            let found = ran
                .world
                .find("contacts", "email", &format!("p{n}@example.com"))
                .ok();
            found
                .and_then(|record| record.get(property))
                .map(str::to_owned)
        };
        assert_eq!(of(2 * n, "start_date").as_deref(), date.ok(), "{value}");
        let stored = of(2 * n + 1, "closedate").with_context(|| value.to_owned())?;
        let stored: jiff::Timestamp = stored.parse()?;
        assert_eq!(stored, moment.parse::<jiff::Timestamp>()?, "{value}");
    }

    let cutting = people(scene.config(), &json!({"dates": {"truncate": true}}));
    let events = [
        person(100, &json!({"start_date": "2024-01-08T10:00:00Z"})),
        person(101, &json!({"start_date": "2024-01-08T23:00:00-05:00"})),
    ];
    let ran = scene.play(&cutting, &events).await?;
    let date = |n: u32| {
        ran.world
            .find("contacts", "email", &format!("p{n}@example.com"))
            .map(|one| one.get("start_date"))
    };
    assert_eq!(
        [date(100)?, date(101)?],
        [Some("2024-01-08"), Some("2024-01-09")]
    );
    Ok(())
}

#[tokio::test]
async fn epochs_in_seconds_and_in_milliseconds_are_moments() -> Result<()> {
    let scene = Scene::new().await?;
    let events = [
        person(0, &json!({"closedate": 1_704_722_400})),
        person(1, &json!({"closedate": 1_704_722_400_000_u64})),
        person(2, &json!({"closedate": "1704722400"})),
    ];
    let ran = scene
        .play(&people(scene.config(), &json!({})), &events)
        .await?;
    let wanted: jiff::Timestamp = "2024-01-08T14:00:00Z".parse()?;
    let stored = ran.world.values("contacts", "closedate");
    assert_eq!(stored.len(), 3, "{ran:?}");
    for one in stored {
        assert_eq!(one.parse::<jiff::Timestamp>()?, wanted);
    }
    Ok(())
}

#[tokio::test]
async fn options_go_by_value_then_by_label_in_any_case_and_an_unknown_one_is_named() -> Result<()> {
    let scene = Scene::new().await?;
    let all = ["OPEN_DEAL", "OPEN DEAL", "open_deal", "Open Deal", "SHUT"];
    let events: Vec<Value> = (0..)
        .zip(all)
        .map(|(n, value)| person(n, &json!({"hs_lead_status": value})))
        .collect();
    let ran = scene
        .play(&people(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(
        ran.world.values("contacts", "hs_lead_status"),
        ["OPEN_DEAL"; 4]
    );
    assert_eq!(ran.dead(), [(4, "record", "property_option")]);
    let message = ran.message(4)?;
    assert!(
        message.contains("hs_lead_status") && message.contains("SHUT"),
        "{message}"
    );
    let dropping = people(scene.config(), &json!({"invalid_property": "drop"}));
    let ran = scene
        .play(
            &dropping,
            &[person(
                9,
                &json!({"hs_lead_status": "SHUT", "jobtitle": "Boss"}),
            )],
        )
        .await?;
    let contact = ran.world.find("contacts", "email", "p9@example.com")?;
    assert_eq!(
        (contact.get("hs_lead_status"), contact.get("jobtitle")),
        (None, Some("Boss"))
    );
    Ok(())
}

#[tokio::test]
async fn of_a_whole_object_what_the_portal_knows_is_written_and_the_rest_left_out() -> Result<()> {
    let scene = Scene::new().await?;
    let known = [
        "jobtitle",
        "phone",
        "city",
        "state",
        "country",
        "zip",
        "website",
        "company",
        "address",
        "industry",
        "fax",
        "mobilephone",
    ];
    let mut all: Map<String, Value> = known
        .iter()
        .map(|name| ((*name).to_owned(), json!("x")))
        .collect();
    all.extend((0..18).map(|n| (format!("unknown_{n}"), json!("x"))));
    let ran = scene
        .play(
            &people(scene.config(), &json!({})),
            &[person(0, &Value::Object(all))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let contact = ran.world.find("contacts", "email", "p0@example.com")?;
    let there: Vec<&&str> = known
        .iter()
        .filter(|name| contact.get(name) == Some("x"))
        .collect();
    let exist = known
        .iter()
        .filter(|name| !["industry", "fax", "mobilephone"].contains(name))
        .count();
    assert!(there.len() >= exist, "{there:?} of {contact:?}");
    assert!(
        !contact
            .properties
            .keys()
            .any(|name| name.starts_with("unknown_"))
    );
    // Key by key an unknown name is a mistake.
    let by_key = people(scene.config(), &json!({})).set(
        "/destinations/0/mappings/0/fields/properties",
        json!({"unknown_1": {"@path": "$.traits.more.unknown_1"}}),
    );
    let ran = scene
        .play(&by_key, &[person(1, &json!({"unknown_1": "x"}))])
        .await?;
    assert_eq!(ran.dead(), [(0, "ensure", "property_missing")], "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_read_only_is_left_out_of_a_whole_object() -> Result<()> {
    let scene = Scene::new().await?;
    let more =
        json!({"hs_object_id": "1", "createdate": "2020-01-01T00:00:00Z", "jobtitle": "Boss"});
    let ran = scene
        .play(&people(scene.config(), &json!({})), &[person(0, &more)])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.values("contacts", "jobtitle"), ["Boss"]);
    Ok(())
}

#[tokio::test]
async fn special_characters_in_ids_and_addresses_arrive_as_they_are() -> Result<()> {
    let scene = Scene::sample().await?;
    let strange = "a/b?c#d%e+f é";
    let email = "a/b?c#d%e+f@example.com";
    let config = people(scene.config(), &json!({}))
        .mapping(json!({"name": "companies", "action": "upsertCompany", "trigger": "type = \"group\"", "use_defaults": true}))
        .mapping(mapping("deals", "external_id", "upsert", &json!({})));
    let events = [
        json!({"type": "identify", "messageId": "1", "userId": strange, "traits": {"email": email}}),
        json!({"type": "group", "messageId": "2", "userId": strange, "groupId": strange, "traits": {"name": strange}}),
        set(strange, 1, &json!({"dealname": strange})),
    ];
    for _ in 0..2 {
        let ran = scene.play(&config, &events).await?;
        assert_eq!(ran.endings()[3], 0, "{ran:?}");
        let contact = ran.world.find("contacts", "email", email)?;
        let company = ran.world.find("companies", "segment_group_id", strange)?;
        assert_eq!(company.get("name"), Some(strange));
        assert!(ran.world.tied(contact, company));
        assert_eq!(
            ran.world
                .find("deals", "external_id", strange)?
                .get("dealname"),
            Some(strange)
        );
        assert_eq!(
            (
                ran.world.all("contacts").len(),
                ran.world.all("companies").len(),
                ran.world.all("deals").len()
            ),
            (1, 1, 1)
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_bad_record_of_a_hundred_costs_nothing_but_itself() -> Result<()> {
    let scene = Scene::new().await?;
    for (bad, code) in [
        (json!({"hs_lead_status": "SHUT"}), "property_option"),
        (json!({"start_date": "tomorrow"}), "property_type"),
        (json!({"start_date": "2024-02-31"}), "property_type"),
        (
            json!({"start_date": "2024-01-08T10:00:00Z"}),
            "date_has_time",
        ),
        (
            json!({"email": "somebody-else@example.com"}),
            "email_differs",
        ),
        (json!({"jobtitle": "x".repeat(70_000)}), "property_type"),
    ] {
        let mut events: Vec<Value> = (0..100)
            .map(|n| person(n, &json!({"jobtitle": code})))
            .collect();
        events[50] = person(50, &bad);
        let ran = scene
            .play(&people(scene.config(), &json!({})), &events)
            .await?;
        assert_eq!(ran.endings(), [99, 0, 0, 1], "{code}: {:?}", ran.report);
        assert_eq!(ran.dead()[0].2, code, "{:?}", ran.message(50));
        assert_eq!((ran.dead()[0].0, ran.message(50)?.is_empty()), (50, false));
        let written = ran.world.values("contacts", "jobtitle");
        assert_eq!(
            written.iter().filter(|value| **value == code).count(),
            99,
            "{code}"
        );
        assert!(!ran.message(50)?.contains("example.com"), "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_that_is_refused_whole_is_taken_apart_on_every_endpoint() -> Result<()> {
    let scene = Scene::sample().await?;
    let refused = |path: &str, poison: &str| json!([{"match": {"path_contains": path, "body_contains": poison}, "then": {"answer": "whole_batch_400"}}]);
    // Upsert, create and update of records.
    for (mode, path) in [
        ("upsert", "deals/batch/upsert"),
        ("add", "deals/batch/create"),
        ("update", "deals/batch/update"),
    ] {
        scene.sim.faults(&json!([])).await?;
        let id = |n: u32| format!("{mode}-{n}");
        if mode == "update" {
            let there: Vec<Value> = (0..100)
                .map(|n| set(&id(n), 0, &json!({"dealname": "old"})))
                .collect();
            scene
                .play(
                    &scene
                        .config()
                        .mapping(mapping("deals", "external_id", "upsert", &json!({}))),
                    &there,
                )
                .await?;
        }
        scene.sim.faults(&refused(path, "poison")).await?;
        let mut events: Vec<Value> = (0..100)
            .map(|n| set(&id(n), 1, &json!({"dealname": mode})))
            .collect();
        events[33] = set(&id(33), 1, &json!({"dealname": "poison"}));
        let config = scene
            .config()
            .mapping(mapping("deals", "external_id", mode, &json!({})));
        let ran = scene.play(&config, &events).await?;
        assert_eq!(ran.endings(), [99, 0, 0, 1], "{mode}: {:?}", ran.report);
        assert_eq!(ran.dead()[0].0, 33, "{mode}");
        let names = ran.world.values("deals", "dealname");
        assert_eq!(
            names.iter().filter(|name| **name == mode).count(),
            99,
            "{mode}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_bad_occurrence_pair_or_company_of_a_hundred_is_found_in_its_batch() -> Result<()> {
    let scene = Scene::sample().await?;
    let refused = |path: &str, poison: &str| json!([{"match": {"path_contains": path, "body_contains": poison}, "then": {"answer": "whole_batch_400"}}]);
    let group = |n: u32, name: &str| json!({"type": "group", "messageId": format!("g{n}"), "userId": format!("u{n}"), "groupId": format!("g{n}"), "traits": {"name": name}});
    let companies = scene.config().mapping(
        json!({"name": "companies", "action": "upsertCompany", "trigger": "type = \"group\"",
        "use_defaults": true, "fields": {"associateContact": false}}),
    );
    scene
        .sim
        .faults(&refused("companies/batch/upsert", "poison"))
        .await?;
    let mut events: Vec<Value> = (0..100).map(|n| group(n, "fine")).collect();
    events[71] = group(71, "poison");
    let ran = scene.play(&companies, &events).await?;
    assert_eq!(ran.dead(), [(71, "record", "hubspot_rejected")]);
    assert_eq!(ran.world.values("companies", "name"), ["fine"; 99]);

    let order = |n: u32, title: &str| {
        json!({"type": "track", "event": "order_completed", "messageId": format!("o{n}"), "userId": format!("u{n}"),
        "properties": {"email": format!("p{n}@example.com"), "title": title}})
    };
    let occurrences = scene.config().mapping(json!({"name": "orders", "action": "sendCustomBehavioralEvent", "trigger": "type = \"track\"",
        "use_defaults": true, "fields": {"eventName": format!("pe{HUB}_order_completed"), "properties": {"title": {"@path": "$.properties.title"}}}}));
    scene.sim.faults(&refused("/send", "poison")).await?;
    let mut events: Vec<Value> = (0..100).map(|n| order(n, "fine")).collect();
    events[29] = order(29, "poison");
    let ran = scene.play(&occurrences, &events).await?;
    assert_eq!(
        ran.dead(),
        [(29, "occurrence", "hubspot_rejected")],
        "{:?}",
        ran.report
    );
    assert_eq!(
        scene.event("order_completed").await?.counted.occurrences,
        99
    );

    let people: Vec<Value> = (0..100).map(|n| person(n, &json!({}))).collect();
    scene.sim.faults(&json!([])).await?;
    let ran = scene.play(&people_of(&scene), &people).await?;
    let bad = ran
        .world
        .find("contacts", "email", "p50@example.com")?
        .id
        .clone();
    scene
        .sim
        .faults(&refused("/associations/", &format!("\"{bad}\"")))
        .await?;
    let tie = |n: u32| {
        let email = format!("p{n}@example.com");
        let company = target("company", "HUBSPOT_DEFINED:279", "segment_group_id", "g1");
        crate::objects::tie(&email, 2, &[company])
    };
    let ties: Vec<Value> = (0..100).map(tie).collect();
    let config = scene
        .config()
        .mapping(mapping("contact", "email", "upsert", &json!({})));
    let ran = scene.play(&config, &ties).await?;
    assert_eq!(
        ran.dead(),
        [(50, "association", "hubspot_rejected")],
        "{:?}",
        ran.report
    );
    let company = ran.world.find("companies", "segment_group_id", "g1")?;
    let tied = ran
        .world
        .all("contacts")
        .iter()
        .filter(|one| ran.world.tied(one, company));
    assert_eq!(tied.count(), 99);
    Ok(())
}

fn people_of(scene: &Scene) -> Config {
    people(scene.config(), &json!({}))
}

#[tokio::test]
async fn answers_that_leave_results_out_or_never_arrive_lose_nothing() -> Result<()> {
    let scene = Scene::new().await?;
    for (then, n) in [
        (json!({"drop_results": 3}), 1),
        (json!("empty_complete"), 2),
        (json!("truncate_body"), 3),
        (json!("reset"), 4),
        (json!("reset_after_write"), 5),
    ] {
        scene
            .sim
            .faults(
                &json!([{"match": {"path_contains": "batch/upsert"}, "then": then, "times": 1}]),
            )
            .await?;
        let events: Vec<Value> = (0..100)
            .map(|one| person(1_000 * n + one, &json!({"jobtitle": "x"})))
            .collect();
        let ran = scene
            .play(&people(scene.config(), &json!({})), &events)
            .await?;
        assert_eq!(ran.endings(), [100, 0, 0, 0], "{then}: {:?}", ran.report);
        assert_eq!(
            ran.world.all("contacts").len(),
            100 * usize::try_from(n)?,
            "{then}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_of_the_vendor_is_followed_and_a_stranger_gets_neither_token_nor_data()
-> Result<()> {
    let (scene, stranger) = (Scene::new().await?, Scene::new().await?);
    let to = |status: u16, base: &str| json!([{"match": {"path_contains": "batch/upsert"}, "then": {"redirect": {"status": status, "base": base}}, "times": 1}]);
    for status in [307, 308] {
        scene.sim.faults(&to(status, scene.sim.base_url())).await?;
        let ran = scene
            .play(
                &people(scene.config(), &json!({})),
                &[person(u32::from(status), &json!({"jobtitle": "x"}))],
            )
            .await?;
        assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    }
    scene.sim.faults(&to(307, stranger.sim.base_url())).await?;
    let finished = scene
        .carry(
            &people(scene.config(), &json!({})),
            &[person(1, &json!({}))],
        )
        .await?;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stderr.contains("redirected"), "{finished:?}");
    assert_eq!(stranger.sim.calls().await?.len(), 0);
    Ok(())
}
