//! `hubferry test`: mapping tests beside the mappings. Events in, payloads, steps and endings out.

mod case;
mod compare;
mod file;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::case::judge;
use self::compare::Difference;
use self::file::{Case, TestFile};
use super::open::Bench;
use super::paint::{Paint, Tone};
use crate::config::{Place, Surroundings};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::words::{counted, size};

/// What was asked.
pub(super) struct Asked {
    /// Folders to look through, or test files.
    pub(super) places: Vec<PathBuf>,
    /// How the result is printed.
    pub(super) form: Form,
}

/// What came of one case.
struct Judged {
    place: Place,
    name: String,
    differences: Vec<Difference>,
}

/// Runs every case of every test file.
///
/// # Errors
///
/// A file cannot be read or run; else a case differs.
pub(super) async fn suite(
    configs: &[PathBuf],
    around: &Surroundings,
    asked: Asked,
) -> Result<(), Failure> {
    let files = found(&asked.places)?;
    let mut judged = Vec::new();
    let mut unreadable = Vec::new();
    for path in &files {
        match Box::pin(run_file(path, configs, around)).await {
            Ok(cases) => judged.extend(cases),
            Err(message) => unreadable.push(message),
        }
    }
    report(&judged, files.len(), around, asked.form)?;
    if !unreadable.is_empty() {
        return Err(Failure::Usage(unreadable.join("\nhubferry: ")));
    }
    let failed = judged.iter().filter(|case| case.is_failed()).count();
    if failed > 0 {
        let (failed, all) = (size(failed), counted(size(judged.len()), "case"));
        let verb = if failed == 1 { "differs" } else { "differ" };
        return Err(Failure::Data(format!("{failed} of {all} {verb}")));
    }
    Ok(())
}

/// The test files under these places, in order.
fn found(places: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for place in places {
        let before = files.len();
        if place.is_dir() {
            look_through(place, &mut files)?;
        } else {
            files.push(place.clone());
        }
        if files.len() == before {
            let shown = place.display();
            return Err(Failure::Usage(format!("no *.test.yaml under {shown}")));
        }
    }
    Ok(files)
}

/// Links to folders are not followed, so that nothing goes round.
fn look_through(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable =
        |error| Failure::Usage(format!("could not read {}: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
        entries.push((entry.path(), is_folder));
    }
    entries.sort();
    for (path, is_folder) in entries {
        if is_folder {
            look_through(&path, files)?;
        } else if crate::config::is_test_file(&path) {
            files.push(path);
        }
    }
    Ok(())
}

async fn run_file(
    path: &Path,
    configs: &[PathBuf],
    around: &Surroundings,
) -> Result<Vec<Judged>, String> {
    let file = TestFile::read(path)?;
    let configs = if file.config.is_empty() {
        configs
    } else {
        &file.config
    };
    if configs.is_empty() {
        return Err(format!(
            "{}: no configuration: add `config: PATH`, or --config",
            path.display()
        ));
    }
    let mut benches: HashMap<Option<String>, Bench> = HashMap::new();
    let mut judged = Vec::new();
    for case in file.cases {
        let wanted = case.mapping.clone().or_else(|| file.mapping.clone());
        let bench = match benches.entry(wanted) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let opened = Bench::open(configs, around, place.key().as_deref())
                    .map_err(|failure| format!("{}: {failure}", case.place))?;
                place.insert(opened)
            }
        };
        judged.push(run_case(case, bench).await?);
    }
    Ok(judged)
}

async fn run_case(case: Case, bench: &Bench) -> Result<Judged, String> {
    let differences = judge(&case, bench)
        .await
        .map_err(|message| format!("{}: {message}", case.place))?;
    Ok(Judged {
        place: case.place,
        name: case.name,
        differences,
    })
}

impl Judged {
    fn is_failed(&self) -> bool {
        !self.differences.is_empty()
    }

    fn to_json(&self) -> Value {
        let differences: Vec<Value> = self.differences.iter().map(Difference::to_json).collect();
        json!({
            "file": self.place.file.display().to_string(),
            "line": self.place.line,
            "name": self.name,
            "ok": !self.is_failed(),
            "differences": differences,
        })
    }
}

fn report(
    judged: &[Judged],
    files: usize,
    around: &Surroundings,
    form: Form,
) -> Result<(), Failure> {
    let failed: Vec<&Judged> = judged.iter().filter(|case| case.is_failed()).collect();
    let passed = judged.len() - failed.len();
    if form == Form::Json {
        let cases: Vec<Value> = judged.iter().map(Judged::to_json).collect();
        return output::print_json(&json!({
            "passed": passed,
            "failed": failed.len(),
            "cases": cases,
        }));
    }
    let paint = Paint::of_stdout(around);
    let mut page = String::new();
    for case in failed {
        let heading = format!("{}  {}", case.place, case.name);
        // Writing to a String cannot fail.
        writeln!(page, "{}  {heading}", paint.text(Tone::Bad, "differs")).ok();
        for difference in &case.differences {
            page.push_str(&difference.to_text(paint));
        }
        page.push('\n');
    }
    let sum = format!(
        "{} passed, {} differ, in {}",
        counted(size(passed), "case"),
        judged.len() - passed,
        counted(size(files), "file")
    );
    let tone = if passed == judged.len() {
        Tone::Good
    } else {
        Tone::Bad
    };
    writeln!(page, "{}", paint.text(tone, sum)).ok();
    output::print(&page)
}
