//! How near to the fewest possible calls a mix of identify, group and track events comes.

use anyhow::Result;
use hubferry_tests::generate::group_id;
use hubferry_tests::{Config, Demand, Figure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use crate::{Scene, carry, of_report};

const PEOPLE: u32 = 20_000;
const COMPANIES: u32 = 2_000;
const DEFINITION: &str = "pe891936587_order_completed";
/// Everybody identifies twice, groups once and orders twice: 40 % identify, 20 % group, 40 % track.
const DEMAND: Demand = Demand {
    contacts: PEOPLE as u64,
    companies: COMPANIES as u64,
    associations: PEOPLE as u64,
    occurrences: 2 * PEOPLE as u64,
};

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let Scene {
        hubferry,
        sim,
        folder,
    } = Scene::open().await?;
    let folder = folder.path();
    sim.sample().await?;
    sim.define("companies", group_id()).await?;
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&[])
        .mapping(json!({
            "name": "orders",
            "action": "sendCustomBehavioralEvent",
            "trigger": "type = \"track\"",
            "use_defaults": true,
            "fields": {
                "eventName": DEFINITION,
                "properties": {"title": {"@path": "$.properties.title"}, "total": {"@path": "$.properties.total"}},
            },
        }));
    let events = events();
    let count = events.len() as f64;
    let report = carry(&hubferry, &config, &events.concat(), folder).await?;

    let summary = sim.summary().await?;
    let portal = sim.portal().await?;
    let (calls, least) = (summary.calls as f64, DEMAND.least_calls() as f64);
    let mut figures = of_report(&report);
    figures.extend([
        Figure::of("calls, all of them", calls, ""),
        Figure::of("least possible calls", least, ""),
        Figure::of("calls per 1,000 events", calls / count * 1e3, ""),
        Figure::of("calls made / least possible", calls / least, "x").wanted("at most 1.10"),
        Figure::count("contacts", u64::try_from(portal.contacts.len())?).wanted("20000"),
        Figure::count("companies", u64::try_from(portal.companies.len())?).wanted("2000"),
        Figure::count("associations", u64::try_from(portal.links.len())?).wanted("20000"),
        Figure::count("429s", summary.throttled).wanted("0"),
    ]);
    for (endpoint, seen) in &summary.endpoints {
        figures.push(Figure::count(format!("calls, {endpoint}"), seen.calls));
    }
    Ok(figures)
}

fn events() -> Vec<String> {
    let per_person = |person: u32| {
        let of = |kind: &str, turn: u32, rest: Value| event(person, kind, turn, &rest);
        let email = format!("p{person}@example.com");
        let traits = |turn: u32| json!({"traits": {"email": email, "firstName": format!("F{turn}"), "phone": "+49 30 1"}});
        let company = person % COMPANIES;
        let group = json!({"groupId": format!("c{company}"), "traits": {"name": format!("Company {company}")}});
        let order = |turn: u32| {
            let properties =
                json!({"email": email, "title": format!("Order {turn}"), "total": turn});
            json!({"event": "Order Completed", "properties": properties})
        };
        [
            of("identify", 0, traits(0)),
            of("identify", 1, traits(1)),
            of("group", 2, group),
            of("track", 3, order(3)),
            of("track", 4, order(4)),
        ]
    };
    let mut events: Vec<String> = (0..PEOPLE).flat_map(per_person).collect();
    events.shuffle(&mut StdRng::seed_from_u64(1));
    events
}

fn event(person: u32, kind: &str, turn: u32, rest: &Value) -> String {
    let mut event = json!({"type": kind, "messageId": format!("{kind}-{person}-{turn}"), "userId": format!("u{person}"),
        "timestamp": format!("2026-10-01T00:00:{turn:02}Z")});
    for (key, value) in rest.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    format!("{event}\n")
}
