//! What a portal has, for people: its types, properties, groups, labels, lists, event definitions and limits. Plain calls
//! beside the scheduler, for commands; every page is read.

mod entries;
mod token;

use std::time::Duration;

use bytes::Bytes;
use hubferry_actions::{ObjectType, Sensitivity};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use self::entries::{
    AssociationLabel, DailyUsage, EventEntry, EventPropertyEntry, ListEntry, ObjectSchema,
    PropertyEntry, PropertyGroup,
};
pub use self::token::TokenInfo;

use crate::answer::Answer;
use crate::client::Client;
use crate::clock;
use crate::failure::Failure;
use crate::headers;
use crate::json::{flag, items, text};
use crate::paths::{Parts, Route, add_query, class_query};
use crate::probe::{self, ProbeError};
use crate::transport::Ask;
use crate::words;

/// How often a call is made that HubSpot is too busy for.
const ATTEMPTS: u32 = 4;
/// The wait between them when HubSpot asks for none.
const PAUSE: Duration = Duration::from_secs(1);
/// The most pages of one list; a guard against paging that never ends.
const MAX_PAGES: usize = 1_000;
/// The most entries of one page of event definitions and schemas.
const PAGE: &str = "100";
/// The most lists of one page (hubspot-api.md §6).
const LISTS_PAGE: u64 = 500;

/// Why something of the portal could not be read. Each is one line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The token lacks a scope, or the portal the product tier.
    #[error("the token may not read {what}: {message}")]
    Forbidden {
        /// What was to be read.
        what: &'static str,
        /// HubSpot's words, redacted, or the scopes that are missing.
        message: String,
    },
    /// HubSpot does not know what was asked about.
    #[error("HubSpot did not list {what}: {message}")]
    Refused {
        /// What was to be read.
        what: &'static str,
        /// HubSpot's words, redacted.
        message: String,
    },
    /// Pages that lead back to themselves, or too many of them.
    #[error("the pages of {what} do not end")]
    Endless {
        /// What was to be read.
        what: &'static str,
    },
    /// HubSpot was not reached, or does not accept the token.
    #[error(transparent)]
    Unreachable(ProbeError),
}

/// Reads what a portal has; made by [`Client::directory`]. Dropping a future leaves nothing behind.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    client: &'a Client,
    stop: &'a CancellationToken,
}

/// One thing to read.
#[derive(Clone, Copy)]
struct Topic<'a> {
    what: &'static str,
    route: Route,
    parts: Parts<'a>,
    query: &'a [(&'a str, &'a str)],
}

impl Client {
    /// What the portal has. Its calls go out at once, beside any limiter: it is for commands, not for events.
    #[must_use]
    pub const fn directory<'a>(&'a self, stop: &'a CancellationToken) -> Directory<'a> {
        Directory { client: self, stop }
    }
}

