//! Two workers on one topic while things go wrong: nothing is lost, nothing goes back, the limit holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hubferry_tests::generate::{CONTACT_PROPERTIES, Line, Load, lines, visits};
use hubferry_tests::oracle::{Expected, order_violations};
use hubferry_tests::{Config, Kafka, Read, Services, Sim, Worker, eventually, unique};
use serde_json::json;
use tokio::time::{Duration as Pause, sleep};

const PARTITIONS: i32 = 12;
const LIMIT: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(180);
const DRAIN: Duration = Duration::from_secs(60);

/// The load arrives in this many pieces, so that the fleet is busy while workers come and go.
const PIECES: usize = 40;
const BETWEEN_PIECES: Pause = Pause::from_millis(400);

const LOAD: Load = Load {
    seed: 11,
    people: 2_000,
    companies: 150,
    events: 20_000,
    one_wrong_in: 400,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_killed_and_restarted_under_load() -> Result<()> {
    killed_and_restarted("20s").await
}

/// The killed worker's partitions move on while its last calls may still be on their way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_is_soon_replaced_and_nothing_goes_back_in_time() -> Result<()> {
    killed_and_restarted("6s").await
}

async fn killed_and_restarted(session_timeout: &str) -> Result<()> {
    let services = Services::from_env()?;
    let (kafka, hubferry) = (services.kafka(), services.hubferry());
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let lines = lines(&LOAD);
    let expected = Expected::of(&lines)?;

    let topic = kafka.topic("fleet", PARTITIONS).await?;
    let dead_letters = format!("{topic}.hubferry.dlq");
    kafka.create(&dead_letters, PARTITIONS).await?;
    let group = unique("fleet");
    let sim = Sim::start(&hubferry, folder).await?;
    sim.define("contacts", visits()).await?;
    let redis = services.redis("fleet");
    let config = Config::to(sim.base_url())
        .kafka(kafka.brokers(), &group, &topic)
        .set("/kafka/session_timeout", json!(session_timeout))
        .redis(&redis)
        .with_people_and_companies(&CONTACT_PROPERTIES)
        .write(folder, "fleet")?;

    let mut first = Worker::start(&hubferry, &config, folder, "first")?;
    let mut second = None;
    let mut events = Vec::new();
    for (piece, part) in lines.chunks(lines.len().div_ceil(PIECES)).enumerate() {
        kafka.produce(&topic, part.iter().map(message)).await?;
        // The second worker joins while the first one is busy: partitions move under load.
        if piece == PIECES / 4 {
            until_finished(&kafka, &group, &topic, 1).await?;
            second = Some(Worker::start(&hubferry, &config, folder, "second")?);
            events.push(("second worker started", sim.summary().await?.calls));
        }
        if piece == PIECES / 2 {
            first.must_run()?;
            first.kill().await?;
            events.push(("first worker killed", sim.summary().await?.calls));
            first = Worker::start(&hubferry, &config, folder, "restarted")?;
        }
        sleep(BETWEEN_PIECES).await;
    }
    let mut second = second.context("the second worker was started")?;

    let ends = kafka.ends(&topic).await?;
    let finished = eventually("every offset is committed", PATIENCE, || async {
        let committed = kafka
            .committed(&group, &topic)
            .await
            .map_err(|error| format!("{error:#}"))?;
        let filled = ends
            .iter()
            .filter(|(_, end)| **end > 0)
            .map(|(partition, end)| (*partition, *end));
        let wanted: BTreeMap<i32, i64> = filled.collect();
        if committed == wanted {
            Ok(())
        } else {
            Err(format!("{committed:?} of {wanted:?}"))
        }
    })
    .await;
    if let Err(error) = finished {
        let said = logs(folder) + &insides(&[&first, &second]).await;
        bail!("{error:#}\nworker events after call: {events:?}\n{said}");
    }
    first.must_run()?;
    second.must_run()?;
    for worker in [first, second] {
        let (code, said) = worker.stop(DRAIN).await?;
        ensure!(code == Some(0), "a worker stopped with {code:?}:\n{said}");
    }

    let differences = expected.differences(&sim.portal().await?);
    ensure!(
        differences.is_empty(),
        "{differences:#?}\nworker events after call: {events:?}\n{}",
        evidence(&sim, &differences).await? + &logs(folder)
    );
    let histories = sim.history("contacts").await?;
    let violations = order_violations(&histories, "visits");
    ensure!(
        violations.is_empty(),
        "{} order violations: {:#?}\nworker events after call: {events:?}\n{}{}",
        violations.len(),
        &violations[..violations.len().min(3)],
        evidence(&sim, &violations[..violations.len().min(3)]).await?,
        logs(folder)
    );
    assert_eq!(
        dead_by_body(&kafka.read_all(&dead_letters).await?)?,
        expected_dead(&expected)
    );
    assert_no_person_in(&redis.keys().await?);
    let summary = sim.summary().await?;
    assert_eq!(summary.throttled, 0, "{summary:?}");
    assert!(summary.worst_ten_seconds <= LIMIT, "{summary:?}");
    let made = summary.endpoints.get("properties/companies/batch/create");
    assert_eq!(
        made.map(|endpoint| endpoint.calls),
        Some(1),
        "the group id property is made once per fleet: {summary:?}"
    );
    Ok(())
}

