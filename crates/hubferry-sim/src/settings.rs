//! What a simulator is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use crate::faults::Faults;
use crate::setup::{self, SetupCall};
use crate::switches::Switches;

/// How the simulated portal behaves. The default is a Free/Starter account with a private app on a free loopback
/// port: 100 calls in any 10 s, 5 searches per second, no artificial delay, any token accepted.
#[derive(Debug, Clone)]
pub struct SimSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Seed of record ids, result order, delays and probabilities.
    pub seed: u64,
    /// Calls allowed in any rolling 10 s.
    pub ten_seconds: u32,
    /// Searches allowed in any rolling second.
    pub search_per_second: u32,
    /// Association batch and label calls allowed in any rolling 10 s.
    pub associations_ten_seconds: u32,
    /// Event sends allowed in any rolling second.
    pub events_per_second: u32,
    /// Calls allowed per day of the account.
    pub daily: u32,
    /// Random delay before an answer: one half passes before the call takes effect, the other after it.
    pub latency: Range<Duration>,
    /// The portal's id, as messages and links name it.
    pub portal_id: u64,
    /// Accepted bearer tokens. When empty and `oauth` is absent, any token that is not empty is accepted.
    pub tokens: Vec<TokenSpec>,
    /// An OAuth app whose access tokens are accepted until they expire.
    pub oauth: Option<OAuthApp>,
    /// Whether successful batch results carry their `objectWriteTraceId` (the specification allows it, recordings do not).
    pub echo_trace_ids: bool,
    /// Whether an upsert by `email` may end in a 207. When false one bad input refuses the whole batch, trace ids or not.
    pub email_upsert_partial: bool,
    /// Whether batch results come back in an order of their own.
    pub shuffle: bool,
    /// How long a new property stays unknown to record writes.
    pub property_delay: Duration,
    /// How long a new record stays invisible to searches.
    pub search_lag: Duration,
    /// Faults from the first call on.
    pub faults: Faults,
    /// Whether rate limits refuse calls. When false they only count.
    pub limits_on: bool,
    /// Whether every write is kept per record. Costs memory for each write.
    pub history: bool,
    /// Behaviour that can be changed while the simulator runs.
    pub switches: Switches,
    /// Calls made to the portal before anybody else can.
    pub setup: Vec<SetupCall>,
}

impl SimSettings {
    /// An enterprise portal to try things on: an object type `p{portal_id}_pets` with the unique property `pet_id`;
    /// deals with a second pipeline; `external_id`, unique, on deals, tickets and companies; the contact properties
    /// `national_id` (sensitive) and `diagnosis` (highly sensitive); the labels "Decision maker" (inverse "Decided by")
    /// and "Billing contact" between contacts and companies; the events `order_completed` and `page_viewed`; the lists
    /// "Newsletter", "Key accounts" (manual), "Trial 2026" (snapshot) and "Active customers" (dynamic).
    #[must_use]
    pub fn sample() -> Self {
        Self {
            setup: setup::sample(),
            ..Self::default()
        }
    }
}

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            ten_seconds: 100,
            search_per_second: 5,
            associations_ten_seconds: 100,
            events_per_second: 1_250,
            daily: 250_000,
            latency: Duration::ZERO..Duration::ZERO,
            portal_id: 891_936_587,
            tokens: Vec::new(),
            oauth: None,
            echo_trace_ids: false,
            email_upsert_partial: true,
            shuffle: true,
            property_delay: Duration::ZERO,
            search_lag: Duration::ZERO,
            faults: Faults::default(),
            limits_on: true,
            history: true,
            switches: Switches::default(),
            setup: Vec::new(),
        }
    }
}

/// A bearer token the portal accepts.
#[derive(Clone)]
pub struct TokenSpec {
    /// The token as it stands after `Bearer `.
    pub token: String,
    /// The scopes it was granted; empty means all.
    pub scopes: Vec<String>,
}

impl fmt::Debug for TokenSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSpec")
            .field("token", &"***")
            .field("scopes", &self.scopes)
            .finish()
    }
}

/// An OAuth app installed in the portal.
#[derive(Clone)]
pub struct OAuthApp {
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret.
    pub client_secret: String,
    /// Refresh tokens that work; they rotate only when a switch says so.
    pub refresh_tokens: Vec<String>,
    /// Authorization codes that can be exchanged, once each, for the first refresh token.
    pub codes: Vec<String>,
    /// Scopes granted at installation; empty means all.
    pub scopes: Vec<String>,
    /// Life of an access token; HubSpot's is 30 minutes.
    pub token_life: Duration,
}

impl fmt::Debug for OAuthApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthApp")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .field("token_life", &self.token_life)
            .finish_non_exhaustive()
    }
}
