//! `hubferry demo`: the real worker over an embedded broker and a simulated HubSpot, in one process.

mod events;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use hubferry_event::Event;
use hubferry_sim::{ObjectType, SimSettings, Simulator};
use hubferry_stream::{EmbeddedBroker, KafkaSource, Producer, Source, StreamError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::events::{Sample, sample};
use self::summary::{Batch, Summary};
use crate::config::{self, Kafka, Surroundings};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::{self, Probe};
use crate::progress::Progress;
use crate::run::{self, Watched};
use crate::signals::Signals;
use crate::words::{counted, size};
use crate::worker::{Board, OnHold};

const TOPIC: &str = "customer-events";
const DEAD_LETTER_TOPIC: &str = "customer-events.hubferry.dlq";
const PARTITIONS: i32 = 6;

/// How long the simulated HubSpot takes to answer, as the real one does.
const LATENCY: std::ops::Range<Duration> = Duration::from_millis(60)..Duration::from_millis(180);

/// Carries the sample and shows what came of it.
///
/// # Errors
///
/// When the embedded broker or the simulator does not start, or the worker gives up.
pub(crate) async fn demo(seed: u64, form: Form) -> Result<(), Failure> {
    let signals = Signals::of_process()?;
    let broker = EmbeddedBroker::start(&[(TOPIC, PARTITIONS), (DEAD_LETTER_TOPIC, PARTITIONS)])
        .map_err(|error| outside(&error))?;
    let simulator = Simulator::start(SimSettings {
        seed,
        latency: LATENCY,
        history: false,
        ..SimSettings::default()
    })
    .await
    .map_err(|error| Failure::Outside(error.to_string()))?;
    let loaded = config::load_text(
        &configuration(broker.brokers(), &simulator.base_url()),
        &Surroundings::default(),
    )
    .map_err(Failure::Problems)?;
    let configuration = loaded.configuration;
    let Some(kafka) = configuration.kafka.clone() else {
        return Err(Failure::Bug(
            "the demo's configuration has no kafka".to_owned(),
        ));
    };
    let sample = sample(seed);
    if form == Form::Text {
        output::tell(&format!(
            "{} go to an embedded Kafka topic, and from there into a\nsimulated HubSpot that has the real one's limit of 100 calls in 10 seconds.\nNothing leaves this machine.",
            counted(size(sample.messages.len()), "sample event"),
        ));
    }
    produce(&kafka, &sample).await?;
    let stage = Stage {
        kafka: &kafka,
        sample: &sample,
        simulator: &simulator,
        signals,
    };
    let summary = Box::pin(carry(configuration, stage)).await?;
    simulator.stop().await;
    match form {
        Form::Json => output::print_json(&summary.to_json()),
        Form::Text => output::print(&summary.to_text()),
    }
}

async fn produce(kafka: &Kafka, sample: &Sample) -> Result<(), Failure> {
    let messages = sample.messages.clone().into_iter().map(Ok);
    Producer::connect(&run::kafka_client(kafka))
        .map_err(|error| outside(&error))?
        .send_all(TOPIC, messages, key, |_| {})
        .await
        .map(drop)
        .map_err(|error| outside(&error))
}

/// The identity; what has none is written without a key, as a careless producer would.
fn key(message: &[u8]) -> Option<Vec<u8>> {
    let event = Event::parse(message).ok()?;
    Some(event.identity().expose().as_bytes().to_vec())
}

/// What the worker plays on.
struct Stage<'d> {
    kafka: &'d Kafka,
    sample: &'d Sample,
    simulator: &'d Simulator,
    signals: Signals,
}

async fn carry(configuration: config::Configuration, stage: Stage<'_>) -> Result<Summary, Failure> {
    let Stage {
        kafka,
        sample,
        simulator,
        signals,
    } = stage;
    let started = Instant::now();
    let events = size(sample.messages.len());
    let settings = run::kafka_settings(kafka, &configuration.intake);
    let parking = CancellationToken::new();
    let letters = run::kafka_letters(kafka, &settings.client, parking).await?;
    let portals = portals::open(&configuration, None, Probe::First).await?;
    let source = KafkaSource::connect(&settings).map_err(|error| outside(&error))?;
    let watched = Watched::of(&portals);
    let group = Some(kafka.group.clone());
    let mut around = run::around(configuration, portals, group, OnHold::End, signals);
    around.finish_after = Some(events);
    let ids = around.intake.mapping_ids().to_vec();
    let (board, shown) = watch::channel(Board::default());
    let progress = Progress::start(Some(events), "ended");
    let working = Box::pin(run::work(
        around,
        Source::Kafka(source),
        Arc::new(letters),
        board,
    ));
    let outcome = run::with_progress(working, shown, &watched, progress).await?;
    let elapsed = started.elapsed();
    if !outcome.complete {
        return Err(Failure::Outside("interrupted".to_owned()));
    }
    let seen = simulator.state().summary();
    let records = |object| seen.records.get(&object).copied().unwrap_or_default();
    Ok(Summary {
        tally: outcome.tally,
        ids,
        contacts: records(ObjectType::Contacts),
        companies: records(ObjectType::Companies),
        associations: seen.associations,
        calls: seen.calls,
        batches: batches(&seen),
        calls_one_by_one: sample.calls_one_by_one,
        limit: watched.portals.first().map_or(100, |portal| portal.limit),
        worst_window: seen.worst_ten_seconds,
        throttled: seen.throttled,
        links_waiting: watched.waiting().await.count,
        elapsed,
        dead_letter_topic: DEAD_LETTER_TOPIC.to_owned(),
    })
}

/// What the simulator, not we, says about the calls that can carry many records.
fn batches(seen: &hubferry_sim::Summary) -> Vec<Batch> {
    let mut batches: Vec<Batch> = seen
        .endpoints
        .iter()
        .filter(|(_, endpoint)| endpoint.max_inputs > 0)
        .map(|(name, endpoint)| Batch {
            endpoint: name.clone(),
            calls: endpoint.calls,
            inputs: endpoint.inputs,
            most: endpoint.max_inputs,
        })
        .collect();
    batches.sort_by_key(|batch| std::cmp::Reverse(batch.calls));
    batches
}

fn configuration(brokers: &str, base_url: &str) -> String {
    format!(
        r#"
kafka: {{ brokers: "{brokers}", group: hubferry-demo, group_protocol: consumer, topics: [{TOPIC}] }}
destinations:
  - name: demo
    hubspot:
      base_url: "{base_url}"
      auth: {{ kind: private_app, token: demo }}
    mappings:
      - name: contacts
        action: upsertContact
        trigger: type = "identify"
        use_defaults: true
        fields:
          properties:
            jobtitle: {{ "@path": "$.traits.title" }}
            hs_lead_status: {{ "@path": "$.traits.lead_status" }}
      - name: companies
        action: upsertCompany
        trigger: type = "group"
        use_defaults: true
        fields:
          properties:
            annualrevenue: {{ "@path": "$.traits.revenue" }}
"#
    )
}

fn outside(error: &StreamError) -> Failure {
    Failure::Outside(error.to_string())
}
