//! Reading messages: whatever a producer writes becomes events or says what is wrong; nothing panics or grows without bound.

#![no_main]

use hubferry_event::{
    DEFAULT_ALIASES, Event, Format, ReadLimits, Reading, parse_json, read_message,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let limits = ReadLimits {
        max_event_bytes: 64 * 1024,
        max_batch_events: 100,
    };
    let aliases = DEFAULT_ALIASES.map(str::to_owned);
    for format in [Format::Json, Format::Array, Format::Ndjson] {
        let Reading::Elements(elements) = read_message(Some(body), format, &limits) else {
            continue;
        };
        for element in elements {
            match element.event {
                Ok(event) => {
                    assert!(
                        !event.identity_keys().is_empty(),
                        "an event without identity was let through"
                    );
                    assert!(event.root().is_object());
                    let _ = (
                        event.time(),
                        event.name(),
                        event.message_id(),
                        event.integrations_allow(&aliases),
                    );
                }
                Err(malformed) => assert!(!malformed.to_string().is_empty()),
            }
        }
    }
    // What is read piece by piece is what reading it whole gives.
    if let Ok(event) = Event::parse(body) {
        let whole = parse_json(body).map(|value| value.to_string());
        assert_eq!(Ok(event.json().to_value().to_string()), whole);
        for (key, member) in event.json().members() {
            assert_eq!(Some(member.value()), event.root().get(key));
        }
    }
});
