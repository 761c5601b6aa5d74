//! The contract of input events, row by row in the order in which it is written down. What a row says about triggers,
//! mappings, actions, offsets or dead letters is tested where those live.

use hubferry_event::{
    DEFAULT_ALIASES, Element, Event, EventTime, EventType, Format, IdentityKey, MalformedCode,
    Membership, ReadLimits, Reading, RowSync, parse_timestamp, read_message, synthetic_message_id,
};
use serde_json::{Value, json};

fn read(body: &[u8], format: Format) -> Vec<Element> {
    match read_message(Some(body), format, &ReadLimits::default()) {
        Reading::Elements(elements) => elements,
        Reading::Tombstone => Vec::new(),
    }
}

/// What one sees of each element: the event, or the code of its dead letter.
fn seen(body: &str, format: Format) -> Vec<Value> {
    read(body.as_bytes(), format)
        .iter()
        .map(|element| match &element.event {
            Ok(event) => event.root().clone(),
            Err(malformed) => json!(malformed.code.as_str()),
        })
        .collect()
}

fn event(json: &Value) -> Event {
    Event::parse(json.to_string().as_bytes()).expect("the test gives an event")
}

fn code(json: &Value) -> Option<MalformedCode> {
    Event::parse(json.to_string().as_bytes())
        .err()
        .map(|malformed| malformed.code)
}

fn aliases() -> Vec<String> {
    DEFAULT_ALIASES.map(str::to_owned).into()
}

#[test]
fn s1_what_arrives() {
    let (one, two) = (
        json!({"type": "track", "userId": "1"}),
        json!({"type": "page", "userId": "2"}),
    );
    // a: one object is one event.
    assert_eq!(seen(&one.to_string(), Format::Json)[0], one);
    // a: a `batch` that is no array does not make an envelope.
    let data = json!({"type": "track", "userId": "1", "batch": {"a": 1}});
    assert_eq!(seen(&data.to_string(), Format::Json), [data]);
    // b: an envelope.
    let envelope = json!({"batch": [one, two]}).to_string();
    assert_eq!(seen(&envelope, Format::Json), [one.clone(), two.clone()]);
    // c: an array, only when asked for, after any blanks.
    let array = format!(" \n{}", json!([one, two]));
    assert_eq!(seen(&array, Format::Array), [one.clone(), two.clone()]);
    assert_eq!(seen(&array, Format::Json), [json!("not_an_object")]);
    // d: lines, only when asked for.
    let lines = format!("{one}\n{two}\n");
    assert_eq!(seen(&lines, Format::Ndjson), [one, two]);
    assert_eq!(seen(&lines, Format::Json), [json!("parse_error")]);
}

#[test]
fn s1_an_event_is_seen_exactly_as_it_arrived() {
    for text in [
        r#"{"zzz":1,"type":"track","userId":" u ","traits":{"Email":" A@B.co ","empty":"","null":null},"Type":"x"}"#,
        r#"{"type":"identify","userId":42,"timestamp":"not a time","sentAt":5,"context":"none","traits":[1]}"#,
    ] {
        let event = Event::parse(text.as_bytes()).unwrap();
        assert_eq!(event.root().to_string(), text);
        assert_eq!(event.json().to_value().to_string(), text);
    }
}

