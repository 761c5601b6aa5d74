//! What each endpoint is called, which limit it draws on and which scopes it needs.
//!
//! Which calls are outside the ten-second bucket is marked in HubSpot's specification (`x-hubspot-rate-limit-exemptions`).

use crate::associations::Direction;
use crate::limits::Bucket;
use crate::objects::ObjectType;
use crate::routes::{BatchOp, EventCall, ListCall, PairOp, Route, Verb};

impl Route {
    /// A stable name for counts, the same for both generations of paths.
    pub(crate) fn endpoint(&self) -> String {
        let verb = |verb: &Verb| match verb {
            Verb::List => "list",
            Verb::Create => "create",
            Verb::Read => "read",
            Verb::Update => "update",
            Verb::Delete => "delete",
        };
        let batch = |op: &BatchOp| match op {
            BatchOp::Create => "batch/create",
            BatchOp::Update => "batch/update",
            BatchOp::Upsert => "batch/upsert",
            BatchOp::Read => "batch/read",
            BatchOp::Archive => "batch/archive",
        };
        let pair = |op: &PairOp| match op {
            PairOp::Create | PairOp::LegacyCreate => "batch/create",
            PairOp::AssociateDefault => "batch/associate/default",
            PairOp::Archive | PairOp::LegacyArchive => "batch/archive",
            PairOp::ArchiveLabels => "batch/labels/archive",
            PairOp::Read | PairOp::LegacyRead => "batch/read",
        };
        let names = |(from, to): &Direction| format!("associations/{}/{}", from.name(), to.name());
        match self {
            Self::Batch(object, op) => format!("{}/{}", object.name(), batch(op)),
            Self::Search(object) => format!("{}/search", object.name()),
            Self::Records(object, what) | Self::Record(object, _, what) => {
                format!("{}/{}", object.name(), verb(what))
            }
            Self::PairBatch(direction, op, _) => format!("{}/{}", names(direction), pair(op)),
            Self::PairList { direction, .. } => format!("{}/list", names(direction)),
            Self::PairLabel(pair, _) | Self::PairLegacy(pair, _) => {
                format!("{}/label", names(&pair.direction))
            }
            Self::PairDefault(pair) => format!("{}/default", names(&pair.direction)),
            Self::PairRemove(pair) | Self::PairLegacyRemove(pair, _) => {
                format!("{}/delete", names(&pair.direction))
            }
            Self::Labels(direction, _) | Self::Label(direction, _) => {
                format!("{}/labels", names(direction))
            }
            Self::Properties(object, what) | Self::Property(object, _, what) => {
                format!("properties/{}/{}", object.name(), verb(what))
            }
            Self::PropertyBatch(object, op) => {
                format!("properties/{}/{}", object.name(), batch(op))
            }
            Self::Groups(object, what) | Self::Group(object, _, what) => {
                format!("properties/{}/groups/{}", object.name(), verb(what))
            }
            Self::Merge(object) => format!("{}/merge", object.name()),
            Self::Forget => "contacts/gdpr-delete".to_owned(),
            Self::Schemas(what) | Self::Schema(_, what) => format!("schemas/{}", verb(what)),
            Self::SchemaBatch => "schemas/batch/read".to_owned(),
            Self::SchemaAssociation(_) => "schemas/associations".to_owned(),
            Self::Pipelines(object, what) => format!("pipelines/{}/{}", object.name(), verb(what)),
            Self::Pipeline { object, .. } => format!("pipelines/{}/read", object.name()),
            Self::Lists(call) => format!("lists/{}", call.name()),
            Self::Events(call) => format!("events/{}", call.name()),
            Self::PairLimits(_) => "associations/configurations".to_owned(),
            Self::Usage(_) => "limits".to_owned(),
            Self::AccountDetails => "account-info/details".to_owned(),
            Self::AccountUsage => "account-info/api-usage".to_owned(),
            Self::Authorize => "oauth/authorize".to_owned(),
            Self::Token => "oauth/token".to_owned(),
            Self::Introspect | Self::TokenInfo(_) | Self::RefreshTokenInfo(_) => {
                "oauth/introspect".to_owned()
            }
            Self::Revoke | Self::DropRefreshToken(_) => "oauth/revoke".to_owned(),
        }
    }

