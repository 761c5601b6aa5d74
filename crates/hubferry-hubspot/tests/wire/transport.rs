//! What goes over the wire, and what becomes of a call when the wire fails.

use std::sync::Arc;
use std::time::Duration;

use crate::stub::{Action, Stub};
use hubferry_actions::{ObjectType, PropertyName, PropertyText, RecordId};
use hubferry_hubspot::{
    Answers, Auth, BaseUrl, Call, Cause, Client, ClientSettings, Done, Hold, HoldScope, Outcome,
    PortalId, ProbeError, Reply, Request, Secret, StepId, UpdateInput, Window,
};
use tokio_util::sync::CancellationToken;

const WRITTEN: &str = r#"{"results":[{"id":"7","properties":{}}]}"#;

fn call() -> Call {
    Call {
        request: Request::Update {
            object: ObjectType::contacts(),
            inputs: vec![UpdateInput {
                step: StepId(1),
                id: RecordId::new("7"),
                properties: vec![(PropertyName::new("plan"), PropertyText::new("gold"))],
            }],
        },
    }
}

fn private() -> Auth {
    Auth::Private(Secret::new("pat-1"))
}

fn oauth() -> Auth {
    Auth::OAuth {
        client_id: "app".to_owned(),
        client_secret: Secret::new("hush"),
        refresh_token: Secret::new("re fresh"),
    }
}

fn client(url: &str, auth: Auth) -> Client {
    let mut settings = ClientSettings::new(auth);
    settings.base_url = BaseUrl::parse(url).unwrap();
    Client::new(settings).unwrap()
}

/// For servers that never answer.
fn impatient_client(url: &str) -> Client {
    let mut settings = ClientSettings::new(private());
    settings.base_url = BaseUrl::parse(url).unwrap();
    settings.timeout_batch = Duration::from_millis(200);
    settings.timeout_single = Duration::from_millis(200);
    Client::new(settings).unwrap()
}

async fn send(client: &Client) -> Reply {
    client
        .send(client.prepare(&call()), &CancellationToken::new())
        .await
}

