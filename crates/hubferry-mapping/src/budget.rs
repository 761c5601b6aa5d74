//! How much one event may cost.

use std::cell::Cell;

use serde_json::Value;

use crate::fault::ResolveError;

/// How many steps one mapping may take for one event: parts of the mapping that are evaluated, and members, elements and
/// characters that directives spread.
pub const MAX_RESOLVE_STEPS: usize = 500_000;

/// How many bytes one mapping may make for one event, roughly as they lie in memory. A copied event counts several times
/// its JSON text.
pub const MAX_RESOLVE_BYTES: usize = 64 * 1024 * 1024;

/// What has been spent for one event. Work is counted before it is done, so that the same event always ends alike.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    steps: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    pub(crate) fn step(&self, steps: usize) -> Result<(), ResolveError> {
        let spent = self.steps.get().saturating_add(steps);
        self.steps.set(spent);
        if spent > MAX_RESOLVE_STEPS {
            return Err(ResolveError::TooManySteps);
        }
        Ok(())
    }

    pub(crate) fn make(&self, bytes: usize) -> Result<(), ResolveError> {
        let spent = self.bytes.get().saturating_add(bytes);
        self.bytes.set(spent);
        if spent > MAX_RESOLVE_BYTES {
            return Err(ResolveError::TooManyBytes);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn spent(&self) -> (usize, usize) {
        (self.steps.get(), self.bytes.get())
    }
}

/// What a member of an object takes beside its key's bytes and its value: the key, its hash, its place in the index.
pub(crate) const MEMBER: usize = 64;

/// Roughly the bytes that a copy of the value takes in memory.
pub(crate) fn weight(value: &Value) -> usize {
    const CELL: usize = 32;
    match value {
        Value::Null | Value::Bool(_) => CELL,
        Value::Number(number) => CELL + number.as_str().len(),
        Value::String(text) => CELL + text.len(),
        Value::Array(items) => CELL + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| MEMBER + key.len() + weight(value));
            CELL + members.sum::<usize>()
        }
    }
}

/// How many bytes JavaScript's text of a value has at most, without making it.
pub(crate) fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len().max(24),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| text_bytes(item) + 1).sum(),
        Value::Object(_) => 15,
    }
}
