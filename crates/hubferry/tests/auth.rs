//! `hubferry auth` as its users meet it, without a fleet: the grant is kept in a file.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hubferry_sim::{OAuthApp, SimSettings, Simulator, Switches};
use serde_json::{Value, json};

const CONFIG: &str = r#"destinations:
  - name: acme
    hubspot:
      base_url: BASE
      auth: AUTH
    mappings:
      - { name: contacts, action: upsertContact, trigger: type = "identify", use_defaults: true }
      - name: events
        action: customEvent
        sync_mode: update
        trigger: type = "track"
        fields:
          event_name: order_completed
          record_details: { object_type: contact, email: { "@path": $.properties.email } }
"#;
const OAUTH: &str =
    "{ kind: oauth, client_id: app-1, client_secret: hush, refresh_token_file: grants/refresh }";
const PRIVATE: &str = "{ kind: private_app, token: pat-1 }";
const CONTACTS: [&str; 2] = ["crm.objects.contacts.read", "crm.objects.contacts.write"];

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(base: &str, auth: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = CONFIG.replace("BASE", base).replace("AUTH", auth);
        std::fs::write(folder.path().join("c.yaml"), config).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubferry"));
        command
            .args(arguments)
            .args(["--config", "c.yaml"])
            .env_clear()
            .current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refresh_file(&self) -> PathBuf {
        self.0.path().join("grants/refresh")
    }

    fn grant(&self, token: &str) {
        std::fs::create_dir_all(self.0.path().join("grants")).unwrap();
        std::fs::write(self.refresh_file(), token).unwrap();
    }
}

fn app() -> OAuthApp {
    OAuthApp {
        client_id: "app-1".to_owned(),
        client_secret: "hush".to_owned(),
        refresh_tokens: vec!["refresh-1".to_owned()],
        codes: Vec::new(),
        scopes: Vec::new(),
        token_life: Duration::from_secs(1_800),
    }
}

async fn portal(app: OAuthApp) -> Simulator {
    let settings = SimSettings {
        oauth: Some(app),
        ..SimSettings::default()
    };
    Simulator::start(settings).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a browser does: opens an address and follows where it is sent.
fn browse(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let to = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.to_owned())
    });
    to.map_or(answer, |to| browse(&to))
}

