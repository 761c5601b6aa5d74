//! OAuth: a refresh token becomes access tokens, again and again, and a bad one is named.

use anyhow::Result;
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::file::{counts, number};
use crate::scene::Scene;

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
