//! The one table of paths: a template per route and set of versions (hubspot-api.md §1.2).

use reqwest::Url;

use crate::call::Request;
use crate::settings::{ApiVersion, BaseUrl};

/// What can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    Upsert,
    Update,
    Read,
    Search,
    Associate,
    Properties,
    Token,
    Account,
}

/// The parts of a path that come from data.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    /// Fills `{object}` and `{from}`.
    pub(crate) object: &'a str,
    /// Fills `{to}`.
    pub(crate) to: &'a str,
}

/// The legacy template and the dated one; `{V}` is the date.
const fn templates(route: Route) -> (&'static str, &'static str) {
    match route {
        Route::Upsert => (
            "crm/v3/objects/{object}/batch/upsert",
            "crm/objects/{V}/{object}/batch/upsert",
        ),
        Route::Update => (
            "crm/v3/objects/{object}/batch/update",
            "crm/objects/{V}/{object}/batch/update",
        ),
        Route::Read => (
            "crm/v3/objects/{object}/batch/read",
            "crm/objects/{V}/{object}/batch/read",
        ),
        Route::Search => (
            "crm/v3/objects/{object}/search",
            "crm/objects/{V}/{object}/search",
        ),
        Route::Associate => (
            "crm/v4/associations/{from}/{to}/batch/create",
            "crm/associations/{V}/{from}/{to}/batch/create",
        ),
        Route::Properties => ("crm/v3/properties/{object}", "crm/properties/{V}/{object}"),
        Route::Token => ("oauth/v1/token", "oauth/{V}/token"),
        Route::Account => ("account-info/v3/details", "account-info/{V}/details"),
    }
}

/// The route of a request and what fills its template.
pub(crate) fn of_request(request: &Request) -> (Route, Parts<'_>) {
    let on = |object| Parts { object, to: "" };
    match request {
        Request::Upsert { object, .. } => (Route::Upsert, on(object.as_str())),
        Request::Update { object, .. } => (Route::Update, on(object.as_str())),
        Request::Read { object, .. } => (Route::Read, on(object.as_str())),
        Request::Search { object, .. } => (Route::Search, on(object.as_str())),
        Request::Associate { from, to, .. } => (
            Route::Associate,
            Parts {
                object: from.as_str(),
                to: to.as_str(),
            },
        ),
        Request::CreateProperty { definition, .. } => {
            (Route::Properties, on(definition.object.as_str()))
        }
    }
}

/// The address of a route. What comes from data becomes exactly one percent-encoded segment.
pub(crate) fn url(base: &BaseUrl, version: ApiVersion, route: Route, parts: Parts<'_>) -> Url {
    let (legacy, dated) = templates(route);
    let (template, date) = match version {
        ApiVersion::Legacy => (legacy, ""),
        ApiVersion::V2026_03 => (dated, "2026-03"),
        ApiVersion::V2026_09 => (dated, "2026-09"),
    };
    let mut url = base.url().clone();
    let path = format!(
        "{}/{}",
        url.path().trim_end_matches('/'),
        filled(template, date, parts)
    );
    url.set_path(&path);
    url
}

fn filled(template: &str, date: &str, parts: Parts<'_>) -> String {
    let segments: Vec<String> = template
        .split('/')
        .map(|segment| match segment {
            "{V}" => date.to_owned(),
            "{object}" | "{from}" => encoded(parts.object),
            "{to}" => encoded(parts.to),
            literal => literal.to_owned(),
        })
        .collect();
    segments.join("/")
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
mod tests {
    use super::{Parts, Route, encoded, url};
    use crate::settings::{ApiVersion, BaseUrl};

    #[test]
    fn every_route_has_its_path_in_every_version() {
        let table = [
            (
                Route::Upsert,
                "/crm/objects/2026-03/companies/batch/upsert",
                "/crm/v3/objects/companies/batch/upsert",
            ),
            (
                Route::Update,
                "/crm/objects/2026-03/companies/batch/update",
                "/crm/v3/objects/companies/batch/update",
            ),
            (
                Route::Read,
                "/crm/objects/2026-03/companies/batch/read",
                "/crm/v3/objects/companies/batch/read",
            ),
            (
                Route::Search,
                "/crm/objects/2026-03/companies/search",
                "/crm/v3/objects/companies/search",
            ),
            (
                Route::Associate,
                "/crm/associations/2026-03/companies/contacts/batch/create",
                "/crm/v4/associations/companies/contacts/batch/create",
            ),
            (
                Route::Properties,
                "/crm/properties/2026-03/companies",
                "/crm/v3/properties/companies",
            ),
            (Route::Token, "/oauth/2026-03/token", "/oauth/v1/token"),
            (
                Route::Account,
                "/account-info/2026-03/details",
                "/account-info/v3/details",
            ),
        ];
        let base = BaseUrl::hubspot();
        let parts = Parts {
            object: "companies",
            to: "contacts",
        };
        for (route, dated, legacy) in table {
            assert_eq!(url(&base, ApiVersion::V2026_03, route, parts).path(), dated);
            assert_eq!(
                url(&base, ApiVersion::V2026_09, route, parts).path(),
                dated.replace("2026-03", "2026-09")
            );
            assert_eq!(url(&base, ApiVersion::Legacy, route, parts).path(), legacy);
        }
    }

    #[test]
    fn data_stays_one_segment_and_a_prefix_stays_in_front() {
        let base = BaseUrl::parse("https://proxy.example/hub/").unwrap();
        let parts = Parts {
            object: "p1_a/b?c#d%e é",
            to: "",
        };
        assert_eq!(
            url(&base, ApiVersion::V2026_03, Route::Properties, parts).as_str(),
            "https://proxy.example/hub/crm/properties/2026-03/p1_a%2Fb%3Fc%23d%25e%20%C3%A9"
        );
        assert_eq!(encoded("0-1"), "0-1");
    }
}