/// Starts a sign-in, gives the address it prints to `person`, and waits for the end.
fn sign_in(folder: &Folder, person: impl FnOnce(&str)) -> (Option<i32>, String, String) {
    let mut child = folder
        .command(&["auth", "login", "--port", "0", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines.next().unwrap().unwrap();
        if line.trim().starts_with("http") {
            break line.trim().to_owned();
        }
    };
    person(&url);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), stdout, rest.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_asks_for_exactly_what_the_mappings_need_and_keeps_the_grant() {
    let simulator = portal(app()).await;
    let folder = Folder::new(&simulator.base_url(), OAUTH);
    let (code, stdout, stderr) = sign_in(&folder, |url| {
        let scopes = "scope=oauth+analytics.behavioral_events.send+behavioral_events.event_definitions.read_write\
                      +crm.objects.contacts.read+crm.objects.contacts.write&";
        assert!(url.contains(scopes), "{url}");
        assert!(url.contains("code_challenge_method=S256"), "{url}");
        let port = url.split("localhost%3A").nth(1).unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        let foreign = browse(&format!(
            "http://localhost:{port}/callback?code=stolen&state=other"
        ));
        assert!(foreign.starts_with("HTTP/1.1 400"), "{foreign}");
        let page = browse(url);
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    });
    assert_eq!(code, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["connection"], "connected");
    assert_eq!(report["portal"], 891_936_587);
    assert_eq!(report["kept"], "grants/refresh");
    assert_eq!(report["lacking"], json!([]));
    assert_eq!(
        std::fs::read_to_string(folder.refresh_file()).unwrap(),
        "refresh-1\n"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.refresh_file())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What was kept works.
    let status = folder.json(&["auth", "status"]);
    let connection = &status["connections"][0];
    assert_eq!(connection["connection"], "connected");
    assert_eq!(connection["portal"], 891_936_587);
    let life = connection["expires_in_seconds"].as_u64().unwrap();
    assert!((1_700..=1_800).contains(&life), "{life}");
    assert_eq!(connection["mappings"][0]["state"], "ok");
    assert_eq!(simulator.state().oauth().grants, 1);
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_the_browser_is_said_and_nothing_is_kept() {
    let simulator = portal(app()).await;
    let folder = Folder::new(&simulator.base_url(), OAUTH);
    let (code, _, stderr) = sign_in(&folder, |url| {
        let state = url
            .split("&state=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        let port = url.split("localhost%3A").nth(1).unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        browse(&format!(
            "http://localhost:{port}/callback?error=access_denied&state={state}"
        ));
    });
    assert_eq!(code, Some(3));
    assert!(
        stderr.contains("access_denied") && stderr.contains("super admin"),
        "{stderr}"
    );
    assert!(!folder.refresh_file().exists());
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_without_its_scope_needs_re_authorisation_and_others_do_not() {
    let simulator = portal(OAuthApp {
        scopes: CONTACTS.map(str::to_owned).to_vec(),
        ..app()
    })
    .await;
    let folder = Folder::new(&simulator.base_url(), OAUTH);
    folder.grant("refresh-1");
    let status = folder.json(&["auth", "status"]);
    let connection = &status["connections"][0];
    assert_eq!(connection["kind"], "oauth");
    assert_eq!(connection["connection"], "connected");
    assert_eq!(
        connection["mappings"],
        json!([
            {"mapping": "acme/contacts", "state": "ok", "missing": []},
            {"mapping": "acme/events", "state": "needs_reauthorization", "missing": [
                "analytics.behavioral_events.send", "behavioral_events.event_definitions.read_write"]},
        ])
    );
    let text = folder.run(&["auth", "status"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("acme/events: needs re-authorisation: lacks analytics"),
        "{text}"
    );
    assert!(
        !text.contains("refresh-1") && !text.contains("sim-access"),
        "{text}"
    );
    // `check --live` says so too.
    let checked = folder.run(&["check", "--live"]);
    assert_eq!(checked.status.code(), Some(3), "{checked:?}");
    let lines = said(&checked);
    assert!(
        lines.contains("mapping acme/events needs re-authorisation"),
        "{lines}"
    );
    assert!(!lines.contains("acme/contacts"), "{lines}");
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_renews_once_and_a_rotated_token_is_kept() {
    let switches = Switches {
        rotate_refresh_tokens: true,
        ..Switches::default()
    };
    let settings = SimSettings {
        oauth: Some(app()),
        switches,
        ..SimSettings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    let folder = Folder::new(&simulator.base_url(), OAUTH);
    let early = folder.run(&["auth", "refresh"]);
    assert_eq!(early.status.code(), Some(3), "{early:?}");
    assert!(said(&early).contains("hubferry auth login --destination acme"));
    folder.grant("refresh-1\n");
    for round in 1..=2 {
        let report = folder.json(&["auth", "refresh"]);
        assert_eq!(report["refreshed"], true);
        assert_eq!(simulator.state().oauth().refreshes, round);
        let kept = std::fs::read_to_string(folder.refresh_file()).unwrap();
        assert_eq!(kept, format!("sim-refresh-{round}\n"));
    }
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_removed_is_disconnected_and_says_how_to_connect_it() {
    let simulator = portal(app()).await;
    let folder = Folder::new(&simulator.base_url(), OAUTH);
    folder.grant("refresh-9");
    let status = folder.json(&["auth", "status"]);
    let connection = &status["connections"][0];
    assert_eq!(connection["connection"], "disconnected");
    assert!(
        connection["reason"]
            .as_str()
            .unwrap()
            .contains("BAD_REFRESH_TOKEN")
    );
    let again = folder.run(&["auth", "reconnect"]);
    assert_eq!(again.status.code(), Some(3));
    folder.grant("refresh-1");
    let again = folder.json(&["auth", "reconnect"]);
    assert_eq!(again["connection"], "connected");
    simulator.stop().await;
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    let nobody = "http://127.0.0.1:9";
    let private = Folder::new(nobody, PRIVATE);
    for (arguments, code, words) in [
        (&["auth", "login"][..], 1, "only OAuth apps"),
        (&["auth", "refresh"], 1, "only OAuth apps"),
        (
            &["auth", "disconnect"],
            1,
            "without redis there is no fleet",
        ),
        (&["auth", "status"], 3, "no connection to 127.0.0.1:9"),
        (
            &["auth", "status", "--destination", "acne"],
            1,
            "did you mean \"acme\"?",
        ),
    ] {
        let output = private.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(said(&output).contains(words), "{output:?}");
        assert!(!said(&output).contains("pat-1"), "{output:?}");
    }
}
