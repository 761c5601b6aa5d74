//! An orderly stop in the middle of the work: what was taken is finished, and nothing is done twice.

use anyhow::{Result, ensure};
use hubferry_tests::Worker;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream};

const PEOPLE: u32 = 8_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing_and_repeats_nothing() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "stopping", 12).await?;
    let person = |n| json!({"type": "identify", "userId": format!("u{n}"), "traits": {"email": format!("p{n}@example.com")}});
    let events: Vec<Value> = (0..PEOPLE).map(person).collect();
    stream.produce(&events).await?;
    let config = stream.config(
        scene.config().with_people_and_companies(&[]),
        scene.folder(),
    )?;

    let first = Worker::start(&scene.hubferry(), &config, scene.folder(), "first")?;
    stream.until_committed(1).await?;
    let (code, said) = first.stop(PATIENCE).await?;
    ensure!(code == Some(0), "it stopped with {code:?}:\n{said}");
    let written = scene.sim.portal().await?.contacts.len();
    // A call that had no permit yet is given up, while a later one is on the wire and comes back: then the position stays
    // before the first, and what ended above it stands in the commit's metadata.
    let committed = usize::try_from(stream.committed().await?)?;
    assert!(
        committed <= written,
        "{committed} committed, {written} written:\n{said}"
    );
    assert!(
        written < PEOPLE as usize,
        "the stop came after the work was done"
    );

    let second = Worker::start(&scene.hubferry(), &config, scene.folder(), "second")?;
    stream.until_committed(i64::from(PEOPLE)).await?;
    let (code, said) = second.stop(PATIENCE).await?;
    ensure!(code == Some(0), "it stopped with {code:?}:\n{said}");
    let histories = scene.sim.history("contacts").await?;
    assert_eq!(histories.len(), PEOPLE as usize);
    let repeated = histories
        .iter()
        .filter(|history| history.writes.len() != 1)
        .count();
    assert_eq!(repeated, 0, "records written more than once");
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert!(letters.is_empty(), "{letters:?}");
    Ok(())
}
