//! What both stores must do behind the one face. Each scenario takes two workers that share one state.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use hubferry_actions::{
    AssociationType, EventName, ListName, ObjectType, PropertyName, RecordId, RecordRef,
};
use hubferry_event::IdentityKey;
use hubferry_memory::{
    EnsureKey, EnsureState, FactKey, Finding, Inquiry, Link, LinkId, LinkOrigin, Memory,
};
use tokio::task::JoinSet;

pub(crate) const NOW: i64 = 1_764_000_000_000;
pub(crate) const DAY: i64 = 24 * 3_600_000;

/// Two workers of one fleet.
pub(crate) struct Workers {
    pub(crate) one: Arc<Memory>,
    pub(crate) other: Arc<Memory>,
}

/// Runs every scenario; `make` gives workers with a state of their own per name.
pub(crate) async fn run(make: impl Fn(&str) -> Workers) {
    a_contact_is_found_by_the_most_authoritative_key(make("find")).await;
    inquiries_see_what_the_ones_before_them_kept(make("order")).await;
    Box::pin(a_contact_that_appears_finds_the_links_that_wait(make(
        "appear",
    )))
    .await;
    a_link_finds_the_contact_that_is_there_already(make("there")).await;
    of_a_link_and_a_contact_one_always_sees_the_other(make("race")).await;
    a_redelivered_link_waits_once(make("twice")).await;
    an_expired_link_goes_to_one_worker_until_its_lease_ends(make("lease")).await;
    expired_links_are_shared_out_without_overlap(make("share")).await;
    a_forgotten_contact_is_not_found(make("forget")).await;
    schema_is_ensured_until_it_is_forgotten(make("ensure")).await;
    what_is_ensured_is_told_apart(make("ensures")).await;
    a_record_is_known_to_the_fleet_until_it_is_forgotten(make("record")).await;
    what_one_read_of_the_schema_all_know_until_it_is_contradicted(make("fact")).await;
}

pub(crate) fn user(id: &str) -> IdentityKey {
    IdentityKey::User(id.into())
}

pub(crate) fn anonymous(id: &str) -> IdentityKey {
    IdentityKey::Anonymous(id.into())
}

pub(crate) fn email(address: &str) -> IdentityKey {
    IdentityKey::Email(address.into())
}

pub(crate) fn find(person: &[IdentityKey]) -> Inquiry {
    Inquiry::FindContact {
        person: person.to_vec(),
    }
}

pub(crate) fn keep(person: &[IdentityKey], contact: &str) -> Inquiry {
    Inquiry::KeepContact {
        person: person.to_vec(),
        contact: RecordId::new(contact),
    }
}

pub(crate) fn wait_for(person: &[IdentityKey], link: &Link) -> Inquiry {
    Inquiry::KeepLink {
        person: person.to_vec(),
        link: link.clone(),
    }
}

pub(crate) fn made(person: &[IdentityKey], links: &[&Link]) -> Inquiry {
    let links = links.iter().map(|link| link.id.clone()).collect();
    Inquiry::DropLinks {
        person: person.to_vec(),
        links,
    }
}

/// A link from a company that waits for a person from `NOW` on.
pub(crate) fn link(company: &str, person: &[IdentityKey], waits_ms: i64) -> Link {
    let from = RecordId::new(company);
    Link {
        id: LinkId::of(
            "acme/companies",
            (&ObjectType::companies(), &from),
            person,
            "message-1",
        ),
        mapping: "acme/companies".to_owned(),
        from_object: ObjectType::companies(),
        from,
        kind: AssociationType::company_to_contact(),
        since_ms: NOW,
        expires_ms: NOW + waits_ms,
        origin: Some(LinkOrigin {
            topic: "events".to_owned(),
            partition: 3,
            offset: 99,
            element: Some(1),
            message_id: Some("message-1".to_owned()),
        }),
    }
}

pub(crate) fn contact(id: &str) -> Finding {
    Finding::Contact(Some(RecordId::new(id)))
}

pub(crate) const NOBODY: Finding = Finding::Contact(None);

/// The answer to a single inquiry.
pub(crate) async fn ask(memory: &Memory, inquiry: Inquiry, now_ms: i64) -> Finding {
    let mut findings = memory.ask(&[inquiry], now_ms).await.unwrap();
    assert_eq!(findings.len(), 1);
    findings.remove(0)
}

