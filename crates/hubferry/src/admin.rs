//! The admin endpoint: `/healthz`, `/readyz`, `/metrics` and `/debug/*`.

mod debug;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Admin;
use crate::exit::Failure;
use crate::metrics::{self, Distributions};
use crate::run::Watched;
use crate::worker::{Board, Question};

/// What the endpoint can see.
pub(crate) struct Seen {
    pub(crate) board: watch::Receiver<Board>,
    pub(crate) portals: Watched,
    pub(crate) ids: Vec<String>,
    pub(crate) config_hash: String,
    pub(crate) distributions: Distributions,
    pub(crate) questions: mpsc::Sender<Question>,
}

/// A running endpoint.
pub(crate) struct Running {
    /// Where it listens: the port that was found when none was given.
    pub(crate) address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Running {
    /// Waits until the last answer is out.
    pub(crate) async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts listening; ends when `closing` is cancelled.
///
/// # Errors
///
/// When the address is taken.
pub(crate) async fn start(
    settings: &Admin,
    seen: Seen,
    closing: CancellationToken,
) -> Result<Running, Failure> {
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        Failure::Outside(format!(
            "could not listen on {} for the admin endpoint: {error}; check admin.listen",
            settings.listen
        ))
    })?;
    let address = listener.local_addr().unwrap_or(settings.listen);
    let router = router(Arc::new(seen), settings.token.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(closing.cancelled_owned())
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin endpoint ended");
        }
    });
    Ok(Running { address, tasks })
}

fn router(seen: Arc<Seen>, token: Option<String>) -> Router {
    // Probes come from the kubelet, which has no token; they say nothing that needs one.
    let guarded = Router::new()
        .route("/metrics", get(show_metrics))
        .merge(debug::router())
        .layer(middleware::from_fn_with_state(
            Arc::new(token),
            only_with_token,
        ));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .with_state(seen)
}

async fn ready(State(seen): State<Arc<Seen>>) -> Response {
    let ready = seen.board.borrow().ready;
    let held: Vec<String> = seen
        .portals
        .portals
        .iter()
        .flat_map(|portal| {
            portal.stats.snapshot().holds.into_iter().map(|hold| {
                let who = hold.mapping.unwrap_or_else(|| portal.name.clone());
                format!("{who} is deliberately paused ({})\n", hold.reason)
            })
        })
        .collect();
    if ready {
        (StatusCode::OK, format!("ready\n{}", held.concat())).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response()
    }
}

async fn show_metrics(State(seen): State<Arc<Seen>>) -> Response {
    match metrics::text(&seen).await {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn only_with_token(
    State(token): State<Arc<Option<String>>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let allowed = match token.as_ref() {
        None => true,
        Some(token) => headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|given| same(given, token)),
    };
    if allowed {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, "a bearer token is required\n").into_response()
    }
}

/// Compares hashes, so that the time it takes says nothing about the token.
fn same(given: &str, token: &str) -> bool {
    Sha256::digest(given) == Sha256::digest(token)
}
