//! The simulator as a process, and what it says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::process::Command;

use crate::{Hubferry, Process, eventually};

const START: Duration = Duration::from_secs(20);
const GREETING: &str = "listening on ";

/// Property values by name.
pub type Properties = BTreeMap<String, String>;

/// `hubferry sim` on a free port.
#[derive(Debug)]
pub struct Sim {
    _process: Process,
    http: reqwest::Client,
    base_url: String,
}

/// What the portal holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Portal {
    /// Contacts by record id.
    pub contacts: BTreeMap<String, Properties>,
    /// Companies by record id.
    pub companies: BTreeMap<String, Properties>,
    /// Associated pairs of contact id and company id.
    pub links: BTreeSet<(String, String)>,
}

/// Counts of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Summary {
    /// All calls.
    pub calls: u64,
    /// All 429s.
    pub throttled: u64,
    /// The most calls in any rolling ten seconds.
    pub worst_ten_seconds: u64,
    /// Calls by endpoint.
    pub endpoints: BTreeMap<String, Endpoint>,
}

/// Counts of one endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Endpoint {
    /// Calls that arrived.
    pub calls: u64,
    /// Inputs of calls answered with success.
    pub inputs: u64,
    /// Share of the places used by successful calls after the first second.
    pub fill: Option<f64>,
}

/// One call in the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Batch inputs carried.
    pub inputs: usize,
}

/// The writes of one record, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecordHistory {
    /// The record's id.
    pub id: String,
    /// Its writes.
    pub writes: Vec<Write>,
}

/// One write that reached a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// Milliseconds since the simulator started.
    #[serde(alias = "at_ms")]
    pub at_ms: u64,
    /// The number of the call that wrote.
    pub call: u64,
    /// The properties written.
    pub properties: Properties,
}

impl Sim {
    /// Starts a simulator and waits for its address.
    ///
    /// # Errors
    ///
    /// It does not start, or does not say where it listens.
    pub async fn start(hubferry: &Hubferry, folder: &Path) -> Result<Sim> {
        Sim::start_with(hubferry, folder, &[]).await
    }

    /// Starts a simulator with further arguments.
    ///
    /// # Errors
    ///
    /// As for [`Sim::start`].
    pub async fn start_with(hubferry: &Hubferry, folder: &Path, further: &[&str]) -> Result<Sim> {
        let arguments = [&["sim", "--listen", "127.0.0.1:0"], further].concat();
        Sim::of_command(&mut hubferry.command(&arguments), folder).await
    }

    /// Starts a simulator with settings that the command line does not offer: the program `special-sim` of this
    /// package, which says what it takes.
    ///
    /// # Errors
    ///
    /// As for [`Sim::start`].
    pub async fn special(folder: &Path, settings: &Value) -> Result<Sim> {
        let own = std::env::current_exe()?;
        // Test programs lie one folder deeper than the programs that they are built with.
        let found = own
            .ancestors()
            .skip(1)
            .take(2)
            .map(|place| place.join("special-sim"))
            .find(|program| program.is_file());
        let program = found.with_context(|| {
            format!(
                "no special-sim beside {}: run `cargo xtask e2e`",
                own.display()
            )
        })?;
        let mut command = Command::new(program);
        Sim::of_command(command.arg(settings.to_string()), folder).await
    }

    async fn of_command(command: &mut Command, folder: &Path) -> Result<Sim> {
        let process = Process::start(command, folder, "sim")?;
        let base_url = eventually("the simulator says where it listens", START, || {
            let (stdout, stderr) = (process.stdout(), process.stderr());
            async move {
                let first = stdout.lines().next().filter(|_| stdout.contains('\n'));
                let url = first
                    .and_then(|line| line.strip_prefix(GREETING))
                    .map(str::to_owned);
                url.ok_or((stdout, stderr))
            }
        })
        .await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Sim {
            _process: process,
            http,
            base_url,
        })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Adds a property definition to contacts or companies.
    ///
    /// # Errors
    ///
    /// The simulator refuses it.
    pub async fn define(&self, object: &str, property: Value) -> Result<()> {
        self.post(
            &format!("/sim/properties/{object}"),
            &Value::Array(vec![property]),
        )
        .await
    }

