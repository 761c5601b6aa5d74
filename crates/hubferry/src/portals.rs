//! Opens what the configuration names: Redis, and per destination client, limiter and memory.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Pool, Runtime};
use hubferry_delivery::{SchedulerSettings, Stats};
use hubferry_hubspot::{AccountInfo, Client, ClientSettings, ProbeError};
use hubferry_limiter::{
    Ask, Class, DayLimit, LimitName, LimitSettings, Limiter, LimiterOptions, OnLoss, Scope,
    Tickets, Zone,
};
use hubferry_memory::{LocalLimits, Memory, keep_portal, known_portal};
use tokio_util::sync::CancellationToken;

use crate::auth::scopes::{self, Needs};
use crate::config::{Configuration, Delivery, Destination, LimiterShape, OnRedisLoss, Redis};
use crate::exit::Failure;
use crate::vault::{self, Cut, Keys};

/// One enabled destination, ready to be worked for.
pub(crate) struct Portal {
    pub(crate) name: String,
    pub(crate) client: Arc<Client>,
    pub(crate) limiter: Limiter,
    pub(crate) memory: Arc<Memory>,
    pub(crate) stats: Arc<Stats>,
    /// Calls in ten seconds.
    pub(crate) limit: NonZeroU32,
    /// Whether somebody has cut the connection; where there is a Redis to say it.
    pub(crate) cut: Option<Arc<Cut>>,
    /// The scopes its mappings need.
    pub(crate) needs: Vec<Needs>,
}

/// Whether HubSpot is asked before the first event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Probe {
    /// It has to say who the token belongs to.
    First,
    /// It has to be there and must not refuse the token. What else it answers does not matter: a stand-in may know
    /// nothing of accounts.
    Reachable,
}

/// How long everything outside has to answer at the start.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(5);

/// Opens all enabled destinations.
///
/// # Errors
///
/// A client cannot be made, a limit is unsound, or HubSpot refuses the token.
pub(crate) async fn open(
    configuration: &Configuration,
    redis: Option<&Pool>,
    probe: Probe,
) -> Result<Vec<Portal>, Failure> {
    let mut limiters = BTreeMap::new();
    let mut portals = Vec::new();
    for destination in configuration.destinations.iter().filter(|one| one.enabled) {
        let Connected { client, cut, .. } = connect(configuration, destination, redis).await?;
        let shared = redis.zip(configuration.redis.as_ref());
        let expected = match (destination.hubspot.portal_id, shared) {
            (Some(id), _) => Some(id),
            (None, Some((pool, redis))) => remembered(destination, pool, redis).await?,
            (None, None) => None,
        };
        // The question who the token belongs to is a call like any other. Only a portal that no worker has met before is
        // asked without a permit: its limiter has granted nothing yet.
        if let (Some(id), Some(_)) = (expected, shared)
            && !client.is_disconnected()
        {
            let scope = scope_of(destination, &id.to_string());
            permitted(&limiter(
                destination,
                &configuration.limiter,
                &scope,
                shared,
            )?)
            .await;
        }
        let account = match (client.is_disconnected(), probe) {
            (true, _) => Account {
                portal_id: Some(expected.ok_or_else(|| was_cut(destination))?),
                time_zone: None,
            },
            (false, Probe::First) => account(destination, &client, expected).await?,
            (false, Probe::Reachable) => greet(destination, &client).await?,
        };
        let portal_id = account.portal_id;
        let portal = portal_id.map_or_else(|| destination.name.clone(), |id| id.to_string());
        let scope = scope_of(destination, &portal);
        // Two destinations of one portal and app share its limit, as HubSpot counts it.
        let limiter = match limiters.get(&scope) {
            Some(limiter) => Limiter::clone(limiter),
            None => {
                let day = Some(day(destination, account.time_zone.as_deref()));
                let made = limiter_with(destination, &configuration.limiter, &scope, shared, day)?;
                limiters.insert(scope, made.clone());
                made
            }
        };
        // A fleet's limiter that is new takes its window for spent; a process of its own has to count what it just asked.
        match shared {
            Some((_, redis)) => refuse_eviction(&limiter, redis).await?,
            None => permitted(&limiter).await,
        }
        if let (Some(id), Some((pool, redis))) = (portal_id, shared)
            && let Err(error) =
                keep_portal(pool, &redis.prefix, &vault::credential(destination), id).await
        {
            tracing::warn!(%error, "could not remember which portal the token belongs to");
        }
        let memory = match redis.zip(configuration.redis.as_ref()) {
            Some((pool, redis)) => Memory::redis(pool.clone(), &redis.prefix, &portal),
            None => Memory::local(LocalLimits::default()),
        };
        portals.push(Portal {
            name: destination.name.clone(),
            client: Arc::new(client),
            limiter,
            memory: Arc::new(memory),
            stats: Arc::new(Stats::default()),
            limit: destination.hubspot.limits.ten_seconds,
            cut: cut.map(Arc::new),
            needs: scopes::needs(destination),
        });
    }
    Ok(portals)
}

