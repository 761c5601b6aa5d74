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
    let bodies: Vec<Bytes> = (0..CALLS).map(body).collect();
    let begun = Instant::now();
    for body in bodies {
        let request = Request {
            method: "POST".to_owned(),
            path: "/crm/objects/2026-03/contacts/batch/upsert".to_owned(),
            query: String::new(),
            authorization: Some("Bearer pat-na1-test".to_owned()),
            body,
        };
        let arrived = portal.arrive(&request, begun.elapsed());
        assert_eq!(
            portal.perform(&request, &arrived, begun.elapsed()).status,
            200
        );
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{:.0} calls/s, {} contacts",
        CALLS as f64 / seconds,
        portal.records(ObjectType::Contacts).len()
    );
    assert!(begun.elapsed() > Duration::ZERO);
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
