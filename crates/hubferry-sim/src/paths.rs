//! From method and path to what is asked: the dated paths and the legacy ones lead to the same endpoints.

use crate::answer::Refusal;
use crate::associations::Direction;
use crate::objects::{Names, ObjectType};
use crate::routes::{
    BatchOp, Era, EventCall, LimitCall, ListCall, Pair, PairOp, Route, UsageCall, Verb,
};
use crate::urls::percent_decoded;

impl Route {
    /// Reads a call. Unknown paths are a 404, unknown object types a 400.
    pub(crate) fn parse(method: &str, path: &str, names: &Names) -> Result<Self, Refusal> {
        let decoded: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decoded)
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        Reader { method, names }.read(&parts)
    }
}

/// The two things every part of a path is read with.
#[derive(Clone, Copy)]
struct Reader<'a> {
    method: &'a str,
    names: &'a Names,
}

impl Reader<'_> {
    fn read(self, parts: &[&str]) -> Result<Route, Refusal> {
        match parts {
            ["crm", area, version, rest @ ..] if dated(version) => self.crm(area, rest, Era::Dated),
            ["crm", "associations", "v4", rest @ ..] => self.associations(rest, Era::Legacy),
            ["crm", "v4", "associations", rest @ ..] => self.associations(rest, Era::Legacy),
            ["crm", "v3", "associations", from, to, "batch", op] => {
                self.legacy_associations(from, to, op)
            }
            ["crm", "v4", "objects", rest @ ..] => self.objects(rest, Era::Legacy),
            ["crm", "v3", "schemas", rest @ ..] => self.schemas(rest),
            ["crm", "v3", area, rest @ ..] if *area != "associations" => {
                self.crm(area, rest, Era::Legacy)
            }
            ["crm-object-schemas", version, "schemas", rest @ ..]
                if *version == "v3" || dated(version) =>
            {
                self.schemas(rest)
            }
            ["events", "v3" | "2026-03", rest @ ..] => self.events(rest),
            ["events", "custom", version, rest @ ..] if dated(version) || *version == "2025-09" => {
                self.events(rest)
            }
            ["events", "event-occurrences", version] if dated(version) => self.events(&["events"]),
            ["account-info", version, rest @ ..] if *version == "v3" || dated(version) => {
                account(self.method, rest)
            }
            ["oauth", "authorize"] if self.method == "GET" => Ok(Route::Authorize),
            ["oauth", version, rest @ ..] if matches!(*version, "v1" | "v3") || dated(version) => {
                oauth(self.method, rest)
            }
            _ => Err(unknown()),
        }
    }

    /// What stands under `/crm/{area}/{V}` and `/crm/v3/{area}` alike.
    fn crm(self, area: &str, rest: &[&str], era: Era) -> Result<Route, Refusal> {
        match area {
            "objects" => self.objects(rest, era),
            "associations" => self.associations(rest, era),
            "properties" => self.properties(rest),
            "pipelines" => self.pipelines(rest),
            "lists" => self.lists(rest).map(Route::Lists),
            "limits" => self.limits(rest).map(Route::Usage),
            _ => Err(unknown()),
        }
    }

    fn object(self, text: &str) -> Result<ObjectType, Refusal> {
        let known = self.names.resolve(text);
        known.ok_or_else(|| Refusal::unknown_object(text))
    }

    fn direction(self, from: &str, to: &str) -> Result<Direction, Refusal> {
        Ok((self.object(from)?, self.object(to)?))
    }

    fn schemas(self, rest: &[&str]) -> Result<Route, Refusal> {
        match (self.method, rest) {
            ("GET", []) => Ok(Route::Schemas(Verb::List)),
            ("POST", []) => Ok(Route::Schemas(Verb::Create)),
            ("POST", ["batch", "read"]) => Ok(Route::SchemaBatch),
            ("GET", [name]) => Ok(Route::Schema(self.object(name)?, Verb::Read)),
            ("PATCH", [name]) => Ok(Route::Schema(self.object(name)?, Verb::Update)),
            ("DELETE", [name]) => Ok(Route::Schema(self.object(name)?, Verb::Delete)),
            ("POST", [name, "associations"]) => Ok(Route::SchemaAssociation(self.object(name)?)),
            (_, [] | [_] | [_, "associations"]) => Err(wrong_method()),
            _ => Err(unknown()),
        }
    }

    fn pipelines(self, rest: &[&str]) -> Result<Route, Refusal> {
        let one = |object, id: &str, stages| Route::Pipeline {
            object,
            id: id.to_owned(),
            stages,
        };
        match (self.method, rest) {
            ("GET", [name]) => Ok(Route::Pipelines(self.object(name)?, Verb::List)),
            ("POST", [name]) => Ok(Route::Pipelines(self.object(name)?, Verb::Create)),
            ("GET", [name, id]) => Ok(one(self.object(name)?, id, false)),
            ("GET", [name, id, "stages"]) => Ok(one(self.object(name)?, id, true)),
            (_, [_] | [_, _]) => Err(wrong_method()),
            _ => Err(unknown()),
        }
    }

    fn lists(self, rest: &[&str]) -> Result<ListCall, Refusal> {
        let id = |id: &str| id.to_owned();
        match (self.method, rest) {
            ("POST", []) => Ok(ListCall::Create),
            ("GET", []) => Ok(ListCall::GetMany),
            ("POST", ["search"]) => Ok(ListCall::Search),
            ("GET", ["object-type-id", object, "name", name]) => {
                Ok(ListCall::ByName(self.object(object)?, id(name)))
            }
            ("GET", ["records", object, record, "memberships"]) => {
                Ok(ListCall::OfRecord(self.object(object)?, id(record)))
            }
            ("POST", ["records", "memberships", "batch", "read"]) => Ok(ListCall::OfRecords),
            ("GET", [list]) => Ok(ListCall::Get(id(list))),
            ("DELETE", [list]) => Ok(ListCall::Delete(id(list))),
            ("PUT", [list, "update-list-name"]) => Ok(ListCall::Rename(id(list))),
            ("GET", [list, "memberships"]) => Ok(ListCall::Members(id(list))),
            ("DELETE", [list, "memberships"]) => Ok(ListCall::Clear(id(list))),
            ("PUT", [list, "memberships", "add-and-remove"]) => {
                Ok(ListCall::AddAndRemove(id(list)))
            }
            ("PUT", [list, "memberships", "add"]) => Ok(ListCall::Add(id(list))),
            ("PUT", [list, "memberships", "remove"]) => Ok(ListCall::Remove(id(list))),
            ("PUT", [list, "memberships", "add-from", source]) => {
                Ok(ListCall::AddFrom(id(list), id(source)))
            }
            (_, [] | [_] | [_, "memberships", ..]) => Err(wrong_method()),
            _ => Err(unknown()),
        }
    }

    fn events(self, rest: &[&str]) -> Result<Route, Refusal> {
        let text = |text: &str| text.to_owned();
        let call = match (self.method, rest) {
            ("POST", ["send"]) => EventCall::Send,
            ("POST", ["send", "batch"]) => EventCall::SendBatch,
            ("GET", ["events"]) => EventCall::Occurrences,
            ("GET", ["event-definitions"]) => EventCall::Definitions,
            ("POST", ["event-definitions"]) => EventCall::Define,
            ("GET", ["event-definitions", name]) => EventCall::Definition(text(name)),
            ("PATCH", ["event-definitions", name]) => EventCall::Redefine(text(name)),
            ("DELETE", ["event-definitions", name]) => EventCall::Undefine(text(name)),
            ("POST", ["event-definitions", name, "property"]) => EventCall::AddProperty(text(name)),
            ("PATCH", ["event-definitions", name, "property", property]) => {
                EventCall::ChangeProperty(text(name), text(property))
            }
            ("DELETE", ["event-definitions", name, "property", property]) => {
                EventCall::RemoveProperty(text(name), text(property))
            }
            (_, ["send", ..] | ["event-definitions", ..] | ["events"]) => {
                return Err(wrong_method());
            }
            _ => return Err(unknown()),
        };
        Ok(Route::Events(call))
    }

    fn limits(self, rest: &[&str]) -> Result<UsageCall, Refusal> {
        match (self.method, rest) {
            ("GET", ["custom-properties"]) => Ok(UsageCall::Properties),
            ("GET", ["associations", "labels"]) => Ok(UsageCall::Labels),
            ("GET", ["associations", "records", "from"]) => Ok(UsageCall::RecordsFrom),
            ("GET", ["associations", "records", from, "to"]) => {
                Ok(UsageCall::RecordsTo(self.object(from)?))
            }
            ("GET", ["associations", "records", from, to]) => {
                Ok(UsageCall::Records(self.direction(from, to)?))
            }
            _ => Err(unknown()),
        }
    }

    fn pair_limits(self, rest: &[&str], era: Era) -> Result<Route, Refusal> {
        let call = match (self.method, rest) {
            ("GET", ["all"]) => LimitCall::All,
            ("GET", [from, to]) => LimitCall::OfPair(self.direction(from, to)?),
            ("POST", [from, to, "batch", "create"]) => {
                LimitCall::Set(self.direction(from, to)?, 201)
            }
            ("POST", [from, to, "batch", "update"]) => {
                LimitCall::Set(self.direction(from, to)?, 200)
            }
            ("POST", [from, to, "batch", "purge"]) => {
                LimitCall::Purge(self.direction(from, to)?, era)
            }
            _ => return Err(unknown()),
        };
        Ok(Route::PairLimits(call))
    }

    fn objects(self, rest: &[&str], era: Era) -> Result<Route, Refusal> {
        let object = |text: &str| self.object(text);
        let pair = |from: &str, id: &str, to: &str, to_id: &str| -> Result<Pair, Refusal> {
            Ok(Pair {
                direction: (object(from)?, object(to)?),
                from: id.to_owned(),
                to: to_id.to_owned(),
            })
        };
        match (self.method, rest) {
            ("POST", [name]) => Ok(Route::Records(object(name)?, Verb::Create)),
            ("GET", [name]) => Ok(Route::Records(object(name)?, Verb::List)),
            ("POST", [name, "search"]) => Ok(Route::Search(object(name)?)),
            ("POST", [name, "merge"]) => Ok(Route::Merge(object(name)?)),
            ("POST", [name, "gdpr-delete"]) if object(name)? == ObjectType::Contacts => {
                Ok(Route::Forget)
            }
            ("POST", [name, "batch", op]) => Ok(Route::Batch(object(name)?, batch_op(op)?)),
            ("GET", [name, id]) => Ok(Route::Record(object(name)?, (*id).to_owned(), Verb::Read)),
            ("PATCH", [name, id]) => {
                Ok(Route::Record(object(name)?, (*id).to_owned(), Verb::Update))
            }
            ("DELETE", [name, id]) => {
                Ok(Route::Record(object(name)?, (*id).to_owned(), Verb::Delete))
            }
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

    fn associations(self, rest: &[&str], era: Era) -> Result<Route, Refusal> {
        if let ["definitions", "configurations", rest @ ..] = rest {
            return self.pair_limits(rest, era);
        }
        let [from, to, rest @ ..] = rest else {
            return Err(unknown());
        };
        let direction = self.direction(from, to)?;
        let batch = |op| Ok(Route::PairBatch(direction, op, era));
        match (self.method, rest) {
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

    fn legacy_associations(self, from: &str, to: &str, op: &str) -> Result<Route, Refusal> {
        let direction = self.direction(from, to)?;
        let op = match op {
            "create" => PairOp::LegacyCreate,
            "archive" => PairOp::LegacyArchive,
            "read" => PairOp::LegacyRead,
            _ => return Err(unknown()),
        };
        match self.method {
            "POST" => Ok(Route::PairBatch(direction, op, Era::Legacy)),
            _ => Err(wrong_method()),
        }
    }

    fn properties(self, rest: &[&str]) -> Result<Route, Refusal> {
        let [name, rest @ ..] = rest else {
            return Err(unknown());
        };
        let object = self.object(name)?;
        match (self.method, rest) {
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
            ("PATCH", ["groups", group]) => {
                Ok(Route::Group(object, (*group).to_owned(), Verb::Update))
            }
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
        ("POST", ["token", "revoke"]) => Ok(Route::Revoke),
        ("DELETE", ["refresh-tokens", token]) => Ok(Route::DropRefreshToken((*token).to_owned())),
        ("GET", ["access-tokens", token]) => Ok(Route::TokenInfo((*token).to_owned())),
        ("GET", ["refresh-tokens", token]) => Ok(Route::RefreshTokenInfo((*token).to_owned())),
        _ => Err(unknown()),
    }
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
    use crate::objects::Names;
    use crate::routes::Route;

    fn endpoint(method: &str, path: &str) -> Result<String, u16> {
        Route::parse(method, path, &Names::default())
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
                "GET",
                "/crm/v3/schemas",
                "/crm-object-schemas/2026-09/schemas",
                "schemas/list",
            ),
            (
                "GET",
                "/crm-object-schemas/v3/schemas/deals",
                "/crm-object-schemas/2026-03/schemas/0-3",
                "schemas/read",
            ),
            (
                "PUT",
                "/crm/v3/lists/9/memberships/add-and-remove",
                "/crm/lists/2026-03/9/memberships/add-and-remove",
                "lists/memberships/add-and-remove",
            ),
            (
                "POST",
                "/events/v3/send/batch",
                "/events/2026-03/send/batch",
                "events/send/batch",
            ),
            (
                "GET",
                "/events/v3/event-definitions/bought/",
                "/events/custom/2026-09/event-definitions/bought",
                "events/definitions/read",
            ),
            (
                "GET",
                "/events/v3/events",
                "/events/event-occurrences/2026-03",
                "events/occurrences",
            ),
            (
                "GET",
                "/crm/associations/v4/definitions/configurations/all",
                "/crm/associations/2026-03/definitions/configurations/all",
                "associations/configurations",
            ),
            (
                "GET",
                "/crm/v3/limits/custom-properties",
                "/crm/limits/2026-09/custom-properties",
                "limits",
            ),
            (
                "GET",
                "/crm/v3/pipelines/deals",
                "/crm/pipelines/2026-03/0-3",
                "pipelines/deals/list",
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
        assert_eq!(endpoint("POST", "/events/2026-09/send"), Err(404));
        assert_eq!(endpoint("POST", "/crm/v3/objects/butterflies"), Err(400));
        assert_eq!(endpoint("PUT", "/crm/v3/objects/contacts"), Err(405));
    }
}
