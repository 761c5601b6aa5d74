//! An error as HubSpot words it: the body of a refused call, or one entry of a 207's `errors`.

use hubferry_actions::RecordId;
use serde_json::Value;

use crate::json::{items, scalar, text, texts};

/// One error. It holds HubSpot's raw words, which may repeat personal values: no `Debug` on purpose.
pub(crate) struct Failure {
    /// The HTTP status; for an entry the one its category stands for.
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) correlation_id: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) sub_category: Option<String>,
    /// The limit a 429 speaks of.
    pub(crate) policy: Option<String>,
    /// The values at fault, one by one.
    pub(crate) details: Vec<Detail>,
    /// The scopes that are missing.
    pub(crate) scopes: Vec<String>,
    /// The record that is in the way.
    pub(crate) existing: Option<RecordId>,
    pub(crate) named: Named,
}

/// How an error names the inputs it is about.
#[derive(Default)]
pub(crate) struct Named {
    pub(crate) trace_ids: Vec<String>,
    /// Record ids or unique values.
    pub(crate) ids: Vec<String>,
    /// Record ids of association ends.
    pub(crate) from_ids: Vec<String>,
    pub(crate) to_ids: Vec<String>,
    /// Positions in the request.
    pub(crate) indexes: Vec<usize>,
}

/// One value at fault.
pub(crate) struct Detail {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    pub(crate) property: Option<String>,
}

impl Failure {
    /// The body of a call that was refused as a whole; anything that is no JSON becomes an error without words.
    pub(crate) fn of_call(status: u16, correlation_id: Option<&str>, body: &[u8]) -> Self {
        let value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let mut failure = Self::read(status, &unnested(value));
        if failure.correlation_id.is_none() {
            failure.correlation_id = correlation_id.map(str::to_owned);
        }
        failure
    }

    /// One entry of a 207's `errors`.
    pub(crate) fn of_entry(entry: &Value, correlation_id: Option<&str>) -> Self {
        let status = status_of(text(entry, "category").as_deref().unwrap_or_default());
        let mut failure = Self::read(status, entry);
        if failure.correlation_id.is_none() {
            failure.correlation_id = correlation_id.map(str::to_owned);
        }
        failure
    }

    fn read(status: u16, body: &Value) -> Self {
        let message = text(body, "message").unwrap_or_default();
        let errors = items(body, "errors");
        let none = Value::Null;
        let context = body.get("context").unwrap_or(&none);
        let mut scopes = texts(context, "requiredGranularScopes");
        for error in errors {
            let context = error.get("context").unwrap_or(&none);
            scopes.extend(texts(context, "requiredGranularScopes"));
        }
        scopes.dedup();
        Self {
            status,
            correlation_id: text(body, "correlationId"),
            category: text(body, "category"),
            sub_category: text(body, "subCategory"),
            policy: text(body, "policyName"),
            details: details(errors, &message),
            scopes,
            existing: existing(context, &message),
            named: Named::read(body, context, errors),
            message,
        }
    }

    /// The message without the list of faults that may follow it.
    pub(crate) fn head(&self) -> &str {
        let end = self.message.find("[{").unwrap_or(self.message.len());
        self.message[..end].trim_end_matches([' ', ':'])
    }
}

impl Named {
    fn read(body: &Value, context: &Value, errors: &[Value]) -> Self {
        let mut named = Self {
            trace_ids: texts(body, "objectWriteTraceId"),
            ..Self::default()
        };
        named.add(context);
        for error in errors {
            named.add(error.get("context").unwrap_or(&Value::Null));
            named
                .indexes
                .extend(text(error, "in").as_deref().and_then(position));
        }
        named
    }

