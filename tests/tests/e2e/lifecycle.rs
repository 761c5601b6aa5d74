//! Lifecycle stages: HubSpot moves them forward only, so going back takes a cleared stage in between.

use anyhow::Result;
use serde_json::{Value, json};

use crate::file::number;
use crate::scene::{Scene, only};

/// Contacts and companies whose stage comes from `traits.stage`.
fn with_stages(scene: &Scene, lifecycle: &str) -> hubferry_tests::Config {
    let mapping = |name: &str, action: &str, trigger: &str| {
        json!({
            "name": name,
            "action": action,
            "trigger": trigger,
            "use_defaults": true,
            "lifecycle": lifecycle,
            "fields": {"lifecyclestage": {"@path": "$.traits.stage"}},
        })
    };
    scene
        .config()
        .mapping(mapping("contacts", "upsertContact", "type = \"identify\""))
        .mapping(mapping("companies", "upsertCompany", "type = \"group\""))
}

fn at_stage(stage: &str) -> [Value; 2] {
    [
        json!({"type": "identify", "userId": "u", "traits": {"email": "a@example.com", "stage": stage}}),
        json!({"type": "group", "userId": "u", "groupId": "g", "traits": {"name": "G", "stage": stage}}),
    ]
}

async fn stages(scene: &Scene) -> Result<[String; 2]> {
    let portal = scene.sim.portal().await?;
    let stage = |record: &hubferry_tests::Properties| {
        record.get("lifecyclestage").cloned().unwrap_or_default()
    };
    Ok([
        stage(only(portal.contacts.values())?),
        stage(only(portal.companies.values())?),
    ])
}

#[tokio::test]
async fn both_ways_goes_forward_and_back() -> Result<()> {
    let scene = Scene::new().await?;
    let config = with_stages(&scene, "both_ways");
    for stage in [" Lead ", "customer", "lead", "opportunity", "subscriber"] {
        let report = scene.deliver(&config, &at_stage(stage)).await?;
        assert_eq!(number(&report, "dead"), 0, "{stage}: {report}");
        let wanted = stage.trim().to_lowercase();
        assert_eq!(stages(&scene).await?, [wanted.clone(), wanted], "{stage}");
    }
    Ok(())
}

#[tokio::test]
async fn forward_only_never_goes_back_and_never_leaves_the_stage() -> Result<()> {
    for (lifecycle, wanted) in [("forward_only", "customer"), ("never", "")] {
        let scene = Scene::new().await?;
        let config = with_stages(&scene, lifecycle);
        for stage in ["customer", "lead"] {
            scene.deliver(&config, &at_stage(stage)).await?;
            assert_eq!(stages(&scene).await?, [wanted, wanted], "{lifecycle}");
        }
    }
    Ok(())
}
