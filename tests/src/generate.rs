//! Seeded events: people who change, companies that are shared, and a few events that are wrong.

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// Further contact properties that the generated events write, as `(property, path)` for the mapping.
///
/// `visits` counts the identify events of one person and is a number property that the portal gets from
/// [`visits`]; `shoe_size` is a property that no portal has. `numemployees` and `shoe_size` are written by faults
/// alone: a wrong value that a later event overwrites may never be sent, so its ending would depend on timing.
pub const CONTACT_PROPERTIES: [(&str, &str); 5] = [
    ("jobtitle", "$.traits.title"),
    ("hs_lead_status", "$.traits.lead_status"),
    ("visits", "$.traits.visits"),
    ("numemployees", "$.traits.team_size"),
    ("shoe_size", "$.traits.shoe_size"),
];

/// Definition of the contact property `visits`, as HubSpot's property create call takes it.
#[must_use]
pub fn visits() -> Value {
    json!({
        "name": "visits",
        "label": "Visits",
        "type": "number",
        "fieldType": "number",
        "groupName": "contactinformation",
    })
}

/// Definition of the company property that keeps the group id.
#[must_use]
pub fn group_id() -> Value {
    json!({
        "name": "segment_group_id",
        "label": "Segment Group ID",
        "type": "string",
        "fieldType": "text",
        "groupName": "companyinformation",
        "hasUniqueValue": true,
        "hidden": true,
        "formField": false,
    })
}

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The same seed gives the same events.
    pub seed: u64,
    /// People; person `n` has the user id `u-n`.
    pub people: u32,
    /// Companies; company `n` has the group id `c-n` and is changed by person `n` alone, others only name it.
    pub companies: u32,
    /// Events in all, the wrong ones included.
    pub events: u32,
    /// Every how many events one is wrong; the kinds of [`Fault`] take turns. 0: none.
    pub one_wrong_in: u32,
}

/// One generated event.
#[derive(Debug, Clone)]
pub struct Line {
    /// The message key.
    pub key: Option<String>,
    /// The message value: one line of JSON, or what should have been one.
    pub body: String,
    /// What is wrong with it, if anything.
    pub fault: Option<Fault>,
}

/// The ways in which an event can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The value is cut off.
    NotJson,
    /// The value is JSON but no object.
    NotAnObject,
    /// A type that the event specification does not have.
    UnknownType,
    /// Neither user, anonymous id, e-mail nor group.
    NoIdentity,
    /// An identify whose e-mail is none.
    InvalidEmail,
    /// A property that the portal does not have.
    UnknownProperty,
    /// An option that the property does not have.
    WrongOption,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 7] = [
        Fault::NotJson,
        Fault::NotAnObject,
        Fault::UnknownType,
        Fault::NoIdentity,
        Fault::InvalidEmail,
        Fault::UnknownProperty,
        Fault::WrongOption,
    ];

    /// The code that its dead letter carries.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Fault::NotJson => "parse_error",
            Fault::NotAnObject => "not_an_object",
            Fault::UnknownType => "type_unknown",
            Fault::NoIdentity => "no_identity",
            Fault::InvalidEmail => "payload_invalid",
            Fault::UnknownProperty => "property_missing",
            Fault::WrongOption => "property_option",
        }
    }

    fn body(self, person: &Person, id: &str, time: &str) -> String {
        let identify =
            |traits: Value| person.event("identify", id, time, &json!({"traits": traits}));
        match self {
            Fault::NotJson => format!("{{\"type\": \"identify\", \"userId\": \"{}\", \"messageId\": \"{id}\"", person.user),
            Fault::NotAnObject => format!("\"identify {id}\""),
            Fault::UnknownType => person.event("purchase", id, time, &json!({})),
            Fault::NoIdentity => {
                json!({"type": "identify", "messageId": id, "timestamp": time, "traits": {"title": "nobody"}}).to_string()
            }
            Fault::InvalidEmail => identify(json!({"email": format!("{} at example", person.user)})),
            Fault::UnknownProperty => identify(json!({"email": person.email, "shoe_size": 44})),
            Fault::WrongOption => identify(json!({"email": person.email, "team_size": "NO_SUCH_SIZE"})),
        }
    }
}

struct Person {
    number: u32,
    user: String,
    email: String,
    visits: u32,
}

impl Person {
    fn new(number: u32) -> Person {
        Person {
            number,
            user: format!("u-{number}"),
            email: format!("person-{number}@example.com"),
            visits: 0,
        }
    }

    fn event(&self, kind: &str, id: &str, time: &str, rest: &Value) -> String {
        let mut event =
            json!({"type": kind, "messageId": id, "timestamp": time, "userId": self.user});
        for (key, value) in rest.as_object().into_iter().flatten() {
            event[key] = value.clone();
        }
        event.to_string()
    }

