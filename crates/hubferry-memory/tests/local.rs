//! The memory of one process.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

mod suite;

use std::num::NonZeroUsize;
use std::sync::Arc;

use hubferry_actions::{ObjectType, PropertyName, RecordRef};
use hubferry_memory::{EnsureState, Finding, Inquiry, LocalLimits, MarkWrite, Memory};
use suite::{
    DAY, NOBODY, NOW, Workers, ask, claim, contact, find, group_id, keep, link, user, wait_for,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_store_passes_the_suite() {
    suite::run(|_| {
        let memory = Arc::new(Memory::local(LocalLimits::default()));
        Workers {
            one: memory.clone(),
            other: memory,
        }
    })
    .await;
}

fn small(people: usize, links: usize) -> Memory {
    Memory::local(LocalLimits {
        people: NonZeroUsize::new(people).unwrap(),
        links: NonZeroUsize::new(links).unwrap(),
    })
}

#[tokio::test]
async fn the_contact_unused_for_longest_is_forgotten_first() {
    let memory = small(2, 9);
    for id in ["1", "2"] {
        ask(&memory, keep(&[user(id)], id), NOW).await;
    }
    assert_eq!(ask(&memory, find(&[user("1")]), NOW).await, contact("1"));
    ask(&memory, keep(&[user("3")], "3"), NOW).await;
    let everybody = ["1", "2", "3"].map(|id| find(&[user(id)]));
    let findings = memory.ask(&everybody, NOW).await.unwrap();
    assert_eq!(findings, [contact("1"), NOBODY, contact("3")]);
}

#[tokio::test]
async fn a_contact_is_remembered_for_90_days_after_its_last_use() {
    let memory = small(9, 9);
    let person = [user("1")];
    ask(&memory, keep(&person, "7"), NOW).await;
    for (day, expected) in [(89, contact("7")), (178, contact("7")), (268, NOBODY)] {
        assert_eq!(
            ask(&memory, find(&person), NOW + day * DAY).await,
            expected,
            "day {day}"
        );
    }
}

#[tokio::test]
async fn a_link_too_many_expires_early_and_is_not_lost() {
    let memory = small(9, 2);
    let person = [user("1")];
    let links = [
        link("a", &person, 3 * DAY),
        link("b", &person, DAY),
        link("c", &person, 2 * DAY),
    ];
    for link in &links {
        ask(&memory, wait_for(&person, link), NOW).await;
    }
    let expired = memory.expired_links(NOW, 9).await.unwrap();
    assert_eq!(expired.len(), 1);
    assert_eq!((&expired[0].id, expired[0].expires_ms), (&links[1].id, NOW));
    let rest = Finding::Links(vec![links[0].clone(), links[2].clone()]);
    let Finding::Links(mut found) = ask(&memory, keep(&person, "7"), NOW).await else {
        panic!("contacts find links");
    };
    found.sort_by(|a, b| a.from.cmp(&b.from));
    assert_eq!(Finding::Links(found), rest);
    assert_eq!(memory.waiting_links().await.unwrap(), 3);
}

#[tokio::test]
async fn everything_that_waits_can_be_listed_at_the_end() {
    let memory = small(9, 9);
    let person = [user("1")];
    ask(&memory, wait_for(&person, &link("a", &person, DAY)), NOW).await;
    assert_eq!(
        memory
            .expired_links(i64::MAX, usize::MAX)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn what_was_ensured_is_believed_for_a_day() {
    let memory = small(9, 9);
    ask(
        &memory,
        Inquiry::EnsureDone { what: group_id() },
        NOW - DAY + 1,
    )
    .await;
    assert_eq!(claim(&memory, &group_id()).await, EnsureState::Done);
    ask(&memory, Inquiry::EnsureDone { what: group_id() }, NOW - DAY).await;
    assert_eq!(claim(&memory, &group_id()).await, EnsureState::Claimed);
}

#[tokio::test]
async fn a_single_process_keeps_no_marks() {
    let memory = small(2, 2);
    assert!(!memory.keeps_marks());
    let plan = |time_ms| MarkWrite {
        record: RecordRef {
            object: ObjectType::contacts(),
            id_property: PropertyName::new("email"),
            value: "jane@example.com".into(),
        },
        values: vec![(PropertyName::new("plan"), time_ms)],
    };
    let nothing = vec![Vec::<PropertyName>::new(); 2];
    assert_eq!(memory.mark(&[plan(20), plan(10)]).await.unwrap(), nothing);
    memory.unmark(&[plan(20)]).await.unwrap();
}
