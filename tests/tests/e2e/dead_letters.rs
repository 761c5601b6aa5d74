//! Dead letters on a real topic: everything about them, and that an offset waits for them.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Read, Worker, eventually};
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, Stream};

/// When the events say they were written: an hour ago. Not long ago, because a broker counts a topic's retention from
/// the times its messages carry and a dead letter keeps its original's: one of last month may be gone at once.
static WRITTEN_MS: LazyLock<i64> =
    LazyLock::new(|| jiff::Timestamp::now().as_millisecond() - 3_600_000);
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Three mappings of group events: one that HubSpot refuses, one that is delivered, one that finds nothing to update.
fn three_mappings(config: Config) -> Config {
    let mapping = |name: &str, action: &str, fields: Value| {
        json!({
            "name": name,
            "action": action,
            "trigger": "type = \"group\"",
            "use_defaults": true,
            "fields": fields,
        })
    };
    let refused = json!({});
    let missing = json!({"groupid": {"@path": "$.traits.parent"}, "createNewCompany": false, "associateContact": false});
    let delivered = json!({"associateContact": false});
    config
        .mapping(mapping("contacts", "upsertContact", refused))
        .mapping(mapping("companies", "upsertCompany", delivered))
        .mapping(mapping("parents", "upsertCompany", missing))
}

/// `.con` is no top-level domain: what HubSpot knows of addresses, nobody else does.
fn group(id: &str, domain: &str) -> Value {
    let traits =
        json!({"email": format!("{id}@example.{domain}"), "name": "G", "parent": "nowhere"});
    json!({"type": "group", "messageId": id, "userId": "u1", "groupId": "g1", "traits": traits})
}

/// Produces one message with a time and headers of its own.
async fn produce(stream: &Stream, value: &[u8]) -> Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", stream.kafka.brokers())
        .create()?;
    let header = |key, value| Header {
        key,
        value: Some(value),
    };
    let headers = OwnedHeaders::new()
        .insert(header("origin-app", "checkout"))
        .insert(header("hubferry.error.code", "of_an_earlier_life"))
        .insert(header("traceparent", TRACE));
    let record = FutureRecord::<str, [u8]>::to(&stream.topic)
        .key("u1")
        .payload(value)
        .timestamp(*WRITTEN_MS)
        .headers(headers);
    producer
        .send(record, PATIENCE)
        .await
        .map_err(|(error, _)| error)?;
    Ok(())
}

/// Takes a header out that differs from run to run; what is left is compared as a whole.
fn take(headers: &mut BTreeMap<String, String>, name: &str) -> Result<String> {
    headers
        .remove(name)
        .with_context(|| format!("no header {name} in {headers:?}"))
}