    fn identify(&mut self, id: &str, time: &str, chance: &mut StdRng) -> String {
        const STATUSES: [&str; 4] = ["NEW", "OPEN", "IN_PROGRESS", "CONNECTED"];
        self.visits += 1;
        // Some sources write addresses with capitals; it is the same person.
        let email = if chance.random_ratio(1, 8) {
            self.email.to_uppercase()
        } else {
            self.email.clone()
        };
        let mut traits = json!({"email": email, "visits": self.visits});
        if self.visits == 1 {
            traits["first_name"] = json!(format!("First{}", self.number));
            traits["lastName"] = json!(format!("Last{}", self.number));
        }
        if chance.random_ratio(1, 2) {
            traits["title"] = json!(format!("title {}", chance.random_range(0..1000)));
        }
        if chance.random_ratio(1, 3) {
            traits["phone"] = json!(format!("+49 30 {}", chance.random_range(100_000..999_999)));
        }
        if chance.random_ratio(1, 4) {
            traits["address"] = json!({"city": format!("city {}", chance.random_range(0..50)), "postal_code": "10115"});
        }
        if chance.random_ratio(1, 4) {
            traits["lead_status"] = json!(STATUSES[chance.random_range(0..STATUSES.len())]);
        }
        self.event("identify", id, time, &json!({"traits": traits}))
    }

    fn group(&self, load: &Load, id: &str, time: &str, chance: &mut StdRng) -> String {
        let company = self.number % load.companies;
        let mut traits = json!({"name": format!("Company {company}")});
        if company == self.number {
            traits["employees"] = json!(chance.random_range(1..5000));
            traits["website"] = json!(format!("https://www.company-{company}.example.com/about"));
            traits["address"] = json!({"city": format!("city {}", chance.random_range(0..50))});
        }
        self.event(
            "group",
            id,
            time,
            &json!({"groupId": format!("c-{company}"), "traits": traits}),
        )
    }

    fn track(&self, id: &str, time: &str) -> String {
        self.event(
            "track",
            id,
            time,
            &json!({"event": "Page Read", "properties": {"length": 7}}),
        )
    }
}

/// 1 October 2026, the time of the first event; each next one is 10 ms later.
const FIRST_MS: i64 = 1_790_812_800_000;

/// The events of this load, in the order in which they are to be produced.
///
/// Event times rise, so that per person the order on the topic is the order of time.
///
/// # Panics
///
/// The time of an event is out of range, which takes more events than a `u32` counts.
#[must_use]
pub fn lines(load: &Load) -> Vec<Line> {
    let mut chance = StdRng::seed_from_u64(load.seed);
    let mut people: Vec<Person> = (0..load.people).map(Person::new).collect();
    (0..load.events)
        .map(|number| {
            let person = &mut people[chance.random_range(0..load.people) as usize];
            let id = format!("m-{number}");
            let time = Timestamp::from_millisecond(FIRST_MS + i64::from(number) * 10)
                .expect("a u32 of 10 ms steps is a few months")
                .to_string();
            let fault = fault_of(load, number);
            let body = match (fault, chance.random_range(0..10)) {
                (Some(fault), _) => fault.body(person, &id, &time),
                (None, 0) => person.track(&id, &time),
                (None, 1..=3) => person.group(load, &id, &time, &mut chance),
                (None, _) => person.identify(&id, &time, &mut chance),
            };
            let key = (fault != Some(Fault::NoIdentity)).then(|| person.user.clone());
            Line { key, body, fault }
        })
        .collect()
}

fn fault_of(load: &Load, number: u32) -> Option<Fault> {
    let is_wrong = load.one_wrong_in > 0 && number % load.one_wrong_in == load.one_wrong_in / 2;
    is_wrong.then(|| Fault::ALL[(number / load.one_wrong_in) as usize % Fault::ALL.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load {
        seed: 5,
        people: 40,
        companies: 6,
        events: 700,
        one_wrong_in: 50,
    };

    #[test]
    fn the_same_seed_gives_the_same_events_and_another_seed_others() {
        let bodies = |seed| {
            lines(&Load { seed, ..LOAD })
                .into_iter()
                .map(|line| line.body)
                .collect::<Vec<_>>()
        };
        assert_eq!(bodies(5), bodies(5));
        assert_ne!(bodies(5), bodies(6));
    }

    #[test]
    fn every_kind_of_fault_comes_and_the_rest_is_sound() {
        let lines = lines(&LOAD);
        assert_eq!(lines.len(), 700);
        let faults: Vec<Fault> = lines.iter().filter_map(|line| line.fault).collect();
        assert_eq!(faults, [Fault::ALL, Fault::ALL].concat());
        for line in lines.iter().filter(|line| line.fault.is_none()) {
            let event: Value = serde_json::from_str(&line.body).unwrap();
            assert_eq!(event["userId"].as_str(), line.key.as_deref());
        }
    }

    #[test]
    fn a_company_is_changed_by_one_person_only() {
        for line in lines(&LOAD).iter().filter(|line| line.fault.is_none()) {
            let event: Value = serde_json::from_str(&line.body).unwrap();
            if event["type"] == "group" && event["traits"].get("employees").is_some() {
                let (user, group) = (
                    event["userId"].as_str().unwrap(),
                    event["groupId"].as_str().unwrap(),
                );
                assert_eq!(user.strip_prefix("u-"), group.strip_prefix("c-"));
            }
        }
    }
}