async fn a_contact_is_found_by_the_most_authoritative_key(workers: Workers) {
    let Workers { one, other } = workers;
    let by_user = keep(&[user("u")], "1");
    let by_anonymous = keep(&[anonymous("a")], "2");
    let by_email = keep(&[email("jane@example.com")], "3");
    one.ask(&[by_user, by_anonymous, by_email], NOW)
        .await
        .unwrap();
    let (u, a, e) = (user("u"), anonymous("a"), email("jane@example.com"));
    let group = IdentityKey::Group("u".into());
    let cases = [
        (vec![e.clone(), a.clone(), u.clone()], contact("1")),
        (vec![e.clone(), a.clone()], contact("2")),
        (vec![user("unknown"), e.clone()], contact("3")),
        (vec![user("unknown")], NOBODY),
        (vec![anonymous("u")], NOBODY),
        (vec![group], NOBODY),
        (vec![], NOBODY),
    ];
    for (person, expected) in cases {
        assert_eq!(ask(&other, find(&person), NOW).await, expected);
    }
}

async fn inquiries_see_what_the_ones_before_them_kept(workers: Workers) {
    let person = [user("u"), email("jane@example.com")];
    let waiting = link("c1", &person[..1], DAY);
    let inquiries = [
        find(&person),
        wait_for(&person[..1], &waiting),
        keep(&person, "7"),
        find(&person[1..]),
        keep(&person, "8"),
        find(&person),
    ];
    let findings = workers.one.ask(&inquiries, NOW).await.unwrap();
    let expected = [
        NOBODY,
        Finding::LinkKept(None),
        Finding::Links(vec![waiting.clone()]),
        contact("7"),
        Finding::Links(vec![waiting]),
        contact("8"),
    ];
    assert_eq!(findings, expected);
    assert_eq!(workers.one.ask(&[], NOW).await.unwrap(), []);
}

async fn a_contact_that_appears_finds_the_links_that_wait(workers: Workers) {
    let Workers { one, other } = workers;
    let (u, e) = (user("u"), email("jane@example.com"));
    let both = [u.clone(), e.clone()];
    let first = link("c1", &both, DAY);
    let second = Link {
        since_ms: NOW + 1,
        ..link("c2", &both[1..], DAY)
    };
    let expired = link("c3", &both, 10);
    let foreign = link("c4", &[user("other")], DAY);
    let kept = [
        wait_for(&both[1..], &second),
        wait_for(&both, &first),
        wait_for(&both, &expired),
        wait_for(&[user("other")], &foreign),
    ];
    one.ask(&kept, NOW).await.unwrap();
    assert_eq!(other.waiting_links().await.unwrap(), 4);

    let appeared = ask(&other, keep(&[e, u], "7"), NOW + 20).await;
    assert_eq!(
        appeared,
        Finding::Links(vec![first.clone(), second.clone()])
    );
    // Not made yet: whoever keeps the contact again is told again.
    let again = ask(&one, keep(&both[..1], "7"), NOW + 20).await;
    assert_eq!(again, Finding::Links(vec![first.clone()]));
    assert_eq!(
        ask(&one, made(&both[..1], &[&first, &second]), NOW + 20).await,
        Finding::Kept
    );
    assert_eq!(
        ask(&one, keep(&both, "7"), NOW + 20).await,
        Finding::Links(vec![])
    );
    assert_eq!(other.waiting_links().await.unwrap(), 2);
}

async fn a_link_finds_the_contact_that_is_there_already(workers: Workers) {
    let person = [user("u")];
    ask(&workers.one, keep(&person, "7"), NOW).await;
    let kept = ask(
        &workers.other,
        wait_for(&person, &link("c1", &person, DAY)),
        NOW,
    )
    .await;
    assert_eq!(kept, Finding::LinkKept(Some(RecordId::new("7"))));
}

