//! `hubferry produce`: NDJSON events onto the topic, keyed by identity.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hubferry_event::{Event, Format, ReadLimits, Reading, read_message};
use hubferry_stream::{Producer, reachable};
use serde_json::json;

use crate::config::Loaded;
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::START_PATIENCE;
use crate::progress::Progress;
use crate::run::kafka_client;

type Lines = Box<dyn Iterator<Item = io::Result<Vec<u8>>> + Send>;

/// Writes the events of a file to a topic. Lines without an identity are named on standard error and left out.
///
/// # Errors
///
/// The file cannot be read, the topic does not exist, or the broker cannot be reached.
pub(crate) async fn produce(
    loaded: Loaded,
    file: &str,
    topic: Option<String>,
    form: Form,
) -> Result<(), Failure> {
    let Some(kafka) = &loaded.configuration.kafka else {
        return Err(Failure::Usage(
            "config_invalid: kafka: missing: produce needs brokers and a topic".to_owned(),
        ));
    };
    let topic = topic
        .or_else(|| kafka.topics.first().cloned())
        .unwrap_or_default();
    let lines = open(file)?;
    let client = kafka_client(kafka);
    let outside = |error: hubferry_stream::StreamError| Failure::Outside(error.to_string());
    let reached = reachable(&client, START_PATIENCE).await.map_err(outside)?;
    if !reached.topics.contains_key(&topic) {
        return Err(Failure::Outside(format!(
            "topic `{topic}` does not exist at {}; create it, or name another with --topic",
            client.brokers
        )));
    }
    let refused = Arc::new(AtomicU64::new(0));
    let keyed = only_keyed(lines, Arc::clone(&refused));
    let progress = Progress::start(None, "written");
    let produced = Producer::connect(&client)
        .map_err(outside)?
        .send_all(
            &topic,
            keyed,
            |line| identity(line).ok(),
            move |sent| {
                progress.show(sent, String::new());
            },
        )
        .await
        .map_err(outside)?;
    let refused = refused.load(Ordering::Relaxed);
    match form {
        Form::Json => output::print_json(&json!({
            "topic": topic,
            "sent": produced.sent,
            "refused": refused,
            "bytes": produced.bytes,
        })),
        Form::Text => output::print(&format!(
            "{} events written to {topic}, {refused} refused\n",
            produced.sent
        )),
    }
}

fn open(file: &str) -> Result<Lines, Failure> {
    if file == "-" {
        return Ok(lines(BufReader::new(io::stdin())));
    }
    let opened = File::open(file)
        .map_err(|error| Failure::Usage(format!("could not open {file}: {error}")))?;
    Ok(lines(BufReader::new(opened)))
}

fn lines(reader: impl BufRead + Send + 'static) -> Lines {
    Box::new(reader.split(b'\n').map(|line| {
        line.map(|mut line| {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            line
        })
    }))
}

/// Passes blank lines and lines with an identity on, and tells of the others.
fn only_keyed(lines: Lines, refused: Arc<AtomicU64>) -> Lines {
    Box::new(lines.enumerate().filter_map(move |(number, line)| {
        let readable = match &line {
            Ok(bytes) if !bytes.trim_ascii().is_empty() => bytes,
            _ => return Some(line),
        };
        match identity(readable) {
            Ok(_) => Some(line),
            Err(why) => {
                refused.fetch_add(1, Ordering::Relaxed);
                output::tell(&format!("line {number}: {why}: not written"));
                None
            }
        }
    }))
}

/// The key of a line: its event's identity; of a batch, the one identity all its events share.
fn identity(line: &[u8]) -> Result<Vec<u8>, String> {
    let elements = match read_message(Some(line), Format::Json, &ReadLimits::default()) {
        Reading::Elements(elements) => elements,
        Reading::Tombstone => Vec::new(),
    };
    let mut key: Option<Vec<u8>> = None;
    for element in elements {
        let event: Event = element
            .event
            .map_err(|malformed| format!("{}: {malformed}", malformed.code.as_str()))?;
        let own = event.identity().expose().as_bytes().to_vec();
        match &key {
            Some(other) if *other != own => {
                return Err("a batch of several identities cannot have one key".to_owned());
            }
            _ => key = Some(own),
        }
    }
    key.ok_or_else(|| "no event".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_keyed_by_its_identity_or_refused() {
        for (line, expected) in [
            (r#"{"type":"identify","userId":" u1 "}"#, Some("u1")),
            (
                r#"{"type":"identify","traits":{"email":"A@B.co"}}"#,
                Some("a@b.co"),
            ),
            (r#"{"type":"group","groupId":7}"#, Some("7")),
            (
                r#"{"batch":[{"type":"page","userId":"u"},{"type":"track","userId":"u"}]}"#,
                Some("u"),
            ),
            (
                r#"{"batch":[{"type":"page","userId":"u"},{"type":"track","userId":"v"}]}"#,
                None,
            ),
            (r#"{"type":"identify"}"#, None),
            ("{", None),
            (r#"{"batch":[]}"#, None),
        ] {
            let key = identity(line.as_bytes()).ok();
            assert_eq!(key.as_deref(), expected.map(str::as_bytes), "{line}");
        }
    }
}
