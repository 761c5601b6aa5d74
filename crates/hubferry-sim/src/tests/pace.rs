//! Measured on demand: `cargo test -p hubferry-sim -- --ignored --nocapture pace`.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::calm;
use crate::portal::{Portal, Request};
use crate::{ObjectType, SimSettings};

const CALLS: usize = 2_000;

#[test]
#[ignore = "a measurement, not a check"]
fn pace_of_full_upserts() {
    let portal = Portal::new(
        SimSettings {
            history: false,
            ..calm()
        },
        1_700_000_000_000,
    );
    let mut spent = Duration::ZERO;
    for call in 0..CALLS {
        let request = Request {
            method: "POST".to_owned(),
            path: "/crm/objects/2026-03/contacts/batch/upsert".to_owned(),
            query: String::new(),
            authorization: Some("Bearer pat-na1-test".to_owned()),
            body: body(call),
        };
        let begun = Instant::now();
        let arrived = portal.arrive(&request, spent);
        assert_eq!(portal.perform(&request, &arrived, spent).status, 200);
        spent += begun.elapsed();
    }
    let contacts = portal.summary().records[&ObjectType::Contacts];
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = memory
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    println!(
        "{:.0} calls/s, {contacts} contacts, {memory}",
        CALLS as f64 / spent.as_secs_f64()
    );
}

fn body(call: usize) -> Bytes {
    let inputs: Vec<_> = (0..100)
        .map(|n| {
            let email = format!("person{}@example.com", call * 50 + n);
            json!({"id": email, "idProperty": "email", "objectWriteTraceId": n.to_string(), "properties":
                {"firstname": "Ada", "lastname": "Lovelace", "city": "London", "company": "Analytical Engines", "phone": "+44 20 1234"}})
        })
        .collect();
    serde_json::to_vec(&json!({"inputs": inputs}))
        .unwrap()
        .into()
}
