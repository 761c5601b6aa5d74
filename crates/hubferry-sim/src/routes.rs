//! From method and path to what is asked: the dated paths and the legacy ones lead to the same endpoints.

use crate::answer::Refusal;
use crate::associations::Direction;
use crate::objects::ObjectType;
use crate::urls::percent_decoded;

/// Which generation of paths a call came in on; a few answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `2026-03`, `2026-09`.
    Dated,
    /// `v1`, `v3`, `v4`.
    Legacy,
}

/// Batch operations on records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchOp {
    Create,
    Update,
    Upsert,
    Read,
    Archive,
}

/// Batch operations on associations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PairOp {
    Create,
    AssociateDefault,
    Archive,
    ArchiveLabels,
    Read,
    LegacyCreate,
    LegacyArchive,
    LegacyRead,
}

/// What is done to something named in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    List,
    Create,
    Read,
    Update,
    Delete,
}

/// One association named in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) direction: Direction,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// An endpoint with what the path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Batch(ObjectType, BatchOp),
    Search(ObjectType),
    Records(ObjectType, Verb),
    Record(ObjectType, String, Verb),
    PairBatch(Direction, PairOp, Era),
    PairList {
        direction: Direction,
        from: String,
        era: Era,
    },
    PairLabel(Pair, Era),
    PairDefault(Pair),
    PairRemove(Pair),
    PairLegacy(Pair, String),
    PairLegacyRemove(Pair, String),
    Labels(Direction, Verb),
    Label(Direction, String),
    Properties(ObjectType, Verb),
    Property(ObjectType, String, Verb),
    PropertyBatch(ObjectType, BatchOp),
    Groups(ObjectType, Verb),
    Group(ObjectType, String, Verb),
    AccountDetails,
    AccountUsage,
    Token,
    Introspect,
    TokenInfo(String),
    RefreshTokenInfo(String),
}

impl Route {
    /// Reads a call. Unknown paths are a 404, unknown object types a 400.
    pub(crate) fn parse(method: &str, path: &str) -> Result<Self, Refusal> {
        let decoded: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decoded)
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["crm", "v3", "objects", rest @ ..] | ["crm", "v4", "objects", rest @ ..] => {
                objects(method, rest, Era::Legacy)
            }
            ["crm", "objects", version, rest @ ..] if dated(version) => {
                objects(method, rest, Era::Dated)
            }
            ["crm", "v4", "associations", rest @ ..] | ["crm", "associations", "v4", rest @ ..] => {
                associations(method, rest, Era::Legacy)
            }
            ["crm", "associations", version, rest @ ..] if dated(version) => {
                associations(method, rest, Era::Dated)
            }
            ["crm", "v3", "associations", from, to, "batch", op] => {
                legacy_associations(method, from, to, op)
            }
            ["crm", "v3", "properties", rest @ ..] => properties(method, rest),
            ["crm", "properties", version, rest @ ..] if dated(version) => properties(method, rest),
            ["account-info", version, rest @ ..] if *version == "v3" || dated(version) => {
                account(method, rest)
            }
            ["oauth", version, rest @ ..] if matches!(*version, "v1" | "v3") || dated(version) => {
                oauth(method, rest)
            }
            _ => Err(unknown()),
        }
    }
}

fn objects(method: &str, rest: &[&str], era: Era) -> Result<Route, Refusal> {
    let object = |text: &str| ObjectType::parse(text).ok_or_else(|| Refusal::unknown_object(text));
    let pair = |from: &str, id: &str, to: &str, to_id: &str| -> Result<Pair, Refusal> {
        Ok(Pair {
            direction: (object(from)?, object(to)?),
            from: id.to_owned(),
            to: to_id.to_owned(),
        })
    };
    match (method, rest) {
        ("POST", [name]) => Ok(Route::Records(object(name)?, Verb::Create)),
        ("GET", [name]) => Ok(Route::Records(object(name)?, Verb::List)),
        ("POST", [name, "search"]) => Ok(Route::Search(object(name)?)),
        ("POST", [name, "batch", op]) => Ok(Route::Batch(object(name)?, batch_op(op)?)),
        ("GET", [name, id]) => Ok(Route::Record(object(name)?, (*id).to_owned(), Verb::Read)),
        ("PATCH", [name, id]) => Ok(Route::Record(object(name)?, (*id).to_owned(), Verb::Update)),
        ("DELETE", [name, id]) => Ok(Route::Record(object(name)?, (*id).to_owned(), Verb::Delete)),
        ("GET", [from, id, "associations", to]) => Ok(Route::PairList {
            direction: (object(from)?, object(to)?),
            from: (*id).to_owned(),
            era,
        }),
        ("PUT", [from, id, "associations", "default", to, to_id]) => {
            Ok(Route::PairDefault(pair(from, id, to, to_id)?))
        }
        ("PUT", [from, id, "associations", to, to_id]) => {
            Ok(Route::PairLabel(pair(from, id, to, to_id)?, era))
        }
        ("DELETE", [from, id, "associations", to, to_id]) => {
            Ok(Route::PairRemove(pair(from, id, to, to_id)?))
        }
        ("PUT", [from, id, "associations", to, to_id, kind]) if era == Era::Legacy => Ok(
            Route::PairLegacy(pair(from, id, to, to_id)?, (*kind).to_owned()),
        ),
        ("DELETE", [from, id, "associations", to, to_id, kind]) if era == Era::Legacy => Ok(
            Route::PairLegacyRemove(pair(from, id, to, to_id)?, (*kind).to_owned()),
        ),
        (_, [_] | [_, "search"] | [_, "batch", _] | [_, _]) => Err(wrong_method()),
        _ => Err(unknown()),
    }
}

