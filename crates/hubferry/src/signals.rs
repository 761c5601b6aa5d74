//! SIGTERM and SIGINT, as something to wait for.

use crate::exit::Failure;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for an orderly stop.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    /// Takes over the signals of this process.
    ///
    /// # Errors
    ///
    /// When the system refuses the handlers.
    #[cfg(unix)]
    pub(crate) fn of_process() -> Result<Self, Failure> {
        let refused = |error| Failure::Outside(format!("could not listen to signals: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(refused)?,
            terminate: signal(SignalKind::terminate()).map_err(refused)?,
        })
    }

    /// Does what has to be done before the work begins; `None` when a signal came first. Nothing is consumed that early,
    /// so that dropping it half done loses nothing.
    pub(crate) async fn unless<T>(&mut self, preparing: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.next() => None,
            prepared = preparing => Some(prepared),
        }
    }

    /// Waits for the next signal. Cancelling loses none: a signal that came is kept for the next call.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Takes over Ctrl-C.
    ///
    /// # Errors
    ///
    /// Never on this system.
    #[cfg(not(unix))]
    pub(crate) fn of_process() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Waits for the next Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
