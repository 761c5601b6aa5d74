//! Custom Object v2: what the sync mode writes, properties, values, associations; one test for each known defect of the
//! reference, named after it.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::world::HUB;

/// A mapping of track events: `properties.id` is the id, `properties.set` what is written, `properties.tie` and
/// `properties.untie` the associations; `changes` are keys of the mapping that replace others.
pub(crate) fn mapping(object: &str, id: &str, mode: &str, changes: &Value) -> Value {
    let mut mapping = json!({
        "name": format!("{object}-{mode}"),
        "action": "upsertObject",
        "sync_mode": mode,
        "trigger": "type = \"track\"",
        "use_defaults": true,
        "fields": {
            "object_details": {"object_type": object, "id_field_name": id, "id_field_value": {"@path": "$.properties.id"}},
            "properties": {"@path": "$.properties.set"},
            "association_sync_mode": "upsert",
            "associations": {"@path": "$.properties.tie"},
            "dissociations": {"@path": "$.properties.untie"},
        },
    });
    merge(&mut mapping, changes);
    mapping
}

pub(crate) fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (key, value) in changes {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, changes) => *into = changes.clone(),
    }
}

/// An event about a record, at a second of its own.
pub(crate) fn set(id: &str, second: u32, properties: &Value) -> Value {
    event(id, second, &json!({"id": id, "set": properties}))
}

/// The same with associations.
pub(crate) fn tie(id: &str, second: u32, associations: &[Value]) -> Value {
    event(
        id,
        second,
        &json!({"id": id, "set": {}, "tie": associations}),
    )
}

fn event(id: &str, second: u32, properties: &Value) -> Value {
    json!({"type": "track", "event": "Set", "messageId": format!("{id}-{second}"), "userId": format!("user-of-{id}"),
        "timestamp": format!("2026-10-01T00:00:{second:02}Z"), "properties": properties})
}

pub(crate) fn target(object: &str, label: &str, name: &str, value: &str) -> Value {
    json!({"object_type": object, "association_label": label, "id_field_name": name, "id_field_value": value})
}

const PLAIN: &str = "HUBSPOT_DEFINED:279";

/// The sample portal with a company whose external id is X.
async fn with_company() -> Result<Scene> {
    let scene = Scene::sample().await?;
    let company = json!({"inputs": [{"properties": {"name": "X", "external_id": "X"}}]});
    scene
        .sim
        .set_up(&json!([{"path": "/crm/objects/2026-03/companies/batch/create", "body": company}]))
        .await?;
    Ok(scene)
}

fn company(id: &str) -> Value {
    target("company", PLAIN, "external_id", id)
}

fn contacts(scene: &Scene, mode: &str, changes: &Value) -> Config {
    scene
        .config()
        .mapping(mapping("contact", "email", mode, changes))
}

fn deals(scene: &Scene, mode: &str, changes: &Value) -> Config {
    scene
        .config()
        .mapping(mapping("deals", "external_id", mode, changes))
}

#[tokio::test]
async fn the_sync_mode_says_what_becomes_of_records_that_are_there_and_that_are_not() -> Result<()>
{
    let scene = Scene::sample().await?;
    let named = |name: &str| json!({"dealname": name});
    let old: Vec<Value> = ["u", "a", "p"]
        .iter()
        .map(|id| set(id, 0, &named("old")))
        .collect();
    let ran = scene
        .play(&deals(&scene, "upsert", &json!({})), &old)
        .await?;
    assert_eq!(ran.endings(), [3, 0, 0, 0], "{ran:?}");

    for (mode, there, missing, endings, reason) in [
        ("upsert", "u", "u2", [2, 0, 0, 0], None),
        ("add", "a", "a2", [1, 0, 1, 0], Some("exists")),
        ("update", "p", "p2", [1, 0, 1, 0], Some("not_found")),
    ] {
        let events = [set(there, 1, &named(mode)), set(missing, 1, &named(mode))];
        let ran = scene
            .play(&deals(&scene, mode, &json!({})), &events)
            .await?;
        assert_eq!(ran.endings(), endings, "{mode}: {ran:?}");
        if let Some(reason) = reason {
            assert_eq!(ran.skipped(reason), 1, "{mode}: {ran:?}");
        }
    }
    let world = crate::world::World::of(&scene.sim).await?;
    let name = |id: &str| {
        let found = world.find("deals", "external_id", id).ok();
        found.and_then(|deal| deal.get("dealname"))
    };
    assert_eq!(
        ["u", "u2", "a", "a2", "p", "p2"].map(name),
        [
            Some("upsert"),
            Some("upsert"),
            Some("old"),
            Some("add"),
            Some("update"),
            None
        ]
    );
    Ok(())
}

