//! Topics of our own: made as they must be, and looked at for what would lose something.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigEntry, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode;

use crate::error::StreamError;
use crate::group::Logged;
use crate::probe::reachable;
use crate::settings::{ClientSettings, config_error};

/// How long a broker has to make a topic.
const MAKE_WITHIN: Duration = Duration::from_secs(10);

/// Thirty days (`spec/fleet.md` v.1).
const RETENTION_MS: i64 = 2_592_000_000;

/// What a topic is for, and with it how it must be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRole {
    /// Events, with the cluster's own settings.
    Events,
    /// Dead letters: kept for thirty days from their parking on. The broker stamps them itself, because with the time of
    /// the original a letter of an old event would be deleted at once.
    DeadLetters,
    /// A replay journal: of each key the last record is kept for ever.
    Journal,
}

impl TopicRole {
    /// The settings that the role needs.
    #[must_use]
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Events => &[],
            Self::DeadLetters => &[
                ("cleanup.policy", "delete"),
                ("retention.ms", "2592000000"),
                ("message.timestamp.type", "LogAppendTime"),
            ],
            Self::Journal => &[("cleanup.policy", "compact")],
        }
    }
}

/// Creates a topic for its role, with so many partitions and the cluster's own replication, unless it exists; one that
/// exists stays as it is. A journal has one partition, whatever is asked for.
///
/// # Errors
///
/// [`StreamError::CreateTopic`] when the broker says no. The embedded broker does not know this request: see
/// [`crate::EmbeddedBroker::create_topic`].
pub async fn ensure_topic_for(
    client: &ClientSettings,
    role: TopicRole,
    name: &str,
    partitions: i32,
) -> Result<(), StreamError> {
    let failed = |reason: String| StreamError::CreateTopic {
        topic: name.to_owned(),
        reason,
    };
    let partitions = match role {
        TopicRole::Events | TopicRole::DeadLetters => partitions,
        TopicRole::Journal => 1,
    };
    // -1: the broker's default replication.
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    let settings = role.settings().iter();
    let topic = settings.fold(topic, |topic, (name, value)| topic.set(name, value));
    let options = AdminOptions::new().operation_timeout(Some(MAKE_WITHIN));
    let answers = admin(client)?
        .create_topics([&topic], &options)
        .await
        .map_err(|error| failed(error.to_string()))?;
    match answers.into_iter().next() {
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(failed(code.to_string())),
        None => Err(failed("the broker did not answer".to_owned())),
    }
}

/// Something about a topic that would lose what it is there to keep. Each is one line with the way to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicFinding {
    /// It does not exist.
    Missing {
        /// The topic.
        topic: String,
    },
    /// The dead-letter topic has another number of partitions than its source: letters of one identity keep together by
    /// their keys alone, and letters without a key do not.
    OtherPartitions {
        /// The dead-letter topic.
        topic: String,
        /// How many it has.
        partitions: usize,
        /// How many its source has.
        source: usize,
    },
    /// Dead letters keep the time of their event.
    KeepsMessageTimes {
        /// The dead-letter topic.
        topic: String,
    },
    /// Dead letters are kept for a shorter time than thirty days.
    ShortRetention {
        /// The dead-letter topic.
        topic: String,
        /// How long it keeps them.
        retention: Duration,
    },
    /// A dead-letter topic is compacted: of each identity only the last letter stays.
    Compacted {
        /// The dead-letter topic.
        topic: String,
    },
    /// A journal is not compacted only: it forgets results, and resolved letters look open again.
    Forgets {
        /// The journal.
        topic: String,
    },
}

impl fmt::Display for TopicFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alter = |f: &mut fmt::Formatter<'_>, topic: &str, setting: &str| {
            write!(
                f,
                "kafka-configs.sh --alter --topic {topic} --add-config {setting}"
            )
        };
        match self {
            Self::Missing { topic } => write!(f, "topic `{topic}` does not exist"),
            Self::OtherPartitions {
                topic,
                partitions,
                source,
            } => write!(
                f,
                "dead-letter topic `{topic}` has {partitions} partitions and its source {source}: give it as many"
            ),
            Self::KeepsMessageTimes { topic } => {
                write!(
                    f,
                    "dead-letter topic `{topic}` keeps message times: retention may delete old letters at once: "
                )?;
                alter(f, topic, "message.timestamp.type=LogAppendTime")
            }
            Self::ShortRetention { topic, retention } => {
                let hours = retention.as_secs() / 3_600;
                write!(
                    f,
                    "dead-letter topic `{topic}` keeps letters for {hours} h, which is less than 30 days: "
                )?;
                alter(f, topic, "retention.ms=2592000000")
            }
            Self::Compacted { topic } => {
                write!(
                    f,
                    "dead-letter topic `{topic}` is compacted, which deletes letters: "
                )?;
                alter(f, topic, "cleanup.policy=delete")
            }
            Self::Forgets { topic } => {
                write!(
                    f,
                    "replay journal `{topic}` deletes old records, and what was resolved looks open again: "
                )?;
                alter(f, topic, "cleanup.policy=compact")
            }
        }
    }
}

