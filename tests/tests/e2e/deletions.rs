//! Delete events (events.md §8): the contact of a user goes, in its turn, where the destination says so.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Worker};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream, only, values};

fn contacts(scene: &Scene, deletion: &Value) -> Config {
    let mapping = json!({"name": "contacts", "action": "upsertContact", "trigger": "type = \"identify\"", "use_defaults": true});
    let config = scene.config().mapping(mapping);
    if deletion.is_null() {
        return config;
    }
    config.set("/destinations/0/deletion", deletion.clone())
}

fn identify(user: &str, name: &str) -> Value {
    json!({"type": "identify", "userId": user, "traits": {"email": format!("{user}@example.com"), "firstName": name}})
}

fn delete(user: &str) -> Value {
    json!({"type": "delete", "userId": user})
}

/// Whether the portal still has a contact that is archived, to be restored.
async fn is_archived(scene: &Scene, id: &str) -> Result<bool> {
    let asked = json!({"inputs": [{"id": id}], "properties": ["email"]});
    let path = "/crm/objects/2026-03/contacts/batch/read?archived=true";
    let answer = scene.sim.call(path, &asked).await?;
    let found = answer["results"].as_array().context("no results")?;
    Ok(found.iter().any(|one| one["archived"] == true))
}

#[tokio::test]
async fn s8_a_contact_is_archived_in_the_order_of_its_topic_and_comes_back_as_another() -> Result<()>
{
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "archive", 1).await?;
    let events = [
        identify("ada", "Ada"),
        identify("bob", "Bob"),
        delete("ada"),
        delete("nobody"),
        // The same person, the same address: a contact of its own.
        identify("ada", "Augusta"),
    ];
    let config = contacts(&scene, &json!({"enabled": true}));
    let config = stream.config(config, scene.folder())?;
    stream.produce(&events).await?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    stream.until_committed(5).await?;
    let admin = worker.admin().await?;
    let (_, metrics) = admin.get("/metrics").await.map_err(anyhow::Error::msg)?;
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");

    let portal = scene.sim.portal().await?;
    assert_eq!(
        values(portal.contacts.values(), "firstname"),
        ["Augusta", "Bob"]
    );
    let history = scene.sim.history("contacts").await?;
    let first = history.iter().find(|record| {
        let written = record
            .writes
            .iter()
            .find_map(|write| write.properties.get("firstname"));
        written.is_some_and(|name| name == "Ada")
    });
    let first = first.context("nobody was called Ada")?;
    assert!(is_archived(&scene, &first.id).await?, "it can be restored");
    let calls = scene.sim.calls().await?;
    let archived: usize = calls
        .iter()
        .filter(|call| call.path.ends_with("/contacts/batch/archive"))
        .map(|call| call.inputs)
        .sum();
    assert_eq!(archived, 1);
    let skipped = metrics
        .lines()
        .find(|line| line.contains("acme/deletion") && line.contains("not_found"));
    assert!(
        skipped.is_some_and(|line| line.ends_with(" 1")),
        "{metrics}"
    );
    assert_eq!(stream.kafka.read_all(&stream.dead_letters).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn s8_gdpr_leaves_nothing_and_another_worker_knows_whom() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "gdpr", 1).await?;
    let config = contacts(&scene, &json!({"enabled": true, "mode": "gdpr"}));
    let config = stream.config(config, scene.folder())?;
    stream
        .produce(&[identify("ada", "Ada"), identify("bob", "Bob")])
        .await?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "first")?;
    stream.until_committed(2).await?;
    worker.stop(PATIENCE).await?;
    let before = scene.sim.portal().await?.contacts;
    let (gone, _) = before
        .iter()
        .find(|(_, contact)| contact["firstname"] == "Ada")
        .context("no contact")?;

    stream.produce(&[delete("ada")]).await?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "second")?;
    stream.until_committed(3).await?;
    worker.stop(PATIENCE).await?;
    let portal = scene.sim.portal().await?;
    assert_eq!(only(portal.contacts.values())?["firstname"], "Bob");
    assert!(!is_archived(&scene, gone).await?, "it cannot be restored");
    Ok(())
}

#[tokio::test]
async fn s8_off_by_default_nothing_is_deleted() -> Result<()> {
    for deletion in [Value::Null, json!({"enabled": false, "mode": "gdpr"})] {
        let scene = Scene::new().await?;
        let events = [identify("ada", "Ada"), delete("ada")];
        let report = scene.deliver(&contacts(&scene, &deletion), &events).await?;
        assert_eq!(
            report["skipped_by_reason"],
            json!({"not_subscribed": 1}),
            "{report}"
        );
        assert_eq!(scene.sim.portal().await?.contacts.len(), 1);
    }
    Ok(())
}
