//! Where the real services are.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;

use crate::{Hubferry, Kafka, Redis};

/// The services that every end-to-end test stands on.
#[derive(Debug, Clone)]
pub struct Services {
    /// Bootstrap address of a real Kafka.
    pub kafka: String,
    /// URL of a real Redis.
    pub redis: String,
    /// The `hubferry` binary under test.
    pub binary: PathBuf,
}

impl Services {
    /// Reads `HUBFERRY_TEST_KAFKA`, `HUBFERRY_TEST_REDIS` and `HUBFERRY_BIN`.
    ///
    /// # Errors
    ///
    /// A variable is missing or the binary is not there. A test must fail then: it never passes by skipping.
    pub fn from_env() -> Result<Services> {
        let binary = PathBuf::from(variable("HUBFERRY_BIN")?);
        ensure!(
            binary.is_file(),
            "HUBFERRY_BIN names {}, which is not there: run `cargo xtask e2e`",
            binary.display()
        );
        Ok(Services {
            kafka: variable("HUBFERRY_TEST_KAFKA")?,
            redis: variable("HUBFERRY_TEST_REDIS")?,
            binary,
        })
    }

    /// The bootstrap address alone, for tests that need nothing else.
    ///
    /// # Errors
    ///
    /// `HUBFERRY_TEST_KAFKA` is missing.
    pub fn kafka_from_env() -> Result<Kafka> {
        Ok(Kafka::at(variable("HUBFERRY_TEST_KAFKA")?))
    }

    /// The Kafka of these services.
    #[must_use]
    pub fn kafka(&self) -> Kafka {
        Kafka::at(self.kafka.clone())
    }

    /// The command line under test.
    #[must_use]
    pub fn hubferry(&self) -> Hubferry {
        Hubferry::at(self.binary.clone())
    }

    /// The Redis of these services under a key prefix of its own.
    #[must_use]
    pub fn redis(&self, label: &str) -> Redis {
        Redis::at(&self.redis, label)
    }
}

/// A name that no other test and no other run uses: tests share one broker and one Redis.
#[must_use]
pub fn unique(label: &str) -> String {
    format!("{label}-{:08x}", rand::rng().random::<u32>())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the harness that reads the environment"
)]
fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| {
        format!("{name} is not set: this test needs real services, run `cargo xtask e2e`")
    })
}