    /// The limit a call draws on.
    pub(crate) fn bucket(&self) -> Bucket {
        match self {
            Self::Search(_) => Bucket::Search,
            Self::PairBatch(..) | Self::Labels(..) | Self::Label(..) | Self::PairLimits(_) => {
                Bucket::Associations
            }
            Self::Events(EventCall::Send | EventCall::SendBatch) => Bucket::Events,
            route if !route.needs_token() => Bucket::Free,
            _ => Bucket::Burst,
        }
    }

    /// Inputs one call carries at most; 0 for calls that are no batch.
    pub(crate) fn max_inputs(&self) -> u64 {
        match self {
            Self::Batch(..) | Self::PropertyBatch(..) => 100,
            Self::PairBatch(_, PairOp::Read | PairOp::LegacyRead, _) => 1_000,
            Self::PairBatch(..) => 2_000,
            Self::Events(EventCall::SendBatch) => 500,
            _ => 0,
        }
    }

    /// The scope a call needs, if any.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let records = |object: &ObjectType, write: bool| {
            vec![format!(
                "crm.objects.{}.{}",
                object.scope(),
                if write { "write" } else { "read" }
            )]
        };
        let schema = |object: &ObjectType, write: bool| {
            vec![format!(
                "crm.schemas.{}.{}",
                object.scope(),
                if write { "write" } else { "read" }
            )]
        };
        let both = |(from, to): &Direction, write: bool| {
            let mut scopes = records(from, write);
            scopes.extend(records(to, write));
            scopes
        };
        let reads = |verb: &Verb| matches!(verb, Verb::List | Verb::Read);
        match self {
            Self::Batch(object, op) => records(object, *op != BatchOp::Read),
            Self::Search(object) => records(object, false),
            Self::Records(object, verb) | Self::Record(object, _, verb) => {
                records(object, !reads(verb))
            }
            Self::PairBatch(direction, op, _) => {
                both(direction, !matches!(op, PairOp::Read | PairOp::LegacyRead))
            }
            Self::PairList { direction, .. }
            | Self::Labels(direction, _)
            | Self::Label(direction, _) => both(direction, false),
            Self::PairLabel(pair, _)
            | Self::PairDefault(pair)
            | Self::PairRemove(pair)
            | Self::PairLegacy(pair, _)
            | Self::PairLegacyRemove(pair, _) => both(&pair.direction, true),
            Self::Properties(object, verb)
            | Self::Property(object, _, verb)
            | Self::Groups(object, verb)
            | Self::Group(object, _, verb) => match reads(verb) {
                // Any scope of the object reads its definitions.
                true => [schema(object, false), records(object, false)].concat(),
                false => schema(object, true),
            },
            Self::PropertyBatch(object, BatchOp::Read) => {
                [schema(object, false), records(object, false)].concat()
            }
            Self::PropertyBatch(object, _) => schema(object, true),
            Self::Merge(object) => records(object, true),
            Self::Forget => records(&ObjectType::Contacts, true),
            Self::Schemas(verb) | Self::Schema(ObjectType::Custom(_), verb) => {
                let custom = &ObjectType::Custom(0);
                match reads(verb) {
                    true => [schema(custom, false), records(custom, false)].concat(),
                    false => schema(custom, true),
                }
            }
            Self::Schema(object, _) => [schema(object, false), records(object, false)].concat(),
            Self::SchemaBatch => [
                schema(&ObjectType::Custom(0), false),
                records(&ObjectType::Custom(0), false),
            ]
            .concat(),
            Self::SchemaAssociation(object) => schema(object, true),
            Self::Pipelines(object, verb) => records(object, !reads(verb)),
            Self::Pipeline { object, .. } => records(object, false),
            Self::Lists(call) => {
                let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
                match call {
                    ListCall::Create | ListCall::Rename(_) | ListCall::Delete(_) => {
                        own(&["crm.lists.write"])
                    }
                    ListCall::AddAndRemove(_)
                    | ListCall::Add(_)
                    | ListCall::Remove(_)
                    | ListCall::AddFrom(..)
                    | ListCall::Clear(_) => own(&["crm.lists.read", "crm.lists.write"]),
                    _ => own(&["crm.lists.read"]),
                }
            }
            Self::Events(EventCall::Send | EventCall::SendBatch) => {
                vec!["analytics.behavioral_events.send".to_owned()]
            }
            Self::Events(EventCall::Occurrences) => Vec::new(),
            Self::Events(_) => vec!["behavioral_events.event_definitions.read_write".to_owned()],
            Self::PairLimits(_)
            | Self::Usage(_)
            | Self::AccountDetails
            | Self::AccountUsage
            | Self::Authorize
            | Self::Token
            | Self::Introspect
            | Self::Revoke
            | Self::TokenInfo(_)
            | Self::RefreshTokenInfo(_)
            | Self::DropRefreshToken(_) => Vec::new(),
        }
    }

    /// Whether one of the scopes is enough (definitions) instead of all of them.
    pub(crate) fn any_scope(&self) -> bool {
        matches!(
            self,
            Self::Properties(..)
                | Self::Property(..)
                | Self::Groups(..)
                | Self::Group(..)
                | Self::PropertyBatch(..)
                | Self::Schemas(..)
                | Self::Schema(..)
                | Self::SchemaBatch
        )
    }

    /// Token endpoints are called without a bearer token.
    pub(crate) fn needs_token(&self) -> bool {
        !matches!(
            self,
            Self::Authorize
                | Self::Token
                | Self::Introspect
                | Self::Revoke
                | Self::TokenInfo(_)
                | Self::RefreshTokenInfo(_)
                | Self::DropRefreshToken(_)
        )
    }

    /// The object type whose records a call writes.
    pub(crate) fn writes(&self) -> Option<ObjectType> {
        match self {
            Self::Batch(object, op) if *op != BatchOp::Read => Some(*object),
            Self::Records(object, verb) | Self::Record(object, _, verb)
                if !matches!(verb, Verb::List | Verb::Read) =>
            {
                Some(*object)
            }
            Self::Merge(object) => Some(*object),
            Self::Forget => Some(ObjectType::Contacts),
            _ => None,
        }
    }

    /// The product of the account that a call is part of, besides those every account has.
    pub(crate) fn product(&self) -> Option<Product> {
        let own = |object: &ObjectType| {
            matches!(object, ObjectType::Custom(_)).then_some(Product::CustomObjects)
        };
        match self {
            Self::Events(_) => Some(Product::CustomEvents),
            Self::Schemas(_) | Self::SchemaBatch | Self::SchemaAssociation(_) => {
                Some(Product::CustomObjects)
            }
            Self::Batch(object, _)
            | Self::Search(object)
            | Self::Records(object, _)
            | Self::Record(object, ..)
            | Self::Schema(object, _)
            | Self::Properties(object, _)
            | Self::Property(object, ..)
            | Self::PropertyBatch(object, _) => own(object),
            _ => None,
        }
    }
}

