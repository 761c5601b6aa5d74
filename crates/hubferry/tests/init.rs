//! `hubferry init` as its users meet it: what it writes passes `check` and `test`, and nothing is overwritten.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hubferry_sim::{SimSettings, Simulator};
use serde_json::Value;

fn hubferry(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubferry"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .current_dir(folder)
        .output()
        .unwrap()
}

fn passes(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = hubferry(folder, arguments, variables);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {stdout}{stderr}"
    );
    stdout
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(folder).unwrap();
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn everything_for_the_simulator_passes_check_and_test() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    passes(folder, &["init", "first", "--simulator"], &[]);
    let written = files(&folder.join("first"));
    assert_eq!(written.len(), 14, "{written:?}");
    assert!(written.contains(&"schema/acme.json".to_owned()));
    passes(folder, &["check", "--config", "first"], &[]);
    let said = passes(folder, &["test", "first/tests"], &[]);
    assert!(said.contains(" 0 differ, in 6 files"), "{said}");
}

#[test]
fn without_a_token_nothing_is_pinned_and_the_rest_passes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = [
        "init",
        "--template",
        "contacts",
        "--template",
        "deals",
        "--name",
        "shop",
        "--brokers",
        "k:9092",
        "--topic",
        "events",
    ];
    passes(folder, &arguments, &[]);
    assert_eq!(
        files(folder),
        [
            "hubferry.yaml",
            "mappings/contacts.yaml",
            "mappings/deals.yaml",
            "tests/contacts.test.yaml",
            "tests/deals.test.yaml",
        ]
    );
    let written = std::fs::read_to_string(folder.join("hubferry.yaml")).unwrap();
    assert!(written.contains("brokers: \"k:9092\"\n"), "{written}");
    passes(
        folder,
        &["check", "--config", "."],
        &[("HUBSPOT_TOKEN", "t")],
    );
    passes(folder, &["test", "tests"], &[]);
}

#[test]
fn nothing_is_overwritten_and_nothing_else_is_written_then() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("mappings")).unwrap();
    std::fs::write(folder.join("mappings/deals.yaml"), "mine").unwrap();
    let output = hubferry(folder, &["init", "--simulator"], &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nothing is overwritten: ./mappings/deals.yaml is there already"),
        "{said}"
    );
    assert_eq!(files(folder), ["mappings/deals.yaml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_pins_the_portal_and_what_it_lacks_is_switched_off() {
    let simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let base = simulator.base_url();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let done = tokio::task::spawn_blocking(move || {
        let variables = [
            ("HUBSPOT_TOKEN", "pat-1"),
            (
                "HUBFERRY__DESTINATIONS__ACME__HUBSPOT__BASE_URL",
                base.as_str(),
            ),
        ];
        let said = passes(&path, &["init", "--output", "json"], &variables);
        let said: Value = serde_json::from_str(&said).unwrap();
        let off = said["switched_off"].as_array().unwrap();
        assert!(off.iter().any(|one| one["mapping"] == "deals"), "{said}");
        let deals = std::fs::read_to_string(path.join("mappings/deals.yaml")).unwrap();
        assert!(deals.contains("\nenabled: false\n"), "{deals}");
        passes(&path, &["check", "--config", "."], &variables);
        passes(&path, &["test", "tests"], &variables);
    });
    done.await.unwrap();
    simulator.stop().await;
}
