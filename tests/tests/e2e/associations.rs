//! The legacy object action: searches, creation, and one association; one test for each known defect of the reference.

use anyhow::{Context as _, Result};
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::objects::merge;
use crate::scene::Scene;
use crate::world::HUB;

const DEAL_TO_CONTACT: &str = "HUBSPOT_DEFINED:3";

/// Track events as deals that are searched by name and pipeline, each with the contact of an e-mail.
fn deals(config: Config, changes: &Value) -> Config {
    let mut mapping = json!({
        "name": "deals",
        "action": "upsertCustomObjectRecord",
        "trigger": "type = \"track\"",
        "fields": {
            "objectType": "deals",
            "properties": {"@path": "$.properties.set"},
            "customObjectSearchFields": {"@path": "$.properties.find"},
            "toObjectType": "contacts",
            "searchFieldsToAssociateCustomObjects": {"@path": "$.properties.to"},
            "associationLabel": DEAL_TO_CONTACT,
        },
    });
    merge(&mut mapping, changes);
    config.mapping(mapping)
}

fn order(n: u32, properties: &Value) -> Value {
    json!({"type": "track", "event": "Order", "messageId": format!("m{n}"), "userId": format!("u{n}"),
        "timestamp": format!("2026-10-01T00:00:{:02}Z", n % 60), "properties": properties})
}

/// Contacts of which two share a last name, and a deal.
async fn portal() -> Result<Scene> {
    let scene = Scene::sample().await?;
    let person = |first: &str, last: &str| json!({"properties": {"email": format!("{first}@example.com"), "firstname": first, "lastname": last}});
    let people =
        json!({"inputs": [person("ada", "One"), person("bob", "Two"), person("cy", "Two")]});
    let deal =
        |name: &str, amount: &str| json!({"properties": {"dealname": name, "amount": amount}});
    let deals = json!({"inputs": [deal("known", "1"), deal("twin", "2"), deal("twin", "2"), deal("half", "3")]});
    scene
        .sim
        .set_up(&json!([
            {"path": "/crm/objects/2026-03/contacts/batch/create", "body": people},
            {"path": "/crm/objects/2026-03/deals/batch/create", "body": deals},
        ]))
        .await?;
    Ok(scene)
}

#[tokio::test]
async fn l1_l13_the_one_record_that_meets_all_search_fields_is_updated_and_else_one_is_made()
-> Result<()> {
    let scene = portal().await?;
    let events = [
        order(
            1,
            &json!({"find": {"dealname": "known", "amount": 1}, "set": {"description": "found"}}),
        ),
        order(
            2,
            &json!({"find": {"dealname": "half", "amount": 1}, "set": {"dealname": "half", "amount": 1, "description": "made"}}),
        ),
        order(
            3,
            &json!({"find": {"dealname": "twin"}, "set": {"description": "which?"}}),
        ),
    ];
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.dead(), [(2, "record", "not_unique")], "{ran:?}");
    assert_eq!(ran.world.values("deals", "description"), ["found", "made"]);
    assert_eq!(ran.world.all("deals").len(), 5);
    assert_eq!(
        ran.world
            .find("deals", "description", "found")?
            .get("dealname"),
        Some("known")
    );

    // The reference's reading is there for who wants it.
    let scene = portal().await?;
    let any = json!({"search": {"match": "any"}});
    let events = [order(
        1,
        &json!({"find": {"dealname": "known", "amount": 99}, "set": {"description": "either"}}),
    )];
    let ran = scene.play(&deals(scene.config(), &any), &events).await?;
    assert_eq!(
        ran.world
            .find("deals", "description", "either")?
            .get("dealname"),
        Some("known")
    );
    Ok(())
}

#[tokio::test]
async fn records_are_only_updated_when_the_mapping_says_so() -> Result<()> {
    let scene = portal().await?;
    let events = [
        order(
            1,
            &json!({"find": {"dealname": "known"}, "set": {"description": "found"}}),
        ),
        order(
            2,
            &json!({"find": {"dealname": "unknown"}, "set": {"description": "made"}}),
        ),
    ];
    let ran = scene
        .play(
            &deals(
                scene.config(),
                &json!({"fields": {"createNewCustomRecord": false}}),
            ),
            &events,
        )
        .await?;
    assert_eq!(
        (ran.endings(), ran.skipped("not_found")),
        ([1, 0, 1, 0], 1),
        "{ran:?}"
    );
    assert_eq!(ran.world.values("deals", "description"), ["found"]);
    Ok(())
}

