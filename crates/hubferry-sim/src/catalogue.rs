//! The properties every HubSpot account has, as far as a client of contacts and companies meets them.

use std::time::Duration;

use crate::objects::ObjectType;
use crate::properties::PropertyBook;
use crate::property::{FieldType, Property, PropertyOption, Role, ValueType};

use FieldType as F;
use ValueType as V;

/// Name, label, type, field type. Whatever has a special meaning is found by name in [`role`].
type Row = (&'static str, &'static str, V, F);

const CONTACTS: [Row; 34] = [
    ("email", "Email", V::String, F::Text),
    (
        "hs_additional_emails",
        "Additional email addresses",
        V::Enumeration,
        F::Checkbox,
    ),
    ("firstname", "First Name", V::String, F::Text),
    ("lastname", "Last Name", V::String, F::Text),
    ("salutation", "Salutation", V::String, F::Text),
    ("phone", "Phone Number", V::String, F::PhoneNumber),
    (
        "mobilephone",
        "Mobile Phone Number",
        V::String,
        F::PhoneNumber,
    ),
    ("fax", "Fax Number", V::String, F::PhoneNumber),
    ("company", "Company Name", V::String, F::Text),
    ("website", "Website URL", V::String, F::Text),
    ("address", "Street Address", V::String, F::Text),
    ("city", "City", V::String, F::Text),
    ("state", "State/Region", V::String, F::Text),
    ("country", "Country/Region", V::String, F::Text),
    ("zip", "Postal Code", V::String, F::Text),
    ("jobtitle", "Job Title", V::String, F::Text),
    ("message", "Message", V::String, F::Textarea),
    ("industry", "Industry", V::String, F::Text),
    ("degree", "Degree", V::String, F::Text),
    ("gender", "Gender", V::String, F::Text),
    ("date_of_birth", "Date of birth", V::String, F::Text),
    ("annualrevenue", "Annual Revenue", V::String, F::Text),
    (
        "numemployees",
        "Number of Employees",
        V::Enumeration,
        F::Select,
    ),
    ("twitterhandle", "Twitter Username", V::String, F::Text),
    ("hs_language", "Preferred language", V::String, F::Text),
    ("hs_persona", "Persona", V::String, F::Text),
    ("closedate", "Close Date", V::DateTime, F::Date),
    ("start_date", "Start Date", V::Date, F::Date),
    (
        "hs_content_membership_email_confirmed",
        "Email Confirmed",
        V::Bool,
        F::BooleanCheckbox,
    ),
    (
        "lifecyclestage",
        "Lifecycle Stage",
        V::Enumeration,
        F::Radio,
    ),
    ("hs_lead_status", "Lead Status", V::Enumeration, F::Radio),
    ("createdate", "Create Date", V::DateTime, F::Date),
    (
        "lastmodifieddate",
        "Last Modified Date",
        V::DateTime,
        F::Date,
    ),
    ("hs_object_id", "Record ID", V::Number, F::Number),
];

const COMPANIES: [Row; 30] = [
    ("name", "Company name", V::String, F::Text),
    ("domain", "Company Domain Name", V::String, F::Text),
    ("description", "Description", V::String, F::Textarea),
    ("about_us", "About Us", V::String, F::Textarea),
    ("phone", "Phone Number", V::String, F::PhoneNumber),
    ("website", "Website URL", V::String, F::Text),
    ("address", "Street Address", V::String, F::Text),
    ("address2", "Street Address 2", V::String, F::Text),
    ("city", "City", V::String, F::Text),
    ("state", "State/Region", V::String, F::Text),
    ("country", "Country/Region", V::String, F::Text),
    ("zip", "Postal Code", V::String, F::Text),
    ("timezone", "Time Zone", V::String, F::Text),
    ("industry", "Industry", V::Enumeration, F::Select),
    ("type", "Type", V::Enumeration, F::Select),
    (
        "numberofemployees",
        "Number of Employees",
        V::Number,
        F::Number,
    ),
    ("annualrevenue", "Annual Revenue", V::Number, F::Number),
    ("founded_year", "Year Founded", V::String, F::Text),
    ("is_public", "Is Public", V::Bool, F::BooleanCheckbox),
    (
        "linkedin_company_page",
        "LinkedIn Company Page",
        V::String,
        F::Text,
    ),
    ("twitterhandle", "Twitter Handle", V::String, F::Text),
    (
        "total_money_raised",
        "Total Money Raised",
        V::String,
        F::Text,
    ),
    ("closedate", "Close Date", V::DateTime, F::Date),
    ("start_date", "Start Date", V::Date, F::Date),
    (
        "lifecyclestage",
        "Lifecycle Stage",
        V::Enumeration,
        F::Radio,
    ),
    ("hs_lead_status", "Lead Status", V::Enumeration, F::Radio),
    ("createdate", "Create Date", V::DateTime, F::Date),
    (
        "hs_createdate",
        "Object create date/time",
        V::DateTime,
        F::Date,
    ),
    (
        "hs_lastmodifieddate",
        "Last Modified Date",
        V::DateTime,
        F::Date,
    ),
    ("hs_object_id", "Record ID", V::Number, F::Number),
];