/// How the schedulers weigh and wait.
pub(crate) fn scheduler_settings(delivery: &Delivery, seed: u64) -> SchedulerSettings {
    SchedulerSettings {
        linger: delivery.linger,
        max_age: delivery.max_age,
        schema: true,
        seed,
        ..SchedulerSettings::default()
    }
}

/// A client, and the switch that cuts its connection where a fleet shares one.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) cut: Option<Cut>,
    /// Since when the connection is cut, in milliseconds since 1970.
    pub(crate) cut_since: Option<i64>,
}

/// A client for one destination, with the grant that the fleet shares. It sends nothing when somebody has cut the
/// connection.
///
/// # Errors
///
/// When it cannot be made, for want of CA certificates above all, or Redis does not answer.
pub(crate) async fn connect(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
) -> Result<Connected, Failure> {
    let settings = ClientSettings {
        tokens: vault::store(configuration, destination, pool).await?,
        ..client_settings(destination)
    };
    let client = Client::new(settings).map_err(|error| outside(destination, &error.to_string()))?;
    let cut = cut(configuration, destination, pool);
    let state = match &cut {
        Some(cut) => cut.state().await,
        None => Ok(None),
    };
    let state = state.map_err(|error| outside(destination, &error.to_string()))?;
    if state.is_some() {
        client.disconnect();
    }
    Ok(Connected {
        client,
        cut,
        cut_since: state.map(|state| state.since_ms),
    })
}

/// The switch that cuts the connection of a destination for the whole fleet.
pub(crate) fn cut(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
) -> Option<Cut> {
    let (pool, redis) = pool.zip(configuration.redis.as_ref())?;
    Some(Cut::new(pool.clone(), Keys::of(&redis.prefix, destination)))
}

/// What a client of a destination is made of, without what a fleet shares.
pub(crate) fn client_settings(destination: &Destination) -> ClientSettings {
    let hubspot = &destination.hubspot;
    ClientSettings {
        base_url: hubspot.base_url.clone(),
        version: hubspot.version,
        events_prefix: hubspot.events_prefix.clone(),
        timeout_single: hubspot.timeout_single,
        timeout_batch: hubspot.timeout_batch,
        ..ClientSettings::new(hubspot.auth.clone())
    }
}

/// Turns of a command among the calls of the fleet: what it asks HubSpot counts against the same limit. Where no fleet is
/// known there is nobody to wait for.
pub(crate) struct Turns(Option<Limiter>);

/// How long a command waits for a turn; one that does not come is no reason to give no answer.
const TURN_WAITS: Duration = Duration::from_secs(20);

impl Turns {
    /// Among nobody: there is no fleet yet.
    pub(crate) const fn alone() -> Self {
        Self(None)
    }

