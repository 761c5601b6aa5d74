use std::time::Duration;

use serde_json::{Value, json};

use super::{Portal, calm, client, seen, text};
use crate::{OAuthApp, SimSettings, TokenSpec};

fn settings(token_life: Duration) -> SimSettings {
    let app = OAuthApp {
        client_id: "app".to_owned(),
        client_secret: "secret".to_owned(),
        refresh_tokens: vec!["refresh".to_owned()],
        codes: vec!["code".to_owned()],
        scopes: Vec::new(),
        token_life,
    };
    SimSettings {
        oauth: Some(app),
        limits_on: true,
        ..calm()
    }
}

async fn asked(portal: &Portal, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![("client_id", "app"), ("client_secret", "secret")];
    form.retain(|(name, _)| !fields.iter().any(|(own, _)| own == name));
    form.extend(fields);
    seen(
        portal
            .request("POST", path)
            .form(&form)
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_refreshed_token_opens_the_portal_without_daily_headers() {
    let portal = Portal::start(settings(Duration::from_secs(1_800))).await;
    let (status, body) = asked(
        &portal,
        "/oauth/2026-03/token",
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", "refresh"),
        ],
    )
    .await;
    assert_eq!(
        (status, &body["expires_in"], &body["refresh_token"]),
        (200, &json!(1_800), &json!("refresh"))
    );
    let token = text(&body["access_token"]);
    let url = format!("{}/crm/v3/objects/contacts", portal.simulator.base_url());
    let response = client().get(url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-hubspot-ratelimit-max"));
    assert!(!response.headers().contains_key("x-hubspot-ratelimit-daily"));

    let (_, about) = asked(
        &portal,
        "/oauth/2026-03/token/introspect",
        &[("token", &token)],
    )
    .await;
    assert_eq!(
        (&about["active"], &about["token_use"]),
        (&json!(true), &json!("access_token"))
    );
    let (status, about) = portal
        .get(&format!("/oauth/v1/access-tokens/{token}"))
        .await;
    assert_eq!((status, &about["hub_id"]), (200, &json!(891_936_587)));
    let (_, about) = asked(&portal, "/oauth/v3/token/introspect", &[("token", "other")]).await;
    assert_eq!(about["active"], false);
}

#[tokio::test]
async fn refused_grants() {
    let portal = Portal::start(settings(Duration::from_secs(1_800))).await;
    let refresh = |token| vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    let rows = [
        (refresh("old"), "BAD_REFRESH_TOKEN", "invalid_grant"),
        (
            [refresh("refresh"), vec![("client_id", "other")]].concat(),
            "BAD_CLIENT_ID",
            "invalid_client",
        ),
        (
            [refresh("refresh"), vec![("client_secret", "other")]].concat(),
            "BAD_CLIENT_SECRET",
            "invalid_client",
        ),
        (
            vec![("grant_type", "password")],
            "BAD_GRANT_TYPE",
            "unsupported_grant_type",
        ),
        (
            vec![("grant_type", "authorization_code"), ("code", "x")],
            "BAD_AUTH_CODE",
            "invalid_grant",
        ),
    ];
    for (fields, wanted, error) in rows {
        let (status, body) = asked(&portal, "/oauth/v1/token", &fields).await;
        assert_eq!(
            (status, &body["status"], &body["error"]),
            (400, &json!(wanted), &json!(error))
        );
    }
    let code = [("grant_type", "authorization_code"), ("code", "code")];
    assert_eq!(asked(&portal, "/oauth/v3/token", &code).await.0, 200);
    assert_eq!(
        asked(&portal, "/oauth/v3/token", &code).await.0,
        400,
        "a code works once"
    );
}

#[tokio::test]
async fn tokens_run_out_and_strangers_stay_outside() {
    let portal = Portal::start(settings(Duration::ZERO)).await;
    let (_, body) = asked(
        &portal,
        "/oauth/v3/token",
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", "refresh"),
        ],
    )
    .await;
    let url = format!("{}/crm/v3/objects/contacts", portal.simulator.base_url());
    let client = client();
    let (status, body) = seen(
        client
            .get(&url)
            .bearer_auth(text(&body["access_token"]))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (status, &body["category"]),
        (401, &json!("EXPIRED_AUTHENTICATION"))
    );
    assert!(body["context"]["expire time"][0].is_string());
    let (status, body) = seen(client.get(&url).send().await.unwrap()).await;
    assert_eq!(
        (status, &body["category"]),
        (401, &json!("INVALID_AUTHENTICATION"))
    );
    let (_, body) = seen(client.get(&url).bearer_auth("?").send().await.unwrap()).await;
    assert_eq!(
        body["context"]["expire time"][0],
        "1970-01-01T00:00:00.000Z"
    );
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which() {
    let token = TokenSpec {
        token: "pat-na1-test".to_owned(),
        scopes: vec!["crm.objects.contacts.read".to_owned()],
    };
    let portal = Portal::start(SimSettings {
        tokens: vec![token],
        ..calm()
    })
    .await;
    assert_eq!(portal.get("/crm/v3/objects/contacts").await.0, 200);
    let (status, body) = portal
        .post(
            "/crm/v3/objects/contacts",
            json!({"properties": {"email": "a@b.io"}}),
        )
        .await;
    assert_eq!((status, &body["category"]), (403, &json!("MISSING_SCOPES")));
    assert_eq!(
        body["errors"][0]["context"]["requiredGranularScopes"],
        json!(["crm.objects.contacts.write"])
    );
}

/// Consent as a browser gives it; the query of the redirect.
async fn consent(portal: &Portal, query: &str) -> String {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/oauth/authorize?{query}", portal.simulator.base_url());
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    location
        .strip_prefix("http://127.0.0.1:9/back?")
        .unwrap()
        .to_owned()
}

const BACK: &str = "http://127.0.0.1:9/back";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn a_code_is_bound_to_its_challenge_and_its_address() {
    let portal = Portal::start(settings(Duration::from_secs(1_800))).await;
    let query = format!(
        "client_id=app&redirect_uri={BACK}&scope=oauth%20crm.objects.contacts.read&state=a%2Fb&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let rows = [
        (VERIFIER, BACK, Ok(())),
        ("other", BACK, Err("BAD_AUTH_CODE")),
        (
            VERIFIER,
            "http://127.0.0.1:9/other",
            Err("BAD_REDIRECT_URI"),
        ),
    ];
    for (number, (verifier, redirect, expected)) in (1..).zip(rows) {
        let code = format!("sim-code-{number}");
        assert_eq!(
            consent(&portal, &query).await,
            format!("code={code}&state=a%2Fb")
        );
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let (status, body) = asked(&portal, "/oauth/2026-03/token", &fields).await;
        match expected {
            Ok(()) => {
                assert_eq!(
                    (status, &body["scopes"][1]),
                    (200, &json!("crm.objects.contacts.read"))
                );
                let again = asked(&portal, "/oauth/2026-03/token", &fields).await;
                assert_eq!(again.0, 400, "a code works once");
            }
            Err(why) => assert_eq!((status, &body["status"]), (400, &json!(why))),
        }
    }
    assert_eq!(portal.get("/sim/oauth").await.1["grants"], 1);
}

#[tokio::test]
async fn what_was_not_consented_to_is_missing() {
    let portal = Portal::start(settings(Duration::from_secs(1_800))).await;
    consent(
        &portal,
        &format!("client_id=app&redirect_uri={BACK}&scope=crm.objects.contacts.read"),
    )
    .await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", "sim-code-1"),
        ("redirect_uri", BACK),
    ];
    let (_, body) = asked(&portal, "/oauth/v1/token", &fields).await;
    let token = text(&body["access_token"]);
    let status = |path: &str| {
        let url = format!("{}{path}", portal.simulator.base_url());
        let request = client().get(url).bearer_auth(&token);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(status("/crm/objects/2026-03/contacts").await, 200);
    assert_eq!(status("/crm/objects/2026-03/companies").await, 403);
    let (_, about) = portal
        .get(&format!("/oauth/v1/access-tokens/{token}"))
        .await;
    assert_eq!(about["scopes"], json!(["crm.objects.contacts.read"]));
}

#[tokio::test]
async fn refresh_tokens_rotate_when_switched_and_end_when_the_app_is_removed() {
    let portal = Portal::start(settings(Duration::from_secs(1_800))).await;
    portal.switch(json!({"rotate_refresh_tokens": true})).await;
    let refresh = |token: String| {
        let portal = &portal;
        async move {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", &token)];
            asked(portal, "/oauth/2026-03/token", &fields).await
        }
    };
    let (_, body) = refresh("refresh".to_owned()).await;
    let next = text(&body["refresh_token"]);
    assert_ne!(next, "refresh");
    let (status, body) = refresh("refresh".to_owned()).await;
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("invalid_grant")),
        "it was replaced"
    );
    let (status, body) = refresh(next).await;
    assert_eq!(status, 200);
    let (access, last) = (text(&body["access_token"]), text(&body["refresh_token"]));

    let list = |token: String| {
        let url = format!(
            "{}/crm/objects/2026-03/contacts",
            portal.simulator.base_url()
        );
        async move { seen(client().get(url).bearer_auth(token).send().await.unwrap()).await }
    };
    assert_eq!(list(access.clone()).await.0, 200);
    assert_eq!(portal.bare("POST", "/sim/oauth/expire").await.0, 204);
    let (status, body) = list(access.clone()).await;
    assert_eq!(
        (status, &body["category"]),
        (401, &json!("EXPIRED_AUTHENTICATION"))
    );

    portal.switch(json!({"uninstalled": true})).await;
    let (status, body) = list(access).await;
    assert_eq!(
        (status, &body["category"]),
        (401, &json!("INVALID_AUTHENTICATION"))
    );
    let (status, body) = refresh(last.clone()).await;
    assert_eq!(
        (status, &body["status"]),
        (400, &json!("BAD_REFRESH_TOKEN"))
    );
    let (_, counts) = portal.get("/sim/oauth").await;
    assert_eq!(
        counts,
        json!({"grants": 0, "refreshes": 2, "refused_refreshes": 2, "issued": 2})
    );

    portal.switch(json!({"uninstalled": false})).await;
    let path = "/oauth/2026-03/token/revoke";
    assert_eq!(asked(&portal, path, &[("token", &last)]).await.0, 200);
    assert_eq!(refresh(last).await.0, 400, "revoked");
}

