//! Companies that exist already: found by group id or by search fields, and left alone where the mapping says so.

use anyhow::{Context as _, Result};
use hubferry_tests::Config;
use serde_json::{Value, json};

use crate::file::{counts, dead_letters};
use crate::scene::{Scene, only, values};

const CREATE: &str = "/crm/objects/2026-03/companies/batch/create";

fn companies(config: Config, fields: &Value) -> Config {
    config.mapping(json!({
        "name": "companies",
        "action": "upsertCompany",
        "trigger": "type = \"group\"",
        "use_defaults": true,
        "fields": fields,
    }))
}

fn group(id: &str, traits: &Value) -> Value {
    json!({"type": "group", "groupId": id, "traits": traits})
}

#[tokio::test]
async fn an_unknown_company_is_skipped_and_a_known_one_updated_when_none_may_be_created()
-> Result<()> {
    let scene = Scene::new().await?;
    let known = group("known", &json!({"name": "Old"}));
    let all = companies(scene.config(), &json!({}));
    scene.deliver(&all, &[known]).await?;

    let existing = companies(scene.config(), &json!({"createNewCompany": false}));
    let events = [
        group("known", &json!({"name": "New"})),
        group("unknown", &json!({"name": "Other"})),
    ];
    let report = scene.deliver(&existing, &events).await?;
    assert_eq!(counts(&report), [2, 2, 1, 0], "{report}");
    assert_eq!(
        report["skipped_by_reason"],
        json!({"not_found": 1}),
        "{report}"
    );
    let portal = scene.sim.portal().await?;
    assert_eq!(only(portal.companies.values())?["name"], "New");
    Ok(())
}

#[tokio::test]
async fn search_fields_adopt_the_one_company_that_meets_them_all() -> Result<()> {
    let scene = Scene::new().await?;
    let company =
        |name: &str, domain: &str| json!({"properties": {"name": name, "domain": domain}});
    let there = [
        company("Acme", "acme.example.com"),
        company("Acme", "other.example.com"),
        company("Twin", "twin.example.com"),
        company("Twin", "twin.example.com"),
    ];
    scene.sim.call(CREATE, &json!({"inputs": there})).await?;

    let fields = json!({"companysearchfields": {"name": {"@path": "$.traits.name"}, "domain": {"@path": "$.traits.website"}}});
    let config = companies(scene.config(), &fields);
    let found = json!({"name": "Acme", "website": "acme.example.com", "employees": 7});
    let new = json!({"name": "Acme", "website": "new.example.com"});
    let twin = json!({"name": "Twin", "website": "twin.example.com"});
    let events = [
        group("found", &found),
        group("new", &new),
        group("twin", &twin),
    ];
    let report = scene.deliver(&config, &events).await?;
    assert_eq!(counts(&report), [3, 3, 0, 1], "{report}");

    let letters = dead_letters(scene.folder())?;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        (&letters[0]["line"], &letters[0]["error.code"]),
        (&json!(2), &json!("not_unique")),
        "{letters:?}"
    );

    let portal = scene.sim.portal().await?;
    assert_eq!(portal.companies.len(), 5, "{portal:?}");
    assert_eq!(
        values(portal.companies.values(), "segment_group_id"),
        ["found", "new"]
    );
    let adopted = portal.companies.values().find(|company| {
        company
            .get("segment_group_id")
            .is_some_and(|id| id == "found")
    });
    let adopted = adopted.context("the adopted company")?;
    assert_eq!(
        (
            adopted["domain"].as_str(),
            adopted["numberofemployees"].as_str()
        ),
        ("acme.example.com", "7")
    );

    // From now on it is known by its group id, whatever the search fields say.
    let renamed = group(
        "found",
        &json!({"name": "Acme Two", "website": "two.example.com"}),
    );
    scene.deliver(&config, &[renamed]).await?;
    let portal = scene.sim.portal().await?;
    assert_eq!(portal.companies.len(), 5, "{portal:?}");
    assert_eq!(
        values(portal.companies.values(), "name"),
        ["Acme", "Acme", "Acme Two", "Twin", "Twin"]
    );
    Ok(())
}
