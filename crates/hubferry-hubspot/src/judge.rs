//! From an error to the outcome of a step.

use std::time::Duration;

use hubferry_actions::PropertyName;

use crate::call::{Bucket, Request};
use crate::classify::{Kind, Ruling, classify};
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::outcome::{
    Cause, Code, Done, ErrorClass, Fact, Hold, HoldScope, Outcome, Rejection, Resume,
};
use crate::words;

/// The lock of HubSpot's write locks (hubspot-api.md §8.2).
const LOCK: Duration = Duration::from_secs(2);
/// The window of limits per second.
const SECOND: Duration = Duration::from_secs(1);

/// An error, understood.
pub(crate) struct Judged<'a> {
    request: &'a Request,
    failure: &'a Failure,
    pub(crate) ruling: Ruling,
    property: Option<PropertyName>,
    message: String,
    wait: Option<Duration>,
}

impl<'a> Judged<'a> {
    /// Judges an error about the inputs `about`, whose values are masked; `wait` is what `Retry-After` asked for.
    pub(crate) fn new(
        request: &'a Request,
        inputs: &Inputs<'a>,
        about: &[usize],
        failure: &'a Failure,
        wait: Option<Duration>,
    ) -> Self {
        let (ruling, deciding) = classify(Kind::of(request), failure);
        let values: Vec<&str> = about.iter().flat_map(|&at| inputs.values(at)).collect();
        let code = match ruling {
            Ruling::Refused(code, _)
            | Ruling::NamedRefused(code, _)
            | Ruling::AllRefused(code, _) => Some(code),
            _ => None,
        };
        Self {
            request,
            failure,
            ruling,
            property: deciding
                .and_then(|detail| detail.property.as_deref())
                .map(PropertyName::new),
            message: words::of_failure(failure, deciding, code, &values),
            wait,
        }
    }

    /// What a step comes to that the error is about.
    pub(crate) fn outcome(&self, at: usize) -> Outcome {
        match self.ruling {
            Ruling::DailyLimit => self.throttled(Resume::Midnight),
            Ruling::SecondlyLimit => self.throttled(Resume::After(
                self.wait.map_or(SECOND, |wait| wait.max(SECOND)),
            )),
            Ruling::BurstLimit | Ruling::RateLimit => {
                self.throttled(self.wait.map_or(Resume::Limiter, Resume::After))
            }
            Ruling::Server => self.transient(Cause::Server(self.failure.status)),
            Ruling::Locked => Outcome::Transient {
                cause: Cause::Locked,
                after: Some(self.wait.map_or(LOCK, |wait| wait.max(LOCK))),
            },
            Ruling::Migrating => self.transient(Cause::Migrating),
            Ruling::Auth => Outcome::Held {
                scope: HoldScope::Portal,
                reason: Hold::Auth {
                    message: self.message.clone(),
                },
            },
            Ruling::Scope => self.held(Hold::Scope {
                message: self.scope_message(),
            }),
            Ruling::Config => self.held(Hold::Config {
                message: self.message.clone(),
            }),
            Ruling::Missing => self.missing(),
            Ruling::Taken => match &self.failure.existing {
                Some(id) => Outcome::Exists(id.clone()),
                None => self.rejected(Code::NotUnique, ErrorClass::Conflict),
            },
            Ruling::There => Outcome::Done(Done::There),
            Ruling::Absent => Outcome::Done(Done::Learned(Fact::Absent)),
            Ruling::Unchanged => self.unchanged(at),
            Ruling::Refused(code, class)
            | Ruling::NamedRefused(code, class)
            | Ruling::AllRefused(code, class) => self.rejected(code, class),
        }
    }

    fn throttled(&self, resume: Resume) -> Outcome {
        let own = self.request.endpoint().bucket();
        // What has a limit per second cannot have hit one of ten seconds. Association batches have one of ten seconds of
        // their own, whose answers were never recorded: trust the endpoint there.
        let bucket = match (self.ruling, own) {
            (Ruling::BurstLimit, Bucket::Search | Bucket::EventSends) => Bucket::Burst,
            _ => own,
        };
        Outcome::Throttled { resume, bucket }
    }

    fn transient(&self, cause: Cause) -> Outcome {
        Outcome::Transient {
            cause,
            after: self.wait,
        }
    }

    fn held(&self, reason: Hold) -> Outcome {
        Outcome::Held {
            scope: HoldScope::Mapping,
            reason,
        }
    }

    /// A call that is held as a whole because what it asks for is not there.
    pub(crate) fn misconfigured(&self) -> Outcome {
        self.held(Hold::Config {
            message: self.message.clone(),
        })
    }

    fn missing(&self) -> Outcome {
        match self.request {
            Request::Read { .. } => Outcome::Done(Done::Found(Vec::new())),
            Request::Update { .. }
            | Request::Link { .. }
            | Request::ChangeMembers { .. }
            | Request::Archive { .. }
            | Request::GdprDelete { .. } => Outcome::Gone,
            _ => self.rejected(Code::HubspotRejected, ErrorClass::Missing),
        }
    }

    fn unchanged(&self, at: usize) -> Outcome {
        match self.request {
            Request::Update { inputs, .. } => Outcome::Done(Done::Written {
                id: inputs[at].id.clone(),
                created: Some(false),
                stage: None,
            }),
            _ => self.rejected(Code::HubspotRejected, ErrorClass::Input),
        }
    }

    fn rejected(&self, code: Code, class: ErrorClass) -> Outcome {
        Outcome::Rejected(self.rejection(code, class))
    }

    /// The reason as it stands for one step.
    pub(crate) fn rejection(&self, code: Code, class: ErrorClass) -> Rejection {
        Rejection {
            code,
            class,
            status: Some(self.failure.status),
            category: self.failure.category.clone(),
            sub_category: self.failure.sub_category.clone(),
            property: self.property.clone(),
            message: self.message.clone(),
            correlation_id: self.failure.correlation_id.clone(),
        }
    }

    fn scope_message(&self) -> String {
        if self.failure.scopes.is_empty() {
            self.message.clone()
        } else {
            words::of_scopes(&self.failure.scopes)
        }
    }
}
