//! The properties every HubSpot account has, as far as a client of its records meets them.

use std::time::Duration;

use crate::objects::ObjectType;
use crate::properties::{Habits, PropertyBook};
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

const DEALS: [Row; 9] = [
    ("dealname", "Deal Name", V::String, F::Text),
    ("pipeline", "Pipeline", V::Enumeration, F::Select),
    ("dealstage", "Deal Stage", V::Enumeration, F::Radio),
    ("amount", "Amount", V::Number, F::Number),
    ("closedate", "Close Date", V::DateTime, F::Date),
    ("dealtype", "Deal Type", V::Enumeration, F::Radio),
    ("description", "Deal Description", V::String, F::Textarea),
    ("hs_priority", "Priority", V::Enumeration, F::Select),
    ("createdate", "Create Date", V::DateTime, F::Date),
];

const TICKETS: [Row; 8] = [
    ("subject", "Ticket name", V::String, F::Text),
    ("content", "Ticket description", V::String, F::Textarea),
    ("hs_pipeline", "Pipeline", V::Enumeration, F::Select),
    (
        "hs_pipeline_stage",
        "Ticket status",
        V::Enumeration,
        F::Select,
    ),
    ("hs_ticket_priority", "Priority", V::Enumeration, F::Select),
    (
        "hs_ticket_category",
        "Category",
        V::Enumeration,
        F::Checkbox,
    ),
    ("closed_date", "Close date", V::DateTime, F::Date),
    ("createdate", "Create date", V::DateTime, F::Date),
];

const PRODUCTS: [Row; 5] = [
    ("name", "Name", V::String, F::Text),
    ("description", "Product description", V::String, F::Textarea),
    ("price", "Unit price", V::Number, F::Number),
    ("hs_sku", "SKU", V::String, F::Text),
    ("hs_url", "URL", V::String, F::Text),
];

const LINE_ITEMS: [Row; 6] = [
    ("name", "Name", V::String, F::Text),
    ("quantity", "Quantity", V::Number, F::Number),
    ("price", "Unit price", V::Number, F::Number),
    ("amount", "Net price", V::Number, F::CalculationEquation),
    ("hs_product_id", "Product ID", V::Number, F::Number),
    ("hs_sku", "SKU", V::String, F::Text),
];

const ORDERS: [Row; 6] = [
    ("hs_order_name", "Order name", V::String, F::Text),
    (
        "hs_external_order_id",
        "External order ID",
        V::String,
        F::Text,
    ),
    ("hs_currency_code", "Currency code", V::String, F::Text),
    ("hs_total_price", "Total price", V::Number, F::Number),
    ("hs_source_store", "Source store", V::String, F::Text),
    (
        "hs_fulfillment_status",
        "Fulfillment status",
        V::String,
        F::Text,
    ),
];

const QUOTES: [Row; 3] = [
    ("hs_title", "Quote title", V::String, F::Text),
    ("hs_expiration_date", "Expiration date", V::Date, F::Date),
    ("hs_quote_amount", "Quote amount", V::Number, F::Number),
];

/// What the types that nobody maps in detail have: a name, a text, an amount, a time.
const OTHERS: [Row; 4] = [
    ("hs_name", "Name", V::String, F::Text),
    ("hs_body", "Body", V::String, F::Textarea),
    ("hs_amount", "Amount", V::Number, F::Number),
    ("hs_timestamp", "Activity date", V::DateTime, F::Date),
];

/// What every record has.
const EVERY: [Row; 4] = [
    (
        "hs_createdate",
        "Object create date/time",
        V::DateTime,
        F::Date,
    ),
    (
        "hs_lastmodifieddate",
        "Object last modified date/time",
        V::DateTime,
        F::Date,
    ),
    ("hs_object_id", "Record ID", V::Number, F::Number),
    ("hubspot_owner_id", "Owner", V::Enumeration, F::Select),
];

/// Made by the portal when records are merged.
const MERGED: Row = (
    "hs_merged_object_ids",
    "Merged record IDs",
    V::String,
    F::Text,
);

/// The users of the account, as owners of records.
const OWNERS: [&str; 2] = ["101", "102"];

