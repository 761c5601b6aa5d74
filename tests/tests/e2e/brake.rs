//! A mapping whose deliveries die in masses is held: its events wait, other mappings go on, and it goes on by itself.

use anyhow::{Result, ensure};
use hubferry_tests::{Worker, eventually};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream};

const PEOPLE: u32 = 12;
const GROUPS: u32 = 3;
/// Deaths in a row that pass; the next brakes.
const ROW: usize = 5;

fn refused_contacts() -> Value {
    let body = json!({"status": "error", "message": "Property values were not valid", "category": "VALIDATION_ERROR"});
    json!([{
        "match": {"path_contains": "contacts/batch/upsert"},
        "then": {"raw": {"status": 400, "body": body.to_string()}},
    }])
}

#[tokio::test]
async fn a_mapping_that_refuses_too_much_is_held_and_loses_nothing() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "brake", 1).await?;
    let person = |n| json!({"type": "identify", "userId": format!("u{n}"), "traits": {"email": format!("p{n}@example.com")}});
    let group = |n| json!({"type": "group", "userId": format!("v{n}"), "groupId": format!("g{n}"), "traits": {"name": "G"}});
    let events: Vec<Value> = (0..PEOPLE)
        .map(person)
        .chain((0..GROUPS).map(group))
        .collect();
    stream.produce(&events).await?;
    scene.sim.faults(&refused_contacts()).await?;
    let config = scene
        .config()
        .with_people_and_companies(&[])
        .set("/brake", json!({"max_consecutive": ROW}));
    let config = stream.config(config, scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    let admin = worker.admin().await?;

    eventually(
        "contacts are braked, companies are written",
        PATIENCE,
        || async {
            let (_, metrics) = admin.get("/metrics").await?;
            let portal = scene
                .sim
                .portal()
                .await
                .map_err(|error| error.to_string())?;
            let braked = metrics.contains("hubferry_brake_state{mapping=\"acme/contacts\"} 1");
            let others = metrics.contains("hubferry_brake_state{mapping=\"acme/companies\"} 0");
            if braked && others && portal.companies.len() == GROUPS as usize {
                Ok(())
            } else {
                Err(format!("{} companies, {metrics}", portal.companies.len()))
            }
        },
    )
    .await?;
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert_eq!(letters.len(), ROW, "the row that was let pass");

    scene.sim.faults(&json!([])).await?;
    stream.until_committed(i64::from(PEOPLE + GROUPS)).await?;
    let portal = scene.sim.portal().await?;
    assert_eq!(portal.contacts.len(), PEOPLE as usize - ROW);
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    assert_eq!(
        letters.len(),
        ROW,
        "what was kept was delivered, not parked"
    );
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    assert!(said.contains("acme/contacts is on hold (braked)"), "{said}");
    Ok(())
}