/// A product that only some subscriptions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    CustomEvents,
    CustomObjects,
}

impl ListCall {
    fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::GetMany | Self::Get(_) => "read",
            Self::Search => "search",
            Self::ByName(..) => "by-name",
            Self::Rename(_) => "rename",
            Self::Delete(_) => "delete",
            Self::Members(_) => "memberships/read",
            Self::AddAndRemove(_) => "memberships/add-and-remove",
            Self::Add(_) => "memberships/add",
            Self::Remove(_) => "memberships/remove",
            Self::AddFrom(..) => "memberships/add-from",
            Self::Clear(_) => "memberships/clear",
            Self::OfRecord(..) | Self::OfRecords => "memberships/of-records",
        }
    }
}

impl EventCall {
    fn name(&self) -> &'static str {
        match self {
            Self::Definitions => "definitions/list",
            Self::Define => "definitions/create",
            Self::Definition(_) => "definitions/read",
            Self::Redefine(_) => "definitions/update",
            Self::Undefine(_) => "definitions/delete",
            Self::AddProperty(_) => "definitions/property/create",
            Self::ChangeProperty(..) => "definitions/property/update",
            Self::RemoveProperty(..) => "definitions/property/delete",
            Self::Send => "send",
            Self::SendBatch => "send/batch",
            Self::Occurrences => "occurrences",
        }
    }
}
