//! A record on its way out, in the shape of the API.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::values::iso;

/// A record on its way out.
#[derive(Debug, Clone)]
pub(crate) struct RecordView {
    pub(crate) id: u64,
    pub(crate) properties: Vec<(Arc<str>, Option<String>)>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) archived: bool,
    /// Whether an upsert made it.
    pub(crate) new: Option<bool>,
    pub(crate) trace: Option<String>,
}

impl Serialize for RecordView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id.to_string())?;
        map.serialize_entry("properties", &Properties(&self.properties))?;
        map.serialize_entry("createdAt", &iso(self.created_ms))?;
        map.serialize_entry("updatedAt", &iso(self.updated_ms))?;
        map.serialize_entry("archived", &self.archived)?;
        if let Some(new) = self.new {
            map.serialize_entry("new", &new)?;
        }
        if let Some(trace) = &self.trace {
            map.serialize_entry("objectWriteTraceId", trace)?;
        }
        map.end()
    }
}

struct Properties<'a>(&'a [(Arc<str>, Option<String>)]);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}