/// The one outcome of the one step.
fn outcome(reply: &Reply) -> &Outcome {
    match &reply.answers {
        Answers::PerStep(steps) => {
            assert_eq!(steps.len(), 1);
            assert_eq!(steps[0].0, StepId(1));
            &steps[0].1
        }
        Answers::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn written(reply: &Reply) -> bool {
    matches!(outcome(reply), Outcome::Done(Done::Written { .. }))
}

fn transient(reply: &Reply) -> Cause {
    match outcome(reply) {
        Outcome::Transient { cause, .. } => *cause,
        other => panic!("{other:?}"),
    }
}

fn granted(token: &str, seconds: u32) -> Action {
    let body = serde_json::json!({
        "access_token": token, "refresh_token": "rotated", "expires_in": seconds, "token_type": "bearer",
    });
    Action::json(200, &body.to_string())
}

#[tokio::test]
async fn an_answer_brings_outcomes_the_window_and_the_status() {
    let lines = [
        "x-hubspot-ratelimit-max: 100",
        "x-hubspot-ratelimit-remaining: 42",
        "x-hubspot-ratelimit-interval-milliseconds: 10000",
    ];
    let lines = lines.map(str::to_owned).to_vec();
    let stub = Stub::start(vec![Action::Answer(200, lines, WRITTEN.to_owned())]).await;
    let reply = send(&client(&stub.url(), private())).await;
    assert!(written(&reply));
    assert_eq!(reply.status, Some(200));
    let window = Window {
        max: 100,
        remaining: 42,
    };
    assert_eq!(reply.window, Some(window));
}

#[tokio::test]
async fn a_refused_connection_is_told_from_a_broken_one_and_from_silence() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let reply = send(&client(&nobody, private())).await;
    assert_eq!(transient(&reply), Cause::Connect);
    assert_eq!(reply.status, None);

    let stub = Stub::start(vec![Action::Close]).await;
    let reply = send(&client(&stub.url(), private())).await;
    assert_eq!(transient(&reply), Cause::Broken);

    let stub = Stub::start(vec![Action::CutOff]).await;
    let reply = send(&client(&stub.url(), private())).await;
    assert_eq!(transient(&reply), Cause::Broken);

    let stub = Stub::start(vec![Action::Hang]).await;
    let reply = send(&impatient_client(&stub.url())).await;
    assert_eq!(transient(&reply), Cause::Timeout);
}

#[tokio::test]
async fn a_stopped_call_still_accounts_for_its_steps() {
    let stub = Stub::start(vec![Action::Hang]).await;
    let client = client(&stub.url(), private());
    let stop = CancellationToken::new();
    stop.cancel();
    let reply = client.send(client.prepare(&call()), &stop).await;
    assert_eq!(transient(&reply), Cause::Broken);
}

#[tokio::test]
async fn a_redirect_of_307_or_308_keeps_method_body_and_token() {
    let stub = Stub::start(vec![
        Action::redirect(307, "/eu/first"),
        Action::redirect(308, "second"),
        Action::json(200, WRITTEN),
    ])
    .await;
    assert!(written(&send(&client(&stub.url(), private())).await));
    let seen = stub.seen();
    let without_path = |request: &String| request.split_once(" HTTP").unwrap().1.to_owned();
    assert!(seen[1].starts_with("POST /eu/first HTTP/1.1\n"));
    assert!(seen[2].starts_with("POST /eu/second HTTP/1.1\n"));
    assert_eq!(without_path(&seen[0]), without_path(&seen[1]));
    assert_eq!(without_path(&seen[0]), without_path(&seen[2]));
    assert!(seen[0].contains("authorization: Bearer pat-1"));
}

#[tokio::test]
async fn a_redirect_to_strangers_or_one_that_loses_the_body_is_not_followed() {
    let stranger = Stub::start(vec![Action::json(200, WRITTEN)]).await;
    let elsewhere = stranger.url();
    for redirect in [
        Action::redirect(307, &elsewhere),
        Action::redirect(302, "/login"),
    ] {
        let stub = Stub::start(vec![redirect]).await;
        let reply = send(&client(&stub.url(), private())).await;
        let Outcome::Held {
            scope: HoldScope::Portal,
            reason: Hold::Config { message },
        } = outcome(&reply)
        else {
            panic!("{reply:?}")
        };
        assert!(message.contains("redirected to 127.0.0.1"), "{message}");
        assert_eq!(stub.seen().len(), 1);
    }
    assert!(stranger.seen().is_empty());
}

#[tokio::test]
async fn an_endless_redirect_ends() {
    let script = (0..9).map(|_| Action::redirect(307, "/again")).collect();
    let stub = Stub::start(script).await;
    let reply = send(&client(&stub.url(), private())).await;
    assert_eq!(transient(&reply), Cause::Broken);
    assert_eq!(stub.seen().len(), 6);
}

#[tokio::test]
async fn a_private_token_that_is_refused_holds_the_portal_at_once() {
    let stub = Stub::start(vec![Action::json(401, r#"{"message":"no"}"#)]).await;
    let reply = send(&client(&stub.url(), private())).await;
    let expected = Hold::Auth {
        message: "no".to_owned(),
    };
    assert!(
        matches!(outcome(&reply), Outcome::Held { scope: HoldScope::Portal, reason } if *reason == expected)
    );
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn a_401_renews_the_oauth_token_and_repeats_the_call_once() {
    let stub = Stub::start(vec![
        granted("one", 1_800),
        Action::json(401, "{}"),
        granted("two", 1_800),
        Action::json(200, WRITTEN),
        Action::json(200, WRITTEN),
        Action::json(401, "{}"),
        granted("three", 1_800),
        Action::json(401, "{}"),
    ])
    .await;
    let client = client(&stub.url(), oauth());
    assert!(written(&send(&client).await));
    assert!(written(&send(&client).await));
    let refused = send(&client).await;
    assert!(matches!(
        outcome(&refused),
        Outcome::Held {
            scope: HoldScope::Portal,
            reason: Hold::Auth { .. }
        }
    ));
    let seen = stub.seen();
    insta::assert_snapshot!(seen[0], @r"
    POST /oauth/2026-03/token HTTP/1.1
    accept-encoding: gzip
    accept: */*
    content-type: application/x-www-form-urlencoded
    user-agent: hubferry/0.1.0

    grant_type=refresh_token&client_id=app&client_secret=hush&refresh_token=re+fresh
    ");
    let token = |at: usize| {
        let line = seen[at]
            .lines()
            .find(|l| l.starts_with("authorization"))
            .unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(
        [1, 3, 4, 5, 7].map(token),
        ["one", "two", "two", "two", "three"]
    );
    assert!(seen[2].contains("refresh_token=rotated"));
    assert_eq!(seen.len(), 8);
}

#[tokio::test]
async fn many_calls_share_one_renewal() {
    let mut script = vec![granted("one", 1_800)];
    script.extend((0..8).map(|_| Action::json(200, WRITTEN)));
    let stub = Stub::start(script).await;
    let client = Arc::new(client(&stub.url(), oauth()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = Arc::clone(&client);
        calls.spawn(async move { send(&client).await });
    }
    while let Some(reply) = calls.join_next().await {
        assert!(written(&reply.unwrap()));
    }
    let renewals = |seen: Vec<String>| seen.iter().filter(|r| r.starts_with("POST /oauth")).count();
    assert_eq!(renewals(stub.seen()), 1);
}

#[tokio::test]
async fn a_token_is_renewed_after_four_fifths_of_its_life_and_used_on_when_that_fails() {
    let stub = Stub::start(vec![
        granted("one", 1_000),
        Action::json(200, WRITTEN),
        Action::json(200, WRITTEN),
        granted("two", 1_000),
        Action::json(200, WRITTEN),
        Action::json(503, ""),
        Action::json(200, WRITTEN),
    ])
    .await;
    let client = client(&stub.url(), oauth());
    let after = async |seconds| {
        // Real sockets and a paused clock do not mix: the clock is moved between the calls only.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        assert!(written(&send(&client).await));
        let first = |r: String| r.lines().next().unwrap().contains("/oauth/");
        stub.seen().into_iter().filter(|r| first(r.clone())).count()
    };
    assert_eq!(after(0).await, 1);
    assert_eq!(after(790).await, 1);
    assert_eq!(after(11).await, 2);
    // The endpoint is down at the next renewal: the token still works.
    assert_eq!(after(801).await, 3);
}

#[tokio::test]
async fn a_refused_grant_holds_the_portal_and_a_busy_token_endpoint_passes() {
    let revoked = r#"{"error":"invalid_grant","error_description":"x","status":"BAD_REFRESH_TOKEN","message":"refresh token is invalid, expired or revoked"}"#;
    let stub = Stub::start(vec![Action::json(400, revoked)]).await;
    let oauth_client = client(&stub.url(), oauth());
    for _ in 0..3 {
        let reply = send(&oauth_client).await;
        let Outcome::Held {
            scope: HoldScope::Portal,
            reason: Hold::Auth { message },
        } = outcome(&reply)
        else {
            panic!("{reply:?}")
        };
        assert_eq!(
            message,
            "BAD_REFRESH_TOKEN: refresh token is invalid, expired or revoked"
        );
    }
    assert_eq!(stub.seen().len(), 1, "a refusal is not repeated at once");

    for (status, cause) in [(429, Cause::Server(429)), (503, Cause::Server(503))] {
        let stub = Stub::start(vec![Action::json(status, revoked)]).await;
        let reply = send(&client(&stub.url(), oauth())).await;
        assert_eq!(transient(&reply), cause);
    }
    let stub = Stub::start(vec![Action::json(200, r#"{"access_token":"a\nb"}"#)]).await;
    let reply = send(&client(&stub.url(), oauth())).await;
    assert_eq!(transient(&reply), Cause::Broken);
}

#[tokio::test]
async fn a_probe_reads_the_account_or_says_in_one_line_why_not() {
    let account = r#"{"portalId":62515,"accountType":"STANDARD","timeZone":"US/Eastern","utcOffset":"-04:00","dataHostingLocation":"na1"}"#;
    let stub = Stub::start(vec![
        Action::json(200, account),
        Action::json(200, "<html>"),
        Action::json(
            401,
            r#"{"message":"Authentication credentials not found."}"#,
        ),
        Action::json(
            403,
            r#"{"message":"m","context":{"requiredGranularScopes":["oauth"]}}"#,
        ),
        Action::json(404, ""),
        Action::json(503, ""),
    ])
    .await;
    let client = client(&stub.url(), private());
    let stop = CancellationToken::new();
    let info = client.probe(&stop).await.unwrap();
    assert_eq!(info.portal_id, PortalId::new(62_515));
    assert_eq!(info.time_zone.as_deref(), Some("US/Eastern"));
    insta::assert_snapshot!(stub.seen()[0], @r"
    GET /account-info/2026-03/details HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer pat-1
    user-agent: hubferry/0.1.0


    ");
    let host = stub.address.to_string();
    let expected = [
        "HOST does not answer like HubSpot (the account's details are not in the answer): check hubspot.base_url and hubspot.api_version",
        "HubSpot does not accept the token: Authentication credentials not found.; make a new one or reconnect the app",
        "the token may not read this account: missing scopes: oauth; grant the app what it names",
        "HOST does not answer like HubSpot (status 404): check hubspot.base_url and hubspot.api_version",
        "HubSpot is busy or in trouble (status 503): try again later",
    ];
    for line in expected {
        let error = client.probe(&stop).await.unwrap_err();
        assert_eq!(error.to_string().replace(&host, "HOST"), line);
    }
    let silent = Stub::start(vec![Action::Hang]).await;
    let host = silent.address.to_string();
    let error = impatient_client(&silent.url()).probe(&stop).await;
    assert_eq!(error, Err(ProbeError::Timeout { host }));
    stop.cancel();
    assert_eq!(client.probe(&stop).await, Err(ProbeError::Stopped));
}

#[tokio::test]
async fn a_warm_connection_shows_no_token_and_serves_the_first_call() {
    let stub = Stub::start(vec![Action::json(404, ""), Action::json(200, WRITTEN)]).await;
    let client = client(&stub.url(), private());
    client.warm(&CancellationToken::new()).await;
    assert!(written(&send(&client).await));
    insta::assert_snapshot!(stub.seen()[0], @r"
    HEAD / HTTP/1.1
    accept-encoding: gzip
    accept: */*
    user-agent: hubferry/0.1.0


    ");
}

#[test]
fn nothing_secret_or_personal_prints() {
    let client = client("http://localhost:1", oauth());
    let shown = format!("{client:?} {:?} {:?}", client.prepare(&call()), call());
    for secret in ["hush", "re fresh", "gold"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test below, in a process that finds no certificates"]
fn an_https_client_is_refused_here() {
    let error = Client::new(ClientSettings::new(private())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no CA certificates on this machine: install ca-certificates"
    );
    // Plain http on loopback needs none.
    client("http://localhost:1", private());
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_without_ca_certificates_is_told_what_to_install() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "transport::an_https_client_is_refused_here",
        ])
        .env("SSL_CERT_FILE", "/nonexistent/file")
        .env("SSL_CERT_DIR", "/nonexistent/folder")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}
