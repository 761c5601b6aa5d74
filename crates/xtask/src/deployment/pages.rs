//! The book holds every page, and every code that a refusal can have has one.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::{files, stem};
use crate::outside::say;

/// Where the binary says what helps against each code.
const HINTS: &str = "crates/hubferry/src/hints.rs";

pub(super) fn check(root: &Path) -> Result<()> {
    let docs = root.join("docs");
    let read = |path: &Path| {
        fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
    };
    let summary = read(&docs.join("SUMMARY.md"))?;
    let index = read(&docs.join("errors/index.md"))?;
    let mut faults = Vec::new();
    for folder in ["", "errors", "reference", "runbooks"] {
        for page in files(&docs.join(folder), ".md")? {
            let name = page.strip_prefix(&docs).unwrap_or(&page).display();
            if stem(&page) != "SUMMARY" && !summary.contains(&format!("]({name})")) {
                faults.push(format!("docs/{name} is not in docs/SUMMARY.md"));
            }
        }
    }
    let mut pages = 0_usize;
    for page in files(&docs.join("errors"), ".md")? {
        let code = stem(&page);
        pages += 1;
        if code != "index" && !index.contains(&format!("]({code}.md)")) {
            faults.push(format!(
                "docs/errors/{code}.md is not in docs/errors/index.md"
            ));
        }
    }
    for code in codes(&read(&root.join(HINTS))?) {
        if !docs.join("errors").join(format!("{code}.md")).is_file() {
            faults.push(format!("the code {code} has no page in docs/errors"));
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    say(&format!("{} pages of errors", pages.saturating_sub(1)));
    Ok(())
}

/// The texts that arms of a `match` are for.
fn codes(source: &str) -> impl Iterator<Item = &str> {
    let arms = source.lines().filter_map(|line| line.split_once("=>"));
    let patterns = arms.map(|(pattern, _)| pattern.trim());
    patterns
        .filter(|pattern| pattern.starts_with('"'))
        .flat_map(|pattern| pattern.split('"').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_patterns_of_arms() {
        let source = "match code {\n    \"a\" => \"x\",\n    \"b\" | \"c\" => {\n        \"y\"\n    }\n    _ => \"z\",\n}\n";
        assert_eq!(codes(source).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn pages_outside_the_book_and_codes_without_a_page_are_faults() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, text)
        };
        write("docs/SUMMARY.md", "[e](errors/index.md) [a](errors/a.md)")?;
        write("docs/errors/index.md", "[a](a.md)")?;
        write("docs/errors/a.md", "")?;
        write("docs/reference/x.md", "")?;
        fs::create_dir_all(folder.path().join("docs/runbooks"))?;
        write(HINTS, "\"a\" => 1,\n\"b\" => 2,\n")?;
        let error = check(folder.path()).expect_err("two faults");
        assert_eq!(
            error.to_string(),
            "docs/reference/x.md is not in docs/SUMMARY.md\nthe code b has no page in docs/errors"
        );
        Ok(())
    }
}