#[tokio::test]
async fn l2_k7_two_events_in_quick_succession_make_one_record_although_no_search_finds_it()
-> Result<()> {
    let scene = Scene::sample().await?;
    scene.sim.switch(&json!({"search_lag_ms": 60_000})).await?;
    let event = |n: u32| {
        order(
            n,
            &json!({"find": {"dealname": "new"}, "set": {"dealname": "new", "amount": n}}),
        )
    };
    let events: Vec<Value> = (1..=20).map(event).collect();
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    assert_eq!(ran.world.values("deals", "amount"), ["20"]);
    Ok(())
}

#[tokio::test]
async fn l3_searches_and_writes_go_in_batches() -> Result<()> {
    let scene = Scene::sample().await?;
    let event = |n: u32| {
        order(
            n,
            &json!({"find": {"dealname": format!("d{n}")}, "set": {"dealname": format!("d{n}")}}),
        )
    };
    let events: Vec<Value> = (0..50).map(event).collect();
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.world.all("deals").len(), 50);
    let (searches, creates) = (
        scene.calls("deals/search").await?,
        scene.calls("deals/batch/create").await?,
    );
    assert!(
        searches <= 12 && creates <= 12,
        "{searches} searches, {creates} creates"
    );
    // A unique property among the search fields needs no search at all.
    let event = |n: u32| {
        order(
            n,
            &json!({"find": {"external_id": format!("x{n}")}, "set": {"external_id": format!("x{n}")}}),
        )
    };
    let events: Vec<Value> = (0..50).map(event).collect();
    scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(scene.calls("deals/search").await?, searches);
    assert_eq!(scene.calls("deals/batch/upsert").await?, 1);
    Ok(())
}

