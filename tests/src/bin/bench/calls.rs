//! How many calls 1,000 people in 100 companies take, in three orders of the same 2,000 events.

use anyhow::Result;
use hubferry_tests::generate::group_id;
use hubferry_tests::{Config, Figure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::json;

use crate::{Scene, carry};

const PEOPLE: u32 = 1_000;
const COMPANIES: u32 = 100;

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let identifies: Vec<String> = (0..PEOPLE).map(identify).collect();
    let groups: Vec<String> = (0..PEOPLE).map(group).collect();
    let mut shuffled = [identifies.clone(), groups.clone()].concat();
    shuffled.shuffle(&mut StdRng::seed_from_u64(1));
    let orders = [
        (
            "people first",
            [identifies.clone(), groups.clone()].concat(),
        ),
        ("companies first", [groups, identifies].concat()),
        ("shuffled", shuffled),
    ];
    let mut figures = Vec::new();
    for (order, events) in orders {
        figures.extend(in_order(order, &events).await?);
    }
    Ok(figures)
}

async fn in_order(order: &str, events: &[String]) -> Result<Vec<Figure>> {
    let Scene {
        hubferry,
        sim,
        folder,
    } = Scene::open().await?;
    let folder = folder.path();
    sim.define("companies", group_id()).await?;
    let config = Config::to(sim.base_url()).with_people_and_companies(&[]);
    carry(&hubferry, &config, &events.concat(), folder).await?;

    let portal = sim.portal().await?;
    let calls = sim.calls().await?;
    let carrying = |path: &str| path.contains("/objects/") || path.contains("/associations/");
    let carriers = calls.iter().filter(|call| carrying(&call.path)).count();
    let links = u64::try_from(portal.links.len())?;
    let throttled = sim.summary().await?.throttled;
    Ok(vec![
        Figure::count(
            format!("record and association calls, {order}"),
            u64::try_from(carriers)?,
        )
        .wanted("at most 15; 12 is the least"),
        Figure::count(format!("associations, {order}"), links).wanted("1000"),
        Figure::count(format!("429s, {order}"), throttled).wanted("0"),
    ])
}

fn identify(person: u32) -> String {
    let traits =
        json!({"email": format!("p{person}@example.com"), "firstName": format!("F{person}")});
    let event = json!({"type": "identify", "messageId": format!("i{person}"), "userId": format!("u{person}"),
        "timestamp": "2026-10-01T00:00:00Z", "traits": traits});
    format!("{event}\n")
}

fn group(person: u32) -> String {
    let company = person % COMPANIES;
    let event = json!({"type": "group", "messageId": format!("g{person}"), "userId": format!("u{person}"),
        "groupId": format!("c{company}"), "timestamp": "2026-10-01T00:00:01Z", "traits": {"name": format!("Company {company}")}});
    format!("{event}\n")
}
