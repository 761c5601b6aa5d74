//! A waiting link as it stands in Redis: JSON with a version.

use std::sync::Arc;

use hubferry_actions::{AssociationType, ObjectType, RecordId};
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::link::{Link, LinkId, LinkOrigin};

/// A link as it stands in Redis.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredLink {
    v: u8,
    id: String,
    mapping: String,
    from_object: String,
    from: String,
    category: String,
    type_id: u32,
    since_ms: i64,
    expires_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<StoredOrigin>,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    element: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
}

impl StoredLink {
    pub(crate) fn write(link: &Link) -> Result<String, MemoryError> {
        let stored = Self {
            v: 1,
            id: link.id.as_str().to_owned(),
            mapping: link.mapping.clone(),
            from_object: link.from_object.as_str().to_owned(),
            from: link.from.as_str().to_owned(),
            category: link.kind.category.as_ref().to_owned(),
            type_id: link.kind.type_id,
            since_ms: link.since_ms,
            expires_ms: link.expires_ms,
            origin: link.origin.as_ref().map(|origin| StoredOrigin {
                topic: origin.topic.clone(),
                partition: origin.partition,
                offset: origin.offset,
                element: origin.element,
                message_id: origin.message_id.clone(),
            }),
        };
        serde_json::to_string(&stored).map_err(MemoryError::Unwritable)
    }

    /// `None` for a link of another version: a worker of that version will see to it.
    pub(crate) fn read(body: &str) -> Option<Link> {
        let stored = match serde_json::from_str::<Self>(body) {
            Ok(stored) if stored.v == 1 => stored,
            Ok(_) | Err(_) => {
                tracing::warn!("a waiting link is of a version this build cannot read");
                return None;
            }
        };
        Some(Link {
            id: LinkId::from_stored(&stored.id),
            mapping: stored.mapping,
            from_object: ObjectType::new(&stored.from_object),
            from: RecordId::new(&stored.from),
            kind: AssociationType {
                category: Arc::from(stored.category),
                type_id: stored.type_id,
            },
            since_ms: stored.since_ms,
            expires_ms: stored.expires_ms,
            origin: stored.origin.map(|origin| LinkOrigin {
                topic: origin.topic,
                partition: origin.partition,
                offset: origin.offset,
                element: origin.element,
                message_id: origin.message_id,
            }),
        })
    }
}