#[tokio::test]
async fn an_upsert_that_is_repeated_changes_nothing() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = deals(&scene, "upsert", &json!({}));
    let events = [set("d", 1, &json!({"dealname": "One", "amount": 5}))];
    let first = scene.play(&config, &events).await?;
    let second = scene.play(&config, &events).await?;
    for ran in [&first, &second] {
        let deal = ran.world.find("deals", "external_id", "d")?;
        assert_eq!(
            (deal.get("dealname"), deal.get("amount")),
            (Some("One"), Some("5"))
        );
    }
    assert_eq!(second.world.all("deals").len(), 1);
    Ok(())
}

#[tokio::test]
async fn every_kind_of_object_takes_records() -> Result<()> {
    let scene = Scene::sample().await?;
    let unique = json!({"name": "external_id", "label": "External id", "type": "string", "fieldType": "text", "groupName": "productinformation", "hasUniqueValue": true});
    scene.sim.define("products", unique).await?;
    for (object, id, plural, name) in [
        ("deals", "external_id", "deals", "dealname"),
        ("0-3", "external_id", "deals", "dealname"),
        ("ticket", "external_id", "tickets", "subject"),
        ("product", "external_id", "products", "name"),
        (&*format!("p{HUB}_pets"), "pet_id", "pets", "pet_name"),
        ("p_pets", "pet_id", "pets", "pet_name"),
    ] {
        let config = scene
            .config()
            .mapping(mapping(object, id, "upsert", &json!({})));
        let value = object.replace('-', "x");
        let ran = scene
            .play(&config, &[set(&value, 1, &json!({name: object}))])
            .await?;
        assert_eq!(ran.endings(), [1, 0, 0, 0], "{object}: {ran:?}");
        let record = ran.world.find(plural, id, &value)?;
        assert_eq!(record.get(name), Some(object));
    }
    Ok(())
}

#[tokio::test]
async fn o1_properties_of_every_kind_that_exist_are_used_as_they_are() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = scene
        .config()
        .mapping(mapping("p_pets", "pet_id", "upsert", &json!({})));
    let events = [
        set(
            "a",
            1,
            &json!({"pet_name": "A", "species": "Dog", "likes": ["Walks", "naps"], "vaccinated": "yes", "weight": "4.5"}),
        ),
        set(
            "b",
            1,
            &json!({"pet_name": "B", "species": "cat", "likes": "walks;Naps", "vaccinated": false}),
        ),
        set("c", 1, &json!({"pet_name": "C", "species": "bird"})),
    ];
    let ran = scene.play(&config, &events).await?;
    let world = &ran.world;
    let seen = |id: &str| {
        let pet = world.find("pets", "pet_id", id)?;
        anyhow::Ok(
            ["species", "likes", "vaccinated", "weight"]
                .map(|name| pet.get(name).unwrap_or_default()),
        )
    };
    assert_eq!(seen("a")?, ["dog", "walks;naps", "true", "4.5"]);
    assert_eq!(seen("b")?, ["cat", "walks;naps", "false", ""]);
    assert_eq!(ran.dead(), [(2, "record", "property_option")], "{ran:?}");
    assert!(ran.message(2)?.contains("species"), "{ran:?}");

    let config = contacts(&scene, "upsert", &json!({}));
    let values =
        json!({"phone": "+49 30 1234", "lifecyclestage": "Lead", "hs_lead_status": "open deal"});
    let ran = scene
        .play(&config, &[set("p@example.com", 1, &values)])
        .await?;
    let contact = ran.world.find("contacts", "email", "p@example.com")?;
    assert_eq!(
        ["phone", "lifecyclestage", "hs_lead_status"]
            .map(|name| contact.get(name).unwrap_or_default()),
        ["+49 30 1234", "lead", "OPEN_DEAL"]
    );
    assert_eq!(
        scene
            .calls("properties/2026-03/contacts/batch/create")
            .await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn o2_two_records_with_one_target_are_both_associated() -> Result<()> {
    let scene = with_company().await?;
    let config = contacts(&scene, "upsert", &json!({}));
    let events = ["a@example.com", "b@example.com"].map(|id| tie(id, 1, &[company("X")]));
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [2, 0, 0, 0], "{ran:?}");
    let company = ran.world.find("companies", "external_id", "X")?;
    for email in ["a@example.com", "b@example.com"] {
        let contact = ran.world.find("contacts", "email", email)?;
        assert!(ran.world.tied(contact, company), "{email}");
    }
    Ok(())
}

