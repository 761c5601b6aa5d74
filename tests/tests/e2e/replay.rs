//! Dead letters that go through again: only what failed, once, and never against newer data.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Finished, Process, Worker, eventually};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream, only};

/// Contacts and companies of group events, and a brake that does not interfere.
fn mappings(config: Config) -> Config {
    let mapping = |name: &str, action: &str, kind: &str| {
        json!({
            "name": name,
            "action": action,
            "trigger": format!("type = \"{kind}\""),
            "use_defaults": true,
        })
    };
    config
        .mapping(mapping("people", "upsertContact", "identify"))
        .mapping(mapping("contacts", "upsertContact", "group"))
        .mapping(mapping("companies", "upsertCompany", "group"))
        .set(
            "/brake",
            json!({"max_consecutive": 1_000_000, "max_ratio": "100%"}),
        )
}

fn group(n: usize) -> Value {
    let traits = json!({"email": format!("p{n}@example.com"), "name": format!("Company {n}")});
    json!({"type": "group", "messageId": format!("m{n}"), "userId": format!("u{n}"), "groupId": format!("g{n}"),
        "traits": traits})
}

/// The same with a mistake: companies are looked for under a field that no event has.
fn mistaken(config: Config) -> Config {
    let wrong = json!({"groupid": {"@path": "$.traits.parent"}});
    mappings(config).set("/destinations/0/mappings/2/fields", wrong)
}

/// HubSpot refuses whatever is written to paths that contain this.
fn refuses(path: &str) -> Value {
    let body = json!({"status": "error", "message": "Property values were not valid", "category": "VALIDATION_ERROR"});
    json!([{"match": {"path_contains": path}, "then": {"raw": {"status": 400, "body": body.to_string()}}}])
}

/// A topic with its journal, and events on it that have become dead letters.
struct Dead {
    scene: Scene,
    stream: Stream,
    config: PathBuf,
}

impl Dead {
    async fn new(label: &str, events: &[Value], refused: &str) -> Result<Dead> {
        let scene = Scene::new().await?;
        let stream = Stream::new(&scene.services, label, 2).await?;
        let journal = format!("{}.hubferry.replay", stream.topic);
        stream.kafka.create(&journal, 1).await?;
        let config = stream.config(mappings(scene.config()), scene.folder())?;
        let dead = Dead {
            scene,
            stream,
            config,
        };
        dead.scene.sim.faults(&refuses(refused)).await?;
        dead.deliver(events).await?;
        dead.scene.sim.faults(&json!([])).await?;
        Ok(dead)
    }

    /// Many events that one mistake in a mapping made dead letters of; the mistake is corrected since.
    async fn by_mistake(label: &str, many: usize) -> Result<Dead> {
        let events: Vec<Value> = (0..many).map(group).collect();
        let dead = Dead::new(label, &[], "nowhere").await?;
        let write = |config: Config| dead.stream.config(config, dead.scene.folder());
        write(mistaken(dead.scene.config()))?;
        dead.deliver(&events).await?;
        write(mappings(dead.scene.config()))?;
        Ok(dead)
    }

    /// Has a worker carry these events to their ends.
    async fn deliver(&self, events: &[Value]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let before = self.stream.kafka.ends(&self.stream.topic).await?;
        let wanted = before.values().sum::<i64>() + i64::try_from(events.len())?;
        self.stream.produce(events).await?;
        let hubferry = self.scene.hubferry();
        let worker = Worker::start(&hubferry, &self.config, self.scene.folder(), "worker")?;
        self.stream.until_committed(wanted).await?;
        let (code, said) = worker.stop(PATIENCE).await?;
        ensure!(code == Some(0), "{said}");
        Ok(())
    }

