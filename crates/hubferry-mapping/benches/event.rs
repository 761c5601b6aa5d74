//! What one event costs on one core: parsing, trigger, mapping and validation, together and apart.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hubferry_event::Event;
use hubferry_mapping::{CleanOptions, FieldSchema, Format, Mapping, Schema, Trigger};
use serde_json::{Map, Value, json};

/// An identify event of about 1 KiB, as analytics.js sends it.
const IDENTIFY: &str = r#"{"type":"identify","messageId":"ajs-next-1704721970212-4e3f9c1a","anonymousId":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","userId":"user_48213","timestamp":"2024-01-08T13:52:50.212Z","sentAt":"2024-01-08T13:52:50.300Z","receivedAt":"2024-01-08T13:52:50.512Z","channel":"browser","traits":{"email":"ada.lovelace@example.com","first_name":"Ada","last_name":"Lovelace","company":"Analytical Engines Ltd","phone":"+44 20 7946 0958","website":"https://example.com","plan":"enterprise","seats":42,"trial":false,"score":87.5,"address":{"street":"12 St James's Square","city":"London","state":"England","country":"United Kingdom","postalCode":"SW1Y 4JH"}},"context":{"ip":"203.0.113.7","locale":"en-GB","timezone":"Europe/London","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36","library":{"name":"analytics.js","version":"next-1.62.0"},"page":{"path":"/account","referrer":"https://example.com/","search":"","title":"Account","url":"https://app.example.com/account"}},"integrations":{"All":true}}"#;

fn path(path: &str) -> Value {
    json!({ "@path": path })
}

fn either(first: &str, second: &str) -> Value {
    json!({"@if": {"exists": path(first), "then": path(first), "else": path(second)}})
}

/// A mapping like the default one of the contact action, with three further properties.
fn contact_mapping() -> Mapping {
    Mapping::compile(&json!({
        "email": path("$.traits.email"),
        "company": path("$.traits.company"),
        "firstname": either("$.traits.first_name", "$.traits.firstName"),
        "lastname": either("$.traits.last_name", "$.traits.lastName"),
        "phone": path("$.traits.phone"),
        "address": path("$.traits.address.street"),
        "city": path("$.traits.address.city"),
        "state": path("$.traits.address.state"),
        "country": path("$.traits.address.country"),
        "zip": either("$.traits.address.postalCode", "$.traits.address.postal_code"),
        "website": path("$.traits.website"),
        "properties": {
            "plan": path("$.traits.plan"),
            "seats": path("$.traits.seats"),
            "score": path("$.traits.score"),
        },
    }))
    .expect("the mapping is right")
}

fn contact_schema() -> Schema {
    let texts = [
        "company",
        "firstname",
        "lastname",
        "phone",
        "address",
        "city",
        "state",
        "country",
        "zip",
        "website",
    ];
    let mut fields = vec![FieldSchema::text("email").format(Format::Email).required()];
    fields.extend(texts.map(FieldSchema::text));
    fields.push(FieldSchema::object("properties"));
    Schema::new(fields)
}

/// From the bytes to the checked payload.
fn whole(trigger: &Trigger, mapping: &Mapping, schema: &Schema) -> Option<Map<String, Value>> {
    let event = Event::parse(black_box(IDENTIFY).as_bytes()).ok()?;
    validated(&event, trigger, mapping, schema)
}

fn validated(
    event: &Event,
    trigger: &Trigger,
    mapping: &Mapping,
    schema: &Schema,
) -> Option<Map<String, Value>> {
    if !trigger.matches(event) {
        return None;
    }
    let Value::Object(payload) = mapping.resolve(event).ok()?? else {
        return None;
    };
    let validated = schema.validate(payload, &CleanOptions::default()).ok()?;
    Some(validated.payload)
}

