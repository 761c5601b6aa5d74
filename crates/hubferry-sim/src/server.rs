//! The port: a thin HTTP layer over the portal, and the only place where time passes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, Request as HttpRequest, Response, StatusCode, header};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::answer::Answer;
use crate::faults::Effect;
use crate::portal::{Arrived, Portal, Request};
use crate::settings::SimSettings;

/// The largest request body read; HubSpot publishes no figure.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// How long a stop waits for calls in flight before it drops them.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A call of the setup was refused.
    #[error("could not set the portal up: {status} {body}")]
    SetUp {
        /// Status of the refusal.
        status: u16,
        /// Its body.
        body: String,
    },
}

/// A running simulator. Dropping it stops it without waiting; [`Simulator::stop`] waits for its tasks.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    portal: Arc<Portal>,
    stop: DropGuard,
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Listens and answers from now on.
    ///
    /// # Errors
    ///
    /// [`SimError::Listen`] when the address is taken or not ours, [`SimError::SetUp`] when the portal refuses a call of
    /// the setup.
    pub async fn start(settings: SimSettings) -> Result<Self, SimError> {
        let failed = |source| SimError::Listen {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let portal = Arc::new(Portal::new(settings, wall_clock_ms()));
        portal.set_up_first().map_err(|refused| SimError::SetUp {
            status: refused.status,
            body: String::from_utf8_lossy(&refused.body).into_owned(),
        })?;
        let stop = CancellationToken::new();
        let door = Door {
            portal: portal.clone(),
            opened: Instant::now(),
            stop: stop.clone(),
        };
        let router = Router::new().fallback(answer).with_state(door);
        let mut tasks = JoinSet::new();
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            let service = router.into_make_service_with_connect_info::<Cut>();
            let served = axum::serve(Cuttable(listener), service)
                .with_graceful_shutdown(stopped)
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "simulator stopped serving");
            }
        });
        Ok(Self {
            address,
            portal,
            stop: stop.drop_guard(),
            tasks,
        })
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS`, to be used in place of `https://api.hubapi.com`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The portal, for inspection.
    #[must_use]
    pub fn state(&self) -> Arc<Portal> {
        self.portal.clone()
    }

    /// Takes no more calls and ends. Artificial delays end at once, their calls with a broken connection.
    pub async fn stop(mut self) {
        drop(self.stop);
        let finished = tokio::time::timeout(STOP_GRACE, async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        if finished.is_err() {
            tracing::warn!("simulator dropped calls that were still in flight");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one reading of the wall clock; everything else counts from it"
)]
fn wall_clock_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What every call gets.
#[derive(Debug, Clone)]
struct Door {
    portal: Arc<Portal>,
    opened: Instant,
    stop: CancellationToken,
}

impl Door {
    fn now(&self) -> Duration {
        self.opened.elapsed()
    }
}

async fn answer(
    State(door): State<Door>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: HttpRequest<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return respond(Answer::empty(413));
    };
    let text = |name: HeaderName| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: text(header::AUTHORIZATION),
        body,
    };
    if request.path.starts_with("/sim/") {
        return respond(door.portal.inspected(&request, door.now()));
    }
    let mut pending = Pending {
        portal: &door.portal,
        arrived: door.portal.arrive(&request, door.now()),
        request: &request,
        performed: false,
    };
    tokio::select! {
        answer = simulated(&door, &mut pending) => match answer {
            Some(answer) => respond(answer),
            None => cut.cut().await,
        },
        // A stop ends artificial delays: nobody waits for an answer that only pretends to take long.
        () = door.stop.cancelled() => cut.cut().await,
    }
}

/// A call that was counted. Dropped before it was performed (the caller went away, a fault cut it, the simulator
/// stopped), it still reaches the log, so that log and limits agree.
struct Pending<'a> {
    portal: &'a Portal,
    request: &'a Request,
    arrived: Arrived,
    performed: bool,
}

impl Pending<'_> {
    fn perform(&mut self, now: Duration) -> Answer {
        self.performed = true;
        self.portal.perform(self.request, &self.arrived, now)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.performed {
            self.portal.cut_off(self.request, &self.arrived);
        }
    }
}

/// The call with all its delays; `None` when the connection shall be cut.
async fn simulated(door: &Door, pending: &mut Pending<'_>) -> Option<Answer> {
    let effects = pending.arrived.effects.clone();
    let half = door.portal.latency() / 2;
    let extra = effects
        .iter()
        .fold(Duration::ZERO, |sum, effect| match effect {
            Effect::LatencyMs(ms) => sum.saturating_add(Duration::from_millis(*ms)),
            _ => sum,
        });
    pause(half.saturating_add(extra)).await;
    if effects.contains(&Effect::Reset) {
        return None;
    }
    let answer = pending.perform(door.now());
    for effect in &effects {
        match effect {
            Effect::TimeoutAfterWriteMs(ms) => {
                pause(Duration::from_millis(*ms)).await;
                return None;
            }
            Effect::ResetAfterWrite => return None,
            _ => (),
        }
    }
    pause(half).await;
    Some(answer)
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type),
    );
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// A handle that breaks one connection.
#[derive(Debug, Clone)]
struct Cut(Arc<AtomicBool>);

impl Cut {
    /// Breaks the connection: the answer is never written, the socket closes.
    async fn cut(&self) -> Response<Body> {
        self.0.store(true, Ordering::Release);
        // The response makes the server write, and the write fails. Nothing of it reaches the caller.
        Response::new(Body::empty())
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        Self(stream.io().cut.clone())
    }
}

/// A listener whose connections can be broken from within a handler.
struct Cuttable(TcpListener);

impl Listener for Cuttable {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for the caller's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no delay could not be set");
        }
        (
            CuttableStream {
                stream,
                cut: Arc::default(),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

struct CuttableStream {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl CuttableStream {
    fn check(&self) -> io::Result<()> {
        match self.cut.load(Ordering::Acquire) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
