//! Where dead letters go: a topic, or a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::compat::CompatHeaders;
use crate::error::StreamError;
use crate::group::Logged;
use crate::letter::{DeadLetter, hex};
use crate::letter_headers::{HEADERS_BYTES, PREFIX};
use crate::place::Topic;
use crate::probe::reachable;
use crate::settings::{ClientSettings, config_error};

/// How dead-letter topics are called: a name in which `{topic}` stands for the source topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterTopic(String);

/// Where dead letters go.
#[derive(Debug)]
pub enum DeadLetters {
    /// A topic beside the source.
    Kafka(KafkaDeadLetters),
    /// A file of JSON lines.
    File(FileDeadLetters),
}

impl DeadLetterTopic {
    /// The name when nothing is configured.
    pub const DEFAULT: &str = "{topic}.hubferry.dlq";

    /// A name or a template.
    ///
    /// # Errors
    ///
    /// [`StreamError::TopicName`] when what it gives for a source cannot be the name of a topic.
    pub fn parse(template: &str) -> Result<Self, StreamError> {
        let refused = |reason| StreamError::TopicName {
            name: template.to_owned(),
            reason,
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let sample = template.replace("{topic}", "t");
        match sample.as_str() {
            "" | "." | ".." => Err(refused("it must not be empty, `.` or `..`")),
            long if long.len() > 249 => Err(refused("it may have at most 249 characters")),
            other if !other.chars().all(allowed) => Err(refused(
                "only letters, digits, `.`, `_`, `-` and the placeholder `{topic}` are allowed",
            )),
            _ => Ok(Self(template.to_owned())),
        }
    }

    /// The dead-letter topic of a source.
    #[must_use]
    pub fn of(&self, source: &str) -> String {
        self.0.replace("{topic}", source)
    }
}

impl DeadLetters {
    /// Parks a dead letter. When this returns it is safe: acknowledged by all in-sync replicas, or written and flushed
    /// to the file. A topic that is out of reach is waited for; nothing is dropped.
    ///
    /// Cancelling the future may leave the letter written: parking it again gives it the same id.
    ///
    /// # Errors
    ///
    /// The broker refuses for good, the stop token fired while waiting, or the file cannot be written. The message
    /// must then stay unsettled.
    pub async fn park(&self, letter: DeadLetter) -> Result<(), StreamError> {
        match self {
            Self::Kafka(topic) => topic.park(letter).await,
            Self::File(file) => file.park(&letter),
        }
    }

    /// Waits until everything parked is out. Every `park` has returned by then, so there is nothing that could fail.
    pub async fn close(self) {
        match self {
            Self::Kafka(topic) => topic.close().await,
            Self::File(_) => (),
        }
    }
}

/// Dead-letter topics, one beside each source topic.
pub struct KafkaDeadLetters {
    producer: FutureProducer<Logged>,
    template: DeadLetterTopic,
    targets: BTreeMap<Topic, Target>,
    compat: CompatHeaders,
    stop: CancellationToken,
}

/// The dead-letter topic of one source.
#[derive(Clone, Debug)]
struct Target {
    topic: String,
    /// Both have as many partitions, so a letter stays in its partition.
    same_partitions: bool,
}

/// Between two attempts when the broker is out of reach; the client library has already tried for minutes by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A value that is too large for the topic is cut to this first, then to half of it, and so on.
const CUT_BYTES: usize = 512 << 10;

impl KafkaDeadLetters {
    /// Connects, and checks that the dead-letter topic of every source exists. `stop` gives up waiting for
    /// acknowledgements: let it fire when the time to drain is over, not before.
    ///
    /// # Errors
    ///
    /// The broker cannot be reached within `within`, a topic is missing, or the settings are not accepted.
    pub async fn connect(
        client: &ClientSettings,
        template: DeadLetterTopic,
        sources: &[String],
        within: Duration,
        stop: CancellationToken,
    ) -> Result<Self, StreamError> {
        let reached = reachable(client, within).await?;
        let mut targets = BTreeMap::new();
        for source in sources {
            let missing = || StreamError::TopicMissing {
                topic: source.clone(),
                brokers: client.brokers.clone(),
            };
            let partitions = *reached.topics.get(source).ok_or_else(missing)?;
            let topic = template.of(source);
            let missing = || StreamError::DeadLetterTopicMissing {
                topic: topic.clone(),
                brokers: client.brokers.clone(),
                partitions,
            };
            let same_partitions = *reached.topics.get(&topic).ok_or_else(missing)? == partitions;
            if !same_partitions {
                tracing::warn!(
                    source,
                    topic,
                    "the dead-letter topic has not as many partitions as its source; keys decide"
                );
            }
            targets.insert(
                Topic::new(source),
                Target {
                    topic,
                    same_partitions,
                },
            );
        }
        let mut config = client.producer_config()?;
        if !client.properties.contains_key("message.max.bytes") {
            // The topic decides what is too large, not the client: see `shorten`.
            config.set("message.max.bytes", "16777216");
        }
        let producer = FutureProducer::from_config_and_context(&config, Logged::default())
            .map_err(|error| config_error(&error))?;
        Ok(Self {
            producer,
            template,
            targets,
            compat: CompatHeaders::default(),
            stop,
        })
    }

