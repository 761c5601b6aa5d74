//! `hubferry import` as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn hubferry(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubferry"))
        .args(arguments)
        .env_clear()
        .env("HUBSPOT_TOKEN_FILE", folder.join("token"))
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An export with a subscription of every kind of trouble.
fn exported() -> Value {
    json!([
        {
            "id": "a", "name": "Upsert Contact", "actionSlug": "upsertContact", "enabled": true,
            "trigger": "type = \"identify\" or type = \"track\" and event = \"Signed Up\"",
            "settings": {
                "email": { "@path": "$.traits.email" },
                "lifecyclestage": { "@path": "$.traits.stage" },
                "properties": { "@path": "$.traits" },
                "enable_batching": true, "batch_size": 50,
                "greeting": "gone",
                "__segment_internal_matching_key": "email",
            },
        },
        {
            "name": "Upsert Contact", "partnerAction": "upsertContact", "subscribe": "type = \"group\"",
            "mapping": {
                "__segment_internal_directive": { "@transform": { "apply": { "mail": { "@path": "$.traits.email" } } } },
                "email": { "@path": "$.mail" },
            },
        },
        {
            "name": "Companies", "actionSlug": "upsertCompany", "enabled": false, "trigger": "type = \"group\"",
            "mapping": {
                "groupid": { "@path": "$.groupId" }, "createNewCompany": true, "associateContact": true,
                "companysearchfields": { "domain": { "@path": "$.traits.website" } },
                "description": "costs ${NOTHING}",
            },
        },
        {
            "name": "Deals", "actionSlug": "upsertObject", "enabled": true, "trigger": "type = \"track\"",
            "mapping": {
                "__segment_internal_sync_mode": "upsert",
                "object_details": { "object_type": "deals", "id_field_name": "key", "id_field_value": { "@path": "$.properties.id" } },
                "association_sync_mode": "upsert",
            },
        },
        { "name": "Broken", "actionSlug": "upsertContact", "trigger": "and and", "settings": { "email": { "@path": "$.userId" } } },
        { "name": "Elsewhere", "actionSlug": "sendEmail", "trigger": "type = \"track\"" },
        "nonsense",
    ])
}

#[test]
fn an_export_becomes_a_configuration_that_check_accepts_with_notes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("token"), "t").unwrap();
    std::fs::write(folder.join("export.json"), exported().to_string()).unwrap();
    let output = hubferry(folder, &["import", "export.json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stderr), "5 mappings imported, 3 enabled\n");
    let page = text(&output.stdout);
    for part in [
        "      - name: upsert-contact\n        action: upsertContact\n        trigger: 'type = \"identify\" or ",
        "        trigger_dialect: reference\n",
        "      - name: upsert-contact-2\n",
        "      - name: companies\n        action: upsertCompany\n        enabled: false\n",
        "      - name: deals\n        action: upsertObject\n        trigger: 'type = \"track\"'\n        sync_mode: upsert\n",
        "          email: { \"@path\": \"$.traits.email\" }\n",
        "      # note: the field greeting is left out: upsertContact has no such field, and the reference drops it\n",
        "      # note: a company has to match all search fields here, and any of them in the reference;",
        "      # note: the trigger \"and and\" cannot be read",
        "      # Elsewhere\n      # note: not imported: sendEmail is no action of this destination\n",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    std::fs::write(folder.join("c.yaml"), &page).unwrap();
    let checked = hubferry(folder, &["check", "--config", "c.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");

    let events = [
        json!({ "type": "identify", "userId": "u", "traits": { "email": "a@b.co", "stage": "lead", "x": 1 } }),
        json!({ "type": "group", "userId": "u", "groupId": "g", "traits": { "email": "a@b.co" } }),
    ];
    let events: String = events.iter().map(|event| format!("{event}\n")).collect();
    std::fs::write(folder.join("events.ndjson"), events).unwrap();
    let arguments = [
        "try",
        "--config",
        "c.yaml",
        "--events",
        "events.ndjson",
        "-o",
        "json",
    ];
    let tried = text(&hubferry(folder, &arguments).stdout);
    let tried: Vec<Value> = tried
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // `or … and` is one list joined by the last operator, there as here.
    assert_eq!(tried[0]["mappings"][0]["fired"], false);
    assert_eq!(
        tried[1]["mappings"][1]["payload"],
        json!({ "email": "a@b.co" })
    );
}

#[test]
fn json_is_a_configuration_too_and_the_notes_go_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("token"), "t").unwrap();
    let wrapped = json!({ "data": { "subscriptions": exported() } });
    std::fs::write(folder.join("export.json"), wrapped.to_string()).unwrap();
    let output = hubferry(folder, &["import", "export.json", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let written: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mappings = &written["destinations"][0]["mappings"];
    assert_eq!(mappings.as_array().unwrap().len(), 5);
    assert_eq!(mappings[2]["fields"]["description"], "costs $${NOTHING}");
    assert!(text(&output.stderr).contains("note: Broken: the trigger \"and and\" cannot be read"));
    std::fs::write(folder.join("c.json"), &output.stdout).unwrap();
    let checked = hubferry(folder, &["check", "--config", "c.json"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn what_is_left_to_do_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let faulty = json!([{ "name": "c", "actionSlug": "upsertContact", "trigger": "type = \"identify\"", "mapping": { "phone": { "@oops": 1 } } }]);
    std::fs::write(folder.join("export.json"), faulty.to_string()).unwrap();
    let output = hubferry(folder, &["import", "export.json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stdout).contains("# note: to be settled before it can be used: fields/phone")
    );
    let errors = text(&output.stderr);
    assert!(
        errors.contains(
            "still to be settled: mapping_invalid: destinations[hubspot].mappings[c].fields/phone"
        ),
        "{errors}"
    );
    assert!(
        errors.contains("the field email is required by upsertContact"),
        "{errors}"
    );
    for (file, content, message) in [
        (
            "gone.json",
            None,
            "could not read gone.json: No such file or directory (os error 2)",
        ),
        ("text.json", Some("no"), "text.json is not JSON: "),
        (
            "number.json",
            Some("5"),
            "number.json is no list of subscriptions: ",
        ),
    ] {
        if let Some(content) = content {
            std::fs::write(folder.join(file), content).unwrap();
        }
        let output = hubferry(folder, &["import", file]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).starts_with(&format!("hubferry: {message}")),
            "{output:?}"
        );
    }
}