#[test]
fn s1_numbers_survive_exactly() {
    for digits in [
        "9007199254740991",
        "-9007199254740991",
        "12345678901234567890",
        "0.1234567890123456789012345",
        "1e+400",
        "-0",
    ] {
        let text = format!(r#"{{"type":"track","userId":"u","properties":{{"n":{digits}}}}}"#);
        let event = Event::parse(text.as_bytes()).unwrap();
        let n = event.json().get("properties").and_then(|p| p.get("n"));
        assert_eq!(n.and_then(|n| n.as_number_text()), Some(digits));
        assert_eq!(event.root().to_string(), text);
    }
    // The exponent has one way to be written.
    for text in ["1e400", "1E400", "1E+400"] {
        let text = format!(r#"{{"type":"track","userId":"u","n":{text}}}"#);
        let event = Event::parse(text.as_bytes()).unwrap();
        let n = event.json().get("n");
        assert_eq!(n.and_then(|n| n.as_number_text()), Some("1e+400"));
    }
}

#[test]
fn s2_event_types() {
    let rows = [
        ("identify", EventType::Identify),
        ("group", EventType::Group),
        ("track", EventType::Track),
        ("page", EventType::Page),
        ("screen", EventType::Screen),
        ("alias", EventType::Alias),
        ("delete", EventType::Delete),
    ];
    for (name, kind) in rows {
        let event = event(&json!({"type": name, "userId": "u"}));
        assert_eq!((event.kind(), event.kind().as_str()), (kind, name));
    }
    assert_eq!(rows.map(|(_, kind)| kind), EventType::ALL);
}

#[test]
fn s2_h_an_unknown_type_is_a_dead_letter() {
    for kind in [
        json!("Track"),
        json!("TRACK"),
        json!(" track"),
        json!(""),
        json!("buy"),
        json!(5),
        json!(null),
    ] {
        let event = json!({"type": kind, "userId": "u"});
        assert_eq!(code(&event), Some(MalformedCode::TypeUnknown), "{event}");
    }
    assert_eq!(
        code(&json!({"userId": "u"})),
        Some(MalformedCode::TypeUnknown)
    );
}

#[test]
fn s2_names() {
    let all = |kind: &str| json!({"type": kind, "userId": "u", "event": "E", "name": "N", "category": "C"});
    for (kind, name) in [
        ("track", Some("E")),
        ("page", Some("N")),
        ("screen", Some("N")),
        ("identify", None),
        ("group", None),
        ("alias", None),
        ("delete", None),
    ] {
        assert_eq!(event(&all(kind)).name(), name, "{kind}");
    }
}

#[test]
fn s3_message_id() {
    let id = |id: Value| {
        let event = event(&json!({"type": "track", "userId": "u", "messageId": id}));
        event.message_id().map(str::to_owned)
    };
    assert_eq!(id(json!("m-1")).as_deref(), Some("m-1"));
    for none in [json!(""), json!(5), json!(null), json!({})] {
        assert_eq!(id(none), None);
    }
}

#[test]
fn s3_user_ids_may_be_numbers_and_stay_numbers() {
    let event = event(&json!({"type": "track", "userId": 42}));
    assert_eq!(event.root()["userId"], json!(42));
    assert!(*event.identity() == IdentityKey::User("42".into()));
}

#[test]
fn s3_h_an_event_belongs_to_somebody() {
    let with = |member: &str, value: Value| {
        let mut event = json!({"type": "track"});
        event[member] = value;
        event
    };
    for (somebody, key) in [
        (with("userId", json!("u")), IdentityKey::User("u".into())),
        (
            with("anonymousId", json!("a")),
            IdentityKey::Anonymous("a".into()),
        ),
        (
            with("traits", json!({"email": " A@B.co"})),
            IdentityKey::Email("a@b.co".into()),
        ),
        (
            with("properties", json!({"email": "A@B.co"})),
            IdentityKey::Email("a@b.co".into()),
        ),
        (
            with("context", json!({"traits": {"email": "a@b.co"}})),
            IdentityKey::Email("a@b.co".into()),
        ),
        (with("groupId", json!("g")), IdentityKey::Group("g".into())),
        (
            with("context", json!({"groupId": 7})),
            IdentityKey::Group("7".into()),
        ),
        (
            with("properties", json!({"__segment_id": "r"})),
            IdentityKey::Row("r".into()),
        ),
    ] {
        assert!(*event(&somebody).identity() == key, "{somebody}");
    }
    for nobody in [
        json!({"type": "track"}),
        with("userId", json!(null)),
        with("userId", json!(" ")),
        with("anonymousId", json!("")),
        with("traits", json!({"email": ""})),
        with("userId", json!(true)),
        with("previousId", json!("p")),
    ] {
        assert_eq!(code(&nobody), Some(MalformedCode::NoIdentity), "{nobody}");
    }
}

#[test]
fn s3_the_canonical_identity_is_the_first_present() {
    let mut everything = json!({
        "type": "group", "userId": "u", "anonymousId": "a", "traits": {"email": "t@b.co"},
        "properties": {"email": "p@b.co", "__segment_id": "r"}, "groupId": "g",
        "context": {"traits": {"email": "c@b.co"}, "groupId": "h"},
    });
    let expected = ["u", "a", "t@b.co", "p@b.co", "c@b.co", "g", "r"];
    let keys: Vec<String> = event(&everything)
        .identity_keys()
        .iter()
        .map(|key| key.expose().to_owned())
        .collect();
    assert_eq!(keys, expected);
    for (gone, next) in [
        ("userId", "a"),
        ("anonymousId", "t@b.co"),
        ("traits", "p@b.co"),
        ("properties", "c@b.co"),
    ] {
        everything[gone] = json!(null);
        assert_eq!(event(&everything).identity().expose(), next);
    }
    everything["context"]["traits"] = json!(null);
    assert_eq!(event(&everything).identity().expose(), "g");
    everything["groupId"] = json!(null);
    assert_eq!(event(&everything).identity().expose(), "h");
}

#[test]
fn s3_an_alias_carries_the_former_id_last() {
    let alias = event(&json!({"type": "alias", "previousId": "old", "userId": "new"}));
    let keys: Vec<&str> = alias
        .identity_keys()
        .iter()
        .map(IdentityKey::expose)
        .collect();
    assert_eq!(keys, ["new", "old"]);
}

#[test]
fn s3_the_time_is_the_timestamp_alone() {
    let times = json!({
        "type": "track", "userId": "u", "timestamp": "2026-01-02T03:04:05Z", "originalTimestamp": "2020-01-01T00:00:00Z",
        "sentAt": "2021-01-01T00:00:00Z", "receivedAt": "2022-01-01T00:00:00Z",
    });
    assert_eq!(
        event(&times).time(),
        Some(EventTime::from_millis(1_767_323_045_000))
    );
    for unreadable in [json!(null), json!("soon"), json!({})] {
        let mut event_json = times.clone();
        event_json["timestamp"] = unreadable;
        assert_eq!(event(&event_json).time(), None);
    }
}

#[test]
fn s3_unknown_members_are_kept_and_reachable() {
    let event = event(
        &json!({"type": "track", "userId": "u", "_metadata": {"a": [1]}, "writeKey": "k", "own thing": {"x": true}}),
    );
    let own = event.json().get("own thing").and_then(|own| own.get("x"));
    assert_eq!(own.and_then(|x| x.as_bool()), Some(true));
    let first = event
        .json()
        .get("_metadata")
        .and_then(|metadata| metadata.get("a"))
        .and_then(|list| list.element(0));
    assert_eq!(first.and_then(|one| one.as_number_text()), Some("1"));
}

#[test]
fn s4_audience_and_warehouse_events_are_events() {
    let audience = r#"{"type":"identify","userId":"u1","traits":{"email":"a@b.co","big_spenders":true},"context":{"personas":{"computation_class":"audience","computation_key":"big_spenders"}}}"#;
    let keys = Event::parse(audience.as_bytes()).unwrap();
    assert_eq!(keys.identity_keys().len(), 2);
    let row = r#"{"type":"track","event":"updated","messageId":"r-17","timestamp":"2026-01-02T03:04:05Z","properties":{"__segment_id":"42","EMAIL":"a@b.co","ARR_USD":1200.5,"RENEWS_ON":"2026-12-31"}}"#;
    let row = Event::parse(row.as_bytes()).unwrap();
    // Columns have no names of their own meaning: the row's id is its only key.
    assert_eq!(row.identity_keys().len(), 1);
    assert!(*row.identity() == IdentityKey::Row("42".into()));
    assert_eq!(row.name(), Some("updated"));
    let deleted =
        r#"{"type":"track","event":"deleted","properties":{"__segment_id":"42","EMAIL":null}}"#;
    assert!(Event::parse(deleted.as_bytes()).is_ok());
}

const BOTH: [Option<Membership>; 2] = [Some(Membership::Add), Some(Membership::Remove)];

/// What an audience event says, whatever the mapping's sync mode.
fn audience(json: &Value) -> Option<Membership> {
    let event = event(json);
    let said = Membership::of(&event, None);
    for sync in RowSync::ALL {
        assert_eq!(Membership::of(&event, Some(sync)), said, "{json}");
    }
    said
}

#[test]
fn s4_1_the_two_forms_of_an_audience_event() {
    for (is_in, said) in [true, false].into_iter().zip(BOTH) {
        let identify = json!({"type": "identify", "userId": "u1", "traits": {"email": "a@b.co", "big_spenders": is_in},
            "context": {"personas": {"computation_class": "audience", "computation_key": "big_spenders"}}});
        // The name says the opposite, and is not asked.
        let name = if is_in {
            "Audience Exited"
        } else {
            "Audience Entered"
        };
        let track = json!({"type": "track", "event": name, "userId": "u1",
            "properties": {"audience_key": "big_spenders", "big_spenders": is_in},
            "context": {"traits": {"email": "a@b.co"}, "personas": {"computation_class": "audience", "computation_key": "big_spenders"}}});
        assert_eq!([audience(&identify), audience(&track)], [said, said]);
    }
}

#[test]
fn s4_1_what_gives_a_membership_and_what_none() {
    let of = |kind: &str, class: Value, key: Value, holder: &str, value: Value| {
        json!({"type": kind, "userId": "u", "event": "E", holder: {"k": value, "a.b": true, "a": {"b": false}, "": true},
            "context": {"personas": {"computation_class": class, "computation_key": key}}})
    };
    let (yes, no) = (Some(Membership::Add), Some(Membership::Remove));
    let classes = [
        (json!("audience"), yes),
        (json!("journey_step"), yes),
        (json!("computed_trait"), None),
        (json!("Audience"), None),
        (json!(null), None),
    ];
    for (class, said) in classes {
        let event = of("identify", class, json!("k"), "traits", json!(true));
        assert_eq!(audience(&event), said, "{event}");
    }
    let journey = json!("journey_step");
    let step = of("track", journey, json!("k"), "properties", json!(true));
    assert_eq!(audience(&step), yes);

    // The key: a text that is not empty, used as it is.
    let keys = [
        (json!("k"), yes),
        (json!("a.b"), yes),
        (json!(""), None),
        (json!(5), None),
        (json!(null), None),
        (json!("other"), None),
    ];
    let class = || json!("audience");
    for (key, said) in keys {
        let event = of("identify", class(), key, "traits", json!(true));
        assert_eq!(audience(&event), said, "{event}");
    }

    // The value: a boolean and nothing else.
    let values = [
        (json!(true), yes),
        (json!(false), no),
        (json!("true"), None),
        (json!("false"), None),
        (json!(1), None),
        (json!(0), None),
        (json!(null), None),
        (json!([true]), None),
    ];
    for (value, said) in values {
        let event = of("identify", class(), json!("k"), "traits", value);
        assert_eq!(audience(&event), said, "{event}");
    }

    // The place: traits of an identify event, properties of a track event.
    let places = [
        ("identify", "traits", yes),
        ("track", "properties", yes),
        ("track", "traits", None),
        ("identify", "properties", None),
        ("group", "traits", None),
        ("page", "properties", None),
        ("screen", "properties", None),
        ("alias", "traits", None),
        ("delete", "traits", None),
    ];
    for (kind, holder, said) in places {
        let event = of(kind, class(), json!("k"), holder, json!(true));
        assert_eq!(audience(&event), said, "{event}");
    }

    // Without a context that says so there is no audience.
    for context in [json!(null), json!({}), json!({"personas": "k"})] {
        let event =
            json!({"type": "identify", "userId": "u", "traits": {"k": true}, "context": context});
        assert_eq!(audience(&event), None, "{event}");
    }
    let bare = json!({"type": "identify", "userId": "u", "traits": {"k": true}});
    assert_eq!(audience(&bare), None);
}

#[test]
fn s4_2_the_membership_of_a_row() {
    let (add, remove) = (Some(Membership::Add), Some(Membership::Remove));
    let rows = ["new", "updated", "deleted"];
    // One row per sync mode, one column per event.
    let table = [
        ("add", [add, None, None]),
        ("update", [None, add, None]),
        ("upsert", [add, add, None]),
        ("delete", [None, None, remove]),
        ("mirror", [add, add, remove]),
    ];
    assert_eq!(
        table.map(|(mode, _)| RowSync::parse(mode)),
        RowSync::ALL.map(Some)
    );
    let change = |kind: &str, name: &str| {
        let deleted = json!({"__segment_id": "42", "EMAIL": null});
        event(&json!({"type": kind, "event": name, "name": name, "properties": deleted}))
    };
    for (mode, expected) in table {
        let said = rows.map(|name| Membership::of(&change("track", name), RowSync::parse(mode)));
        assert_eq!(said, expected, "{mode}");
        // Exactly these names, of track events alone.
        for (kind, name) in [
            ("track", "New"),
            ("track", "removed"),
            ("track", ""),
            ("page", "new"),
            ("screen", "deleted"),
        ] {
            assert_eq!(
                Membership::of(&change(kind, name), RowSync::parse(mode)),
                None,
                "{mode} {name}"
            );
        }
    }
    // Without a sync mode a row says nothing; what is no mode is none.
    for name in rows {
        assert_eq!(Membership::of(&change("track", name), None), None);
    }
    for other in ["", "Add", "remove", "replace"] {
        assert_eq!(RowSync::parse(other), None);
    }
}

#[test]
fn s4_2_an_audience_wins_over_a_row() {
    let both = event(
        &json!({"type": "track", "event": "new", "properties": {"__segment_id": "42", "k": false},
        "context": {"personas": {"computation_class": "audience", "computation_key": "k"}}}),
    );
    for sync in RowSync::ALL {
        assert_eq!(Membership::of(&both, Some(sync)), Some(Membership::Remove));
    }
    // An audience event without its boolean is a row all the same.
    let no_boolean = event(
        &json!({"type": "track", "event": "new", "properties": {"__segment_id": "42", "k": "false"},
        "context": {"personas": {"computation_class": "audience", "computation_key": "k"}}}),
    );
    assert_eq!(
        Membership::of(&no_boolean, Some(RowSync::Add)),
        Some(Membership::Add)
    );
}

#[test]
fn s4_2_h_a_journey_step_without_a_boolean_is_no_add() {
    let step = event(
        &json!({"type": "track", "event": "Journey Step Entered", "userId": "u", "properties": {"k": null},
        "context": {"personas": {"computation_class": "journey_step", "computation_key": "k"}}}),
    );
    assert_eq!(Membership::of(&step, Some(RowSync::Mirror)), None);
}

#[test]
fn s5_integrations() {
    let rows = [
        (None, true),
        (Some(json!({})), true),
        (Some(json!({"All": true})), true),
        (Some(json!({"All": false})), false),
        (
            Some(json!({"All": false, "HubSpot Cloud Mode (Actions)": true})),
            true,
        ),
        (Some(json!({"HubSpot Cloud Mode (Actions)": false})), false),
        (Some(json!({"actions-hubspot-cloud": false})), false),
        (Some(json!({"HubSpot": false})), false),
        (Some(json!({"Mixpanel": false})), true),
        (Some(json!({"All": false, "HubSpot": {"option": 1}})), true),
        (Some(json!({"All": false, "HubSpot": {}})), true),
        (Some(json!("none")), true),
        (Some(json!([false])), true),
        (Some(json!(null)), true),
        (Some(json!(false)), true),
    ];
    for (integrations, expected) in rows {
        let mut json = json!({"type": "track", "userId": "u"});
        if let Some(integrations) = integrations {
            json["integrations"] = integrations;
        }
        assert_eq!(
            event(&json).integrations_allow(&aliases()),
            expected,
            "{json}"
        );
    }
}

#[test]
fn s6_1_elements_are_events_or_malformed_alone() {
    let good = json!({"type": "track", "userId": "1"});
    let text =
        json!({"batch": [5, good, null, [good], "s", {"type": "nope", "userId": "1"}, good]})
            .to_string();
    let none = json!("not_an_object");
    assert_eq!(
        seen(&text, Format::Json),
        [
            none.clone(),
            good.clone(),
            none.clone(),
            none.clone(),
            none,
            json!("type_unknown"),
            good
        ]
    );
    let positions: Vec<Option<u32>> = read(text.as_bytes(), Format::Json)
        .iter()
        .map(|element| element.position)
        .collect();
    assert_eq!(positions, (0..7).map(Some).collect::<Vec<_>>());
}

#[test]
fn s6_2_context_and_integrations_are_merged_one_level_deep() {
    let of = |envelope: Value, element: Value| -> Value {
        let mut whole = envelope;
        let mut element = element;
        element["type"] = json!("track");
        element["userId"] = json!("1");
        whole["batch"] = json!([element]);
        seen(&whole.to_string(), Format::Json).remove(0)
    };
    let page = of(
        json!({"context": {"ip": "1", "page": {"path": "/a"}}}),
        json!({"context": {"page": {"url": "u"}}}),
    );
    assert_eq!(page["context"], json!({"ip": "1", "page": {"url": "u"}}));
    let lacking = of(
        json!({"context": {"ip": "1"}, "integrations": {"All": false}}),
        json!({}),
    );
    assert_eq!(lacking["context"], json!({"ip": "1"}));
    assert_eq!(lacking["integrations"], json!({"All": false}));
    let own = of(
        json!({"integrations": {"All": false, "X": true}}),
        json!({"integrations": {"All": true}}),
    );
    assert_eq!(own["integrations"], json!({"All": true, "X": true}));
    let no_object = of(json!({"context": {"ip": "1"}}), json!({"context": "mine"}));
    assert_eq!(no_object["context"], json!("mine"));
}

#[test]
fn s6_3_times_and_key_are_copied_and_nothing_else() {
    let text = json!({
        "batch": [{"type": "track", "userId": "1"}, {"type": "track", "userId": "1", "sentAt": "own", "writeKey": null}],
        "sentAt": "S", "receivedAt": "R", "writeKey": "k", "messageId": "m", "timestamp": "T", "userId": "u", "traits": {"a": 1},
    });
    assert_eq!(
        seen(&text.to_string(), Format::Json),
        [
            json!({"type": "track", "userId": "1", "sentAt": "S", "receivedAt": "R", "writeKey": "k"}),
            json!({"type": "track", "userId": "1", "sentAt": "own", "receivedAt": "R", "writeKey": null}),
        ]
    );
}

#[test]
fn s6_4_an_empty_envelope_has_no_event() {
    assert!(seen(r#"{"batch":[]}"#, Format::Json).is_empty());
    assert!(matches!(
        read_message(Some(br#"{"batch":[]}"#), Format::Json, &ReadLimits::default()),
        Reading::Elements(elements) if elements.is_empty()
    ));
}

#[test]
fn s6_5_a_batch_in_an_element_is_data() {
    let nested =
        json!({"type": "track", "userId": "1", "batch": [{"type": "track", "userId": "2"}]});
    let text = json!({"batch": [nested]}).to_string();
    assert_eq!(seen(&text, Format::Json)[0], nested);
    assert_eq!(seen(&json!([nested]).to_string(), Format::Array), [nested]);
}

#[test]
fn s6_6_limits() {
    assert_eq!(
        ReadLimits::default(),
        ReadLimits {
            max_event_bytes: 1024 * 1024,
            max_batch_events: 10_000
        }
    );
    let large = "x".repeat(1024 * 1024);
    let text = format!(
        r#"{{"batch":[{{"type":"track","userId":"1","x":"{large}"}},{{"type":"track","userId":"2"}}]}}"#
    );
    assert_eq!(
        seen(&text, Format::Json),
        [json!("too_large"), json!({"type": "track", "userId": "2"})]
    );
    let plain = format!(r#"{{"type":"track","userId":"1","x":"{large}"}}"#);
    assert_eq!(seen(&plain, Format::Json), [json!("too_large")]);
    let many = vec![r#"{"type":"track","userId":"1"}"#; 10_001].join(",");
    assert_eq!(
        seen(&format!(r#"{{"batch":[{many}]}}"#), Format::Json),
        [json!("too_large")]
    );
}

#[test]
fn s7_malformed_input() {
    let bytes = |body: &[u8]| {
        let elements = read(body, Format::Json);
        let codes: Vec<&str> = elements
            .iter()
            .map(|e| {
                e.event
                    .as_ref()
                    .map_or_else(|m| m.code.as_str(), |_| "event")
            })
            .collect();
        codes.join(" ")
    };
    assert_eq!(
        bytes(b"{\"type\":\"track\",\"userId\":\"\xff\"}"),
        "parse_error"
    );
    assert_eq!(bytes(b"no json"), "parse_error");
    assert_eq!(bytes(br#"{"type":"track","userId":"1"} {}"#), "parse_error");
    for no_object in [
        "5",
        "\"s\"",
        "true",
        "null",
        "[]",
        r#"[{"type":"track","userId":"1"}]"#,
    ] {
        assert_eq!(bytes(no_object.as_bytes()), "not_an_object", "{no_object}");
    }
    for empty in [None, Some(&b""[..])] {
        assert!(matches!(
            read_message(empty, Format::Json, &ReadLimits::default()),
            Reading::Tombstone
        ));
    }
    let deep = |levels: usize| {
        // The event itself is a level.
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"type":"track","userId":"1","x":{open}{close}}}"#)
    };
    assert_eq!(bytes(deep(128).as_bytes()), "event");
    assert_eq!(bytes(deep(129).as_bytes()), "too_deep");
}

#[test]
fn s7_of_duplicate_keys_the_last_wins() {
    let text = r#"{"type":"page","userId":"1","type":"track","properties":{"a":1,"b":2,"a":3}}"#;
    let event = Event::parse(text.as_bytes()).unwrap();
    assert_eq!(event.kind(), EventType::Track);
    assert_eq!(
        event.root().to_string(),
        r#"{"type":"track","userId":"1","properties":{"a":3,"b":2}}"#
    );
}

#[test]
fn s7_members_that_are_no_objects_are_no_error() {
    for odd in [json!("s"), json!([1]), json!(null), json!(5), json!(true)] {
        let event = event(
            &json!({"type": "track", "userId": "u", "properties": odd, "traits": odd, "context": odd}),
        );
        for member in ["properties", "traits", "context"] {
            let member = event.json().get(member);
            assert!(member.and_then(|m| m.get("email")).is_none(), "{odd}");
        }
    }
}

#[test]
fn s7_h_lone_surrogates_are_replaced_and_counted_and_nul_passes() {
    let text = r#"{"type":"track","userId":"u","properties":{"a":"x\ud800y","b":"\udc00","c":"\ud83d\ude00","nul":"a\u0000b"}}"#;
    let event = Event::parse(text.as_bytes()).unwrap();
    assert_eq!(
        event.root()["properties"],
        json!({"a": "x\u{fffd}y", "b": "\u{fffd}", "c": "😀", "nul": "a\u{0}b"})
    );
    assert_eq!(event.replaced_escapes(), 2);
    let nul = Event::parse(br#"{"type":"track","userId":"u","a":"a\u0000b"}"#).unwrap();
    let a = nul.json().get("a").and_then(|a| a.as_str());
    assert_eq!((a, nul.replaced_escapes()), (Some("a\u{0}b"), 0));
}

#[test]
fn s9_an_event_without_an_id_gets_one_from_its_place() {
    let id = synthetic_message_id("customer-events", 3, 42, Some(7));
    assert_eq!(id.len(), 64);
    assert!(
        id.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    );
    assert_eq!(id, synthetic_message_id("customer-events", 3, 42, Some(7)));
    assert_ne!(id, synthetic_message_id("customer-events", 3, 42, Some(8)));
    assert_ne!(id, synthetic_message_id("customer-events", 3, 42, None));
}

#[test]
fn s10_time_values() {
    let rows = [
        (json!("2024-01-08T13:52:50.212Z"), Some(1_704_721_970_212)),
        (json!("2024-01-08T14:52:50+01:00"), Some(1_704_721_970_000)),
        // Without a zone it is UTC, a date alone is its midnight.
        (json!("2024-01-08T13:52:50"), Some(1_704_721_970_000)),
        (json!("2024-01-08"), Some(1_704_672_000_000)),
        (json!(1_704_721_970), Some(1_704_721_970_000)),
        (json!(1_704_721_970_212_i64), Some(1_704_721_970_212)),
        (json!("1704721970"), Some(1_704_721_970_000)),
        (json!("soon"), None),
        (json!("2024-02-31"), None),
        (json!(null), None),
        (json!(true), None),
        (json!({}), None),
    ];
    for (value, millis) in rows {
        assert_eq!(
            parse_timestamp(&value),
            millis.map(EventTime::from_millis),
            "{value}"
        );
    }
}
