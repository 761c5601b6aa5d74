//! Redis: reachable, its version, its clock, and whether it may forget what it is told.

use std::time::Duration;

use deadpool_redis::Pool;
use hubferry_limiter::{Limiter, Scope, StoreReport};

use super::Checks;
use crate::clock::now_ms;
use crate::config::Redis;
use crate::portals;

/// From this version on the limiter runs as a function of the server; before, as a script.
const WITH_FUNCTIONS: (u32, u32) = (7, 0);

/// Older ones were never tried.
const OLDEST: (u32, u32) = (6, 2);

/// A clock that differs by more than this makes waiting links and leases end at the wrong time.
const OFF: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));

/// Looks at Redis; gives a pool when it answers.
pub(super) async fn check(settings: Option<&Redis>, checks: &mut Checks) -> Option<Pool> {
    let Some(settings) = settings else {
        checks.warn(
            "redis",
            "no redis in the configuration: the limit, record ids and waiting links hold for one process only",
            "run one worker, or add redis.url",
        );
        return None;
    };
    let pool = match portals::redis(settings).await {
        Ok(pool) => pool,
        Err(failure) => {
            let fix = "check redis.url, the network policy, and rediss:// for TLS";
            checks.fail("redis", failure.to_string(), fix);
            return None;
        }
    };
    checks.pass("redis", format!("answers at {}", settings.shown()));
    version(&pool, checks).await;
    clock(&pool, checks).await;
    store(&pool, settings, checks).await;
    Some(pool)
}

async fn version(pool: &Pool, checks: &mut Checks) {
    let name = "redis.version";
    let found = match ask::<String>(pool, redis::cmd("INFO").arg("server")).await {
        Ok(info) => info.lines().find_map(|line| {
            let version = line.trim().strip_prefix("redis_version:")?;
            Some(version.to_owned())
        }),
        Err(error) => return checks.warn(name, error, "allow the INFO command"),
    };
    let Some(found) = found else {
        return checks.warn(
            name,
            "it does not tell its version",
            "use Redis 7.0 or later",
        );
    };
    match numbers(&found) {
        Some(version) if version < OLDEST => {
            checks.fail(name, format!("Redis {found}"), "use Redis 7.0 or later");
        }
        Some(version) if version < WITH_FUNCTIONS => checks.warn(
            name,
            format!("Redis {found} knows no functions: scripts do the same"),
            "use Redis 7.0 or later",
        ),
        _ => checks.pass(name, format!("Redis {found}")),
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next()?.parse().ok()?))
}

async fn clock(pool: &Pool, checks: &mut Checks) {
    let name = "clock";
    let before = now_ms();
    let there = match ask::<(i64, i64)>(pool, &mut redis::cmd("TIME")).await {
        Ok((seconds, micros)) => seconds * 1_000 + micros / 1_000,
        Err(error) => return checks.warn(name, error, "allow the TIME command"),
    };
    let after = now_ms();
    let off = Duration::from_millis((there - (before + after) / 2).unsigned_abs());
    let said = format!("{} ms from Redis' clock", off.as_millis());
    let fix = "synchronise the clocks of this host and of Redis (NTP)";
    if off > OFF.1 {
        checks.fail(name, said, fix);
    } else if off > OFF.0 {
        checks.warn(name, said, fix);
    } else {
        checks.pass(name, said);
    }
}

async fn store(pool: &Pool, settings: &Redis, checks: &mut Checks) {
    // No limit is asked for; what is looked at is the server.
    let asked = Limiter::redis(
        pool.clone(),
        &settings.prefix,
        Scope::new("doctor"),
        Vec::new(),
    );
    let report = match asked {
        Ok(limiter) => limiter
            .check_store()
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match report {
        Ok(report) => judge(&report, settings.allow_eviction, checks),
        Err(error) => checks.warn("redis.eviction", error, "allow the INFO command"),
    }
}

fn judge(report: &StoreReport, is_allowed: bool, checks: &mut Checks) {
    let policy = match report.policy.as_str() {
        "" => "policy not told",
        policy => policy,
    };
    if report.may_evict() && is_allowed {
        checks.warn(
            "redis.eviction",
            format!("{policy}, which redis.allow_eviction allows: HubSpot's limit may be exceeded"),
            "CONFIG SET maxmemory-policy noeviction",
        );
    } else if report.may_evict() {
        checks.fail(
            "redis.eviction",
            format!("{policy}: it may drop the limiter's keys when memory is short"),
            "CONFIG SET maxmemory-policy noeviction, and give Redis to hubferry alone",
        );
    } else if policy == "noeviction" || report.max_memory == 0 {
        checks.pass("redis.eviction", policy);
    } else {
        checks.warn(
            "redis.eviction",
            policy,
            "CONFIG SET maxmemory-policy noeviction",
        );
    }
    if report.forgets_at_restart() {
        checks.warn(
            "redis.persistence",
            "none: a restart costs ten seconds without calls, and what waits in it (links, the memory of duplicates)",
            "CONFIG SET appendonly yes",
        );
    } else {
        let how = match (report.appends, report.snapshots) {
            (true, _) => "append-only file",
            (false, Some(true)) => "snapshots",
            (false, _) => "not told",
        };
        checks.pass("redis.persistence", how);
    }
}

async fn ask<T: redis::FromRedisValue>(pool: &Pool, command: &mut redis::Cmd) -> Result<T, String> {
    let mut connection = pool.get().await.map_err(|error| error.to_string())?;
    let answer = command.query_async(&mut connection).await;
    answer.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_redis_that_forgets_is_named() {
        let store = |policy: &str, max_memory, appends, snapshots| StoreReport {
            policy: policy.to_owned(),
            max_memory,
            appends,
            snapshots: Some(snapshots),
            replicas: 0,
        };
        for (report, eviction, persistence) in [
            (
                store("noeviction", 0, true, false),
                Verdict::Pass,
                Verdict::Pass,
            ),
            (
                store("allkeys-lru", 1, false, true),
                Verdict::Fail,
                Verdict::Pass,
            ),
            (
                store("allkeys-lru", 0, false, false),
                Verdict::Pass,
                Verdict::Warn,
            ),
            (
                store("noeviction", 1, false, false),
                Verdict::Pass,
                Verdict::Warn,
            ),
        ] {
            let mut checks = Checks::default();
            judge(&report, false, &mut checks);
            let verdicts: Vec<Verdict> = checks.0.iter().map(|check| check.verdict).collect();
            assert_eq!(verdicts, [eviction, persistence], "{report:?}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(numbers("7.0.15"), Some((7, 0)));
        assert_eq!(numbers("10.2"), Some((10, 2)));
        assert_eq!(numbers("unstable"), None);
        assert!((6, 2) < WITH_FUNCTIONS && (10, 0) > WITH_FUNCTIONS);
    }
}
