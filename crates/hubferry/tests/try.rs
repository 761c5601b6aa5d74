//! `hubferry try` as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::{Command, Output};

use hubferry_sim::{SimSettings, Simulator};
use serde_json::{Value, json};

/// Nobody listens there, the token does not exist, and neither matters.
const CONFIG: &str = r#"destinations:
  - name: acme
    hubspot:
      base_url: BASE
      auth: { kind: private_app, TOKEN }
    mappings:
      - { name: contacts, action: upsertContact, trigger: type = "identify", use_defaults: true }
      - { name: companies, action: upsertCompany, trigger: type = "group", use_defaults: true }
      - name: signup
        enabled: false
        action: upsertContact
        trigger: type = "track" and event = "Signed Up"
        fields: { email: { "@path": $.properties.email } }
"#;

const EVENTS: &str = r#"{"type":"identify","userId":"u1","messageId":"m1","traits":{"email":" Ada@example.com","phone":5,"firstName":"","company":null}}
{"type":"group","userId":"u1","groupId":"g1","traits":{"name":"G"}}
{"type":"group","userId":"u2","groupId":"g1","traits":{"name":"G"}}
{"type":"identify","userId":"u2","traits":{"email":"grace@example.com"}}
{"type":"identify","userId":"u3","traits":{"email":"none"}}