/// The number of a label between contacts and companies of the sample portal, seen from the contact.
async fn label(scene: &Scene, name: &str) -> Result<u32> {
    let labels = json!({"name": name.to_lowercase().replace(' ', "_"), "label": name});
    let path = "/crm/associations/2026-03/contacts/companies/labels";
    let answer = scene.sim.call(path, &labels).await?;
    let number = answer["results"][0]["typeId"].as_u64();
    Ok(u32::try_from(number.context("a number")?)?)
}

#[tokio::test]
async fn o3_o4_two_labels_of_one_pair_stand_together_and_nothing_is_asked_twice() -> Result<()> {
    let scene = with_company().await?;
    let labels = [label(&scene, "Payer").await?, label(&scene, "User").await?];
    let with = |label: u32| {
        target(
            "company",
            &format!("USER_DEFINED:{label}"),
            "external_id",
            "X",
        )
    };
    let config = contacts(&scene, "upsert", &json!({}));
    // More than one call's worth of people, and one wish thrice.
    let people: Vec<String> = (0..150).map(|n| format!("p{n}@example.com")).collect();
    let events: Vec<Value> = people
        .iter()
        .map(|id| tie(id, 1, &[with(labels[0]), with(labels[1]), with(labels[0])]))
        .collect();
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [150, 0, 0, 0], "{:?}", ran.report);
    let company = ran.world.find("companies", "external_id", "X")?;
    for email in &people {
        let types = ran
            .world
            .types(ran.world.find("contacts", "email", email)?, company);
        let wanted = labels.map(|label| types.contains(&label));
        assert_eq!(wanted, [true, true], "{email}: {types:?}");
    }
    let calls = scene.sim.calls().await?;
    let inputs = |part: &str| -> usize {
        calls
            .iter()
            .filter(|call| call.path.contains(part))
            .map(|call| call.inputs)
            .sum()
    };
    assert_eq!(
        inputs("companies/batch/upsert")
            + inputs("company/batch/upsert")
            + inputs("0-2/batch/upsert"),
        1,
        "{calls:?}"
    );
    let pairs: usize = calls
        .iter()
        .filter(|call| call.path.contains("/associations/") && call.path.ends_with("/batch/create"))
        .map(|call| call.inputs)
        .sum();
    assert_eq!(pairs, 150, "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn one_label_is_taken_away_and_the_other_stays() -> Result<()> {
    let scene = with_company().await?;
    let labels = [label(&scene, "Payer").await?, label(&scene, "User").await?];
    let with = |label: u32| {
        target(
            "company",
            &format!("USER_DEFINED:{label}"),
            "external_id",
            "X",
        )
    };
    let config = contacts(&scene, "upsert", &json!({}));
    let id = "a@example.com";
    scene
        .play(&config, &[tie(id, 1, &[with(labels[0]), with(labels[1])])])
        .await?;
    let away = event(
        id,
        2,
        &json!({"id": id, "set": {}, "untie": [with(labels[1])]}),
    );
    let ran = scene.play(&config, &[away]).await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let types = ran.world.types(
        ran.world.find("contacts", "email", id)?,
        ran.world.find("companies", "external_id", "X")?,
    );
    let there = labels.map(|label| types.contains(&label));
    assert_eq!(there, [true, false], "{types:?}");
    Ok(())
}

#[tokio::test]
async fn o6_a_property_name_that_hubspot_cannot_have_costs_its_record_alone() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = deals(&scene, "upsert", &json!({"unknown_property": "create"}));
    let mut events: Vec<Value> = (0..100)
        .map(|n| set(&format!("d{n}"), 1, &json!({"dealname": "x"})))
        .collect();
    events[41] = set("d41", 1, &json!({"2fa": "on"}));
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [99, 0, 0, 1], "{:?}", ran.report);
    assert_eq!(ran.dead(), [(41, "mapping", "property_name_invalid")]);
    assert!(ran.message(41)?.contains("2fa"), "{ran:?}");
    assert_eq!(ran.world.all("deals").len(), 99);
    Ok(())
}

