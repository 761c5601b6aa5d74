//! OAuth: a refresh token becomes access tokens, again and again, and a bad one is named; a fleet shares one grant, and is
//! cut from the portal and connected again as one.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use hubferry_tests::{Config, Worker, eventually};
use serde_json::{Value, json};

use crate::file::{counts, number};
use crate::scene::{PATIENCE, Scene, Stream};

const LIFE_SECONDS: u64 = 3;
/// The burst at the start takes 25 calls; the rest comes at ten calls a second.
const PEOPLE: u32 = 7_000;

async fn with_app() -> Result<Scene> {
    let app = json!({"client_id": "app-1", "client_secret": "app-secret", "refresh_token": "refresh-1", "token_life_seconds": LIFE_SECONDS});
    Scene::special(&json!({"oauth": app})).await
}

fn connected(scene: &Scene, refresh_token: &str) -> Config {
    let auth = json!({"kind": "oauth", "client_id": "app-1", "client_secret": "app-secret", "refresh_token": refresh_token});
    scene
        .config()
        .set("/destinations/0/hubspot/auth", auth)
        .with_people_and_companies(&[])
}

fn people(count: u32) -> Vec<Value> {
    let person = |n| json!({"type": "identify", "userId": format!("u{n}"), "traits": {"email": format!("p{n}@example.com")}});
    (0..count).map(person).collect()
}

