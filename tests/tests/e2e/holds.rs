//! A portal that refuses for want of scopes: a file ends with one line, a worker holds and goes on when it may.

use anyhow::{Result, ensure};
use hubferry_tests::{Worker, eventually};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream};

const SCOPE: &str = "crm.objects.contacts.write";

/// Reading is allowed, so that the fault is met by the first write and not at the start.
fn no_writes() -> Value {
    json!([{"match": {"path_contains": "batch/upsert"}, "then": {"answer": "missing_scopes"}}])
}

fn people(count: u32) -> Vec<Value> {
    let person = |n| json!({"type": "identify", "userId": format!("u{n}"), "traits": {"email": format!("p{n}@example.com")}});
    (0..count).map(person).collect()
}

#[tokio::test]
async fn a_file_ends_with_one_line_that_names_the_scope() -> Result<()> {
    let scene = Scene::new().await?;
    scene.sim.faults(&no_writes()).await?;
    let config = scene.config().with_people_and_companies(&[]);
    let finished = scene.carry(&config, &people(3)).await?;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let naming: Vec<&str> = finished
        .stderr
        .lines()
        .filter(|line| line.contains(SCOPE))
        .collect();
    assert_eq!(naming.len(), 1, "{finished:?}");
    assert!(naming[0].contains("acme"), "{finished:?}");
    assert!(!finished.stderr.contains("test-token"), "{finished:?}");
    Ok(())
}

#[tokio::test]
async fn a_worker_holds_stays_ready_and_goes_on_once_the_scope_is_granted() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "holds", 2).await?;
    stream.produce(&people(20)).await?;
    scene.sim.faults(&no_writes()).await?;
    let config = stream.config(
        scene.config().with_people_and_companies(&[]),
        scene.folder(),
    )?;
    let mut worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    let admin = worker.admin().await?;

    let held = eventually("the worker says that it holds", PATIENCE, || async {
        let (status, body) = admin.get("/readyz").await?;
        if body.contains("paused (scope)") {
            Ok((status, body))
        } else {
            Err(format!("{status} {body}"))
        }
    })
    .await;
    let (status, body) = held.map_err(|error| error.context(worker.process().stderr()))?;
    assert_eq!(status, 200, "{body}");
    eventually("one line names the scope", PATIENCE, || {
        let said = worker.process().stderr();
        async move {
            let naming = |line: &&str| line.contains("forbidden") && line.contains(SCOPE);
            match said.lines().filter(naming).count() {
                1 => Ok(()),
                _ => Err(said),
            }
        }
    })
    .await?;
    assert_eq!(
        stream.committed().await?,
        0,
        "an event that is on hold was committed"
    );

    scene.sim.faults(&json!([])).await?;
    stream.until_committed(20).await?;
    worker.must_run()?;
    assert_eq!(scene.sim.portal().await?.contacts.len(), 20);
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert!(letters.is_empty(), "{letters:?}");
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}
