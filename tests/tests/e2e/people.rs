//! Contacts and companies: one test for each known defect of the reference, named after it.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::objects::merge;
use crate::scene::Scene;
use crate::world::Ran;

fn contacts(config: Config, changes: &Value) -> Config {
    let mut mapping = json!({"name": "contacts", "action": "upsertContact", "trigger": "type = \"identify\"", "use_defaults": true});
    merge(&mut mapping, changes);
    config.mapping(mapping)
}

fn companies(config: Config, changes: &Value) -> Config {
    let mut mapping = json!({"name": "companies", "action": "upsertCompany", "trigger": "type = \"group\"", "use_defaults": true});
    merge(&mut mapping, changes);
    config.mapping(mapping)
}

fn both(scene: &Scene) -> Config {
    companies(contacts(scene.config(), &json!({})), &json!({}))
}

fn at(second: u32) -> String {
    format!("2026-10-01T00:{:02}:{:02}Z", second / 60, second % 60)
}

fn identify(user: &str, second: u32, traits: &Value) -> Value {
    json!({"type": "identify", "messageId": format!("i-{user}-{second}"), "userId": user, "timestamp": at(second), "traits": traits})
}

fn group(user: &str, second: u32, id: &Value, traits: &Value) -> Value {
    json!({"type": "group", "messageId": format!("g-{user}-{second}"), "userId": user, "groupId": id, "timestamp": at(second), "traits": traits})
}

fn email(n: u32) -> String {
    format!("p{n}@example.com")
}

fn codes(ran: &Ran) -> Vec<(u64, &str)> {
    ran.dead()
        .into_iter()
        .map(|(line, _, code)| (line, code))
        .collect()
}

#[tokio::test]
async fn c1_c13_a_hundred_contacts_take_one_write_new_or_known() -> Result<()> {
    let scene = Scene::new().await?;
    let events: Vec<Value> = (0..100)
        .map(|n| identify(&format!("u{n}"), n, &json!({"email": email(n)})))
        .collect();
    for writes in [1, 2] {
        let ran = scene
            .play(&contacts(scene.config(), &json!({})), &events)
            .await?;
        assert_eq!(ran.endings(), [100, 0, 0, 0], "{:?}", ran.report);
        assert_eq!(
            scene.calls("/objects/").await?,
            writes,
            "{:?}",
            scene.sim.calls().await?
        );
    }
    Ok(())
}

#[tokio::test]
async fn c3_k2_contacts_of_one_batch_are_associated() -> Result<()> {
    let scene = Scene::new().await?;
    let mut events: Vec<Value> = (0..100)
        .map(|n| identify(&format!("u{n}"), n, &json!({"email": email(n)})))
        .collect();
    events.extend((0..100).map(|n| {
        group(
            &format!("u{n}"),
            100 + n,
            &json!("acme"),
            &json!({"name": "Acme"}),
        )
    }));
    let ran = scene.play(&both(&scene), &events).await?;
    assert_eq!(ran.endings()[3], 0, "{:?}", ran.report);
    let acme = ran.world.find("companies", "segment_group_id", "acme")?;
    assert!(
        ran.world
            .all("contacts")
            .iter()
            .all(|contact| ran.world.tied(contact, acme))
    );
    assert_eq!(ran.world.all("contacts").len(), 100);
    Ok(())
}

#[tokio::test]
async fn c4_every_order_of_arrival_ends_in_the_same_state() -> Result<()> {
    let events = [
        identify(
            "u",
            1,
            &json!({"email": "a@example.com", "firstName": "one", "phone": "1"}),
        ),
        identify(
            "u",
            2,
            &json!({"email": "A@example.com", "lastName": "two", "phone": "2"}),
        ),
        identify(
            "u",
            3,
            &json!({"email": "a@Example.com", "firstName": "three"}),
        ),
    ];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let scene = Scene::new().await?;
        let ran = scene
            .play(
                &contacts(scene.config(), &json!({})),
                &order.map(|n: usize| events[n].clone()),
            )
            .await?;
        assert_eq!(ran.endings()[3], 0, "{order:?}: {ran:?}");
        let contact = ran.world.find("contacts", "email", "a@example.com")?;
        let seen =
            ["firstname", "lastname", "phone"].map(|name| contact.get(name).unwrap_or_default());
        assert_eq!(seen, ["three", "two", "2"], "{order:?}");
    }
    Ok(())
}

