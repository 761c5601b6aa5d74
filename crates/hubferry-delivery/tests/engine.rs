//! The engine against the simulator over real HTTP, with the local limiter and memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its parts has to fail"
)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hubferry_actions::{
    AssociateStep, AssociationType, Creation, DefinitionUse, EventName, EventValue, Existing,
    Lifecycle, LinkChange, LinkStep, ListName, MatchMode, MembershipChange, MembershipStep,
    ObjectType, OccurrenceStep, OnMissingContact, Overflow, Plan, Policy, PropertyName,
    PropertyText, RecordPlan, RecordRef, RecordStep, SearchBy, Target, UnknownProperty, ValueKind,
    WhenFound, WhenMissing, WhenUndefined, Work,
};
use hubferry_delivery::{
    Admission, Backlog, Delivery, DeliveryId, Ended, Ending, Engine, EngineParts, Instruction,
    LIMITS, MappingIndex, SchedulerSettings, Stats,
};
use hubferry_event::{EventTime, IdentityKey};
use hubferry_hubspot::{Auth, BaseUrl, Client, ClientSettings, Secret};
use hubferry_limiter::{LimitName, LimitSettings, Limiter, Scope};
use hubferry_memory::{LocalLimits, Memory};
use hubferry_sim::{SimSettings, Simulator, TokenSpec};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Running {
    admissions: mpsc::Sender<Instruction>,
    endings: mpsc::Receiver<Vec<Ended>>,
    stats: Arc<Stats>,
    stop: CancellationToken,
    engine: JoinSet<()>,
}

async fn start(simulator: &Simulator) -> Running {
    let settings = ClientSettings {
        base_url: BaseUrl::parse(&simulator.base_url()).unwrap(),
        ..ClientSettings::new(Auth::Private(Secret::new("pat-test")))
    };
    let most = NonZeroU32::new(100).unwrap();
    let limits = LIMITS
        .map(|name| LimitSettings::ten_seconds(LimitName::new(name), most))
        .to_vec();
    let stats = Arc::new(Stats::default());
    let engine = Engine::new(EngineParts {
        scheduler: SchedulerSettings::default(),
        calls_in_flight: 8,
        client: Arc::new(Client::new(settings).unwrap()),
        limiter: Limiter::local(Scope::new("1:test"), limits).unwrap(),
        memory: Arc::new(Memory::local(LocalLimits::default())),
        mappings: vec!["acme/contacts".to_owned(), "acme/companies".to_owned()],
        stats: stats.clone(),
        backlog: Backlog::default(),
    });
    let (admissions, inbox) = mpsc::channel(64);
    let (outbox, endings) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(engine.run(inbox, outbox, stop.clone()));
    Running {
        admissions,
        endings,
        stats,
        stop,
        engine: tasks,
    }
}

fn policy() -> Arc<Policy> {
    Arc::new(Policy {
        coalesce: true,
        unknown_property: UnknownProperty::DeadLetter,
        drop_invalid_property: false,
        truncate_dates: false,
        lifecycle: Lifecycle::BothWays,
        on_missing_contact: OnMissingContact::Wait,
        link_wait: Duration::from_secs(60),
        required: Vec::new(),
    })
}

fn identify(id: u64, name: &str, properties: &[(&str, &str)]) -> Instruction {
    let email = format!("{name}@example.com");
    let keys = [
        IdentityKey::User(name.into()),
        IdentityKey::Email(email.as_str().into()),
    ];
    let record = RecordStep {
        record: RecordRef {
            object: ObjectType::contacts(),
            id_property: PropertyName::new("email"),
            value: Arc::from(email.as_str()),
        },
        properties: properties
            .iter()
            .map(|(n, v)| (PropertyName::new(n), PropertyText::new(v)))
            .collect(),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person: keys.iter().cloned().collect(),
        needs: None,
        creation: None,
    };
    let plan = Plan {
        time: EventTime::from_millis(1),
        work: Work::Record(Box::new(RecordPlan::only(record))),
        policy: policy(),
    };
    admission(id, keys, plan)
}