/// The definitions a new portal starts with.
pub(crate) fn book(object: ObjectType) -> PropertyBook {
    let (prefix, label, rows): (&str, &str, &[Row]) = match object {
        ObjectType::Contacts => ("contact", "Contact", &CONTACTS),
        ObjectType::Companies => ("company", "Company", &COMPANIES),
        ObjectType::Deals => ("deal", "Deal", &DEALS),
        ObjectType::Tickets => ("ticket", "Ticket", &TICKETS),
        ObjectType::Products => ("product", "Product", &PRODUCTS),
        ObjectType::LineItems => ("line_item", "Line item", &LINE_ITEMS),
        ObjectType::Orders => ("order", "Order", &ORDERS),
        ObjectType::Quotes => ("quote", "Quote", &QUOTES),
        ObjectType::Custom(_) => ("object", "Object", &[]),
        other => return grouped(other, &other.singular(), "Record", &OTHERS),
    };
    grouped(object, prefix, label, rows)
}

fn grouped(object: ObjectType, prefix: &str, label: &str, rows: &[Row]) -> PropertyBook {
    let main = format!("{prefix}information");
    let activity = format!("{prefix}_activity");
    let mut book = PropertyBook::new(
        object,
        &[
            (main.as_str(), format!("{label} information").as_str()),
            (activity.as_str(), format!("{label} activity").as_str()),
        ],
    );
    for row in rows.iter().chain(&EVERY).chain([&MERGED]) {
        // Contacts call their times createdate and lastmodifieddate.
        let foreign = object == ObjectType::Contacts
            && matches!(row.0, "hs_createdate" | "hs_lastmodifieddate");
        if !foreign && book.find(row.0).is_none() {
            book.add(built_in(object, &main, *row));
        }
    }
    book.learn(habits(object));
    book
}

/// What is shown, needed and searched without being asked for.
fn habits(object: ObjectType) -> Habits<'static> {
    match object {
        ObjectType::Contacts => Habits {
            written: &["email", "createdate", "lastmodifieddate", "hs_object_id"],
            read: &[
                "createdate",
                "email",
                "firstname",
                "hs_object_id",
                "lastmodifieddate",
                "lastname",
            ],
            one_of: &["email", "firstname", "lastname"],
            searched: &[
                "firstname",
                "lastname",
                "email",
                "phone",
                "hs_additional_emails",
                "company",
            ],
        },
        ObjectType::Companies => Habits {
            written: &["createdate", "hs_lastmodifieddate", "hs_object_id"],
            read: &[
                "name",
                "domain",
                "createdate",
                "hs_lastmodifieddate",
                "hs_object_id",
            ],
            one_of: &["name", "domain"],
            searched: &["name", "domain", "website", "phone"],
        },
        ObjectType::Deals => Habits {
            written: &["createdate", "hs_lastmodifieddate", "hs_object_id"],
            read: &[
                "amount",
                "closedate",
                "createdate",
                "dealname",
                "dealstage",
                "hs_lastmodifieddate",
                "hs_object_id",
                "pipeline",
            ],
            one_of: &[],
            searched: &["dealname", "description"],
        },
        ObjectType::Tickets => Habits {
            written: &["createdate", "hs_lastmodifieddate", "hs_object_id"],
            read: &[
                "content",
                "createdate",
                "hs_lastmodifieddate",
                "hs_object_id",
                "hs_pipeline",
                "hs_pipeline_stage",
                "hs_ticket_category",
                "hs_ticket_priority",
                "subject",
            ],
            one_of: &[],
            searched: &["subject", "content"],
        },
        _ => Habits {
            written: &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
            read: &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
            one_of: &[],
            searched: &["name", "hs_name", "hs_title", "hs_order_name"],
        },
    }
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
        read_only: field_type == F::CalculationEquation
            || matches!(
                role,
                Role::CreatedAt | Role::UpdatedAt | Role::RecordId | Role::MergedIds
            ),
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
        "hs_merged_object_ids" => Role::MergedIds,
        "dealstage" | "hs_pipeline_stage" => Role::Stage,
        "pipeline" | "hs_pipeline" => Role::Pipeline,
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
        (_, "hubspot_owner_id") => &OWNERS,
        (ObjectType::Deals, "dealtype") => &["newbusiness", "existingbusiness"],
        (ObjectType::Deals, "hs_priority") => &["low", "medium", "high"],
        (ObjectType::Tickets, "hs_ticket_priority") => &["LOW", "MEDIUM", "HIGH", "URGENT"],
        (ObjectType::Tickets, "hs_ticket_category") => &[
            "PRODUCT_ISSUE",
            "BILLING_ISSUE",
            "FEATURE_REQUEST",
            "GENERAL_INQUIRY",
        ],
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
