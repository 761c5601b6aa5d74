//! How much one event may cost.

use std::cell::Cell;

use hubferry_event::{Json, JsonKind};

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
pub(crate) fn weight<'a>(value: impl Into<Json<'a>>) -> usize {
    const CELL: usize = 32;
    let value = value.into();
    match value.kind() {
        JsonKind::Null | JsonKind::Bool => CELL,
        JsonKind::Number => CELL + value.as_number_text().map_or(0, str::len),
        JsonKind::String => CELL + value.as_str().map_or(0, str::len),
        JsonKind::Array => CELL + value.elements().map(weight).sum::<usize>(),
        JsonKind::Object => {
            let members = value
                .members()
                .map(|(key, value)| MEMBER + key.len() + weight(value));
            CELL + members.sum::<usize>()
        }
    }
}

/// How many bytes JavaScript's text of a value has at most, without making it.
pub(crate) fn text_bytes<'a>(value: impl Into<Json<'a>>) -> usize {
    let value = value.into();
    match value.kind() {
        JsonKind::Null | JsonKind::Bool => 5,
        JsonKind::Number => value
            .as_number_text()
            .map_or(24, |digits| digits.len().max(24)),
        JsonKind::String => value.as_str().map_or(0, str::len),
        JsonKind::Array => value.elements().map(|item| text_bytes(item) + 1).sum(),
        JsonKind::Object => 15,
    }
}
