//! What an endpoint gets to see of a call, and what its bearer may do.

use std::cell::Cell;
use std::sync::MutexGuard;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::access::{self, Bearer};
use crate::answer::Refusal;
use crate::inputs::WrittenProperties;
use crate::objects::ObjectType;
use crate::portal::Portal;
use crate::properties::{PropertyBook, PropertyKey};
use crate::records::Stamp;
use crate::settings::SimSettings;
use crate::state::State;

/// What an endpoint gets to see.
pub(crate) struct Visit<'a> {
    pub(crate) portal: &'a Portal,
    pub(crate) settings: &'a SimSettings,
    pub(crate) stamp: Stamp,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) bearer: &'a Bearer,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) inputs: Cell<usize>,
}

/// What is done with a sensitive value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Write,
}

impl<'a> Visit<'a> {
    pub(crate) fn state(&self) -> MutexGuard<'a, State> {
        let mut state = self.portal.lock();
        state.graph.clock = self.stamp;
        state
    }

    /// From when on something made now is known to writes: at once during a setup, else after a delay.
    pub(crate) fn visible_after(&self, delay: Duration) -> Duration {
        match self.stamp.call {
            0 => self.stamp.since,
            _ => self.stamp.since.saturating_add(delay),
        }
    }

    /// Whether this version holds record writes against the rules of the account.
    pub(crate) fn strict(&self) -> bool {
        self.path.contains("/2026-09/")
    }

    /// Values of a class other than `non_sensitive` need a scope of their own.
    pub(crate) fn may_touch(
        &self,
        object: ObjectType,
        class: Option<&str>,
        touch: Touch,
    ) -> Result<(), Refusal> {
        let Some(class) = class.filter(|class| *class != "non_sensitive") else {
            return Ok(());
        };
        let verb = match touch {
            Touch::Read => "read",
            Touch::Write => "write",
        };
        let scope = format!("crm.objects.{}.{class}.{verb}", object.scope());
        // The specification spells them with a version.
        let needed = [scope.clone(), format!("{scope}.v2")];
        match self.bearer.has_any(&needed) {
            true => Ok(()),
            false => Err(access::missing_scopes(&[scope])),
        }
    }

    /// Whether all of these values may be written.
    pub(crate) fn may_write(
        &self,
        book: &PropertyBook,
        properties: &WrittenProperties,
    ) -> Result<(), Refusal> {
        if self.bearer.scopes.is_none() {
            return Ok(());
        }
        let found = properties.iter().filter_map(|(name, _)| book.find(name));
        let class = book.sensitive(found.map(|(key, _)| key));
        self.may_touch(book.object, class, Touch::Write)
    }

    /// Those of the properties whose values the caller may see.
    pub(crate) fn readable(
        &self,
        book: &PropertyBook,
        mut keys: Vec<PropertyKey>,
    ) -> Vec<PropertyKey> {
        if self.bearer.scopes.is_some() {
            keys.retain(|key| {
                let class = book.get(*key).sensitivity.as_str();
                self.may_touch(book.object, Some(class), Touch::Read)
                    .is_ok()
            });
        }
        keys
    }

    /// The body as JSON of a shape.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::validation(
                "Invalid JSON input: a request body was expected, but none found",
            ));
        }
        serde_json::from_slice(self.body).map_err(|error| Refusal::bad_json(&error))
    }

    /// The body as it is.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    /// Notes how many inputs a batch carried, for the log.
    pub(crate) fn carried(&self, inputs: usize) {
        self.inputs.set(inputs);
    }
}
