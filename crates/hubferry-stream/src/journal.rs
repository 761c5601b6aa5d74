//! The replay journal: what replays planned, hold, did and decided, as records of a compacted topic.
//!
//! Every record has a key, and of each key the last record counts; a record without a value takes its key back. The
//! topic is read as a whole and in order, so all records stand in its first partition. Values are JSON objects with a
//! version and a kind; kinds and fields that this version does not know are left alone, a later version is refused.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of the records.
const VERSION: u64 = 1;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What a replay would do.
    Plan(Plan),
    /// How a replay stands.
    Run(Run),
    /// A process works on a replay.
    Lease(Lease),
    /// A replay works on these dead letters.
    Claim(Claim),
    /// A delivery of a dead letter has ended.
    Result(DeliveryResult),
    /// Somebody did something.
    Audit(Audit),
}

/// What a replay would do: the outcome of a dry run, which a replay may pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The plan's id.
    pub id: String,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// Until when it may be run, in milliseconds since 1970.
    pub expires_ms: i64,
    /// Who made it.
    pub by: String,
    /// The selection as text ([`crate::Selection`] prints and reads it).
    pub selection: String,
    /// Where the dead-letter topic ended: partition and position. Later letters are not part of the plan.
    pub ends: Vec<(i32, i64)>,
    /// Dead letters.
    pub letters: u64,
    /// Failed deliveries of them that would be done again.
    pub deliveries: u64,
    /// The hash of the configuration that it was made with.
    pub config_hash: String,
}

/// How a replay stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The replay's id.
    pub id: String,
    /// The plan that it runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<String>,
    /// The selection as text.
    pub selection: String,
    /// Whether it goes on.
    pub state: RunState,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When this was written, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who started or stopped it.
    pub by: String,
    /// Deliveries that it is about.
    pub planned: u64,
    /// Deliveries that were resolved.
    pub resolved: u64,
    /// Deliveries that failed again.
    pub failed: u64,
}

/// Whether a replay goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It works, or would if its process had not ended.
    Running,
    /// It was stopped, by a person or by itself, and can be resumed.
    Stopped,
    /// Nothing is left to do.
    Done,
}

/// A process works on a replay, until its time is over or is extended. The tenure is the offset of the first lease of
/// an unbroken row: the lowest one of those alive holds the replay, however often leases are extended and compacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The replay.
    pub run: String,
    /// The process.
    pub holder: String,
    /// The tenure that this extends; `None` begins one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenure: Option<i64>,
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
}

/// A replay works on these dead letters, for as long as the process of that tenure holds the replay. Of several claims
/// the first one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The replay.
    pub run: String,
    /// The tenure of the process.
    pub tenure: i64,
    /// Claims of one tenure are numbered.
    pub number: u32,
    /// The ids of the dead letters.
    pub letters: Vec<String>,
}

/// How a delivery of a dead letter ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryResult {
    /// The id of the dead letter.
    pub letter: String,
    /// `DESTINATION/NAME`.
    pub mapping: String,
    /// Where the dead letter stood in its topic. A letter of the same id that stands later failed anew.
    pub offset: i64,
    /// How it ended.
    pub result: Ending,
    /// The replay that did it; a discard may have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The code of the new failure, or the reason of a skip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
}

/// How a delivery of a dead letter ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was delivered, or is not needed any more.
    Resolved,
    /// It failed again, and stands as a new dead letter of the same id.
    Failed,
    /// A person said that it is not wanted.
    Discarded,
}

/// Somebody did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub by: String,
    /// What: `plan`, `run`, `stop`, `resume`, `discard`.
    pub what: String,
    /// The replay or the plan.
    pub id: String,
    /// Selection and figures, for people.
    pub note: String,
}

/// Why a record of the journal cannot be read. Each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A later version wrote it.
    #[error(
        "the replay journal has records of version {version} (offset {offset}), and this build knows versions up to \
         {VERSION}; update hubferry"
    )]
    Newer {
        /// Where the record stands.
        offset: i64,
        /// Its version.
        version: u64,
    },
    /// It is no record of a journal.
    #[error(
        "offset {offset} of the replay journal is not a record of it; is the topic used for something else?"
    )]
    Foreign {
        /// Where it stands.
        offset: i64,
    },
}

impl Entry {
    /// The key: of all records with the same key the last one counts.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Plan(plan) => format!("plan/{}", plan.id),
            Self::Run(run) => format!("run/{}", run.id),
            Self::Lease(lease) => lease_key(&lease.run, &lease.holder),
            Self::Claim(claim) => claim_key(&claim.run, claim.tenure, claim.number),
            Self::Result(result) => format!("result/{}/{}", result.letter, result.mapping),
            Self::Audit(audit) => format!("audit/{}/{}/{}", audit.at_ms, audit.what, audit.id),
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Plan(plan) => ("plan", serde_json::to_value(plan)),
            Self::Run(run) => ("run", serde_json::to_value(run)),
            Self::Lease(lease) => ("lease", serde_json::to_value(lease)),
            Self::Claim(claim) => ("claim", serde_json::to_value(claim)),
            Self::Result(result) => ("result", serde_json::to_value(result)),
            Self::Audit(audit) => ("audit", serde_json::to_value(audit)),
        };
        let mut value = Map::new();
        value.insert("v".to_owned(), VERSION.into());
        value.insert("kind".to_owned(), kind.into());
        // The entries are plain structs of texts and numbers, which always serialise to objects.
        if let Ok(Value::Object(body)) = body {
            value.extend(body);
        }
        Value::Object(value).to_string().into_bytes()
    }

    /// Reads a value; `None` is a kind that this version does not know.
    ///
    /// # Errors
    ///
    /// It is no record of a journal, or one of a later version.
    pub fn read(offset: i64, value: &[u8]) -> Result<Option<Self>, JournalError> {
        let foreign = || JournalError::Foreign { offset };
        let value: Value = serde_json::from_slice(value).map_err(|_| foreign())?;
        let version = value.get("v").and_then(Value::as_u64).ok_or_else(foreign)?;
        if version > VERSION {
            return Err(JournalError::Newer { offset, version });
        }
        let kind = value
            .get("kind")
            .and_then(Value::as_str)
            .ok_or_else(foreign)?
            .to_owned();
        let entry = match kind.as_str() {
            "plan" => body(value).map(Self::Plan),
            "run" => body(value).map(Self::Run),
            "lease" => body(value).map(Self::Lease),
            "claim" => body(value).map(Self::Claim),
            "result" => body(value).map(Self::Result),
            "audit" => body(value).map(Self::Audit),
            _ => return Ok(None),
        };
        entry.map(Some).ok_or_else(foreign)
    }
}