    /// Adds the headers of a family of dead-letter tools to every letter.
    #[must_use]
    pub fn with_compat_headers(mut self, compat: CompatHeaders) -> Self {
        self.compat = compat;
        self
    }

    async fn park(&self, letter: DeadLetter) -> Result<(), StreamError> {
        let target = self.target(&letter);
        let mut parcel = Parcel::new(&letter, self.compat);
        loop {
            let refused = tokio::select! {
                // A letter that was sent all the same is the same letter when it is parked again.
                () = self.stop.cancelled() => return Err(StreamError::Stopped { topic: target.topic }),
                sent = self.send(&letter, &target, &parcel) => match sent {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
            };
            let reason = refused.to_string();
            match verdict(&refused) {
                Verdict::TooLarge if parcel.shorten(&letter) => (),
                Verdict::TooLarge | Verdict::Fatal => {
                    return Err(StreamError::Produce {
                        topic: target.topic,
                        reason,
                    });
                }
                Verdict::Refused => return Err(StreamError::Refused { reason }),
                Verdict::Again => {
                    tracing::warn!(
                        topic = target.topic,
                        reason,
                        "could not write a dead letter; trying again"
                    );
                    tokio::select! {
                        () = self.stop.cancelled() => (),
                        () = tokio::time::sleep(RETRY_AFTER) => (),
                    }
                }
            }
        }
    }

    async fn send(
        &self,
        letter: &DeadLetter,
        target: &Target,
        parcel: &Parcel,
    ) -> Result<(), KafkaError> {
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&target.topic)
            .payload(parcel.value.as_ref())
            .headers(parcel.headers())
            .timestamp(letter.written_ms);
        if let Some(key) = &letter.key {
            record = record.key(key.as_ref());
        }
        if target.same_partitions {
            record = record.partition(letter.origin.partition.get());
        }
        self.producer
            .send(record, Timeout::Never)
            .await
            .map(drop)
            .map_err(|(error, _)| error)
    }

    /// A letter may come from a source that this worker does not read, when the fleet's memory kept what another run
    /// left. Whether that source has a topic for dead letters is unknown; those of this worker's sources exist.
    fn target(&self, letter: &DeadLetter) -> Target {
        let own = self.targets.get(&letter.origin.topic).cloned();
        let other = || Target {
            topic: self.targets.values().next().map_or_else(
                || self.template.of(letter.origin.topic.as_str()),
                |target| target.topic.clone(),
            ),
            same_partitions: false,
        };
        own.unwrap_or_else(other)
    }

    async fn close(self) {
        let producer = self.producer;
        let flushed =
            tokio::task::spawn_blocking(move || producer.flush(Duration::from_secs(5))).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::debug!("letters whose parking was given up were not flushed");
        }
    }
}