#[tokio::test]
async fn o7_what_hubspot_refuses_in_a_mixed_answer_is_dead_alone() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = deals(&scene, "upsert", &json!({}));
    let long = "x".repeat(70_000);
    let mut events: Vec<Value> = (0..100)
        .map(|n| set(&format!("d{n}"), 1, &json!({"dealname": "x"})))
        .collect();
    events[7] = set("d7", 1, &json!({"dealname": long}));
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [99, 0, 0, 1], "{:?}", ran.report);
    assert_eq!(ran.dead(), [(7, "record", "property_type")]);
    assert!(ran.message(7)?.contains("dealname"), "{:?}", ran.message(7));
    assert_eq!(ran.world.all("deals").len(), 99);
    Ok(())
}

#[tokio::test]
async fn o8_ids_that_differ_in_case_and_blanks_are_one_record() -> Result<()> {
    let scene = with_company().await?;
    let config = contacts(&scene, "upsert", &json!({}));
    let events = [
        event(
            "1",
            1,
            &json!({"id": "A@Example.com", "set": {"firstname": "one"}, "tie": [company("X")]}),
        ),
        event(
            "2",
            2,
            &json!({"id": " a@example.COM ", "set": {"lastname": "two"}, "tie": [company(" X ")]}),
        ),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    assert_eq!(scene.calls("contacts/batch/upsert").await?, 1);
    assert_eq!(ran.world.all("contacts").len(), 1);
    let contact = ran.world.find("contacts", "email", "a@example.com")?;
    assert_eq!(
        (contact.get("firstname"), contact.get("lastname")),
        (Some("one"), Some("two"))
    );
    assert!(
        ran.world
            .tied(contact, ran.world.find("companies", "external_id", "X")?)
    );
    assert_eq!(ran.world.all("companies").len(), 1);
    Ok(())
}

#[tokio::test]
async fn o9_o10_an_update_by_email_goes_by_the_record_and_keeps_its_associations() -> Result<()> {
    let scene = with_company().await?;
    let id = "a@example.com";
    scene
        .play(
            &contacts(&scene, "upsert", &json!({})),
            &[set(id, 1, &json!({"firstname": "old"}))],
        )
        .await?;
    let change = event(
        id,
        2,
        &json!({"id": "A@example.com", "set": {"firstname": "new"}, "tie": [company("X")]}),
    );
    let ran = scene
        .play(&contacts(&scene, "update", &json!({})), &[change])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let contact = ran.world.find("contacts", "email", id)?;
    assert_eq!(contact.get("firstname"), Some("new"));
    assert!(
        ran.world
            .tied(contact, ran.world.find("companies", "external_id", "X")?)
    );
    Ok(())
}

#[tokio::test]
async fn o11_a_record_id_updates_and_is_refused_at_load_where_records_are_created() -> Result<()> {
    let scene = Scene::sample().await?;
    let ran = scene
        .play(
            &deals(&scene, "upsert", &json!({})),
            &[set("d", 1, &json!({"dealname": "old"}))],
        )
        .await?;
    let deal = ran.world.find("deals", "external_id", "d")?.id.clone();
    let by_id = |mode: &str| {
        scene
            .config()
            .mapping(mapping("deals", "hs_object_id", mode, &json!({})))
    };
    let ran = scene
        .play(
            &by_id("update"),
            &[set(&deal, 2, &json!({"dealname": "new"}))],
        )
        .await?;
    assert_eq!(ran.world.values("deals", "dealname"), ["new"]);
    for mode in ["add", "upsert"] {
        let finished = scene.carry(&by_id(mode), &[]).await?;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("id_field_name"), "{finished:?}");
    }
    Ok(())
}

#[tokio::test]
async fn o12_a_blank_id_is_a_dead_letter_that_says_so() -> Result<()> {
    let scene = Scene::sample().await?;
    for mode in ["upsert", "update", "add"] {
        let events = [event(
            "1",
            1,
            &json!({"id": "  ", "set": {"dealname": "x"}}),
        )];
        let ran = scene
            .play(&deals(&scene, mode, &json!({})), &events)
            .await?;
        assert_eq!(
            ran.dead(),
            [(0, "mapping", "id_missing")],
            "{mode}: {ran:?}"
        );
        assert!(ran.message(0)?.contains("id_field_value"), "{ran:?}");
    }
    Ok(())
}

