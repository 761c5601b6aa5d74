//! Whether a broker can be reached, and what it has: for clear errors at the start instead of silence later.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::StreamError;
use crate::group::Logged;
use crate::settings::{ClientSettings, config_error};
use crate::topics::{TopicRole, ensure_topic_for};

/// More events than a client that failed to connect has to tell.
const EVENTS: usize = 200;

/// What a broker answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How many brokers the cluster has.
    pub brokers: usize,
    /// The number of partitions by topic.
    pub topics: BTreeMap<String, usize>,
}

/// Asks the cluster for its topics. Creates nothing.
///
/// # Errors
///
/// [`StreamError::Unreachable`] when no broker answers within the time, [`StreamError::Refused`] when one says no,
/// or a setting that is not accepted.
pub async fn reachable(client: &ClientSettings, within: Duration) -> Result<Reached, StreamError> {
    let client = client.clone();
    let probe = tokio::task::spawn_blocking(move || probe(&client, within));
    probe.await.map_err(|_| StreamError::Ended {
        name: "kafka probe",
    })?
}

fn probe(client: &ClientSettings, within: Duration) -> Result<Reached, StreamError> {
    let consumer: BaseConsumer<Logged> =
        BaseConsumer::from_config_and_context(&client.reader_config()?, Logged::quiet())
            .map_err(|error| config_error(&error))?;
    let metadata = match consumer.fetch_metadata(None, within) {
        Ok(metadata) => metadata,
        Err(error) => return Err(explain(&consumer, client, within, &error)),
    };
    let topics = metadata
        .topics()
        .iter()
        .filter(|topic| topic.error().is_none());
    Ok(Reached {
        brokers: metadata.brokers().len(),
        topics: topics
            .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
            .collect(),
    })
}

/// The library's own reason for a failed request is a time-out; what really happened waits among its events.
pub(crate) fn explain(
    consumer: &BaseConsumer<Logged>,
    client: &ClientSettings,
    within: Duration,
    error: &KafkaError,
) -> StreamError {
    let mut code = error.rdkafka_error_code();
    // Log lines and errors come one at a time, and a log line looks like nothing.
    for _ in 0..EVENTS {
        if let Some(Err(event)) = consumer.poll(Duration::ZERO) {
            code = event.rdkafka_error_code().or(code);
        }
    }
    let reason = consumer
        .context()
        .last_error()
        .unwrap_or_else(|| error.to_string());
    let refused = matches!(
        code,
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed)
    );
    if refused || reason.contains("SASL authentication error") {
        return StreamError::Refused { reason };
    }
    StreamError::Unreachable {
        brokers: client.brokers.clone(),
        within,
        reason,
    }
}

/// Creates a topic with so many partitions and the cluster's own replication, unless it exists. For tests and first
/// runs: an operator creates topics on purpose.
///
/// # Errors
///
/// [`StreamError::CreateTopic`] when the broker says no. The embedded broker does not know this request: see
/// [`crate::EmbeddedBroker::create_topic`].
pub async fn ensure_topic(
    client: &ClientSettings,
    name: &str,
    partitions: i32,
) -> Result<(), StreamError> {
    ensure_topic_for(client, TopicRole::Events, name, partitions).await
}
