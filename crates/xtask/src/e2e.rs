//! `cargo xtask e2e`: the tests that need a real Kafka and a real Redis.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::report::{Report, run as run_to_end, run_tests};
use crate::service::run_folder;
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
    // Without a fresh binary there is nothing to test: an older one would answer for code that it is not.
    let Some(binary) = report.part("build of hubferry", |_| build(workspace)) else {
        return;
    };
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
        command.env("HUBFERRY_BIN", &binary).arg("--").args(filters);
        let silent = run_tests(services.give(&mut command), tests)?;
        ensure!(
            silent == 0 || !filters.is_empty(),
            "{silent} of the test programs ran no test, so what they stand for is not shown"
        );
        Ok(())
    });
    report.part("in-crate tests with services", |tests| {
        let mut command = workspace.cargo_of_service_packages("test");
        command
            .args(["--lib", "--no-fail-fast", "--"])
            .args(filters);
        run_tests(services.give(&mut command), tests)
    });
    report.part("stop of kafka and redis", |_| {
        drop(services);
        Ok(())
    });
}

/// Builds the binary and copies it, so that another build meanwhile does not change what is tested.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    run_to_end(workspace.cargo("build").args(["--bin", "hubferry"]))?;
    let copy = run_folder(&workspace.target, "binary")?.join("hubferry");
    std::fs::copy(workspace.binary("debug"), &copy).context("could not copy the binary")?;
    Ok(copy)
}
