//! What each endpoint is called, which limit it draws on and which scopes it needs.
//!
//! Which calls are outside the ten-second bucket is marked in HubSpot's specification (`x-hubspot-rate-limit-exemptions`).

use crate::associations::Direction;
use crate::limits::Bucket;
use crate::objects::ObjectType;
use crate::routes::{BatchOp, PairOp, Route, Verb};

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
            Self::AccountDetails => "account-info/details".to_owned(),
            Self::AccountUsage => "account-info/api-usage".to_owned(),
            Self::Token => "oauth/token".to_owned(),
            Self::Introspect | Self::TokenInfo(_) | Self::RefreshTokenInfo(_) => {
                "oauth/introspect".to_owned()
            }
        }
    }

    /// The limit a call draws on.
    pub(crate) fn bucket(&self) -> Bucket {
        match self {
            Self::Search(_) => Bucket::Search,
            Self::PairBatch(..) | Self::Labels(..) | Self::Label(..) => Bucket::Associations,
            Self::Token | Self::Introspect | Self::TokenInfo(_) | Self::RefreshTokenInfo(_) => {
                Bucket::Free
            }
            _ => Bucket::Burst,
        }
    }

    /// Inputs one call carries at most; 0 for calls that are no batch.
    pub(crate) fn max_inputs(&self) -> u64 {
        match self {
            Self::Batch(..) | Self::PropertyBatch(..) => 100,
            Self::PairBatch(_, PairOp::Read | PairOp::LegacyRead, _) => 1_000,
            Self::PairBatch(..) => 2_000,
            _ => 0,
        }
    }

    /// The scope a call needs, if any.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let records = |object: &ObjectType, write: bool| {
            vec![format!(
                "crm.objects.{}.{}",
                object.name(),
                if write { "write" } else { "read" }
            )]
        };
        let schema = |object: &ObjectType, write: bool| {
            vec![format!(
                "crm.schemas.{}.{}",
                object.name(),
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
            Self::AccountDetails
            | Self::AccountUsage
            | Self::Token
            | Self::Introspect
            | Self::TokenInfo(_)
            | Self::RefreshTokenInfo(_) => Vec::new(),
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
        )
    }

    /// Token endpoints are called without a bearer token.
    pub(crate) fn needs_token(&self) -> bool {
        !matches!(
            self,
            Self::Token | Self::Introspect | Self::TokenInfo(_) | Self::RefreshTokenInfo(_)
        )
    }
}
