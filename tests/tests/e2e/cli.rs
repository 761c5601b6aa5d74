//! What a user gets for a mistake: one clear line on standard error and an exit code.

use std::path::Path;

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Finished, Services, Sim, unique};
use serde_json::json;

/// An address on which nothing listens.
const NOWHERE: &str = "127.0.0.1:1";

async fn run_worker(services: &Services, config: &Path) -> Result<Finished> {
    let config = config.to_str().context("a path that is text")?;
    services.hubferry().run(&["run", "--config", config]).await
}

/// One line that has all of these words, on standard error; nothing on standard output.
fn assert_complaint(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    let complaint = finished
        .stderr
        .lines()
        .find(|line| words.iter().all(|word| line.contains(word)));
    assert!(
        complaint.is_some(),
        "no line with {words:?} in:\n{}",
        finished.stderr
    );
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_path() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let config = Config::to("http://127.0.0.1:9")
        .with_people_and_companies(&[])
        .set("/kafka/broker", json!(NOWHERE))
        .write(folder.path(), "c")?;
    assert_complaint(
        &run_worker(&services, &config).await?,
        1,
        &["kafka.broker", "brokers"],
    );
    Ok(())
}

#[tokio::test]
async fn a_token_file_that_cannot_be_read_is_named() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let config = Config::to("http://127.0.0.1:9")
        .with_people_and_companies(&[])
        .kafka(NOWHERE, "g", "t")
        .set(
            "/destinations/0/hubspot/auth",
            json!({"kind": "private_app", "token_file": "/no/such/token"}),
        )
        .write(folder.path(), "c")?;
    assert_complaint(
        &run_worker(&services, &config).await?,
        1,
        &["token_file", "/no/such/token"],
    );
    Ok(())
}

#[tokio::test]
async fn an_unknown_flag_is_a_usage_error() -> Result<()> {
    let services = Services::from_env()?;
    let finished = services.hubferry().run(&["run", "--inptu", "x"]).await?;
    assert_complaint(&finished, 1, &["--inptu"]);
    Ok(())
}

#[tokio::test]
async fn a_broker_that_cannot_be_reached_is_named() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .kafka(NOWHERE, "g", "t")
        .write(folder.path(), "c")?;
    assert_complaint(
        &run_worker(&services, &config).await?,
        3,
        &[NOWHERE, "kafka.brokers"],
    );
    Ok(())
}

#[tokio::test]
async fn a_missing_dead_letter_topic_is_named() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    let topic = services.kafka().topic("cli", 1).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .kafka(&services.kafka, &unique("cli"), &topic)
        .write(folder.path(), "c")?;
    let dead_letters = format!("{topic}.hubferry.dlq");
    assert_complaint(&run_worker(&services, &config).await?, 3, &[&dead_letters]);
    Ok(())
}

#[tokio::test]
async fn a_redis_that_cannot_be_reached_is_named() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    let kafka = services.kafka();
    let topic = kafka.topic("cli", 1).await?;
    kafka.create(&format!("{topic}.hubferry.dlq"), 1).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .kafka(kafka.brokers(), &unique("cli"), &topic)
        .redis_at(&format!("redis://{NOWHERE}"), "cli")
        .write(folder.path(), "c")?;
    assert_complaint(&run_worker(&services, &config).await?, 3, &["redis"]);
    Ok(())
}

#[tokio::test]
async fn a_refused_token_stops_a_worker_and_commits_nothing() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = refusing(&services, folder.path()).await?;
    let kafka = services.kafka();
    let (topic, group) = (kafka.topic("cli", 1).await?, unique("cli"));
    kafka.create(&format!("{topic}.hubferry.dlq"), 1).await?;
    kafka
        .produce(&topic, [(Some(b"u".to_vec()), one_identify().into_bytes())])
        .await?;
    let redis = services.redis("cli");
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .kafka(kafka.brokers(), &group, &topic)
        .redis(&redis)
        .write(folder.path(), "c")?;
    let finished = run_worker(&services, &config).await?;
    assert_complaint(&finished, 3, &["acme", "token", "expired"]);
    assert!(
        !finished.stderr.contains("test-token"),
        "the token is in the output: {finished:?}"
    );
    assert!(kafka.committed(&group, &topic).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_refused_token_ends_a_file_with_the_same_line() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = refusing(&services, folder.path()).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .write(folder.path(), "c")?;
    let finished = crate::file::run(
        &services,
        &config,
        &format!("{}\n", one_identify()),
        folder.path(),
    )
    .await?;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let words = ["acme", "token", "expired"];
    let named = finished
        .stderr
        .lines()
        .any(|line| words.iter().all(|word| line.contains(word)));
    assert!(named, "{finished:?}");
    Ok(())
}

#[tokio::test]
async fn check_accepts_a_sound_configuration_and_refuses_a_broken_one() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sound = Config::to("http://127.0.0.1:9")
        .with_people_and_companies(&[])
        .kafka(NOWHERE, "g", "t");
    let check = async |config: &Config| {
        let path = config.write(folder.path(), "c")?;
        let path = path.to_str().context("a path that is text")?;
        services.hubferry().run(&["check", "--config", path]).await
    };
    let accepted = check(&sound).await?;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let said = [accepted.stdout, accepted.stderr].concat();
    assert!(
        !said.contains("test-token"),
        "the token is in the output: {said}"
    );

    let broken = sound.set("/destinations/0/mappings/0/acton", json!("upsertContact"));
    let refused = check(&broken).await?;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("acton"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn the_example_configurations_are_valid() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let token = folder.path().join("token");
    std::fs::write(&token, "example-token\n")?;
    for example in ["contacts-and-companies", "compose"] {
        let path = format!(
            "{}/../deploy/examples/{example}.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut command = services.hubferry().command(&["check", "--config", &path]);
        command
            .env("HUBSPOT_TOKEN_FILE", &token)
            .env("HUBSPOT_TOKEN", "example-token");
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{example}: {said}");
    }
    Ok(())
}

fn one_identify() -> String {
    json!({"type": "identify", "userId": "u", "traits": {"email": "a@example.com"}}).to_string()
}

/// A simulator that refuses every token.
async fn refusing(services: &Services, folder: &Path) -> Result<Sim> {
    let faults = folder.join("faults.json");
    std::fs::write(
        &faults,
        json!([{"then": {"answer": "expired_token"}}]).to_string(),
    )?;
    let faults = faults.to_str().context("a path that is text")?;
    Sim::start_with(&services.hubferry(), folder, &["--faults", faults]).await
}
