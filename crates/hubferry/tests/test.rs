//! `hubferry test` as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn test(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubferry"))
        .arg("test")
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .output()
        .unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

const MAIN: &str = "destinations:\n- name: acme\n  hubspot: { auth: { kind: private_app, token_file: /nowhere } }\n";
const CONTACTS: &str = "- name: contacts\n  action: upsertContact\n  trigger: type = \"identify\"\n  use_defaults: true\n- name: companies\n  action: upsertCompany\n  trigger: type = \"group\"\n  use_defaults: true\n";

#[test]
fn the_examples_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let output = test(&root, &["."]);
    assert_eq!(
        said(&output),
        (
            Some(0),
            "39 cases passed, 0 differ, in 10 files\n".to_owned(),
            String::new()
        )
    );
}

#[test]
fn a_case_that_differs_says_where_and_why() {
    let cases = r#"config: ..
mapping: acme/contacts
cases:
- name: right
  event: { type: identify, userId: u, traits: { email: a@b.co } }
  payload: { email: a@b.co }
- name: wrong payload
  event: { type: identify, userId: u, traits: { email: " a@b.co", phone: 5 } }
  payload: { email: a@b.co, phone: 5, city: Rome }
- name: wrong ending
  event: { type: track, userId: u, event: x }
  ending: delivered
- name: wrong error
  event: { type: identify, userId: u, traits: { email: none } }
  error: { code: payload_invalid, paths: [/phone] }
- name: wrong step
  event: { type: identify, userId: u, traits: { email: a@b.co } }
  steps: [{ upsert: contacts, by: email, id: b@b.co, properties: {} }]
"#;
    let folder = folder(&[
        ("hubferry.yaml", MAIN),
        ("mappings/people.yaml", CONTACTS),
        ("mappings/people.test.yaml", cases),
    ]);
    let (code, page, errors) = said(&test(folder.path(), &["mappings"]));
    assert_eq!(
        (code, errors.as_str()),
        (Some(2), "hubferry: 4 of 5 cases differ\n")
    );
    assert_eq!(
        page,
        "differs  mappings/people.test.yaml:7  wrong payload
  payload/phone
    expected 5
    got      \"5\"
    note     /email: the blanks around it were removed
    note     /phone: a number was taken as a text
  payload/city
    expected \"Rome\"
    got      nothing

differs  mappings/people.test.yaml:10  wrong ending
  ending
    expected \"delivered\"
    got      \"skipped(not_subscribed)\"
    note     `type = \"identify\"` does not hold: the field is a text

differs  mappings/people.test.yaml:13  wrong error
  error.paths
    expected [\"/phone\"]
    got      [\"/email\"]
    note     /email: expected an e-mail address, got `n***`

differs  mappings/people.test.yaml:16  wrong step
  steps/0/id
    expected \"b@b.co\"
    got      \"a@b.co\"

1 case passed, 4 differ, in 1 file
"
    );
    let (code, report, _) = said(&test(folder.path(), &["mappings", "--output", "json"]));
    assert_eq!(code, Some(2));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&json!(1), &json!(4))
    );
    assert_eq!(
        report["cases"][4],
        json!({
            "file": "mappings/people.test.yaml",
            "line": 16,
            "name": "wrong step",
            "ok": false,
            "differences": [{ "at": "steps/0/id", "expected": "b@b.co", "got": "a@b.co" }],
        })
    );
}

#[test]
fn a_story_begins_with_what_came_before() {
    let cases = r#"cases:
- name: the contact is known
  mapping: companies
  before:
  - { type: group, userId: u, groupId: g, traits: { name: G } }
  event: { type: group, userId: u, groupId: g, traits: { name: H } }
  ending: delivered
"#;
    let folder = folder(&[
        ("hubferry.yaml", MAIN),
        ("mappings/people.yaml", CONTACTS),
        ("tests/story.test.yaml", cases),
    ]);
    let (code, page, errors) = said(&test(folder.path(), &["tests", "--config", "."]));
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{page}");
    let (code, _, errors) = said(&test(folder.path(), &["tests"]));
    assert_eq!(code, Some(1));
    assert_eq!(
        errors,
        "hubferry: tests/story.test.yaml: no configuration: add `config: PATH`, or --config\n"
    );
}

#[test]
fn what_cannot_be_run_ends_with_1() {
    let folder = folder(&[
        ("hubferry.yaml", MAIN),
        ("mappings/people.yaml", CONTACTS),
        ("empty/readme.md", ""),
        (
            "a/typo.test.yaml",
            "config: ..\ncases:\n- name: x\n  evnt: {}\n",
        ),
        (
            "b/none.test.yaml",
            "config: ..\ncases:\n- { name: x, event: {}, ending: dead, mapping: people }\n",
        ),
        (
            "c/which.test.yaml",
            "config: ..\ncases:\n- { name: x, event: { type: track, userId: u }, ending: dead }\n",
        ),
    ]);
    for (place, error) in [
        ("empty", "no *.test.yaml under empty"),
        (
            "gone",
            "could not read gone: No such file or directory (os error 2)",
        ),
        (
            "a",
            "a/typo.test.yaml:4: cases[x].evnt: unknown key; did you mean \"event\"?\nhubferry: a/typo.test.yaml:3: cases[x]: has no `event`\nhubferry: a/typo.test.yaml:3: cases[x]: expects nothing: add payload, steps, ending, skipped or error",
        ),
        (
            "b",
            "b/none.test.yaml:3: there is no mapping \"people\" that can be delivered: there are acme/contacts, acme/companies",
        ),
        (
            "c",
            "c/which.test.yaml:3: the configuration has several mappings: say which with `mapping:` (acme/contacts, acme/companies)",
        ),
    ] {
        let (code, _, errors) = said(&test(folder.path(), &[place]));
        assert_eq!(
            (code, errors),
            (Some(1), format!("hubferry: {error}\n")),
            "{place}"
        );
    }
}
