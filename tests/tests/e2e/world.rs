//! What a run of a file said, and what stands in the portal after it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Properties, Sim};
use serde::Deserialize;
use serde_json::Value;

use crate::file::dead_letters;
use crate::scene::Scene;

/// The portal that the simulator plays, as names of its own object types and events begin with it.
pub(crate) const HUB: u64 = 891_936_587;

/// A run that came to a good end.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) report: Value,
    pub(crate) letters: Vec<Value>,
    /// Everything on standard error.
    pub(crate) said: String,
    pub(crate) world: World,
}

/// Everything in the portal.
#[derive(Debug, Deserialize)]
pub(crate) struct World {
    records: BTreeMap<String, Vec<Record>>,
    associations: Vec<Pair>,
    pub(crate) lists: Vec<List>,
    /// The object types of the account's own: type id and short name.
    objects: BTreeMap<String, String>,
    /// Names of the properties the account added, by object type.
    pub(crate) properties: BTreeMap<String, Vec<String>>,
}

/// A record with its properties.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) properties: Properties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    from: String,
    to: String,
    type_ids: Vec<u32>,
}

/// A list with the ids of its members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) object: String,
    pub(crate) processing_type: String,
    pub(crate) members: Vec<String>,
}

/// An event definition with what was counted for it.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) counted: Counted,
    pub(crate) occurrences: Vec<Occurrence>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Counted {
    pub(crate) occurrences: u64,
    pub(crate) repeated: u64,
    pub(crate) dropped: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Occurrence {
    pub(crate) uuid: Option<String>,
    pub(crate) object_id: Option<String>,
    pub(crate) utk: Option<String>,
    pub(crate) occurred_at: String,
    pub(crate) properties: Vec<(String, String)>,
}

impl Occurrence {
    pub(crate) fn get(&self, property: &str) -> Option<&str> {
        let found = self.properties.iter().find(|(name, _)| name == property);
        found.map(|(_, value)| value.as_str())
    }
}

impl Scene {
    /// Like [`Scene::new`], with the simulator's sample portal.
    pub(crate) async fn sample() -> Result<Scene> {
        let scene = Scene::new().await?;
        scene.sim.sample().await?;
        Ok(scene)
    }

    /// Carries these events from a file and looks at everything that came of it.
    pub(crate) async fn play(&self, config: &Config, events: &[Value]) -> Result<Ran> {
        let finished = self.carry(config, events).await?;
        ensure!(finished.code == Some(0), "{finished:?}");
        Ok(Ran {
            report: finished.json()?,
            letters: dead_letters(self.folder())?,
            said: finished.stderr,
            world: World::of(&self.sim).await?,
        })
    }

    /// All event definitions with their occurrences.
    pub(crate) async fn events(&self) -> Result<Vec<Event>> {
        self.sim.look("events?occurrences=true").await
    }

    /// The definition with this short name.
    pub(crate) async fn event(&self, name: &str) -> Result<Event> {
        let full = format!("pe{HUB}_{name}");
        let all = self.events().await?;
        let found = all.into_iter().find(|event| event.name == full);
        found.with_context(|| format!("no event {full}"))
    }

    /// How many calls had a path with this part in it.
    pub(crate) async fn calls(&self, part: &str) -> Result<usize> {
        let calls = self.sim.calls().await?;
        Ok(calls.iter().filter(|call| call.path.contains(part)).count())
    }
}

impl Ran {
    /// Delivered, merged, skipped, dead.
    pub(crate) fn endings(&self) -> [u64; 4] {
        ["delivered", "merged", "skipped", "dead"]
            .map(|key| self.report[key].as_u64().unwrap_or(u64::MAX))
    }

    /// Line, stage and code of each dead letter, by line.
    pub(crate) fn dead(&self) -> Vec<(u64, &str, &str)> {
        let mut all: Vec<(u64, &str, &str)> = self
            .letters
            .iter()
            .map(|letter| {
                (
                    letter["line"].as_u64().unwrap_or(u64::MAX),
                    letter["error.stage"].as_str().unwrap_or_default(),
                    letter["error.code"].as_str().unwrap_or_default(),
                )
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// The message of the dead letter of a line.
    pub(crate) fn message(&self, line: u64) -> Result<&str> {
        let found = self.letters.iter().find(|letter| letter["line"] == line);
        let message = found.and_then(|letter| letter["error.message"].as_str());
        message.with_context(|| format!("no dead letter for line {line} in {:?}", self.letters))
    }

    /// How many deliveries were skipped for this reason.
    pub(crate) fn skipped(&self, reason: &str) -> u64 {
        self.report["skipped_by_reason"][reason]
            .as_u64()
            .unwrap_or(0)
    }
}

impl World {
    pub(crate) async fn of(sim: &Sim) -> Result<World> {
        sim.look("state").await
    }

    /// All records of a type: the plural name, or the short name of a type of the account's own.
    pub(crate) fn all(&self, object: &str) -> &[Record] {
        let own = self.objects.iter().find(|(_, name)| *name == object);
        let key = own.map_or(object, |(type_id, _)| type_id);
        self.records.get(key).map_or(&[], Vec::as_slice)
    }

    /// The one record of a type whose property has this value.
    pub(crate) fn find(&self, object: &str, property: &str, value: &str) -> Result<&Record> {
        let all = self.all(object);
        let mut found = all
            .iter()
            .filter(|record| record.get(property) == Some(value));
        let first = found
            .next()
            .with_context(|| format!("no {property} {value} in {all:?}"))?;
        ensure!(found.next().is_none(), "several with {property} {value}");
        Ok(first)
    }

    /// The values of a property over all records of a type, sorted.
    pub(crate) fn values(&self, object: &str, property: &str) -> Vec<&str> {
        let all = self.all(object).iter();
        let mut values: Vec<&str> = all.filter_map(|record| record.get(property)).collect();
        values.sort_unstable();
        values
    }

    /// The association types of two records, seen from the type that HubSpot's numbers put first; empty when apart.
    pub(crate) fn types(&self, one: &Record, other: &Record) -> Vec<u32> {
        let ids = [one.id.as_str(), other.id.as_str()];
        let joins = |pair: &&Pair| {
            let sides = [pair.from.as_str(), pair.to.as_str()];
            sides == ids || sides == [ids[1], ids[0]]
        };
        let pair = self.associations.iter().find(joins);
        let mut types = pair.map_or_else(Vec::new, |pair| pair.type_ids.clone());
        types.sort_unstable();
        types
    }

    /// Whether two records are associated at all.
    pub(crate) fn tied(&self, one: &Record, other: &Record) -> bool {
        !self.types(one, other).is_empty()
    }

    /// The list of this name.
    pub(crate) fn list(&self, name: &str) -> Result<&List> {
        let found = self.lists.iter().find(|list| list.name == name);
        found.with_context(|| format!("no list {name}"))
    }
}

impl Record {
    pub(crate) fn get(&self, property: &str) -> Option<&str> {
        self.properties.get(property).map(String::as_str)
    }
}
