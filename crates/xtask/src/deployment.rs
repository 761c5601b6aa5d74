//! `cargo xtask deployment`: chart, alerts, dashboards, container and compose files, held against the tools of their
//! trade and against the binary they are for.

mod chart;
mod compose;
mod copies;
mod observed;
mod pages;
mod reference;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::outside::say;
use crate::report::{Report, run as run_to_end};
use crate::workspace::Workspace;
use tools::Tools;

/// What to do with a file that is made from others and is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Compared,
    Written,
}

/// Runs all of it; with `--update` the files that are made from others are written instead of compared.
///
/// # Errors
///
/// An option that is not known.
pub(crate) fn run(workspace: &Workspace, options: &[String], report: &mut Report) -> Result<()> {
    let made = match options {
        [] => Made::Compared,
        [option] if option == "--update" => Made::Written,
        _ => bail!("usage: cargo xtask deployment [--update]"),
    };
    check(workspace, made, report);
    Ok(())
}

/// As a part of `cargo xtask check`.
pub(crate) fn compare(workspace: &Workspace, report: &mut Report) {
    check(workspace, Made::Compared, report);
}

fn check(workspace: &Workspace, made: Made, report: &mut Report) {
    let root = &workspace.root;
    report.part("what alerts and boards name", |_| {
        copies::check(root, made)?;
        observed::check(root)
    });
    report.part("pages of the book", |_| pages::check(root));
    let binary = report.part("build of hubferry", |_| {
        run_to_end(workspace.cargo("build").args(["--bin", "hubferry"]))?;
        Ok(workspace.binary("debug"))
    });
    if let Some(binary) = &binary {
        report.part("configuration reference", |_| {
            reference::check(root, binary, made)
        });
    }
    let Some(tools) = report.part("tools for deployments", |_| Tools::prepare(workspace)) else {
        return;
    };
    report.part("chart", |_| {
        chart::check(root, &tools, binary.as_deref(), made)
    });
    report.part("alert rules", |_| rules(root, &tools));
    report.part("book", |_| {
        let mut book = Command::new(tools.python_tool("mdbook"));
        book.arg("build").arg(root.join("docs"));
        run_to_end(book.arg("--dest-dir").arg(tools.folder.join("book")))
    });
    report.part("container and compose", |_| {
        let mut hadolint = Command::new(tools.python_tool("hadolint"));
        run_to_end(hadolint.current_dir(root).arg("deploy/Dockerfile"))?;
        compose::check(root, &tools, binary.as_deref())
    });
}

fn rules(root: &Path, tools: &Tools) -> Result<()> {
    let folder = root.join("deploy/prometheus");
    let promtool = |arguments: &[&str]| {
        run_to_end(
            Command::new(&tools.promtool)
                .current_dir(&folder)
                .args(arguments),
        )
    };
    promtool(&["check", "rules", "rules.yml"])?;
    promtool(&["test", "rules", "rules.test.yml"])?;
    promtool(&["check", "config", "--syntax-only", "prometheus.yml"])
}

/// Compares a file with what it should be, or writes it.
fn settle(root: &Path, file: &str, wanted: &str, made: Made) -> Result<()> {
    let path = root.join(file);
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found == wanted {
        return Ok(());
    }
    if made == Made::Compared {
        bail!(
            "{file} is out of date{}; `cargo xtask deployment --update` makes it anew",
            first_difference(&found, wanted)
        );
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, wanted).with_context(|| format!("could not write {file}"))?;
    say(&format!("wrote {file}"));
    Ok(())
}

fn first_difference(found: &str, wanted: &str) -> String {
    let pairs = found
        .lines()
        .map(Some)
        .chain(std::iter::repeat(None))
        .zip(wanted.lines().map(Some).chain(std::iter::repeat(None)));
    for (number, (found, wanted)) in (1..).zip(pairs) {
        match (found, wanted) {
            (None, None) => break,
            (found, wanted) if found == wanted => {}
            (found, wanted) => {
                let shown = |line: Option<&str>| line.unwrap_or("(the end)").trim().to_owned();
                return format!(
                    ": line {number} is `{}`, not `{}`",
                    shown(found),
                    shown(wanted)
                );
            }
        }
    }
    String::new()
}

/// The files of a folder that end so, sorted by name.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut found = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    Ok(found)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_out_of_date_is_named_with_its_first_difference() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        settle(root, "a/b.txt", "one\ntwo\n", Made::Written)?;
        settle(root, "a/b.txt", "one\ntwo\n", Made::Compared)?;
        let cases = [
            ("one\n2\n", ": line 2 is `two`, not `2`"),
            ("one\n", ": line 2 is `two`, not `(the end)`"),
            ("one\ntwo\nthree\n", ": line 3 is `(the end)`, not `three`"),
        ];
        for (wanted, expected) in cases {
            let error = settle(root, "a/b.txt", wanted, Made::Compared).expect_err("differs");
            let expected = format!(
                "a/b.txt is out of date{expected}; `cargo xtask deployment --update` makes it anew"
            );
            assert_eq!(error.to_string(), expected);
        }
        Ok(())
    }
}