/// The options in HubSpot's order; a contact only moves down this list by itself.
const LIFECYCLE_STAGES: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

const LEAD_STATUSES: [&str; 8] = [
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "ATTEMPTED_TO_CONTACT",
    "CONNECTED",
    "BAD_TIMING",
];

const COMPANY_TYPES: [&str; 5] = ["PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"];

const EMPLOYEE_RANGES: [&str; 7] = [
    "1-5", "5-25", "25-50", "50-100", "100-500", "500-1000", "1000+",
];

const INDUSTRIES: [&str; 40] = [
    "ACCOUNTING",
    "AIRLINES_AVIATION",
    "APPAREL_FASHION",
    "ARCHITECTURE_PLANNING",
    "AUTOMOTIVE",
    "BANKING",
    "BIOTECHNOLOGY",
    "BUILDING_MATERIALS",
    "CHEMICALS",
    "CIVIL_ENGINEERING",
    "COMPUTER_GAMES",
    "COMPUTER_HARDWARE",
    "COMPUTER_NETWORKING",
    "COMPUTER_SOFTWARE",
    "INTERNET",
    "CONSTRUCTION",
    "CONSUMER_ELECTRONICS",
    "CONSUMER_GOODS",
    "CONSUMER_SERVICES",
    "COSMETICS",
    "DESIGN",
    "E_LEARNING",
    "EDUCATION_MANAGEMENT",
    "ENTERTAINMENT",
    "FINANCIAL_SERVICES",
    "FOOD_BEVERAGES",
    "HEALTH_WELLNESS_AND_FITNESS",
    "HOSPITAL_HEALTH_CARE",
    "INFORMATION_TECHNOLOGY_AND_SERVICES",
    "INSURANCE",
    "LEGAL_SERVICES",
    "LOGISTICS_AND_SUPPLY_CHAIN",
    "MANAGEMENT_CONSULTING",
    "MARKETING_AND_ADVERTISING",
    "PHARMACEUTICALS",
    "REAL_ESTATE",
    "RETAIL",
    "TELECOMMUNICATIONS",
    "TRANSPORTATION_TRUCKING_RAILROAD",
    "UTILITIES",
];

/// The definitions a new portal starts with.
pub(crate) fn book(object: ObjectType) -> PropertyBook {
    let (groups, group, rows): (&[(&str, &str)], &str, &[Row]) = match object {
        ObjectType::Contacts => (
            &[
                ("contactinformation", "Contact information"),
                ("contact_activity", "Contact activity"),
            ],
            "contactinformation",
            &CONTACTS,
        ),
        ObjectType::Companies => (
            &[
                ("companyinformation", "Company information"),
                ("company_activity", "Company activity"),
            ],
            "companyinformation",
            &COMPANIES,
        ),
    };
    let mut book = PropertyBook::new(object, groups);
    for row in rows {
        book.add(built_in(object, group, *row));
    }
    book
}

fn built_in(
    object: ObjectType,
    group: &str,
    (name, label, value_type, field_type): Row,
) -> Property {
    let role = role(name);
    Property {
        name: name.into(),
        label: label.to_owned(),
        value_type,
        field_type,
        group: group.to_owned(),
        description: String::new(),
        options: options(object, name)
            .iter()
            .enumerate()
            .map(|(order, value)| option(order, value))
            .collect(),
        display_order: -1,
        unique: false,
        read_only: matches!(role, Role::CreatedAt | Role::UpdatedAt | Role::RecordId),
        hidden: false,
        form_field: true,
        built_in: true,
        archived: false,
        sensitivity: "non_sensitive".to_owned(),
        role,
        visible_from: Duration::ZERO,
        created_ms: 0,
        updated_ms: 0,
    }
}

fn role(name: &str) -> Role {
    match name {
        "email" => Role::Email,
        "hs_additional_emails" => Role::AdditionalEmails,
        "lifecyclestage" => Role::LifecycleStage,
        "createdate" | "hs_createdate" => Role::CreatedAt,
        "lastmodifieddate" | "hs_lastmodifieddate" => Role::UpdatedAt,
        "hs_object_id" => Role::RecordId,
        _ => Role::Plain,
    }
}

fn options(object: ObjectType, name: &str) -> &'static [&'static str] {
    match (object, name) {
        (_, "lifecyclestage") => &LIFECYCLE_STAGES,
        (_, "hs_lead_status") => &LEAD_STATUSES,
        (ObjectType::Companies, "industry") => &INDUSTRIES,
        (ObjectType::Companies, "type") => &COMPANY_TYPES,
        (ObjectType::Contacts, "numemployees") => &EMPLOYEE_RANGES,
        _ => &[],
    }
}

fn option(order: usize, value: &str) -> PropertyOption {
    PropertyOption {
        label: value.replace('_', " "),
        value: value.to_owned(),
        hidden: false,
        display_order: i64::try_from(order).unwrap_or(-1),
        description: None,
    }
}
