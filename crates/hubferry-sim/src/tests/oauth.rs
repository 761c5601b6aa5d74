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
