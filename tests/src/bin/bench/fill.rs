//! How full the calls are at the real limit: 100,000 identify events of 50,000 people.

use anyhow::Result;
use hubferry_tests::{Config, Figure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::{Scene, carry, of_report};

const EVENTS: u32 = 100_000;
const PEOPLE: u32 = 50_000;

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let Scene {
        hubferry,
        sim,
        folder,
    } = Scene::open().await?;
    let folder = folder.path();
    let config = Config::to(sim.base_url()).with_people_and_companies(&[]);
    let report = carry(&hubferry, &config, &events(EVENTS), folder).await?;
    let summary = sim.summary().await?;

    let mut figures = of_report(&report);
    figures.push(Figure::count("calls", summary.calls));
    figures.push(Figure::count("429s", summary.throttled).wanted("0"));
    let worst = Figure::count("most calls in any ten seconds", summary.worst_ten_seconds);
    figures.push(worst.wanted("at most 100"));
    for (endpoint, seen) in &summary.endpoints {
        if let Some(fill) = seen.fill {
            let what = format!("places filled after 1 s, {endpoint}");
            figures.push(Figure::of(what, fill * 100.0, "%").wanted("at least 97"));
        }
    }
    Ok(figures)
}

/// Every person comes once; then people come back at random.
pub(crate) fn events(count: u32) -> String {
    let mut chance = StdRng::seed_from_u64(1);
    let lines = (0..count).map(|number| {
        let person = if number < PEOPLE {
            number
        } else {
            chance.random_range(0..PEOPLE)
        };
        let traits = json!({"email": format!("p{person}@example.com"), "firstName": format!("F{number}")});
        let event = json!({"type": "identify", "messageId": format!("m{number}"), "userId": format!("u{person}"), "traits": traits});
        format!("{event}\n")
    });
    lines.collect()
}
