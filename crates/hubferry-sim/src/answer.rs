//! What goes back to the caller: an answer, or a refusal in HubSpot's error shape.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// A finished answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// What an endpoint returns.
pub(crate) type Reply = Result<Answer, Refusal>;

impl Answer {
    /// A JSON answer.
    pub(crate) fn json<T: Serialize>(status: u16, body: &T) -> Self {
        // Serialising our own structs with string keys cannot fail; an empty body would show a mistake at once.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json;charset=utf-8",
            body,
        }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json;charset=utf-8",
            body: Vec::new(),
        }
    }

    /// A page as a gateway in front of HubSpot sends it.
    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "text/html",
            body: body.as_bytes().to_vec(),
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error body: `status`, `message`, `correlationId`, then whatever else was given, in that order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    message: String,
    rest: Map<String, Value>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            rest: Map::new(),
        }
    }

    /// A 400 of category `VALIDATION_ERROR`.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, message).with("category", "VALIDATION_ERROR")
    }

    /// The 404 of a single record call.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "resource not found")
    }

    /// The 400 for an object type nobody knows.
    pub(crate) fn unknown_object(name: &str) -> Self {
        Self::new(400, format!("Unable to infer object type from: {name}"))
    }

    /// The 400 for a body that is no JSON, or JSON of another shape.
    pub(crate) fn bad_json(error: &serde_json::Error) -> Self {
        Self::new(
            400,
            format!(
                "Invalid input JSON on line {}, column {}: {error}",
                error.line(),
                error.column()
            ),
        )
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.rest.insert(key.to_owned(), value.into());
        self
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The body of a whole answer.
    pub(crate) fn into_answer(self, correlation_id: &str) -> Answer {
        let mut body = Map::new();
        body.insert("status".to_owned(), json!("error"));
        body.insert("message".to_owned(), json!(self.message));
        body.insert("correlationId".to_owned(), json!(correlation_id));
        body.extend(self.rest);
        Answer::json(self.status, &body)
    }

    /// The same as one entry of a 207's `errors`: no correlation id, no `errors` of its own.
    pub(crate) fn into_entry(self) -> Map<String, Value> {
        let mut entry = Map::new();
        entry.insert("status".to_owned(), json!("error"));
        entry.extend(self.rest);
        entry.insert("message".to_owned(), json!(self.message));
        entry.shift_remove("errors");
        entry
    }
}