/// The write history of the contacts that a difference names, for whoever has to find out why.
async fn evidence(sim: &Sim, faults: &[String]) -> Result<String> {
    let portal = sim.portal().await?;
    let named = |id: &str| {
        let email = portal
            .contacts
            .get(id)
            .and_then(|contact| contact.get("email"));
        let record = format!("record {id}:");
        let is_named = |email: &&String| {
            faults
                .iter()
                .any(|line| line.contains(email.as_str()) || line.contains(&record))
        };
        email.filter(is_named)
    };
    let histories = sim.history("contacts").await?;
    let lines = histories.iter().filter_map(|history| {
        let writes = history.writes.iter().map(|write| {
            format!(
                "    call {} at {} ms: {:?}\n",
                write.call, write.at_ms, write.properties
            )
        });
        Some(format!(
            "  {}\n{}",
            named(&history.id)?,
            writes.collect::<String>()
        ))
    });
    Ok(lines.collect())
}

/// What the workers said, for the same reader.
fn logs(folder: &Path) -> String {
    let said = ["first", "second", "restarted"].map(|name| {
        let log = std::fs::read_to_string(folder.join(format!("{name}.err"))).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(40).collect();
        let lines = last.iter().rev().map(|line| format!("    {line}\n"));
        format!("  {name}:\n{}", lines.collect::<String>())
    });
    said.concat()
}

/// What the workers count, for the same reader.
async fn insides(workers: &[&Worker]) -> String {
    let mut said = String::new();
    for worker in workers {
        let metrics = match worker.admin().await {
            Ok(admin) => admin.get("/metrics").await,
            Err(error) => Err(error.to_string()),
        };
        let (_, text) = metrics.unwrap_or_else(|error| (0, error));
        let told = text.lines().filter(|line| !line.starts_with('#'));
        said.extend(told.map(|line| format!("    {line}\n")));
        said.push('\n');
    }
    said
}

fn message(line: &Line) -> (Option<Vec<u8>>, Vec<u8>) {
    (
        line.key.clone().map(String::into_bytes),
        line.body.clone().into_bytes(),
    )
}

/// Waits until the group has committed at least this many messages.
async fn until_finished(kafka: &Kafka, group: &str, topic: &str, wanted: i64) -> Result<()> {
    eventually("the fleet has begun", PATIENCE, || async {
        let committed = kafka
            .committed(group, topic)
            .await
            .map_err(|error| format!("{error:#}"))?;
        let finished: i64 = committed.values().sum();
        if finished >= wanted {
            Ok(())
        } else {
            Err(format!("{finished} finished"))
        }
    })
    .await
}

/// The fleet remembers people in Redis, but no key gives an address away.
fn assert_no_person_in(keys: &[String]) {
    assert!(!keys.is_empty(), "the fleet keeps nothing in Redis");
    let naming: Vec<&String> = keys
        .iter()
        .filter(|key| key.contains("example.com"))
        .collect();
    assert!(naming.is_empty(), "{naming:?}");
}

fn expected_dead(expected: &Expected) -> BTreeMap<String, BTreeSet<String>> {
    let entries = expected.dead.iter();
    entries
        .map(|(body, code)| (body.clone(), BTreeSet::from([(*code).to_owned()])))
        .collect()
}

/// The codes by the original value of each dead letter. One that was parked twice, because a worker was killed before
/// its offset was committed, carries the same id both times.
fn dead_by_body(letters: &[Read]) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for letter in letters {
        let body = String::from_utf8(
            letter
                .value
                .clone()
                .context("a dead letter keeps its value")?,
        )?;
        let header = |name: &str| {
            letter
                .headers
                .get(name)
                .cloned()
                .with_context(|| format!("{body}: no header {name}"))
        };
        codes
            .entry(body.clone())
            .or_default()
            .insert(header("hubferry.error.code")?);
        ids.entry(body.clone())
            .or_default()
            .insert(header("hubferry.dlq.id")?);
    }
    let several = ids.iter().find(|(_, ids)| ids.len() > 1);
    ensure!(
        several.is_none(),
        "one event, two dead letters: {several:?}"
    );
    Ok(codes)
}
