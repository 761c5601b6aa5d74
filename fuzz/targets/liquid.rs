//! Liquid: a first line with the template, the rest is the event. Rendering ends within its budget and never panics.

#![no_main]

use hubferry_mapping::Mapping;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let end = data
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(data.len());
    let Ok(template) = std::str::from_utf8(&data[..end]) else {
        return;
    };
    let rest = data.get(end + 1..).unwrap_or_default();
    let event = serde_json::from_slice::<Value>(rest)
        .unwrap_or_else(|_| json!({"s": "x", "n": null, "i": 7, "f": 0.5, "l": [1, "two", {"three": 3}], "o": {"k": "v"}}));
    let Ok(mapping) = Mapping::compile(&json!({"x": {"@liquid": template}})) else {
        return;
    };
    let first = mapping.resolve(&event).ok();
    assert_eq!(
        first,
        mapping.resolve(&event).ok(),
        "rendering twice gives two texts"
    );
});
