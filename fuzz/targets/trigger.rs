//! Triggers: a first line with the trigger, the rest is the event. Parsing is total; what parses evaluates.

#![no_main]

use hubferry_event::Event;
use hubferry_mapping::{Trigger, TriggerDialect};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let end = data
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(data.len());
    let Ok(text) = std::str::from_utf8(&data[..end]) else {
        return;
    };
    let rest = data.get(end + 1..).unwrap_or_default();
    let event = serde_json::from_slice::<Value>(rest).unwrap_or_else(
        |_| json!({"type": "track", "event": "X", "properties": {"a": 1, "b": [null, "c"]}}),
    );
    for dialect in [TriggerDialect::Reference, TriggerDialect::Fql] {
        if let Ok(trigger) = Trigger::parse(text, dialect) {
            let matched = trigger.matches(&event);
            assert_eq!(matched, trigger.matches(&event));
            let _ = trigger.explain(&event);
            if let Ok(read) = Event::parse(rest) {
                assert_eq!(trigger.matches(&read), trigger.matches(read.root()));
                assert_eq!(trigger.explain(&read), trigger.explain(read.root()));
            }
        }
    }
    let _ = Trigger::parse_checked(text);
});
