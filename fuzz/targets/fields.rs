//! Field schemas: any payload of any action is accepted or refused with reasons, and what was accepted is accepted again.

#![no_main]

use hubferry_actions::ActionSlug;
use hubferry_mapping::CleanOptions;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    let Some((pick, json)) = data.split_first() else {
        return;
    };
    let action = ActionSlug::ALL[usize::from(*pick) % ActionSlug::ALL.len()];
    let Ok(payload) = serde_json::from_slice::<Map<String, Value>>(json) else {
        return;
    };
    let options = CleanOptions {
        drop_invalid: pick & 0x80 != 0,
        ..CleanOptions::default()
    };
    match action.schema().validate(payload, &options) {
        Ok(valid) => {
            let again = action.schema().validate(valid.payload.clone(), &options);
            assert!(
                again.is_ok(),
                "an accepted payload is refused the second time"
            );
        }
        Err(violations) => assert!(!violations.is_empty()),
    }
});