#[tokio::test]
async fn c5_c18_c20_c21_addresses_are_trimmed_lowered_and_one_contact() -> Result<()> {
    let scene = Scene::new().await?;
    let events = [
        identify(
            "u",
            1,
            &json!({"email": "  O'Neil/x+y@Example.com ", "firstName": "  Ada "}),
        ),
        identify(
            "u",
            2,
            &json!({"email": "o'neil/X+Y@example.com", "lastName": "L"}),
        ),
    ];
    let ran = scene
        .play(&contacts(scene.config(), &json!({})), &events)
        .await?;
    let contact = ran
        .world
        .find("contacts", "email", "o'neil/x+y@example.com")?;
    assert_eq!(
        (contact.get("firstname"), contact.get("lastname")),
        (Some("Ada"), Some("L"))
    );
    assert_eq!(ran.world.all("contacts").len(), 1);
    Ok(())
}

#[tokio::test]
async fn c6_an_empty_text_clears_only_when_the_mapping_says_so() -> Result<()> {
    let scene = Scene::new().await?;
    let blank = identify("u", 2, &json!({"email": email(1), "phone": ""}));
    scene
        .play(
            &contacts(scene.config(), &json!({})),
            &[identify("u", 1, &json!({"email": email(1), "phone": "1"}))],
        )
        .await?;
    let ran = scene
        .play(
            &contacts(scene.config(), &json!({})),
            std::slice::from_ref(&blank),
        )
        .await?;
    assert_eq!(ran.world.values("contacts", "phone"), ["1"]);
    let later = identify("u", 3, &json!({"email": email(1), "phone": ""}));
    let ran = scene
        .play(
            &contacts(scene.config(), &json!({"blank_fields": "clear"})),
            &[later],
        )
        .await?;
    assert_eq!(
        ran.world
            .find("contacts", "email", &email(1))?
            .get("phone")
            .unwrap_or_default(),
        ""
    );
    Ok(())
}