    /// Replaces the fault rules.
    ///
    /// # Errors
    ///
    /// The simulator refuses them.
    pub async fn faults(&self, rules: &Value) -> Result<()> {
        self.post("/sim/faults", rules).await
    }

    /// Turns the switches that an object names; the others stay.
    ///
    /// # Errors
    ///
    /// The simulator does not know one of them.
    pub async fn switch(&self, switches: &Value) -> Result<()> {
        self.post("/sim/switches", switches).await
    }

    /// Gives the portal an object type of its own, labels, lists, events and the like: the simulator's sample portal.
    ///
    /// # Errors
    ///
    /// The portal has them already.
    pub async fn sample(&self) -> Result<()> {
        self.post("/sim/sample", &Value::Null).await
    }

    /// Makes calls to the portal that are neither counted nor limited: a list of `method` (POST unless given), `path`
    /// and `body`.
    ///
    /// # Errors
    ///
    /// The portal refuses one of them.
    pub async fn set_up(&self, calls: &Value) -> Result<()> {
        self.post("/sim/setup", calls).await
    }

    /// What stands under `/sim/{what}`: `windows`, `lists`, `events`, `associations`, `oauth`, and whatever else there is.
    ///
    /// # Errors
    ///
    /// The simulator does not answer as expected.
    pub async fn look<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        self.get(&format!("/sim/{what}")).await
    }

    /// Counts of the run so far.
    ///
    /// # Errors
    ///
    /// The simulator does not answer as expected.
    pub async fn summary(&self) -> Result<Summary> {
        self.get("/sim/summary").await
    }

    /// The log of calls.
    ///
    /// # Errors
    ///
    /// The simulator does not answer as expected.
    pub async fn calls(&self) -> Result<Vec<Call>> {
        self.get("/sim/calls").await
    }

    /// The writes of every record of an object type.
    ///
    /// # Errors
    ///
    /// The simulator does not answer as expected.
    pub async fn history(&self, object: &str) -> Result<Vec<RecordHistory>> {
        self.get(&format!("/sim/history?object={object}")).await
    }

    /// Everything that the portal holds.
    ///
    /// # Errors
    ///
    /// The simulator does not answer as expected.
    pub async fn portal(&self) -> Result<Portal> {
        let state: State = self.get("/sim/state").await?;
        let mut portal = Portal::default();
        for (object, records) in state.records {
            let keep = match object.as_str() {
                "contacts" => &mut portal.contacts,
                "companies" => &mut portal.companies,
                _ => continue,
            };
            keep.extend(
                records
                    .into_iter()
                    .map(|record| (record.id, record.properties)),
            );
        }
        for link in state.associations {
            let pair = match (link.from_object.as_str(), link.to_object.as_str()) {
                ("contacts", "companies") => (link.from, link.to),
                ("companies", "contacts") => (link.to, link.from),
                _ => continue,
            };
            portal.links.insert(pair);
        }
        Ok(portal)
    }

    /// Makes a call as any client of the portal would; gives the answer of a success.
    ///
    /// # Errors
    ///
    /// The portal refuses it.
    pub async fn call(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .bearer_auth("test-token")
            .json(body);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "POST {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self
            .http
            .get(format!("{}{path}", self.base_url))
            .send()
            .await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "GET {path}: {status} {body}");
        let start: String = body.chars().take(400).collect();
        serde_json::from_str(&body).with_context(|| format!("GET {path}: unexpected {start}"))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<()> {
        let answer = self
            .http
            .post(format!("{}{path}", self.base_url))
            .json(body)
            .send()
            .await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "POST {path}: {status} {body}");
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct State {
    records: BTreeMap<String, Vec<StateRecord>>,
    associations: Vec<StateLink>,
}

#[derive(Debug, Deserialize)]
struct StateRecord {
    id: String,
    properties: Properties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateLink {
    from_object: String,
    from: String,
    to_object: String,
    to: String,
}