async fn of_a_link_and_a_contact_one_always_sees_the_other(workers: Workers) {
    let mut pairs = JoinSet::new();
    for number in 0..200 {
        let (one, other) = (workers.one.clone(), workers.other.clone());
        pairs.spawn(async move {
            let person = [user(&number.to_string())];
            let waiting = link("c1", &person, DAY);
            let (kept, appeared) = tokio::join!(
                ask(&one, wait_for(&person, &waiting), NOW),
                ask(&other, keep(&person, "7"), NOW),
            );
            let link_saw_contact = kept == Finding::LinkKept(Some(RecordId::new("7")));
            let contact_saw_link = appeared == Finding::Links(vec![waiting]);
            link_saw_contact || contact_saw_link
        });
    }
    assert!(pairs.join_all().await.into_iter().all(|is_seen| is_seen));
}

async fn a_redelivered_link_waits_once(workers: Workers) {
    let person = [user("u")];
    for worker in [&workers.one, &workers.other, &workers.one] {
        ask(worker, wait_for(&person, &link("c1", &person, DAY)), NOW).await;
    }
    assert_eq!(workers.one.waiting_links().await.unwrap(), 1);
    let appeared = ask(&workers.one, keep(&person, "7"), NOW).await;
    assert_eq!(appeared, Finding::Links(vec![link("c1", &person, DAY)]));
}

async fn an_expired_link_goes_to_one_worker_until_its_lease_ends(workers: Workers) {
    let Workers { one, other } = workers;
    let person = [user("u")];
    let waiting = link("c1", &person, DAY);
    ask(&one, wait_for(&person, &waiting), NOW).await;
    let due = NOW + DAY;
    assert_eq!(one.expired_links(due - 1, 10).await.unwrap(), []);
    assert_eq!(
        one.expired_links(due, 10).await.unwrap(),
        slice::from_ref(&waiting)
    );
    assert_eq!(other.expired_links(due, 10).await.unwrap(), []);
    assert_eq!(other.waiting_links().await.unwrap(), 1);
    // The worker died before it parked the link.
    let later = due + 5 * 60_000;
    assert_eq!(
        other.expired_links(later, 10).await.unwrap(),
        slice::from_ref(&waiting)
    );
    ask(&other, made(&[], &[&waiting]), later).await;
    assert_eq!(one.expired_links(later + DAY, 10).await.unwrap(), []);
    assert_eq!(one.waiting_links().await.unwrap(), 0);
    assert_eq!(
        ask(&one, keep(&person, "7"), NOW).await,
        Finding::Links(vec![])
    );
}

async fn expired_links_are_shared_out_without_overlap(workers: Workers) {
    let person = [user("u")];
    let links: Vec<Link> = (0..60)
        .map(|number| link(&format!("c{number}"), &person, number))
        .collect();
    let kept: Vec<Inquiry> = links.iter().map(|link| wait_for(&person, link)).collect();
    workers.one.ask(&kept, NOW).await.unwrap();
    assert_eq!(
        workers.one.expired_links(NOW + DAY, 2).await.unwrap(),
        links[..2]
    );
    let mut sweeps = JoinSet::new();
    for sweep in 0..6 {
        let worker = if sweep % 2 == 0 {
            workers.one.clone()
        } else {
            workers.other.clone()
        };
        sweeps.spawn(async move { worker.expired_links(NOW + DAY, 10).await.unwrap() });
    }
    let swept: Vec<LinkId> = sweeps
        .join_all()
        .await
        .into_iter()
        .flatten()
        .map(|link| link.id)
        .collect();
    let distinct: BTreeSet<&LinkId> = swept.iter().collect();
    assert_eq!((swept.len(), distinct.len()), (58, 58));
}

async fn a_forgotten_contact_is_not_found(workers: Workers) {
    let person = [user("u"), email("jane@example.com")];
    ask(&workers.one, keep(&person, "7"), NOW).await;
    let forget = Inquiry::ForgetContact {
        person: person.to_vec(),
    };
    assert_eq!(ask(&workers.other, forget, NOW).await, Finding::Kept);
    assert_eq!(ask(&workers.one, find(&person), NOW).await, NOBODY);
}

pub(crate) fn group_id() -> EnsureKey {
    EnsureKey::Property {
        object: ObjectType::companies(),
        name: PropertyName::new("segment_group_id"),
    }
}

pub(crate) async fn claim(worker: &Memory, what: &EnsureKey) -> EnsureState {
    match ask(worker, Inquiry::ClaimEnsure { what: what.clone() }, NOW).await {
        Finding::Ensure(state) => state,
        other => panic!("{other:?}"),
    }
}

