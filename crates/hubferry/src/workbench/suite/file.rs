//! A test file: what is written, and what is meant.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::config::{Place, Places, Root, closest, parse_text};

/// One file of cases.
#[derive(Debug)]
pub(super) struct TestFile {
    /// The configuration, seen from the file's folder.
    pub(super) config: Vec<PathBuf>,
    /// The mapping of every case that names none.
    pub(super) mapping: Option<String>,
    /// The cases, in order.
    pub(super) cases: Vec<Case>,
}

/// One event, and what is expected of it.
#[derive(Debug)]
pub(super) struct Case {
    /// Where it is written.
    pub(super) place: Place,
    /// What people call it.
    pub(super) name: String,
    /// The mapping it is about.
    pub(super) mapping: Option<String>,
    /// Events that came before, and are delivered already.
    pub(super) before: Vec<Value>,
    /// The event.
    pub(super) event: Value,
    /// What is expected; at least one thing.
    pub(super) expected: Expected,
}

/// What is expected of an event.
#[derive(Default, Debug)]
pub(super) struct Expected {
    /// The payload, whole.
    pub(super) payload: Option<Value>,
    /// The steps, in order.
    pub(super) steps: Option<Vec<Value>>,
    /// `delivered`, `merged`, `skipped` or `dead`.
    pub(super) ending: Option<String>,
    /// Why it is skipped.
    pub(super) skipped: Option<String>,
    /// The code it dies of, and the paths of what is wrong.
    pub(super) error: Option<ExpectedError>,
}

/// Why an event is expected to die.
#[derive(Debug)]
pub(super) struct ExpectedError {
    /// The code.
    pub(super) code: String,
    /// The paths of all violations, in any order; not looked at when absent.
    pub(super) paths: Option<Vec<String>>,
}

const FILE_KEYS: [&str; 3] = ["config", "mapping", "cases"];
const CASE_KEYS: [&str; 9] = [
    "name", "mapping", "before", "event", "payload", "steps", "ending", "skipped", "error",
];
const ENDINGS: [&str; 4] = ["delivered", "merged", "skipped", "dead"];

impl TestFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, a line each.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("could not read {shown}: {error}"))?;
        let document = parse_text(&text)
            .map_err(|unparsed| format!("{shown}:{}: {}", unparsed.line, unparsed.message))?;
        let mut places = Places::default();
        places.add(path, &text, Root::Whole);
        let mut reader = Reader {
            path,
            places,
            faults: Vec::new(),
        };
        let file = reader.file(document);
        if reader.faults.is_empty() {
            Ok(file)
        } else {
            Err(reader.faults.join("\nhubferry: "))
        }
    }
}

