//! The command as its users meet it: output, errors, exit codes, signals.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use hubferry_sim::{SimSettings, Simulator, TokenSpec};
use hubferry_stream::{
    ClientSettings, EmbeddedBroker, GroupProtocol, Intake, KafkaSettings, KafkaSource, Message,
    Producer, Source,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here takes; a test that waits this long has failed.
const DEADLINE: Duration = Duration::from_secs(60);

fn hubferry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubferry"));
    command
        .args(arguments)
        .env_clear()
        .env("HUBSPOT_TOKEN", "token-of-the-test")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn output(arguments: &[&str]) -> Output {
    timeout(DEADLINE, hubferry(arguments).output())
        .await
        .expect("the command ends")
        .expect("the command starts")
}

/// Exit code and standard error of a command.
async fn refused(arguments: &[&str]) -> (i32, String) {
    let output = output(arguments).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), errors)
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.path().join(name), text).unwrap();
        self.path(name)
    }
}

fn configuration(base_url: &str, sections: &str) -> String {
    format!(
        r#"{sections}
destinations:
  - name: acme
    hubspot:
      base_url: {base_url}
      auth: {{ kind: private_app, token_env: HUBSPOT_TOKEN }}
    mappings:
      - {{ name: contacts, action: upsertContact, trigger: 'type = "identify"', use_defaults: true }}
      - {{ name: companies, action: upsertCompany, trigger: 'type = "group"', use_defaults: true }}
"#
    )
}

fn identify(person: usize) -> String {
    json!({
        "type": "identify",
        "messageId": format!("i-{person}"),
        "userId": format!("u-{person}"),
        "traits": { "email": format!("p{person}@c.com"), "first_name": "P" },
    })
    .to_string()
}

fn group(person: usize, company: usize) -> String {
    json!({
        "type": "group",
        "messageId": format!("g-{person}"),
        "userId": format!("u-{person}"),
        "groupId": format!("c-{company}"),
        "traits": { "name": "C" },
    })
    .to_string()
}