    fn add(&mut self, context: &Value) {
        self.trace_ids.extend(texts(context, "objectWriteTraceId"));
        for key in ["ids", "id"] {
            self.ids.extend(texts(context, key));
        }
        self.from_ids.extend(texts(context, "fromObjectId"));
        self.to_ids.extend(texts(context, "toObjectId"));
        for key in ["index", "indexes"] {
            let found = texts(context, key);
            self.indexes
                .extend(found.iter().filter_map(|i| i.parse::<usize>().ok()));
        }
    }
}

/// The position in `inputs[3].properties.plan`.
fn position(place: &str) -> Option<usize> {
    let (_, rest) = place.split_once("inputs[")?;
    let (digits, _) = rest.split_once(']')?;
    digits.parse().ok()
}

/// Some endpoints put the whole error, as JSON text, into `message` (hubspot-api.md §2.3).
fn unnested(body: Value) -> Value {
    let inner = body
        .get("message")
        .and_then(Value::as_str)
        .filter(|message| message.trim_start().starts_with('{'))
        .and_then(|message| serde_json::from_str::<Value>(message).ok())
        .filter(|inner| inner.get("message").is_some());
    inner.unwrap_or(body)
}

/// `errors[]` where it has codes; else the list inside the message, which is all that 207 entries have.
fn details(errors: &[Value], message: &str) -> Vec<Detail> {
    let coded: Vec<Detail> = errors.iter().filter_map(coded_detail).collect();
    if coded.is_empty() {
        listed_details(message)
    } else {
        coded
    }
}

fn coded_detail(error: &Value) -> Option<Detail> {
    let code = text(error, "code")?;
    let context = error.get("context").unwrap_or(&Value::Null);
    Some(Detail {
        message: text(error, "message").unwrap_or_default(),
        code: Some(code),
        property: texts(context, "propertyName").into_iter().next(),
    })
}

fn listed_details(message: &str) -> Vec<Detail> {
    let Some(start) = message.find("[{") else {
        return unknown_property(message).into_iter().collect();
    };
    let mut stream = serde_json::Deserializer::from_str(&message[start..]).into_iter::<Value>();
    let Some(Ok(Value::Array(list))) = stream.next() else {
        return Vec::new();
    };
    list.iter()
        .map(|item| Detail {
            message: text(item, "message").unwrap_or_default(),
            code: text(item, "error"),
            property: text(item, "name"),
        })
        .collect()
}

/// The fault in `Property plan is not defined …` and `Property "plan" does not exist`, which may stand alone.
fn unknown_property(message: &str) -> Option<Detail> {
    let (name, rest) = message.strip_prefix("Property ")?.split_once(' ')?;
    let is_unknown = rest.starts_with("is not defined") || rest.starts_with("does not exist");
    is_unknown.then(|| Detail {
        message: message.to_owned(),
        code: Some("PROPERTY_DOESNT_EXIST".to_owned()),
        property: Some(name.trim_matches(['"', '\'']).to_owned()),
    })
}

/// The id of the record in the way: from the context, else from `Existing ID: 12345`.
fn existing(context: &Value, message: &str) -> Option<RecordId> {
    let from_context = context.get("existingId").and_then(|ids| {
        ids.as_array()
            .map_or_else(|| scalar(ids), |a| a.first().and_then(scalar))
    });
    let id = from_context.or_else(|| {
        let (_, rest) = message.split_once("Existing ID:")?;
        let digits: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        Some(digits)
    })?;
    (!id.is_empty()).then(|| RecordId::new(&id))
}

/// What an entry's category would be as the status of a whole call.
fn status_of(category: &str) -> u16 {
    match category {
        "INVALID_AUTHENTICATION" | "EXPIRED_AUTHENTICATION" => 401,
        "MISSING_SCOPES" | "BANNED" => 403,
        "OBJECT_NOT_FOUND" => 404,
        "CONFLICT" | "OBJECT_ALREADY_EXISTS" => 409,
        "RATE_LIMITS" => 429,
        "INTERNAL_ERROR" | "SERVER_ERROR" => 500,
        _ => 400,
    }
}