async fn schema_is_ensured_until_it_is_forgotten(workers: Workers) {
    let Workers { one, other } = workers;
    let what = group_id();
    let plan = EnsureKey::Property {
        object: ObjectType::contacts(),
        name: PropertyName::new("segment_group_id"),
    };
    assert_eq!(claim(&one, &what).await, EnsureState::Claimed);
    assert_eq!(
        claim(&one, &what).await,
        EnsureState::Claimed,
        "the claim is still ours"
    );
    assert_eq!(
        claim(&other, &plan).await,
        EnsureState::Claimed,
        "another type's property"
    );
    ask(&one, Inquiry::EnsureDone { what: what.clone() }, NOW).await;
    assert_eq!(claim(&one, &what).await, EnsureState::Done);
    assert_eq!(claim(&other, &what).await, EnsureState::Done);
    ask(&other, Inquiry::ForgetEnsure { what: what.clone() }, NOW).await;
    assert_eq!(claim(&other, &what).await, EnsureState::Claimed);
}

async fn what_is_ensured_is_told_apart(workers: Workers) {
    let Workers { one, .. } = workers;
    let event = EventName::new("pe1_x");
    let list = ListName {
        object: ObjectType::contacts(),
        name: Arc::from("vip"),
    };
    let same_name = ListName {
        object: ObjectType::companies(),
        name: Arc::from("vip"),
    };
    let pieces = [
        EnsureKey::Definition {
            event: event.clone(),
        },
        EnsureKey::EventProperty {
            event,
            name: PropertyName::new("a"),
        },
        EnsureKey::List { list },
        EnsureKey::List { list: same_name },
    ];
    for piece in pieces {
        let claim = Inquiry::ClaimEnsure {
            what: piece.clone(),
        };
        assert_eq!(
            ask(&one, claim, NOW).await,
            Finding::Ensure(EnsureState::Claimed),
            "{piece:?}"
        );
        let done = Inquiry::EnsureDone { what: piece };
        assert_eq!(ask(&one, done, NOW).await, Finding::Kept);
    }
}

async fn a_record_is_known_to_the_fleet_until_it_is_forgotten(workers: Workers) {
    let Workers { one, other } = workers;
    let record = RecordRef {
        object: ObjectType::new("deals"),
        id_property: PropertyName::new("number"),
        value: "7".into(),
    };
    let find = || Inquiry::FindRecord {
        record: record.clone(),
    };
    assert_eq!(ask(&one, find(), NOW).await, Finding::Record(None));
    let keep = Inquiry::KeepRecord {
        record: record.clone(),
        id: RecordId::new("42"),
    };
    assert_eq!(ask(&one, keep, NOW).await, Finding::Kept);
    let known = Finding::Record(Some(RecordId::new("42")));
    assert_eq!(ask(&other, find(), NOW).await, known);
    let forget = Inquiry::ForgetRecord {
        record: record.clone(),
    };
    assert_eq!(ask(&other, forget, NOW).await, Finding::Kept);
    assert_eq!(ask(&one, find(), NOW).await, Finding::Record(None));
}

async fn what_one_read_of_the_schema_all_know_until_it_is_contradicted(workers: Workers) {
    let Workers { one, other } = workers;
    for what in [
        FactKey::Properties(ObjectType::contacts()),
        FactKey::TypeId(ObjectType::contacts()),
        FactKey::Definition(EventName::new("contacts")),
    ] {
        let find = || Inquiry::FindFact { what: what.clone() };
        assert_eq!(ask(&one, find(), NOW).await, Finding::Fact(None));
        let keep = Inquiry::KeepFact {
            what: what.clone(),
            text: format!("{what:?}").into(),
        };
        assert_eq!(ask(&one, keep, NOW).await, Finding::Kept);
        let known = Finding::Fact(Some(format!("{what:?}").into()));
        assert_eq!(ask(&other, find(), NOW).await, known);
        let forget = Inquiry::ForgetFact { what: what.clone() };
        assert_eq!(ask(&other, forget, NOW).await, Finding::Kept);
        assert_eq!(ask(&one, find(), NOW).await, Finding::Fact(None));
    }
}
