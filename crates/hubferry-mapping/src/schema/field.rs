//! One field of an action.

use serde_json::Value;

use super::required::{Condition, Match, Required};

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text (`string`, `text`, `password`).
    Text,
    /// Any finite number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A date or a time, as text or number; passed on unchanged.
    DateTime,
    /// An object.
    Object,
}

/// What a text must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An e-mail address; blanks around it are removed first.
    Email,
    /// A date with a time, with or without a zone.
    DateTime,
    /// A date of the calendar, `2024-01-08`.
    Date,
    /// A time of day, with or without a zone.
    Time,
    /// An absolute URI.
    Uri,
    /// A UUID.
    Uuid,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A host name.
    Hostname,
}

/// A field: its name, its type and its rules.
///
/// ```
/// use hubferry_mapping::{FieldSchema, Format};
/// use serde_json::json;
///
/// let email = FieldSchema::text("email")
///     .label("Email")
///     .format(Format::Email)
///     .required()
///     .default_mapping(json!({"@path": "$.traits.email"}));
/// assert_eq!(email.name(), "email");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSchema {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) kind: FieldType,
    pub(super) multiple: bool,
    pub(super) required: Required,
    pub(super) allow_null: bool,
    pub(super) choices: Vec<Value>,
    pub(super) format: Option<Format>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) properties: Vec<FieldSchema>,
    pub(super) additional_properties: bool,
    pub(super) default: Option<Value>,
}

impl FieldSchema {
    /// An optional field of a type.
    #[must_use]
    pub fn new(name: &str, kind: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            kind,
            multiple: false,
            required: Required::No,
            allow_null: false,
            choices: Vec::new(),
            format: None,
            minimum: None,
            maximum: None,
            properties: Vec::new(),
            additional_properties: false,
            default: None,
        }
    }

    /// An optional text.
    #[must_use]
    pub fn text(name: &str) -> Self {
        Self::new(name, FieldType::Text)
    }

    /// An optional number.
    #[must_use]
    pub fn number(name: &str) -> Self {
        Self::new(name, FieldType::Number)
    }

    /// An optional whole number.
    #[must_use]
    pub fn integer(name: &str) -> Self {
        Self::new(name, FieldType::Integer)
    }

    /// An optional boolean.
    #[must_use]
    pub fn boolean(name: &str) -> Self {
        Self::new(name, FieldType::Boolean)
    }

    /// An optional date or time.
    #[must_use]
    pub fn date_time(name: &str) -> Self {
        Self::new(name, FieldType::DateTime)
    }

    /// An optional object.
    #[must_use]
    pub fn object(name: &str) -> Self {
        Self::new(name, FieldType::Object)
    }

    /// Names the field for people.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    /// Makes it a list of its type.
    #[must_use]
    pub const fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// Makes it required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = Required::Always;
        self
    }

    /// Makes it required when conditions on other fields hold.
    #[must_use]
    pub fn required_when(mut self, how: Match, conditions: Vec<Condition>) -> Self {
        self.required = Required::When(how, conditions);
        self
    }

    /// Lets null through.
    #[must_use]
    pub const fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// Restricts it to these values.
    #[must_use]
    pub fn choices<V: Into<Value>>(mut self, choices: impl IntoIterator<Item = V>) -> Self {
        self.choices = choices.into_iter().map(Into::into).collect();
        self
    }

    /// Restricts a text to a form.
    #[must_use]
    pub const fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// The least value of a number, or length of a text in UTF-16 units; other types ignore it.
    #[must_use]
    pub const fn minimum(mut self, minimum: f64) -> Self {
        self.minimum = Some(minimum);
        self
    }

    /// The greatest value of a number, or length of a text in UTF-16 units; other types ignore it.
    #[must_use]
    pub const fn maximum(mut self, maximum: f64) -> Self {
        self.maximum = Some(maximum);
        self
    }

    /// Declares the members of an object; without any, every member is kept as it is.
    #[must_use]
    pub fn properties(mut self, properties: Vec<FieldSchema>) -> Self {
        self.properties = properties;
        self
    }

    /// Keeps the undeclared members of an object beside the declared ones.
    #[must_use]
    pub const fn additional_properties(mut self) -> Self {
        self.additional_properties = true;
        self
    }

    /// The mapping that fills the field unless another is written; never applied to a payload.
    #[must_use]
    pub fn default_mapping(mut self, default: Value) -> Self {
        self.default = Some(default);
        self
    }

    /// The key in the payload.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name for people; the key unless set.
    #[must_use]
    pub fn label_text(&self) -> &str {
        &self.label
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> FieldType {
        self.kind
    }

    /// Whether it is a list of its type.
    #[must_use]
    pub const fn is_multiple(&self) -> bool {
        self.multiple
    }

    /// When it must be there.
    #[must_use]
    pub const fn requirement(&self) -> &Required {
        &self.required
    }

    /// The default mapping.
    #[must_use]
    pub const fn default(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// The declared members of an object.
    #[must_use]
    pub fn members(&self) -> &[FieldSchema] {
        &self.properties
    }

    pub(super) fn member(&self, name: &str) -> Option<&FieldSchema> {
        self.properties.iter().find(|field| field.name == name)
    }
}
