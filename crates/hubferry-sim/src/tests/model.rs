//! The parts with an index or a window, against models that know neither.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::calm;
use crate::limits::{Bucket, Meters};
use crate::portal::{Portal, Request};
use crate::{ObjectType, SimSettings};

#[test]
fn a_window_refuses_exactly_what_a_count_over_all_arrivals_refuses() {
    for seed in 0..50 {
        let mut chance = StdRng::seed_from_u64(seed);
        let limit = chance.random_range(1..8_u32);
        let mut meters = Meters::new(&SimSettings {
            ten_seconds: limit,
            ..SimSettings::default()
        });
        let mut arrivals: Vec<u64> = Vec::new();
        let mut now = 0;
        for _ in 0..300 {
            now += chance.random_range(0..4_000_u64);
            arrivals.push(now);
            let in_window = arrivals.iter().filter(|at| **at + 10_000 > now).count();
            let expected = in_window <= usize::try_from(limit).unwrap();
            let standing = meters.admit(Bucket::Burst, Duration::from_millis(now), 0, true);
            assert_eq!(
                standing.refused.is_none(),
                expected,
                "seed {seed}, at {now}"
            );
        }
        let windows = arrivals.iter().map(|end| {
            arrivals
                .iter()
                .filter(|at| *at <= end && **at + 10_000 > *end)
                .count()
        });
        // Arrivals at one instant are counted one after the other; the last of them sees them all.
        assert_eq!(meters.worst_ten_seconds(), windows.max().unwrap());
    }
}

/// Primary address, further ones, city.
type Contact = (Option<String>, Vec<String>, Option<String>);

/// Contacts as a list without any index.
#[derive(Debug, Default)]
struct Model {
    contacts: BTreeMap<String, Contact>,
}

impl Model {
    fn owner(&self, address: &str) -> Option<&String> {
        let owns = |(primary, further, _): &Contact| {
            primary.as_deref() == Some(address) || further.iter().any(|one| one == address)
        };
        self.contacts
            .iter()
            .find(|(_, contact)| owns(contact))
            .map(|(id, _)| id)
    }
}

fn call(portal: &Portal, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: String::new(),
        authorization: Some("Bearer pat-na1-test".to_owned()),
        body: serde_json::to_vec(body).unwrap().into(),
    };
    let arrived = portal.arrive(&request, Duration::ZERO);
    let answer = portal.perform(&request, &arrived, Duration::ZERO);
    (
        answer.status,
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
    )
}

#[test]
fn addresses_lead_where_a_plain_list_says() {
    const ADDRESSES: [&str; 5] = ["a@b.io", "b@b.io", "c@b.io", "d@b.io", "e@b.io"];
    for seed in 0..40 {
        let mut chance = StdRng::seed_from_u64(seed);
        let portal = Portal::new(calm(), 1_700_000_000_000);
        let mut model = Model::default();
        for step in 0..80 {
            let address = ADDRESSES[chance.random_range(0..ADDRESSES.len())];
            let other = ADDRESSES[chance.random_range(0..ADDRESSES.len())];
            match chance.random_range(0..5) {
                0 | 1 => upsert(&portal, &mut model, address, step),
                2 => give_further(&portal, &mut model, address, other),
                3 => rename(&portal, &mut model, address, other),
                _ => delete(&portal, &mut model, address),
            }
            check(&portal, &model, &ADDRESSES, seed, step);
        }
    }
}

fn upsert(portal: &Portal, model: &mut Model, address: &str, step: i32) {
    let city = format!("city {step}");
    let input =
        json!({"id": address.to_uppercase(), "idProperty": "email", "properties": {"city": city}});
    let (status, body) = call(
        portal,
        "POST",
        "/crm/v3/objects/contacts/batch/upsert",
        &json!({"inputs": [input]}),
    );
    assert_eq!(status, 200);
    let id = body["results"][0]["id"].as_str().unwrap().to_owned();
    let owner = model.owner(address).cloned();
    assert_eq!(body["results"][0]["new"], owner.is_none());
    match owner {
        Some(owner) => {
            assert_eq!(owner, id);
            model.contacts.get_mut(&id).unwrap().2 = Some(city);
        }
        None => {
            model
                .contacts
                .insert(id, (Some(address.to_owned()), Vec::new(), Some(city)));
        }
    }
}

fn give_further(portal: &Portal, model: &mut Model, address: &str, other: &str) {
    let Some(id) = model.owner(address).cloned() else {
        return;
    };
    let body = json!({"properties": {"hs_additional_emails": other}});
    let (status, _) = call(
        portal,
        "PATCH",
        &format!("/crm/v3/objects/contacts/{id}"),
        &body,
    );
    let free = model.owner(other).is_none_or(|owner| *owner == id);
    assert_eq!(status, if free { 200 } else { 409 });
    if free {
        model.contacts.get_mut(&id).unwrap().1 = vec![other.to_owned()];
    }
}

fn rename(portal: &Portal, model: &mut Model, address: &str, other: &str) {
    let Some(id) = model.owner(address).cloned() else {
        return;
    };
    let body =
        json!({"inputs": [{"id": id, "properties": {"email": other}, "objectWriteTraceId": "1"}]});
    let (status, _) = call(
        portal,
        "POST",
        "/crm/v3/objects/contacts/batch/update",
        &body,
    );
    let free = model.owner(other).is_none_or(|owner| *owner == id);
    assert_eq!(status, if free { 200 } else { 207 });
    if free {
        model.contacts.get_mut(&id).unwrap().0 = Some(other.to_owned());
    }
}

fn delete(portal: &Portal, model: &mut Model, address: &str) {
    let Some(id) = model.owner(address).cloned() else {
        return;
    };
    assert!(portal.delete(ObjectType::Contacts, &id));
    model.contacts.remove(&id);
}

fn check(portal: &Portal, model: &Model, addresses: &[&str], seed: u64, step: i32) {
    let records = portal.records(ObjectType::Contacts);
    assert_eq!(
        records.len(),
        model.contacts.len(),
        "seed {seed}, step {step}"
    );
    for record in &records {
        let (primary, further, city) = &model.contacts[&record.id];
        assert_eq!(
            record.properties.get("email"),
            primary.as_ref(),
            "seed {seed}, step {step}"
        );
        assert_eq!(
            record.properties.get("city"),
            city.as_ref(),
            "seed {seed}, step {step}"
        );
        let shown = record
            .properties
            .get("hs_additional_emails")
            .map_or("", String::as_str);
        assert_eq!(shown, further.join(";"), "seed {seed}, step {step}");
    }
    let inputs: Vec<Value> = addresses
        .iter()
        .map(|address| json!({"id": address}))
        .collect();
    let body = json!({"idProperty": "email", "inputs": inputs});
    let (_, read) = call(portal, "POST", "/crm/v3/objects/contacts/batch/read", &body);
    let missing: Vec<&str> = read["errors"][0]["context"]["ids"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let expected: Vec<&str> = addresses
        .iter()
        .copied()
        .filter(|address| model.owner(address).is_none())
        .collect();
    assert_eq!(missing, expected, "seed {seed}, step {step}");
}
