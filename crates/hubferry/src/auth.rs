//! `hubferry auth`: sign in, look at a connection, renew it, cut it, connect it again.

mod login;
pub(crate) mod scopes;
mod status;
pub(crate) mod uses;
pub(crate) mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use clap::{Args, Subcommand};
use deadpool_redis::Pool;
use hubferry_hubspot::{Auth, Secret, StoreError, StoredGrant, TokenStore};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::config::{Configuration, Destination, Loaded};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::{self, outside};
use crate::vault;
use crate::words::{counted, size};

#[derive(Args, Debug)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Sign an OAuth app in: prints the address to open, takes the answer, keeps the grant
    Login(LoginArgs),
    /// Whose tokens these are, how long they live, and which mappings lack scopes
    Status(Which),
    /// Renew the access token of an OAuth app now
    Refresh(Which),
    /// Cut the connection for the whole fleet at once: nothing is sent, offsets stay where they are
    Disconnect(Which),
    /// Connect again; the fleet goes on where it stopped
    Reconnect(Which),
}

#[derive(Args, Debug)]
struct Which {
    /// Which destination, when there are several
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
}

#[derive(Args, Debug)]
struct LoginArgs {
    #[command(flatten)]
    which: Which,
    /// Where the browser's answer is awaited, on this machine; the app has to allow http://localhost:PORT/callback
    #[arg(long, value_name = "PORT", default_value_t = 8977)]
    port: u16,
    /// How many minutes it is awaited
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    wait: u32,
}

/// Does what was asked.
///
/// # Errors
///
/// HubSpot or Redis does not answer or refuses, or there is nothing to do it with.
pub(crate) async fn auth(loaded: Loaded, args: AuthArgs, form: Form) -> Result<(), Failure> {
    let configuration = &loaded.configuration;
    let pool = match &configuration.redis {
        Some(redis) => Some(portals::redis(redis).await?),
        None => None,
    };
    let pool = pool.as_ref();
    match args.what {
        What::Login(args) => {
            let asked = login::Asked {
                listen: SocketAddr::from(([127, 0, 0, 1], args.port)),
                patience: std::time::Duration::from_secs(60 * u64::from(args.wait.max(1))),
                form,
            };
            let destination = only(configuration, args.which.destination.as_deref())?;
            login::login(configuration, destination, pool, asked).await
        }
        What::Status(which) => {
            let wanted = several(configuration, which.destination.as_deref())?;
            status::status(configuration, &wanted, pool, form).await
        }
        What::Refresh(which) => {
            let destination = only(configuration, which.destination.as_deref())?;
            refresh(configuration, destination, pool, form).await
        }
        What::Disconnect(which) => {
            let destination = only(configuration, which.destination.as_deref())?;
            disconnect(configuration, destination, pool, form).await
        }
        What::Reconnect(which) => {
            let destination = only(configuration, which.destination.as_deref())?;
            reconnect(configuration, destination, pool, form).await
        }
    }
}

/// The destination that is named, or the only one.
pub(crate) fn only<'a>(
    configuration: &'a Configuration,
    name: Option<&str>,
) -> Result<&'a Destination, Failure> {
    match several(configuration, name)?[..] {
        [one] => Ok(one),
        ref several => {
            let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
            let names = names.join(", ");
            Err(Failure::Usage(format!(
                "there are several destinations: say --destination with one of {names}"
            )))
        }
    }
}

/// The destination that is named, or all that are enabled.
pub(crate) fn several<'a>(
    configuration: &'a Configuration,
    name: Option<&str>,
) -> Result<Vec<&'a Destination>, Failure> {
    let all = &configuration.destinations;
    let Some(name) = name else {
        return Ok(all.iter().filter(|one| one.enabled).collect());
    };
    let known = || all.iter().map(|one| one.name.as_str());
    let found = all.iter().find(|one| one.name == name);
    found.map(|one| vec![one]).ok_or_else(|| {
        let hint = crate::config::closest(name, known())
            .map_or_else(String::new, |close| format!("; did you mean {close:?}?"));
        let known = known().collect::<Vec<_>>().join(", ");
        Failure::Usage(format!(
            "there is no destination {name:?}: there are {known}{hint}"
        ))
    })
}

/// The store of an OAuth destination.
async fn store(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
) -> Result<Arc<dyn TokenStore>, Failure> {
    if let Auth::Private(_) = destination.hubspot.auth {
        return Err(Failure::Usage(format!(
            "destination {}: only OAuth apps have tokens that are renewed: this one has a token of its own",
            destination.name
        )));
    }
    let store = vault::store(configuration, destination, pool).await?;
    store.ok_or_else(|| {
        Failure::Usage(format!(
            "destination {}: there is nowhere to keep a grant: add redis, or hubspot.auth.refresh_token_file",
            destination.name
        ))
    })
}

fn unkept(destination: &Destination, error: &StoreError) -> Failure {
    outside(destination, &error.to_string())
}

