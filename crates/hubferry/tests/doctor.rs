//! `hubferry doctor` and `hubferry limits` as their users meet them, on the simulator.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::{Command, Output};

use hubferry_sim::{SimSettings, Simulator};
use serde_json::Value;

fn configuration(base: &str, more: &str) -> String {
    format!(
        "destinations:
- name: acme
  hubspot: {{ base_url: '{base}', auth: {{ kind: private_app, token: pat-1 }}{more} }}
  mappings:
  - name: contacts
    action: upsertContact
    trigger: type = \"identify\"
    use_defaults: true
"
    )
}

async fn run(arguments: &[&str], configuration: String) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|&one| one.to_owned()).collect();
    let running = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.yaml"), configuration).unwrap();
        Command::new(env!("CARGO_BIN_EXE_hubferry"))
            .args(arguments)
            .args(["--config", "c.yaml"])
            .env_clear()
            .current_dir(folder.path())
            .output()
            .unwrap()
    });
    running.await.unwrap()
}

fn verdicts(shown: &Value) -> Vec<(&str, &str)> {
    let of = |check: &'_ Value, key: &str| check[key].as_str().map(ToOwned::to_owned).unwrap();
    let all = shown["checks"].as_array().unwrap();
    all.iter()
        .map(|check| {
            assert!(!of(check, "message").is_empty());
            (
                check["check"].as_str().unwrap(),
                check["verdict"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_works_passes_and_what_is_absent_is_a_warning() {
    let simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let written = configuration(&simulator.base_url(), "");
    let output = run(&["doctor", "--output", "json"], written).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        verdicts(&shown),
        [
            ("version", "pass"),
            // A token in the file.
            ("configuration", "warn"),
            ("kafka.brokers", "warn"),
            ("redis", "warn"),
            ("hubspot.acme.token", "pass"),
            ("hubspot.acme.portal", "pass"),
            ("hubspot.acme.scopes", "pass"),
            ("hubspot.acme.limits.ten_seconds", "pass"),
            ("hubspot.acme.limits.daily", "pass"),
        ],
        "{shown:#}"
    );
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_said_with_the_fix_and_ends_with_3() {
    let simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let written = configuration(
        &simulator.base_url(),
        ", portal_id: 5, limits: { ten_seconds: 500 }",
    );
    let unreachable = "redis: { url: 'redis://127.0.0.1:1' }\nkafka: { brokers: '127.0.0.1:1', topics: [events] }\n";
    let output = run(&["doctor"], format!("{unreachable}{written}")).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let line = |begins: &str| {
        let mut lines = said.lines();
        lines
            .find(|line| line.starts_with(begins))
            .unwrap_or_else(|| panic!("{said}"))
    };
    assert!(line("fail  kafka.brokers").contains("; fix: check kafka.brokers"));
    assert!(line("fail  redis ").contains("; fix: check redis.url"));
    assert!(line("fail  hubspot.acme.portal").contains("but hubspot.portal_id says 5; fix: "));
    assert!(
        line("warn  hubspot.acme.limits.ten_seconds")
            .contains("500 configured, but HubSpot allows ")
    );
    assert!(!said.contains("pat-1"));
    let ended = String::from_utf8(output.stderr).unwrap();
    assert!(
        ended.contains("3 of ") && ended.contains(" checks failed"),
        "{ended}"
    );
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_shown_as_hubspot_tells_them() {
    let simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let base = simulator.base_url();
    let output = run(&["limits", "--output", "json"], configuration(&base, "")).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown[0]["destination"], "acme");
    assert!(shown[0]["store"].is_null());
    let said = run(&["limits"], configuration(&base, "")).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("destination acme: portal "), "{said}");
    assert!(
        said.contains("no redis: every worker keeps limits of its own"),
        "{said}"
    );
    simulator.stop().await;
}