    /// Among the calls to a destination.
    ///
    /// # Errors
    ///
    /// Redis does not answer.
    pub(crate) async fn of(
        configuration: &Configuration,
        destination: &Destination,
        pool: Option<&Pool>,
    ) -> Result<Self, Failure> {
        let Some((pool, redis)) = pool.zip(configuration.redis.as_ref()) else {
            return Ok(Self(None));
        };
        let portal = match destination.hubspot.portal_id {
            Some(id) => Some(id),
            None => remembered(destination, pool, redis).await?,
        };
        let Some(portal) = portal else {
            return Ok(Self(None));
        };
        let scope = format!("{portal}:{}", app(destination));
        let shared = Some((pool, redis));
        limiter(destination, &configuration.limiter, &scope, shared).map(|made| Self(Some(made)))
    }

    /// Waits for the turns of so many calls.
    pub(crate) async fn take(&self, calls: u32) {
        let Some(limiter) = &self.0 else { return };
        for _ in 0..calls {
            let ask = Ask::new([LimitName::new("ten_seconds")], Class::Lookup);
            let stop = CancellationToken::new();
            let turn = tokio::time::timeout(TURN_WAITS, limiter.acquire(&ask, &stop)).await;
            if !matches!(turn, Ok(Ok(_))) {
                tracing::debug!("a call of this command was not counted");
            }
        }
    }
}

/// What is said when a connection was cut and is needed.
pub(crate) fn was_cut(destination: &Destination) -> Failure {
    let name = &destination.name;
    outside(
        destination,
        &format!(
            "the connection was cut by an operator; `hubferry auth reconnect --destination {name}` connects it again"
        ),
    )
}

/// The portal that a worker of the fleet has found behind these credentials.
async fn remembered(
    destination: &Destination,
    pool: &Pool,
    redis: &Redis,
) -> Result<Option<u64>, Failure> {
    known_portal(pool, &redis.prefix, &vault::credential(destination))
        .await
        .map_err(|error| Failure::Outside(format!("could not ask redis: {error}; check redis.url")))
}

/// Asks HubSpot who the token belongs to, and compares it with the configuration. While HubSpot is in trouble, the portal
/// that is expected will do: the worker waits for HubSpot like any other.
///
/// # Errors
///
/// HubSpot refuses, or it is another portal; or it does not answer and nothing is known of the portal.
async fn account(
    destination: &Destination,
    client: &Client,
    known: Option<u64>,
) -> Result<Account, Failure> {
    match (client.probe(&CancellationToken::new()).await, known) {
        (Ok(account), _) => Account::of(destination, account),
        (Err(error @ (ProbeError::Passing { .. } | ProbeError::Timeout { .. })), Some(known)) => {
            tracing::warn!(destination = destination.name, "{error}; going on");
            Ok(Account {
                portal_id: Some(known),
                time_zone: None,
            })
        }
        (Err(error), _) => Err(outside(destination, &error.to_string())),
    }
}

/// The number of the account behind the token.
///
/// # Errors
///
/// As [`account`].
pub(crate) async fn ask(
    destination: &Destination,
    client: &Client,
    known: Option<u64>,
) -> Result<u64, Failure> {
    let found = account(destination, client, known).await?.portal_id;
    found.ok_or_else(|| outside(destination, "HubSpot does not say whose token it is"))
}

/// Asks likewise, but only a refusal or no connection at all ends the start.
async fn greet(destination: &Destination, client: &Client) -> Result<Account, Failure> {
    match client.probe(&CancellationToken::new()).await {
        Ok(account) => Account::of(destination, account),
        Err(
            error @ (ProbeError::Unauthorized { .. }
            | ProbeError::Forbidden { .. }
            | ProbeError::Connect { .. }),
        ) => Err(outside(destination, &error.to_string())),
        Err(
            ProbeError::Timeout { .. }
            | ProbeError::Passing { .. }
            | ProbeError::Unexpected { .. }
            | ProbeError::Stopped,
        ) => Ok(Account {
            portal_id: destination.hubspot.portal_id,
            time_zone: None,
        }),
    }
}

