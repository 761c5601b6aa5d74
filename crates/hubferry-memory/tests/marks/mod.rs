//! Marks of a fleet: what two workers that share one Redis may still write.

use hubferry_actions::{ObjectType, PropertyName, RecordRef};
use hubferry_memory::{MarkWrite, Memory};
use redis::AsyncCommands;
use tokio::task::JoinSet;

use crate::suite::DAY;
use crate::{connection, keys, prefix, worker};

fn record(value: &str) -> RecordRef {
    RecordRef {
        object: ObjectType::contacts(),
        id_property: PropertyName::new("email"),
        value: value.into(),
    }
}

/// Values of Jane's record.
fn jane(values: &[(&str, i64)]) -> MarkWrite {
    MarkWrite {
        record: record("jane@example.com"),
        values: values
            .iter()
            .map(|(property, time_ms)| (PropertyName::new(property), *time_ms))
            .collect(),
    }
}

/// The properties of a single write that are stale.
async fn mark(memory: &Memory, values: &[(&str, i64)]) -> Vec<String> {
    let mut stale = memory.mark(&[jane(values)]).await.unwrap();
    assert_eq!(stale.len(), 1);
    let names = stale.remove(0);
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

async fn unmark(memory: &Memory, values: &[(&str, i64)]) {
    memory.unmark(&[jane(values)]).await.unwrap();
}

/// What stands in Redis for a property of Jane's record, the only one of the run.
async fn stored(prefix: &str, property: &str) -> Option<String> {
    let families = keys(prefix).await;
    let [key] = families.as_slice() else {
        return None;
    };
    let key = format!("{prefix}:v1:42:{key}");
    connection().await.hget(key, property).await.unwrap()
}

const FRESH: [&str; 0] = [];

#[tokio::test]
async fn only_older_values_are_stale_and_lower_no_mark() {
    let run = prefix();
    let (one, other) = (worker(&run), worker(&run));
    let newer = [("plan", 20), ("city", 10), ("born", -5)];
    assert_eq!(mark(&one, &newer).await, FRESH);
    let mixed = [("plan", 19), ("city", 11), ("born", -6), ("name", 1)];
    assert_eq!(mark(&other, &mixed).await, ["plan", "born"]);
    assert_eq!(stored(&run, "plan").await.as_deref(), Some("1:20"));
    assert_eq!(stored(&run, "city").await.as_deref(), Some("1:11,10"));
    assert_eq!(stored(&run, "born").await.as_deref(), Some("1:-5"));
    assert_eq!(stored(&run, "name").await.as_deref(), Some("1:1"));
    // As old as the mark is not older.
    let equal = [("plan", 20), ("city", 11), ("born", -5)];
    assert_eq!(mark(&one, &equal).await, FRESH);
    assert_eq!(stored(&run, "city").await.as_deref(), Some("1:11,10"));
}

#[tokio::test]
async fn every_time_is_compared_exactly() {
    let memory = worker(&prefix());
    let far = (1_i64 << 53) - 2;
    assert_eq!(mark(&memory, &[("plan", far + 1)]).await, FRESH);
    assert_eq!(mark(&memory, &[("plan", far)]).await, ["plan"]);
    assert_eq!(mark(&memory, &[("plan", i64::MAX)]).await, FRESH);
    assert_eq!(mark(&memory, &[("plan", i64::MIN)]).await, ["plan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_workers_the_newer_always_wins() {
    let run = prefix();
    let mut tasks = JoinSet::new();
    for offset in 0..2 {
        let memory = worker(&run);
        tasks.spawn(async move {
            let mut fresh = Vec::new();
            for time_ms in (offset..100).step_by(2) {
                if mark(&memory, &[("plan", time_ms)]).await.is_empty() {
                    fresh.push(time_ms);
                }
            }
            fresh
        });
    }
    let fresh = tasks.join_all().await.concat();
    assert!(fresh.contains(&99), "{fresh:?}");
    let plan = stored(&run, "plan").await.unwrap();
    assert!(plan.starts_with("1:99,"), "{plan}");
}

#[tokio::test]
async fn a_refused_value_leaves_the_mark_before_it() {
    let run = prefix();
    let (one, other) = (worker(&run), worker(&run));
    mark(&one, &[("plan", 10)]).await;
    let refused = [("plan", 20), ("city", 20)];
    assert_eq!(mark(&one, &refused).await, FRESH);
    // Marked again before another attempt.
    assert_eq!(mark(&one, &refused).await, FRESH);
    unmark(&one, &refused).await;
    assert_eq!(stored(&run, "plan").await.as_deref(), Some("1:10"));
    assert_eq!(stored(&run, "city").await, None);
    // Once more changes nothing.
    unmark(&one, &refused).await;
    let late = [("plan", 9), ("city", 9)];
    assert_eq!(mark(&other, &late).await, ["plan"]);
    assert_eq!(stored(&run, "city").await.as_deref(), Some("1:9"));
}

#[tokio::test]
async fn a_refused_value_takes_no_newer_mark_along() {
    let run = prefix();
    let (one, other) = (worker(&run), worker(&run));
    mark(&one, &[("plan", 10), ("city", 30)]).await;
    mark(&other, &[("plan", 20)]).await;
    // Its city was stale; both go as they were marked.
    unmark(&one, &[("plan", 10), ("city", 29)]).await;
    assert_eq!(stored(&run, "plan").await.as_deref(), Some("1:20,10"));
    assert_eq!(stored(&run, "city").await.as_deref(), Some("1:30"));
}

#[tokio::test]
async fn marks_outlive_what_may_be_replayed_and_name_nobody() {
    let run = prefix();
    let memory = worker(&run);
    mark(&memory, &[("plan", 10)]).await;
    let families = keys(&run).await;
    assert_eq!(families, ["mark:e9101242c0d83a6a80e6090d62c54f71"]);
    let key = format!("{run}:v1:42:{}", families[0]);
    let left = |least: i64| {
        let key = key.clone();
        async move {
            let left: i64 = connection().await.pttl(key).await.unwrap();
            assert!((least..=31 * DAY).contains(&left), "{left} ms");
        }
    };
    left(31 * DAY - 60_000).await;
    let _: bool = connection().await.pexpire(&key, 100_000).await.unwrap();
    mark(&memory, &[("plan", 10)]).await;
    left(31 * DAY - 60_000).await;
}

#[tokio::test]
async fn a_mark_of_another_version_counts_as_absent() {
    let run = prefix();
    let memory = worker(&run);
    mark(&memory, &[("plan", 10)]).await;
    let key = format!("{run}:v1:42:{}", keys(&run).await[0]);
    let _: u32 = connection().await.hset(&key, "plan", "2:99").await.unwrap();
    unmark(&memory, &[("plan", 99)]).await;
    assert_eq!(stored(&run, "plan").await.as_deref(), Some("2:99"));
    assert_eq!(mark(&memory, &[("plan", 9)]).await, FRESH);
    assert_eq!(stored(&run, "plan").await.as_deref(), Some("1:9"));
}

#[tokio::test]
async fn a_hundred_records_are_answered_in_order() {
    let memory = worker(&prefix());
    let batch = |time_ms: i64| -> Vec<MarkWrite> {
        (0..100)
            .map(|number| MarkWrite {
                record: record(&format!("person-{number}@example.com")),
                // Every tenth record has nothing to mark, every third is older than the rest.
                values: match number {
                    number if number % 10 == 0 => Vec::new(),
                    number if number % 3 == 0 => vec![(PropertyName::new("plan"), time_ms - 10)],
                    _ => vec![(PropertyName::new("plan"), time_ms)],
                },
            })
            .collect()
    };
    let fresh = memory.mark(&batch(100)).await.unwrap();
    assert_eq!(fresh, vec![Vec::<PropertyName>::new(); 100]);
    let mut second = batch(105);
    second[2].values.push((PropertyName::new("city"), 1));
    second[2].values[0].1 = 99;
    second[7].values = vec![(PropertyName::new("plan"), 99); 2];
    let stale = memory.mark(&second).await.unwrap();
    let plan = PropertyName::new("plan");
    for (number, stale) in stale.iter().enumerate() {
        let expected = match number {
            2 => vec![plan.clone()],
            7 => vec![plan.clone(); 2],
            _ => Vec::new(),
        };
        assert_eq!(*stale, expected, "record {number}");
    }
    memory.unmark(&second).await.unwrap();
    assert_eq!(
        memory.mark(&[]).await.unwrap(),
        Vec::<Vec<PropertyName>>::new()
    );
    memory.unmark(&[]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_told_again() {
    let memory = worker(&prefix());
    mark(&memory, &[("plan", 10)]).await;
    let _: () = redis::cmd("SCRIPT")
        .arg("FLUSH")
        .query_async(&mut connection().await)
        .await
        .unwrap();
    assert_eq!(mark(&memory, &[("plan", 9)]).await, ["plan"]);
    unmark(&memory, &[("plan", 10)]).await;
    assert_eq!(mark(&memory, &[("plan", 9)]).await, FRESH);
}
