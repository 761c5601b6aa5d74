//! One grant for a fleet: who renews it, who picks it up, and what ends it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::stub::{Action, Stub};
use hubferry_actions::{ObjectType, PropertyName, PropertyText, RecordId};
use hubferry_hubspot::{
    Answers, Auth, BaseUrl, Call, Client, ClientSettings, Done, Hold, HoldScope, Lease, Login,
    LoginError, Outcome, PortalId, Request, Secret, StepId, StoreError, StoreFuture, StoredGrant,
    TokenStore, UpdateInput,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const WRITTEN: &str = r#"{"results":[{"id":"7","properties":{}}]}"#;
const REVOKED: &str = r#"{"error":"invalid_grant","status":"BAD_REFRESH_TOKEN","message":"refresh token is invalid, expired or revoked"}"#;

/// A store as a fleet shares it.
#[derive(Default, Debug)]
struct Shared {
    grant: Mutex<Option<StoredGrant>>,
    held: Mutex<Option<Lease>>,
    leases: AtomicU64,
    is_down: AtomicBool,
    /// What another worker saves once its lease was asked for in vain.
    others: Mutex<Option<StoredGrant>>,
}

impl Shared {
    fn checked<T>(&self, value: T) -> Result<T, StoreError> {
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(StoreError("no connection".to_owned())),
            false => Ok(value),
        }
    }

    fn put(&self, grant: StoredGrant) {
        *self.grant.lock().unwrap() = Some(grant);
    }

    fn get(&self) -> StoredGrant {
        self.grant.lock().unwrap().clone().unwrap()
    }

    fn take_lease(&self) -> Option<Lease> {
        if let Some(grant) = self.others.lock().unwrap().take() {
            self.put(grant);
            return None;
        }
        let mut held = self.held.lock().unwrap();
        if held.is_some() {
            return None;
        }
        let number = self.leases.fetch_add(1, Ordering::SeqCst);
        *held = Some(Lease(number.to_string()));
        held.clone()
    }
}

impl TokenStore for Shared {
    fn load(&self) -> StoreFuture<'_, Option<StoredGrant>> {
        let loaded = self.checked(self.grant.lock().unwrap().clone());
        Box::pin(async move { loaded })
    }

    fn lease(&self, _: Duration) -> StoreFuture<'_, Option<Lease>> {
        let lease = self.checked(()).map(|()| self.take_lease());
        Box::pin(async move { lease })
    }

    fn save<'a>(&'a self, lease: &'a Lease, grant: &'a StoredGrant) -> StoreFuture<'a, ()> {
        assert_eq!(self.held.lock().unwrap().as_ref(), Some(lease));
        let saved = self.checked(()).map(|()| self.put(grant.clone()));
        Box::pin(async move { saved })
    }

    fn release(&self, lease: Lease) -> StoreFuture<'_, ()> {
        let mut held = self.held.lock().unwrap();
        assert_eq!(held.take(), Some(lease));
        Box::pin(async { Ok(()) })
    }
}

fn settings(url: &str, store: Option<Arc<Shared>>) -> ClientSettings {
    let mut settings = ClientSettings::new(Auth::OAuth {
        client_id: "app".to_owned(),
        client_secret: Secret::new("hush"),
        refresh_token: Secret::new("r0"),
    });
    settings.base_url = BaseUrl::parse(url).unwrap();
    settings.tokens = store.map(|store| store as Arc<dyn TokenStore>);
    settings
}

fn client(url: &str, store: &Arc<Shared>) -> Arc<Client> {
    Arc::new(Client::new(settings(url, Some(Arc::clone(store)))).unwrap())
}

async fn send(client: &Client) -> Outcome {
    let call = Call {
        request: Request::Update {
            object: ObjectType::contacts(),
            inputs: vec![UpdateInput {
                step: StepId(1),
                id: RecordId::new("7"),
                properties: vec![(PropertyName::new("plan"), PropertyText::new("gold"))],
            }],
        },
    };
    let reply = client
        .send(client.prepare(&call), &CancellationToken::new())
        .await;
    match reply.answers {
        Answers::PerStep(mut steps) => steps.remove(0).1,
        Answers::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn is_written(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(Done::Written { .. }))
}

fn held(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Held {
            scope: HoldScope::Portal,
            reason: Hold::Auth { message },
        } => message,
        other => panic!("{other:?}"),
    }
}