#[tokio::test]
async fn l4_l5_none_one_or_several_hits_of_the_other_end_never_cost_the_record() -> Result<()> {
    let scene = portal().await?;
    let of = |n: u32, name: &str, to: Value| {
        order(
            n,
            &json!({"find": {"dealname": name}, "set": {"dealname": name}, "to": to}),
        )
    };
    let events = [
        of(1, "none", json!({"email": "nobody@example.com"})),
        of(2, "one", json!({"email": "ada@example.com"})),
        of(3, "several", json!({"lastname": "Two"})),
    ];
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.endings(), [2, 0, 0, 1], "{ran:?}");
    assert_eq!(
        ran.dead(),
        [(2, "association", "association_not_unique")],
        "{ran:?}"
    );
    let contact = ran.world.find("contacts", "firstname", "ada")?;
    let tied = |name: &str| {
        anyhow::Ok(
            ran.world
                .tied(contact, ran.world.find("deals", "dealname", name)?),
        )
    };
    assert_eq!(
        [tied("none")?, tied("one")?, tied("several")?],
        [false, true, false]
    );
    // Once more: found by its search fields, nothing is made twice.
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    assert_eq!(ran.world.all("deals").len(), 7);
    assert_eq!(ran.dead().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_association_needs_type_label_and_search_fields() -> Result<()> {
    let scene = portal().await?;
    for (n, missing) in (1..).zip([
        "toObjectType",
        "associationLabel",
        "searchFieldsToAssociateCustomObjects",
    ]) {
        let name = format!("without {missing}");
        let event = order(
            n,
            &json!({"find": {"dealname": name}, "set": {"dealname": name}, "to": {"email": "ada@example.com"}}),
        );
        let config = deals(scene.config(), &json!({"fields": {missing: null}}));
        let finished = scene.carry(&config, &[event]).await?;
        assert_eq!(finished.code, Some(0), "{missing}: {finished:?}");
        let world = crate::world::World::of(&scene.sim).await?;
        let deal = world.find("deals", "dealname", &name)?;
        assert!(
            !world.tied(world.find("contacts", "firstname", "ada")?, deal),
            "{missing}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn l6_a_malformed_label_does_not_start() -> Result<()> {
    let scene = portal().await?;
    for label in ["foo", "HUBSPOT_DEFINED", "HUBSPOT_DEFINED:x", "OTHER:3"] {
        let finished = scene
            .carry(
                &deals(
                    scene.config(),
                    &json!({"fields": {"associationLabel": label}}),
                ),
                &[],
            )
            .await?;
        assert_eq!(finished.code, Some(1), "{label}: {finished:?}");
        assert!(finished.stderr.contains("associationLabel"), "{finished:?}");
    }
    Ok(())
}

#[tokio::test]
async fn l7_k10_search_fields_without_a_value_are_ignored() -> Result<()> {
    let scene = portal().await?;
    let event = order(
        1,
        &json!({"find": {"dealname": "known", "amount": null}, "set": {"description": "found"}}),
    );
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &[event])
        .await?;
    assert_eq!(
        ran.world
            .find("deals", "description", "found")?
            .get("dealname"),
        Some("known")
    );
    Ok(())
}

#[tokio::test]
async fn l9_a_deal_is_associated_with_a_deal() -> Result<()> {
    let scene = portal().await?;
    let fields =
        json!({"fields": {"toObjectType": "deals", "associationLabel": "HUBSPOT_DEFINED:451"}});
    let event = order(
        1,
        &json!({"find": {"dealname": "half"}, "set": {"description": "with"}, "to": {"dealname": "known"}}),
    );
    let ran = scene
        .play(&deals(scene.config(), &fields), &[event])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert!(ran.world.tied(
        ran.world.find("deals", "dealname", "half")?,
        ran.world.find("deals", "dealname", "known")?
    ));
    Ok(())
}

#[tokio::test]
async fn l8_custom_objects_and_labels_of_ones_own() -> Result<()> {
    let scene = portal().await?;
    let pets = format!("p{HUB}_pets");
    let labels = "/crm/associations/2026-03/pets/contacts/labels";
    let made = scene
        .sim
        .call(labels, &json!({"name": "owner", "label": "Owner"}))
        .await?;
    let label = made["results"][0]["typeId"].as_u64().context("a number")?;
    let fields = json!({"fields": {"objectType": pets, "associationLabel": format!("USER_DEFINED:{label}")}});
    let event = order(
        1,
        &json!({"find": {"pet_name": "Rex"}, "set": {"pet_name": "Rex"}, "to": {"email": "ada@example.com"}}),
    );
    let ran = scene
        .play(&deals(scene.config(), &fields), &[event])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let types = ran.world.types(
        ran.world.find("contacts", "firstname", "ada")?,
        ran.world.find("pets", "pet_name", "Rex")?,
    );
    let back = made["results"][1]["typeId"].as_u64().unwrap_or(label);
    assert!(types.contains(&u32::try_from(back)?), "{types:?}");
    Ok(())
}

#[tokio::test]
async fn l11_a_wrong_property_name_costs_the_record_the_property_or_nothing() -> Result<()> {
    let scene = portal().await?;
    let event = |n: u32, policy: &str| {
        order(
            n,
            &json!({"find": {"dealname": policy}, "set": {"dealname": policy, "nowhere": "x"}}),
        )
    };
    for (n, (policy, dead, value)) in (1..).zip([
        ("dead_letter", 1, None),
        ("drop", 0, None),
        ("create", 0, Some("x")),
    ]) {
        let ran = scene
            .play(
                &deals(scene.config(), &json!({"unknown_property": policy})),
                &[event(n, policy)],
            )
            .await?;
        assert_eq!(ran.endings()[3], dead, "{policy}: {ran:?}");
        let deal = ran.world.find("deals", "dealname", policy);
        assert_eq!(deal.is_err(), dead == 1, "{policy}");
        assert_eq!(
            deal.ok().and_then(|deal| deal.get("nowhere")),
            value,
            "{policy}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn l12_search_values_with_special_characters_are_sent_as_they_are() -> Result<()> {
    let scene = portal().await?;
    let name = "a/b?c#d%e+f é";
    let event = |n: u32| {
        order(
            n,
            &json!({"find": {"dealname": name}, "set": {"dealname": name, "amount": n}}),
        )
    };
    for n in 1..=2 {
        let ran = scene
            .play(&deals(scene.config(), &json!({})), &[event(n)])
            .await?;
        assert_eq!(
            ran.world.find("deals", "dealname", name)?.get("amount"),
            Some(n.to_string().as_str())
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_search_by_a_property_that_does_not_exist_costs_its_part_alone() -> Result<()> {
    let scene = portal().await?;
    let events = [
        order(
            1,
            &json!({"find": {"nowhere": "x"}, "set": {"dealname": "lost"}}),
        ),
        order(
            2,
            &json!({"find": {"dealname": "kept"}, "set": {"dealname": "kept"}, "to": {"nowhere": "x"}}),
        ),
    ];
    let ran = scene
        .play(&deals(scene.config(), &json!({})), &events)
        .await?;
    let dead: Vec<(u64, &str)> = ran
        .dead()
        .into_iter()
        .map(|(line, _, code)| (line, code))
        .collect();
    assert_eq!(
        dead,
        [(0, "search_fields_invalid"), (1, "search_fields_invalid")],
        "{ran:?}"
    );
    assert_eq!(ran.dead()[1].1, "association", "{ran:?}");
    assert!(ran.message(0)?.contains("nowhere"), "{ran:?}");
    assert!(ran.world.find("deals", "dealname", "kept").is_ok());
    assert!(ran.world.find("deals", "dealname", "lost").is_err());
    Ok(())
}