fn event(criterion: &mut Criterion) {
    let trigger = Trigger::parse_checked("type = \"identify\" and traits.email != null")
        .expect("the trigger is right");
    let mapping = contact_mapping();
    let schema = contact_schema();
    let fields = whole(&trigger, &mapping, &schema).map(|payload| payload.len());
    assert_eq!(fields, Some(12));

    let mut group = criterion.benchmark_group("identify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("whole", |b| b.iter(|| whole(&trigger, &mapping, &schema)));
    group.bench_function("parse", |b| {
        b.iter(|| Event::parse(black_box(IDENTIFY).as_bytes()));
    });
    let parsed = Event::parse(IDENTIFY.as_bytes()).expect("the event is one");
    group.bench_function("trigger", |b| {
        b.iter(|| trigger.matches(black_box(&parsed)))
    });
    group.bench_function("resolve", |b| {
        b.iter(|| mapping.resolve(black_box(&parsed)))
    });
    let Ok(Some(Value::Object(payload))) = mapping.resolve(&parsed) else {
        return;
    };
    group.bench_function("validate", |b| {
        b.iter_batched(
            || payload.clone(),
            |payload| schema.validate(payload, &CleanOptions::default()),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// The whole path on one thread and on two, each with its own events.
fn cores(criterion: &mut Criterion) {
    let trigger = Trigger::parse_checked("type = \"identify\" and traits.email != null")
        .expect("the trigger is right");
    let (mapping, schema) = (contact_mapping(), contact_schema());
    let mut group = criterion.benchmark_group("cores");
    const EVENTS: u64 = 20_000;
    for threads in [1_u64, 2] {
        group.throughput(Throughput::Elements(threads * EVENTS));
        group.bench_function(threads.to_string(), |b| {
            b.iter(|| {
                std::thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| {
                            for _ in 0..EVENTS {
                                black_box(whole(&trigger, &mapping, &schema));
                            }
                        });
                    }
                });
            });
        });
    }
    group.finish();
}

/// A large event of which the mapping reads nothing more costs its reading, not a tree.
fn ballast(criterion: &mut Criterion) {
    let trigger = Trigger::parse_checked("type = \"identify\"").expect("the trigger is right");
    let (mapping, schema) = (contact_mapping(), contact_schema());
    let mut group = criterion.benchmark_group("ballast");
    for kib in [0_usize, 16, 64] {
        let list: Vec<Value> = (0..kib * 16)
            .map(|n| json!({"sku": format!("item {n:06}"), "price": 12.5, "seen": true, "tag": "abcde"}))
            .collect();
        let text = IDENTIFY.replacen('{', &format!("{{\"unused\":{},", json!(list)), 1);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("{kib} KiB"), |b| {
            b.iter(|| {
                let event = Event::parse(black_box(text.as_bytes())).ok()?;
                validated(&event, &trigger, &mapping, &schema)
            });
        });
    }
    group.finish();
}

/// A mapping with more fields costs proportionally more.
fn fields(criterion: &mut Criterion) {
    let parsed = Event::parse(IDENTIFY.as_bytes()).expect("the event is one");
    let mut group = criterion.benchmark_group("fields");
    for count in [50_u32, 100, 200, 400] {
        let members: Map<String, Value> = (0..count)
            .map(|index| {
                (
                    format!("field_{index}"),
                    json!({"@template": "{{traits.email}} {{traits.seats}}"}),
                )
            })
            .collect();
        let mapping = Mapping::compile(&Value::Object(members)).expect("the mapping is right");
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(count.to_string(), |b| {
            b.iter(|| mapping.resolve(black_box(&parsed)));
        });
    }
    group.finish();
}

fn liquid(criterion: &mut Criterion) {
    let parsed = Event::parse(IDENTIFY.as_bytes()).expect("the event is one");
    let text = "{% if traits.plan == \"enterprise\" %}{{ traits.first_name | upcase }} of {{ traits.company }}{% endif %}";
    let mapping = Mapping::compile(&json!({"x": {"@liquid": text}})).expect("the mapping is right");
    criterion.bench_function("liquid", |b| b.iter(|| mapping.resolve(black_box(&parsed))));
}

criterion_group!(benches, event, cores, ballast, fields, liquid);
criterion_main!(benches);