fn is_hex(text: &str) -> bool {
    text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks the headers that every run makes anew, and leaves the others.
fn settled(letter: &Read) -> Result<BTreeMap<String, String>> {
    let mut headers = letter.headers.clone();
    for name in ["hubferry.dlq.id", "hubferry.config.hash"] {
        let value = take(&mut headers, name)?;
        assert!(is_hex(&value), "{name}: {value}");
    }
    for name in ["hubferry.first_failed_at", "hubferry.last_failed_at"] {
        let value = take(&mut headers, name)?;
        assert!(value.parse::<jiff::Timestamp>().is_ok(), "{name}: {value}");
    }
    for name in ["hubferry.worker", "hubferry.build"] {
        let value = take(&mut headers, name)?;
        assert!(!value.is_empty(), "{name}");
    }
    Ok(headers)
}

fn assert_headers(actual: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    let expected: BTreeMap<String, String> = expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(*actual, expected);
}

async fn letters(stream: &Stream, wanted: usize) -> Result<Vec<Read>> {
    let letters = stream.kafka.read_all(&stream.dead_letters).await?;
    ensure!(letters.len() == wanted, "{wanted} wanted: {letters:?}");
    Ok(letters)
}

#[tokio::test]
async fn a_dead_letter_carries_the_original_and_everything_about_its_end() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "letters", 1).await?;
    let plain = group("m-1", "con").to_string();
    let element = group("m-2", "con");
    let envelope = json!({"context": {"locale": "de"}, "batch": [group("m-3", "com"), element]});
    let not_json: &[u8] = b"{\"type\": \"gr\xff";
    produce(&stream, plain.as_bytes()).await?;
    produce(&stream, envelope.to_string().as_bytes()).await?;
    produce(&stream, not_json).await?;

    let config = stream.config(three_mappings(scene.config()), scene.folder())?;
    let worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    stream.until_committed(3).await?;
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    let letters = letters(&stream, 3).await?;
    let find = |offset: &str| {
        letters
            .iter()
            .find(|letter| letter.headers["hubferry.origin.offset"] == offset)
            .with_context(|| format!("no dead letter of offset {offset}"))
    };

    let first = find("0")?;
    assert_eq!(first.key.as_deref(), Some(b"u1".as_slice()));
    assert_eq!(first.value.as_deref(), Some(plain.as_bytes()));
    assert_eq!(first.timestamp_ms, Some(*WRITTEN_MS));
    let mut headers = settled(first)?;
    let identity = take(&mut headers, "hubferry.identity")?;
    assert!(is_hex(&identity), "{identity}");
    let message = take(&mut headers, "hubferry.error.message")?;
    assert!(
        message.contains("email") && !message.contains("m-1@"),
        "{message}"
    );
    let correlation_id = take(&mut headers, "hubferry.error.correlation_id")?;
    assert!(!correlation_id.is_empty());
    let mut done: Value = serde_json::from_str(&take(&mut headers, "hubferry.mappings.done")?)?;
    let finished_at = done[0]["finished_at"].take();
    assert!(
        finished_at
            .as_str()
            .is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()),
        "{finished_at}"
    );
    let portal = scene.sim.portal().await?;
    let (company, _) = portal.companies.iter().next().context("a company")?;
    assert_eq!(
        done,
        json!([{"mapping": "acme/companies", "object_type": "companies", "record_id": company, "finished_at": null}])
    );
    let failed: Value = serde_json::from_str(&take(&mut headers, "hubferry.mappings.failed")?)?;
    assert_eq!(
        failed,
        json!([{"mapping": "acme/contacts", "stage": "record", "class": "input", "code": "property_type",
            "status": 400, "category": "VALIDATION_ERROR", "property": "email", "attempts": 1}])
    );
    let partition = "0";
    let written = (*WRITTEN_MS).to_string();
    let of_all = [
        ("origin-app", "checkout"),
        ("traceparent", TRACE),
        ("hubferry.dlq.version", "1"),
        ("hubferry.origin.topic", stream.topic.as_str()),
        ("hubferry.origin.partition", partition),
        ("hubferry.origin.timestamp", written.as_str()),
        ("hubferry.origin.group", stream.group.as_str()),
    ];
    let of_first = [
        ("hubferry.origin.offset", "0"),
        ("hubferry.message.id", "m-1"),
        ("hubferry.event.type", "group"),
        (
            "hubferry.mappings.skipped",
            r#"[{"mapping":"acme/parents","reason":"not_found"}]"#,
        ),
        ("hubferry.error.class", "input"),
        ("hubferry.error.stage", "record"),
        ("hubferry.error.status", "400"),
        ("hubferry.error.code", "property_type"),
        ("hubferry.attempts", "1"),
    ];
    assert_headers(&headers, &[of_all.as_slice(), &of_first].concat());

    // Of the envelope the one element, with what the envelope says for all.
    let second = find("1")?;
    let value: Value = serde_json::from_slice(second.value.as_deref().context("a value")?)?;
    let mut merged = element;
    merged["context"] = json!({"locale": "de"});
    assert_eq!(value, merged);
    assert_eq!(second.headers["hubferry.origin.element"], "1");
    assert_eq!(second.headers["hubferry.message.id"], "m-2");
    assert_eq!(
        second.headers["hubferry.identity"], identity,
        "one person, one hash"
    );
    assert_ne!(
        second.headers["hubferry.dlq.id"],
        first.headers["hubferry.dlq.id"]
    );

    // What cannot be read stays as it is, byte by byte, and was never sent.
    let third = find("2")?;
    assert_eq!(third.value.as_deref(), Some(not_json));
    let mut headers = settled(third)?;
    take(&mut headers, "hubferry.error.message")?;
    assert!(is_hex(&take(&mut headers, "hubferry.message.id")?));
    let of_third = [
        ("hubferry.origin.offset", "2"),
        (
            "hubferry.mappings.failed",
            r#"[{"mapping":"none","stage":"intake","class":"input","code":"parse_error","attempts":0}]"#,
        ),
        ("hubferry.mappings.done", "[]"),
        ("hubferry.mappings.skipped", "[]"),
        ("hubferry.error.class", "input"),
        ("hubferry.error.stage", "intake"),
        ("hubferry.error.code", "parse_error"),
        ("hubferry.attempts", "0"),
    ];
    assert_headers(&headers, &[of_all.as_slice(), &of_third].concat());
    Ok(())
}

/// A topic that is gone acknowledges nothing; when it is there again, the letter is not forgotten.
#[tokio::test]
async fn an_offset_waits_until_the_broker_has_its_dead_letter() -> Result<()> {
    let scene = Scene::new().await?;
    let stream = Stream::new(&scene.services, "unacked", 1).await?;
    let person = |n: u32, email: &str| json!({"type": "identify", "userId": format!("u{n}"), "traits": {"email": email}});
    let config = stream.config(
        scene.config().with_people_and_companies(&[]),
        scene.folder(),
    )?;
    let mut worker = Worker::start(&scene.hubferry(), &config, scene.folder(), "worker")?;
    stream.produce(&[person(0, "p0@example.com")]).await?;
    stream.until_committed(1).await?;

    stream.kafka.delete(&stream.dead_letters).await?;
    let bad = person(1, "no address");
    stream
        .produce(&[bad.clone(), person(2, "p2@example.com")])
        .await?;
    eventually("its neighbour is written", PATIENCE, || async {
        let portal = scene
            .sim
            .portal()
            .await
            .map_err(|error| error.to_string())?;
        if portal.contacts.len() == 2 {
            Ok(())
        } else {
            Err(format!("{} contacts", portal.contacts.len()))
        }
    })
    .await?;
    let passed = eventually("more is committed", Duration::from_secs(3), || async {
        match stream.committed().await {
            Ok(1) => Err("1".to_owned()),
            Ok(other) => Ok(other),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    assert!(
        passed.is_err(),
        "{passed:?} committed without a dead letter"
    );
    worker.must_run()?;

    stream.kafka.create(&stream.dead_letters, 1).await?;
    stream.until_committed(3).await?;
    let letters = letters(&stream, 1).await?;
    assert_eq!(
        letters[0].value.as_deref(),
        Some(bad.to_string().as_bytes())
    );
    let (code, said) = worker.stop(PATIENCE).await?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}
