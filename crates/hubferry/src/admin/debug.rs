//! `/debug/*`: how things stand, as JSON for people, and what is logged.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Seen;
use crate::limits;
use crate::log;
use crate::worker::Question;

pub(super) fn router() -> Router<Arc<Seen>> {
    Router::new()
        .route("/debug/lanes", get(lanes))
        .route("/debug/limiter", get(limiter))
        .route("/debug/plan", get(plan))
        .route("/debug/log", put(change_log))
}

/// What is open: by portal and by partition.
async fn lanes(State(seen): State<Arc<Seen>>) -> Json<Value> {
    let board = seen.board.borrow().clone();
    let portals = seen.portals.portals.iter().map(|portal| {
        let books = portal.stats.snapshot();
        let holds = books.holds.iter().map(|hold| {
            json!({ "mapping": hold.mapping, "reason": hold.reason, "message": hold.message })
        });
        json!({
            "portal": portal.name,
            "open_events": books.open_events,
            "open_steps": books.open_steps,
            "calls_in_flight": books.calls_in_flight,
            "holds": holds.collect::<Vec<_>>(),
        })
    });
    let partitions = board.lags.iter().map(|((topic, partition), lag)| {
        json!({
            "topic": topic.as_str(),
            "partition": partition.get(),
            "lag_messages": lag.messages,
            "lag_seconds": lag.behind.as_secs(),
            "span_messages": lag.span_messages,
        })
    });
    let braked = board.braked.iter();
    let braked = braked.filter_map(|index| seen.ids.get(usize::try_from(index.0).ok()?));
    Json(json!({
        "ready": board.ready,
        "open_messages": board.open_messages,
        "open_bytes": board.open_bytes,
        "portals": portals.collect::<Vec<_>>(),
        "partitions": partitions.collect::<Vec<_>>(),
        "paused": board.paused,
        "braked": braked.collect::<Vec<_>>(),
    }))
}

/// The limits as the store sees them.
async fn limiter(State(seen): State<Arc<Seen>>) -> Json<Value> {
    let mut shown = Vec::new();
    for portal in &seen.portals.portals {
        let mut state = match portal.limiter.inspect().await {
            Ok(view) => limits::view_json(&view),
            Err(error) => json!({ "error": error.to_string() }),
        };
        state["portal"] = json!(portal.name);
        state["alone"] = json!(portal.limiter.is_alone());
        shown.push(state);
    }
    Json(json!(shown))
}

#[derive(Deserialize)]
struct Wanted {
    message_id: String,
}

/// How long a busy worker has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a message stands that is on its way here.
async fn plan(State(seen): State<Arc<Seen>>, Query(wanted): Query<Wanted>) -> Response {
    let (answer, answered) = oneshot::channel();
    let question = Question {
        message_id: wanted.message_id,
        answer,
    };
    if seen.questions.try_send(question).is_err() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the worker is busy or stopping\n",
        )
            .into_response();
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(found)) => Json(json!({ "open": found })).into_response(),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the worker did not answer\n",
        )
            .into_response(),
    }
}

/// The body is a filter as in `HUBFERRY_LOG`.
async fn change_log(filter: String) -> Response {
    match log::change(filter.trim()) {
        Ok(()) => {
            tracing::warn!(filter = filter.trim(), "what is logged was changed");
            (StatusCode::OK, "changed\n").into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