fn associations(method: &str, rest: &[&str], era: Era) -> Result<Route, Refusal> {
    let [from, to, rest @ ..] = rest else {
        return Err(unknown());
    };
    let direction = direction(from, to)?;
    let batch = |op| Ok(Route::PairBatch(direction, op, era));
    match (method, rest) {
        ("POST", ["batch", "create"]) => batch(PairOp::Create),
        ("POST", ["batch", "associate", "default"]) => batch(PairOp::AssociateDefault),
        ("POST", ["batch", "archive"]) => batch(PairOp::Archive),
        ("POST", ["batch", "labels", "archive"]) => batch(PairOp::ArchiveLabels),
        ("POST", ["batch", "read"]) => batch(PairOp::Read),
        ("GET", ["labels"]) => Ok(Route::Labels(direction, Verb::List)),
        ("POST", ["labels"]) => Ok(Route::Labels(direction, Verb::Create)),
        ("PUT", ["labels"]) => Ok(Route::Labels(direction, Verb::Update)),
        ("DELETE", ["labels", id]) => Ok(Route::Label(direction, (*id).to_owned())),
        (_, ["batch", ..] | ["labels", ..]) => Err(wrong_method()),
        _ => Err(unknown()),
    }
}

fn legacy_associations(method: &str, from: &str, to: &str, op: &str) -> Result<Route, Refusal> {
    let direction = direction(from, to)?;
    let op = match op {
        "create" => PairOp::LegacyCreate,
        "archive" => PairOp::LegacyArchive,
        "read" => PairOp::LegacyRead,
        _ => return Err(unknown()),
    };
    match method {
        "POST" => Ok(Route::PairBatch(direction, op, Era::Legacy)),
        _ => Err(wrong_method()),
    }
}

fn properties(method: &str, rest: &[&str]) -> Result<Route, Refusal> {
    let [name, rest @ ..] = rest else {
        return Err(unknown());
    };
    let object = ObjectType::parse(name).ok_or_else(|| Refusal::unknown_object(name))?;
    match (method, rest) {
        ("GET", []) => Ok(Route::Properties(object, Verb::List)),
        ("POST", []) => Ok(Route::Properties(object, Verb::Create)),
        ("POST", ["batch", op]) => match batch_op(op)? {
            op @ (BatchOp::Create | BatchOp::Read | BatchOp::Archive) => {
                Ok(Route::PropertyBatch(object, op))
            }
            BatchOp::Update | BatchOp::Upsert => Err(unknown()),
        },
        ("GET", ["groups"]) => Ok(Route::Groups(object, Verb::List)),
        ("POST", ["groups"]) => Ok(Route::Groups(object, Verb::Create)),
        ("GET", ["groups", group]) => Ok(Route::Group(object, (*group).to_owned(), Verb::Read)),
        ("PATCH", ["groups", group]) => Ok(Route::Group(object, (*group).to_owned(), Verb::Update)),
        ("DELETE", ["groups", group]) => {
            Ok(Route::Group(object, (*group).to_owned(), Verb::Delete))
        }
        ("GET", [property]) => Ok(Route::Property(object, (*property).to_owned(), Verb::Read)),
        ("PATCH", [property]) => Ok(Route::Property(
            object,
            (*property).to_owned(),
            Verb::Update,
        )),
        ("DELETE", [property]) => Ok(Route::Property(
            object,
            (*property).to_owned(),
            Verb::Delete,
        )),
        (_, [] | [_] | [_, _]) => Err(wrong_method()),
        _ => Err(unknown()),
    }
}

