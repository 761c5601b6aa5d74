//! What a portal starts with: calls that are made to it before anybody else can, neither counted nor limited.

use serde::Deserialize;
use serde_json::{Value, json};

/// One call of a setup: a path as a client would use it, and a body.
///
/// ```
/// let setup: Vec<hubferry_sim::SetupCall> = serde_json::from_str(
///     r#"[{"path": "/crm/lists/2026-03", "body": {"name": "VIP", "objectTypeId": "0-1", "processingType": "MANUAL"}}]"#,
/// )?;
/// assert_eq!(setup[0].method, "POST");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupCall {
    /// HTTP method.
    #[serde(default = "post")]
    pub method: String,
    /// Path, perhaps with a query.
    pub path: String,
    /// JSON body.
    #[serde(default)]
    pub body: Value,
}

fn post() -> String {
    "POST".to_owned()
}

/// The calls that make the sample portal; see [`SimSettings::sample`](crate::SimSettings::sample).
pub(crate) fn sample() -> Vec<SetupCall> {
    let text = |name: &str, label: &str| json!({"name": name, "label": label, "type": "string", "fieldType": "text"});
    let mut calls = vec![
        call(
            "/crm-object-schemas/2026-03/schemas",
            json!({
                "name": "pets", "labels": {"singular": "Pet", "plural": "Pets"},
                "primaryDisplayProperty": "pet_name", "requiredProperties": ["pet_name"],
                "searchableProperties": ["pet_name"], "associatedObjects": ["CONTACT", "COMPANY", "DEAL", "TICKET"],
                "properties": [
                    text("pet_name", "Pet name"),
                    {"name": "pet_id", "label": "Pet id", "type": "string", "fieldType": "text", "hasUniqueValue": true},
                    {"name": "born", "label": "Born", "type": "date", "fieldType": "date"},
                    {"name": "weight", "label": "Weight", "type": "number", "fieldType": "number"},
                    {"name": "species", "label": "Species", "type": "enumeration", "fieldType": "select",
                     "options": [{"label": "Dog", "value": "dog"}, {"label": "Cat", "value": "cat"}]},
                    {"name": "likes", "label": "Likes", "type": "enumeration", "fieldType": "checkbox",
                     "options": [{"label": "Walks", "value": "walks"}, {"label": "Naps", "value": "naps"}]},
                    {"name": "vaccinated", "label": "Vaccinated", "type": "bool", "fieldType": "booleancheckbox"},
                ],
            }),
        ),
        call(
            "/crm/associations/2026-03/contacts/companies/labels",
            json!({"name": "decision_maker", "label": "Decision maker", "inverseLabel": "Decided by"}),
        ),
        call(
            "/crm/associations/2026-03/contacts/companies/labels",
            json!({"name": "billing", "label": "Billing contact"}),
        ),
        call(
            "/crm/properties/2026-03/contacts",
            json!({"name": "national_id", "label": "National id", "type": "string", "fieldType": "text",
                "groupName": "contactinformation", "dataSensitivity": "sensitive"}),
        ),
        call(
            "/crm/properties/2026-03/contacts",
            json!({"name": "diagnosis", "label": "Diagnosis", "type": "string", "fieldType": "text",
                "groupName": "contactinformation", "dataSensitivity": "highly_sensitive"}),
        ),
        call(
            "/crm/pipelines/2026-03/deals",
            json!({"pipelineId": "renewals", "label": "Renewals", "displayOrder": 1, "stages": [
                {"stageId": "renewal_open", "label": "Open", "displayOrder": 0, "metadata": {"probability": "0.5"}},
                {"stageId": "renewal_won", "label": "Won", "displayOrder": 1, "metadata": {"probability": "1.0"}}]}),
        ),
    ];
    for (object, group) in [
        ("deals", "dealinformation"),
        ("tickets", "ticketinformation"),
        ("companies", "companyinformation"),
    ] {
        calls.push(call(
            &format!("/crm/properties/2026-03/{object}"),
            json!({"name": "external_id", "label": "External id", "type": "string", "fieldType": "text",
                "groupName": group, "hasUniqueValue": true}),
        ));
    }
    for (name, label) in [
        ("order_completed", "Order Completed"),
        ("page_viewed", "Page Viewed"),
    ] {
        calls.push(call(
            "/events/2026-03/event-definitions",
            json!({"name": name, "label": label, "primaryObject": "CONTACT", "includeDefaultProperties": false,
                "propertyDefinitions": [
                    {"name": "title", "label": "Title", "type": "string"},
                    {"name": "page_url", "label": "Page URL", "type": "string"},
                    {"name": "total", "label": "Total", "type": "number"},
                    {"name": "placed_at", "label": "Placed at", "type": "datetime"},
                    {"name": "gift", "label": "Gift", "type": "enumeration", "options": [
                        {"label": "true", "value": "true"}, {"label": "false", "value": "false"}]},
                ]}),
        ));
    }
    for (name, object, kind) in [
        ("Newsletter", "0-1", "MANUAL"),
        ("Trial 2026", "0-1", "SNAPSHOT"),
        ("Active customers", "0-1", "DYNAMIC"),
        ("Key accounts", "0-2", "MANUAL"),
    ] {
        calls.push(call(
            "/crm/lists/2026-03",
            json!({"name": name, "objectTypeId": object, "processingType": kind}),
        ));
    }
    calls
}

fn call(path: &str, body: Value) -> SetupCall {
    SetupCall {
        method: post(),
        path: path.to_owned(),
        body,
    }
}
