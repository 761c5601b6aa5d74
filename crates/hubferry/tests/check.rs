//! `hubferry check` as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::{Command, Output};

use serde_json::{Value, json};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubferry"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .env("TOKEN", "t")
        .output()
        .unwrap()
}

/// Several mistakes of different kinds, and something worth a second look.
const FAULTY: &str = r#"destinations:
  - name: acme
    hubspot:
      auth: { kind: private_app, token_env: TOKEN }
      limits: { ten_secs: 100 }
    mappings:
      - name: contacts
        action: upsertContacts
        trigger: type = "identify"
      - name: people
        action: upsertContact
        trigger: type = "identify" or type = "track" and event = "x"
        use_defaults: true
        skip_unchanged: 1h
        fields:
          emial: x
          phone:
            "@path": 5
"#;

#[test]
fn every_fault_is_found_in_one_run_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    std::fs::write(&file, FAULTY).unwrap();
    let file = file.to_str().unwrap();
    let output = check(&["--config", file, "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<(Value, Value, Value)> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            assert_eq!(problem["file"], file);
            assert!(!problem["message"].as_str().unwrap().is_empty());
            (
                problem["line"].clone(),
                problem["code"].clone(),
                problem["path"].clone(),
            )
        })
        .collect();
    let people = "destinations[acme].mappings[people]";
    assert_eq!(
        found,
        [
            (
                json!(5),
                json!("config_unknown_key"),
                json!("destinations[acme].hubspot.limits.ten_secs")
            ),
            (
                json!(8),
                json!("config_invalid"),
                json!("destinations[acme].mappings[contacts].action")
            ),
            (
                json!(12),
                json!("trigger_ambiguous"),
                json!(format!("{people}.trigger"))
            ),
            (
                json!(16),
                json!("config_unknown_key"),
                json!(format!("{people}.fields.emial"))
            ),
            (
                json!(18),
                json!("mapping_invalid"),
                json!(format!("{people}.fields/phone/@path"))
            ),
        ]
    );
    assert_eq!(
        report["warnings"],
        json!([{
            "file": file,
            "line": 14,
            "path": format!("{people}.skip_unchanged"),
            "message": "has no effect in this version",
        }])
    );
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "hubferry: 5 problems in the configuration\n"
    );
    let text = check(&["--config", file]);
    assert_eq!(text.status.code(), Some(1));
    assert!(text.stdout.is_empty());
    let errors = String::from_utf8(text.stderr).unwrap();
    assert!(errors.contains(&format!("\n  {file}:16: config_unknown_key: {people}.fields.emial: upsertContact has no such field; did you mean \"email\"?")), "{errors}");
}

#[test]
fn a_clash_is_a_warning_and_with_strict_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    let text = r#"destinations:
- name: acme
  hubspot: { auth: { kind: private_app, token_env: TOKEN } }
  mappings:
  - { name: contacts, action: upsertContact, trigger: type = "identify", use_defaults: true }
  - name: signup
    action: upsertContact
    trigger: type = "track"
    fields: { email: { "@path": $.properties.email }, city: { "@path": $.properties.city } }
"#;
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let clash = format!(
        "warning: {file}:6: mapping_clash: destinations[acme].mappings[signup]: writes city of contacts, and so does contacts: whichever event comes last wins; leave each property to one of the two\n"
    );
    let usual = check(&["--config", file]);
    assert_eq!(usual.status.code(), Some(0));
    assert_eq!(String::from_utf8(usual.stderr).unwrap(), clash);
    let strict = check(&["--config", file, "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(strict.stderr).unwrap(),
        format!("{clash}hubferry: 1 warning, and --strict\n")
    );
}