/// What HubSpot said of the account behind a token.
struct Account {
    portal_id: Option<u64>,
    /// The zone whose midnight begins its day.
    time_zone: Option<String>,
}

impl Account {
    fn of(destination: &Destination, account: AccountInfo) -> Result<Self, Failure> {
        Ok(Self {
            portal_id: Some(expected(destination, account.portal_id.get())?),
            time_zone: account.time_zone,
        })
    }
}

fn expected(destination: &Destination, found: u64) -> Result<u64, Failure> {
    match destination.hubspot.portal_id {
        Some(wanted) if wanted != found => Err(outside(
            destination,
            &format!("the token belongs to portal {found}, but hubspot.portal_id says {wanted}"),
        )),
        _ => Ok(found),
    }
}

/// Waits for the permit of the question who the token belongs to, or counts it afterwards.
async fn permitted(limiter: &Limiter) {
    let ask = Ask::new([LimitName::new("ten_seconds")], Class::Live);
    match limiter.acquire(&ask, &CancellationToken::new()).await {
        Ok(permit) => drop(permit),
        Err(error) => tracing::debug!(%error, "the first call was not counted"),
    }
}

pub(crate) fn outside(destination: &Destination, message: &str) -> Failure {
    Failure::Outside(format!("destination {}: {message}", destination.name))
}

/// The second half of a limiter's scope: HubSpot counts per app.
fn app(destination: &Destination) -> String {
    match &destination.hubspot.auth {
        hubferry_hubspot::Auth::Private(_) => "private".to_owned(),
        hubferry_hubspot::Auth::OAuth { client_id, .. } => client_id.clone(),
    }
}

/// The limiter of a portal, as a worker of this configuration has it.
///
/// # Errors
///
/// When a limit is unsound.
pub(crate) fn limiter_of(
    destination: &Destination,
    shape: &LimiterShape,
    account: &AccountInfo,
    shared: Option<(&Pool, &Redis)>,
) -> Result<Limiter, Failure> {
    let scope = scope_of(destination, &account.portal_id.get().to_string());
    let day = Some(day(destination, account.time_zone.as_deref()));
    limiter_with(destination, shape, &scope, shared, day)
}

fn scope_of(destination: &Destination, portal: &str) -> String {
    format!("{portal}:{}", app(destination))
}

/// The calls of a day, until the account's midnight. Event sends do not count (hubspot-api.md §8.2).
fn day(destination: &Destination, time_zone: Option<&str>) -> DayLimit {
    let zone = time_zone.and_then(|name| {
        Zone::named(name)
            .inspect_err(|error| {
                tracing::warn!(destination = destination.name, %error, "the day is counted by universal time");
            })
            .ok()
    });
    DayLimit {
        name: LimitName::new("daily"),
        max: destination.hubspot.limits.daily,
        zone: zone.unwrap_or_else(Zone::utc),
        covers: ["ten_seconds", "associations", "search"]
            .map(LimitName::new)
            .to_vec(),
    }
}

fn limiter(
    destination: &Destination,
    shape: &LimiterShape,
    scope: &str,
    shared: Option<(&Pool, &Redis)>,
) -> Result<Limiter, Failure> {
    limiter_with(destination, shape, scope, shared, None)
}