fn account(method: &str, rest: &[&str]) -> Result<Route, Refusal> {
    match (method, rest) {
        ("GET", ["details"]) => Ok(Route::AccountDetails),
        ("GET", ["api-usage", "daily"] | ["api-usage", "daily", "private-apps"]) => {
            Ok(Route::AccountUsage)
        }
        _ => Err(unknown()),
    }
}

fn oauth(method: &str, rest: &[&str]) -> Result<Route, Refusal> {
    match (method, rest) {
        ("POST", ["token"]) => Ok(Route::Token),
        ("POST", ["token", "introspect"]) => Ok(Route::Introspect),
        ("GET", ["access-tokens", token]) => Ok(Route::TokenInfo((*token).to_owned())),
        ("GET", ["refresh-tokens", token]) => Ok(Route::RefreshTokenInfo((*token).to_owned())),
        _ => Err(unknown()),
    }
}

fn direction(from: &str, to: &str) -> Result<Direction, Refusal> {
    let object = |text: &str| ObjectType::parse(text).ok_or_else(|| Refusal::unknown_object(text));
    Ok((object(from)?, object(to)?))
}

fn batch_op(text: &str) -> Result<BatchOp, Refusal> {
    match text {
        "create" => Ok(BatchOp::Create),
        "update" => Ok(BatchOp::Update),
        "upsert" => Ok(BatchOp::Upsert),
        "read" => Ok(BatchOp::Read),
        "archive" => Ok(BatchOp::Archive),
        _ => Err(unknown()),
    }
}

fn dated(version: &str) -> bool {
    matches!(version, "2026-03" | "2026-09")
}

fn unknown() -> Refusal {
    Refusal::not_found()
}

fn wrong_method() -> Refusal {
    Refusal::new(405, "HTTP 405 Method Not Allowed")
}

#[cfg(test)]
mod tests {
    use super::Route;

    fn endpoint(method: &str, path: &str) -> Result<String, u16> {
        Route::parse(method, path)
            .map(|route| route.endpoint())
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn both_generations_of_paths_lead_to_the_same_endpoint() {
        let rows = [
            (
                "POST",
                "/crm/v3/objects/contacts/batch/upsert",
                "/crm/objects/2026-03/0-1/batch/upsert",
                "contacts/batch/upsert",
            ),
            (
                "POST",
                "/crm/v3/objects/companies/search",
                "/crm/objects/2026-09/companies/search",
                "companies/search",
            ),
            (
                "PATCH",
                "/crm/v3/objects/contact/7",
                "/crm/objects/2026-03/contacts/7",
                "contacts/update",
            ),
            (
                "POST",
                "/crm/v4/associations/contacts/companies/batch/create",
                "/crm/associations/2026-03/0-1/0-2/batch/create",
                "associations/contacts/companies/batch/create",
            ),
            (
                "PUT",
                "/crm/v4/objects/contacts/1/associations/companies/2",
                "/crm/objects/2026-03/contacts/1/associations/companies/2",
                "associations/contacts/companies/label",
            ),
            (
                "GET",
                "/crm/v4/associations/contacts/companies/labels",
                "/crm/associations/2026-03/contacts/companies/labels",
                "associations/contacts/companies/labels",
            ),
            (
                "GET",
                "/crm/v3/properties/contacts",
                "/crm/properties/2026-03/contacts",
                "properties/contacts/list",
            ),
            (
                "POST",
                "/oauth/v1/token",
                "/oauth/2026-03/token",
                "oauth/token",
            ),
            (
                "GET",
                "/account-info/v3/details",
                "/account-info/2026-03/details",
                "account-info/details",
            ),
        ];
        for (method, legacy, dated, expected) in rows {
            assert_eq!(
                endpoint(method, legacy).as_deref(),
                Ok(expected),
                "{legacy}"
            );
            assert_eq!(endpoint(method, dated).as_deref(), Ok(expected), "{dated}");
        }
    }

    #[test]
    fn what_is_not_there() {
        assert_eq!(endpoint("GET", "/crm/objects/2020-01/contacts"), Err(404));
        assert_eq!(endpoint("GET", "/nowhere"), Err(404));
        assert_eq!(endpoint("POST", "/crm/v3/objects/butterflies"), Err(400));
        assert_eq!(endpoint("PUT", "/crm/v3/objects/contacts"), Err(405));
    }
}
