use super::{Addresses, Parts, Route, encoded};
use crate::settings::{ApiVersion, BaseUrl, EventsPrefix};

fn addresses(base: &str, version: ApiVersion, events: Option<&str>) -> Addresses {
    Addresses {
        base: BaseUrl::parse(base).unwrap(),
        version,
        events: events.map(|prefix| EventsPrefix::parse(prefix).unwrap()),
    }
}

fn path(version: ApiVersion, route: Route) -> String {
    let parts = Parts {
        object: "companies",
        to: "contacts",
    };
    let at = addresses("https://api.hubapi.com", version, None);
    at.url(route, parts).path().to_owned()
}

#[test]
#[rustfmt::skip]
fn every_route_has_its_path_in_every_version() {
    let table = [
        (Route::Upsert, "/crm/objects/2026-03/companies/batch/upsert", "/crm/v3/objects/companies/batch/upsert"),
        (Route::Update, "/crm/objects/2026-03/companies/batch/update", "/crm/v3/objects/companies/batch/update"),
        (Route::Read, "/crm/objects/2026-03/companies/batch/read", "/crm/v3/objects/companies/batch/read"),
        (Route::Create, "/crm/objects/2026-03/companies/batch/create", "/crm/v3/objects/companies/batch/create"),
        (Route::Search, "/crm/objects/2026-03/companies/search", "/crm/v3/objects/companies/search"),
        (Route::Associate, "/crm/associations/2026-03/companies/contacts/batch/create", "/crm/v4/associations/companies/contacts/batch/create"),
        (Route::Dissociate, "/crm/associations/2026-03/companies/contacts/batch/labels/archive", "/crm/v4/associations/companies/contacts/batch/labels/archive"),
        (Route::Archive, "/crm/objects/2026-03/companies/batch/archive", "/crm/v3/objects/companies/batch/archive"),
        (Route::GdprDelete, "/crm/objects/2026-03/companies/gdpr-delete", "/crm/v3/objects/companies/gdpr-delete"),
        (Route::Properties, "/crm/properties/2026-03/companies", "/crm/v3/properties/companies"),
        (Route::CreateProperties, "/crm/properties/2026-03/companies/batch/create", "/crm/v3/properties/companies/batch/create"),
        (Route::Schema, "/crm-object-schemas/2026-03/schemas/companies", "/crm-object-schemas/v3/schemas/companies"),
        (Route::Lists, "/crm/lists/2026-03", "/crm/v3/lists"),
        (Route::ListByName, "/crm/lists/2026-03/object-type-id/companies/name/contacts", "/crm/v3/lists/object-type-id/companies/name/contacts"),
        (Route::ListMembers, "/crm/lists/2026-03/contacts/memberships/add-and-remove", "/crm/v3/lists/contacts/memberships/add-and-remove"),
        (Route::ListSearch, "/crm/lists/2026-03/search", "/crm/v3/lists/search"),
        (Route::Groups, "/crm/properties/2026-03/companies/groups", "/crm/v3/properties/companies/groups"),
        (Route::Labels, "/crm/associations/2026-03/companies/contacts/labels", "/crm/v4/associations/companies/contacts/labels"),
        (Route::Schemas, "/crm-object-schemas/2026-03/schemas", "/crm-object-schemas/v3/schemas"),
        (Route::Introspect, "/oauth/2026-03/token/introspect", "/oauth/v3/token/introspect"),
        (Route::PrivateToken, "/oauth/v2/private-apps/get/access-token-info", "/oauth/v2/private-apps/get/access-token-info"),
        (Route::DailyUsage, "/account-info/2026-03/api-usage/daily/private-apps", "/account-info/v3/api-usage/daily/private-apps"),
        (Route::Token, "/oauth/2026-03/token", "/oauth/v1/token"),
        (Route::Account, "/account-info/2026-03/details", "/account-info/v3/details"),
    ];
    for (route, dated, legacy) in table {
        assert_eq!(path(ApiVersion::V2026_03, route), dated);
        assert_eq!(path(ApiVersion::V2026_09, route), dated.replace("2026-03", "2026-09"));
        assert_eq!(path(ApiVersion::Legacy, route), legacy);
    }
}

#[test]
fn custom_events_have_a_prefix_of_their_own() {
    let table = [
        (Route::SendEvents, "/send/batch"),
        (Route::EventDefinitions, "/event-definitions"),
        (Route::EventDefinition, "/event-definitions/pe1_x%2Fy"),
        (
            Route::EventProperty,
            "/event-definitions/pe1_x%2Fy/property",
        ),
    ];
    let prefixes = [
        (ApiVersion::V2026_03, None, "/events/2026-03"),
        (ApiVersion::V2026_09, None, "/events/custom/2026-09"),
        (ApiVersion::Legacy, None, "/events/v3"),
        (
            ApiVersion::V2026_03,
            Some("events/custom/2026-03"),
            "/events/custom/2026-03",
        ),
        (ApiVersion::Legacy, Some("/e/"), "/e"),
    ];
    let parts = Parts {
        object: "",
        to: "pe1_x/y",
    };
    for (version, setting, prefix) in prefixes {
        let at = addresses("https://api.hubapi.com", version, setting);
        for (route, rest) in table {
            assert_eq!(at.url(route, parts).path(), format!("{prefix}{rest}"));
        }
    }
}

#[test]
fn data_stays_one_segment_and_a_prefix_stays_in_front() {
    let at = addresses("https://proxy.example/hub/", ApiVersion::V2026_03, None);
    let parts = Parts {
        object: "p1_a/b?c#d%e é",
        to: "",
    };
    assert_eq!(
        at.url(Route::Properties, parts).as_str(),
        "https://proxy.example/hub/crm/properties/2026-03/p1_a%2Fb%3Fc%23d%25e%20%C3%A9"
    );
    assert_eq!(encoded("0-1"), "0-1");
}
