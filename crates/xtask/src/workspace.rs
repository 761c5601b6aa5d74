//! What cargo says about this workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::outside::in_ci;

/// The workspace, as `cargo metadata` describes it.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// The whole answer, for the dependency policy.
    pub(crate) metadata: Value,
}

impl Workspace {
    pub(crate) fn load() -> Result<Workspace> {
        let mut command = cargo("metadata");
        command.args(["--format-version", "1"]);
        let output = command.output().context("could not start cargo")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let path = |key: &str| {
            metadata[key]
                .as_str()
                .map(PathBuf::from)
                .with_context(|| format!("cargo metadata has no {key}"))
        };
        Ok(Workspace {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            metadata,
        })
    }

    /// Test targets of the workspace: those that need services (they have required features) or those that do not.
    pub(crate) fn test_targets(&self, with_services: bool) -> Vec<String> {
        let targets = self.targets().filter(|(_, target)| is_kind(target, "test"));
        let wanted = targets.filter(|(_, target)| needs_services(target) == with_services);
        let mut names: Vec<String> = wanted
            .filter_map(|(_, target)| Some(target["name"].as_str()?.to_owned()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// `package/feature` of every feature that some test target requires.
    pub(crate) fn service_features(&self) -> Vec<String> {
        let mut features = Vec::new();
        for (package, target) in self.targets() {
            for feature in required(target) {
                let name = package["name"].as_str().unwrap_or_default();
                features.push(format!("{name}/{feature}"));
            }
        }
        features.sort();
        features.dedup();
        features
    }

    /// Packages that have such features: their in-crate tests may need services too.
    pub(crate) fn service_packages(&self) -> Vec<String> {
        let features = self.service_features();
        let packages = features
            .iter()
            .filter_map(|feature| feature.split('/').next());
        let mut packages: Vec<String> = packages.map(str::to_owned).collect();
        packages.dedup();
        packages
    }

    /// A cargo command over the whole workspace, for what must work without any service.
    pub(crate) fn cargo_without_services(&self, subcommand: &str) -> Command {
        let mut command = cargo(subcommand);
        command.current_dir(&self.root).arg("--workspace");
        command
    }

    /// A cargo command over the whole workspace with the features of the tests that need services.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.cargo_without_services(subcommand);
        self.with_service_features(&mut command);
        command
    }

    /// A cargo command over the packages that have such features, with them.
    pub(crate) fn cargo_of_service_packages(&self, subcommand: &str) -> Command {
        let mut command = cargo(subcommand);
        command.current_dir(&self.root);
        for package in self.service_packages() {
            command.args(["--package", &package]);
        }
        self.with_service_features(&mut command);
        command
    }

    fn with_service_features(&self, command: &mut Command) {
        let features = self.service_features();
        if !features.is_empty() {
            command.arg("--features").arg(features.join(","));
        }
    }

    /// Where the profile `debug` or `release` puts the binary.
    pub(crate) fn binary(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("hubferry")
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Value> {
        let members: Vec<&str> = array(&self.metadata["workspace_members"])
            .filter_map(Value::as_str)
            .collect();
        let packages = array(&self.metadata["packages"]);
        packages.filter(move |package| {
            package["id"]
                .as_str()
                .is_some_and(|id| members.contains(&id))
        })
    }

    fn targets(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.members()
            .flat_map(|package| array(&package["targets"]).map(move |target| (package, target)))
    }
}

/// Plain cargo; in CI the lock file must already be right.
fn cargo(subcommand: &str) -> Command {
    let program = crate::outside::variable("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let mut command = Command::new(program);
    command.arg(subcommand);
    if in_ci() {
        command.arg("--locked");
    }
    command
}

/// `cargo fmt`, which knows neither features nor the lock file.
pub(crate) fn cargo_fmt(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["fmt", "--all", "--check"]);
    command
}

pub(crate) fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_kind(target: &Value, kind: &str) -> bool {
    array(&target["kind"]).any(|one| one.as_str() == Some(kind))
}

fn required(target: &Value) -> impl Iterator<Item = &str> {
    array(&target["required-features"]).filter_map(Value::as_str)
}

fn needs_services(target: &Value) -> bool {
    required(target).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn two_packages() -> Workspace {
        let target = |kind: &str, name: &str, features: &[&str]| json!({"kind": [kind], "name": name, "required-features": features});
        let metadata = json!({
            "workspace_members": ["a", "b"],
            "packages": [
                {"id": "a", "name": "limiter", "targets": [
                    target("lib", "limiter", &[]), target("test", "shape", &[]), target("test", "redis", &["redis-tests"])]},
                {"id": "b", "name": "tests", "targets": [
                    target("test", "e2e", &["services"])]},
                {"id": "c", "name": "foreign", "targets": [target("test", "other", &["x"])]},
            ],
        });
        Workspace {
            root: PathBuf::new(),
            target: PathBuf::from("t"),
            metadata,
        }
    }

    #[test]
    fn tests_that_require_a_feature_are_the_ones_that_need_services() {
        let workspace = two_packages();
        assert_eq!(workspace.test_targets(true), ["e2e", "redis"]);
        assert_eq!(workspace.test_targets(false), ["shape"]);
        assert_eq!(
            workspace.service_features(),
            ["limiter/redis-tests", "tests/services"]
        );
        assert_eq!(workspace.service_packages(), ["limiter", "tests"]);
        assert_eq!(workspace.binary("debug"), PathBuf::from("t/debug/hubferry"));
    }
}
