//! Lists and audiences: who enters is added, who leaves is taken off, and what cannot be written to says so.

use anyhow::{Result, ensure};
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::objects::mapping;
use crate::scene::Scene;

/// Audience events of contacts: the audience's key is the list's name.
fn audience(config: Config) -> Config {
    config.mapping(mapping(
        "contact",
        "email",
        "upsert",
        &json!({"name": "audience", "trigger": "context.personas.computation_class = \"audience\"",
            "fields": {"list_details": {"connected_to_engage_audience": true, "should_create_list": true}}}),
    ))
}

/// Plain lists: `properties.list` and `properties.join`.
fn plain(config: Config, creates: bool) -> Config {
    config.mapping(mapping(
        "contact",
        "email",
        "upsert",
        &json!({"name": "plain", "fields": {"list_details": {"connected_to_engage_audience": false,
            "should_create_list": creates, "list_name": {"@path": "$.properties.list"}, "list_action": {"@path": "$.properties.join"}}}}),
    ))
}

fn entered(email: &str, second: u32, key: &str, is_in: bool) -> Value {
    json!({"type": "track", "event": "Audience", "messageId": format!("{email}-{second}-{key}"), "userId": email,
        "timestamp": format!("2026-10-01T00:00:{second:02}Z"),
        "context": {"personas": {"computation_key": key, "computation_class": "audience"}},
        "properties": {"id": email, key: is_in}})
}

fn joins(email: &str, second: u32, list: &str, join: bool) -> Value {
    json!({"type": "track", "event": "Join", "messageId": format!("{email}-{second}-{list}"), "userId": email,
        "timestamp": format!("2026-10-01T00:00:{second:02}Z"), "properties": {"id": email, "list": list, "join": join}})
}

#[tokio::test]
async fn o5_an_audience_entry_and_then_an_exit_leaves_nobody_in_the_list() -> Result<()> {
    let scene = Scene::sample().await?;
    let events = [
        entered("out@example.com", 1, "spenders", true),
        entered("out@example.com", 2, "spenders", false),
        // In time the entry is the last, whatever order they come in.
        entered("in@example.com", 2, "spenders", true),
        entered("in@example.com", 1, "spenders", false),
    ];
    let ran = scene.play(&audience(scene.config()), &events).await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    let inside = ran.world.find("contacts", "email", "in@example.com")?;
    assert_eq!(ran.world.list("spenders")?.members, [inside.id.as_str()]);
    Ok(())
}

#[tokio::test]
async fn o34_a_list_is_made_once_for_its_object_type() -> Result<()> {
    let scene = Scene::sample().await?;
    let events: Vec<Value> = (0..150)
        .map(|n| entered(&format!("p{n}@example.com"), 1, "spenders", true))
        .collect();
    let ran = scene.play(&audience(scene.config()), &events).await?;
    assert_eq!(ran.endings(), [150, 0, 0, 0], "{:?}", ran.report);
    let list = ran.world.list("spenders")?;
    assert_eq!(
        (
            list.object.as_str(),
            list.processing_type.as_str(),
            list.members.len()
        ),
        ("contacts", "MANUAL", 150)
    );
    let calls = scene.sim.calls().await?;
    let made = calls
        .iter()
        .filter(|call| call.method == "POST" && call.path.ends_with("/crm/lists/2026-03"));
    assert_eq!(made.count(), 1, "{calls:?}");
    let changes = calls
        .iter()
        .filter(|call| call.path.contains("/memberships/"));
    assert!(changes.count() <= 3, "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn audiences_and_plain_lists_go_together() -> Result<()> {
    let scene = Scene::sample().await?;
    let config = plain(audience(scene.config()), true).set(
        "/destinations/0/mappings/1/trigger",
        json!("event = \"Join\""),
    );
    let events = [
        entered("a@example.com", 1, "spenders", true),
        joins("a@example.com", 2, "Newsletter", true),
        joins("b@example.com", 2, "Trial 2026", true),
        joins("c@example.com", 2, "New one", true),
    ];
    let ran = scene.play(&config, &events).await?;
    assert_eq!(ran.endings()[3], 0, "{ran:?}");
    let members = |list: &str| ran.world.list(list).map(|list| list.members.len());
    assert_eq!(
        [
            members("spenders")?,
            members("Newsletter")?,
            members("Trial 2026")?,
            members("New one")?
        ],
        [1, 1, 1, 1]
    );
    Ok(())
}

#[tokio::test]
async fn o20_trouble_with_a_list_is_not_its_absence() -> Result<()> {
    let scene = Scene::sample().await?;
    scene
        .sim
        .faults(&json!([{"match": {"path_contains": "/crm/lists/", "method": "GET"}, "then": {"answer": "internal_error"}, "times": 2}]))
        .await?;
    let ran = scene
        .play(
            &plain(scene.config(), true),
            &[joins("a@example.com", 1, "Newsletter", true)],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.list("Newsletter")?.members.len(), 1);
    let calls = scene.sim.calls().await?;
    assert!(
        !calls
            .iter()
            .any(|call| call.method == "POST" && call.path.ends_with("/crm/lists/2026-03")),
        "{calls:?}"
    );
    Ok(())
}

#[tokio::test]
async fn o21_a_list_of_filters_and_one_that_is_missing_cost_the_list_and_not_the_record()
-> Result<()> {
    let scene = Scene::sample().await?;
    let events = [
        joins("a@example.com", 1, "Active customers", true),
        joins("b@example.com", 1, "Nowhere", true),
        joins("c@example.com", 1, "Newsletter", true),
    ];
    let ran = scene.play(&plain(scene.config(), false), &events).await?;
    assert_eq!(
        ran.dead(),
        [
            (0, "list", "list_not_writable"),
            (1, "list", "list_missing")
        ],
        "{ran:?}"
    );
    assert!(ran.message(0)?.contains("Active customers"), "{ran:?}");
    assert!(ran.message(1)?.contains("Nowhere"), "{ran:?}");
    assert_eq!(ran.world.all("contacts").len(), 3);
    assert_eq!(ran.world.list("Newsletter")?.members.len(), 1);
    Ok(())
}

#[tokio::test]
async fn o22_who_leaves_a_list_of_nobody_makes_no_empty_request() -> Result<()> {
    let scene = Scene::sample().await?;
    let ran = scene
        .play(
            &plain(scene.config(), true),
            &[joins("a@example.com", 1, "Newsletter", false)],
        )
        .await?;
    assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
    assert_eq!(ran.world.list("Newsletter")?.members.len(), 0);
    let calls = scene.sim.calls().await?;
    ensure!(
        calls
            .iter()
            .filter(|call| call.path.contains("/memberships/"))
            .all(|call| call.status < 300),
        "{calls:?}"
    );
    Ok(())
}

#[tokio::test]
async fn o23_a_list_name_with_special_characters_is_one_list() -> Result<()> {
    let scene = Scene::sample().await?;
    let name = "a/b?c#d%e+f é";
    let config = plain(scene.config(), true);
    for n in 0..2 {
        let ran = scene
            .play(
                &config,
                &[joins(&format!("p{n}@example.com"), 1, name, true)],
            )
            .await?;
        assert_eq!(ran.endings(), [1, 0, 0, 0], "{ran:?}");
        assert_eq!(ran.world.list(name)?.members.len(), n + 1);
        assert_eq!(ran.world.lists.len(), 5);
    }
    Ok(())
}
