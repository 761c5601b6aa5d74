//! What changes at HubSpot, or dies, while a worker runs.

use anyhow::{Result, ensure};
use hubferry_tests::{Config, Worker, eventually};
use serde_json::{Value, json};

use crate::objects::{mapping, set};
use crate::scene::{PATIENCE, Scene, Stream};
use crate::world::World;

const LISTS: &str = "/crm/lists/2026-03";

async fn no_dead_letter(stream: &Stream) -> Result<()> {
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    ensure!(letters.is_empty(), "{letters:?}");
    Ok(())
}

#[tokio::test]
async fn o19_a_property_that_is_archived_meanwhile_is_noticed_at_the_first_refusal() -> Result<()> {
    let scene = Scene::sample().await?;
    let score = json!({"name": "score", "label": "Score", "type": "number", "fieldType": "number", "groupName": "dealinformation"});
    scene.sim.define("deals", score).await?;
    let stream = Stream::new(&scene.services, "archived", 1).await?;
    let wanted = mapping(
        "deals",
        "external_id",
        "upsert",
        &json!({"unknown_property": "drop"}),
    );
    let config = stream.config(scene.config().mapping(wanted), scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    let deal = |id: &str| set(id, 1, &json!({"dealname": id, "score": 5}));
    stream.produce(&[deal("before")]).await?;
    stream.until_committed(1).await?;
    scene
        .sim
        .set_up(&json!([{"method": "DELETE", "path": "/crm/properties/2026-03/deals/score"}]))
        .await?;
    stream.produce(&[deal("after"), deal("later")]).await?;
    stream.until_committed(3).await?;
    no_dead_letter(&stream).await?;
    let world = World::of(&scene.sim).await?;
    assert_eq!(
        world.values("deals", "dealname"),
        ["after", "before", "later"]
    );
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_list_that_is_deleted_meanwhile_is_made_again() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "lists", 1).await?;
    let details = json!({"connected_to_engage_audience": false, "should_create_list": true, "list_name": "Fans", "list_action": true});
    let wanted = mapping(
        "contact",
        "email",
        "upsert",
        &json!({"fields": {"list_details": details}}),
    );
    let config = stream.config(scene.config().mapping(wanted), scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    stream
        .produce(&[set("a@example.com", 1, &json!({}))])
        .await?;
    stream.until_committed(1).await?;
    let lists: Value = scene.sim.look("lists").await?;
    let id = lists[0]["listId"].as_str().unwrap_or_default();
    scene
        .sim
        .set_up(&json!([{"method": "DELETE", "path": format!("{LISTS}/{id}")}]))
        .await?;
    stream
        .produce(&[set("b@example.com", 2, &json!({}))])
        .await?;
    stream.until_committed(2).await?;
    no_dead_letter(&stream).await?;
    let world = World::of(&scene.sim).await?;
    let member = world.find("contacts", "email", "b@example.com")?;
    assert_eq!(world.list("Fans")?.members, [member.id.as_str()]);
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

fn stages(config: Config) -> Config {
    config.mapping(json!({
        "name": "contacts",
        "action": "upsertContact",
        "trigger": "type = \"identify\"",
        "use_defaults": true,
        "fields": {"lifecyclestage": {"@path": "$.traits.stage"}},
    }))
}

fn at_stage(second: u32, stage: &str) -> Value {
    json!({"type": "identify", "messageId": format!("m{second}"), "userId": "u", "timestamp": format!("2026-10-01T00:00:{second:02}Z"),
        "traits": {"email": "a@example.com", "stage": stage}})
}

#[tokio::test]
async fn c16_a_worker_that_dies_between_clearing_and_setting_a_stage_leaves_it_to_the_next()
-> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "stages", 1).await?;
    scene
        .deliver(&stages(scene.config()), &[at_stage(1, "customer")])
        .await?;
    let config = stream.config(stages(scene.config()), scene.folder())?;
    let setting = json!([{"match": {"path_contains": "batch/update", "body_contains": "\"lead\""}, "then": {"answer": "internal_error"}}]);
    scene.sim.faults(&setting).await?;
    let first = Worker::start(&scene.hubferry(), &config, scene.folder(), "first")?;
    stream.produce(&[at_stage(2, "lead")]).await?;
    eventually("the stage is cleared", PATIENCE, || async {
        match World::of(&scene.sim).await {
            Ok(world) if world.values("contacts", "lifecyclestage").is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    first.kill().await?;
    scene.sim.faults(&json!([])).await?;

    let second = Worker::start(&scene.hubferry(), &config, scene.folder(), "second")?;
    stream.until_committed(1).await?;
    let world = World::of(&scene.sim).await?;
    assert_eq!(world.values("contacts", "lifecyclestage"), ["lead"]);
    no_dead_letter(&stream).await?;
    let (code, said) = second.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[tokio::test]
async fn one_event_goes_to_two_portals_each_with_its_mappings() -> Result<()> {
    let (one, other) = (Scene::new().await?, Scene::new().await?);
    let destination = |name: &str, scene: &Scene, field: &str| {
        json!({
            "name": name,
            "hubspot": {"base_url": scene.sim.base_url(), "auth": {"kind": "private_app", "token": "test-token"}},
            "mappings": [{"name": "contacts", "action": "upsertContact", "trigger": "type = \"identify\"", "use_defaults": true,
                "fields": {"properties": {field: {"@path": "$.traits.value"}}}}],
        })
    };
    let config = one.config().set(
        "/destinations",
        json!([
            destination("live", &one, "jobtitle"),
            destination("sandbox", &other, "city")
        ]),
    );
    let events: Vec<Value> = (0..10)
        .map(|n| json!({"type": "identify", "messageId": format!("m{n}"), "userId": format!("u{n}"), "traits": {"email": format!("p{n}@example.com"), "value": "x"}}))
        .collect();
    let ran = one.play(&config, &events).await?;
    assert_eq!(ran.endings(), [20, 0, 0, 0], "{ran:?}");
    for (scene, property) in [(&one, "jobtitle"), (&other, "city")] {
        let world = World::of(&scene.sim).await?;
        assert_eq!(world.values("contacts", property), ["x"; 10]);
    }
    Ok(())
}