#[tokio::test]
async fn every_kind_of_call_names_the_scopes_it_misses() {
    let portal = Portal::sample().await;
    portal.switch(json!({"scopes": ["oauth"]})).await;
    let rows = [
        (
            "POST",
            "/crm/objects/2026-03/deals/batch/create",
            "crm.objects.deals.write",
        ),
        (
            "POST",
            "/crm/objects/2026-03/pets/batch/read",
            "crm.objects.custom.read",
        ),
        (
            "POST",
            "/crm/objects/2026-03/tickets/search",
            "crm.objects.tickets.read",
        ),
        (
            "POST",
            "/crm/objects/2026-03/contacts/merge",
            "crm.objects.contacts.write",
        ),
        (
            "GET",
            "/crm/properties/2026-03/companies",
            "crm.schemas.companies.read",
        ),
        (
            "POST",
            "/crm/properties/2026-03/pets",
            "crm.schemas.custom.write",
        ),
        ("GET", "/crm/v3/schemas", "crm.schemas.custom.read"),
        (
            "POST",
            "/crm/associations/2026-03/contacts/deals/batch/create",
            "crm.objects.contacts.write",
        ),
        ("POST", "/crm/lists/2026-03", "crm.lists.write"),
        ("POST", "/crm/lists/2026-03/search", "crm.lists.read"),
        (
            "PUT",
            "/crm/lists/2026-03/1/memberships/add-and-remove",
            "crm.lists.read",
        ),
        (
            "GET",
            "/events/2026-03/event-definitions",
            "behavioral_events.event_definitions.read_write",
        ),
        (
            "POST",
            "/events/2026-03/send/batch",
            "analytics.behavioral_events.send",
        ),
    ];
    for (method, path, scope) in rows {
        let (status, body) = portal.bare(method, path).await;
        assert_eq!(
            (status, &body["category"]),
            (403, &json!("MISSING_SCOPES")),
            "{path}"
        );
        assert_eq!(
            body["errors"][0]["context"]["requiredGranularScopes"][0], scope,
            "{path}"
        );
    }
    let (status, _) = portal.get("/account-info/2026-03/details").await;
    assert_eq!(status, 200, "works with any token");
}
