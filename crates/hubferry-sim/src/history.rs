//! What was written to each record, in order.

use std::collections::BTreeMap;

use serde::Serialize;

/// One write that reached a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Milliseconds since the simulator started.
    pub at_ms: u64,
    /// The number of the call, as in the log of calls.
    pub call: u64,
    /// The properties written, as stored; `""` for a cleared one.
    pub properties: BTreeMap<String, String>,
}

/// The writes of one record, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordHistory {
    /// The record's id.
    pub id: String,
    /// Its writes.
    pub writes: Vec<Write>,
}
