//! Group events whose person never becomes a contact: the company is written, the association is a dead letter in time.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Read, Worker, eventually};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream, only};

fn companies(config: Config, wait: &str) -> Config {
    config.mapping(json!({
        "name": "companies",
        "action": "upsertCompany",
        "trigger": "type = \"group\"",
        "use_defaults": true,
        "link_wait": wait,
    }))
}

fn group(person: &str, company: &str) -> Value {
    json!({"type": "group", "messageId": format!("m-{person}"), "userId": person, "groupId": company, "traits": {"name": company}})
}

async fn letters(stream: &Stream, count: usize) -> Result<Vec<Read>> {
    eventually("the dead letters are there", PATIENCE, || async {
        let seen = stream.kafka.read_all(&stream.dead_letters).await;
        match seen {
            Ok(letters) if letters.len() >= count => Ok(letters),
            Ok(letters) => Err(format!("{} letters", letters.len())),
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await
}

fn header<'a>(letter: &'a Read, name: &str) -> Result<&'a str> {
    let found = letter.headers.get(&format!("hubferry.{name}"));
    found
        .map(String::as_str)
        .with_context(|| format!("no header {name} in {:?}", letter.headers))
}

/// Waits until the fleet's memory has no link left.
async fn until_forgotten(stream: &Stream) -> Result<()> {
    eventually("no link is kept", PATIENCE, || async {
        let keys = stream
            .redis
            .keys()
            .await
            .map_err(|error| format!("{error:#}"))?;
        let links: Vec<String> = keys
            .into_iter()
            .filter(|key| key.ends_with(":link:body") || key.ends_with(":link:due"))
            .collect();
        if links.is_empty() {
            Ok(())
        } else {
            Err(links.concat())
        }
    })
    .await
}

#[tokio::test]
async fn an_association_that_waited_in_vain_is_exactly_one_dead_letter() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "links", 3).await?;
    let config = stream.config(companies(scene.config(), "2s"), scene.folder())?;
    // Two workers: a link goes to one of them.
    let first = Worker::start(&scene.hubferry(), &config, scene.folder(), "first")?;
    let second = Worker::start(&scene.hubferry(), &config, scene.folder(), "second")?;
    let plain = group("nobody", "acme");
    let envelope = json!({
        "messageId": "m-envelope",
        "userId": "u",
        "batch": [group("someone", "umbrella"), {"type": "track", "userId": "someone", "event": "x"}],
    });
    stream.produce(&[plain.clone(), envelope]).await?;

    let letters = letters(&stream, 2).await?;
    until_forgotten(&stream).await?;
    for worker in [first, second] {
        let (code, said) = worker.stop(PATIENCE).await?;
        ensure!(code == Some(0), "{said}");
    }
    // What was written twice would stand there by now.
    assert_eq!(stream.kafka.read_all(&stream.dead_letters).await?, letters);
    let by_message: BTreeMap<&str, &Read> = letters
        .iter()
        .map(|letter| Ok((header(letter, "message.id")?, letter)))
        .collect::<Result<_>>()?;
    assert_eq!(
        by_message.keys().collect::<Vec<_>>(),
        [&"m-nobody", &"m-someone"]
    );

    let portal = scene.sim.portal().await?;
    assert_eq!(portal.companies.len(), 2);
    assert_eq!(portal.links.len(), 0);
    for letter in &letters {
        assert_eq!(header(letter, "error.code")?, "association_contact_missing");
        assert_eq!(header(letter, "error.stage")?, "association");
        assert_eq!(header(letter, "error.class")?, "input");
        let done: Value = serde_json::from_str(header(letter, "mappings.done")?)?;
        assert_eq!(done[0]["mapping"], "acme/companies");
        let record = done[0]["record_id"].as_str().context("a record")?;
        assert!(portal.companies.contains_key(record), "{done}");
    }
    let whole = by_message["m-nobody"];
    assert_eq!(whole.value, Some(plain.to_string().into_bytes()));
    assert_eq!(whole.key.as_deref(), Some(&b"nobody"[..]));
    let element = by_message["m-someone"];
    assert_eq!(header(element, "origin.element")?, "0");
    let event: Value = serde_json::from_slice(element.value.as_deref().context("a value")?)?;
    assert_eq!(
        (&event["groupId"], event.get("batch")),
        (&json!("umbrella"), None)
    );
    Ok(())
}

#[tokio::test]
async fn a_contact_in_time_is_associated_and_nothing_is_dead() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "links", 3).await?;
    let config = companies(scene.config(), "1h").mapping(json!({
        "name": "contacts",
        "action": "upsertContact",
        "trigger": "type = \"identify\"",
        "use_defaults": true,
    }));
    let config = stream.config(config, scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    stream.produce(&[group("late", "acme")]).await?;
    stream.until_committed(1).await?;
    assert_eq!(scene.sim.portal().await?.links.len(), 0);
    let identify =
        json!({"type": "identify", "userId": "late", "traits": {"email": "late@example.com"}});
    stream.produce(&[identify]).await?;
    stream.until_committed(2).await?;
    until_forgotten(&stream).await?;
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");

    let portal = scene.sim.portal().await?;
    only(portal.companies.values())?;
    only(portal.contacts.values())?;
    assert_eq!(portal.links.len(), 1);
    assert_eq!(stream.kafka.read_all(&stream.dead_letters).await?, []);
    Ok(())
}
