//! Configurations for the tests, written as JSON.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::Redis;

/// A configuration with one destination called `acme` that has no mapping yet.
#[derive(Debug, Clone)]
pub struct Config {
    root: Value,
}

impl Config {
    /// A destination at this base URL; any token will do there.
    #[must_use]
    pub fn to(base_url: &str) -> Config {
        Config {
            root: json!({
                "admin": {"listen": "127.0.0.1:0"},
                "destinations": [{
                    "name": "acme",
                    "hubspot": {
                        "base_url": base_url,
                        "auth": {"kind": "private_app", "token": "test-token"},
                    },
                    "mappings": [],
                }],
            }),
        }
    }

    /// Contacts and companies with the default fields and these further contact properties: property name and path.
    #[must_use]
    pub fn with_people_and_companies(self, contact_properties: &[(&str, &str)]) -> Config {
        let mut contacts = json!({
            "name": "contacts",
            "action": "upsertContact",
            "trigger": "type = \"identify\"",
            "use_defaults": true,
        });
        for (property, path) in contact_properties {
            contacts["fields"]["properties"][property] = json!({"@path": path});
        }
        let companies = json!({
            "name": "companies",
            "action": "upsertCompany",
            "trigger": "type = \"group\"",
            "use_defaults": true,
        });
        self.mapping(contacts).mapping(companies)
    }

    /// Adds a mapping.
    #[must_use]
    pub fn mapping(mut self, mapping: Value) -> Config {
        if let Some(mappings) = self.root["destinations"][0]["mappings"].as_array_mut() {
            mappings.push(mapping);
        }
        self
    }

    /// The topic to read. A killed worker is missed after 20 s; half of that is the time in which a worker that loses
    /// partitions has to finish what it took from them.
    #[must_use]
    pub fn kafka(self, brokers: &str, group: &str, topic: &str) -> Config {
        self.set(
            "/kafka",
            json!({
                "brokers": brokers,
                "group": group,
                "topics": [topic],
                "session_timeout": "20s",
            }),
        )
    }

    /// The Redis of the fleet.
    #[must_use]
    pub fn redis(self, redis: &Redis) -> Config {
        self.redis_at(&redis.url, &redis.prefix)
    }

    /// A Redis at any URL.
    #[must_use]
    pub fn redis_at(self, url: &str, prefix: &str) -> Config {
        self.set("/redis", json!({"url": url, "prefix": prefix}))
    }

    /// Sets the value at a JSON pointer, making the objects on the way.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Config {
        let mut place = &mut self.root;
        for key in pointer.split('/').skip(1) {
            place = match key.parse::<usize>() {
                Ok(index) if place.is_array() => &mut place[index],
                _ => &mut place[key],
            };
        }
        *place = value;
        self
    }

    /// Writes it to `NAME.json` in this folder.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let path = folder.join(format!("{name}.json"));
        std::fs::write(&path, serde_json::to_vec_pretty(&self.root)?)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_set_by_pointer_through_lists_and_missing_objects() {
        let config = Config::to("http://x")
            .set("/destinations/0/hubspot/limits/ten_seconds", json!(7))
            .with_people_and_companies(&[("plan", "$.traits.plan")]);
        let destination = &config.root["destinations"][0];
        assert_eq!(destination["hubspot"]["limits"], json!({"ten_seconds": 7}));
        assert_eq!(
            destination["mappings"][0]["fields"]["properties"]["plan"],
            json!({"@path": "$.traits.plan"})
        );
        assert_eq!(destination["mappings"][1].get("fields"), None);
    }
}