fn limiter_with(
    destination: &Destination,
    shape: &LimiterShape,
    scope: &str,
    shared: Option<(&Pool, &Redis)>,
    day: Option<DayLimit>,
) -> Result<Limiter, Failure> {
    let limits = destination.hubspot.limits;
    let ten_seconds = LimitSettings::ten_seconds(LimitName::new("ten_seconds"), limits.ten_seconds);
    let associations =
        LimitSettings::ten_seconds(LimitName::new("associations"), limits.associations);
    let settings = vec![
        LimitSettings {
            ceiling: limits.ten_seconds_ceiling,
            others: limits.others_percent,
            ..shaped(ten_seconds, shape)
        },
        LimitSettings {
            others: limits.others_percent,
            ..shaped(associations, shape)
        },
        LimitSettings::per_second(LimitName::new("search"), limits.search),
        LimitSettings::per_second(LimitName::new("event_sends"), limits.event_sends),
    ];
    let scope = Scope::new(scope);
    let options = LimiterOptions {
        // Only a limiter that a worker keeps alive gets a ticket, see `keep_limiters`.
        on_loss: match (shape.on_redis_loss, &day) {
            (OnRedisLoss::Closed, _) | (_, None) => OnLoss::Closed,
            (OnRedisLoss::Ticket, Some(_)) => OnLoss::Ticket(Tickets {
                lasts: shape.ticket,
                ..Tickets::new(shape.max_workers)
            }),
            (OnRedisLoss::Share, Some(_)) => OnLoss::Ticket(Tickets {
                lasts: A_DAY,
                ..Tickets::new(shape.max_workers)
            }),
        },
        day,
        ..LimiterOptions::default()
    };
    let made = match shared {
        Some((pool, redis)) => {
            Limiter::redis_with(pool.clone(), &redis.prefix, scope, settings, options)
        }
        None => Limiter::local_with(
            scope,
            settings,
            LimiterOptions {
                on_loss: OnLoss::Closed,
                ..options
            },
        ),
    };
    made.map_err(|error| Failure::Usage(format!("config_invalid: limiter: {error}")))
}

/// Refuses a Redis that may drop what the limiter keeps there.
///
/// # Errors
///
/// It may, and nobody has allowed it; or it does not answer.
pub(crate) async fn refuse_eviction(limiter: &Limiter, redis: &Redis) -> Result<(), Failure> {
    let report = limiter.check_store().await.map_err(|error| {
        Failure::Outside(format!("could not ask redis: {error}; check redis.url"))
    })?;
    if report.may_evict() && !redis.allow_eviction {
        return Err(Failure::Outside(format!(
            "redis evicts keys when its memory is short (maxmemory-policy {}): a dropped window would let HubSpot's limit be exceeded; \
             set maxmemory-policy noeviction, or redis.allow_eviction: true",
            report.policy
        )));
    }
    Ok(())
}

/// How long a worker with `on_redis_loss: share` goes on without Redis.
const A_DAY: Duration = Duration::from_hours(24);

fn shaped(settings: LimitSettings, shape: &LimiterShape) -> LimitSettings {
    LimitSettings {
        slot: shape.slot,
        spread: shape.spread,
        horizon: shape.horizon,
        burst: share_of(settings.max, shape.pacing_burst),
        ..settings
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a u32 is a u32"
)]
fn share_of(max: NonZeroU32, share: f64) -> NonZeroU32 {
    NonZeroU32::new((f64::from(max.get()) * share).floor() as u32).unwrap_or(NonZeroU32::MIN)
}

/// A pool for Redis that has answered once.
///
/// # Errors
///
/// The address is no address, or Redis does not answer within five seconds.
pub(crate) async fn redis(settings: &Redis) -> Result<Pool, Failure> {
    let unreachable = |reason: String| {
        Failure::Outside(format!(
            "could not reach redis at {}: {reason}; check redis.url",
            settings.shown()
        ))
    };
    let pool = deadpool_redis::Config::from_url(&settings.url)
        .create_pool(Some(Runtime::Tokio1))
        .map_err(|error| unreachable(error.to_string()))?;
    let answer = tokio::time::timeout(START_PATIENCE, ping(&pool)).await;
    match answer {
        Ok(Ok(())) => Ok(pool),
        Ok(Err(reason)) => Err(unreachable(reason)),
        Err(_) => Err(unreachable("no answer within 5 s".to_owned())),
    }
}

async fn ping(pool: &Pool) -> Result<(), String> {
    let mut connection = pool.get().await.map_err(|error| error.to_string())?;
    redis::cmd("PING")
        .query_async::<String>(&mut connection)
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}