#[tokio::test]
async fn o13_a_mapping_without_a_sync_mode_does_not_start() -> Result<()> {
    let scene = Scene::sample().await?;
    for action in ["upsertObject", "customEvent"] {
        let mut wanted = mapping("deals", "external_id", "upsert", &json!({"action": action}));
        wanted
            .as_object_mut()
            .context("a mapping")?
            .remove("sync_mode");
        let finished = scene.carry(&scene.config().mapping(wanted), &[]).await?;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("sync_mode"), "{finished:?}");
    }
    assert_eq!(scene.calls("/properties/").await?, 0);
    Ok(())
}

#[tokio::test]
async fn o14_o22_duplicates_are_added_once_and_no_call_is_empty() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = deals(&scene, "add", &json!({}));
    let events = [
        set("d", 1, &json!({"dealname": "first"})),
        set("d", 2, &json!({"dealname": "second"})),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.world.all("deals").len(), 1, "{ran:?}");
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.skipped("exists"), 2, "{ran:?}");
    let calls = scene.sim.calls().await?;
    let empty: Vec<_> = calls
        .iter()
        .filter(|call| call.path.contains("/batch/") && call.inputs == 0)
        .collect();
    assert!(empty.is_empty(), "{empty:?}");
    Ok(())
}

#[tokio::test]
async fn o15_o29_every_record_goes_to_its_own_type_by_its_own_id() -> Result<()> {
    let scene = Scene::sample().await?;
    let details = json!({"object_type": {"@path": "$.properties.type"}, "id_field_name": {"@path": "$.properties.by"}});
    let config = scene.config().mapping(mapping(
        "deals",
        "external_id",
        "upsert",
        &json!({"fields": {"object_details": details}}),
    ));
    let of = |n: u32, kind: &str, by: &str, id: &str, name: &str| {
        event(
            &n.to_string(),
            n,
            &json!({"type": kind, "by": by, "id": id, "set": {name: id}}),
        )
    };
    let events = [
        of(1, "deals", "external_id", "a_b", "dealname"),
        of(2, "tickets", "external_id", "a", "subject"),
        of(3, "p_pets", "pet_id", "a_b", "pet_name"),
        of(4, "deals", "external_id", "a", "dealname"),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [4, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.values("deals", "dealname"), ["a", "a_b"]);
    assert_eq!(ran.world.values("tickets", "subject"), ["a"]);
    assert_eq!(ran.world.values("pets", "pet_name"), ["a_b"]);
    Ok(())
}

#[tokio::test]
async fn o16_values_become_what_the_property_takes() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = scene
        .config()
        .mapping(mapping("p_pets", "pet_id", "upsert", &json!({})));
    let events = [
        set(
            "a",
            1,
            &json!({"pet_name": true, "weight": "5", "born": "2024-01-01"}),
        ),
        set(
            "b",
            1,
            &json!({"pet_name": "2024-01-01", "weight": 5, "vaccinated": 1}),
        ),
        set("c", 1, &json!({"pet_name": 5})),
        set("d", 1, &json!({"pet_name": "D", "weight": "heavy"})),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(
        ran.world.values("pets", "pet_name"),
        ["2024-01-01", "5", "true"],
        "{ran:?}"
    );
    assert_eq!(ran.world.values("pets", "weight"), ["5", "5"]);
    assert_eq!(ran.dead(), [(3, "record", "property_type")]);
    assert!(ran.message(3)?.contains("weight"), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn o17_missing_properties_are_created_of_all_values_seen_in_the_group_named() -> Result<()> {
    let scene = Scene::sample().await?;
    let changes = json!({"unknown_property": "create", "fields": {"object_details": {"property_group": "deal_activity"}}});
    let config = deals(&scene, "upsert", &changes);
    let events = [
        set(
            "a",
            1,
            &json!({"Score": 5, "Code": 7, "seen": "2024-01-08T13:52:50Z", "since": "2024-01-08", "vip": true}),
        ),
        set("b", 1, &json!({"score": 6, "code": "x7"})),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [2, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.values("deals", "score"), ["5", "6"]);
    assert_eq!(ran.world.values("deals", "code"), ["7", "x7"]);
    let made: Value = property(&scene, "deals", "code").await?;
    assert_eq!(
        (&made["type"], &made["groupName"]),
        (&json!("string"), &json!("deal_activity")),
        "{made}"
    );
    for (name, kind) in [("score", "number"), ("seen", "datetime"), ("since", "date")] {
        assert_eq!(
            property(&scene, "deals", name).await?["type"],
            kind,
            "{name}"
        );
    }
    assert_eq!(
        property(&scene, "deals", "vip").await?["fieldType"],
        "booleancheckbox"
    );
    assert_eq!(
        scene.calls("properties/2026-03/deals/batch/create").await?
            + scene.calls("properties/2026-03/0-3/batch/create").await?,
        1
    );
    Ok(())
}

/// A property as the portal describes it.
async fn property(scene: &Scene, object: &str, name: &str) -> Result<Value> {
    let answer = scene
        .sim
        .call(
            &format!("/crm/properties/2026-03/{object}/batch/read"),
            &json!({"archived": false, "inputs": [{"name": name}]}),
        )
        .await?;
    Ok(answer["results"][0].clone())
}

#[tokio::test]
async fn o18_a_property_that_another_worker_made_meanwhile_is_no_error() -> Result<()> {
    let scene = Scene::sample().await?;
    let taken = json!({"status": "error", "category": "CONFLICT", "message": "Property already exists", "correlationId": "c"});
    scene
        .sim
        .faults(&json!([{"match": {"method": "POST", "path_contains": "/properties/2026-03/", "nth": 1}, "then": {"raw": {"status": 409, "body": taken.to_string()}}, "times": 1}]))
        .await?;
    let config = deals(
        &scene,
        "upsert",
        &json!({"unknown_property": "create", "fields": {"object_details": {"property_group": "dealinformation"}}}),
    );
    let ran = scene
        .play(&config, &[set("a", 1, &json!({"score": 5}))])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.values("deals", "score"), ["5"]);
    Ok(())
}

#[tokio::test]
async fn an_unknown_property_is_dropped_created_or_a_dead_letter_as_the_mapping_says() -> Result<()>
{
    let scene = Scene::sample().await?;
    for (policy, endings) in [("drop", [1, 0, 0, 0]), ("dead_letter", [0, 0, 0, 1])] {
        let config = deals(&scene, "upsert", &json!({"unknown_property": policy}));
        let ran = scene
            .play(
                &config,
                &[set(policy, 1, &json!({"dealname": "x", "nowhere": 1}))],
            )
            .await?;
        assert_eq!(ran.endings(), endings, "{policy}: {ran:?}");
    }
    let config = deals(&scene, "upsert", &json!({"unknown_property": "create"}));
    let ran = scene
        .play(
            &config,
            &[set("create", 1, &json!({"dealname": "x", "nowhere": 1}))],
        )
        .await?;
    // Without a group it stands in the one that every deal has.
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(
        property(&scene, "deals", "nowhere").await?["groupName"],
        "dealinformation"
    );
    assert_eq!(ran.world.values("deals", "external_id"), ["create", "drop"]);
    Ok(())
}

#[tokio::test]
async fn o24_more_records_than_a_call_takes_go_in_several() -> Result<()> {
    let scene = Scene::sample().await?;
    let events: Vec<Value> = (0..250)
        .map(|n| set(&format!("d{n}"), 1, &json!({"dealname": "x"})))
        .collect();
    let config = deals(&scene, "upsert", &json!({"fields": {"batch_size": 1000}}));
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [250, 0, 0, 0], "{:?}", ran.report);
    let calls = scene.sim.calls().await?;
    let writes: Vec<usize> = calls
        .iter()
        .filter(|call| call.path.contains("batch/upsert"))
        .map(|call| call.inputs)
        .collect();
    assert_eq!(
        (
            writes.iter().sum::<usize>(),
            writes.iter().max(),
            writes.len()
        ),
        (250, Some(&100), 3)
    );
    Ok(())
}

#[tokio::test]
async fn o25_o26_the_payloads_time_decides_and_an_unusable_one_wins_nothing() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = deals(
        &scene,
        "upsert",
        &json!({"fields": {"timestamp": {"@path": "$.properties.at"}}}),
    );
    let at = |id: &str, n: u32, at: &str, name: &str| {
        event(
            &format!("{id}{n}"),
            1,
            &json!({"id": id, "at": at, "set": {"dealname": name}}),
        )
    };
    let events = [
        at("epoch", 1, "1704722401", "newer"),
        at("epoch", 2, "1704722400", "older"),
        at("iso", 1, "2024-02-01T00:00:00Z", "newer"),
        at("iso", 2, "2024-01-01T00:00:00Z", "older"),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(
        ran.world.values("deals", "dealname"),
        ["newer", "newer"],
        "{ran:?}"
    );
    Ok(())
}

#[tokio::test]
async fn o27_of_colliding_names_the_later_wins_and_sensitive_wins_over_normal() -> Result<()> {
    let scene = Scene::sample().await?;
    let changes = json!({"fields": {"sensitive_properties": {"@path": "$.properties.secret"}}});
    let config = contacts(&scene, "upsert", &changes);
    let events = [
        set(
            "a@example.com",
            1,
            &json!({"First Name": "x", "jobtitle": "one", "JobTitle": "two"}),
        ),
        event(
            "b",
            1,
            &json!({"id": "b@example.com", "set": {"national_id": "plain"}, "secret": {"national_id": "sensitive"}}),
        ),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings(), [2, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.values("contacts", "jobtitle"), ["two"]);
    assert_eq!(ran.world.values("contacts", "national_id"), ["sensitive"]);
    Ok(())
}

#[tokio::test]
async fn o28_a_null_clears_only_when_the_mapping_says_so() -> Result<()> {
    let scene = Scene::sample().await?;
    let cleared = |nulls: &str| deals(&scene, "upsert", &json!({"nulls": nulls}));
    let events = |second: u32| {
        [set(
            "d",
            second,
            &json!({"dealname": null, "amount": second}),
        )]
    };
    scene
        .play(&cleared("skip"), &[set("d", 1, &json!({"dealname": "x"}))])
        .await?;
    let ran = scene.play(&cleared("skip"), &events(2)).await?;
    assert_eq!(ran.world.values("deals", "dealname"), ["x"]);
    let ran = scene.play(&cleared("clear"), &events(3)).await?;
    let deal = ran.world.find("deals", "external_id", "d")?;
    assert_eq!(deal.get("dealname").unwrap_or_default(), "", "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn o30_k12_an_association_that_fails_for_a_while_repeats_no_record() -> Result<()> {
    let scene = with_company().await?;
    scene
        .sim
        .faults(&json!([{"match": {"path_contains": "/associations/", "method": "POST"}, "then": {"answer": "internal_error"}, "times": 2}]))
        .await?;
    let ran = scene
        .play(
            &contacts(&scene, "upsert", &json!({})),
            &[tie("a@example.com", 1, &[company("X")])],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let contact = ran.world.find("contacts", "email", "a@example.com")?;
    assert!(
        ran.world
            .tied(contact, ran.world.find("companies", "external_id", "X")?)
    );
    for history in scene.sim.history("contacts").await? {
        assert_eq!(history.writes.len(), 1, "{history:?}");
    }
    Ok(())
}

#[tokio::test]
async fn o31_names_get_a_prefix_when_the_mapping_says_so() -> Result<()> {
    let scene = Scene::sample().await?;
    let changes = json!({"unknown_property": "create", "property_name_fix": "prefix", "fields": {"object_details": {"property_group": "dealinformation"}}});
    let ran = scene
        .play(
            &deals(&scene, "upsert", &changes),
            &[set("d", 1, &json!({"2fa": "on"}))],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    let made = ran.world.properties.get("deals").context("properties")?;
    let made: Vec<&String> = made.iter().filter(|name| name.ends_with("2fa")).collect();
    assert_eq!(made.len(), 1, "{ran:?}");
    assert_eq!(ran.world.values("deals", made[0]), ["on"]);
    Ok(())
}

#[tokio::test]
async fn o32_what_is_tied_and_untied_at_once_ends_untied_and_the_newer_wish_wins() -> Result<()> {
    let scene = with_company().await?;
    let config = contacts(&scene, "upsert", &json!({}));
    let both = |id: &str, second, tie: &[Value], untie: &[Value]| {
        event(
            id,
            second,
            &json!({"id": id, "set": {}, "tie": tie, "untie": untie}),
        )
    };
    let x = [company("X")];
    let events = [
        both("same@example.com", 1, &x, &x),
        both("tied@example.com", 2, &x, &[]),
        both("tied@example.com", 1, &[], &x),
        both("untied@example.com", 1, &x, &[]),
        both("untied@example.com", 2, &[], &x),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    let company = ran.world.find("companies", "external_id", "X")?;
    let tied = |email: &str| {
        anyhow::Ok(
            ran.world
                .tied(ran.world.find("contacts", "email", email)?, company),
        )
    };
    assert_eq!(
        [
            tied("same@example.com")?,
            tied("tied@example.com")?,
            tied("untied@example.com")?
        ],
        [false, true, false]
    );
    Ok(())
}

#[tokio::test]
async fn o33_a_day_that_no_calendar_has_costs_its_record_alone() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = scene
        .config()
        .mapping(mapping("p_pets", "pet_id", "upsert", &json!({})));
    let events = [
        set("a", 1, &json!({"pet_name": "A", "born": "2024-02-31"})),
        set("b", 1, &json!({"pet_name": "B", "born": "2024-02-28"})),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.dead(), [(0, "record", "property_type")], "{ran:?}");
    assert!(ran.message(0)?.contains("born"), "{ran:?}");
    assert_eq!(ran.world.values("pets", "pet_name"), ["B"]);
    Ok(())
}

#[tokio::test]
async fn o35_sensitive_values_are_created_as_such_written_and_shown_nowhere() -> Result<()> {
    let scene = Scene::sample().await?;
    let changes = json!({"unknown_property": "create", "fields": {
        "object_details": {"property_group": "contactinformation"},
        "sensitive_properties": {"@path": "$.properties.secret"}}});
    let config = contacts(&scene, "upsert", &changes);
    let secret = "hush-hush-4711";
    let of = |id: &str, set: &Value| {
        event(
            id,
            1,
            &json!({"id": id, "set": set, "secret": {"iban": secret}}),
        )
    };
    let events = [
        of("a@example.com", &json!({})),
        of("b@example.com", &json!({"hs_lead_status": "NOPE"})),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.dead(), [(1, "record", "property_option")], "{ran:?}");
    assert_eq!(ran.world.values("contacts", "iban"), [secret], "{ran:?}");
    ensure!(!ran.said.contains(secret), "{}", ran.said);
    ensure!(!ran.message(1)?.contains(secret), "{ran:?}");
    ensure!(!ran.report.to_string().contains(secret), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn o36_targets_that_cannot_be_created_cost_the_association_and_not_the_record() -> Result<()>
{
    let scene = with_company().await?;
    let pets = "/crm/associations/2026-03/contacts/p_pets/labels";
    let answer = scene
        .sim
        .call(pets, &json!({"name": "owner", "label": "Owner"}))
        .await?;
    let label = format!("USER_DEFINED:{}", answer["results"][0]["typeId"]);
    // Pets need a name, which an association does not give.
    let bad = target("p_pets", &label, "pet_id", "rex");
    let events = [
        tie("a@example.com", 1, &[bad]),
        tie("b@example.com", 1, &[company("X")]),
    ];
    let ran = scene
        .play(&contacts(&scene, "upsert", &json!({})), &events)
        .await?;
    assert_eq!(
        ran.world.values("contacts", "email"),
        ["a@example.com", "b@example.com"]
    );
    assert_eq!(
        ran.dead(),
        [(0, "association", "hubspot_rejected")],
        "{ran:?}"
    );
    Ok(())
}

#[tokio::test]
async fn targets_are_only_looked_up_in_mode_read() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = contacts(
        &scene,
        "upsert",
        &json!({"fields": {"association_sync_mode": "read"}}),
    );
    let ran = scene
        .play(&config, &[tie("a@example.com", 1, &[company("nobody")])])
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.all("companies").len(), 0);
    Ok(())
}

#[tokio::test]
async fn add_may_still_associate_what_is_there() -> Result<()> {
    let scene = with_company().await?;
    let id = "a@example.com";
    let events = [tie(id, 1, &[company("X")])];
    scene
        .play(
            &contacts(&scene, "upsert", &json!({})),
            &[set(id, 0, &json!({"firstname": "A"}))],
        )
        .await?;
    for (option, tied) in [(false, false), (true, true)] {
        let ran = scene
            .play(
                &contacts(&scene, "add", &json!({"associate_existing": option})),
                &events,
            )
            .await?;
        let contact = ran.world.find("contacts", "email", id)?;
        let company = ran.world.find("companies", "external_id", "X");
        assert_eq!(
            company.is_ok_and(|company| ran.world.tied(contact, company)),
            tied,
            "{option}: {ran:?}"
        );
    }
    Ok(())
}
