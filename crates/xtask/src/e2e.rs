//! `cargo xtask e2e`: the tests that need a real Kafka and a real Redis.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::report::{Report, run as run_to_end, run_tests};
use crate::setup::{self, Need};
use crate::workspace::Workspace;
use crate::{kafka, redis};

/// Both services, running until this is dropped.
pub(crate) struct Services {
    kafka: kafka::Kafka,
    redis: redis::Redis,
}

impl Services {
    /// Starts what is not given by the environment, and waits until both answer.
    pub(crate) fn start(workspace: &Workspace) -> Result<Services> {
        if !redis::is_given() {
            setup::prepare(&[Need::Redis])?;
        }
        let redis = redis::Redis::start(&workspace.target)?;
        let kafka = kafka::Kafka::start(&workspace.target)?;
        Ok(Services { kafka, redis })
    }

    /// Tells a command where they are.
    pub(crate) fn give<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("HUBFERRY_TEST_KAFKA", &self.kafka.address)
            .env("HUBFERRY_TEST_REDIS", &self.redis.url)
    }
}

pub(crate) fn run(workspace: &Workspace, filters: &[String], report: &mut Report) {
    report.part("build of hubferry", |_| {
        run_to_end(workspace.cargo("build").args(["--bin", "hubferry"]))
    });
    let Some(services) = report.part("start of kafka and redis", |_| Services::start(workspace))
    else {
        return;
    };
    report.part("tests with services", |tests| {
        let names = workspace.test_targets(true);
        ensure!(!names.is_empty(), "no test target requires services");
        let mut command = workspace.cargo("test");
        command.arg("--no-fail-fast");
        for name in names {
            command.args(["--test", &name]);
        }
        command
            .args(filters)
            .env("HUBFERRY_BIN", workspace.binary("debug"));
        run_tests(services.give(&mut command), tests)
    });
    report.part("stop of kafka and redis", |_| {
        drop(services);
        Ok(())
    });
}
