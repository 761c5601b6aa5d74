//! One property definition: its type, its field, its options, what it means to the portal.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::values::iso;

/// `type` of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ValueType {
    Bool,
    Date,
    DateTime,
    Enumeration,
    Number,
    #[serde(rename = "phone_number")]
    PhoneNumber,
    String,
}

/// `fieldType` of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldType {
    BooleanCheckbox,
    #[serde(rename = "calculation_equation")]
    CalculationEquation,
    Checkbox,
    Date,
    File,
    Html,
    Number,
    PhoneNumber,
    Radio,
    Select,
    Text,
    Textarea,
}

impl FieldType {
    /// The pairs HubSpot allows (properties guide).
    pub(crate) fn fits(self, value_type: ValueType) -> bool {
        use FieldType as F;
        match value_type {
            ValueType::Bool => matches!(self, F::BooleanCheckbox | F::CalculationEquation),
            ValueType::Enumeration => matches!(
                self,
                F::BooleanCheckbox | F::Checkbox | F::Radio | F::Select | F::CalculationEquation
            ),
            ValueType::Date | ValueType::DateTime => self == F::Date,
            ValueType::String => {
                matches!(
                    self,
                    F::Text
                        | F::Textarea
                        | F::File
                        | F::Html
                        | F::PhoneNumber
                        | F::CalculationEquation
                )
            }
            ValueType::PhoneNumber => self == F::PhoneNumber,
            ValueType::Number => matches!(self, F::Number | F::CalculationEquation),
        }
    }
}

/// What a property means to the portal beyond its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Email,
    AdditionalEmails,
    LifecycleStage,
    CreatedAt,
    UpdatedAt,
    RecordId,
    /// The records that were merged into this one.
    MergedIds,
    /// The stage of a pipeline.
    Stage,
    Pipeline,
}

/// One allowed value of an enumeration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PropertyOption {
    pub(crate) label: String,
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) hidden: bool,
    #[serde(default)]
    pub(crate) display_order: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

/// One definition.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    pub(crate) label: String,
    pub(crate) value_type: ValueType,
    pub(crate) field_type: FieldType,
    pub(crate) group: String,
    pub(crate) description: String,
    pub(crate) options: Vec<PropertyOption>,
    pub(crate) display_order: i64,
    pub(crate) unique: bool,
    pub(crate) read_only: bool,
    pub(crate) hidden: bool,
    pub(crate) form_field: bool,
    pub(crate) built_in: bool,
    pub(crate) archived: bool,
    pub(crate) sensitivity: String,
    pub(crate) role: Role,
    /// From when on record writes know it.
    pub(crate) visible_from: Duration,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

impl Property {
    /// Whether its value names one record. Contact emails do although their definition does not say so.
    pub(crate) fn identifies(&self) -> bool {
        self.unique || self.role == Role::Email
    }

    /// The definition as HubSpot prints it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": &*self.name, "label": self.label, "type": self.value_type, "fieldType": self.field_type,
            "groupName": self.group, "description": self.description, "options": self.options,
            "displayOrder": self.display_order, "hasUniqueValue": self.unique, "hidden": self.hidden,
            "formField": self.form_field, "calculated": self.field_type == FieldType::CalculationEquation,
            "externalOptions": &*self.name == "hubspot_owner_id",
            "hubspotDefined": self.built_in, "dataSensitivity": self.sensitivity, "archived": self.archived,
            "createdAt": iso(self.created_ms), "updatedAt": iso(self.updated_ms),
            "modificationMetadata": {
                "archivable": !self.built_in, "readOnlyDefinition": self.built_in, "readOnlyValue": self.read_only,
            },
        })
    }
}
