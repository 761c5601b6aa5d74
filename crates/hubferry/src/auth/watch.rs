//! What a worker keeps an eye on beside its work: whether somebody has cut a connection, and whether its token may do what
//! the mappings need.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hubferry_hubspot::Client;
use hubferry_limiter::{Ask, Class, LimitName, Limiter};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::scopes::{self, Needs};
use crate::portals::Portal;
use crate::vault::{Cut, LOOK_EVERY};

/// The connections of a worker.
pub(crate) struct Watches(Vec<Watch>);

struct Watch {
    name: String,
    client: Arc<Client>,
    limiter: Limiter,
    cut: Option<Arc<Cut>>,
    needs: Vec<Needs>,
}

/// How long the question what the token may do waits for its turn: it is nobody's hurry.
const QUESTION_WAITS: Duration = Duration::from_secs(60);

impl Watches {
    /// Over these portals.
    pub(crate) fn of(portals: &[Portal]) -> Self {
        let watches = portals.iter().map(|portal| Watch {
            name: portal.name.clone(),
            client: Arc::clone(&portal.client),
            limiter: portal.limiter.clone(),
            cut: portal.cut.clone(),
            needs: portal.needs.clone(),
        });
        Self(watches.collect())
    }

    /// Without the comparison of scopes: a file that lacks one ends at its first call and names it.
    pub(crate) fn cuts_alone(mut self) -> Self {
        for watch in &mut self.0 {
            watch.needs.clear();
        }
        self
    }

    /// Watches as long as the worker works.
    pub(crate) async fn beside<T>(self, working: impl Future<Output = T>) -> T {
        let stop = CancellationToken::new();
        let worked = {
            let mut working = std::pin::pin!(working);
            let watching = join_all(self.0.iter().map(|watch| watch.run(&stop)));
            tokio::select! {
                // What was looked at can be looked at again.
                worked = &mut working => worked,
                // There was nothing to watch.
                _ = watching => working.await,
            }
        };
        for cut in self.0.iter().filter_map(|watch| watch.cut.as_ref()) {
            cut.leave().await;
        }
        worked
    }
}

impl Watch {
    async fn run(&self, stop: &CancellationToken) {
        let question = Box::pin(self.compare(stop));
        let looking = self.look();
        futures_util::future::join(question, looking).await;
    }

    async fn look(&self) {
        let Some(cut) = &self.cut else { return };
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let before = self.client.is_disconnected();
            if let Err(error) = cut.follow(&self.client).await {
                tracing::debug!(destination = self.name, %error, "could not look whether the connection is cut");
            }
            match (before, self.client.is_disconnected()) {
                (false, true) => {
                    tracing::warn!(
                        destination = self.name,
                        "the connection was cut by an operator: nothing is sent until `hubferry auth reconnect`"
                    );
                }
                (true, false) => tracing::info!(destination = self.name, "connected again"),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Says once which mappings lack scopes, before an event tells.
    async fn compare(&self, stop: &CancellationToken) {
        if self.needs.is_empty() || self.client.is_disconnected() {
            return;
        }
        let ask = Ask::new([LimitName::new("ten_seconds")], Class::Admin);
        let permit = tokio::time::timeout(QUESTION_WAITS, self.limiter.acquire(&ask, stop)).await;
        let Ok(Ok(_permit)) = permit else {
            return;
        };
        match scopes::compare(&self.client, &self.needs, stop).await {
            Ok(lacking) => {
                for lacks in lacking {
                    tracing::error!("{}", lacks.line());
                }
            }
            Err(error) => {
                tracing::debug!(destination = self.name, %error, "could not ask what the token may do");
            }
        }
    }
}