/// HubSpot with tokens `t1`, `t2`, … of which only the last one works, until the epoch moves on.
async fn hubspot(epoch: Arc<AtomicU64>) -> Stub {
    let mut token = (0, 0);
    Stub::answering(move |request| {
        let now = epoch.load(Ordering::SeqCst);
        if request.starts_with("POST /oauth/") {
            token = (token.0 + 1, now);
            return Some(granted(&format!("t{}", token.0)));
        }
        let is_valid = token.1 == now && request.contains(&format!("Bearer t{}\n", token.0));
        Some(match is_valid {
            true => Action::json(200, WRITTEN),
            false => Action::json(401, r#"{"category":"EXPIRED_AUTHENTICATION"}"#),
        })
    })
    .await
}

fn granted(token: &str) -> Action {
    let body = serde_json::json!({
        "access_token": token, "refresh_token": format!("r-{token}"), "expires_in": 1_800,
        "hub_id": 62_515, "scopes": ["oauth", "crm.lists.read"],
    });
    Action::json(200, &body.to_string())
}

fn renewals(stub: &Stub) -> usize {
    let seen = stub.seen();
    seen.iter().filter(|r| r.starts_with("POST /oauth")).count()
}

/// Real sockets and a paused clock do not mix: the clock is moved between the calls only.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_that_is_refused_mid_run_is_renewed_once_in_the_fleet() {
    let epoch = Arc::new(AtomicU64::new(0));
    let stub = hubspot(Arc::clone(&epoch)).await;
    let store = Arc::new(Shared::default());
    let fleet: Vec<Arc<Client>> = (0..3).map(|_| client(&stub.url(), &store)).collect();
    for round in 1..=2 {
        let mut calls = JoinSet::new();
        for client in fleet.iter().cycle().take(24) {
            let client = Arc::clone(client);
            calls.spawn(async move { send(&client).await });
        }
        while let Some(outcome) = calls.join_next().await {
            let outcome = outcome.unwrap();
            assert!(is_written(&outcome), "{outcome:?}");
        }
        assert_eq!(renewals(&stub), round);
        epoch.fetch_add(1, Ordering::SeqCst);
    }
    let kept = store.get();
    assert_eq!(kept.refresh_token.expose(), "r-t2", "rotated and kept");
    assert_eq!(kept.version, 2);
    assert!(store.held.lock().unwrap().is_none(), "the lease is back");
    let second = stub
        .seen()
        .into_iter()
        .filter(|r| r.starts_with("POST /oauth"))
        .nth(1)
        .unwrap();
    assert!(second.contains("refresh_token=r-t1"), "{second}");
}

#[tokio::test]
async fn a_worker_that_waits_for_another_ones_renewal_takes_what_that_brought() {
    let stub = Stub::start(vec![Action::json(200, WRITTEN)]).await;
    let store = Arc::new(Shared::default());
    let theirs = r#"{"v":1,"refresh_token":"r9","access":{"token":"t9","renew_at":"2999-01-01T00:00:00Z","expires_at":"2999-01-01T00:00:00Z"},"version":9,"disconnected":null}"#;
    *store.others.lock().unwrap() = StoredGrant::parse(theirs);
    assert!(is_written(&send(&client(&stub.url(), &store)).await));
    let seen = stub.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].contains("Bearer t9"));
}

#[tokio::test]
async fn a_revoked_grant_disconnects_the_fleet_until_somebody_signs_in_again() {
    let stub = Stub::start(vec![
        Action::json(400, REVOKED),
        Action::json(200, WRITTEN),
        Action::json(200, WRITTEN),
    ])
    .await;
    let store = Arc::new(Shared::default());
    let (one, two) = (client(&stub.url(), &store), client(&stub.url(), &store));
    let message = "BAD_REFRESH_TOKEN: refresh token is invalid, expired or revoked";
    for client in [&one, &one, &two] {
        assert_eq!(held(&send(client).await), message);
    }
    assert_eq!(stub.seen().len(), 1, "the others believe the store");

    let again = r#"{"v":1,"refresh_token":"r9","access":{"token":"t9","renew_at":"2999-01-01T00:00:00Z","expires_at":"2999-01-01T00:00:00Z"},"version":2,"disconnected":null}"#;
    store.put(StoredGrant::parse(again).unwrap());
    assert_eq!(held(&send(&one).await), message, "the view is still fresh");
    later(5).await;
    assert!(is_written(&send(&one).await));
    two.reconnect().await;
    assert!(is_written(&send(&two).await), "told to look at once");
}