impl std::fmt::Debug for KafkaDeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaDeadLetters")
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

/// What is really sent: the value, whole or cut, and all headers.
struct Parcel {
    value: Bytes,
    added: Vec<(String, Vec<u8>)>,
    kept: Vec<(String, Bytes)>,
}

impl Parcel {
    fn new(letter: &DeadLetter, compat: CompatHeaders) -> Self {
        let compat = compat.of(letter);
        let share: usize = compat
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let mut added = letter.headers_within(HEADERS_BYTES.saturating_sub(share));
        added.extend(compat);
        // A letter that comes from a replay carries our headers already: the new ones replace them.
        let ours =
            |name: &str| name.starts_with(PREFIX) || added.iter().any(|(added, _)| added == name);
        let kept = letter
            .original_headers
            .iter()
            .filter(|(name, _)| !ours(name))
            .cloned()
            .collect();
        Self {
            value: letter.value.clone(),
            added,
            kept,
        }
    }

    /// Cuts the value further; false when nothing is left to cut.
    fn shorten(&mut self, letter: &DeadLetter) -> bool {
        if self.value.len() < 2 {
            return false;
        }
        let length = if self.value.len() > CUT_BYTES {
            CUT_BYTES
        } else {
            self.value.len() / 2
        };
        if self.value.len() == letter.value.len() {
            let hash = hex(&Sha256::digest(&letter.value));
            if !letter.truncated {
                self.added
                    .push((format!("{PREFIX}truncated"), b"1".to_vec()));
            }
            self.added.push((
                format!("{PREFIX}truncated.bytes"),
                letter.value.len().to_string().into_bytes(),
            ));
            self.added
                .push((format!("{PREFIX}truncated.sha256"), hash.into_bytes()));
        }
        self.value.truncate(length);
        true
    }

    fn headers(&self) -> OwnedHeaders {
        let kept = self
            .kept
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_ref()));
        let added = self
            .added
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()));
        kept.chain(added).fold(
            OwnedHeaders::new_with_capacity(self.kept.len() + self.added.len()),
            |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            },
        )
    }
}

/// What a refused letter needs.
enum Verdict {
    Again,
    TooLarge,
    Refused,
    Fatal,
}

fn verdict(error: &KafkaError) -> Verdict {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
            Verdict::TooLarge
        }
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::Authentication,
        ) => Verdict::Refused,
        Some(RDKafkaErrorCode::Fatal) | None => Verdict::Fatal,
        Some(_) => Verdict::Again,
    }
}

/// A file of dead letters, one JSON object a line.
#[derive(Debug)]
pub struct FileDeadLetters {
    path: PathBuf,
    file: Mutex<BufWriter<File>>,
}

impl FileDeadLetters {
    /// Whether the file can be written: makes it when it is not there, and leaves alone what is in it.
    ///
    /// # Errors
    ///
    /// [`StreamError::WriteDeadLetters`] when it cannot.
    pub fn check(path: &Path) -> Result<(), StreamError> {
        let opened = File::options().create(true).append(true).open(path);
        opened
            .map(drop)
            .map_err(|source| StreamError::WriteDeadLetters {
                path: path.to_owned(),
                source,
            })
    }

    /// Creates the file, or empties it.
    ///
    /// # Errors
    ///
    /// [`StreamError::WriteDeadLetters`] when that is not possible.
    pub fn create(path: &Path) -> Result<Self, StreamError> {
        let file = File::create(path).map_err(|source| StreamError::WriteDeadLetters {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(BufWriter::new(file)),
        })
    }

    /// One line goes to the operating system in one piece, in microseconds: no reason to leave the async thread.
    fn park(&self, letter: &DeadLetter) -> Result<(), StreamError> {
        let mut line = letter.to_json().to_string();
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written: io::Result<()> = file.write_all(line.as_bytes()).and_then(|()| file.flush());
        written.map_err(|source| StreamError::WriteDeadLetters {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
#[path = "dead_letters_tests.rs"]
mod tests;
