//! `hubferry route`: killed half-way, and still every event once, where `produce` would have put it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Hubferry, Process, Services, eventually, unique};
use serde_json::json;

use crate::scene::PATIENCE;

const MANY: usize = 40_000;
const PEOPLE: usize = 500;

fn start(
    hubferry: &Hubferry,
    config: &str,
    topics: [&str; 2],
    folder: &Path,
    name: &str,
) -> Result<Process> {
    let [from, to] = topics;
    let arguments = [
        "route", "--from", from, "--to", to, "--config", config, "--output", "json",
    ];
    let mut command = hubferry.command(&arguments);
    Process::start(command.env("HOSTNAME", "router-0"), folder, name)
}

#[tokio::test]
async fn a_router_that_is_killed_loses_and_repeats_nothing() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let kafka = services.kafka();
    let from = kafka.topic("route-from", 3).await?;
    let to = kafka.topic("route-to", 5).await?;
    let like = kafka.topic("route-like", 5).await?;
    let config = Config::to("http://127.0.0.1:9")
        .with_people_and_companies(&[])
        .kafka(kafka.brokers(), &unique("route"), &to)
        .write(folder.path(), "c")?;
    let config = config.to_str().context("a path that is text")?;
    let event = |n: usize| {
        json!({"type": "track", "event": "E", "messageId": format!("m{n}"), "userId": format!("u{}", n % PEOPLE)}).to_string()
    };
    let events: Vec<String> = (0..MANY).map(event).collect();
    // Keys that say nothing about people.
    let messages = events.iter().enumerate().map(|(n, event)| {
        (
            Some(format!("k{}", n % 7).into_bytes()),
            event.clone().into_bytes(),
        )
    });
    kafka.produce(&from, messages).await?;

    let hubferry = services.hubferry();
    let first = start(&hubferry, config, [&from, &to], folder.path(), "first")?;
    eventually("something is routed", PATIENCE, || async {
        match kafka.ends(&to).await {
            Ok(ends) if ends.values().sum::<i64>() > 1_000 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    first.kill().await?;
    let mut second = start(&hubferry, config, [&from, &to], folder.path(), "second")?;
    eventually("everything is routed", PATIENCE, || async {
        match kafka.read_all(&to).await {
            Ok(read) if read.len() >= MANY => Ok(()),
            Ok(read) => Err(read.len().to_string()),
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await?;
    second.terminate().await?;
    let status = second.ended(Duration::from_secs(30)).await?;
    ensure!(status.code() == Some(0), "{}", second.stderr());

    // The same events through `produce` tell where they belong.
    let produced = hubferry
        .run_with(
            &["produce", "-", "--topic", &like, "--config", config],
            &events.join("\n"),
        )
        .await?;
    ensure!(produced.code == Some(0), "{produced:?}");
    let places = |read: Vec<hubferry_tests::Read>| -> BTreeMap<Vec<u8>, Vec<(i32, Vec<u8>)>> {
        let mut places: BTreeMap<Vec<u8>, Vec<(i32, Vec<u8>)>> = BTreeMap::new();
        for message in read {
            let place = (message.partition, message.key.unwrap_or_default());
            places
                .entry(message.value.unwrap_or_default())
                .or_default()
                .push(place);
        }
        places
    };
    let routed = places(kafka.read_all(&to).await?);
    let wanted = places(kafka.read_all(&like).await?);
    let twice = routed.values().filter(|places| places.len() > 1).count();
    assert_eq!((routed.len(), twice), (MANY, 0));
    assert!(
        routed == wanted,
        "events stand elsewhere than `produce` puts them"
    );
    Ok(())
}