#[tokio::test]
async fn tokens_that_run_out_in_the_middle_are_renewed() -> Result<()> {
    let scene = with_app().await?;
    let events = people(PEOPLE);
    let report = scene
        .deliver(&connected(&scene, "refresh-1"), &events)
        .await?;
    let all = u64::from(PEOPLE);
    assert_eq!(counts(&report), [all, all, 0, 0], "{report}");
    assert_eq!(number(&report, "throttled"), 0, "{report}");
    assert_eq!(scene.sim.portal().await?.contacts.len(), events.len());
    let calls = scene.sim.calls().await?;
    let renewals = calls.iter().filter(|call| call.path.ends_with("/token"));
    let renewals = renewals.count();
    assert!(renewals >= 2, "{renewals} tokens were issued");
    // Nothing is asked for each call: at most one token for each that was used up, and the first.
    assert!(renewals <= 8, "{renewals} tokens were issued");
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_that_is_not_accepted_ends_a_file_with_one_line() -> Result<()> {
    let scene = with_app().await?;
    let finished = scene
        .carry(&connected(&scene, "refresh-2"), &people(1))
        .await?;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let words = ["acme", "BAD_REFRESH_TOKEN", "reconnect the app"];
    let named = finished
        .stderr
        .lines()
        .filter(|line| words.iter().all(|word| line.contains(word)));
    assert_eq!(named.count(), 1, "{finished:?}");
    for secret in ["refresh-2", "app-secret"] {
        assert!(!finished.stderr.contains(secret), "{finished:?}");
    }
    Ok(())
}

/// What seals the tokens of a fleet.
fn key(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("key");
    std::fs::write(&path, "0123456789abcdef".repeat(4))?;
    Ok(path)
}

/// A portal with an app whose tokens live as long as HubSpot's.
async fn with_lasting_app() -> Result<Scene> {
    let app = json!({"client_id": "app-1", "client_secret": "app-secret", "refresh_token": "refresh-1", "token_life_seconds": 1_800});
    Scene::special(&json!({"oauth": app})).await
}

fn sharing(scene: &Scene) -> Result<Config> {
    let key = json!(key(scene.folder())?);
    Ok(connected(scene, "refresh-1").set("/secrets/key_file", key))
}

async fn refreshes(scene: &Scene) -> Result<u64> {
    let seen: Value = scene.sim.look("oauth").await?;
    ensure!(seen["refused_refreshes"] == 0, "{seen}");
    Ok(seen["refreshes"].as_u64().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_in_the_middle_costs_a_fleet_of_three_one_refresh_and_no_event()
-> Result<()> {
    const FIRST: u32 = 600;
    const ALL: u32 = 4_000;
    let scene = with_lasting_app().await?;
    let stream = Stream::new(&scene.services, "grant", 6).await?;
    let config = stream.config(sharing(&scene)?, scene.folder())?;
    let mut workers = Vec::new();
    for name in ["one", "two", "three"] {
        workers.push(Worker::start(
            &scene.hubferry(),
            &config,
            scene.folder(),
            name,
        )?);
    }
    for worker in &workers {
        worker.admin().await?;
    }
    let events = people(ALL);
    let (first, rest) = events.split_at(FIRST as usize);
    stream.produce(first).await?;
    stream.until_committed(i64::from(FIRST)).await?;
    assert_eq!(
        refreshes(&scene).await?,
        1,
        "three workers share the first token"
    );

    stream.produce(rest).await?;
    let expire = format!("{}/sim/oauth/expire", scene.sim.base_url());
    let http = reqwest::Client::builder().no_proxy().build()?;
    http.post(expire).send().await?.error_for_status()?;
    stream.until_committed(i64::from(ALL)).await?;
    assert_eq!(
        refreshes(&scene).await?,
        2,
        "one of them renewed it for all"
    );
    assert_eq!(scene.sim.portal().await?.contacts.len(), events.len());
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert!(letters.is_empty(), "{letters:?}");
    // What lies in Redis opens nothing for whoever reads it.
    let keys = stream.redis.keys().await?;
    assert!(keys.iter().any(|key| key.contains(":token:")), "{keys:?}");
    for worker in workers {
        let (code, said) = worker.stop(PATIENCE).await?;
        ensure!(code == Some(0), "{said}");
        for secret in ["refresh-1", "app-secret", "sim-access"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_processes_that_need_a_token_at_once_make_one_refresh() -> Result<()> {
    let scene = with_lasting_app().await?;
    let redis = scene.services.redis("twenty");
    let config = sharing(&scene)?
        .redis(&redis)
        .write(scene.folder(), "twenty")?;
    let config = config.to_string_lossy().into_owned();
    let mut asked = Vec::new();
    for number in 0..20 {
        let arguments = ["auth", "status", "--config", &config, "--output", "json"];
        let mut command = scene.hubferry().command(&arguments);
        let name = format!("status-{number}");
        asked.push(hubferry_tests::Process::start(
            &mut command,
            scene.folder(),
            &name,
        )?);
    }
    for process in &mut asked {
        let status = process.ended(PATIENCE).await?;
        ensure!(status.code() == Some(0), "{}", process.stderr());
        let said: Value = serde_json::from_str(&process.stdout())?;
        assert_eq!(said["connections"][0]["connection"], "connected", "{said}");
    }
    assert_eq!(refreshes(&scene).await?, 1);
    // Whoever wants another one gets it.
    let again = scene.hubferry();
    let again = again.run(&["auth", "refresh", "--config", &config]).await?;
    ensure!(again.code == Some(0), "{again:?}");
    assert_eq!(refreshes(&scene).await?, 2);
    // Whoever has another key reads nothing, and is told so.
    std::fs::write(scene.folder().join("key"), "fedcba9876543210".repeat(4))?;
    let blind = scene.hubferry();
    let blind = blind.run(&["auth", "status", "--config", &config]).await?;
    ensure!(blind.code == Some(3), "{blind:?}");
    ensure!(blind.stderr.contains("check secrets.key_file"), "{blind:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_is_cut_sends_nothing_more_and_goes_on_when_it_is_connected() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "cut", 4).await?;
    let config = stream.config(
        scene.config().with_people_and_companies(&[]),
        scene.folder(),
    )?;
    let path = config.to_string_lossy().into_owned();
    let auth = |word: &'static str| {
        let arguments = ["auth", word, "--config", &path, "--output", "json"];
        let mut command = scene.hubferry().command(&arguments);
        let process = hubferry_tests::Process::start(&mut command, scene.folder(), word);
        async move {
            let mut process = process?;
            let status = process.ended(PATIENCE).await?;
            ensure!(status.code() == Some(0), "{}", process.stderr());
            let said: Value = serde_json::from_str(&process.stdout())?;
            Ok::<Value, anyhow::Error>(said)
        }
    };
    let mut workers = Vec::new();
    for name in ["one", "two"] {
        workers.push(Worker::start(
            &scene.hubferry(),
            &config,
            scene.folder(),
            name,
        )?);
    }
    let mut admins = Vec::new();
    for worker in &workers {
        admins.push(worker.admin().await?);
    }
    let events = people(9_000);
    stream.produce(&events[..6_000]).await?;
    stream.until_committed(500).await?;

    let said = auth("disconnect").await?;
    assert_eq!(said["workers"], 2, "{said}");
    let calls = scene.sim.calls().await?.len();
    stream.produce(&events[6_000..]).await?;
    for admin in &admins {
        eventually("the worker says that it holds", PATIENCE, || async {
            match admin.get("/readyz").await {
                Ok((_, body)) if body.contains("paused (auth)") => Ok(()),
                Ok((status, body)) => Err(format!("{status} {body}")),
                Err(error) => Err(error),
            }
        })
        .await?;
    }
    // One that starts now finds the portal in Redis and asks HubSpot nothing.
    let late = Worker::start(&scene.hubferry(), &config, scene.folder(), "late")?;
    late.admin().await?;
    workers.push(late);
    let committed = stream.committed().await?;
    assert!(committed < 9_000, "{committed}");

    let said = auth("status").await?;
    assert_eq!(
        said["connections"][0]["connection"], "disconnected",
        "{said}"
    );
    assert_eq!(scene.sim.calls().await?.len(), calls, "calls after the cut");

    auth("reconnect").await?;
    stream.until_committed(9_000).await?;
    assert_eq!(scene.sim.portal().await?.contacts.len(), events.len());
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert!(letters.is_empty(), "{letters:?}");
    for worker in workers {
        let (code, said) = worker.stop(PATIENCE).await?;
        ensure!(code == Some(0), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_removed_holds_its_worker_and_goes_on_when_it_is_connected_again()
-> Result<()> {
    let scene = with_lasting_app().await?;
    let stream = Stream::new(&scene.services, "removed", 2).await?;
    let config = stream.config(sharing(&scene)?, scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    let admin = worker.admin().await?;
    stream.produce(&people(10)).await?;
    stream.until_committed(10).await?;

    scene.sim.switch(&json!({"uninstalled": true})).await?;
    stream.produce(&people(500)).await?;
    eventually("the worker says that it holds", PATIENCE, || async {
        match admin.get("/readyz").await {
            Ok((_, body)) if body.contains("paused (auth)") => Ok(()),
            Ok((status, body)) => Err(format!("{status} {body}")),
            Err(error) => Err(error),
        }
    })
    .await?;
    let path = config.to_string_lossy().into_owned();
    let hubferry = scene.hubferry();
    let status = hubferry.run(&["auth", "status", "--config", &path]).await?;
    ensure!(status.code == Some(0), "{status:?}");
    ensure!(status.stdout.contains("disconnected"), "{status:?}");
    ensure!(status.stdout.contains("BAD_REFRESH_TOKEN"), "{status:?}");
    assert_eq!(stream.committed().await?, 10);

    scene.sim.switch(&json!({"uninstalled": false})).await?;
    let again = hubferry
        .run(&["auth", "reconnect", "--config", &path])
        .await?;
    ensure!(again.code == Some(0), "{again:?}");
    stream.until_committed(510).await?;
    assert_eq!(scene.sim.portal().await?.contacts.len(), 500);
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert!(letters.is_empty(), "{letters:?}");
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_without_its_scope_is_named_at_the_start_and_the_others_go_on() -> Result<()> {
    let scene = with_lasting_app().await?;
    let scopes = [
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
    ];
    scene.sim.switch(&json!({"scopes": scopes})).await?;
    let stream = Stream::new(&scene.services, "scopes", 2).await?;
    let config = stream.config(sharing(&scene)?, scene.folder())?;
    let mut worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    worker.admin().await?;
    eventually("the mapping is named", PATIENCE, || {
        let said = worker.process().stderr();
        async move {
            let words = [
                "acme/companies needs re-authorisation",
                "crm.objects.companies.write",
            ];
            let named = |line: &&str| words.iter().all(|word| line.contains(word));
            match said.lines().filter(named).count() {
                1 if !said.contains("acme/contacts needs") => Ok(()),
                _ => Err(said),
            }
        }
    })
    .await?;
    stream.produce(&people(20)).await?;
    stream.until_committed(20).await?;
    assert_eq!(scene.sim.portal().await?.contacts.len(), 20);
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}
