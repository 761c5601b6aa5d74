//! `cargo xtask sbom`: what the binary is made of, as CycloneDX, or as a list of licences.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::outside::say;
use crate::workspace::{Workspace, array};

const USAGE: &str = "usage: cargo xtask sbom [--licences] [--output FILE]";
/// What is shipped.
const SHIPPED: &str = "hubferry";

/// Prints it, or writes it into a file.
///
/// # Errors
///
/// An option that is not known, a file that cannot be written, or cargo that does not answer.
pub(crate) fn run(workspace: &Workspace, options: &[String]) -> Result<ExitCode> {
    let mut options = options.iter();
    let mut licences = false;
    let mut output = None;
    while let Some(option) = options.next() {
        match option.as_str() {
            "--licences" => licences = true,
            "--output" => output = Some(options.next().context(USAGE)?),
            _ => bail!(USAGE),
        }
    }
    let metadata = metadata(workspace)?;
    let parts = parts(&metadata)?;
    let text = if licences {
        list(&parts)
    } else {
        format!("{:#}", bill(&metadata, &parts))
    };
    match output {
        Some(file) => {
            fs::write(file, format!("{text}\n"))
                .with_context(|| format!("could not write {file}"))?;
        }
        None => say(&text),
    }
    Ok(ExitCode::SUCCESS)
}

/// `cargo metadata` for this machine alone: what only other systems need is no part of the binary.
fn metadata(workspace: &Workspace) -> Result<Value> {
    let said = Command::new("rustc").arg("-vV").output()?;
    let said = String::from_utf8(said.stdout)?;
    let host = said
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not name its host")?;
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ]);
    let output = command.output().context("could not start cargo")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The packages that the binary is built from, by id: dependencies of tests and benchmarks are left out.
fn parts(metadata: &Value) -> Result<BTreeMap<&str, &Value>> {
    let packages: BTreeMap<&str, &Value> = array(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = array(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let shipped = packages
        .iter()
        .find(|(_, package)| package["name"].as_str() == Some(SHIPPED))
        .map(|(id, _)| *id)
        .with_context(|| format!("there is no package {SHIPPED}"))?;
    let mut open = vec![shipped];
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        if found.insert(id)
            && let Some(node) = nodes.get(id)
        {
            let needed = array(&node["deps"]).filter(|dependency| is_built(dependency));
            open.extend(needed.filter_map(|dependency| dependency["pkg"].as_str()));
        }
    }
    Ok(packages
        .into_iter()
        .filter(|(id, _)| found.contains(id))
        .collect())
}

fn is_built(dependency: &Value) -> bool {
    array(&dependency["dep_kinds"]).any(|kind| kind["kind"].as_str() != Some("dev"))
}

fn bill(metadata: &Value, parts: &BTreeMap<&str, &Value>) -> Value {
    let (main, others): (Vec<&Value>, Vec<&Value>) = parts
        .values()
        .copied()
        .partition(|package| package["name"].as_str() == Some(SHIPPED));
    let dependencies = array(&metadata["resolve"]["nodes"]).filter_map(|node| {
        let package = parts.get(node["id"].as_str()?)?;
        let on: Vec<String> = array(&node["deps"])
            .filter(|dependency| is_built(dependency))
            .filter_map(|dependency| parts.get(dependency["pkg"].as_str()?))
            .map(|package| address(package))
            .collect();
        Some(json!({ "ref": address(package), "dependsOn": on }))
    });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": main.first().map(|package| component(package, "application")) },
        "components": others.iter().map(|package| component(package, "library")).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    })
}

fn component(package: &Value, kind: &str) -> Value {
    json!({
        "type": kind,
        "bom-ref": address(package),
        "name": package["name"],
        "version": package["version"],
        "purl": address(package),
        "licenses": [{ "expression": licence(package) }],
    })
}

fn address(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

/// Old manifests write `/` for `OR`.
fn licence(package: &Value) -> String {
    let written = package["license"].as_str().unwrap_or("NOASSERTION");
    written
        .split('/')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" OR ")
}

fn list(parts: &BTreeMap<&str, &Value>) -> String {
    let mut by_licence: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in parts.values() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", text("name"), text("version"));
        by_licence.entry(licence(package)).or_default().push(name);
    }
    let sections = by_licence.into_iter().map(|(licence, mut names)| {
        names.sort();
        format!("{licence}\n  {}", names.join("\n  "))
    });
    sections.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({
            "packages": [
                {"id": "h", "name": "hubferry", "version": "1.0.0", "license": "Apache-2.0"},
                {"id": "a", "name": "a", "version": "2.0.0", "license": "MIT/Apache-2.0"},
                {"id": "b", "name": "b", "version": "3.0.0", "license": "MIT"},
                {"id": "t", "name": "only-tests", "version": "4.0.0", "license": "MIT"},
            ],
            "resolve": {"nodes": [
                {"id": "h", "deps": [
                    {"pkg": "a", "dep_kinds": [{"kind": null}]},
                    {"pkg": "t", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "b", "deps": []},
                {"id": "t", "deps": []},
            ]},
        })
    }

    #[test]
    fn what_only_tests_need_is_no_part() -> Result<()> {
        let metadata = sample();
        let parts = parts(&metadata)?;
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), ["a", "b", "h"]);
        assert_eq!(
            list(&parts),
            "Apache-2.0\n  hubferry 1.0.0\nMIT\n  b 3.0.0\nMIT OR Apache-2.0\n  a 2.0.0"
        );
        Ok(())
    }

    #[test]
    fn the_bill_names_parts_licences_and_who_needs_what() -> Result<()> {
        let metadata = sample();
        let bill = bill(&metadata, &parts(&metadata)?);
        assert_eq!(
            bill["metadata"]["component"]["purl"],
            "pkg:cargo/hubferry@1.0.0"
        );
        assert_eq!(
            bill["components"][0],
            json!({
                "type": "library", "bom-ref": "pkg:cargo/a@2.0.0", "name": "a", "version": "2.0.0",
                "purl": "pkg:cargo/a@2.0.0", "licenses": [{"expression": "MIT OR Apache-2.0"}],
            })
        );
        assert_eq!(
            bill["dependencies"],
            json!([
                {"ref": "pkg:cargo/hubferry@1.0.0", "dependsOn": ["pkg:cargo/a@2.0.0"]},
                {"ref": "pkg:cargo/a@2.0.0", "dependsOn": ["pkg:cargo/b@3.0.0"]},
                {"ref": "pkg:cargo/b@3.0.0", "dependsOn": []},
            ])
        );
        Ok(())
    }
}
