//! A step's values made to fit the portal's own schema (actions.md §2.5, §2.11, §6.10; hubspot-api.md §10.1).

use std::sync::Arc;

use crate::clean::{is_clean_name, kind_of_text};
use crate::contact::stage_of;
use crate::convert::{Unfit, convert};
use crate::nouns::{ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText};
use crate::occurrence::EventName;
use crate::plan::{LifecycleStage, Policy, RecordStep, UnknownProperty, ValueKind};
use crate::portal::{ObjectProperties, OptionInfo, PropertyInfo, ValueType};

mod occurrence;

pub use occurrence::{DEFAULT_EVENT_PROPERTIES, fit_occurrence};

/// A record's values as the portal takes them.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// What to write.
    pub properties: Properties,
    /// What was left out, and why.
    pub dropped: Vec<(PropertyName, DropReason)>,
    /// What has to be created first.
    pub create: Vec<PropertyDefinition>,
}

/// An occurrence's values as its definition takes them.
#[derive(Clone, Debug)]
pub struct FittedOccurrence {
    /// The definition's fully qualified name.
    pub event: Arc<str>,
    /// What is sent.
    pub properties: Vec<(PropertyName, Arc<str>)>,
    /// What was left out, and why.
    pub dropped: Vec<(PropertyName, DropReason)>,
    /// What has to be created first, one after the other.
    pub create: Vec<EventPropertyDefinition>,
}

/// A property of an event definition that is to be created.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EventPropertyDefinition {
    /// The definition it belongs to.
    pub event: EventName,
    /// Its name.
    pub name: PropertyName,
    /// What values it takes.
    pub kind: ValueKind,
}

/// Why a property was left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DropReason {
    /// The portal has no such property.
    Unknown,
    /// The value cannot be what the property takes.
    Invalid,
    /// Nobody may write it.
    ReadOnly,
}

/// Why a step's values can never fit. The message names the property, the kind of the value and what the property takes;
/// never a personal value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// Which rule.
    pub code: MisfitCode,
    /// The property at fault.
    pub property: Option<PropertyName>,
    /// What is wrong and what to do.
    pub message: String,
}

/// The rules a value can break (names.md §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum MisfitCode {
    /// The portal has no such property.
    PropertyMissing,
    /// The property was archived.
    PropertyArchived,
    /// Nobody may write it.
    PropertyReadOnly,
    /// The value has the wrong type.
    PropertyType,
    /// The value is no option.
    PropertyOption,
    /// A date has a time of day.
    DateHasTime,
    /// The event definition was archived.
    DefinitionArchived,
    /// More than fifty properties.
    TooManyProperties,
}

/// Makes a record's values fit. What fits already is passed on as it is, without a copy; what comes out fits again.
///
/// # Errors
/// A [`Misfit`] when a value cannot fit and the policy refuses it.
pub fn fit(
    step: &RecordStep,
    schema: &ObjectProperties,
    policy: &Policy,
) -> Result<Fitted, Misfit> {
    let mut fitting = Fitting {
        step,
        policy,
        fitted: Fitted {
            properties: Vec::with_capacity(step.properties.len()),
            dropped: Vec::new(),
            create: Vec::new(),
        },
    };
    for (name, text) in &step.properties {
        match schema.get(name.as_str()) {
            Some(info) => fitting.known(name, text, info)?,
            None => fitting.unknown(name, text)?,
        }
    }
    Ok(fitting.fitted)
}

impl Fitted {
    /// The lifecycle stage that is written, as the portal names it: a step may have wished for it by its label.
    #[must_use]
    pub fn stage(&self) -> Option<LifecycleStage> {
        stage_of(&self.properties)
    }
}

struct Fitting<'a> {
    step: &'a RecordStep,
    policy: &'a Policy,
    fitted: Fitted,
}