/// The key of the lease of a process on a replay.
pub(crate) fn lease_key(run: &str, holder: &str) -> String {
    format!("lease/{run}/{holder}")
}

/// The key of a claim.
pub(crate) fn claim_key(run: &str, tenure: i64, number: u32) -> String {
    format!("claim/{run}/{tenure}/{number}")
}

fn body<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_are_pinned_and_read_back() {
        let entries = [
            (
                Entry::Plan(Plan {
                    id: "p1".to_owned(),
                    at_ms: 1,
                    expires_ms: 2,
                    by: "ann".to_owned(),
                    selection: "class=input".to_owned(),
                    ends: vec![(0, 10), (1, 20)],
                    letters: 3,
                    deliveries: 4,
                    config_hash: "c".to_owned(),
                }),
                "plan/p1",
                r#"{"v":1,"kind":"plan","id":"p1","at_ms":1,"expires_ms":2,"by":"ann","selection":"class=input","ends":[[0,10],[1,20]],"letters":3,"deliveries":4,"config_hash":"c"}"#,
            ),
            (
                Entry::Run(Run {
                    id: "r1".to_owned(),
                    plan: Some("p1".to_owned()),
                    selection: String::new(),
                    state: RunState::Stopped,
                    reason: Some("auth".to_owned()),
                    at_ms: 1,
                    by: "ann".to_owned(),
                    planned: 4,
                    resolved: 1,
                    failed: 2,
                }),
                "run/r1",
                r#"{"v":1,"kind":"run","id":"r1","plan":"p1","selection":"","state":"stopped","reason":"auth","at_ms":1,"by":"ann","planned":4,"resolved":1,"failed":2}"#,
            ),
            (
                Entry::Lease(Lease {
                    run: "r1".to_owned(),
                    holder: "w1".to_owned(),
                    tenure: None,
                    until_ms: 9,
                }),
                "lease/r1/w1",
                r#"{"v":1,"kind":"lease","run":"r1","holder":"w1","until_ms":9}"#,
            ),
            (
                Entry::Claim(Claim {
                    run: "r1".to_owned(),
                    tenure: 7,
                    number: 0,
                    letters: vec!["a".to_owned(), "b".to_owned()],
                }),
                "claim/r1/7/0",
                r#"{"v":1,"kind":"claim","run":"r1","tenure":7,"number":0,"letters":["a","b"]}"#,
            ),
            (
                Entry::Result(DeliveryResult {
                    letter: "a".to_owned(),
                    mapping: "acme/contacts".to_owned(),
                    offset: 5,
                    result: Ending::Resolved,
                    run: Some("r1".to_owned()),
                    at_ms: 1,
                    code: None,
                }),
                "result/a/acme/contacts",
                r#"{"v":1,"kind":"result","letter":"a","mapping":"acme/contacts","offset":5,"result":"resolved","run":"r1","at_ms":1}"#,
            ),
            (
                Entry::Audit(Audit {
                    at_ms: 1,
                    by: "ann".to_owned(),
                    what: "run".to_owned(),
                    id: "r1".to_owned(),
                    note: "4 deliveries".to_owned(),
                }),
                "audit/1/run/r1",
                r#"{"v":1,"kind":"audit","at_ms":1,"by":"ann","what":"run","id":"r1","note":"4 deliveries"}"#,
            ),
        ];
        for (entry, key, value) in entries {
            assert_eq!(entry.key(), key);
            assert_eq!(String::from_utf8(entry.value()).unwrap(), value);
            assert_eq!(Entry::read(0, value.as_bytes()), Ok(Some(entry)));
        }
    }

    #[test]
    fn unknown_kinds_pass_and_later_versions_do_not() {
        assert_eq!(
            Entry::read(0, br#"{"v":1,"kind":"weather","rain":true}"#),
            Ok(None)
        );
        let more = br#"{"v":1,"kind":"lease","run":"r","holder":"w","until_ms":1,"mood":"good"}"#;
        assert!(matches!(Entry::read(0, more), Ok(Some(Entry::Lease(_)))));
        for (value, message) in [
            (
                r#"{"v":2,"kind":"run"}"#,
                "the replay journal has records of version 2 (offset 4), and this build knows versions up to 1; update hubferry",
            ),
            (
                "{",
                "offset 4 of the replay journal is not a record of it; is the topic used for something else?",
            ),
            (
                r#"{"v":1,"kind":"run"}"#,
                "offset 4 of the replay journal is not a record of it; is the topic used for something else?",
            ),
        ] {
            assert_eq!(
                Entry::read(4, value.as_bytes()).unwrap_err().to_string(),
                message
            );
        }
    }
}
