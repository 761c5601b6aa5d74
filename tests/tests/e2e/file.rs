//! `hubferry run --input`: a file through the same pipeline, without Kafka and Redis.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::generate::{CONTACT_PROPERTIES, Load, group_id, lines, visits};
use hubferry_tests::oracle::{Expected, order_violations};
use hubferry_tests::{Config, Finished, Services, Sim};
use serde_json::{Value, json};

#[tokio::test]
async fn a_thousand_people_in_a_hundred_companies_take_fifteen_calls() -> Result<()> {
    a_thousand_people("2026-03").await
}

#[tokio::test]
async fn the_legacy_paths_take_as_many() -> Result<()> {
    a_thousand_people("v3").await
}

async fn a_thousand_people(api_version: &str) -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    sim.define("companies", group_id()).await?;
    let config = Config::to(sim.base_url())
        .set("/destinations/0/hubspot/api_version", json!(api_version))
        .with_people_and_companies(&[])
        .write(folder.path(), "c")?;

    let identify = |n: u32| {
        let traits = json!({"email": format!("p{n}@example.com"), "firstName": format!("F{n}")});
        json!({"type": "identify", "messageId": format!("i{n}"), "userId": format!("u{n}"), "timestamp": "2026-10-01T00:00:00Z", "traits": traits})
    };
    let group = |n: u32| {
        let company = n % 100;
        let traits = json!({"name": format!("Company {company}")});
        json!({"type": "group", "messageId": format!("g{n}"), "userId": format!("u{n}"), "groupId": format!("c{company}"), "timestamp": "2026-10-01T00:00:01Z", "traits": traits})
    };
    let events = (0..1000).map(identify).chain((0..1000).map(group));
    let input: String = events.map(|event| format!("{event}\n")).collect();
    let finished = run(&services, &config, &input, folder.path()).await?;

    let report = finished.json()?;
    ensure!(finished.code == Some(0), "{finished:?}");
    assert_eq!(
        counts(&report),
        [2000, 2000, 0, 0],
        "events, deliveries, skipped, dead: {report}"
    );
    assert_eq!(
        number(&report, "delivered") + number(&report, "merged"),
        2000,
        "{report}"
    );
    assert_eq!(report["throttled"], 0, "{report}");

    let portal = sim.portal().await?;
    assert_eq!(
        (
            portal.contacts.len(),
            portal.companies.len(),
            portal.links.len()
        ),
        (1000, 100, 1000)
    );
    let calls = sim.calls().await?;
    let carrying = |path: &str| path.contains("/objects/") || path.contains("/associations/");
    let carriers: Vec<_> = calls.iter().filter(|call| carrying(&call.path)).collect();
    assert!(
        carriers.len() <= 15,
        "{} calls: {carriers:?}",
        carriers.len()
    );
    assert!(calls.iter().all(|call| call.status != 429), "{calls:?}");
    let is_dated = carriers.iter().all(|call| call.path.contains("/2026-03/"));
    assert_eq!(is_dated, api_version == "2026-03", "{carriers:?}");
    Ok(())
}

