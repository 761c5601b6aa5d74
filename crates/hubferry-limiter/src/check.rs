//! Whether a Redis may forget what the limiter tells it. A state that is evicted under load would come back as a quarantine at
//! the worst moment; one that is not persisted costs a quarantine at every restart.

use deadpool_redis::Pool;

use crate::error::StoreError;

/// What a Redis does with its keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreReport {
    /// Its eviction policy, as in `noeviction`; empty when it does not say.
    pub policy: String,
    /// How many bytes it may use; 0 for no bound.
    pub max_memory: u64,
    /// Whether it writes every change to a log on disk.
    pub appends: bool,
    /// Whether it writes snapshots to disk by itself; `None` when it does not say.
    pub snapshots: Option<bool>,
    /// How many replicas it has.
    pub replicas: u64,
}

impl StoreReport {
    /// Whether it may drop the limiter's keys when memory is short. A worker should refuse to start on such a one, unless
    /// told otherwise.
    #[must_use]
    pub fn may_evict(&self) -> bool {
        self.max_memory > 0 && !self.policy.is_empty() && self.policy != "noeviction"
    }

    /// Whether a restart loses the state, which costs a quarantine of a window.
    #[must_use]
    pub fn forgets_at_restart(&self) -> bool {
        !self.appends && self.snapshots == Some(false)
    }
}

pub(crate) async fn store(pool: &Pool) -> Result<StoreReport, StoreError> {
    let mut connection = pool.get().await.map_err(StoreError::Unreachable)?;
    let mut texts = Vec::new();
    for section in ["memory", "persistence", "replication"] {
        let info = redis::cmd("INFO")
            .arg(section)
            .query_async::<String>(&mut connection)
            .await;
        texts.push(info.map_err(StoreError::Failed)?);
    }
    let mut report = read(&texts.concat());
    // Managed services often forbid this; then snapshots stay unknown.
    let save = redis::cmd("CONFIG")
        .arg("GET")
        .arg("save")
        .query_async::<Vec<String>>(&mut connection)
        .await;
    report.snapshots = save
        .ok()
        .map(|save| save.get(1).is_some_and(|save| !save.is_empty()));
    Ok(report)
}

fn read(info: &str) -> StoreReport {
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
    };
    let whole = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    StoreReport {
        policy: field("maxmemory_policy").unwrap_or_default().to_owned(),
        max_memory: whole("maxmemory"),
        appends: field("aof_enabled") == Some("1"),
        snapshots: None,
        replicas: whole("connected_slaves"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_store_that_evicts_is_named() {
        let info = |memory: &str, policy: &str, aof: &str| {
            format!(
                "# Memory\r\nmaxmemory:{memory}\r\nmaxmemory_policy:{policy}\r\n# Persistence\r\naof_enabled:{aof}\r\n# Replication\r\nconnected_slaves:2\r\n"
            )
        };
        let cases = [
            ("1048576", "noeviction", "1", false),
            ("1048576", "allkeys-lru", "0", true),
            ("1048576", "volatile-ttl", "1", true),
            ("0", "allkeys-lru", "0", false),
        ];
        for (memory, policy, aof, evicts) in cases {
            let report = read(&info(memory, policy, aof));
            assert_eq!(report.may_evict(), evicts, "{memory} {policy}");
            assert_eq!(report.appends, aof == "1");
            assert_eq!(report.replicas, 2);
        }
        assert!(!read("").may_evict());
    }

    #[test]
    fn without_log_and_snapshots_a_restart_forgets() {
        for (appends, snapshots, expected) in [
            (false, Some(false), true),
            (false, None, false),
            (false, Some(true), false),
            (true, Some(false), false),
        ] {
            let report = StoreReport {
                appends,
                snapshots,
                ..StoreReport::default()
            };
            assert_eq!(report.forgets_at_restart(), expected);
        }
    }
}
