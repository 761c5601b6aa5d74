//! `hubferry eval` as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

fn eval(what: &str, cases: &str) -> (Option<i32>, Vec<String>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hubferry"))
        .args(["eval", what])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let cases = cases.to_owned();
    let writer = std::thread::spawn(move || input.write_all(cases.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code(),
        lines.lines().map(ToOwned::to_owned).collect(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn every_case_is_answered_in_order_and_bad_ones_are_results() {
    let cases = r#"{"id":1,"mapping":{"n":{"@path":"$.n"}},"input":{"n":123456789012345678901234567890.10}}
not json
{"id":2,"mapping":{"x":{"@oops":1}},"input":{}}
{"id":3,"mapping":{"@path":"$.none"},"input":{}}
"#;
    let (code, lines, errors) = eval("mapping", cases);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        r#"{"id":1,"output":{"n":123456789012345678901234567890.10}}"#
    );
    assert!(lines[1].starts_with(r#"{"id":null,"error":{"code":"mapping_invalid","#));
    assert!(lines[2].starts_with(r#"{"id":2,"error":{"code":"mapping_invalid","#));
    assert_eq!(lines[3], r#"{"id":3}"#);
}

#[test]
fn many_cases_stream() {
    let cases: String = (0..50_000)
        .map(|id| {
            format!("{{\"id\":{id},\"trigger\":\"type = \\\"track\\\"\",\"event\":{{\"type\":\"track\"}}}}\n")
        })
        .collect();
    let (code, lines, _) = eval("trigger", &cases);
    assert_eq!(code, Some(0));
    assert_eq!(lines.len(), 50_000);
    assert_eq!(lines[49_999], r#"{"id":49999,"output":true}"#);
}

#[test]
fn one_who_asks_after_each_answer_is_not_kept_waiting() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hubferry"))
        .args(["eval", "fields"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for id in 0..3 {
        writeln!(
            input,
            r#"{{"id":{id},"action":"upsertContact","event":{{"traits":{{"email":"a@b.co"}}}}}}"#
        )
        .unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id);
        assert_eq!(answer["payload"]["email"], "a@b.co");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
