//! Kafka: reachable, the topics, their partitions, the right to read them, and what would lose dead letters.

use std::time::Duration;

use hubferry_stream::{
    DeadLetterTopic, Reached, ScanFrom, StreamError, TopicFinding, TopicScan,
    check_dead_letter_topic, check_journal_topic, reachable,
};

use super::Checks;
use crate::config::{Configuration, Kafka};
use crate::portals::START_PATIENCE;
use crate::run::{kafka_client, kafka_settings};
use crate::words::{counted, size};

/// How long the first message of a topic may take.
const FIRST_MESSAGE: Duration = Duration::from_secs(5);

pub(super) async fn check(configuration: &Configuration, kafka: &Kafka, checks: &mut Checks) {
    let client = kafka_client(kafka);
    if let Err(error) = client.check() {
        return checks.fail(
            "kafka.properties",
            error.to_string(),
            "correct kafka.properties",
        );
    }
    let reached = match reachable(&client, START_PATIENCE).await {
        Ok(reached) => reached,
        Err(error) => return checks.fail("kafka.brokers", error.to_string(), fix_of(&error)),
    };
    checks.pass(
        "kafka.brokers",
        format!(
            "{} at {}",
            counted(size(reached.brokers), "broker"),
            client.brokers
        ),
    );
    // What cannot be a name has been refused with the configuration.
    let template = DeadLetterTopic::parse(&kafka.dead_letter_topic).ok();
    for topic in &kafka.topics {
        source(configuration, kafka, topic, &reached, checks).await;
        if let Some(template) = &template {
            let letters = template.of(topic);
            let found = check_dead_letter_topic(&client, topic, &letters, START_PATIENCE).await;
            of_findings(&format!("kafka.dead_letters.{letters}"), found, checks);
        }
        let journal = format!("{topic}.hubferry.replay");
        let name = format!("kafka.journal.{journal}");
        match check_journal_topic(&client, &journal, START_PATIENCE).await {
            Ok(findings) if matches!(findings.first(), Some(TopicFinding::Missing { .. })) => checks
                .warn(
                    name,
                    format!("topic `{journal}` does not exist, so nothing can be replayed"),
                    format!(
                        "kafka-topics.sh --create --topic {journal} --partitions 1 --config cleanup.policy=compact"
                    ),
                ),
            found => of_findings(&name, found, checks),
        }
    }
}

async fn source(
    configuration: &Configuration,
    kafka: &Kafka,
    topic: &str,
    reached: &Reached,
    checks: &mut Checks,
) {
    let name = format!("kafka.topic.{topic}");
    let Some(partitions) = reached.topics.get(topic) else {
        return checks.fail(
            name,
            format!("topic `{topic}` does not exist, or this user may not describe it"),
            "create it, or grant Describe and Read on it and Read on the group",
        );
    };
    checks.pass(name, counted(size(*partitions), "partition"));
    let name = format!("kafka.read.{topic}");
    let settings = kafka_settings(kafka, &configuration.intake);
    match first(&settings, topic).await {
        Ok(message) => checks.pass(name, message),
        Err(error) => checks.fail(name, error.to_string(), fix_of(&error)),
    }
}

/// Reads one message, without the group and without committing anything.
async fn first(
    settings: &hubferry_stream::KafkaSettings,
    topic: &str,
) -> Result<&'static str, StreamError> {
    let mut scan = TopicScan::start(settings, topic, ScanFrom::Beginning, START_PATIENCE).await?;
    match tokio::time::timeout(FIRST_MESSAGE, scan.next()).await {
        Ok(Ok(Some(_))) => Ok("may be read"),
        Ok(Ok(None)) => Ok("may be described; it is empty, so nothing was read"),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok("may be described; its first message did not come in time"),
    }
}

fn of_findings(name: &str, found: Result<Vec<TopicFinding>, StreamError>, checks: &mut Checks) {
    let findings = match found {
        Ok(findings) => findings,
        Err(error) => {
            let fix = "grant Describe and DescribeConfigs on the topic";
            return checks.warn(name, error.to_string(), fix);
        }
    };
    if findings.is_empty() {
        return checks.pass(name, "as it should be");
    }
    for finding in findings {
        let said = finding.to_string();
        // A finding ends with what mends it.
        let (message, fix) = said.split_once(": ").unwrap_or((&said, "create it"));
        match finding {
            TopicFinding::Missing { .. } | TopicFinding::Compacted { .. } => {
                checks.fail(name, message, fix);
            }
            TopicFinding::OtherPartitions { .. }
            | TopicFinding::KeepsMessageTimes { .. }
            | TopicFinding::ShortRetention { .. }
            | TopicFinding::Forgets { .. } => checks.warn(name, message, fix),
        }
    }
}

fn fix_of(error: &StreamError) -> &'static str {
    match error {
        StreamError::Unreachable { .. } => {
            "check kafka.brokers, the network policy, and security.protocol in kafka.properties"
        }
        StreamError::Refused { .. } => {
            "check the user, its password and sasl.mechanism in kafka.properties"
        }
        _ => "grant Describe and Read on the topic",
    }
}
