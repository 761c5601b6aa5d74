//! What a worker says at its most talkative names nobody.

use anyhow::{Result, ensure};
use hubferry_tests::Worker;
use hubferry_tests::generate::{CONTACT_PROPERTIES, Load, lines, visits};

use crate::scene::{PATIENCE, Scene, Stream};

const LOAD: Load = Load {
    seed: 7,
    people: 100,
    companies: 10,
    events: 1_400,
    one_wrong_in: 20,
};

/// Parts of every address, telephone number and name that the load has, and the token.
const NOBODYS_BUSINESS: [&str; 6] = [
    "@example.com",
    " at example",
    "+49 30",
    "First1",
    "Last1",
    "test-token",
];

#[tokio::test]
async fn no_address_number_name_or_token_is_in_a_debug_log() -> Result<()> {
    let scene = Scene::new().await?;
    scene.sim.define("contacts", visits()).await?;
    // Refusals and second tries talk too.
    let faults = serde_json::json!([
        {"match": {"path_contains": "batch/upsert", "nth": 2}, "then": {"answer": "internal_error"}},
        {"match": {"path_contains": "batch/upsert", "nth": 4}, "then": "reset_after_write"},
        {"match": {"path_contains": "batch/upsert", "nth": 6}, "then": "truncate_body"},
        {"match": {"path_contains": "batch/upsert", "nth": 8}, "then": {"answer": "burst_limit"}},
    ]);
    scene.sim.faults(&faults).await?;
    let stream = Stream::new(&scene.services, "privacy", 3).await?;
    let lines = lines(&LOAD);
    for part in NOBODYS_BUSINESS.iter().take(5) {
        let used = lines
            .iter()
            .any(|line| line.body.to_lowercase().contains(&part.to_lowercase()));
        ensure!(used, "the load has no `{part}`");
    }
    let messages = lines.iter().map(|line| {
        (
            line.key.clone().map(String::into_bytes),
            line.body.clone().into_bytes(),
        )
    });
    stream.kafka.produce(&stream.topic, messages).await?;
    let config = stream.config(
        scene
            .config()
            .with_people_and_companies(&CONTACT_PROPERTIES),
        scene.folder(),
    )?;
    let worker = Worker::start_logging(
        &scene.hubferry(),
        &config,
        scene.folder(),
        "worker",
        "debug",
    )?;
    stream.until_committed(i64::from(LOAD.events)).await?;
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");

    assert!(
        said.contains("DEBUG"),
        "it logged no more than usual: {said}"
    );
    let revealing: Vec<&str> = said.lines().filter(|line| reveals(line)).take(5).collect();
    assert!(revealing.is_empty(), "{revealing:#?}");
    // Headers are read by tools that show them to everybody; only the value may name a person.
    for letter in stream.kafka.read_all(&stream.dead_letters).await? {
        let revealing = letter.headers.values().find(|value| reveals(value));
        assert_eq!(revealing, None, "{:?}", letter.headers);
    }
    Ok(())
}

fn reveals(text: &str) -> bool {
    let text = text.to_lowercase();
    NOBODYS_BUSINESS
        .iter()
        .any(|part| text.contains(&part.to_lowercase()))
}