fn lines(path: &str) -> Vec<Value> {
    std::fs::read_to_string(Path::new(path))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn simulator() -> Simulator {
    Simulator::start(SimSettings::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_carried_and_every_event_accounted_for() {
    let (folder, simulator) = (Folder::new(), simulator().await);
    let config = folder.write("c.yaml", &configuration(&simulator.base_url(), ""));
    let input = [
        identify(1),
        group(1, 1),
        group(2, 1),
        "{".to_owned(),
        r#"{"type":"track","userId":"u-1","event":"x"}"#.to_owned(),
        r#"{"type":"identify","userId":"u-3","messageId":"bad","traits":{"email":"no address"}}"#.to_owned(),
        r#"{"type":"identify","userId":"u-4","traits":{"email":"a@b.co"},"integrations":{"All":false}}"#.to_owned(),
    ]
    .join("\n");
    let input = folder.write("events.ndjson", &input);
    let dead = folder.path("dead.ndjson");
    let arguments = [
        "run",
        "--config",
        &config,
        "--input",
        &input,
        "--dead-letters",
        &dead,
        "--output",
        "json",
    ];
    let output = output(&arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let from = report["links"][0]["from"].take();
    assert!(from.is_string());
    assert!(report["seconds"].take().is_number());
    let calls = report["calls"].take();
    assert_eq!(calls["contacts/batch/upsert"], 1);
    assert_eq!(
        report,
        json!({
            "events": 7, "deliveries": 7,
            "delivered": 3, "merged": 0, "skipped": 2, "dead": 2,
            "calls": null, "throttled": 0, "seconds": null,
            "skipped_by_reason": { "integrations": 1, "not_subscribed": 1 },
            "dead_by_code": { "parse_error": 1, "payload_invalid": 1 },
            "links_waiting": 1,
            "links": [{ "mapping": "acme/companies", "from_object": "companies", "from": null, "line": 2 }],
        })
    );
    let mut letters = lines(&dead);
    // Letters stand in the order in which their deliveries died.
    letters.sort_by_key(|letter| letter["line"].as_u64());
    let facts: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter["line"].clone(),
                letter["messageId"].clone(),
                letter["error.code"].clone(),
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            (json!(3), Value::Null, json!("parse_error")),
            (json!(5), json!("bad"), json!("payload_invalid")),
        ]
    );
    assert_eq!(letters[0]["raw"], "{");
    assert_eq!(letters[1]["event"]["userId"], "u-3");
    assert_eq!(letters[1]["mappings.failed"][0]["mapping"], "acme/contacts");
    assert_eq!(
        letters[1]["error.message"],
        "/email: expected an e-mail address, got `n***`"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_ends_with_1_and_says_what_it_is() {
    let folder = Folder::new();
    let good = folder.write("good.yaml", &configuration("http://127.0.0.1:9", ""));
    let unknown = folder.write(
        "unknown.yaml",
        &configuration("http://127.0.0.1:9", "kafak: {}"),
    );
    let dead = folder.path("dead.ndjson");
    for (arguments, line) in [
        (
            vec!["check", "--config", &unknown],
            format!("hubferry: {unknown}:1: config_unknown_key: kafak: unknown key; did you mean \"kafka\"?\n"),
        ),
        (
            vec!["run", "--config", &good],
            "hubferry: config_invalid: kafka: missing: add brokers and topics, or carry a file with --input\n".to_owned(),
        ),
        (
            vec!["run", "--config", &good, "--input", "/nowhere", "--dead-letters", &dead],
            "hubferry: could not open the input /nowhere: No such file or directory (os error 2)\n".to_owned(),
        ),
        (
            vec!["run", "--config", "/nowhere"],
            "hubferry: config_invalid: could not read /nowhere: No such file or directory (os error 2)\n".to_owned(),
        ),
        (
            vec!["sim", "--faults", "/nowhere"],
            "hubferry: could not read /nowhere: No such file or directory (os error 2)\n".to_owned(),
        ),
    ] {
        assert_eq!(refused(&arguments).await, (1, line), "{arguments:?}");
    }
    let (code, _) = refused(&["rum"]).await;
    assert_eq!(code, 1, "clap's own 2 is not used");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_outside_ends_with_3_and_one_line() {
    let folder = Folder::new();
    let kafka = folder.write(
        "kafka.yaml",
        &configuration(
            "http://127.0.0.1:9",
            "kafka: { brokers: '127.0.0.1:9', topics: [t] }",
        ),
    );
    let redis = folder.write(
        "redis.yaml",
        &configuration(
            "http://127.0.0.1:9",
            "redis: { url: 'redis://:secret@127.0.0.1:9' }",
        ),
    );
    let input = folder.write("events.ndjson", &identify(1));
    let dead = folder.path("dead.ndjson");

    let (code, errors) = refused(&["produce", &input, "--config", &kafka]).await;
    assert_eq!(code, 3, "{errors}");
    let line = "hubferry: could not reach kafka at 127.0.0.1:9 within 5 s: ";
    assert!(
        errors.starts_with(line) && errors.lines().count() == 1,
        "{errors}"
    );
    let (code, errors) = refused(&["run", "--config", &kafka]).await;
    assert_eq!(code, 3, "{errors}");
    assert!(
        errors.starts_with(line) && errors.lines().count() == 1,
        "{errors}"
    );

    let arguments = [
        "run",
        "--config",
        &redis,
        "--input",
        &input,
        "--dead-letters",
        &dead,
    ];
    let (code, errors) = refused(&arguments).await;
    assert_eq!(code, 3, "{errors}");
    let line = "hubferry: could not reach redis at redis://***@127.0.0.1:9";
    assert!(
        errors.starts_with(line) && errors.lines().count() == 1,
        "{errors}"
    );
    assert!(!errors.contains("secret"), "{errors}");

    let nowhere = folder.write("nowhere.yaml", &configuration("http://127.0.0.1:9", ""));
    let kept = folder.write("kept.ndjson", "{}\n");
    let arguments = [
        "run",
        "--config",
        &nowhere,
        "--input",
        &input,
        "--dead-letters",
        &kept,
    ];
    let (code, errors) = refused(&arguments).await;
    assert_eq!(
        (code, errors.as_str()),
        (
            3,
            "hubferry: destination acme: no connection to 127.0.0.1:9: check hubspot.base_url, DNS and the proxy\n"
        )
    );
    assert_eq!(
        lines(&kept).len(),
        1,
        "earlier dead letters are still there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_a_file_run_with_3_and_nothing_is_dead() {
    let folder = Folder::new();
    let simulator = Simulator::start(SimSettings {
        tokens: vec![TokenSpec {
            token: "another".to_owned(),
            scopes: Vec::new(),
        }],
        ..SimSettings::default()
    })
    .await
    .unwrap();
    let config = folder.write("c.yaml", &configuration(&simulator.base_url(), ""));
    let input = folder.write("events.ndjson", &identify(1));
    let dead = folder.path("dead.ndjson");
    let arguments = [
        "run",
        "--config",
        &config,
        "--input",
        &input,
        "--dead-letters",
        &dead,
        "--output",
        "json",
    ];
    let output = output(&arguments).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    let line = "hubferry: destination acme: HubSpot does not accept the token: ";
    assert!(
        errors.starts_with(line) && errors.lines().count() == 1,
        "{errors}"
    );
    assert!(output.stdout.is_empty());
    assert_eq!(lines(&dead), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_ends_a_file_run_with_3_and_nothing_is_dead() {
    let folder = Folder::new();
    let simulator = Simulator::start(SimSettings {
        tokens: vec![TokenSpec {
            token: "token-of-the-test".to_owned(),
            scopes: vec!["oauth".to_owned()],
        }],
        ..SimSettings::default()
    })
    .await
    .unwrap();
    let config = folder.write("c.yaml", &configuration(&simulator.base_url(), ""));
    let input = folder.write("events.ndjson", &identify(1));
    let dead = folder.path("dead.ndjson");
    let arguments = [
        "run",
        "--config",
        &config,
        "--input",
        &input,
        "--dead-letters",
        &dead,
    ];
    let (code, errors) = refused(&arguments).await;
    assert_eq!(code, 3, "{errors}");
    let line = "hubferry: forbidden: mapping acme/contacts is on hold: ";
    assert!(
        errors.starts_with(line) && errors.lines().count() == 1,
        "{errors}"
    );
    assert_eq!(lines(&dead), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_without_accounts_is_worked_with() {
    let folder = Folder::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stand_in = format!("http://{}", listener.local_addr().unwrap());
    let config = folder.write("c.yaml", &configuration(&stand_in, ""));
    let input = folder.write("events.ndjson", "");
    let dead = folder.path("dead.ndjson");
    let arguments = [
        "run",
        "--config",
        &config,
        "--input",
        &input,
        "--dead-letters",
        &dead,
    ];
    let ended = tokio::select! {
        ended = refused(&arguments) => ended,
        () = answer_404(listener) => unreachable!("it answers for ever"),
    };
    assert_eq!(ended, (0, String::new()));
}

async fn answer_404(listener: tokio::net::TcpListener) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = stream.read(&mut [0; 4096]).await.unwrap();
        assert!(asked > 0);
        stream.write_all(answer).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_a_configuration() {
    let folder = Folder::new();
    let output = output(&["config", "reference"]).await;
    assert_eq!(output.status.code(), Some(0));
    let token = folder.write("token", "t\n");
    let text = String::from_utf8(output.stdout).unwrap();
    let config = folder.write(
        "c.yaml",
        &text.replace("/run/secrets/hubspot-token", &token),
    );
    let checked = self::output(&["check", "--config", &config, "--strict"]).await;
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_loses_nothing() {
    let output = output(&["demo", "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(
        number("deliveries"),
        number("delivered") + number("merged") + number("skipped") + number("dead")
    );
    assert_eq!(
        summary["records"],
        json!({ "contacts": 15_000, "companies": 599 })
    );
    assert_eq!(number("throttled"), 0);
    assert_eq!(
        summary["dead_by_code"],
        json!({ "no_identity": 1, "parse_error": 2, "payload_invalid": 4, "property_option": 3, "property_type": 2, "type_unknown": 2 })
    );
}

/// A worker on an embedded broker.
struct Worker {
    child: Child,
    admin: String,
}

const TOPIC: &str = "customer-events";
const DEAD_LETTERS: &str = "customer-events.hubferry.dlq";

impl Worker {
    async fn start(config: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let admin = format!("127.0.0.1:{port}");
        let mut command = hubferry(&["run", "--config", config]);
        command.env("HUBFERRY__ADMIN__LISTEN", &admin);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let worker = Self {
            child: command.spawn().unwrap(),
            admin,
        };
        worker
            .until(|page| page.contains("hubferry_build_info"))
            .await;
        worker
    }

    /// Waits until the metrics page shows something.
    async fn until(&self, shows: impl Fn(&str) -> bool) {
        let started = Instant::now();
        loop {
            let page = get(&self.admin, "/metrics").await.unwrap_or_default();
            if shows(&page) {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{page}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(mut self) -> i32 {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.unwrap().success());
        let status = timeout(DEADLINE, self.child.wait()).await;
        status
            .expect("the worker stops")
            .unwrap()
            .code()
            .unwrap_or(-1)
    }
}

async fn get(address: &str, path: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_delivers_parks_commits_and_goes_on_where_it_stopped() {
    let folder = Folder::new();
    let simulator = simulator().await;
    let broker = EmbeddedBroker::start(&[(TOPIC, 3), (DEAD_LETTERS, 3)]).unwrap();
    let kafka = format!(
        "kafka: {{ brokers: '{}', topics: [{TOPIC}], group_protocol: consumer }}",
        broker.brokers()
    );
    let config = folder.write("c.yaml", &configuration(&simulator.base_url(), &kafka));
    let producer = Producer::connect(&ClientSettings::new(broker.brokers())).unwrap();

    let mut events: Vec<String> = (0..50).map(identify).collect();
    events.push("not json".to_owned());
    let input = folder.write("events.ndjson", &events.join("\n"));
    let produced = output(&["produce", &input, "--config", &config, "--output", "json"]).await;
    let counts: Value = serde_json::from_slice(&produced.stdout).unwrap();
    assert_eq!(
        (&counts["sent"], &counts["refused"]),
        (&json!(50), &json!(1))
    );
    let told = String::from_utf8(produced.stderr).unwrap();
    assert_eq!(
        told,
        "line 50: parse_error: expected a value at byte 0, in $: not written\n"
    );
    producer.send(TOPIC, None, b"not json").await.unwrap();

    let worker = Worker::start(&config).await;
    worker
        .until(|page| {
            page.contains(r#"hubferry_deliveries_ended_total{ending="delivered",mapping="acme/contacts",reason=""} 50"#)
                && page.contains(r#"hubferry_dead_letters_total{class="input",mapping="none",stage="intake"} 1"#)
                && page.contains("hubferry_unsettled_messages 0")
        })
        .await;
    let ready = get(&worker.admin, "/readyz").await.unwrap();
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.ends_with("ready\n"),
        "{ready}"
    );
    assert_eq!(worker.stop().await, 0);

    let before = simulator.state().summary().inputs;
    let worker = Worker::start(&config).await;
    producer
        .send(TOPIC, Some(b"u-50"), identify(50).as_bytes())
        .await
        .unwrap();
    worker
        .until(|page| page.contains(r#"mapping="acme/contacts",reason=""} 1"#))
        .await;
    assert_eq!(worker.stop().await, 0);
    assert_eq!(
        simulator.state().summary().inputs - before,
        1,
        "nothing was read twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_pauses_its_mapping_and_nothing_is_dead() {
    let folder = Folder::new();
    let contacts = [
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
    ];
    let simulator = Simulator::start(SimSettings {
        tokens: vec![TokenSpec {
            token: "token-of-the-test".to_owned(),
            scopes: contacts.map(ToOwned::to_owned).to_vec(),
        }],
        ..SimSettings::default()
    })
    .await
    .unwrap();
    let broker = EmbeddedBroker::start(&[(TOPIC, 1), (DEAD_LETTERS, 1)]).unwrap();
    let kafka = format!(
        "kafka: {{ brokers: '{}', topics: [{TOPIC}], group_protocol: consumer }}",
        broker.brokers()
    );
    let config = folder.write("c.yaml", &configuration(&simulator.base_url(), &kafka));
    let producer = Producer::connect(&ClientSettings::new(broker.brokers())).unwrap();
    for event in [identify(1), group(1, 1), identify(2)] {
        producer
            .send(TOPIC, Some(b"k"), event.as_bytes())
            .await
            .unwrap();
    }
    let worker = Worker::start(&config).await;
    worker
        .until(|page| page.contains(r#"mapping="acme/contacts",reason=""} 2"#))
        .await;
    let started = Instant::now();
    loop {
        let ready = get(&worker.admin, "/readyz").await.unwrap();
        assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
        if ready.contains("acme/companies is deliberately paused (scope)") {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "{ready}");
        sleep(Duration::from_millis(20)).await;
    }
    let page = get(&worker.admin, "/metrics").await.unwrap();
    assert!(!page.contains("hubferry_dead_letters_total{"), "{page}");
    assert!(page.contains("hubferry_unsettled_messages 1"), "{page}");
    assert_eq!(worker.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_waited_in_vain_is_one_dead_letter() {
    let (folder, simulator) = (Folder::new(), simulator().await);
    let broker = EmbeddedBroker::start(&[(TOPIC, 2), (DEAD_LETTERS, 2)]).unwrap();
    let kafka = format!(
        "kafka: {{ brokers: '{}', topics: [{TOPIC}], group_protocol: consumer }}",
        broker.brokers()
    );
    let patient = configuration(&simulator.base_url(), &kafka);
    let config = folder.write(
        "c.yaml",
        &patient.replace("name: companies,", "name: companies, link_wait: 1s,"),
    );
    let producer = Producer::connect(&ClientSettings::new(broker.brokers())).unwrap();
    let event = group(1, 1);
    producer
        .send(TOPIC, Some(b"u-1"), event.as_bytes())
        .await
        .unwrap();
    let worker = Worker::start(&config).await;
    worker
        .until(|page| {
            page.contains(r#"hubferry_deliveries_ended_total{ending="delivered",mapping="acme/companies",reason=""} 1"#)
                && page.contains(r#"hubferry_dead_letters_total{class="input",mapping="acme/companies",stage="association"} 1"#)
                && page.contains(r#"hubferry_waiting_links{portal="acme"} 0"#)
                && page.contains(r#"hubferry_event_latency_seconds_count{mapping="acme/companies"} 1"#)
                && page.contains(r#"hubferry_http_request_seconds_count{endpoint="companies/batch/upsert",portal="acme"} 1"#)
        })
        .await;
    assert_eq!(worker.stop().await, 0);

    let letters = all_of(&broker, DEAD_LETTERS, 1).await;
    let [letter] = &letters[..] else {
        unreachable!("one letter: {letters:?}")
    };
    let header = |name: &str| {
        let found = letter.headers.iter().find(|(header, _)| header == name);
        String::from_utf8(found.unwrap().1.to_vec()).unwrap()
    };
    assert_eq!(letter.body.as_deref(), Some(event.as_bytes()));
    assert_eq!(letter.key.as_deref(), Some(&b"u-1"[..]));
    assert_eq!(header("hubferry.error.code"), "association_contact_missing");
    assert_eq!(header("hubferry.error.stage"), "association");
    assert_eq!(header("hubferry.message.id"), "g-1");
    let companies = simulator.state().summary().records;
    assert_eq!(companies.values().sum::<usize>(), 1);
}

/// So many messages of a topic, read by a group of their own.
async fn all_of(broker: &EmbeddedBroker, topic: &str, count: usize) -> Vec<Message> {
    let client = ClientSettings::new(broker.brokers());
    let mut settings = KafkaSettings::new(client, "reader", vec![topic.to_owned()]);
    settings.group_protocol = GroupProtocol::Consumer;
    let mut source = Source::Kafka(KafkaSource::connect(&settings).unwrap());
    let mut messages = Vec::new();
    while messages.len() < count {
        let intake = timeout(DEADLINE, source.next()).await.unwrap().unwrap();
        if let Intake::Arrived(message, ticket) = intake {
            source.settle(ticket);
            messages.push(message);
        }
    }
    source.close().await.unwrap();
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_first_message_ends_a_worker_in_order() {
    let folder = Folder::new();
    // It takes connections and never says a word: the worker waits for it when the signal comes.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kafka = format!(
        "kafka: {{ brokers: '{}', topics: [{TOPIC}] }}",
        silent.local_addr().unwrap()
    );
    let config = folder.write("c.yaml", &configuration("http://127.0.0.1:9", &kafka));
    let mut child = hubferry(&["run", "--config", &config]).spawn().unwrap();
    let connected = timeout(DEADLINE, silent.accept()).await.unwrap().unwrap();
    let pid = child.id().unwrap().to_string();
    Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await
        .unwrap();
    let status = timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    drop(connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_needs_its_dead_letter_topic() {
    let folder = Folder::new();
    let broker = EmbeddedBroker::start(&[(TOPIC, 3)]).unwrap();
    let kafka = format!(
        "kafka: {{ brokers: '{}', topics: [{TOPIC}] }}",
        broker.brokers()
    );
    let config = folder.write("c.yaml", &configuration("http://127.0.0.1:9", &kafka));
    let (code, errors) = refused(&["run", "--config", &config]).await;
    assert_eq!(code, 3, "{errors}");
    let line = format!(
        "hubferry: dead-letter topic `{DEAD_LETTERS}` does not exist; create it with as many partitions as its source: kafka-topics.sh"
    );
    assert!(errors.contains(&line), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_says_where_it_listens_and_stops_on_a_signal() {
    let mut child = hubferry(&["sim"]).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let first = timeout(DEADLINE, BufReader::new(stdout).lines().next_line()).await;
    let first = first.unwrap().unwrap().unwrap();
    let address = first
        .strip_prefix("listening on http://")
        .unwrap()
        .to_owned();
    let summary = get(&address, "/sim/summary").await.unwrap();
    assert!(summary.starts_with("HTTP/1.1 200"), "{summary}");
    let pid = child.id().unwrap().to_string();
    Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .await
        .unwrap();
    let status = timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}