{"type":"track","userId":"u1","event":"Signed Up","properties":{"email":"x@example.com"}}
{"type":"identify","userId":"u4","traits":{"email":"a@example.com"},"integrations":{"All":false}}
nonsense
{"type":"group","userId":"u9","groupId":"g2","traits":{"name":"H"}}
"#;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(base: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = CONFIG.replace("BASE", base).replace("TOKEN", token);
        std::fs::write(folder.path().join("c.yaml"), config).unwrap();
        std::fs::write(folder.path().join("events.ndjson"), EVENTS).unwrap();
        Self { folder }
    }

    fn away() -> Self {
        Self::new("http://127.0.0.1:9", "token_file: '${NOWHERE}/token'")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hubferry"))
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn tried(&self, more: &[&str]) -> Output {
        let arguments = [
            &["try", "--config", "c.yaml", "--events", "events.ndjson"],
            more,
        ]
        .concat();
        self.run(&arguments)
    }

    fn tried_json(&self, more: &[&str]) -> Vec<Value> {
        let output = self.tried(&[&["--output", "json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn each_event_says_what_it_would_do_and_the_last_line_sums_up() {
    let mut lines = Files::away().tried_json(&[]);
    assert_eq!(lines.len(), 10);
    // Which call goes first is the scheduler's business.
    let calls = lines[0]["mappings"][0]
        .as_object_mut()
        .unwrap()
        .remove("calls");
    assert_eq!(calls.unwrap().as_array().unwrap().len(), 1);
    assert_eq!(
        lines[0],
        json!({
            "line": 1,
            "type": "identify",
            "messageId": "m1",
            "mappings": [
                {
                    "mapping": "acme/contacts",
                    "fired": true,
                    "action": "upsertContact",
                    "payload": { "email": "Ada@example.com", "phone": "5" },
                    "notes": [
                        "/email: the blanks around it were removed",
                        "/phone: a number was taken as a text",
                        "/company: left out; it is null",
                        "/firstname: left out; it is empty",
                    ],
                    "steps": [{ "upsert": "contacts", "by": "email", "id": "ada@example.com", "properties": { "phone": "5" } }],
                    "ending": "delivered",
                },
                {
                    "mapping": "acme/companies",
                    "fired": false,
                    "because": "`type = \"group\"` does not hold: the field is a text",
                },
            ],
        })
    );
    let company = &lines[1]["mappings"][1];
    assert_eq!(
        company["steps"],
        json!([
            { "ensure": "companies", "property": "segment_group_id" },
            { "upsert": "companies", "by": "segment_group_id", "id": "g1", "properties": { "name": "G" } },
            { "associate": "companies", "with": "contacts", "person": ["u1"] },
        ])
    );
    let calls = |line: usize| {
        lines[line]["mappings"][1]["calls"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        calls(1),
        1,
        "the association: line 3 wrote the same company"
    );
    assert_eq!(calls(2), 2, "the property and the company");
    assert_eq!(calls(8), 2, "nothing to associate with yet");
    let refused = &lines[4]["mappings"][0];
    assert_eq!(refused["ending"], "dead");
    assert_eq!(refused["code"], "payload_invalid");
    assert_eq!(
        refused["violations"],
        json!([{ "path": "/email", "message": "expected an e-mail address, got `n***`" }])
    );
    assert_eq!(lines[5]["line"], 7);
    assert_eq!(lines[5]["reason"], "not_subscribed");
    assert_eq!(lines[6]["reason"], "integrations");
    assert_eq!(lines[7]["code"], "parse_error");
    let total = &lines[9]["total"];
    assert_eq!(total["events"], 9);
    assert_eq!(
        total["dead_by_code"],
        json!({ "parse_error": 1, "payload_invalid": 1 })
    );
    assert_eq!(total["links_waiting"], 1, "the contact of u9 never comes");
    assert_eq!(total["calls"]["companies/batch/upsert"], 1);
}

const DELETING: &str = r#"destinations:
  - name: acme
    deletion: { enabled: true }
    hubspot: { auth: { kind: private_app, token_file: '${NOWHERE}' } }
    mappings:
      - { name: contacts, action: upsertContact, trigger: type = "identify", use_defaults: true }
      - name: rows
        action: upsertObject
        sync_mode: upsert
        trigger: type = "track"
        fields:
          object_details: { object_type: contact, id_field_name: email, id_field_value: { "@path": $.properties.EMAIL } }
          association_sync_mode: read
"#;

/// What a configuration makes of events.
fn tried_with(config: &str, events: &str) -> (Vec<Value>, String) {
    let files = Files::away();
    std::fs::write(files.folder.path().join("c.yaml"), config).unwrap();
    std::fs::write(files.folder.path().join("events.ndjson"), events).unwrap();
    let page = String::from_utf8(files.tried(&[]).stdout).unwrap();
    (files.tried_json(&[]), page)
}

#[test]
fn s8_a_delete_event_shows_whom_it_deletes_and_how() {
    let events = r#"{"type":"identify","userId":"u1","traits":{"email":"ada@example.com"}}
{"type":"delete","userId":"u1","anonymousId":"a1"}
{"type":"delete","userId":"u2"}
{"type":"delete","traits":{"email":"ada@example.com"}}
"#;
    let (lines, page) = tried_with(DELETING, events);
    let deletion = |line: usize| &lines[line]["mappings"][2];
    assert_eq!(
        deletion(0),
        &json!({"mapping": "acme/deletion", "fired": false, "because": "the type is not `delete`"})
    );
    assert_eq!(
        deletion(1),
        &json!({
            "mapping": "acme/deletion",
            "fired": true,
            "action": "deletion",
            "notes": [],
            "steps": [{ "archive": "contacts", "person": ["u1", "a1"] }],
            "calls": [2],
            "ending": "delivered",
        })
    );
    assert_eq!(deletion(2)["ending"], "skipped");
    assert_eq!(deletion(2)["reason"], "not_found");
    assert_eq!(lines[4]["total"]["calls"]["contacts/batch/archive"], 1);
    for part in [
        "  acme/deletion  fires deletion: delivered\n    step     archive the contact of u1, else a1\n    call     2 contacts/batch/archive\n",
        "  acme/deletion  fires deletion: skipped(not_found)\n    step     archive the contact of u2\n",
        "    step     archive nobody: the event has neither userId nor anonymousId\n",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    let gdpr = DELETING.replacen("enabled: true", "enabled: true, mode: gdpr", 1);
    let (lines, _) = tried_with(&gdpr, events);
    assert_eq!(
        lines[1]["mappings"][2]["steps"],
        json!([{ "gdpr-delete": "contacts", "person": ["u1", "a1"] }])
    );
}

#[test]
fn s4_the_membership_of_rows_and_audiences_is_shown() {
    let row = |event: &str| {
        format!(
            r#"{{"type":"track","event":"{event}","properties":{{"__segment_id":"1","EMAIL":"a@example.com"}}}}"#
        )
    };
    let audience = r#"{"type":"identify","userId":"u","traits":{"email":"a@example.com","vip":false},"context":{"personas":{"computation_class":"audience","computation_key":"vip"}}}"#;
    let plain = r#"{"type":"identify","userId":"u","traits":{"email":"a@example.com","vip":true}}"#;
    let events = [
        row("new"),
        row("updated"),
        row("deleted"),
        audience.to_owned(),
        plain.to_owned(),
    ]
    .join("\n");
    // The row mapping's sync mode, and what is said of the events in turn.
    for (sync, expected) in [
        (
            "upsert",
            [Some("add"), Some("add"), None, Some("remove"), None],
        ),
        ("add", [Some("add"), None, None, Some("remove"), None]),
        ("update", [None, Some("add"), None, Some("remove"), None]),
    ] {
        let config = DELETING.replacen("sync_mode: upsert", &format!("sync_mode: {sync}"), 1);
        let (lines, page) = tried_with(&config, &events);
        let said = |line: usize| {
            let mappings = lines[line]["mappings"].as_array().unwrap();
            mappings.iter().find_map(|one| one["membership"].as_str())
        };
        assert_eq!([0, 1, 2, 3, 4].map(said), expected, "{sync}");
        assert!(page.contains("    membership remove\n"), "{page}");
    }
}

#[test]
fn one_mapping_is_tried_alone_even_before_it_is_enabled() {
    let files = Files::away();
    let lines = files.tried_json(&["--mapping", "signup"]);
    assert_eq!(lines[5]["mappings"][0]["mapping"], "acme/signup");
    assert_eq!(lines[5]["mappings"][0]["ending"], "delivered");
    assert_eq!(lines[0]["mappings"].as_array().unwrap().len(), 1);
    let unknown = files.tried(&["--mapping", "sign"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(unknown.stderr).unwrap(),
        "hubferry: there is no mapping \"sign\" that can be delivered: there are acme/contacts, acme/companies, acme/signup; did you mean \"signup\"?\n"
    );
}

#[test]
fn people_get_a_page_without_colours_in_a_pipe() {
    let output = Files::away().tried(&[]);
    assert_eq!(output.status.code(), Some(0));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(!page.contains('\u{1b}'));
    for part in [
        "line 1  identify  m1\n  acme/contacts  fires upsertContact: delivered\n    payload  {\"email\":\"Ada@example.com\",\"phone\":\"5\"}\n",
        "    step     upsert contacts by email ada@example.com: phone=5\n",
        "  acme/contacts  fires upsertContact: dead(payload_invalid)\n",
        "    invalid  /email: expected an e-mail address, got `n***`\n    fix      correct the value at the source, or map another field\n",
        "line 7  track \"Signed Up\"  skipped(not_subscribed)\n",
        "line 9  dead(parse_error)\n",
        "\nThese 9 events cost 4 calls: ",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_ends_as_a_run_does() {
    let simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let files = Files::new(&simulator.base_url(), "token: any");
    let tried = files.tried_json(&[]).pop().unwrap();
    let arguments = [
        "run",
        "--config",
        "c.yaml",
        "--input",
        "events.ndjson",
        "--output",
        "json",
    ];
    let files = tokio::task::spawn_blocking(move || files.run(&arguments))
        .await
        .unwrap();
    let ran: Value = serde_json::from_slice(&files.stdout).unwrap();
    let total = &tried["total"];
    for sum in [
        "events",
        "deliveries",
        "skipped",
        "dead",
        "skipped_by_reason",
        "dead_by_code",
        "links_waiting",
    ] {
        assert_eq!(total[sum], ran[sum], "{sum}");
    }
    let done =
        |sums: &Value| sums["delivered"].as_u64().unwrap() + sums["merged"].as_u64().unwrap();
    assert_eq!(done(total), done(&ran));
}
