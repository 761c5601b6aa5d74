//! A batch that is refused as a whole: the one offender is found, everybody else is written.

use anyhow::Result;
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::file::{counts, dead_letters, number};
use crate::scene::{Scene, values};

const PEOPLE: usize = 300;
const OFFENDER: usize = 137;

fn people(change: impl Fn(usize, &mut Value)) -> Vec<Value> {
    let person = |n: usize| {
        let mut traits =
            json!({"email": format!("p{n}@example.com"), "firstName": format!("F{n}")});
        change(n, &mut traits);
        json!({"type": "identify", "userId": format!("u{n}"), "traits": traits})
    };
    (0..PEOPLE).map(person).collect()
}

/// All but the offender are written; the one dead letter is the offender's and has this code.
async fn only_the_offender_dies(
    scene: &Scene,
    config: &Config,
    events: &[Value],
    code: &str,
) -> Result<u64> {
    let report = scene.deliver(config, events).await?;
    let all = PEOPLE as u64;
    assert_eq!(counts(&report), [all, all, 0, 1], "{report}");
    assert_eq!(number(&report, "throttled"), 0, "{report}");
    let letters = dead_letters(scene.folder())?;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        (&letters[0]["line"], &letters[0]["error.code"]),
        (&json!(OFFENDER), &json!(code)),
        "{letters:?}"
    );
    let portal = scene.sim.portal().await?;
    let mut wanted: Vec<String> = (0..PEOPLE)
        .filter(|n| *n != OFFENDER)
        .map(|n| format!("p{n}@example.com"))
        .collect();
    wanted.sort_unstable();
    assert_eq!(values(portal.contacts.values(), "email"), wanted);
    Ok(scene.sim.summary().await?.calls)
}

#[tokio::test]
async fn a_refusal_that_names_the_property_costs_the_one_record_that_has_it() -> Result<()> {
    let scene = Scene::special(&json!({"email_upsert_partial": false})).await?;
    let config = scene
        .config()
        .with_people_and_companies(&[("hs_lead_status", "$.traits.lead_status")]);
    let events = people(|n, traits| {
        if n == OFFENDER {
            traits["lead_status"] = json!("NO_SUCH_STATUS");
        }
    });
    let calls = only_the_offender_dies(&scene, &config, &events, "property_option").await?;
    // Three batches, the refused one again without the culprit, and the account at the start.
    assert!(calls <= 8, "{calls} calls");
    Ok(())
}

#[tokio::test]
async fn a_refusal_that_names_nothing_is_bisected() -> Result<()> {
    let scene = Scene::new().await?;
    let poison = format!("p{OFFENDER}@example.com");
    let faults =
        json!([{"match": {"body_contains": poison}, "then": {"answer": "whole_batch_400"}}]);
    scene.sim.faults(&faults).await?;
    let config = scene.config().with_people_and_companies(&[]);
    let calls =
        only_the_offender_dies(&scene, &config, &people(|_, _| ()), "hubspot_rejected").await?;
    // Two to the seventh is more than a hundred: seven halvings of two calls each beside the three batches.
    assert!(calls <= 20, "{calls} calls");
    Ok(())
}

#[tokio::test]
async fn an_error_that_does_not_say_which_input_it_is_about_is_that_of_the_missing_one()
-> Result<()> {
    let scene = Scene::new().await?;
    let faults = json!([{"match": {"path_contains": "batch/upsert"}, "then": "anonymous_error", "times": 1}]);
    scene.sim.faults(&faults).await?;
    let config = scene.config().with_people_and_companies(&[]);
    let report = scene.deliver(&config, &people(|_, _| ())).await?;
    let all = PEOPLE as u64;
    assert_eq!(counts(&report), [all, all, 0, 1], "{report}");
    let line = dead_letters(scene.folder())?[0]["line"].clone();
    let dead = format!("p{line}@example.com");
    let portal = scene.sim.portal().await?;
    let written = values(portal.contacts.values(), "email");
    assert_eq!(written.len(), PEOPLE - 1);
    assert!(
        !written.contains(&dead.as_str()),
        "{dead} is written and dead"
    );
    Ok(())
}
