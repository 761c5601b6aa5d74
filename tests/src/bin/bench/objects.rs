//! How many calls 10,000 records with two labelled associations each take.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use hubferry_tests::{Config, Figure, Sim};
use serde_json::{Value, json};

use crate::{Scene, carry, of_report};

const RECORDS: u32 = 10_000;
/// People who own pets; as many others walk them.
const OWNERS: u32 = 1_000;
const LABELS: &str = "/crm/associations/2026-03/pets/contacts/labels";
/// Records of both types by 100, pairs by 2,000.
const LEAST: f64 = 100.0 + 20.0 + 10.0;

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let Scene {
        hubferry,
        sim,
        folder,
    } = Scene::open().await?;
    let folder = folder.path();
    sim.sample().await?;
    let labels = [label(&sim, "owner").await?, label(&sim, "walker").await?];
    let events: String = (0..RECORDS).map(pet).collect();
    let report = carry(
        &hubferry,
        &config(&sim, labels.map(|[there, _]| there)),
        &events,
        folder,
    )
    .await?;

    let calls = sim.calls().await?;
    let carrying = |path: &str| path.contains("/objects/") || path.contains("/associations/");
    let setting_up = |path: &str| path.contains("/labels");
    let carriers = calls
        .iter()
        .filter(|call| carrying(&call.path) && !setting_up(&call.path))
        .count();
    let carriers = f64::from(u32::try_from(carriers)?);
    let mut figures = of_report(&report);
    figures.push(Figure::of("record and association calls", carriers, ""));
    let over = (carriers / LEAST - 1.0) * 100.0;
    figures.push(Figure::of("more calls than the least, 130", over, "%").wanted("at most 10"));
    let (right, wrong) = associations(&sim, labels.map(|[_, back]| back)).await?;
    figures.push(Figure::count("associations with their label", right).wanted("20000"));
    figures.push(Figure::count("associations with another label", wrong).wanted("0"));
    figures.push(Figure::count("429s", sim.summary().await?.throttled).wanted("0"));
    Ok(figures)
}

/// Makes a label between pets and contacts; gives its number as seen from the pet, and from the contact.
async fn label(sim: &Sim, name: &str) -> Result<[u64; 2]> {
    let answer = sim
        .call(LABELS, &json!({"name": name, "label": name}))
        .await?;
    let number = |at: usize| answer["results"][at]["typeId"].as_u64();
    let (there, back) = (number(0), number(1));
    let there = there.with_context(|| format!("no number in {answer}"))?;
    Ok([there, back.unwrap_or(there)])
}

fn config(sim: &Sim, [owner, walker]: [u64; 2]) -> Config {
    let with = |label: u64, path: &str| {
        json!({"object_type": "contact", "association_label": format!("USER_DEFINED:{label}"),
            "id_field_name": "email", "id_field_value": {"@path": path}})
    };
    Config::to(sim.base_url()).mapping(json!({
        "name": "pets",
        "action": "upsertObject",
        "sync_mode": "upsert",
        "trigger": "type = \"track\"",
        "fields": {
            "object_details": {"object_type": "p891936587_pets", "id_field_name": "pet_id",
                "id_field_value": {"@path": "$.properties.id"}},
            "properties": {"pet_name": {"@path": "$.properties.name"}, "weight": {"@path": "$.properties.weight"}},
            "association_sync_mode": "upsert",
            "associations": [with(owner, "$.properties.owner"), with(walker, "$.properties.walker")],
        },
    }))
}

fn owner(pet: u32) -> String {
    format!("owner{}@example.com", pet % OWNERS)
}

fn walker(pet: u32) -> String {
    format!("walker{}@example.com", pet % OWNERS)
}

fn pet(number: u32) -> String {
    let properties = json!({"id": format!("pet-{number}"), "name": format!("Pet {number}"), "weight": number % 50,
        "owner": owner(number), "walker": walker(number)});
    let event = json!({"type": "track", "event": "Pet Changed", "messageId": format!("m{number}"),
        "userId": format!("u{number}"), "timestamp": "2026-10-01T00:00:00Z", "properties": properties});
    format!("{event}\n")
}

/// Of the associations that must be there, how many are, with exactly their label; and how many others there are.
async fn associations(sim: &Sim, [owns, walks]: [u64; 2]) -> Result<(u64, u64)> {
    let state: Value = sim.look("state").await?;
    let contacts = by_id(&state, "contacts", "email");
    let pets = by_id(&state, &custom(&state)?, "pet_id");
    let all = state["associations"].as_array().context("associations")?;
    let (mut right, mut wrong) = (0, 0);
    for one in all {
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        let sides = [text("from"), text("to")];
        let pet = sides.iter().find_map(|id| pets.get(id));
        let contact = sides.iter().find_map(|id| contacts.get(id));
        let number = pet.and_then(|pet| pet.strip_prefix("pet-")?.parse::<u32>().ok());
        let (number, contact) = (number.context("a pet")?, contact.context("a contact")?);
        let wanted = if **contact == owner(number) {
            owns
        } else if **contact == walker(number) {
            walks
        } else {
            u64::MAX
        };
        // Contacts come before the account's own types, so that pairs are seen from them.
        let types = one["typeIds"].as_array().context("types")?;
        let labels = types.iter().filter_map(Value::as_u64);
        let labels: Vec<u64> = labels.filter(|id| [owns, walks].contains(id)).collect();
        if labels == [wanted] {
            right += 1;
        } else {
            wrong += 1;
        }
    }
    Ok((right, wrong))
}

/// What the state calls the one object type of the account's own.
fn custom(state: &Value) -> Result<String> {
    let objects = state["objects"].as_object().context("objects")?;
    objects.keys().next().cloned().context("an object type")
}

fn by_id<'a>(state: &'a Value, object: &str, property: &str) -> BTreeMap<&'a str, &'a str> {
    let records = state["records"][object].as_array();
    let pair = |record: &'a Value| {
        Some((
            record["id"].as_str()?,
            record["properties"][property].as_str()?,
        ))
    };
    records.into_iter().flatten().filter_map(pair).collect()
}
