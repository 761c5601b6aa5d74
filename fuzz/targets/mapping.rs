//! Mappings: a first line with the mapping, the rest is the event. Compiling and resolving are total and repeatable.

#![no_main]

use hubferry_event::Event;
use hubferry_mapping::{Mapping, PathDialect};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let Ok(mapping) = serde_json::from_slice::<Value>(&data[..end]) else {
        return;
    };
    let Ok(event) = serde_json::from_slice::<Value>(&data[end + 1..]) else {
        return;
    };
    for dialect in [PathDialect::Reference, PathDialect::Extended] {
        let Ok(compiled) = Mapping::compile_with(&mapping, dialect) else {
            continue;
        };
        let before = event.clone();
        let first = compiled.resolve(&event).ok();
        assert_eq!(
            first,
            compiled.resolve(&event).ok(),
            "resolving twice gives two payloads"
        );
        assert_eq!(event, before);
        if let Ok(read) = Event::parse(&data[end + 1..]) {
            assert_eq!(
                compiled.resolve(&read),
                compiled.resolve(read.root()),
                "an event as it was read gives another payload than its value"
            );
        }
    }
});
