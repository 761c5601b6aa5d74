//! The replay journal on its topic: written idempotently and acknowledged by all replicas, read as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::error::StreamError;
use crate::group::Logged;
use crate::journal::{Claim, Entry, JournalError, Lease, claim_key};
use crate::journal_state::JournalState;
use crate::place::{Partition, Position};
use crate::scan::{ScanFrom, TopicScan};
use crate::settings::{KafkaSettings, config_error};

/// All records stand in order, so they stand in one partition.
const PARTITION: Partition = Partition::new(0);

/// Letters of one claim: a record of about 20 kB.
const CLAIM_LETTERS: usize = 500;

/// Records that may wait for their acknowledgement at once; far below what the producer's queue takes.
const IN_FLIGHT: usize = 10_000;

/// The replay journal of one source.
pub struct Journal {
    settings: KafkaSettings,
    topic: String,
    within: Duration,
    producer: FutureProducer<Logged>,
    state: JournalState,
    read: Position,
}

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalTopicError {
    /// Kafka.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// What stands there.
    #[error(transparent)]
    Record(#[from] JournalError),
    /// The replay is being worked on.
    #[error("replay {run} is being worked on by {holder}")]
    Held {
        /// The replay.
        run: String,
        /// The process.
        holder: String,
    },
}

impl Journal {
    /// The name of a source's journal.
    #[must_use]
    pub fn topic_of(source: &str) -> String {
        format!("{source}.hubferry.replay")
    }

    /// Reads the whole journal.
    ///
    /// # Errors
    ///
    /// The broker cannot be reached or says no, the topic does not exist, or it holds records of a later version.
    pub async fn open(
        settings: &KafkaSettings,
        topic: &str,
        within: Duration,
    ) -> Result<Self, JournalTopicError> {
        let config = settings.client.producer_config()?;
        let producer = FutureProducer::from_config_and_context(&config, Logged::default())
            .map_err(|error| config_error(&error))?;
        let mut journal = Self {
            settings: settings.clone(),
            topic: topic.to_owned(),
            within,
            producer,
            state: JournalState::default(),
            read: Position::new(0),
        };
        journal.refresh().await?;
        Ok(journal)
    }

    /// What the journal said when it was read last.
    #[must_use]
    pub fn state(&self) -> &JournalState {
        &self.state
    }

    /// Reads what was written since, by whomever.
    ///
    /// Cancelling the future loses nothing: the next call reads on.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`].
    pub async fn refresh(&mut self) -> Result<(), JournalTopicError> {
        let from = ScanFrom::Positions(BTreeMap::from([(PARTITION, self.read)]));
        let mut scan = TopicScan::start(&self.settings, &self.topic, from, self.within).await?;
        while let Some(message) = scan.next().await? {
            if message.at.partition != PARTITION {
                continue;
            }
            let key = message.key.as_deref().unwrap_or_default();
            let key = String::from_utf8_lossy(key);
            self.state
                .apply(message.at.offset.get(), &key, message.body.as_deref())?;
            self.read = message.at.offset.next();
        }
        Ok(())
    }

    /// Writes records in this order, and waits until all are acknowledged. Answers with the offset of the last one. The
    /// state does not know of them before the next [`Journal::refresh`].
    ///
    /// Cancelling the future may leave some of them written.
    ///
    /// # Errors
    ///
    /// [`StreamError::Produce`] when the broker refuses one or does not answer; some may be written then.
    pub async fn write(&self, entries: &[Entry]) -> Result<Option<i64>, StreamError> {
        let values = entries
            .iter()
            .map(|entry| (entry.key(), Some(entry.value())));
        self.send(values.collect()).await
    }

    /// Takes keys back.
    ///
    /// # Errors
    ///
    /// As [`Journal::write`].
    pub async fn take_back(&self, keys: Vec<String>) -> Result<(), StreamError> {
        self.send(keys.into_iter().map(|key| (key, None)).collect())
            .await?;
        Ok(())
    }

    /// Begins to work on a replay: until `until_ms`, unless [`Journal::extend`] comes in time. Answers with the tenure.
    ///
    /// # Errors
    ///
    /// [`JournalTopicError::Held`] when another process works on it, and as [`Journal::write`].
    pub async fn begin(
        &mut self,
        run: &str,
        holder: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<i64, JournalTopicError> {
        let lease = Entry::Lease(Lease {
            run: run.to_owned(),
            holder: holder.to_owned(),
            tenure: None,
            until_ms,
        });
        self.write(&[lease]).await?;
        self.refresh().await?;
        match self
            .state
            .holder(run, now_ms)
            .map(|(first, tenure)| (first.to_owned(), tenure))
        {
            Some((first, tenure)) if first == holder => Ok(tenure),
            first => {
                self.take_back(self.state.held(run, holder)).await?;
                Err(JournalTopicError::Held {
                    run: run.to_owned(),
                    holder: first.map_or_else(|| "nobody any more".to_owned(), |(first, _)| first),
                })
            }
        }
    }

    /// Extends the work on a replay; to be called well before the time is over. Who comes too late must begin anew:
    /// [`JournalState::holder`] tells.
    ///
    /// # Errors
    ///
    /// As [`Journal::write`].
    pub async fn extend(
        &self,
        run: &str,
        holder: &str,
        tenure: i64,
        until_ms: i64,
    ) -> Result<(), StreamError> {
        let lease = Entry::Lease(Lease {
            run: run.to_owned(),
            holder: holder.to_owned(),
            tenure: Some(tenure),
            until_ms,
        });
        self.write(&[lease]).await.map(drop)
    }

    /// Claims dead letters by their ids. Afterwards [`JournalState::claimed_by`] tells whose each of them is: what another
    /// replay claimed first is not ours.
    ///
    /// # Errors
    ///
    /// As [`Journal::write`] and [`Journal::refresh`].
    pub async fn claim(
        &mut self,
        run: &str,
        tenure: i64,
        letters: &[String],
    ) -> Result<(), JournalTopicError> {
        let known = |number: &u32| self.state.has_claim(&claim_key(run, tenure, *number));
        let first = (0..u32::MAX)
            .find(|number| !known(number))
            .unwrap_or(u32::MAX);
        let claims = letters
            .chunks(CLAIM_LETTERS)
            .zip(first..)
            .map(|(letters, number)| {
                Entry::Claim(Claim {
                    run: run.to_owned(),
                    tenure,
                    number,
                    letters: letters.to_vec(),
                })
            });
        self.write(&claims.collect::<Vec<_>>()).await?;
        self.refresh().await
    }

    /// Ends the work on a replay: lease and claims are taken back, so that others need not wait.
    ///
    /// # Errors
    ///
    /// As [`Journal::write`].
    pub async fn end(&mut self, run: &str, holder: &str) -> Result<(), JournalTopicError> {
        self.take_back(self.state.held(run, holder)).await?;
        self.refresh().await
    }

    async fn send(
        &self,
        records: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Option<i64>, StreamError> {
        let failed = |error: &KafkaError| StreamError::Produce {
            topic: self.topic.clone(),
            reason: error.to_string(),
        };
        let mut last = None;
        // Many may wait for their acknowledgement; they stay in order, for the producer is idempotent.
        for records in records.chunks(IN_FLIGHT) {
            let mut pending = Vec::with_capacity(records.len());
            for (key, value) in records {
                let record = FutureRecord::<str, [u8]>::to(&self.topic)
                    .key(key)
                    .partition(PARTITION.get());
                let record = match value {
                    Some(value) => record.payload(value),
                    None => record,
                };
                let sent = self.producer.send_result(record);
                pending.push(sent.map_err(|(error, _)| failed(&error))?);
            }
            for sent in pending {
                let sent = sent
                    .await
                    .map_err(|_| StreamError::Ended { name: "producer" })?;
                let delivery = sent.map_err(|(error, _)| failed(&error))?;
                last = Some(delivery.offset);
            }
        }
        Ok(last)
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("topic", &self.topic)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}