struct Reader<'p> {
    path: &'p Path,
    places: Places,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn place(&self, at: &str) -> Place {
        self.places.find(at).unwrap_or_else(|| Place {
            file: self.path.to_owned(),
            line: 1,
        })
    }

    fn fault(&mut self, at: &str, message: &str) {
        let shown = if at.is_empty() { "the file" } else { at };
        self.faults
            .push(format!("{}: {shown}: {message}", self.place(at)));
    }

    fn known(&mut self, at: &str, members: &Map<String, Value>, keys: &[&str]) {
        for key in members.keys().filter(|key| !keys.contains(&key.as_str())) {
            let hint = closest(key, keys.iter().copied()).map_or_else(
                || format!("; known keys: {}", keys.join(", ")),
                |known| format!("; did you mean {known:?}?"),
            );
            let below = joined(at, key);
            self.fault(&below, &format!("unknown key{hint}"));
        }
    }

    fn text(&mut self, at: &str, value: Option<Value>) -> Option<String> {
        match value? {
            Value::String(text) => Some(text),
            Value::Null => None,
            _ => {
                self.fault(at, "not a text");
                None
            }
        }
    }

    fn list(&mut self, at: &str, value: Option<Value>) -> Option<Vec<Value>> {
        match value? {
            Value::Array(items) => Some(items),
            _ => {
                self.fault(at, "not a list");
                None
            }
        }
    }

    fn file(&mut self, document: Value) -> TestFile {
        let mut members = match document {
            Value::Object(members) => members,
            _ => {
                self.fault("", "not a map with config, mapping and cases");
                Map::new()
            }
        };
        self.known("", &members, &FILE_KEYS);
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let config = match members.remove("config") {
            Some(Value::Array(listed)) => listed
                .into_iter()
                .filter_map(|one| self.text("config", Some(one)))
                .collect(),
            one => self.text("config", one).into_iter().collect::<Vec<_>>(),
        };
        let config = config.into_iter().map(|one| folder.join(one)).collect();
        let mapping = self.text("mapping", members.remove("mapping"));
        let cases = self
            .list("cases", members.remove("cases"))
            .unwrap_or_default();
        if cases.is_empty() {
            self.fault("cases", "no cases");
        }
        let cases = cases.into_iter().enumerate();
        TestFile {
            config,
            mapping,
            cases: cases
                .filter_map(|(number, case)| self.case(number, case))
                .collect(),
        }
    }

    fn case(&mut self, number: usize, case: Value) -> Option<Case> {
        let name = case.get("name").and_then(Value::as_str);
        let name = name.map_or_else(|| number.to_string(), ToOwned::to_owned);
        let at = format!("cases[{name}]");
        let Value::Object(mut members) = case else {
            self.fault(&at, "not a map");
            return None;
        };
        self.known(&at, &members, &CASE_KEYS);
        members.remove("name");
        let event = members.remove("event").unwrap_or_else(|| {
            self.fault(&at, "has no `event`");
            Value::Null
        });
        let before = self.list(&joined(&at, "before"), members.remove("before"));
        let mapping = self.text(&joined(&at, "mapping"), members.remove("mapping"));
        let expected = self.expected(&at, members);
        Some(Case {
            place: self.place(&at),
            name,
            mapping,
            before: before.unwrap_or_default(),
            event,
            expected,
        })
    }

    fn expected(&mut self, at: &str, mut members: Map<String, Value>) -> Expected {
        let expected = Expected {
            payload: members.remove("payload"),
            steps: self.list(&joined(at, "steps"), members.remove("steps")),
            ending: self.text(&joined(at, "ending"), members.remove("ending")),
            skipped: self.text(&joined(at, "skipped"), members.remove("skipped")),
            error: self.error(&joined(at, "error"), members.remove("error")),
        };
        if let Some(ending) = &expected.ending
            && !ENDINGS.contains(&ending.as_str())
        {
            let message = format!("{ending:?} is not one of {}", ENDINGS.join(", "));
            self.fault(&joined(at, "ending"), &message);
        }
        let anything = expected.payload.is_some()
            || expected.steps.is_some()
            || expected.ending.is_some()
            || expected.skipped.is_some()
            || expected.error.is_some();
        if !anything {
            self.fault(
                at,
                "expects nothing: add payload, steps, ending, skipped or error",
            );
        }
        expected
    }

    /// A code, or `{ code: …, paths: […] }`.
    fn error(&mut self, at: &str, value: Option<Value>) -> Option<ExpectedError> {
        let mut members = match value? {
            Value::String(code) => return Some(ExpectedError { code, paths: None }),
            Value::Object(members) => members,
            _ => {
                self.fault(at, "not a code, nor a map with code and paths");
                return None;
            }
        };
        self.known(at, &members, &["code", "paths"]);
        let paths = self
            .list(&joined(at, "paths"), members.remove("paths"))
            .map(|paths| {
                paths
                    .into_iter()
                    .filter_map(|path| self.text(at, Some(path)))
                    .collect()
            });
        let Some(code) = self.text(at, members.remove("code")) else {
            self.fault(at, "has no `code`");
            return None;
        };
        Some(ExpectedError { code, paths })
    }
}

fn joined(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.test.yaml");
        std::fs::write(&path, text).unwrap();
        let faults = TestFile::read(&path).map_or_else(
            |faults| faults.replace(&path.display().to_string(), "FILE"),
            |_| String::new(),
        );
        faults
            .split("\nhubferry: ")
            .map(ToOwned::to_owned)
            .collect()
    }

    #[test]
    fn every_fault_of_a_file_is_named_with_its_line() {
        assert_eq!(
            faults(
                "confg: c.yaml\ncases:\n- name: one\n  event: {}\n  payloud: {}\n- name: two\n  ending: done\n- event: {}\n  error: {}\n"
            ),
            [
                "FILE:1: confg: unknown key; did you mean \"config\"?",
                "FILE:5: cases[one].payloud: unknown key; did you mean \"payload\"?",
                "FILE:3: cases[one]: expects nothing: add payload, steps, ending, skipped or error",
                "FILE:6: cases[two]: has no `event`",
                "FILE:7: cases[two].ending: \"done\" is not one of delivered, merged, skipped, dead",
                "FILE:9: cases[2].error: has no `code`",
                "FILE:8: cases[2]: expects nothing: add payload, steps, ending, skipped or error",
            ]
        );
        assert_eq!(faults("cases: []\n"), ["FILE:1: cases: no cases"]);
        assert_eq!(
            faults("[]"),
            [
                "FILE:1: the file: not a map with config, mapping and cases",
                "FILE:1: cases: no cases"
            ]
        );
        assert!(
            faults("a: [")[0].starts_with("FILE:"),
            "{:?}",
            faults("a: [")
        );
    }
}
