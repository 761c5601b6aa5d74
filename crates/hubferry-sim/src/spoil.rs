//! Requests and answers spoiled by faults.

use serde_json::{Value, json};

use crate::answer::Answer;

pub(crate) fn raw(status: u16, body: &str, retry_after: Option<u64>) -> Answer {
    let mut answer = Answer::html(status, body);
    if body.starts_with('{') {
        answer.content_type = "application/json;charset=utf-8";
    }
    match retry_after {
        Some(seconds) => answer.with_header("Retry-After", seconds.to_string()),
        None => answer,
    }
}

pub(crate) fn without_first_input(body: &[u8]) -> Option<bytes::Bytes> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let inputs = body.get_mut("inputs")?.as_array_mut()?;
    if inputs.is_empty() {
        return None;
    }
    inputs.remove(0);
    serde_json::to_vec(&body).ok().map(Into::into)
}

pub(crate) fn with_anonymous_error(answer: Answer) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return answer;
    };
    if !(200..300).contains(&answer.status) || !body.is_object() {
        return answer;
    }
    let entry = json!({"status": "error", "category": "VALIDATION_ERROR", "message": "One of the inputs could not be processed"});
    let errors = match body["errors"].take() {
        Value::Array(mut errors) => {
            errors.push(entry);
            errors
        }
        _ => vec![entry],
    };
    body["numErrors"] = json!(errors.len());
    body["errors"] = Value::Array(errors);
    Answer {
        headers: answer.headers,
        ..Answer::json(207, &body)
    }
}

pub(crate) fn without_results(answer: Answer, count: usize) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return answer;
    };
    let Some(results) = body.get_mut("results").and_then(Value::as_array_mut) else {
        return answer;
    };
    results.truncate(results.len().saturating_sub(count));
    Answer {
        headers: answer.headers,
        ..Answer::json(answer.status, &body)
    }
}
