//! What most tests begin with: a portal, a folder, and events on their way from a file or a topic.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Finished, Hubferry, Kafka, Redis, Services, Sim, eventually, unique};
use serde_json::Value;
use tempfile::TempDir;

use crate::file::run;

/// How long a worker may take for what a test gives it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A portal of its own and a folder for configurations and files.
pub(crate) struct Scene {
    pub(crate) services: Services,
    pub(crate) sim: Sim,
    folder: TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Result<Scene> {
        let services = Services::from_env()?;
        let folder = tempfile::tempdir()?;
        let sim = Sim::start(&services.hubferry(), folder.path()).await?;
        Ok(Scene {
            services,
            sim,
            folder,
        })
    }

    /// With a portal that has settings of its own.
    pub(crate) async fn special(settings: &Value) -> Result<Scene> {
        let services = Services::from_env()?;
        let folder = tempfile::tempdir()?;
        let sim = Sim::special(folder.path(), settings).await?;
        Ok(Scene {
            services,
            sim,
            folder,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn hubferry(&self) -> Hubferry {
        self.services.hubferry()
    }

    /// A configuration for this portal, without a mapping.
    pub(crate) fn config(&self) -> Config {
        Config::to(self.sim.base_url())
    }

    /// Carries these events from a file, however that ends.
    pub(crate) async fn carry(&self, config: &Config, events: &[Value]) -> Result<Finished> {
        let config = config.write(self.folder(), "file")?;
        let input: String = events.iter().map(|event| format!("{event}\n")).collect();
        run(&self.services, &config, &input, self.folder()).await
    }

    /// Carries these events from a file to a good end; gives the report.
    pub(crate) async fn deliver(&self, config: &Config, events: &[Value]) -> Result<Value> {
        let finished = self.carry(config, events).await?;
        ensure!(finished.code == Some(0), "{finished:?}");
        finished.json()
    }
}

/// A topic with its dead-letter topic, a group and a part of Redis, all new.
pub(crate) struct Stream {
    pub(crate) kafka: Kafka,
    pub(crate) topic: String,
    pub(crate) dead_letters: String,
    pub(crate) group: String,
    pub(crate) redis: Redis,
}

impl Stream {
    pub(crate) async fn new(services: &Services, label: &str, partitions: i32) -> Result<Stream> {
        let kafka = services.kafka();
        let topic = kafka.topic(label, partitions).await?;
        let dead_letters = format!("{topic}.hubferry.dlq");
        kafka.create(&dead_letters, partitions).await?;
        Ok(Stream {
            kafka,
            topic,
            dead_letters,
            group: unique(label),
            redis: services.redis(label),
        })
    }

    /// Writes the configuration of a worker that reads this topic.
    pub(crate) fn config(&self, config: Config, folder: &Path) -> Result<PathBuf> {
        config
            .kafka(self.kafka.brokers(), &self.group, &self.topic)
            .redis(&self.redis)
            .write(folder, "worker")
    }

    /// Produces these events, each under the id of its user.
    pub(crate) async fn produce(&self, events: &[Value]) -> Result<()> {
        let messages = events.iter().map(|event| {
            let key = event["userId"].as_str().map(|key| key.as_bytes().to_vec());
            (key, event.to_string().into_bytes())
        });
        self.kafka.produce(&self.topic, messages).await?;
        Ok(())
    }

    /// Messages that the group has committed.
    pub(crate) async fn committed(&self) -> Result<i64> {
        let positions = self.kafka.committed(&self.group, &self.topic).await?;
        Ok(positions.values().sum())
    }

    /// Waits until the group has committed at least this many messages.
    pub(crate) async fn until_committed(&self, wanted: i64) -> Result<()> {
        eventually("messages are committed", PATIENCE, || async {
            match self.committed().await {
                Ok(seen) if seen >= wanted => Ok(()),
                Ok(seen) => Err(format!("{seen} of {wanted}")),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await
    }
}

/// The values of a property over all records, sorted.
pub(crate) fn values<'a>(
    records: impl IntoIterator<Item = &'a hubferry_tests::Properties>,
    property: &str,
) -> Vec<&'a str> {
    let mut values: Vec<&str> = records
        .into_iter()
        .filter_map(|record| record.get(property))
        .map(String::as_str)
        .collect();
    values.sort_unstable();
    values
}

/// The one record that must be there.
pub(crate) fn only<'a>(
    records: impl IntoIterator<Item = &'a hubferry_tests::Properties>,
) -> Result<&'a hubferry_tests::Properties> {
    let mut records = records.into_iter();
    let first = records.next().context("no record")?;
    ensure!(records.next().is_none(), "more than one record");
    Ok(first)
}