fn group(id: u64, name: &str) -> Instruction {
    let keys = [
        IdentityKey::User(name.into()),
        IdentityKey::Group("acme".into()),
    ];
    let definition = hubferry_actions::PropertyDefinition {
        object: ObjectType::companies(),
        name: PropertyName::new("segment_group_id"),
        label: "Segment Group ID".into(),
        description: "test",
        group: "companyinformation".into(),
        kind: ValueKind::Text,
        unique: true,
        hidden: true,
        sensitive: false,
    };
    let record = RecordStep {
        record: RecordRef {
            object: ObjectType::companies(),
            id_property: definition.name.clone(),
            value: Arc::from("acme"),
        },
        properties: vec![(PropertyName::new("name"), PropertyText::new("Acme"))],
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person: [].into_iter().collect(),
        needs: Some(definition),
        creation: None,
    };
    let associate = AssociateStep {
        person: [keys[0].clone()].into_iter().collect(),
        with: ObjectType::contacts(),
        kind: AssociationType::company_to_contact(),
    };
    let plan = Plan {
        time: EventTime::from_millis(2),
        work: Work::Record(Box::new(RecordPlan {
            associate: Some(associate),
            ..RecordPlan::only(record)
        })),
        policy: policy(),
    };
    admission(id, keys, plan)
}

fn admission(id: u64, keys: impl IntoIterator<Item = IdentityKey>, plan: Plan) -> Instruction {
    let delivery = Delivery {
        id: DeliveryId(id),
        mapping: MappingIndex(0),
        plan,
    };
    Instruction::Admit(Admission {
        keys: keys.into_iter().collect(),
        deliveries: vec![delivery],
        origin: None,
    })
}

async fn drain(endings: &mut mpsc::Receiver<Vec<Ended>>) -> Vec<Ended> {
    let mut all = Vec::new();
    while let Some(ended) = endings.recv().await {
        all.extend(ended);
    }
    all.sort_by_key(|ended| ended.delivery);
    all
}

#[tokio::test]
async fn a_contact_its_company_and_their_association_arrive() {
    let simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let mut running = start(&simulator).await;
    running
        .admissions
        .send(identify(1, "ada", &[("firstname", "Ada")]))
        .await
        .unwrap();
    running.admissions.send(group(2, "ada")).await.unwrap();
    running
        .admissions
        .send(identify(3, "bob", &[("no_such_property", "x")]))
        .await
        .unwrap();
    drop(running.admissions);
    let ended = drain(&mut running.endings).await;
    running.engine.join_all().await;
    assert_eq!(ended.len(), 3);
    assert!(
        matches!(ended[0].ending, Ending::Delivered { .. }),
        "{:?}",
        ended[0]
    );
    assert!(
        matches!(ended[1].ending, Ending::Delivered { .. }),
        "{:?}",
        ended[1]
    );
    let Ending::Dead(death) = &ended[2].ending else {
        panic!("{:?}", ended[2])
    };
    assert_eq!(death.rejection.code.as_str(), "property_missing");
    let calls = running.stats.snapshot().calls;
    let names: Vec<_> = calls.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "associations/companies/contacts/batch/create",
            "companies/batch/upsert",
            "contacts/batch/upsert",
            "properties/companies",
            "properties/companies/batch/create",
            "properties/contacts"
        ]
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_revoked_token_holds_the_portal_and_ends_nothing() {
    let tokens = vec![TokenSpec {
        token: "another".to_owned(),
        scopes: Vec::new(),
    }];
    let simulator = Simulator::start(SimSettings {
        tokens,
        ..SimSettings::default()
    })
    .await
    .unwrap();
    let mut running = start(&simulator).await;
    running
        .admissions
        .send(identify(1, "ada", &[]))
        .await
        .unwrap();
    running.stats.holds_changed().await;
    let holds = running.stats.snapshot().holds;
    assert_eq!(
        (holds[0].mapping.as_deref(), holds[0].reason),
        (None, "auth")
    );
    running.stop.cancel();
    assert!(
        drain(&mut running.endings).await.is_empty(),
        "nothing ends in a held portal"
    );
    running.engine.join_all().await;
    simulator.stop().await;
}

fn upsert(object: &str, id_property: &str, value: &str, values: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        record: RecordRef {
            object: ObjectType::new(object),
            id_property: PropertyName::new(id_property),
            value: Arc::from(value),
        },
        properties: values
            .iter()
            .map(|(n, v)| (PropertyName::new(n), PropertyText::new(v)))
            .collect(),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person: [].into_iter().collect(),
        needs: None,
        creation: None,
    }
}

fn write(id: u64, plan: RecordPlan, unknown_property: UnknownProperty) -> Instruction {
    let policy = Policy {
        unknown_property,
        ..Policy::clone(&policy())
    };
    let plan = Plan {
        time: EventTime::from_millis(1),
        work: Work::Record(Box::new(plan)),
        policy: Arc::new(policy),
    };
    admission(id, [IdentityKey::User(format!("u{id}").into())], plan)
}