#[tokio::test]
async fn a_changing_load_ends_in_the_state_of_the_oracle() -> Result<()> {
    const LOAD: Load = Load {
        seed: 3,
        people: 500,
        companies: 40,
        events: 6_000,
        one_wrong_in: 200,
    };
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    sim.define("contacts", visits()).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&CONTACT_PROPERTIES)
        .write(folder.path(), "c")?;
    let lines = lines(&LOAD);
    let expected = Expected::of(&lines)?;
    let input: String = lines
        .iter()
        .map(|line| format!("{}\n", line.body))
        .collect();
    let finished = run(&services, &config, &input, folder.path()).await?;

    ensure!(finished.code == Some(0), "{finished:?}");
    let report = finished.json()?;
    let [events, deliveries, skipped, dead] = counts(&report);
    assert_eq!(events, 6_000, "{report}");
    assert_eq!(
        deliveries,
        number(&report, "delivered") + number(&report, "merged") + skipped + dead,
        "{report}"
    );
    let reasons = report["skipped_by_reason"].as_object().context("reasons")?;
    assert_eq!(
        reasons["not_subscribed"], expected.not_subscribed,
        "{report}"
    );
    // The file is in order of event time: an event that another one overtakes merges with it, none comes too late.
    let others = reasons
        .keys()
        .filter(|reason| reason.as_str() != "not_subscribed");
    assert_eq!(
        others.collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "{report}"
    );
    assert_eq!(usize::try_from(dead)?, expected.dead.len(), "{report}");
    assert_eq!(report["throttled"], 0, "{report}");

    assert_eq!(
        expected.differences(&sim.portal().await?),
        Vec::<String>::new()
    );
    assert_eq!(
        order_violations(&sim.history("contacts").await?, "visits"),
        Vec::<String>::new()
    );
    let letters = dead_letters(folder.path())?;
    assert_eq!(letters.len(), expected.dead.len());
    for letter in letters {
        let line = usize::try_from(letter["line"].as_u64().context("a line")?)?;
        let original = &lines[line].body;
        let code = expected
            .dead
            .get(original)
            .with_context(|| format!("line {line} is sound: {letter}"))?;
        assert_eq!(letter["error.code"], *code, "{letter}");
        let kept = match letter.get("raw").and_then(Value::as_str) {
            Some(raw) => raw == original,
            None => letter["event"] == serde_json::from_str::<Value>(original)?,
        };
        assert!(kept, "line {line}: {letter}");
    }
    Ok(())
}

#[tokio::test]
async fn standard_input_is_a_file_too_and_blank_lines_are_nothing() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .write(folder.path(), "c")?;
    let event = json!({"type": "identify", "userId": "u", "traits": {"email": "a@example.com"}});
    let config = config.to_str().context("a path that is text")?;
    let dead = folder.path().join("dead.ndjson");
    let arguments = [
        "run",
        "--config",
        config,
        "--input",
        "-",
        "--dead-letters",
        dead.to_str().context("text")?,
        "--output",
        "json",
    ];
    let finished = services
        .hubferry()
        .run_with(&arguments, &format!("\n{event}\n\n"))
        .await?;

    ensure!(finished.code == Some(0), "{finished:?}");
    assert_eq!(counts(&finished.json()?), [1, 1, 0, 0]);
    assert_eq!(std::fs::read_to_string(dead)?, "");
    assert_eq!(sim.portal().await?.contacts.len(), 1);
    Ok(())
}

/// Runs the input from a file; dead letters go to `dead.ndjson` in the folder.
pub(crate) async fn run(
    services: &Services,
    config: &Path,
    input: &str,
    folder: &Path,
) -> Result<Finished> {
    let (events, dead) = (folder.join("events.ndjson"), folder.join("dead.ndjson"));
    std::fs::write(&events, input)?;
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .context("a path that is text")
    };
    let (config, events, dead) = (text(config)?, text(&events)?, text(&dead)?);
    let arguments = [
        "run",
        "--config",
        &config,
        "--input",
        &events,
        "--dead-letters",
        &dead,
        "--output",
        "json",
    ];
    services.hubferry().run(&arguments).await
}

/// The lines of `dead.ndjson` in the folder.
pub(crate) fn dead_letters(folder: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(folder.join("dead.ndjson"))?;
    text.lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

/// `events`, `deliveries`, `skipped`, `dead`.
pub(crate) fn counts(report: &Value) -> [u64; 4] {
    ["events", "deliveries", "skipped", "dead"].map(|key| number(report, key))
}

/// A number of the report; an impossible one when it is missing.
pub(crate) fn number(report: &Value, key: &str) -> u64 {
    report[key].as_u64().unwrap_or(u64::MAX / 8)
}
