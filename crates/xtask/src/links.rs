//! Links inside the documents lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::outside::say;

/// Documents that must exist.
const REQUIRED: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];

/// Checks every relative link of the documents at the root, under `docs/` and beside crates and charts.
///
/// # Errors
///
/// A required document is missing, or links lead nowhere; all are named.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut documents: Vec<PathBuf> = REQUIRED.iter().map(|name| root.join(name)).collect();
    for folder in ["docs", "deploy", "helm", "crates"] {
        collect(&root.join(folder), &mut documents)?;
    }
    let mut faults = Vec::new();
    let mut count = 0_usize;
    for document in &documents {
        let shown = document.strip_prefix(root).unwrap_or(document).display();
        let Ok(text) = fs::read_to_string(document) else {
            faults.push(format!("{shown} is missing"));
            continue;
        };
        for link in links(&text) {
            count += 1;
            if !leads_somewhere(document, &text, &link) {
                faults.push(format!("{shown}: `{link}` leads nowhere"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    say(&format!("{count} links in {} documents", documents.len()));
    Ok(())
}

fn collect(folder: &Path, documents: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, documents)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    Ok(())
}

/// Targets of `[text](target)` outside code, without those that leave the repository.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let outside_spans: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            let targets = outside_spans
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next());
            let targets = targets.filter_map(|target| target.split_whitespace().next());
            found.extend(targets.filter(|target| !leaves(target)).map(str::to_owned));
        }
    }
    found
}

fn leaves(target: &str) -> bool {
    ["http://", "https://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
}

fn leads_somewhere(document: &Path, text: &str, link: &str) -> bool {
    let (file, heading) = link
        .split_once('#')
        .map_or((link, None), |(file, heading)| (file, Some(heading)));
    if file.is_empty() {
        return heading.is_some_and(|heading| has_heading(text, heading));
    }
    let target = document.parent().unwrap_or(Path::new("")).join(file);
    match heading {
        Some(heading)
            if target
                .extension()
                .is_some_and(|extension| extension == "md") =>
        {
            fs::read_to_string(&target).is_ok_and(|text| has_heading(&text, heading))
        }
        _ => target.exists(),
    }
}

fn has_heading(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .any(|slug| slug == wanted)
}

/// The anchor that a forge makes of a heading.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code_only() {
        let text = "See [a](docs/a.md) and [b](https://example.com), `[c](c.md)`.\n```\n[d](d.md)\n```\n[e](#the-end \"t\")\n";
        assert_eq!(links(text), ["docs/a.md", "#the-end"]);
    }

    #[test]
    fn a_link_to_a_missing_file_or_heading_is_a_fault() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        fs::create_dir(root.join("docs"))?;
        fs::write(
            root.join("docs/a.md"),
            "# One `thing`, here\n[up](../README.md#start)\n",
        )?;
        fs::write(
            root.join("README.md"),
            "## Start\n[a](docs/a.md#one-thing-here) [self](#start) [dir](docs)\n",
        )?;
        fs::write(root.join("ARCHITECTURE.md"), "")?;
        fs::write(root.join("CHANGELOG.md"), "")?;
        check(root)?;

        fs::write(
            root.join("README.md"),
            "[a](docs/b.md) [b](docs/a.md#two)\n",
        )?;
        fs::remove_file(root.join("ARCHITECTURE.md"))?;
        let message = check(root).expect_err("four faults").to_string();
        let expected = "README.md: `docs/b.md` leads nowhere\nREADME.md: `docs/a.md#two` leads nowhere\n\
                        ARCHITECTURE.md is missing\ndocs/a.md: `../README.md#start` leads nowhere";
        assert_eq!(message, expected);
        Ok(())
    }
}