impl Fitting<'_> {
    fn known(
        &mut self,
        name: &PropertyName,
        text: &PropertyText,
        info: &PropertyInfo,
    ) -> Result<(), Misfit> {
        if info.read_only {
            let may_drop = self.policy.unknown_property == UnknownProperty::Drop
                || self.policy.drop_invalid_property;
            return self.leave_out(name, DropReason::ReadOnly, may_drop, || {
                read_only(&self.step.record.object, name)
            });
        }
        match convert(text.expose(), &info.value, self.policy.truncate_dates) {
            Ok(None) => self.write(name, text.clone()),
            Ok(Some(converted)) => self.write(name, PropertyText::new(&converted)),
            Err(why) => {
                let may_drop = self.policy.drop_invalid_property;
                return self.leave_out(name, DropReason::Invalid, may_drop, || {
                    let takes = Takes {
                        value: &info.value,
                        kind: &info.kind,
                    };
                    takes.misfit(name, text.expose(), why)
                });
            }
        }
        Ok(())
    }

    fn unknown(&mut self, name: &PropertyName, text: &PropertyText) -> Result<(), Misfit> {
        let object = &self.step.record.object;
        match self.policy.unknown_property {
            UnknownProperty::Drop => self.leave_out(name, DropReason::Unknown, true, || {
                missing(object, name, "")
            }),
            UnknownProperty::DeadLetter => Err(missing(
                object,
                name,
                ": create it in HubSpot, take it out of the mapping, or set unknown_property to drop or create",
            )),
            // There is nothing to clear, and nothing says what the property would take.
            UnknownProperty::Create if text.expose().is_empty() => {
                self.leave_out(name, DropReason::Unknown, true, || {
                    missing(object, name, "")
                })
            }
            UnknownProperty::Create => self.create(name, text),
        }
    }

    fn create(&mut self, name: &PropertyName, text: &PropertyText) -> Result<(), Misfit> {
        let object = &self.step.record.object;
        if !is_clean_name(name.as_str()) {
            let why = ", and it cannot be created: a property's name has lower-case letters, digits and _, and begins with a letter";
            return Err(missing(object, name, why));
        }
        let creation = self.step.creation.as_ref();
        let group = creation.map_or("", |creation| &*creation.group);
        if group.is_empty() {
            let why = ", and it cannot be created: name the property group it belongs to (object_details.property_group)";
            return Err(missing(object, name, why));
        }
        let named = creation
            .and_then(|creation| creation.kinds.iter().find(|(of, _)| of == name))
            .map(|(_, kind)| *kind);
        let kind = named.unwrap_or_else(|| kind_of_text(text.expose()));
        let takes = value_type(kind);
        match convert(text.expose(), &takes, self.policy.truncate_dates) {
            Ok(None) => self.write(name, text.clone()),
            Ok(Some(converted)) => self.write(name, PropertyText::new(&converted)),
            Err(why) => {
                let may_drop = self.policy.drop_invalid_property;
                return self.leave_out(name, DropReason::Invalid, may_drop, || {
                    let takes = Takes {
                        value: &takes,
                        kind: "created for it",
                    };
                    takes.misfit(name, text.expose(), why)
                });
            }
        }
        let sensitive = creation.is_some_and(|creation| creation.sensitive.contains(name));
        self.fitted.create.push(PropertyDefinition {
            object: object.clone(),
            name: name.clone(),
            label: Arc::from(name.as_str()),
            description: "Created by hubferry for a value of an event.",
            group: Arc::from(group),
            kind,
            unique: false,
            hidden: false,
            sensitive,
        });
        Ok(())
    }

    fn write(&mut self, name: &PropertyName, text: PropertyText) {
        self.fitted.properties.push((name.clone(), text));
    }

    fn leave_out(
        &mut self,
        name: &PropertyName,
        reason: DropReason,
        may_drop: bool,
        otherwise: impl FnOnce() -> Misfit,
    ) -> Result<(), Misfit> {
        if !may_drop || self.policy.required.contains(name) {
            return Err(otherwise());
        }
        self.fitted.dropped.push((name.clone(), reason));
        Ok(())
    }
}

/// What values a created property of a kind takes.
fn value_type(kind: ValueKind) -> ValueType {
    match kind {
        ValueKind::Boolean => ValueType::Boolean,
        ValueKind::Number => ValueType::Number,
        ValueKind::Date => ValueType::Date,
        ValueKind::DateTime => ValueType::DateTime,
        ValueKind::Text => ValueType::Text,
    }
}

fn missing(object: &ObjectType, name: &PropertyName, remedy: &str) -> Misfit {
    let (object, property) = (object.as_str(), name.as_str());
    Misfit {
        code: MisfitCode::PropertyMissing,
        property: Some(name.clone()),
        message: format!("{object} has no property {property}{remedy}"),
    }
}

fn read_only(object: &ObjectType, name: &PropertyName) -> Misfit {
    let (object, property) = (object.as_str(), name.as_str());
    Misfit {
        code: MisfitCode::PropertyReadOnly,
        property: Some(name.clone()),
        message: format!(
            "{property} of {object} is read-only in HubSpot: take it out of the mapping, or set invalid_property: drop"
        ),
    }
}

