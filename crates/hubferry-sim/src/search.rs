//! CRM search: filter groups joined by OR, their filters by AND.
//!
//! EQ and IN on text and record ids use an index; any other search looks at every record of the type.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::inputs::LooseText;
use crate::objects::ObjectType;
use crate::properties::{PropertyBook, PropertyKey};
use crate::property::{Property, Role, ValueType};
use crate::records::{Shelf, Wanted};
use crate::state::Drawer;
use crate::visit::Visit;

const MOST_GROUPS: usize = 5;
const MOST_FILTERS_PER_GROUP: usize = 6;
const MOST_FILTERS: usize = 18;
const MOST_PER_PAGE: usize = 200;
/// A query never shows more than this many results, however it is paged.
const MOST_RESULTS: usize = 10_000;
const LONGEST_BODY: usize = 3_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    filter_groups: Vec<Group>,
    query: Option<String>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    sorts: Vec<Value>,
    limit: Option<usize>,
    after: Option<LooseText>,
}

#[derive(Debug, Deserialize)]
struct Group {
    #[serde(default)]
    filters: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    property_name: String,
    operator: Operator,
    value: Option<LooseText>,
    high_value: Option<LooseText>,
    values: Option<Vec<LooseText>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
    ContainsToken,
    NotContainsToken,
}

/// A filter that can be held against a record.
struct Filter {
    key: PropertyKey,
    operator: Operator,
    /// Enumerations are compared with case, everything else without.
    exact: bool,
    reach: Reach,
    values: Vec<String>,
}

/// How records with a value are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Values are text and stand in an index.
    Index,
    /// The value is the record's id.
    Id,
    /// Values are compared as numbers or times, or are made by HubSpot: every record is looked at.
    Scan,
}

impl Reach {
    fn of(property: &Property) -> Self {
        match (property.role, property.value_type) {
            (Role::RecordId, _) => Self::Id,
            (Role::CreatedAt | Role::UpdatedAt, _) => Self::Scan,
            (_, ValueType::Number | ValueType::Date | ValueType::DateTime) => Self::Scan,
            (
                _,
                ValueType::String
                | ValueType::PhoneNumber
                | ValueType::Enumeration
                | ValueType::Bool,
            ) => Self::Index,
        }
    }
}