/// Looks at a dead-letter topic and its source for what would lose letters. Empty: all is well.
///
/// # Errors
///
/// The broker cannot be reached, says no, or does not tell a topic's settings (the embedded one does not).
pub async fn check_dead_letter_topic(
    client: &ClientSettings,
    source: &str,
    topic: &str,
    within: Duration,
) -> Result<Vec<TopicFinding>, StreamError> {
    let reached = reachable(client, within).await?;
    let name = topic.to_owned();
    let Some(&partitions) = reached.topics.get(topic) else {
        return Ok(vec![TopicFinding::Missing { topic: name }]);
    };
    let mut findings = Vec::new();
    if let Some(&source) = reached.topics.get(source)
        && source != partitions
    {
        findings.push(TopicFinding::OtherPartitions {
            topic: name,
            partitions,
            source,
        });
    }
    let settings = settings_of(client, topic, within).await?;
    findings.extend(judge_dead_letters(topic, &settings));
    Ok(findings)
}

/// Looks at a replay journal. Empty: all is well.
///
/// # Errors
///
/// As [`check_dead_letter_topic`].
pub async fn check_journal_topic(
    client: &ClientSettings,
    topic: &str,
    within: Duration,
) -> Result<Vec<TopicFinding>, StreamError> {
    let (reached, topic) = (reachable(client, within).await?, topic.to_owned());
    if !reached.topics.contains_key(&topic) {
        return Ok(vec![TopicFinding::Missing { topic }]);
    }
    let settings = settings_of(client, &topic, within).await?;
    let policy = settings
        .get("cleanup.policy")
        .map_or("delete", String::as_str);
    Ok(Vec::from_iter(
        (policy != "compact").then_some(TopicFinding::Forgets { topic }),
    ))
}

fn judge_dead_letters(topic: &str, settings: &BTreeMap<String, String>) -> Vec<TopicFinding> {
    let setting = |name: &str| settings.get(name).map(String::as_str);
    let name = || topic.to_owned();
    let mut findings = Vec::new();
    if setting("message.timestamp.type") != Some("LogAppendTime") {
        findings.push(TopicFinding::KeepsMessageTimes { topic: name() });
    }
    let retention = setting("retention.ms").and_then(|text| text.parse::<i64>().ok());
    // A negative retention keeps everything.
    if let Some(ms) = retention.filter(|ms| (0..RETENTION_MS).contains(ms)) {
        let retention = Duration::from_millis(ms.unsigned_abs());
        findings.push(TopicFinding::ShortRetention {
            topic: name(),
            retention,
        });
    }
    if setting("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        findings.push(TopicFinding::Compacted { topic: name() });
    }
    findings
}

async fn settings_of(
    client: &ClientSettings,
    topic: &str,
    within: Duration,
) -> Result<BTreeMap<String, String>, StreamError> {
    let failed = |reason: String| StreamError::DescribeTopic {
        topic: topic.to_owned(),
        reason,
    };
    let options = AdminOptions::new().request_timeout(Some(within));
    let answers = admin(client)?
        .describe_configs(&[ResourceSpecifier::Topic(topic)], &options)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let answer = answers.into_iter().next();
    let answer = answer.ok_or_else(|| failed("the broker did not answer".to_owned()))?;
    let resource = answer.map_err(|code| failed(code.to_string()))?;
    let known = |entry: ConfigEntry| Some((entry.name, entry.value?));
    Ok(resource.entries.into_iter().filter_map(known).collect())
}

fn admin(client: &ClientSettings) -> Result<AdminClient<Logged>, StreamError> {
    AdminClient::from_config_and_context(&client.config()?, Logged::default())
        .map_err(|error| config_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lose_dead_letters_is_named_with_the_command() {
        let settings = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        assert_eq!(
            judge_dead_letters("d", &settings(TopicRole::DeadLetters.settings())),
            []
        );
        let endless = [
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.ms", "-1"),
        ];
        assert_eq!(judge_dead_letters("d", &settings(&endless)), []);
        let bad = [
            ("message.timestamp.type", "CreateTime"),
            ("retention.ms", "604800000"),
            ("cleanup.policy", "compact,delete"),
        ];
        let shown: Vec<_> = judge_dead_letters("d", &settings(&bad))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "dead-letter topic `d` keeps message times: retention may delete old letters at once: \
                 kafka-configs.sh --alter --topic d --add-config message.timestamp.type=LogAppendTime",
                "dead-letter topic `d` keeps letters for 168 h, which is less than 30 days: \
                 kafka-configs.sh --alter --topic d --add-config retention.ms=2592000000",
                "dead-letter topic `d` is compacted, which deletes letters: \
                 kafka-configs.sh --alter --topic d --add-config cleanup.policy=delete",
            ]
        );
    }
}
