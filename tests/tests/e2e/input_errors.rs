//! Each kind of bad input costs its own delivery and nothing else.

use anyhow::{Context as _, Result, ensure};
use hubferry_tests::{Config, Services, Sim};
use serde_json::{Value, json};

use crate::file::{counts, dead_letters, run};

/// A bad line, the code and stage of its dead letter, words its message must have and text it must not show.
struct Case {
    line: String,
    code: &'static str,
    stage: &'static str,
    names: &'static [&'static str],
    hides: &'static str,
}

fn identify(traits: &Value) -> String {
    json!({"type": "identify", "messageId": "bad", "userId": "bad", "timestamp": "2026-10-01T00:00:00Z", "traits": traits}).to_string()
}

fn cases() -> Vec<Case> {
    let hidden = "secret-person";
    vec![
        Case {
            line: format!("{{\"type\": \"identify\", \"userId\": \"{hidden}\""),
            code: "parse_error",
            stage: "intake",
            names: &[],
            hides: hidden,
        },
        Case {
            line: format!("[\"{hidden}\"]"),
            code: "not_an_object",
            stage: "intake",
            names: &[],
            hides: hidden,
        },
        Case {
            line: json!({"type": "purchase", "userId": hidden}).to_string(),
            code: "type_unknown",
            stage: "intake",
            names: &["type"],
            hides: hidden,
        },
        Case {
            line: json!({"type": "identify", "traits": {"firstName": hidden}}).to_string(),
            code: "no_identity",
            stage: "intake",
            names: &[],
            hides: hidden,
        },
        Case {
            line: identify(&json!({"email": format!("{hidden} at example")})),
            code: "payload_invalid",
            stage: "mapping",
            names: &["email"],
            hides: hidden,
        },
        Case {
            line: identify(
                &json!({"email": "big@example.com", "firstName": hidden.repeat(120_000)}),
            ),
            code: "too_large",
            stage: "intake",
            names: &[],
            hides: hidden,
        },
        Case {
            line: identify(&json!({"email": "unknown@example.com", "shoe_size": hidden})),
            code: "property_missing",
            stage: "ensure",
            names: &["shoe_size"],
            hides: hidden,
        },
        Case {
            line: identify(
                &json!({"email": "option@example.com", "lead_status": "NO_SUCH_STATUS"}),
            ),
            code: "property_option",
            stage: "record",
            names: &["hs_lead_status", "NO_SUCH_STATUS"],
            hides: "option@example.com",
        },
    ]
}

#[tokio::test]
async fn each_bad_line_is_dead_with_its_reason_and_its_neighbours_are_written() -> Result<()> {
    let services = Services::from_env()?;
    let folder = tempfile::tempdir()?;
    let sim = Sim::start(&services.hubferry(), folder.path()).await?;
    let properties = [
        ("hs_lead_status", "$.traits.lead_status"),
        ("shoe_size", "$.traits.shoe_size"),
    ];
    let config = Config::to(sim.base_url())
        .with_people_and_companies(&properties)
        .write(folder.path(), "c")?;

    let cases = cases();
    let good = |n: usize| json!({"type": "identify", "userId": format!("u{n}"), "traits": {"email": format!("p{n}@example.com"), "lead_status": "NEW"}});
    let mut input = format!("{}\n", good(0));
    for (n, case) in cases.iter().enumerate() {
        input.push_str(&format!("{}\n{}\n", case.line, good(n + 1)));
    }
    let finished = run(&services, &config, &input, folder.path()).await?;

    ensure!(finished.code == Some(0), "{finished:?}");
    let report = finished.json()?;
    let (bad, all) = (
        u64::try_from(cases.len())?,
        u64::try_from(2 * cases.len() + 1)?,
    );
    assert_eq!(counts(&report), [all, all, 0, bad], "{report}");

    let letters = dead_letters(folder.path())?;
    assert_eq!(letters.len(), cases.len(), "{letters:?}");
    for (n, case) in cases.iter().enumerate() {
        let number = 2 * n + 1;
        let letter = letters.iter().find(|letter| letter["line"] == number);
        let letter =
            letter.with_context(|| format!("no dead letter for line {number}, {}", case.code))?;
        let text = |name: &str| letter[name].as_str().unwrap_or_default();
        let message = text("error.message");
        assert_eq!(
            (text("error.code"), text("error.stage")),
            (case.code, case.stage),
            "{message}"
        );
        for name in case.names {
            assert!(
                message.contains(name),
                "{}: `{name}` is not in: {message}",
                case.code
            );
        }
        assert!(
            !message.contains(case.hides),
            "{}: personal data in: {message}",
            case.code
        );
        assert!(
            !message.is_empty() && message.len() <= 512,
            "{}: {message}",
            case.code
        );
    }
    assert!(
        !finished.stderr.contains("secret-person"),
        "personal data in the log: {}",
        finished.stderr
    );

    let portal = sim.portal().await?;
    let written = portal
        .contacts
        .values()
        .filter_map(|contact| contact.get("email"));
    let mut written: Vec<&str> = written.map(String::as_str).collect();
    written.sort_unstable();
    let mut wanted: Vec<String> = (0..=cases.len())
        .map(|n| format!("p{n}@example.com"))
        .collect();
    wanted.sort_unstable();
    assert_eq!(written, wanted);
    assert!(portal.contacts.values().all(|contact| {
        contact
            .get("hs_lead_status")
            .is_some_and(|status| status == "NEW")
    }));
    Ok(())
}
