//! `hubferry route`: a topic that is not keyed by identity is copied to one that is, in transactions.

use bytes::Bytes;
use clap::Args;
use hubferry_event::{Format, ReadLimits, Reading, read_message};
use hubferry_stream::{KafkaSettings, Message, Part, RouteSettings, Routed, StreamError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::config::{Loaded, Surroundings};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::progress::Progress;
use crate::run::kafka_settings;
use crate::signals::Signals;
use crate::words::grouped;

#[derive(Args, Debug)]
pub(crate) struct RouteArgs {
    /// The topic to read, whatever its keys are
    #[arg(long, value_name = "TOPIC")]
    from: String,
    /// The topic to write, keyed by identity
    #[arg(long, value_name = "TOPIC")]
    to: String,
}

/// Copies until it is told to stop.
///
/// # Errors
///
/// A topic does not exist, another router of the same name took over, or the broker says no.
pub(crate) async fn route(loaded: Loaded, args: RouteArgs, form: Form) -> Result<(), Failure> {
    let configuration = loaded.configuration;
    let Some(kafka) = &configuration.kafka else {
        return Err(Failure::Usage(
            "config_invalid: kafka: missing: route needs brokers".to_owned(),
        ));
    };
    let format = configuration.input.format;
    let limits = configuration.input.limits;
    let from = KafkaSettings {
        // A group of its own: the worker's reads the copy.
        group: format!("{}.route.{}", kafka.group, args.to),
        topics: vec![args.from.clone()],
        ..kafka_settings(kafka, &configuration.intake)
    };
    let settings = RouteSettings {
        from,
        to: args.to.clone(),
        instance: instance(),
    };
    let mut signals = Signals::of_process()?;
    let stop = CancellationToken::new();
    let progress = Progress::start(None, "routed");
    let split = move |message: &Message| parts(message, format, &limits);
    let told = move |routed: Routed| {
        progress.show(
            routed.written,
            format!("{} transactions", grouped(routed.transactions)),
        );
    };
    tracing::info!(from = args.from, to = args.to, "router started");
    let mut routing = Box::pin(hubferry_stream::route(settings, split, told, stop.clone()));
    let routed = tokio::select! {
        routed = &mut routing => routed,
        // The transaction under way is finished.
        () = signals.next() => {
            stop.cancel();
            routing.await
        }
    };
    report(&args, routed.map_err(|error| failure(&error))?, form)
}

fn failure(error: &StreamError) -> Failure {
    Failure::Outside(error.to_string())
}

fn report(args: &RouteArgs, routed: Routed, form: Form) -> Result<(), Failure> {
    match form {
        Form::Json => output::print_json(&json!({
            "from": args.from,
            "to": args.to,
            "read": routed.read,
            "written": routed.written,
            "without_key": routed.without_key,
            "transactions": routed.transactions,
            "aborted": routed.aborted,
        })),
        Form::Text => output::print(&format!(
            "{} messages of {} read, {} written to {}, {} of them without an identity\n",
            grouped(routed.read),
            args.from,
            grouped(routed.written),
            args.to,
            grouped(routed.without_key)
        )),
    }
}

/// What tells this router from others and stays the same when it is started again: the pod's name.
fn instance() -> String {
    let mut variables = Surroundings::of_process().variables;
    variables
        .remove("HOSTNAME")
        .unwrap_or_else(|| "router".to_owned())
}

/// A message under its identity; an envelope of several people is taken apart, and each event gets the envelope's
/// defaults. What cannot be read is copied as it is: the worker makes a dead letter of it.
fn parts(message: &Message, format: Format, limits: &ReadLimits) -> Vec<Part> {
    let Some(body) = message.body.clone().filter(|body| !body.is_empty()) else {
        // Nothing says whose it was.
        return vec![Part {
            key: message.key.clone(),
            value: message.body.clone(),
        }];
    };
    let whole = |key: Option<Bytes>| {
        vec![Part {
            key,
            value: Some(body.clone()),
        }]
    };
    let Reading::Elements(elements) = read_message(Some(&body), format, limits) else {
        return whole(None);
    };
    let mut keyed = Vec::with_capacity(elements.len());
    for element in elements {
        let key = element.event.ok().map(|event| {
            let key = event.identity().expose().as_bytes();
            Bytes::copy_from_slice(key)
        });
        keyed.push((key, element.body));
    }
    let first = keyed.first().and_then(|(key, _)| key.clone());
    if keyed.iter().all(|(key, _)| *key == first) {
        return whole(first);
    }
    // Only an event that has bytes of its own can stand alone; a message that has others stays as it is.
    if format != Format::Json || keyed.iter().any(|(_, body)| body.is_none()) {
        return whole(None);
    }
    keyed
        .into_iter()
        .map(|(key, value)| Part { key, value })
        .collect()
}

#[cfg(test)]
mod tests {
    use hubferry_stream::{Offset, Partition, Place, Topic};

    use super::*;

    fn keys(body: Option<&'static str>) -> Vec<Option<String>> {
        let message = Message {
            at: Place {
                topic: Topic::new("t"),
                partition: Partition::new(0),
                offset: Offset::new(0),
            },
            key: Some(Bytes::from_static(b"old")),
            body: body.map(|body| Bytes::from_static(body.as_bytes())),
            headers: Vec::new(),
            written_ms: 0,
        };
        let parts = parts(&message, Format::Json, &ReadLimits::default());
        let text = |key: Bytes| String::from_utf8(key.to_vec()).unwrap();
        parts.into_iter().map(|part| part.key.map(text)).collect()
    }

    #[test]
    fn messages_are_keyed_as_produce_does_and_mixed_envelopes_are_taken_apart() {
        let some = |keys: &[&str]| -> Vec<Option<String>> {
            keys.iter().map(|key| Some((*key).to_owned())).collect()
        };
        for (body, expected) in [
            (
                Some(r#"{"type":"identify","userId":" u1 "}"#),
                some(&["u1"]),
            ),
            (Some(r#"{"type":"group","groupId":7}"#), some(&["7"])),
            (
                Some(
                    r#"{"batch":[{"type":"page","userId":"u"},{"type":"track","userId":"u","event":"E"}]}"#,
                ),
                some(&["u"]),
            ),
            (
                Some(r#"{"batch":[{"type":"page","userId":"u"},{"type":"page","userId":"v"}]}"#),
                some(&["u", "v"]),
            ),
            (Some("{"), vec![None]),
            (Some(r#"{"type":"identify"}"#), vec![None]),
            (None, some(&["old"])),
        ] {
            assert_eq!(keys(body), expected, "{body:?}");
        }
    }
}
