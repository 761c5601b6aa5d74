//! `hubferry schema` and what `check` makes of it, as users meet them, on the simulator's sample portal.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::{Command, Output};

use hubferry_sim::{SetupCall, SimSettings, Simulator, TokenSpec};
use serde_json::{Value, json};

const HEAD: &str = r#"destinations:
  - name: acme
    hubspot: { base_url: BASE, auth: { kind: private_app, token: pat-1 } }
    mappings:
"#;
const CONTACTS: &str = r#"      - name: contacts
        action: upsertContact
        trigger: type = "identify"
        fields:
          email: { "@path": $.traits.email }
          properties:
            jobtitle: { "@path": $.traits.title }
"#;
const PETS: &str = r#"      - name: pets
        action: upsertObject
        sync_mode: upsert
        trigger: type = "track"
        fields:
          object_details: { object_type: p891936587_pets, id_field_name: pet_id, id_field_value: { "@path": $.properties.id } }
          association_sync_mode: read
          properties:
            species: dog
"#;
const EVENTS: &str = r#"      - name: orders
        action: customEvent
        sync_mode: update
        trigger: type = "track" and event = "Order Completed"
        fields:
          event_name: order_completed
          record_details: { object_type: contact, email: { "@path": $.properties.email } }
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(base: &str, mappings: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(base, mappings);
        folder
    }

    fn write(&self, base: &str, mappings: &str) {
        let text = format!("{}{mappings}", HEAD.replace("BASE", base));
        std::fs::write(self.0.path().join("c.yaml"), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hubferry"))
            .args(arguments)
            .args(["--config", "c.yaml"])
            .env_clear()
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The choices as `label=value`.
    fn choices(&self, arguments: &[&str]) -> Vec<String> {
        let listed = self.json(&[&["schema"], arguments].concat(), 0);
        let text = |choice: &Value, key| choice[key].as_str().unwrap().to_owned();
        listed["choices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|choice| format!("{}={}", text(choice, "label"), text(choice, "value")))
            .collect()
    }
}

async fn sample() -> Simulator {
    Simulator::start(SimSettings::sample()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_drop_down_of_the_reference_is_listed() {
    let simulator = sample().await;
    let folder = Folder::new(&simulator.base_url(), CONTACTS);
    assert_eq!(
        folder.choices(&["objects"])[..3],
        [
            "Pets (Custom)=p891936587_pets",
            "Contact=contact",
            "Company=company"
        ]
    );
    assert_eq!(
        folder.choices(&["objects", "--for", "upsertCustomObjectRecord"]),
        [
            "Pets=p891936587_pets",
            "Deals=deals",
            "Tickets=tickets",
            "Contacts=contacts",
            "Companies=companies"
        ]
    );
    let pets = folder.choices(&["properties", "p891936587_pets"]);
    let position = |choice: &str| pets.iter().position(|one| one == choice);
    assert!(position("Born - date=born").unwrap() < position("Weight - number=weight").unwrap());
    assert!(position("Species - enumeration=species").is_some());
    assert!(!pets.iter().any(|one| one.ends_with("=pet_id")), "{pets:?}");
    assert_eq!(
        folder.choices(&["properties", "contact", "--sensitive"]),
        ["National id - string=national_id"]
    );
    assert_eq!(
        folder.choices(&["ids", "p891936587_pets"]),
        ["Record ID (updates only)=hs_object_id", "Pet id=pet_id"]
    );
    assert_eq!(
        folder.choices(&["ids", "contact"])[..2],
        ["Record ID (updates only)=hs_object_id", "Email=email"]
    );
    let labels = folder.choices(&["labels", "contact", "company"]);
    assert!(
        labels
            .iter()
            .any(|one| one.starts_with("contact to company Billing contact=USER_DEFINED:")),
        "{labels:?}"
    );
    assert!(
        labels
            .iter()
            .any(|one| one == "contact to company default label (type 279)=HUBSPOT_DEFINED:279"),
        "{labels:?}"
    );
    let folded: Vec<String> = labels.iter().map(|one| one.to_lowercase()).collect();
    assert!(folded.is_sorted(), "{labels:?}");
    assert_eq!(
        folder.choices(&["lists", "contact"]),
        ["Newsletter=Newsletter"]
    );
    assert_eq!(
        folder.choices(&["events"]),
        [
            "Order Completed=pe891936587_order_completed",
            "Page Viewed=pe891936587_page_viewed"
        ]
    );
    assert_eq!(
        folder.choices(&["events", "--for", "sendCustomBehavioralEvent"])[0],
        "order_completed=pe891936587_order_completed"
    );
    assert_eq!(
        folder.choices(&["properties", "Order Completed", "--for", "customEvent"]),
        [
            "Gift - enumeration=gift",
            "Page URL - string=page_url",
            "Placed at - datetime=placed_at",
            "Title - string=title",
            "Total - number=total"
        ]
    );
    assert!(!folder.choices(&["groups", "contact"]).is_empty());
    let table = folder.run(&["schema", "lists", "company", "--output", "table"]);
    assert_eq!(
        String::from_utf8(table.stdout).unwrap(),
        "Key accounts  Key accounts\n"
    );
    simulator.stop().await;
}

/// The reference reads the first page and stops there.
#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_read() {
    let property = |n: u32| {
        json!({"name": format!("extra_{n:03}"), "label": format!("Extra {n:03}"), "type": "string",
        "fieldType": "text", "groupName": "contactinformation"})
    };
    let call = |path: &str, body: Value| -> SetupCall {
        serde_json::from_value(json!({"path": path, "body": body})).unwrap()
    };
    let properties = (0..250).map(|n| call("/crm/properties/2026-03/contacts", property(n)));
    let lists = (0..620).map(|n| {
        call(
            "/crm/lists/2026-03",
            json!({"name": format!("List {n:03}"), "objectTypeId": "0-1", "processingType": "MANUAL"}),
        )
    });
    let settings = SimSettings {
        setup: properties.chain(lists).collect(),
        ..SimSettings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    let folder = Folder::new(&simulator.base_url(), CONTACTS);
    let extra =
        |all: Vec<String>, word: &str| all.iter().filter(|one| one.starts_with(word)).count();
    assert_eq!(
        extra(folder.choices(&["properties", "contact"]), "Extra "),
        250
    );
    assert_eq!(extra(folder.choices(&["lists", "contact"]), "List "), 620);
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_an_empty_list_with_an_error() {
    let settings = SimSettings {
        tokens: vec![TokenSpec {
            token: "pat-1".to_owned(),
            scopes: vec!["crm.objects.contacts.read".to_owned()],
        }],
        ..SimSettings::sample()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    let folder = Folder::new(&simulator.base_url(), CONTACTS);
    for (arguments, status) in [
        (&["schema", "lists", "contact"][..], "403"),
        (&["schema", "properties", "p1_nothing"], "404"),
    ] {
        let answer = folder.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(answer.status.code(), Some(3), "{answer:?}");
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(answer["choices"], json!([]), "{answer}");
        assert!(
            ["403", "404"].contains(&answer["error"]["code"].as_str().unwrap()),
            "{answer} {status}"
        );
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_schema_is_compared_with_what_the_portal_has_now() {
    let simulator = sample().await;
    let folder = Folder::new(&simulator.base_url(), &[CONTACTS, PETS, EVENTS].concat());
    assert_eq!(folder.run(&["schema", "diff"]).status.code(), Some(1));
    let pulled = folder.json(&["schema", "pull"], 0);
    assert_eq!(pulled["objects"], 5, "{pulled}");
    assert_eq!(pulled["events"], 2, "{pulled}");
    let file = folder.0.path().join("schema/acme.json");
    let pinned: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let portal = &pinned["portal_id"];
    assert_eq!(portal, 891_936_587);
    assert!(pinned["objects"]["contacts"]["properties"]["national_id"].is_object());
    assert!(
        pinned["objects"]["p891936587_pets"]["type_id"]
            .as_str()
            .unwrap()
            .starts_with("2-")
    );
    let same = folder.json(&["schema", "diff"], 0);
    assert_eq!(same, json!({"differences": []}));
    // Somebody removes a property from the file, which is as good as adding one to the portal, and changes another.
    let mut drifted = pinned;
    let contacts = &mut drifted["objects"]["contacts"]["properties"];
    contacts
        .as_object_mut()
        .unwrap()
        .shift_remove("national_id");
    contacts["jobtitle"]["kind"] = json!("number:number");
    contacts["gone"] = contacts["jobtitle"].clone();
    std::fs::write(&file, drifted.to_string()).unwrap();
    let lines = folder.run(&["schema", "diff"]);
    assert_eq!(lines.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(lines.stdout).unwrap(),
        "removed  property contacts.gone\n\
         changed  property contacts.jobtitle: type number:number → string:text\n\
         added    property contacts.national_id\n\
         3 differences\n"
    );
    simulator.stop().await;
}

/// A mapping with a mistake of every kind.
const FAULTY: &str = r#"      - name: contacts
        action: upsertContact
        trigger: type = "identify"
        fields:
          email: { "@path": $.traits.email }
          properties:
            jobtitel: { "@path": $.traits.title }
            hs_object_id: { "@path": $.traits.id }
            lifecyclestage: leed
      - name: pets
        action: upsertObject
        sync_mode: upsert
        trigger: type = "track"
        invalid_property: drop
        fields:
          object_details: { object_type: p891936587_pets, id_field_name: pet_name, id_field_value: { "@path": $.properties.id } }
          association_sync_mode: read
          properties:
            weight: heavy
          associations:
            - { object_type: contact, association_label: "USER_DEFINED:9999", id_field_name: emial, id_field_value: { "@path": $.properties.email } }
          list_details: { list_name: Pets, list_action: true, should_create_list: false }
      - name: orders
        action: customEvent
        sync_mode: update
        trigger: type = "track" and event = "Order Completed"
        fields:
          event_name: order_complete
          record_details: { object_type: contact, email: { "@path": $.properties.email } }
"#;

fn found(report: &Value, list: &str) -> Vec<(u64, String)> {
    report[list]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| {
            one["path"]
                .as_str()
                .is_some_and(|path| path.contains(".fields."))
        })
        .map(|one| {
            assert_eq!(one["code"], "mapping_invalid", "{one}");
            assert_eq!(one["file"], "c.yaml", "{one}");
            (
                one["line"].as_u64().unwrap(),
                one["message"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_holds_mappings_against_the_schema_pinned_and_live() {
    let simulator = sample().await;
    let folder = Folder::new(&simulator.base_url(), FAULTY);
    // Nothing is known yet.
    assert_eq!(folder.run(&["check"]).status.code(), Some(0));
    folder.json(&["schema", "pull"], 0);
    let pinned = folder.json(&["check"], 1);
    let live = folder.json(&["check", "--live"], 1);
    for report in [&pinned, &live] {
        let problems = found(report, "problems");
        let expected = [
            (
                11,
                "contacts has no property jobtitel; did you mean \"jobtitle\"?",
            ),
            (12, "hs_object_id of contacts is read-only"),
            (13, "lifecyclestage takes one of"),
            (
                20,
                "pet_name of p891936587_pets is not unique, so no record is found by it; unique are pet_id",
            ),
            (
                25,
                "contacts has no property emial; did you mean \"email\"?",
            ),
            (
                25,
                "there is no label USER_DEFINED:9999 from p891936587_pets to contacts; there are ",
            ),
            (26, "there is no list \"Pets\""),
            (
                32,
                "the portal has no event order_complete; did you mean \"order_completed\"?",
            ),
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for ((line, message), (at, words)) in problems.iter().zip(expected) {
            assert_eq!(*line, at, "{message}");
            assert!(message.contains(words), "{message}\n{words}");
        }
        // `invalid_property: drop` leaves the value out and writes the rest.
        let warnings = found(report, "warnings");
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        assert!(
            warnings[0].1.starts_with("weight takes a number"),
            "{warnings:#?}"
        );
    }
    folder.write(&simulator.base_url(), &[CONTACTS, PETS, EVENTS].concat());
    for arguments in [&["check", "--strict"][..], &["check", "--live"]] {
        let output = folder.run(arguments);
        let lines = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!lines.contains("mapping_invalid"), "{output:?}");
    }
    simulator.stop().await;
}
