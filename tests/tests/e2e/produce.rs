//! `hubferry produce`: events on the topic, keyed by identity.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Services, unique};
use serde_json::json;

#[tokio::test]
async fn lines_are_keyed_by_identity_and_lines_without_one_are_refused() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let kafka = services.kafka();
    let topic = kafka.topic("produce", 4).await?;
    let config = Config::to("http://127.0.0.1:9")
        .with_people_and_companies(&[])
        .kafka(kafka.brokers(), &unique("produce"), &topic)
        .write(folder.path(), "c")?;
    let sound = [
        json!({"type": "identify", "userId": " u1 ", "anonymousId": "a1"}),
        json!({"type": "identify", "anonymousId": "a2", "traits": {"email": "x@example.com"}}),
        json!({"type": "identify", "traits": {"email": " X@Example.com "}}),
        json!({"type": "group", "groupId": 42}),
    ];
    let keys = ["u1", "a2", "x@example.com", "42"];
    let mut input: Vec<String> = sound.iter().map(ToString::to_string).collect();
    input.insert(
        2,
        json!({"type": "identify", "traits": {"firstName": "nobody"}}).to_string(),
    );
    let config = config.to_str().context("a path that is text")?;
    let finished = services
        .hubferry()
        .run_with(&["produce", "-", "--config", config], &input.join("\n"))
        .await?;

    ensure!(finished.code == Some(0), "{finished:?}");
    assert!(
        !finished.stderr.contains("nobody"),
        "personal data in: {}",
        finished.stderr
    );
    let mut read: Vec<(String, String)> = Vec::new();
    for message in kafka.read_all(&topic).await? {
        let text =
            |bytes: Option<Vec<u8>>| anyhow::Ok(String::from_utf8(bytes.context("not empty")?)?);
        read.push((text(message.key)?, text(message.value)?));
    }
    read.sort();
    let mut wanted: Vec<(String, String)> = keys
        .iter()
        .zip(&sound)
        .map(|(key, event)| ((*key).to_owned(), event.to_string()))
        .collect();
    wanted.sort();
    assert_eq!(read, wanted);
    Ok(())
}
