//! The one table of paths: a template per route and set of versions (hubspot-api.md §1.2).

use reqwest::{Method, Url};

use hubferry_actions::{LinkChange, Sensitivity};

use crate::call::Request;
use crate::settings::{ApiVersion, BaseUrl, ClientSettings, EventsPrefix};

/// What can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    Upsert,
    Update,
    Read,
    Create,
    Search,
    Associate,
    Dissociate,
    Archive,
    GdprDelete,
    Properties,
    CreateProperties,
    Schema,
    SendEvents,
    EventDefinitions,
    EventDefinition,
    EventProperty,
    Lists,
    ListByName,
    ListMembers,
    ListSearch,
    Groups,
    Labels,
    Schemas,
    Token,
    Introspect,
    PrivateToken,
    Account,
    DailyUsage,
}

/// The parts of a path that come from data.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    /// Fills `{object}` and `{from}`.
    pub(crate) object: &'a str,
    /// Fills `{to}` and `{name}`.
    pub(crate) to: &'a str,
}

/// Where HubSpot is, and under which paths.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    base: BaseUrl,
    version: ApiVersion,
    events: Option<EventsPrefix>,
}

/// How a request goes out: method and address.
pub(crate) struct Address {
    pub(crate) method: Method,
    pub(crate) url: Url,
}

/// The legacy template and the dated one; `{V}` is the date, `{events}` the prefix of the custom events' paths.
#[rustfmt::skip]
const fn templates(route: Route) -> (&'static str, &'static str) {
    match route {
        Route::Upsert => ("crm/v3/objects/{object}/batch/upsert", "crm/objects/{V}/{object}/batch/upsert"),
        Route::Update => ("crm/v3/objects/{object}/batch/update", "crm/objects/{V}/{object}/batch/update"),
        Route::Read => ("crm/v3/objects/{object}/batch/read", "crm/objects/{V}/{object}/batch/read"),
        Route::Create => ("crm/v3/objects/{object}/batch/create", "crm/objects/{V}/{object}/batch/create"),
        Route::Search => ("crm/v3/objects/{object}/search", "crm/objects/{V}/{object}/search"),
        Route::Associate => (
            "crm/v4/associations/{from}/{to}/batch/create",
            "crm/associations/{V}/{from}/{to}/batch/create",
        ),
        Route::Dissociate => (
            "crm/v4/associations/{from}/{to}/batch/labels/archive",
            "crm/associations/{V}/{from}/{to}/batch/labels/archive",
        ),
        Route::Archive => ("crm/v3/objects/{object}/batch/archive", "crm/objects/{V}/{object}/batch/archive"),
        Route::GdprDelete => ("crm/v3/objects/{object}/gdpr-delete", "crm/objects/{V}/{object}/gdpr-delete"),
        Route::Properties => ("crm/v3/properties/{object}", "crm/properties/{V}/{object}"),
        Route::CreateProperties => ("crm/v3/properties/{object}/batch/create", "crm/properties/{V}/{object}/batch/create"),
        Route::Schema => ("crm-object-schemas/v3/schemas/{object}", "crm-object-schemas/{V}/schemas/{object}"),
        Route::SendEvents => ("{events}/send/batch", "{events}/send/batch"),
        Route::EventDefinitions => ("{events}/event-definitions", "{events}/event-definitions"),
        Route::EventDefinition => ("{events}/event-definitions/{name}", "{events}/event-definitions/{name}"),
        Route::EventProperty => ("{events}/event-definitions/{name}/property", "{events}/event-definitions/{name}/property"),
        Route::Lists => ("crm/v3/lists", "crm/lists/{V}"),
        Route::ListByName => (
            "crm/v3/lists/object-type-id/{object}/name/{name}",
            "crm/lists/{V}/object-type-id/{object}/name/{name}",
        ),
        Route::ListMembers => (
            "crm/v3/lists/{name}/memberships/add-and-remove",
            "crm/lists/{V}/{name}/memberships/add-and-remove",
        ),
        Route::ListSearch => ("crm/v3/lists/search", "crm/lists/{V}/search"),
        Route::Groups => ("crm/v3/properties/{object}/groups", "crm/properties/{V}/{object}/groups"),
        Route::Labels => ("crm/v4/associations/{from}/{to}/labels", "crm/associations/{V}/{from}/{to}/labels"),
        Route::Schemas => ("crm-object-schemas/v3/schemas", "crm-object-schemas/{V}/schemas"),
        Route::Introspect => ("oauth/v3/token/introspect", "oauth/{V}/token/introspect"),
        // The tokens of private apps and service keys are older than the versions and have one address.
        Route::PrivateToken => ("oauth/v2/private-apps/get/access-token-info", "oauth/v2/private-apps/get/access-token-info"),
        Route::DailyUsage => ("account-info/v3/api-usage/daily/private-apps", "account-info/{V}/api-usage/daily/private-apps"),
        Route::Token => ("oauth/v1/token", "oauth/{V}/token"),
        Route::Account => ("account-info/v3/details", "account-info/{V}/details"),
    }
}