/// The first grant of a store that has none yet.
fn configured(destination: &Destination) -> Option<StoredGrant> {
    match &destination.hubspot.auth {
        Auth::OAuth { refresh_token, .. } if !refresh_token.expose().is_empty() => {
            Some(StoredGrant::new(refresh_token.clone()))
        }
        Auth::OAuth { .. } | Auth::Private(_) => None,
    }
}

fn sign_in_first(destination: &Destination) -> Failure {
    let name = &destination.name;
    outside(
        destination,
        &format!(
            "no account is connected: sign in with `hubferry auth login --destination {name}`"
        ),
    )
}

async fn refresh(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
    form: Form,
) -> Result<(), Failure> {
    let store = store(configuration, destination, pool).await?;
    let loaded = store.load().await;
    let loaded = loaded.map_err(|error| unkept(destination, &error))?;
    if loaded.is_some() {
        vault::change(&*store, |old| due(old.unwrap_or_else(no_grant)))
            .await
            .map_err(|error| unkept(destination, &error))?;
    } else if configured(destination).is_none() {
        return Err(sign_in_first(destination));
    }
    let connected = portals::connect(configuration, destination, pool).await?;
    let info = connected
        .client
        .directory(&CancellationToken::new())
        .token_info()
        .await
        .map_err(|error| outside(destination, &error.to_string()))?;
    let after = store.load().await;
    let after = after.map_err(|error| unkept(destination, &error))?;
    if after.is_some_and(|grant| is_due(&grant)) {
        return Err(outside(
            destination,
            "HubSpot did not renew the token, which still works: try again later",
        ));
    }
    let lives = info.and_then(|info| info.expires_in);
    let name = &destination.name;
    match form {
        Form::Json => output::print_json(&json!({
            "destination": name,
            "refreshed": true,
            "expires_in_seconds": lives.map(|lives| lives.as_secs()),
        })),
        Form::Text => {
            let lives = lives.map_or_else(String::new, |lives| {
                format!(", good for {}", status::minutes(lives))
            });
            output::print(&format!("{name}: a new access token{lives}\n"))
        }
    }
}

/// From when a token is renewed that somebody wants renewed now.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";

fn no_grant() -> StoredGrant {
    StoredGrant::new(Secret::new(""))
}

/// A grant whose token is to be renewed at once; it works on until then.
fn due(mut grant: StoredGrant) -> StoredGrant {
    if let (Some(access), Ok(past)) = (&mut grant.access, LONG_AGO.parse()) {
        access.renew_at = past;
    }
    grant
}

fn is_due(grant: &StoredGrant) -> bool {
    let access = grant.access.as_ref();
    access.is_some_and(|access| access.renew_at.to_string() == LONG_AGO)
}

async fn disconnect(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
    form: Form,
) -> Result<(), Failure> {
    let name = &destination.name;
    let Some(cut) = portals::cut(configuration, destination, pool) else {
        return Err(Failure::Usage(
            "without redis there is no fleet to tell: stop the worker, or remove the app in HubSpot"
                .to_owned(),
        ));
    };
    let seen = cut.cut().await;
    let seen = seen.map_err(|error| unkept(destination, &error))?;
    match form {
        Form::Json => output::print_json(&json!({
            "destination": name,
            "connection": "disconnected",
            "workers": seen,
        })),
        Form::Text => output::print(&format!(
            "{name}: disconnected, {} stopped; offsets stay where they are until `hubferry auth reconnect --destination {name}`\n",
            counted(size(seen), "worker")
        )),
    }
}

async fn reconnect(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
    form: Form,
) -> Result<(), Failure> {
    if let Auth::OAuth { .. } = destination.hubspot.auth {
        let store = store(configuration, destination, pool).await?;
        forgive(&*store, destination).await?;
    }
    let cut = portals::cut(configuration, destination, pool);
    if let Some(cut) = &cut {
        let mended = cut.mend().await;
        mended.map_err(|error| unkept(destination, &error))?;
    }
    let connected = portals::connect(configuration, destination, pool).await?;
    let portal = portals::ask(destination, &connected.client, None).await?;
    let name = &destination.name;
    match form {
        Form::Json => output::print_json(&json!({
            "destination": name,
            "connection": "connected",
            "portal": portal,
        })),
        Form::Text => output::print(&format!(
            "{name}: connected to portal {portal}; workers go on within half a minute\n"
        )),
    }
}

/// A grant that HubSpot has revoked is tried once more: with the refresh token of the configuration when that is another
/// one.
async fn forgive(store: &dyn TokenStore, destination: &Destination) -> Result<(), Failure> {
    let loaded = store.load().await;
    let loaded = loaded.map_err(|error| unkept(destination, &error))?;
    let Some(grant) = loaded else {
        return match configured(destination) {
            Some(_) => Ok(()),
            None => Err(sign_in_first(destination)),
        };
    };
    if grant.disconnected.is_none() {
        return Ok(());
    }
    let again = |old: Option<StoredGrant>| StoredGrant {
        disconnected: None,
        access: None,
        ..configured(destination).or(old).unwrap_or(grant)
    };
    vault::change(store, again)
        .await
        .map_err(|error| unkept(destination, &error))
}