    fn arguments<'a>(&'a self, rest: &[&'a str]) -> Result<Vec<&'a str>> {
        let config = self.config.to_str().context("a path that is text")?;
        let mut all = rest.to_vec();
        all.extend(["--config", config, "--output", "json"]);
        Ok(all)
    }

    async fn command(&self, rest: &[&str]) -> Result<Finished> {
        self.scene.hubferry().run(&self.arguments(rest)?).await
    }

    /// A command that comes to a good end; gives what it said.
    async fn good(&self, rest: &[&str]) -> Result<Value> {
        let finished = self.command(rest).await?;
        ensure!(finished.code == Some(0), "{rest:?}: {finished:?}");
        finished.json()
    }

    fn start(&self, rest: &[&str], name: &str) -> Result<Process> {
        let mut command = self.scene.hubferry().command(&self.arguments(rest)?);
        Process::start(&mut command, self.scene.folder(), name)
    }

    async fn companies(&self) -> Result<usize> {
        Ok(self.scene.sim.portal().await?.companies.len())
    }
}

#[tokio::test]
async fn a_deletion_that_was_refused_is_done_again() -> Result<()> {
    let dead = Dead::new("redelete", &[], "nowhere").await?;
    let deleting = mappings(dead.scene.config()).set(
        "/destinations/0/deletion",
        json!({"enabled": true, "mode": "gdpr"}),
    );
    dead.stream.config(deleting, dead.scene.folder())?;
    let identify = |user: &str| json!({"type": "identify", "userId": user, "traits": {"email": format!("{user}@example.com")}});
    dead.deliver(&[identify("ada"), identify("bob")]).await?;
    dead.scene
        .sim
        .faults(&refuses("contacts/gdpr-delete"))
        .await?;
    dead.deliver(&[json!({"type": "delete", "userId": "ada", "messageId": "d1"})])
        .await?;
    dead.scene.sim.faults(&json!([])).await?;
    assert_eq!(dead.scene.sim.portal().await?.contacts.len(), 2);

    let counted = dead.good(&["dlq", "count"]).await?;
    assert_eq!(counted["letters"], 1);
    assert_eq!(counted["causes"][0]["mapping"], "acme/deletion");
    let planned = dead
        .good(&["replay", "plan", "--mapping", "acme/deletion"])
        .await?;
    assert_eq!(planned["calls"], 1);
    let report = dead
        .good(&["replay", "run", "--mapping", "acme/deletion"])
        .await?;
    assert_eq!(
        (&report["resolved"], &report["failed"]),
        (&json!(1), &json!(0))
    );
    let portal = dead.scene.sim.portal().await?;
    assert_eq!(only(portal.contacts.values())?["email"], "bob@example.com");
    Ok(())
}

#[tokio::test]
async fn only_what_failed_is_done_again() -> Result<()> {
    let dead = Dead::new("replay", &[group(1), group(2)], "companies/batch/upsert").await?;
    let portal = dead.scene.sim.portal().await?;
    assert_eq!((portal.contacts.len(), portal.companies.len()), (2, 0));

    let counted = dead.good(&["dlq", "count"]).await?;
    assert_eq!(counted["letters"], 2);
    assert_eq!(counted["causes"][0]["mapping"], "acme/companies");
    assert_eq!(counted["causes"][0]["count"], 2);
    let cause = counted["causes"][0]["cause"].as_str().context("a cause")?;
    let explained = dead.good(&["dlq", "explain", cause]).await?;
    assert_eq!(explained["causes"][0]["still_happening"], true);
    let listed = dead.good(&["dlq", "list", "--message-id", "m1"]).await?;
    assert_eq!(listed["total"], 1);
    let id = listed["letters"][0]["id"].as_str().context("an id")?;
    let raw = dead.command(&["dlq", "show", id, "--raw"]).await?;
    assert_eq!(raw.stdout, group(1).to_string());
    let shown = dead.command(&["dlq", "show", id]).await?;
    assert!(!shown.stdout.contains("p1@example.com"), "{}", shown.stdout);

    let planned = dead.good(&["replay", "plan", "--cause", cause]).await?;
    assert_eq!(
        (&planned["letters"], &planned["deliveries"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        planned["calls"], 2,
        "one for both companies, one for both associations"
    );
    let before = dead.scene.sim.calls().await?.len();
    let plan = planned["plan"].as_str().context("a plan")?;
    let report = dead.good(&["replay", "run", plan]).await?;
    assert_eq!(
        (&report["resolved"], &report["failed"]),
        (&json!(2), &json!(0))
    );
    let portal = dead.scene.sim.portal().await?;
    assert_eq!((portal.companies.len(), portal.links.len()), (2, 2));
    let calls = dead.scene.sim.calls().await?;
    let writes: Vec<&str> = calls[before..]
        .iter()
        .map(|call| call.path.as_str())
        .filter(|path| path.contains("batch/upsert") || path.contains("batch/create"))
        .collect();
    assert!(
        !writes.is_empty()
            && writes
                .iter()
                .all(|path| !path.contains("contacts/batch/upsert")),
        "{writes:?}"
    );

    let status = dead.good(&["replay", "status"]).await?;
    assert_eq!(
        (&status["open"], &status["resolved"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(status["replays"][0]["state"], "done");
    let again = dead.command(&["replay", "run", "--cause", cause]).await?;
    assert_eq!(again.code, Some(2), "{again:?}");
    for (arguments, code) in [
        (&["replay", "run"][..], 2),
        (&["replay", "run", "p-unknown"], 2),
        (&["replay", "plan", "--colour", "red"], 1),
        (&["replay", "plan", "--since", "yesterday"], 1),
    ] {
        let refused = dead.command(arguments).await?;
        assert_eq!(refused.code, Some(code), "{arguments:?}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn newer_data_stays_and_what_fails_again_is_parked_again() -> Result<()> {
    let person = |name: &str, time: &str| {
        json!({"type": "identify", "userId": "u1", "messageId": name, "timestamp": time,
            "traits": {"email": "p@example.com", "firstName": name}})
    };
    let old = person("old", "2026-01-01T00:00:00Z");
    let dead = Dead::new("newer", &[old], "contacts/batch/upsert").await?;
    dead.deliver(&[person("new", "2026-01-02T00:00:00Z")])
        .await?;

    dead.scene
        .sim
        .faults(&refuses("contacts/batch/upsert"))
        .await?;
    // The older values are known to be stale, so that HubSpot may not be asked at all: another property is refused here.
    let report = dead.good(&["replay", "run", "--type", "identify"]).await?;
    let failed = report["failed"].as_u64().context("a number")?;
    dead.scene.sim.faults(&json!([])).await?;
    if failed > 0 {
        let listed = dead.good(&["dlq", "list"]).await?;
        assert_eq!(listed["total"], 1);
        assert_eq!(listed["letters"][0]["replays"], 1);
        let report = dead.good(&["replay", "run", "--type", "identify"]).await?;
        assert_eq!(report["resolved"], 1, "{report}");
    }
    let portal = dead.scene.sim.portal().await?;
    assert_eq!(only(portal.contacts.values())?["firstname"], "new");
    let status = dead.good(&["replay", "status"]).await?;
    assert_eq!(status["open"], 0);
    Ok(())
}

#[tokio::test]
async fn a_replay_that_is_killed_goes_on_where_it_was() -> Result<()> {
    const MANY: usize = 600;
    let dead = Dead::by_mistake("killed", MANY).await?;
    let run = [
        "replay",
        "run",
        "--mapping",
        "acme/companies",
        "--max-rate",
        "4",
    ];
    let process = dead.start(&run, "killed")?;
    eventually("some companies are written", PATIENCE, || async {
        match dead.companies().await {
            Ok(some) if some > 0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    process.kill().await?;
    let written = dead.companies().await?;
    assert!(written < MANY, "killed too late to show anything");

    let resumed = eventually("the lease of the killed one is over", PATIENCE, || async {
        match dead.command(&["replay", "resume"]).await {
            Ok(finished) if finished.code == Some(0) => Ok(finished),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    let report = resumed.json()?;
    assert_eq!(report["failed"], 0, "{report}");
    assert_eq!(dead.companies().await?, MANY);
    let portal = dead.scene.sim.portal().await?;
    assert_eq!(portal.links.len(), MANY);
    let status = dead.good(&["replay", "status"]).await?;
    assert_eq!(
        (&status["open"], &status["resolved"]),
        (&json!(0), &json!(MANY))
    );
    Ok(())
}

#[tokio::test]
async fn of_two_replays_each_letter_goes_with_one() -> Result<()> {
    const MANY: usize = 300;
    let dead = Dead::by_mistake("both", MANY).await?;
    let run = ["replay", "run", "--class", "input", "--max-rate", "20"];
    let (mut one, mut other) = (dead.start(&run, "one")?, dead.start(&run, "other")?);
    one.ended(PATIENCE).await?;
    other.ended(PATIENCE).await?;
    let resolved = |text: &str| {
        let report: Option<Value> = serde_json::from_str(text).ok();
        report
            .and_then(|report| report["resolved"].as_u64())
            .unwrap_or(0)
    };
    let (first, second) = (resolved(&one.stdout()), resolved(&other.stdout()));
    assert_eq!(
        first + second,
        MANY as u64,
        "{}{}",
        one.stderr(),
        other.stderr()
    );
    for company in dead.scene.sim.history("companies").await? {
        assert_eq!(company.writes.len(), 1, "{company:?}");
    }
    assert_eq!(dead.companies().await?, MANY);
    Ok(())
}

#[tokio::test]
async fn a_replay_is_stopped_and_resumed_by_command() -> Result<()> {
    const MANY: usize = 900;
    let dead = Dead::by_mistake("stopped", MANY).await?;
    let run = ["replay", "run", "--class", "input", "--max-rate", "2"];
    let mut process = dead.start(&run, "stopped")?;
    eventually("some companies are written", PATIENCE, || async {
        match dead.companies().await {
            Ok(some) if some > 0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    let stopped = dead.command(&["replay", "stop"]).await?;
    ensure!(stopped.code == Some(0), "{stopped:?}");
    let status = process.ended(Duration::from_secs(30)).await?;
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    let status = dead.good(&["replay", "status"]).await?;
    assert_eq!(status["replays"][0]["state"], "stopped");
    assert!(status["open"].as_u64() > Some(0), "{status}");
    dead.good(&["replay", "resume"]).await?;
    assert_eq!(dead.companies().await?, MANY);
    Ok(())
}

#[tokio::test]
async fn letters_of_a_file_are_replayed_without_kafka() -> Result<()> {
    let scene = Scene::new().await?;
    let config = mappings(scene.config());
    scene.sim.faults(&refuses("companies/batch/upsert")).await?;
    scene
        .deliver(&config, &[group(1), group(2), group(3)])
        .await?;
    let folder = scene.folder();
    let text = |name: &str| -> Result<String> {
        let path = folder.join(name);
        Ok(path.to_str().context("a path that is text")?.to_owned())
    };
    let (config, input) = (text("file.json")?, text("dead.ndjson")?);
    let (first, second) = (text("first.ndjson")?, text("second.ndjson")?);
    let run = |input: &str, output: &str, more: &[&str]| {
        let mut arguments = vec!["replay", "run", "--config", &config, "--output", "json"];
        arguments.extend(["--input", input, "--dead-letters", output]);
        arguments.extend(more);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let hubferry = scene.hubferry();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            hubferry.run(&arguments).await
        }
    };
    // Still refused: all three are still dead.
    let refused = run(&input, &first, &[]).await?;
    ensure!(refused.code == Some(0), "{refused:?}");
    assert_eq!(refused.json()?["failed"], 3);
    assert_eq!(std::fs::read_to_string(&first)?.lines().count(), 3);

    scene.sim.faults(&json!([])).await?;
    let replayed = run(&first, &second, &["--message-id", "m1,m2"]).await?;
    ensure!(replayed.code == Some(0), "{replayed:?}");
    assert_eq!(replayed.json()?["resolved"], 2);
    let left = std::fs::read_to_string(&second)?;
    let left: Vec<Value> = left
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["messageId"], "m3");
    assert_eq!(left[0]["replay.count"], 1);
    assert_eq!(scene.sim.portal().await?.companies.len(), 2);
    let same = run(&second, &second, &[]).await?;
    assert_eq!(same.code, Some(1), "{same:?}");
    Ok(())
}
