//! How many calls 100,000 track events take, and that each counts once.

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Figure};
use serde_json::{Value, json};

use crate::{Scene, carry, of_report};

const EVENTS: u32 = 100_000;
const PEOPLE: u32 = 10_000;
const DEFINITION: &str = "pe891936587_order_completed";

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let Scene {
        hubferry,
        sim,
        folder,
    } = Scene::open().await?;
    let folder = folder.path();
    sim.sample().await?;
    let config = Config::to(sim.base_url()).mapping(json!({
        "name": "orders",
        "action": "sendCustomBehavioralEvent",
        "trigger": "type = \"track\"",
        "use_defaults": true,
        "fields": {
            "eventName": DEFINITION,
            "properties": {"title": {"@path": "$.properties.title"}, "total": {"@path": "$.properties.total"}},
        },
    }));
    let events: String = (0..EVENTS).map(order).collect();
    let report = carry(&hubferry, &config, &events, folder).await?;

    let calls = sim.calls().await?;
    let sends = calls.iter().filter(|call| call.path.contains("/send"));
    let mut figures = of_report(&report);
    let sends = u64::try_from(sends.count())?;
    figures.push(Figure::count("send calls", sends).wanted("at most 210; 200 is the least"));
    let seen: Value = sim.look("events").await?;
    let seen = seen.as_array().context("events")?;
    let counted = seen.iter().find(|one| one["name"] == DEFINITION);
    let counted = counted.context("the definition")?;
    for (what, key, wanted) in [
        ("events counted", "occurrences", "100000"),
        ("events sent twice", "repeated", "0"),
        ("events of nobody", "dropped", "0"),
    ] {
        let number = counted["counted"][key].as_u64().context("a number")?;
        figures.push(Figure::count(what, number).wanted(wanted));
    }
    figures.push(Figure::count("429s", sim.summary().await?.throttled).wanted("0"));
    Ok(figures)
}

fn order(number: u32) -> String {
    let person = number % PEOPLE;
    let properties = json!({"email": format!("p{person}@example.com"), "title": format!("Order {number}"), "total": number});
    let event = json!({"type": "track", "event": "Order Completed", "messageId": format!("m{number}"),
        "userId": format!("u{person}"), "timestamp": "2026-10-01T00:00:00Z", "properties": properties});
    format!("{event}\n")
}