impl Directory<'_> {
    /// The custom object types, by label.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached or refuses; portals below Enterprise are refused.
    pub async fn object_schemas(&self) -> Result<Vec<ObjectSchema>, DirectoryError> {
        let topic = Topic {
            what: "object schemas",
            route: Route::Schemas,
            parts: Parts::default(),
            query: &[("archived", "false")],
        };
        let mut schemas: Vec<ObjectSchema> = self.all(topic, ObjectSchema::read).await?;
        schemas.sort_by(|a, b| (&a.plural, &a.full_name).cmp(&(&b.plural, &b.full_name)));
        Ok(schemas)
    }

    /// The properties of a type, of every class of sensitivity the token may see, by label whatever the case.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached, does not know the type, or refuses the plain class. A refusal of a sensitive class
    /// leaves out that class alone.
    pub async fn properties(
        &self,
        object: &ObjectType,
    ) -> Result<Vec<PropertyEntry>, DirectoryError> {
        let mut properties = self.properties_of(object, Sensitivity::Plain).await?;
        for class in [Sensitivity::Sensitive, Sensitivity::HighlySensitive] {
            match self.properties_of(object, class).await {
                Ok(more) => properties.extend(more),
                Err(DirectoryError::Forbidden { .. } | DirectoryError::Refused { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        properties.sort_by_cached_key(|entry| {
            (
                entry.info.label.to_lowercase(),
                entry.name.as_str().to_owned(),
            )
        });
        properties.dedup_by(|a, b| a.name == b.name);
        Ok(properties)
    }

    /// The properties of a type of one class of sensitivity.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached, does not know the type, or refuses the class.
    pub async fn properties_of(
        &self,
        object: &ObjectType,
        class: Sensitivity,
    ) -> Result<Vec<PropertyEntry>, DirectoryError> {
        let topic = Topic {
            what: "properties",
            route: Route::Properties,
            parts: on(object),
            query: class_query(class),
        };
        self.all(topic, |shown| PropertyEntry::read(shown, class))
            .await
    }

    /// The property groups of a type, by label.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached, does not know the type, or refuses.
    pub async fn property_groups(
        &self,
        object: &ObjectType,
    ) -> Result<Vec<PropertyGroup>, DirectoryError> {
        let topic = Topic {
            what: "property groups",
            route: Route::Groups,
            parts: on(object),
            query: &[],
        };
        let mut groups: Vec<PropertyGroup> = self.all(topic, PropertyGroup::read).await?;
        groups.sort_by(|a, b| (&a.label, &a.name).cmp(&(&b.label, &b.name)));
        Ok(groups)
    }

    /// The labels of associations from one type to another, the unlabelled ones first, then by label.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached, does not know a type, or refuses.
    pub async fn association_labels(
        &self,
        from: &ObjectType,
        to: &ObjectType,
    ) -> Result<Vec<AssociationLabel>, DirectoryError> {
        let topic = Topic {
            what: "association labels",
            route: Route::Labels,
            parts: Parts {
                object: from.as_str(),
                to: to.as_str(),
            },
            query: &[],
        };
        let mut labels: Vec<AssociationLabel> = self.all(topic, AssociationLabel::read).await?;
        labels.sort_by(|a, b| (&a.label, a.kind.type_id).cmp(&(&b.label, b.kind.type_id)));
        Ok(labels)
    }

    /// The lists of a type, or of all types, by name.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached or refuses.
    pub async fn lists(&self, type_id: Option<&str>) -> Result<Vec<ListEntry>, DirectoryError> {
        let what = "lists";
        let mut lists = Vec::new();
        let mut offset = 0_u64;
        for _ in 0..MAX_PAGES {
            let mut wanted = json!({"offset": offset, "count": LISTS_PAGE});
            if let Some(type_id) = type_id {
                wanted["objectTypeId"] = json!(type_id);
            }
            let ask = self.posting(Route::ListSearch, wanted.to_string());
            let page = self.asked(what, &ask).await?;
            let found = items(&page, "lists");
            lists.extend(found.iter().filter_map(ListEntry::read));
            let next = text(&page, "offset").and_then(|next| next.parse().ok());
            if !flag(&page, "hasMore") {
                let is_wanted = |list: &ListEntry| type_id.is_none_or(|id| *list.type_id == *id);
                lists.retain(is_wanted);
                lists.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
                return Ok(lists);
            }
            offset = match next {
                Some(next) if next > offset => next,
                _ => return Err(DirectoryError::Endless { what }),
            };
        }
        Err(DirectoryError::Endless { what })
    }

    /// The custom event definitions with their properties, archived ones included, by label.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached or refuses; portals below Enterprise are refused.
    pub async fn event_definitions(&self) -> Result<Vec<EventEntry>, DirectoryError> {
        let topic = Topic {
            what: "event definitions",
            route: Route::EventDefinitions,
            parts: Parts::default(),
            query: &[("includeProperties", "true"), ("limit", PAGE)],
        };
        let mut events: Vec<EventEntry> = self.all(topic, EventEntry::read).await?;
        events.sort_by(|a, b| {
            (&a.label, &a.definition.full_name).cmp(&(&b.label, &b.definition.full_name))
        });
        Ok(events)
    }

    /// How much of the account's day is used, by the private apps that share it; none when HubSpot does not count this
    /// kind of app.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached or refuses.
    pub async fn daily_usage(&self) -> Result<Option<DailyUsage>, DirectoryError> {
        let topic = Topic {
            what: "the daily usage",
            route: Route::DailyUsage,
            parts: Parts::default(),
            query: &[],
        };
        let usage: Vec<DailyUsage> = self.all(topic, DailyUsage::read).await?;
        Ok(usage.into_iter().next())
    }

    /// Every page of a topic.
    async fn all<T>(
        &self,
        topic: Topic<'_>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, DirectoryError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let ask = self.reading(topic, after.as_deref());
            let page = self.asked(topic.what, &ask).await?;
            found.extend(items(&page, "results").iter().filter_map(&read));
            let next = page
                .pointer("/paging/next")
                .and_then(|next| text(next, "after"));
            match next {
                None => return Ok(found),
                same if same == after => break,
                next => after = next,
            }
        }
        Err(DirectoryError::Endless { what: topic.what })
    }

    fn reading(&self, topic: Topic<'_>, after: Option<&str>) -> Ask {
        let mut url = self.client.url(topic.route, topic.parts);
        add_query(&mut url, topic.query);
        if let Some(after) = after {
            add_query(&mut url, &[("after", after)]);
        }
        Ask {
            method: Method::GET,
            url,
            body: None,
            timeout: self.client.patience(),
        }
    }

    fn posting(&self, route: Route, body: String) -> Ask {
        Ask {
            method: Method::POST,
            url: self.client.url(route, Parts::default()),
            body: Some((Bytes::from(body), "application/json")),
            timeout: self.client.patience(),
        }
    }

    /// An answer's body; what HubSpot is too busy for is asked again.
    async fn asked(&self, what: &'static str, ask: &Ask) -> Result<Value, DirectoryError> {
        let mut attempt = 1;
        loop {
            let answer = self.client.exchanged(ask, self.stop).await;
            let answer = answer.map_err(DirectoryError::Unreachable)?;
            if !is_busy(answer.status) || attempt == ATTEMPTS {
                return self.body_of(what, &answer);
            }
            let wait = headers::retry_after(&answer.headers, clock::now()).unwrap_or(PAUSE);
            tokio::select! {
                // Either way the same call comes next, or none at all.
                () = tokio::time::sleep(wait) => attempt += 1,
                () = self.stop.cancelled() => return Err(DirectoryError::Unreachable(ProbeError::Stopped)),
            }
        }
    }

    fn body_of(&self, what: &'static str, answer: &Answer) -> Result<Value, DirectoryError> {
        let host = self.client.host();
        match answer.status {
            200..=299 => match serde_json::from_slice(&answer.body) {
                Ok(body @ Value::Object(_)) => Ok(body),
                _ => Err(DirectoryError::Unreachable(ProbeError::Unexpected {
                    host,
                    detail: "the answer is no JSON object".to_owned(),
                })),
            },
            403 => Err(DirectoryError::Forbidden {
                what,
                message: words_of(answer),
            }),
            400 | 404 => Err(DirectoryError::Refused {
                what,
                message: words_of(answer),
            }),
            _ => Err(DirectoryError::Unreachable(probe::refusal(&host, answer))),
        }
    }
}

fn on(object: &ObjectType) -> Parts<'_> {
    Parts {
        object: object.as_str(),
        to: "",
    }
}

const fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 423 | 429 | 500..=504)
}

fn words_of(answer: &Answer) -> String {
    let failure = Failure::of_call(answer.status, None, &answer.body);
    if failure.scopes.is_empty() {
        words::of_failure(&failure, None, None, &[])
    } else {
        words::of_scopes(&failure.scopes)
    }
}