#[tokio::test]
async fn a_disconnection_in_the_store_stops_a_worker_with_a_good_token() {
    let epoch = Arc::new(AtomicU64::new(0));
    let stub = hubspot(epoch).await;
    let store = Arc::new(Shared::default());
    let client = client(&stub.url(), &store);
    assert!(is_written(&send(&client).await));
    let mut grant = store.get();
    grant.version += 1;
    grant.disconnected = Some("uninstalled".to_owned());
    store.put(grant);
    later(5).await;
    assert_eq!(held(&send(&client).await), "uninstalled");
    assert_eq!(stub.seen().len(), 2);
}

#[tokio::test]
async fn an_operator_cuts_the_connection_at_once_and_restores_it() {
    let epoch = Arc::new(AtomicU64::new(0));
    let stub = hubspot(epoch).await;
    let client = client(&stub.url(), &Arc::new(Shared::default()));
    assert!(is_written(&send(&client).await));
    client.disconnect();
    assert!(client.is_disconnected());
    assert_eq!(
        held(&send(&client).await),
        "the connection was cut by an operator: reconnect it"
    );
    assert_eq!(stub.seen().len(), 2, "nothing was sent");
    client.reconnect().await;
    assert!(is_written(&send(&client).await));
}

#[tokio::test]
async fn a_store_that_is_down_stops_nobody_and_gets_the_grant_later() {
    let epoch = Arc::new(AtomicU64::new(0));
    let stub = hubspot(epoch).await;
    let store = Arc::new(Shared::default());
    store.is_down.store(true, Ordering::SeqCst);
    let client = client(&stub.url(), &store);
    assert!(is_written(&send(&client).await));
    store.is_down.store(false, Ordering::SeqCst);
    later(5).await;
    assert!(is_written(&send(&client).await));
    assert_eq!(store.get().refresh_token.expose(), "r-t1");
    assert_eq!(renewals(&stub), 1);
}

#[tokio::test]
async fn without_a_grant_the_portal_is_held_and_nothing_is_asked() {
    let stub = Stub::start(Vec::new()).await;
    let mut settings = settings(&stub.url(), Some(Arc::new(Shared::default())));
    settings.auth = Auth::OAuth {
        client_id: "app".to_owned(),
        client_secret: Secret::new("hush"),
        refresh_token: Secret::new(""),
    };
    let client = Client::new(settings).unwrap();
    assert_eq!(
        held(&send(&client).await),
        "no account is connected: sign in first"
    );
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_code_becomes_a_grant() {
    let stub = Stub::start(vec![
        granted("t1"),
        Action::json(
            400,
            r#"{"status":"BAD_AUTH_CODE","message":"missing or unknown auth code"}"#,
        ),
        Action::json(503, ""),
        Action::json(200, r#"{"access_token":"t1","expires_in":1800}"#),
    ])
    .await;
    let login = Login::new(&[1; 64], "http://localhost:8977/callback");
    let settings = settings(&stub.url(), None);
    let stop = CancellationToken::new();
    let new = login.exchange(&settings, "the code", &stop).await.unwrap();
    insta::assert_snapshot!(stub.seen()[0], @r"
    POST /oauth/2026-03/token HTTP/1.1
    accept-encoding: gzip
    accept: */*
    content-type: application/x-www-form-urlencoded
    user-agent: hubferry/0.1.0

    grant_type=authorization_code&client_id=app&client_secret=hush&redirect_uri=http%3A%2F%2Flocalhost%3A8977%2Fcallback&code=the+code&code_verifier=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE
    ");
    assert_eq!(new.portal_id, Some(PortalId::new(62_515)));
    assert_eq!(new.scopes, ["oauth", "crm.lists.read"]);
    assert_eq!(new.grant.refresh_token.expose(), "r-t1");
    assert_eq!(new.grant.access.unwrap().token.expose(), "t1");
    let expected = [
        "HubSpot refused the sign-in: BAD_AUTH_CODE: missing or unknown auth code",
        "HubSpot could not be reached or is busy: sign in again later",
        "HubSpot granted no refresh token",
    ];
    for line in expected {
        let error: LoginError = login.exchange(&settings, "x", &stop).await.unwrap_err();
        assert_eq!(error.to_string(), line);
    }
}
