//! The simulator says of itself what the other tests read.

use anyhow::Result;
use hubferry_tests::generate::{group_id, visits};
use hubferry_tests::{Services, Sim};
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_client_writes_is_seen_from_outside() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    sim.define("contacts", visits()).await?;
    sim.define("companies", group_id()).await?;

    let contact = |visits: u32| {
        json!({"inputs": [{"id": "A@example.com", "idProperty": "email", "objectWriteTraceId": "1",
            "properties": {"email": "A@example.com", "visits": visits}}]})
    };
    let contacts = "/crm/objects/2026-03/contacts/batch/upsert";
    let contact_id = first_id(&sim.call(contacts, &contact(1)).await?)?;
    sim.call(contacts, &contact(2)).await?;
    let company = json!({"inputs": [{"id": "g", "idProperty": "segment_group_id", "objectWriteTraceId": "2",
        "properties": {"segment_group_id": "g", "name": "G"}}]});
    let company_id = first_id(
        &sim.call("/crm/objects/2026-03/companies/batch/upsert", &company)
            .await?,
    )?;
    let link = json!({"inputs": [{"from": {"id": contact_id}, "to": {"id": company_id}}]});
    sim.call(
        "/crm/associations/2026-03/contacts/companies/batch/associate/default",
        &link,
    )
    .await?;

    let portal = sim.portal().await?;
    assert_eq!(portal.contacts[&contact_id]["email"], "a@example.com");
    assert_eq!(portal.contacts[&contact_id]["visits"], "2");
    assert_eq!(portal.companies[&company_id]["segment_group_id"], "g");
    assert_eq!(
        portal.links.into_iter().collect::<Vec<_>>(),
        [(contact_id.clone(), company_id)]
    );

    let history = sim.history("contacts").await?;
    assert_eq!(history.len(), 1);
    let written = history[0]
        .writes
        .iter()
        .map(|write| (write.call, write.properties["visits"].as_str()));
    assert_eq!(written.collect::<Vec<_>>(), [(1, "1"), (2, "2")]);

    // The association call has a limit of its own.
    let summary = sim.summary().await?;
    assert_eq!(
        (summary.calls, summary.throttled, summary.worst_ten_seconds),
        (4, 0, 3),
        "{summary:?}"
    );
    let calls = sim.calls().await?;
    assert_eq!(
        calls
            .iter()
            .map(|call| (call.method.as_str(), call.inputs))
            .collect::<Vec<_>>(),
        [("POST", 1); 4]
    );
    Ok(())
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_says() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    sim.faults(&json!([{"then": {"answer": "burst_limit"}, "times": 1}]))
        .await?;
    let read = json!({"inputs": [], "properties": []});
    let path = "/crm/objects/2026-03/contacts/batch/read";
    let refused = sim.call(path, &read).await.expect_err("a 429").to_string();
    assert!(refused.contains("429"), "{refused}");
    sim.call(path, &read).await?;
    assert_eq!(sim.summary().await?.throttled, 1);
    Ok(())
}

fn first_id(answer: &Value) -> Result<String> {
    let id = answer["results"][0]["id"].as_str();
    id.map(str::to_owned)
        .ok_or_else(|| anyhow::anyhow!("no id in {answer}"))
}