/// What a property takes, for messages.
struct Takes<'a> {
    value: &'a ValueType,
    /// HubSpot's own words for it.
    kind: &'a str,
}

/// The most options that a message names.
const OPTIONS_SHOWN: usize = 8;

impl Takes<'_> {
    fn misfit(&self, name: &PropertyName, text: &str, why: Unfit) -> Misfit {
        let (takes, kind, name_text) = (self.words(), self.kind, name.as_str());
        let given = given(text);
        let (code, message) = match why {
            Unfit::Kind => (
                MisfitCode::PropertyType,
                format!("{name_text} takes {takes} ({kind}), and the value is {given}"),
            ),
            Unfit::NoOption => (
                MisfitCode::PropertyOption,
                format!(
                    "{name_text} takes {takes} ({kind}), and the value is {} that is none of them, neither by value nor by label{}",
                    shown(text).unwrap_or_else(|| given.to_owned()),
                    self.closest(text)
                ),
            ),
            Unfit::HasTime => (
                MisfitCode::DateHasTime,
                format!(
                    "{name_text} takes a date ({kind}), and the value has a time of day: change the property to date-time in HubSpot, map a date, or set dates.truncate: true"
                ),
            ),
            Unfit::TooLong(most) => (
                MisfitCode::PropertyType,
                format!("{name_text} takes at most {most} characters, and the value has more"),
            ),
        };
        Misfit {
            code,
            property: Some(name.clone()),
            message,
        }
    }

    /// The option that was probably meant.
    fn closest(&self, text: &str) -> String {
        let (ValueType::Option(options) | ValueType::Options(options)) = self.value else {
            return String::new();
        };
        let wanted = text.trim().to_lowercase();
        let alike = options.iter().filter_map(|option| {
            let names = [&option.value, &option.label];
            let score = names
                .map(|name| strsim::jaro_winkler(&name.to_lowercase(), &wanted))
                .into_iter()
                .fold(0.0, f64::max);
            (score > ALIKE).then_some((score, option))
        });
        let best = alike.max_by(|one, other| one.0.total_cmp(&other.0));
        best.map_or_else(String::new, |(_, option)| {
            format!("; closest: {}", option.value)
        })
    }

    fn words(&self) -> String {
        let plain = match self.value {
            ValueType::Text | ValueType::Other => "a text",
            ValueType::Number => "a number",
            ValueType::Boolean => "true or false",
            ValueType::Date => "a date",
            ValueType::DateTime => "a date-time",
            ValueType::Option(options) => return format!("one of {}", listed(options)),
            ValueType::Options(options) => return format!("some of {}", listed(options)),
        };
        plain.to_owned()
    }
}

fn listed(options: &[OptionInfo]) -> String {
    let shown = options.iter().take(OPTIONS_SHOWN);
    let shown: Vec<&str> = shown.map(|option| &*option.value).collect();
    match options.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// How alike an option has to be, from 0 to 1, to be proposed.
const ALIKE: f64 = 0.85;

/// A value that was meant for an enumeration, when it reads like an option and not like something of a person: short words,
/// no address, no number of any length.
fn shown(text: &str) -> Option<String> {
    const LONGEST: usize = 40;
    const DIGITS: usize = 4;
    let short = text.chars().count() <= LONGEST;
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || " _-+&/.,()".contains(c));
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (short && plain && digits < DIGITS).then(|| format!("`{text}`"))
}

/// The kind of a value, which tells nothing of whom it belongs to.
fn given(text: &str) -> &'static str {
    if convert(text, &ValueType::Number, false).is_ok() {
        return "a number";
    }
    match kind_of_text(text) {
        ValueKind::Boolean => "true or false",
        ValueKind::Date => "a date",
        ValueKind::DateTime => "a date-time",
        ValueKind::Number | ValueKind::Text => "a text",
    }
}

impl DropReason {
    /// The reason as it stands in notes and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::ReadOnly => "read_only",
        }
    }
}

impl MisfitCode {
    /// The code as it stands in headers, logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PropertyMissing => "property_missing",
            Self::PropertyArchived => "property_archived",
            Self::PropertyReadOnly => "property_read_only",
            Self::PropertyType => "property_type",
            Self::PropertyOption => "property_option",
            Self::DateHasTime => "date_has_time",
            Self::DefinitionArchived => "definition_archived",
            Self::TooManyProperties => "too_many_properties",
        }
    }
}

#[cfg(test)]
mod tests;