/// The method of a request, its route and what fills its template.
fn of_request(request: &Request) -> (Method, Route, Parts<'_>) {
    let on = |object| Parts { object, to: "" };
    let named = |to| Parts { object: "", to };
    match request {
        Request::Upsert { object, .. } => (Method::POST, Route::Upsert, on(object.as_str())),
        Request::Update { object, .. } => (Method::POST, Route::Update, on(object.as_str())),
        Request::Read { object, .. } => (Method::POST, Route::Read, on(object.as_str())),
        Request::Create { object, .. } => (Method::POST, Route::Create, on(object.as_str())),
        Request::Search { object, .. } => (Method::POST, Route::Search, on(object.as_str())),
        Request::Link {
            change, from, to, ..
        } => {
            let route = match change {
                LinkChange::Associate => Route::Associate,
                LinkChange::Dissociate => Route::Dissociate,
            };
            let parts = Parts {
                object: from.as_str(),
                to: to.as_str(),
            };
            (Method::POST, route, parts)
        }
        Request::Archive { object, .. } => (Method::POST, Route::Archive, on(object.as_str())),
        Request::GdprDelete { .. } => (Method::POST, Route::GdprDelete, on("contacts")),
        Request::CreateProperties { object, .. } => {
            (Method::POST, Route::CreateProperties, on(object.as_str()))
        }
        Request::ReadProperties { object, .. } => {
            (Method::GET, Route::Properties, on(object.as_str()))
        }
        Request::ReadObjectType { object, .. } => (Method::GET, Route::Schema, on(object.as_str())),
        Request::SendEvents { .. } => (Method::POST, Route::SendEvents, Parts::default()),
        Request::ReadEventDefinition { event, .. } => {
            (Method::GET, Route::EventDefinition, named(event.as_str()))
        }
        Request::CreateEventDefinition { .. } => {
            (Method::POST, Route::EventDefinitions, Parts::default())
        }
        Request::CreateEventProperty { definition, .. } => (
            Method::POST,
            Route::EventProperty,
            named(definition.event.as_str()),
        ),
        Request::ReadList { list, .. } => {
            // Only the id is documented here; names were seen to work too (hubspot-api.md §6).
            let object = list.object.type_id();
            let parts = Parts {
                object: object.unwrap_or(list.object.as_str()),
                to: &list.name,
            };
            (Method::GET, Route::ListByName, parts)
        }
        Request::CreateList { .. } => (Method::POST, Route::Lists, Parts::default()),
        Request::ChangeMembers { list, .. } => (Method::PUT, Route::ListMembers, named(list)),
    }
}

/// What follows the question mark.
fn query_of(request: &Request) -> &'static [(&'static str, &'static str)] {
    match request {
        Request::ReadProperties { sensitivity, .. } => class_query(*sensitivity),
        Request::ReadEventDefinition { .. } => &[("includeProperties", "true")],
        _ => &[],
    }
}

/// One call returns one class (hubspot-api.md §5.1).
pub(crate) const fn class_query(
    sensitivity: Sensitivity,
) -> &'static [(&'static str, &'static str)] {
    match sensitivity {
        Sensitivity::Plain => &[("archived", "false")],
        Sensitivity::Sensitive => &[("archived", "false"), ("dataSensitivity", "sensitive")],
        Sensitivity::HighlySensitive => &[
            ("archived", "false"),
            ("dataSensitivity", "highly_sensitive"),
        ],
    }
}

impl Addresses {
    pub(crate) fn new(settings: &ClientSettings) -> Self {
        Self {
            base: settings.base_url.clone(),
            version: settings.version,
            events: settings.events_prefix.clone(),
        }
    }

    /// How a request goes out.
    pub(crate) fn of(&self, request: &Request) -> Address {
        let (method, route, parts) = of_request(request);
        let mut url = self.url(route, parts);
        add_query(&mut url, query_of(request));
        Address { method, url }
    }

    /// The base URL.
    pub(crate) fn base(&self) -> &Url {
        self.base.url()
    }

    /// The address of a route. What comes from data becomes exactly one percent-encoded segment.
    pub(crate) fn url(&self, route: Route, parts: Parts<'_>) -> Url {
        let (legacy, dated) = templates(route);
        let template = match self.version {
            ApiVersion::Legacy => legacy,
            ApiVersion::V2026_03 | ApiVersion::V2026_09 => dated,
        };
        let mut url = self.base.url().clone();
        let path = format!(
            "{}/{}",
            url.path().trim_end_matches('/'),
            self.filled(template, parts)
        );
        url.set_path(&path);
        url
    }

    fn filled(&self, template: &str, parts: Parts<'_>) -> String {
        let events = self
            .events
            .as_ref()
            .map_or(self.version.events_prefix(), EventsPrefix::as_str);
        let segments: Vec<String> = template
            .split('/')
            .map(|segment| match segment {
                "{V}" => self.version.to_string(),
                "{events}" => events.to_owned(),
                "{object}" | "{from}" => encoded(parts.object),
                "{to}" | "{name}" => encoded(parts.to),
                literal => literal.to_owned(),
            })
            .collect();
        segments.join("/")
    }
}

/// Adds a query; without pairs no question mark.
pub(crate) fn add_query(url: &mut Url, pairs: &[(&str, &str)]) {
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters; a segment of dots alone cannot climb either.
fn encoded(segment: &str) -> String {
    let only_dots = segment.bytes().all(|b| b == b'.');
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || (byte == b'.' && !only_dots);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
