//! The page that says what shows each promise: complete, and every test that it names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Promises in the page's tables.
const PROMISES: u32 = 79;
/// Defects by the letter of their table, and how many there are.
const DEFECTS: [(char, u32); 7] = [
    ('C', 22),
    ('K', 17),
    ('L', 13),
    ('O', 36),
    ('B', 13),
    ('E', 21),
    ('F', 17),
];

fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("the workspace")?.to_owned())
}

/// The first cells of the rows, and everything in backticks.
fn page() -> Result<(Vec<String>, BTreeSet<String>)> {
    let text = std::fs::read_to_string(root()?.join("docs/coverage.md"))?;
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells = rows
        .filter_map(|row| row.split('|').nth(1))
        .map(|cell| cell.trim().to_owned());
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    Ok((cells.collect(), quoted.collect()))
}

/// Everything that follows `fn ` in the sources below a folder.
fn functions(folder: &Path, into: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            functions(&path, into)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let names = text.split("fn ").skip(1);
            into.extend(names.filter_map(|rest| rest.split('(').next().map(str::to_owned)));
        }
    }
    Ok(())
}

#[test]
fn every_promise_and_every_defect_has_one_row() -> Result<()> {
    let (cells, _) = page()?;
    let promises: Vec<u32> = cells.iter().filter_map(|cell| cell.parse().ok()).collect();
    assert_eq!(promises, (1..=PROMISES).collect::<Vec<u32>>());
    let listed: Vec<&str> = cells.iter().flat_map(|cell| cell.split(' ')).collect();
    for (letter, count) in DEFECTS {
        for number in 1..=count {
            let defect = format!("{letter}{number}");
            assert!(listed.contains(&defect.as_str()), "no row for {defect}");
        }
    }
    Ok(())
}

#[test]
fn every_test_that_the_page_names_exists() -> Result<()> {
    let (_, quoted) = page()?;
    let mut known = BTreeSet::new();
    for folder in ["crates", "tests"] {
        functions(&root()?.join(folder), &mut known)?;
    }
    let is_name = |text: &str| {
        let letters =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        text.contains('_') && text.chars().all(letters)
    };
    let named = quoted.iter().filter(|text| is_name(text));
    // Codes have a page each.
    let pages = root()?.join("docs/errors");
    let is_code = |name: &str| pages.join(format!("{name}.md")).is_file();
    let missing = named.filter(|name| !known.contains(*name) && !is_code(name));
    let missing: Vec<&String> = missing.collect();
    assert_eq!(
        missing,
        Vec::<&String>::new(),
        "named on the page, and nowhere else"
    );
    Ok(())
}