#[tokio::test]
async fn c7_c8_c9_primary_and_secondary_addresses_in_one_batch_are_one_contact() -> Result<()> {
    let scene = Scene::new().await?;
    let known = json!({"inputs": [{"properties": {"email": "main@example.com", "hs_additional_emails": "second@example.com;third@example.com"}}]});
    scene
        .sim
        .set_up(&json!([{"path": "/crm/objects/2026-03/contacts/batch/create", "body": known}]))
        .await?;
    let events = [
        identify(
            "u1",
            1,
            &json!({"email": "MAIN@example.com", "firstName": "one"}),
        ),
        identify(
            "u2",
            2,
            &json!({"email": "Second@Example.com", "lastName": "two"}),
        ),
        identify(
            "u3",
            3,
            &json!({"email": "third@example.com", "phone": "3"}),
        ),
        identify(
            "u4",
            4,
            &json!({"email": "other@example.com", "phone": "4"}),
        ),
    ];
    let ran = scene
        .play(&contacts(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    assert_eq!(ran.world.all("contacts").len(), 2, "{ran:?}");
    let contact = ran.world.find("contacts", "email", "main@example.com")?;
    let seen = ["firstname", "lastname", "phone"].map(|name| contact.get(name).unwrap_or_default());
    assert_eq!(seen, ["one", "two", "3"]);
    Ok(())
}

#[tokio::test]
async fn c10_c11_c12_f4_a_refused_contact_stops_no_other() -> Result<()> {
    let scene = Scene::new().await?;
    scene.sim.faults(&json!([{"match": {"path_contains": "batch/upsert", "body_contains": "p7@"}, "then": {"answer": "whole_batch_400"}}])).await?;
    let events: Vec<Value> = (0..20)
        .map(|n| identify(&format!("u{n}"), n, &json!({"email": email(n)})))
        .collect();
    let ran = scene
        .play(&contacts(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(codes(&ran), [(7, "hubspot_rejected")], "{ran:?}");
    assert_eq!(ran.world.all("contacts").len(), 19);
    Ok(())
}

#[tokio::test]
async fn c14_c15_c16_c17_a_stage_goes_backwards_by_itself_and_only_when_it_must() -> Result<()> {
    let scene = Scene::new().await?;
    let config = contacts(
        scene.config(),
        &json!({"fields": {"properties": {"lifecyclestage": {"@path": "$.traits.stage"}}}}),
    );
    let event = |second: u32, stage: &str| {
        identify(
            "u",
            second,
            &json!({"email": email(1), "firstName": "Ada", "stage": stage}),
        )
    };
    for (second, stage, wanted, writes) in [
        (1, "customer", "customer", 1),
        (2, " Customer ", "customer", 1),
        (3, "LEAD", "lead", 3),
    ] {
        let before = scene.calls("/objects/").await?;
        let ran = scene.play(&config, &[event(second, stage)]).await?;
        assert_eq!(
            ran.world.values("contacts", "lifecyclestage"),
            [wanted],
            "{ran:?}"
        );
        let made = scene.calls("/objects/").await? - before;
        assert!(made <= writes, "{stage}: {made} calls");
    }
    // What is cleared and set is the stage alone, and never left cleared.
    let history = scene.sim.history("contacts").await?;
    let writes = &history[0].writes;
    let last = writes.last().context("a write")?;
    let own: Vec<&String> = last
        .properties
        .keys()
        .filter(|name| ["firstname", "email", "phone"].contains(&name.as_str()))
        .collect();
    assert!(own.is_empty(), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn c16_a_stage_whose_setting_fails_for_a_while_is_set_in_the_end() -> Result<()> {
    let scene = Scene::new().await?;
    let config = contacts(
        scene.config(),
        &json!({"fields": {"lifecyclestage": {"@path": "$.traits.stage"}}}),
    );
    let event = |second: u32, stage: &str| {
        identify("u", second, &json!({"email": email(1), "stage": stage}))
    };
    scene.play(&config, &[event(1, "customer")]).await?;
    scene.sim.faults(&json!([{"match": {"path_contains": "batch/update", "body_contains": "\"lead\""}, "then": {"answer": "internal_error"}, "times": 2}])).await?;
    let ran = scene.play(&config, &[event(2, "lead")]).await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.values("contacts", "lifecyclestage"), ["lead"]);
    Ok(())
}

#[tokio::test]
async fn c19_another_email_among_the_properties_is_refused_unless_allowed() -> Result<()> {
    let scene = Scene::new().await?;
    let fields = json!({"fields": {"properties": {"email": {"@path": "$.traits.new"}}}});
    let event = |second: u32| {
        identify(
            "u",
            second,
            &json!({"email": "old@example.com", "new": "new@example.com"}),
        )
    };
    scene
        .play(
            &contacts(scene.config(), &json!({})),
            &[identify("u", 1, &json!({"email": "old@example.com"}))],
        )
        .await?;
    let ran = scene
        .play(&contacts(scene.config(), &fields), &[event(2)])
        .await?;
    assert_eq!(codes(&ran), [(0, "email_differs")], "{ran:?}");
    ensure!(!ran.message(0)?.contains("old@example.com"), "{ran:?}");
    let mut allowed = fields.clone();
    merge(&mut allowed, &json!({"allow_email_change": true}));
    let ran = scene
        .play(&contacts(scene.config(), &allowed), &[event(3)])
        .await?;
    assert_eq!(
        ran.world.values("contacts", "email"),
        ["new@example.com"],
        "{ran:?}"
    );
    Ok(())
}

#[tokio::test]
async fn c22_fields_about_batches_change_nothing() -> Result<()> {
    let scene = Scene::new().await?;
    let events: Vec<Value> = (0..20)
        .map(|n| identify(&format!("u{n}"), n, &json!({"email": email(n)})))
        .collect();
    let ran = scene
        .play(
            &contacts(
                scene.config(),
                &json!({"fields": {"enable_batching": false, "batch_size": 1}}),
            ),
            &events,
        )
        .await?;
    assert_eq!(ran.endings(), [20, 0, 0, 0], "{ran:?}");
    assert_eq!(scene.calls("/objects/").await?, 1);
    Ok(())
}

#[tokio::test]
async fn k1_a_group_before_its_person_is_written_and_associated_when_the_person_comes() -> Result<()>
{
    let scene = Scene::new().await?;
    let events = [
        group("u", 1, &json!("acme"), &json!({"name": "Acme"})),
        identify("u", 2, &json!({"email": email(1)})),
    ];
    let ran = scene.play(&both(&scene), &events).await?;
    assert_eq!(ran.endings(), [2, 0, 0, 0], "{ran:?}");
    assert!(ran.world.tied(
        &ran.world.all("contacts")[0],
        &ran.world.all("companies")[0]
    ));
    Ok(())
}

#[tokio::test]
async fn k3_search_fields_must_all_match() -> Result<()> {
    let scene = Scene::new().await?;
    let there =
        json!({"inputs": [{"properties": {"name": "Acme", "domain": "other.example.com"}}]});
    scene
        .sim
        .set_up(&json!([{"path": "/crm/objects/2026-03/companies/batch/create", "body": there}]))
        .await?;
    let fields = json!({"fields": {"companysearchfields": {"name": {"@path": "$.traits.name"}, "domain": {"@path": "$.traits.website"}}}});
    let event = group(
        "u",
        1,
        &json!("g"),
        &json!({"name": "Acme", "website": "acme.example.com"}),
    );
    let ran = scene
        .play(&companies(scene.config(), &fields), &[event])
        .await?;
    assert_eq!(ran.world.all("companies").len(), 2, "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn k4_the_stage_of_a_company_goes_backwards_too() -> Result<()> {
    let scene = Scene::new().await?;
    let config = companies(
        scene.config(),
        &json!({"fields": {"associateContact": false, "lifecyclestage": {"@path": "$.traits.stage"}}}),
    );
    for (second, stage) in [(1, "customer"), (2, "Lead")] {
        let ran = scene
            .play(
                &config,
                &[group(
                    "u",
                    second,
                    &json!("g"),
                    &json!({"name": "G", "stage": stage}),
                )],
            )
            .await?;
        assert_eq!(
            ran.world.values("companies", "lifecyclestage"),
            [stage.to_lowercase()],
            "{ran:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn k5_k6_fifty_new_companies_at_once_need_the_property_once() -> Result<()> {
    let scene = Scene::new().await?;
    let events: Vec<Value> = (0..100)
        .map(|n| {
            group(
                &format!("u{n}"),
                n,
                &json!(format!("c{}", n % 50)),
                &json!({"name": format!("C{}", n % 50)}),
            )
        })
        .collect();
    let ran = scene
        .play(
            &companies(
                scene.config(),
                &json!({"fields": {"associateContact": false}}),
            ),
            &events,
        )
        .await?;
    assert_eq!(ran.endings()[3], 0, "{:?}", ran.report);
    assert_eq!(ran.world.all("companies").len(), 50);
    let calls = scene.sim.calls().await?;
    let made = calls
        .iter()
        .filter(|call| call.method == "POST" && call.path.contains("/properties/"))
        .count();
    assert_eq!(made, 1, "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn k5_a_property_made_by_another_worker_meanwhile_is_no_error() -> Result<()> {
    let scene = Scene::new().await?;
    scene.sim.faults(&json!([{"match": {"method": "POST", "path_contains": "/properties/"}, "then": "reset_after_write", "times": 1}])).await?;
    let ran = scene
        .play(
            &companies(
                scene.config(),
                &json!({"fields": {"associateContact": false}}),
            ),
            &[group("u", 1, &json!("g"), &json!({"name": "G"}))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn k8_k17_one_group_id_is_one_company_however_it_is_written() -> Result<()> {
    let scene = Scene::new().await?;
    let config = companies(
        scene.config(),
        &json!({"fields": {"associateContact": false}}),
    );
    let events = [
        group("a", 1, &json!(42), &json!({"name": "A"})),
        group("b", 2, &json!("42"), &json!({"name": "B"})),
        group("c", 3, &json!(" 42 "), &json!({"name": "C"})),
        group("d", 4, &json!("g/1 x?#%"), &json!({"name": "D"})),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    assert_eq!(
        ran.world.values("companies", "segment_group_id"),
        ["42", "g/1 x?#%"]
    );
    assert_eq!(ran.world.values("companies", "name"), ["C", "D"]);
    Ok(())
}

#[tokio::test]
async fn k9_the_reserved_property_is_refused_whatever_its_value() -> Result<()> {
    let scene = Scene::new().await?;
    let config = companies(
        scene.config(),
        &json!({"fields": {"associateContact": false, "properties": {"@path": "$.traits.more"}}}),
    );
    let event = |n: u32, value: &Value| {
        group(
            "u",
            n,
            &json!(format!("g{n}")),
            &json!({"name": "G", "more": {"segment_group_id": value}}),
        )
    };
    let ran = scene
        .play(&config, &[event(1, &json!("")), event(2, &json!("x"))])
        .await?;
    assert_eq!(
        codes(&ran),
        [(0, "reserved_property"), (1, "reserved_property")],
        "{ran:?}"
    );
    assert!(ran.message(0)?.contains("segment_group_id"));
    Ok(())
}

#[tokio::test]
async fn k11_a_company_that_may_not_be_created_is_skipped_by_name() -> Result<()> {
    let scene = Scene::new().await?;
    let config = companies(
        scene.config(),
        &json!({"fields": {"createNewCompany": false, "associateContact": false}}),
    );
    let ran = scene
        .play(
            &config,
            &[group("u", 1, &json!("g"), &json!({"name": "G"}))],
        )
        .await?;
    assert_eq!(
        (ran.endings(), ran.skipped("not_found")),
        ([0, 0, 1, 0], 1),
        "{ran:?}"
    );
    Ok(())
}

#[tokio::test]
async fn k13_several_contacts_of_one_company_are_all_associated() -> Result<()> {
    let scene = Scene::new().await?;
    let mut events = Vec::new();
    for n in 0..5 {
        events.push(identify(&format!("u{n}"), n, &json!({"email": email(n)})));
        events.push(group(
            &format!("u{n}"),
            10 + n,
            &json!("acme"),
            &json!({"name": "Acme"}),
        ));
    }
    let ran = scene.play(&both(&scene), &events).await?;
    let acme = &ran.world.all("companies")[0];
    assert_eq!(
        ran.world
            .all("contacts")
            .iter()
            .filter(|one| ran.world.tied(one, acme))
            .count(),
        5
    );
    Ok(())
}

#[tokio::test]
async fn k14_k15_counts_that_are_none_and_addresses_instead_of_domains() -> Result<()> {
    let scene = Scene::new().await?;
    let event = |n: u32, employees: &Value| {
        group(
            "u",
            n,
            &json!(format!("g{n}")),
            &json!({"name": "G", "employees": employees, "website": "https://www.Acme.io/x?y"}),
        )
    };
    let config = |policy: &str| {
        companies(
            scene.config(),
            &json!({"invalid_property": policy, "fields": {"associateContact": false}}),
        )
    };
    let ran = scene
        .play(
            &config("dead_letter"),
            &[event(1, &json!("10-50")), event(2, &json!(5))],
        )
        .await?;
    assert_eq!(codes(&ran), [(0, "payload_invalid")], "{ran:?}");
    assert!(ran.message(0)?.contains("numberofemployees"));
    let ran = scene
        .play(&config("drop"), &[event(3, &json!("10-50"))])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(
        ran.world.values("companies", "domain"),
        ["acme.io", "acme.io"]
    );
    assert_eq!(ran.world.values("companies", "numberofemployees"), ["5"]);
    Ok(())
}

#[tokio::test]
async fn a_contact_that_never_comes_is_waited_for_made_left_out_or_a_dead_letter() -> Result<()> {
    let scene = Scene::new().await?;
    for (policy, endings, people) in [
        ("skip", [1, 0, 0, 0], 0),
        ("dead_letter", [0, 0, 0, 1], 0),
        ("create", [1, 0, 0, 0], 1),
    ] {
        let mut event = group(policy, 1, &json!(policy), &json!({"name": policy}));
        event["context"] = json!({"traits": {"email": format!("{policy}@example.com")}});
        let ran = scene
            .play(
                &companies(scene.config(), &json!({"on_missing_contact": policy})),
                &[event],
            )
            .await?;
        assert_eq!(ran.endings(), endings, "{policy}: {ran:?}");
        assert_eq!(ran.world.all("contacts").len(), people, "{policy}");
        assert!(
            ran.world
                .find("companies", "segment_group_id", policy)
                .is_ok()
        );
        if policy == "dead_letter" {
            assert_eq!(
                ran.dead(),
                [(0, "association", "association_contact_missing")]
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn f1_a_call_that_fails_is_repeated_alone() -> Result<()> {
    let scene = Scene::new().await?;
    scene.sim.faults(&json!([{"match": {"path_contains": "/associations/"}, "then": {"answer": "internal_error"}, "times": 1}])).await?;
    let events = [
        identify("u", 1, &json!({"email": email(1)})),
        group("u", 2, &json!("acme"), &json!({"name": "Acme"})),
    ];
    let ran = scene.play(&both(&scene), &events).await?;
    assert_eq!(ran.endings(), [2, 0, 0, 0], "{ran:?}");
    for object in ["contacts", "companies"] {
        assert_eq!(
            scene.sim.history(object).await?[0].writes.len(),
            1,
            "{object}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn f3_what_hubspot_refuses_for_a_while_is_delivered_in_the_end() -> Result<()> {
    let scene = Scene::new().await?;
    for (n, answer) in (0..).zip([
        "burst_limit",
        "locked",
        "internal_error",
        "bad_gateway",
        "unavailable",
    ]) {
        scene.sim.faults(&json!([{"match": {"path_contains": "/objects/"}, "then": {"answer": answer}, "times": 1}])).await?;
        let ran = scene
            .play(
                &contacts(scene.config(), &json!({})),
                &[identify("u", n, &json!({"email": email(n)}))],
            )
            .await?;
        assert_eq!(ran.endings(), [1, 0, 0, 0], "{answer}: {ran:?}");
    }
    Ok(())
}

#[tokio::test]
async fn f5_an_event_whose_mapping_fails_is_alone_in_it() -> Result<()> {
    let scene = Scene::new().await?;
    let config = contacts(
        scene.config(),
        &json!({"fields": {"properties": {"jobtitle": {"@path": {"@path": "$.traits.where"}}}}}),
    );
    let event = |n: u32, place: &Value| {
        identify(
            &format!("u{n}"),
            n,
            &json!({"email": email(n), "n": n.to_string(), "where": place}),
        )
    };
    let events = [
        event(1, &json!("$.traits.n")),
        event(2, &json!(5)),
        event(3, &json!("$.traits.n")),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(codes(&ran), [(1, "mapping_failed")], "{ran:?}");
    assert_eq!(ran.world.values("contacts", "jobtitle"), ["1", "3"]);
    Ok(())
}

#[tokio::test]
async fn f15_a_call_is_given_up_after_the_time_that_is_configured() -> Result<()> {
    let scene = Scene::new().await?;
    let slow = json!([{"match": {"path_contains": "batch/upsert"}, "then": {"latency_ms": 20_000}, "times": 1}]);
    scene.sim.faults(&slow).await?;
    let config = contacts(scene.config(), &json!({})).set(
        "/destinations/0/hubspot/timeouts",
        json!({"single": "1s", "batch": "1s"}),
    );
    let ran = scene
        .play(&config, &[identify("u", 1, &json!({"email": email(1)}))])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    // With the usual thirty seconds the first call would have been waited for.
    let calls = &ran.report["calls"];
    assert_eq!(calls["contacts/batch/upsert"], 2, "{calls}");
    Ok(())
}

#[tokio::test]
async fn f17_of_two_mappings_of_one_event_one_fails_and_the_other_is_not_repeated() -> Result<()> {
    let scene = Scene::new().await?;
    let config = contacts(scene.config(), &json!({})).mapping(json!({
        "name": "companies", "action": "upsertCompany", "trigger": "type = \"identify\"",
        "fields": {"groupid": {"@path": "$.traits.company"}, "name": {"@path": "$.traits.company"}, "createNewCompany": true, "associateContact": false,
            "properties": {"industry": {"@path": "$.traits.industry"}}},
    }));
    let event = identify(
        "u",
        1,
        &json!({"email": email(1), "company": "acme", "industry": "NONE"}),
    );
    let ran = scene.play(&config, &[event]).await?;
    assert_eq!(ran.endings(), [1, 0, 0, 1], "{ran:?}");
    assert_eq!(codes(&ran), [(0, "property_option")]);
    assert_eq!(scene.sim.history("contacts").await?[0].writes.len(), 1);
    Ok(())
}