/// `POST /{objectType}/search`.
pub(crate) fn search(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let body: Body = visit.parse()?;
    let (limit, after) = page(&body)?;
    if visit.text().chars().count() > LONGEST_BODY {
        return Err(Refusal::validation(format!(
            "The request body must not be longer than {LONGEST_BODY} characters"
        )));
    }
    let mut state = visit.state();
    let switched = state.switches.search_lag_ms.map(Duration::from_millis);
    let lag = switched.unwrap_or(visit.settings.search_lag);
    let newest = visit.stamp.at_ms - i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
    let Drawer { book, shelf } = state.drawer_mut(object);
    let groups = filters(book, &body.filter_groups)?;
    let mut ids = candidates(shelf, &groups);
    ids.retain(|id| {
        shelf
            .created_ms(*id)
            .is_some_and(|created| created <= newest)
            && (groups.is_empty()
                || groups
                    .iter()
                    .any(|group| group.iter().all(|filter| filter.holds(book, shelf, *id))))
            && body
                .query
                .as_deref()
                .is_none_or(|query| mentions(book, shelf, *id, query))
    });
    sort(book, shelf, &mut ids, body.sorts.first())?;
    let names: Vec<&str> = body.properties.iter().map(String::as_str).collect();
    let keys = visit.readable(book, book.keys_of(&names));
    let total = ids.len();
    let results: Vec<_> = ids
        .iter()
        .skip(after)
        .take(limit)
        .map(|id| shelf.view(book, *id, Wanted::Named(&keys)))
        .collect();
    let mut answer = json!({"total": total, "results": results});
    let next = after + limit;
    if next < total {
        answer["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, &answer))
}

fn page(body: &Body) -> Result<(usize, usize), Refusal> {
    let limit = body.limit.unwrap_or(10);
    if limit == 0 || limit > MOST_PER_PAGE {
        return Err(Refusal::validation(format!(
            "limit must be between 1 and {MOST_PER_PAGE}"
        )));
    }
    let after = match &body.after {
        None => 0,
        Some(text) if text.0.is_empty() => 0,
        Some(text) => text
            .0
            .parse()
            .map_err(|_| Refusal::validation("after must be an integer"))?,
    };
    if limit.saturating_add(after) > MOST_RESULTS {
        return Err(Refusal::validation(format!(
            "The search results are limited to {MOST_RESULTS} total results"
        )));
    }
    Ok((limit, after))
}

fn filters(book: &PropertyBook, groups: &[Group]) -> Result<Vec<Vec<Filter>>, Refusal> {
    if groups.len() > MOST_GROUPS {
        return Err(Refusal::validation(format!(
            "At most {MOST_GROUPS} filter groups are allowed"
        )));
    }
    let total: usize = groups.iter().map(|group| group.filters.len()).sum();
    if total > MOST_FILTERS
        || groups
            .iter()
            .any(|group| group.filters.len() > MOST_FILTERS_PER_GROUP)
    {
        return Err(Refusal::validation(format!(
            "At most {MOST_FILTERS_PER_GROUP} filters per group and {MOST_FILTERS} in all are allowed"
        )));
    }
    groups
        .iter()
        .map(|group| {
            group
                .filters
                .iter()
                .map(|written| filter(book, written))
                .collect()
        })
        .collect()
}

fn filter(book: &PropertyBook, written: &Written) -> Result<Filter, Refusal> {
    let name = &written.property_name;
    let Some((key, property)) = book.find(name) else {
        return Err(Refusal::validation(format!(
            "There was a problem with the request: property '{name}' does not exist"
        )));
    };
    let exact = property.value_type == ValueType::Enumeration;
    let values: Vec<String> = match written.operator {
        Operator::HasProperty | Operator::NotHasProperty => Vec::new(),
        Operator::In | Operator::NotIn => match &written.values {
            // Upper case in a list of strings finds nothing: the list is compared as it is with folded values.
            Some(values) => values.iter().map(|value| value.0.clone()).collect(),
            None => return Err(missing(name, "values")),
        },
        Operator::Between => match (&written.value, &written.high_value) {
            (Some(low), Some(high)) => vec![low.0.clone(), high.0.clone()],
            _ => return Err(missing(name, "value and highValue")),
        },
        _ => match &written.value {
            Some(value) if exact => vec![value.0.clone()],
            Some(value) => vec![value.0.to_lowercase()],
            None => return Err(missing(name, "value")),
        },
    };
    Ok(Filter {
        key,
        operator: written.operator,
        exact,
        reach: Reach::of(property),
        values,
    })
}

fn missing(name: &str, what: &str) -> Refusal {
    Refusal::validation(format!(
        "There was a problem with the request: the filter on '{name}' needs {what}"
    ))
}

/// The records worth looking at: the union over groups of what one of its EQ or IN filters finds, else all of them.
fn candidates(shelf: &mut Shelf, groups: &[Vec<Filter>]) -> Vec<u64> {
    let stored = |filter: &&Filter| matches!(filter.operator, Operator::Eq | Operator::In);
    let selective: Option<Vec<&Filter>> = groups
        .iter()
        .map(|group| group.iter().find(stored))
        .collect();
    match selective {
        Some(filters)
            if !filters.is_empty() && filters.iter().all(|one| one.reach != Reach::Scan) =>
        {
            let mut ids = Vec::new();
            for filter in filters {
                if filter.reach == Reach::Id {
                    ids.extend(filter.values.iter().filter_map(|id| shelf.parse_id(id)));
                    continue;
                }
                let folded: Vec<String> = filter
                    .values
                    .iter()
                    .map(|value| value.to_lowercase())
                    .collect();
                ids.extend(shelf.with_values(filter.key, &folded));
            }
            ids.sort_unstable();
            ids.dedup();
            ids
        }
        _ => shelf.ids().collect(),
    }
}

impl Filter {
    fn equal(&self, value: &str, other: &str) -> bool {
        value == other || (self.reach != Reach::Index && compare(value, other).is_eq())
    }

    fn holds(&self, book: &PropertyBook, shelf: &Shelf, id: u64) -> bool {
        let shown = shelf.shown(book, id, self.key);
        let Some(shown) = shown else {
            return matches!(
                self.operator,
                Operator::NotHasProperty
                    | Operator::Neq
                    | Operator::NotIn
                    | Operator::NotContainsToken
            );
        };
        let value = if self.exact {
            shown
        } else {
            shown.to_lowercase()
        };
        let first = self.values.first().map_or("", String::as_str);
        let among = || self.values.iter().any(|one| self.equal(&value, one));
        let tokens = || {
            value
                .split(|c: char| !c.is_alphanumeric())
                .any(|token| token == first.trim_matches('*'))
        };
        match self.operator {
            Operator::Eq => self.equal(&value, first),
            Operator::Neq => !self.equal(&value, first),
            Operator::Lt => compare(&value, first).is_lt(),
            Operator::Lte => compare(&value, first).is_le(),
            Operator::Gt => compare(&value, first).is_gt(),
            Operator::Gte => compare(&value, first).is_ge(),
            Operator::Between => {
                let high = self.values.get(1).map_or("", String::as_str);
                compare(&value, first).is_ge() && compare(&value, high).is_le()
            }
            Operator::In => among(),
            Operator::NotIn => !among(),
            Operator::HasProperty => true,
            Operator::NotHasProperty => false,
            Operator::ContainsToken => tokens(),
            Operator::NotContainsToken => !tokens(),
        }
    }
}

/// By number where both are numbers, by text elsewhere.
fn compare(value: &str, other: &str) -> std::cmp::Ordering {
    match (value.parse::<f64>(), other.parse::<f64>()) {
        (Ok(value), Ok(other)) => value.total_cmp(&other),
        _ => value.cmp(other),
    }
}

/// Free text search over the default searchable properties.
fn mentions(book: &PropertyBook, shelf: &Shelf, id: u64, query: &str) -> bool {
    let wanted = query.to_lowercase();
    let mut values = book.searched.iter().filter_map(|key| shelf.value(id, *key));
    values.any(|value| value.to_lowercase().contains(&wanted))
}

/// By one rule, written as a name or as `{propertyName, direction}`; oldest first without one.
fn sort(
    book: &PropertyBook,
    shelf: &Shelf,
    ids: &mut [u64],
    rule: Option<&Value>,
) -> Result<(), Refusal> {
    let Some(rule) = rule else { return Ok(()) };
    let written = rule
        .as_str()
        .or_else(|| rule["propertyName"].as_str())
        .unwrap_or_default();
    let name = written.trim_start_matches('-');
    let descending = written.starts_with('-') || rule["direction"] == "DESCENDING";
    let Some((key, _)) = book.find(name) else {
        return Err(Refusal::validation(format!(
            "There was a problem with the request: cannot sort by '{name}'"
        )));
    };
    ids.sort_by_cached_key(|id| {
        shelf
            .shown(book, *id, key)
            .map(|value| value.to_lowercase())
    });
    if descending {
        ids.reverse();
    }
    Ok(())
}
