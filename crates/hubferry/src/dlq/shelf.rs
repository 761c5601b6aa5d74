//! Where dead letters are found: the dead-letter topics of a configuration, or a `--dead-letters` file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hubferry_stream::{
    DeadLetterTopic, FailedMapping, Journal, JournalState, JournalTopicError, KafkaSettings,
    Letter, LetterError, LetterFile, Newest, Partition, Position, ScanFrom, StreamError, TopicScan,
};

use crate::config::Configuration;
use crate::exit::Failure;
use crate::portals::START_PATIENCE;
use crate::run::kafka_settings;

/// Where dead letters are found.
pub(crate) enum Shelf {
    /// Topics, by their names.
    Topics(KafkaSettings, BTreeSet<String>),
    /// A file.
    File(PathBuf),
}

/// Where a topic ended when it was read.
pub(crate) type Ends = BTreeMap<Partition, Position>;

impl Shelf {
    /// The file, or the dead-letter topics of the configuration's sources.
    ///
    /// # Errors
    ///
    /// There is neither.
    pub(crate) fn of(
        configuration: Option<&Configuration>,
        input: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        if let Some(file) = input {
            return Ok(Self::File(file));
        }
        let missing = "no kafka in the configuration: name a file of dead letters with --input";
        let kafka = configuration.and_then(|configuration| {
            let kafka = configuration.kafka.as_ref()?;
            Some((kafka, kafka_settings(kafka, &configuration.intake)))
        });
        let (kafka, settings) = kafka.ok_or_else(|| Failure::Usage(missing.to_owned()))?;
        let template = DeadLetterTopic::parse(&kafka.dead_letter_topic).map_err(|error| {
            Failure::Usage(format!("config_invalid: kafka.dead_letter_topic: {error}"))
        })?;
        let topics = kafka.topics.iter().map(|source| template.of(source));
        let topics = topics.collect();
        Ok(Self::Topics(settings, topics))
    }

    /// The same, of one source.
    ///
    /// # Errors
    ///
    /// The configured name of dead-letter topics is none.
    pub(crate) fn only(self, configuration: &Configuration, source: &str) -> Result<Self, Failure> {
        let (Self::Topics(settings, _), Some(kafka)) = (&self, &configuration.kafka) else {
            return Ok(self);
        };
        let template = DeadLetterTopic::parse(&kafka.dead_letter_topic).map_err(|error| {
            Failure::Usage(format!("config_invalid: kafka.dead_letter_topic: {error}"))
        })?;
        let topic = template.of(source);
        Ok(Self::Topics(settings.clone(), BTreeSet::from([topic])))
    }

    /// Looks at the last letter of each event, in the order in which they stand; `wrong` hears of what is no letter that
    /// can be read. Answers with where the topic ended, if there is one topic only.
    ///
    /// # Errors
    ///
    /// The broker or the file cannot be read.
    pub(crate) async fn look(
        &self,
        visit: &mut (dyn FnMut(Letter) + Send),
        wrong: &mut (dyn FnMut(LetterError) + Send),
    ) -> Result<Ends, Failure> {
        match self {
            Self::Topics(settings, topics) => {
                let mut ends = Ends::new();
                for topic in topics {
                    ends = look_at_topic(settings, topic, visit, wrong)
                        .await
                        .map_err(|error| Failure::Outside(error.to_string()))?;
                }
                Ok(ends)
            }
            Self::File(file) => look_at_file(file, visit, wrong)
                .map(|()| Ends::new())
                .map_err(|error| Failure::Usage(error.to_string())),
        }
    }

    /// What replays of these letters have come to.
    ///
    /// # Errors
    ///
    /// A journal is there but cannot be read.
    pub(crate) async fn journals(
        &self,
        configuration: Option<&Configuration>,
    ) -> Result<Journals, Failure> {
        let kafka = configuration.and_then(|configuration| configuration.kafka.as_ref());
        let (Self::Topics(settings, _), Some(kafka)) = (self, kafka) else {
            return Ok(Journals(Vec::new()));
        };
        let mut states = Vec::new();
        for source in &kafka.topics {
            let topic = Journal::topic_of(source);
            match Journal::open(settings, &topic, START_PATIENCE).await {
                Ok(journal) => states.push(journal.state().clone()),
                // Without a journal nothing was ever replayed.
                Err(JournalTopicError::Stream(StreamError::TopicMissing { .. })) => (),
                Err(JournalTopicError::Record(error)) => {
                    return Err(Failure::Data(error.to_string()));
                }
                Err(error) => return Err(Failure::Outside(error.to_string())),
            }
        }
        Ok(Journals(states))
    }
}

/// What replays have come to, by source. The ids of letters differ between sources.
pub(crate) struct Journals(Vec<JournalState>);

impl Journals {
    /// Of one source.
    pub(crate) fn one(state: JournalState) -> Self {
        Self(vec![state])
    }

    /// Nothing was ever replayed.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// The failed mappings among these that are neither resolved nor discarded.
    pub(crate) fn open<'l>(
        &self,
        letter: &Letter,
        chosen: Vec<&'l FailedMapping>,
    ) -> Vec<&'l FailedMapping> {
        let (id, offset) = (letter.id(), letter.at.offset.get());
        let is_open = |failed: &&FailedMapping| {
            let mut states = self.0.iter();
            states.all(|state| state.is_open(&id, &failed.mapping, offset))
        };
        chosen.into_iter().filter(is_open).collect()
    }
}

async fn look_at_topic(
    settings: &KafkaSettings,
    topic: &str,
    visit: &mut (dyn FnMut(Letter) + Send),
    wrong: &mut (dyn FnMut(LetterError) + Send),
) -> Result<Ends, StreamError> {
    let scan = || TopicScan::start(settings, topic, ScanFrom::Beginning, START_PATIENCE);
    let mut newest = Newest::default();
    let mut first = scan().await?;
    while let Some(message) = first.next().await? {
        match Letter::read(&message) {
            Ok(letter) => newest.note(&letter),
            Err(error) => wrong(error),
        }
    }
    let ends = first.ends().clone();
    let mut second = scan().await?;
    while let Some(message) = second.next().await? {
        let end = ends.get(&message.at.partition);
        let is_new = end.is_none_or(|end| message.at.offset.next() > *end);
        if !is_new
            && let Ok(letter) = Letter::read(&message)
            && newest.is_newest(&letter)
        {
            visit(letter);
        }
    }
    Ok(ends)
}

fn look_at_file(
    file: &std::path::Path,
    visit: &mut (dyn FnMut(Letter) + Send),
    wrong: &mut (dyn FnMut(LetterError) + Send),
) -> Result<(), StreamError> {
    let mut newest = Newest::default();
    for line in LetterFile::open(file)? {
        match line? {
            Ok(letter) => newest.note(&letter),
            Err(error) => wrong(error),
        }
    }
    for line in LetterFile::open(file)? {
        if let Ok(letter) = line?
            && newest.is_newest(&letter)
        {
            visit(letter);
        }
    }
    Ok(())
}
