//! What people ask a worker about a message that is on its way.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Origin, Worker};
use crate::closing::Closing;
use crate::report::name;
use crate::tracker::Facts;

/// Where a message stands, asked by its id.
#[derive(Debug)]
pub(crate) struct Question {
    /// The id the producer gave it.
    pub(crate) message_id: String,
    /// Where the answer goes; nobody may be waiting for it any more.
    pub(crate) answer: oneshot::Sender<Vec<Value>>,
}

/// Elements in one answer.
const MOST: usize = 100;

impl Worker {
    /// Finds the events of that id among those that are open. Their contents are not shown.
    pub(super) fn answer(&self, question: Question) {
        let id = question.message_id.as_bytes();
        let found = self.tracker.open_where(|facts| has_message_id(facts, id));
        let ids = self.intake.mapping_ids();
        let shown = found.into_iter().take(MOST).map(|(facts, waits_for)| {
            let at = &facts.context.message.at;
            let ended = facts.closed.iter().map(|closed| {
                json!({
                    "mapping": name(closed.mapping, ids),
                    "ending": closed.closing.as_str(),
                    "reason": closed.closing.reason(),
                })
            });
            let waiting = waits_for.iter().map(|mapping| name(Some(*mapping), ids));
            let dead = |closed: &crate::tracker::Closed| matches!(closed.closing, Closing::Dead(_));
            json!({
                "topic": at.topic.as_str(),
                "partition": at.partition.get(),
                "offset": at.offset.get(),
                "element": facts.position,
                "open": waiting.collect::<Vec<_>>(),
                "ended": ended.collect::<Vec<_>>(),
                "parking": waits_for.is_empty() && facts.closed.iter().any(dead),
            })
        });
        // Whoever asked may have gone.
        question.answer.send(shown.collect()).ok();
    }
}

/// Reads only what can be it: there may be thousands.
fn has_message_id(facts: &Facts<'_, Origin>, id: &[u8]) -> bool {
    let whole = facts.context.message.body.as_ref();
    let Some(body) = facts.body.or(whole) else {
        return false;
    };
    if id.is_empty() || !body.windows(id.len()).any(|part| part == id) {
        return false;
    }
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|event| Some(event.get("messageId")?.as_str()?.as_bytes() == id))
        .unwrap_or(false)
}
