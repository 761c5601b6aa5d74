//! What may become part of hubferry: licences and sources of every dependency.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::outside::{answers, say};
use crate::report::run;
use crate::workspace::{Workspace, array};

/// Applies `deny.toml`: by cargo-deny where it is installed, else its licences, wildcards and sources by ourselves.
///
/// cargo-deny is not installed here: building it takes longer than all other checks together.
///
/// # Errors
///
/// A dependency breaks the policy; all are named.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if answers("cargo", &["deny", "--version"]) {
        let mut deny = Command::new("cargo");
        deny.current_dir(&workspace.root);
        deny.args(["deny", "--offline", "check", "licenses", "bans", "sources"]);
        return run(&mut deny);
    }
    let policy =
        fs::read_to_string(workspace.root.join("deny.toml")).context("could not read deny.toml")?;
    let allowed = allowed_licences(&policy)?;
    let packages: Vec<&Value> = array(&workspace.metadata["packages"]).collect();
    let mut faults: Vec<String> = packages
        .iter()
        .filter_map(|package| fault(package, &allowed))
        .collect();
    faults.extend(workspace.members().flat_map(wildcards));
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    say(&format!(
        "{} packages, by the built-in check (cargo-deny is not installed)",
        packages.len()
    ));
    Ok(())
}

/// The texts of `allow = [ … ]` under `[licenses]`.
fn allowed_licences(policy: &str) -> Result<Vec<String>> {
    let section = policy
        .split("[licenses]")
        .nth(1)
        .context("deny.toml has no [licenses]")?;
    let list = section
        .split_once("allow = [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.context("deny.toml has no list of allowed licences")?;
    let allowed: Vec<String> = list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    ensure!(!allowed.is_empty(), "deny.toml allows no licence");
    Ok(allowed)
}

fn fault(package: &Value, allowed: &[String]) -> Option<String> {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    let name = format!("{} {}", text("name"), text("version"));
    let source = package["source"].as_str();
    if source.is_some_and(|source| {
        !source.starts_with("registry+") || !source.ends_with("/crates.io-index")
    }) {
        return Some(format!("{name}: its source is not crates.io"));
    }
    let licence = text("license");
    if licence.is_empty() {
        return Some(format!("{name}: no licence"));
    }
    match Licence::parse(licence) {
        None => Some(format!("{name}: licence `{licence}` is not understood")),
        Some(parsed) if !parsed.is_allowed(allowed) => {
            Some(format!("{name}: licence `{licence}` is not allowed"))
        }
        Some(_) => None,
    }
}

fn wildcards(package: &Value) -> impl Iterator<Item = String> {
    let dependencies = array(&package["dependencies"]);
    let open = dependencies.filter(|one| one["req"].as_str() == Some("*") && one["path"].is_null());
    let owner = package["name"].as_str().unwrap_or_default();
    open.map(move |one| {
        format!(
            "{owner}: any version of {} would do",
            one["name"].as_str().unwrap_or_default()
        )
    })
}

/// An SPDX expression: `MIT OR (Apache-2.0 WITH LLVM-exception AND ISC)`; old manifests write `/` for `OR`.
#[derive(Debug, PartialEq, Eq)]
enum Licence {
    One(String),
    All(Vec<Licence>),
    Any(Vec<Licence>),
}

impl Licence {
    fn parse(expression: &str) -> Option<Licence> {
        let spaced = expression
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut words = words.as_slice();
        let licence = any(&mut words)?;
        words.is_empty().then_some(licence)
    }

    fn is_allowed(&self, allowed: &[String]) -> bool {
        match self {
            Licence::One(name) => allowed.contains(name),
            Licence::All(parts) => parts.iter().all(|part| part.is_allowed(allowed)),
            Licence::Any(parts) => parts.iter().any(|part| part.is_allowed(allowed)),
        }
    }
}

fn any(words: &mut &[&str]) -> Option<Licence> {
    let mut parts = vec![all(words)?];
    while take(words, "OR") {
        parts.push(all(words)?);
    }
    if parts.len() == 1 {
        parts.pop()
    } else {
        Some(Licence::Any(parts))
    }
}

fn all(words: &mut &[&str]) -> Option<Licence> {
    let mut parts = vec![one(words)?];
    while take(words, "AND") {
        parts.push(one(words)?);
    }
    if parts.len() == 1 {
        parts.pop()
    } else {
        Some(Licence::All(parts))
    }
}

fn one(words: &mut &[&str]) -> Option<Licence> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    if *first == "(" {
        let inner = any(words)?;
        return take(words, ")").then_some(inner);
    }
    let is_name = first
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+'));
    if !is_name || matches!(*first, "OR" | "AND" | "WITH") {
        return None;
    }
    if take(words, "WITH") {
        let (exception, rest) = words.split_first()?;
        *words = rest;
        return Some(Licence::One(format!("{first} WITH {exception}")));
    }
    Some(Licence::One((*first).to_owned()))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn allowed() -> Vec<String> {
        let policy = "[graph]\nallow = [\"no\"]\n[licenses]\nallow = [\n  \"MIT\",\n  \"Apache-2.0\",\n  \"Apache-2.0 WITH LLVM-exception\",\n]\n";
        allowed_licences(policy).unwrap()
    }

    #[test]
    fn licence_expressions_are_weighed() {
        let cases = [
            ("MIT", Some(true)),
            ("GPL-3.0", Some(false)),
            ("MIT OR GPL-3.0", Some(true)),
            ("GPL-3.0/MIT", Some(true)),
            ("MIT AND GPL-3.0", Some(false)),
            ("(MIT OR GPL-3.0) AND Apache-2.0", Some(true)),
            ("MIT OR GPL-3.0 AND ISC", Some(true)),
            ("Apache-2.0 WITH LLVM-exception", Some(true)),
            ("Apache-2.0 WITH other-exception", Some(false)),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT Apache-2.0", None),
        ];
        for (expression, expected) in cases {
            let weighed = Licence::parse(expression).map(|licence| licence.is_allowed(&allowed()));
            assert_eq!(weighed, expected, "{expression}");
        }
    }

    #[test]
    fn a_package_from_elsewhere_or_without_licence_is_a_fault() {
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        let package = |licence: Value, source: Value| json!({"name": "x", "version": "1.0.0", "license": licence, "source": source});
        let cases = [
            (package(json!("MIT"), json!(registry)), None),
            (package(json!("MIT"), json!(null)), None),
            (
                package(json!("MIT"), json!("git+https://example.com/x")),
                Some("x 1.0.0: its source is not crates.io"),
            ),
            (
                package(json!("MIT"), json!("registry+https://example.com/index")),
                Some("x 1.0.0: its source is not crates.io"),
            ),
            (
                package(json!(null), json!(registry)),
                Some("x 1.0.0: no licence"),
            ),
            (
                package(json!("GPL-3.0"), json!(registry)),
                Some("x 1.0.0: licence `GPL-3.0` is not allowed"),
            ),
            (
                package(json!("see file"), json!(registry)),
                Some("x 1.0.0: licence `see file` is not understood"),
            ),
        ];
        for (package, expected) in cases {
            assert_eq!(
                fault(&package, &allowed()).as_deref(),
                expected,
                "{package}"
            );
        }
    }

    #[test]
    fn any_version_will_not_do_unless_it_is_ours() {
        let package = json!({"name": "a", "dependencies": [
            {"name": "open", "req": "*", "path": null}, {"name": "ours", "req": "*", "path": "/x"}, {"name": "fine", "req": "^1"}]});
        assert_eq!(
            wildcards(&package).collect::<Vec<_>>(),
            ["a: any version of open would do"]
        );
    }
}