fn track(id: u64, name: &str, uuid: &str) -> Instruction {
    let email = format!("{name}@example.com");
    let keys = [
        IdentityKey::User(name.into()),
        IdentityKey::Email(email.as_str().into()),
    ];
    let step = OccurrenceStep {
        event: EventName::new("bought"),
        definition: DefinitionUse {
            definition: WhenUndefined::Create,
            property: WhenUndefined::Create,
            overflow: Overflow::DeadLetter,
        },
        object: ObjectType::contacts(),
        object_id: None,
        email: Some(Arc::from(email.as_str())),
        utk: None,
        occurred_at: None,
        properties: vec![(
            PropertyName::new("price"),
            EventValue::new("12", ValueKind::Number),
        )],
        uuid: Arc::from(uuid),
        person: keys.iter().cloned().collect(),
    };
    let plan = Plan {
        time: EventTime::from_millis(3),
        work: Work::Occurrence(Box::new(step)),
        policy: policy(),
    };
    admission(id, keys, plan)
}

#[tokio::test]
async fn a_custom_object_what_follows_it_and_occurrences_arrive() {
    let simulator = Simulator::start(SimSettings::sample()).await.unwrap();
    let mut running = start(&simulator).await;
    let mut pet = upsert(
        "pets",
        "pet_id",
        "7",
        &[("pet_name", "Rex"), ("weight", "3"), ("color", "brown")],
    );
    pet.creation = Some(Creation {
        group: "pets_information".into(),
        sensitive: Vec::new(),
        kinds: Vec::new(),
    });
    let membership = MembershipStep {
        list: ListName {
            object: ObjectType::new("pets"),
            name: "Good dogs".into(),
        },
        change: MembershipChange::Add,
        when_missing: WhenMissing::Create,
    };
    let pet = RecordPlan {
        membership: Some(membership),
        ..RecordPlan::only(pet)
    };
    let target = upsert("contacts", "email", "bob@example.com", &[]);
    let friend = LinkStep {
        change: LinkChange::Associate,
        target: Target {
            record: target.record,
            existing: Existing::ById,
            when_missing: WhenMissing::Create,
        },
        kind: AssociationType {
            category: "HUBSPOT_DEFINED".into(),
            type_id: 449,
        },
    };
    let contact = RecordPlan {
        links: vec![friend],
        ..RecordPlan::only(upsert("contacts", "email", "ada@example.com", &[]))
    };
    let by = SearchBy {
        fields: vec![(PropertyName::new("dealname"), PropertyText::new("Big one"))],
        mode: MatchMode::All,
    };
    let deal = RecordStep {
        record: RecordRef::searched(ObjectType::new("deals"), &by.fields),
        existing: Existing::SearchAlone(by),
        ..upsert("deals", "", "", &[("dealname", "Big one"), ("amount", "5")])
    };
    let instructions = [
        write(1, pet, UnknownProperty::Create),
        write(2, contact, UnknownProperty::DeadLetter),
        write(3, RecordPlan::only(deal), UnknownProperty::DeadLetter),
        track(4, "ada", "00000000-0000-5000-8000-000000000001"),
        track(5, "cy", "00000000-0000-5000-8000-000000000002"),
    ];
    for instruction in instructions {
        running.admissions.send(instruction).await.unwrap();
    }
    drop(running.admissions);
    let ended = drain(&mut running.endings).await;
    running.engine.join_all().await;
    for one in &ended {
        let as_wished = one.ending == Ending::Delivered { notes: Vec::new() };
        assert!(as_wished, "{one:?}");
    }
    assert_eq!(ended.len(), 5);

    let portal = simulator.state();
    let pets = portal.records(portal.object("pets").unwrap());
    assert_eq!(pets.len(), 1);
    let values = ["pet_name", "weight", "color"].map(|name| pets[0].properties[name].as_str());
    assert_eq!(values, ["Rex", "3", "brown"]);
    let lists = portal.lists();
    let list = lists.iter().find(|list| list.name == "Good dogs").unwrap();
    assert_eq!(list.members, [pets[0].id.clone()]);
    let friends = portal.associations();
    assert!(!friends.is_empty() && friends.iter().all(|pair| pair.type_ids == [449]));
    assert_eq!(portal.records(portal.object("deals").unwrap()).len(), 1);
    let events = portal.events(true);
    let bought = events.iter().find(|event| event.name.ends_with("_bought"));
    assert_eq!(bought.unwrap().occurrences.len(), 2);
    simulator.stop().await;
}
