//! A seeded stream of sample events: people who change, companies they share, and a handful of mistakes.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// The sample.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Messages, in the order they happened.
    pub(crate) messages: Vec<Vec<u8>>,
    /// Calls that a tool would need which makes its calls event by event, as hosted destinations do: for a contact an
    /// update, and a create when there is none; for a company the same and one call for the association. Events that
    /// such a tool refuses before calling count nothing.
    pub(crate) calls_one_by_one: u64,
}

/// Enough people that their contacts alone take more than a window's calls, so that the limit is what is waited for;
/// few enough that it is over in well under a minute, and that the embedded broker keeps every message.
const EVENTS: usize = 30_000;
const PEOPLE: usize = 15_000;
const COMPANIES: usize = 600;

/// Makes the sample of a seed; the same seed makes the same bytes.
pub(crate) fn sample(seed: u64) -> Sample {
    let mut maker = Maker {
        random: StdRng::seed_from_u64(seed),
        sample: Sample {
            messages: Vec::with_capacity(EVENTS + 32),
            calls_one_by_one: 0,
        },
        contacts: BTreeSet::new(),
        companies: BTreeSet::new(),
    };
    let mut mistakes = mistakes();
    let every = EVENTS / mistakes.len();
    for number in 0..EVENTS {
        maker.event(number);
        let due = number % every == every / 2;
        if let Some(mistake) = due.then(|| mistakes.pop()).flatten() {
            maker.mistake(mistake);
        }
    }
    maker.sample
}

struct Maker {
    random: StdRng,
    sample: Sample,
    /// Whom a tool would have created by now.
    contacts: BTreeSet<usize>,
    companies: BTreeSet<usize>,
}

impl Maker {
    fn event(&mut self, number: usize) {
        // Every second event introduces somebody new until all are known; otherwise people come back at random.
        let introduced = number.is_multiple_of(2) && number / 2 < PEOPLE;
        let person = if introduced {
            number / 2
        } else {
            self.random.random_range(0..PEOPLE)
        };
        let choice = self.random.random_range(0..100);
        let event = match choice {
            _ if introduced => self.identify(person),
            0..50 => self.identify(person),
            50..74 => self.group(person),
            74..94 => self.track(person),
            _ => page(person),
        };
        self.push(number, event);
    }

    fn identify(&mut self, person: usize) -> Value {
        self.sample.calls_one_by_one += if self.contacts.insert(person) { 2 } else { 1 };
        let titles = ["Engineer", "Analyst", "Director", "Designer", "Founder"];
        let statuses = ["NEW", "OPEN", "IN_PROGRESS", "CONNECTED"];
        json!({
            "type": "identify",
            "userId": user(person),
            "traits": {
                "email": email(person),
                "first_name": FIRST_NAMES[person % FIRST_NAMES.len()],
                "last_name": LAST_NAMES[person % LAST_NAMES.len()],
                "phone": format!("+49 30 {:07}", self.random.random_range(0..10_000_000)),
                "title": titles[self.random.random_range(0..titles.len())],
                "lead_status": statuses[self.random.random_range(0..statuses.len())],
                "address": { "city": CITIES[person % CITIES.len()], "country": "Germany" },
            },
        })
    }

    fn group(&mut self, person: usize) -> Value {
        let company = person % COMPANIES;
        self.sample.calls_one_by_one += if self.companies.insert(company) { 3 } else { 2 };
        json!({
            "type": "group",
            "userId": user(person),
            "groupId": format!("company-{company}"),
            "traits": {
                "name": format!("{} {}", CITIES[company % CITIES.len()], COMPANY_KINDS[company % COMPANY_KINDS.len()]),
                "website": format!("https://www.company-{company}.example"),
                "employees": self.random.random_range(3..4_000),
                "industry": "COMPUTER_SOFTWARE",
                "revenue": self.random.random_range(100_000..90_000_000),
            },
            "context": { "traits": { "email": email(person) } },
        })
    }

    fn track(&mut self, person: usize) -> Value {
        let names = ["Report Opened", "File Exported", "Seat Added"];
        json!({
            "type": "track",
            "userId": user(person),
            "event": names[self.random.random_range(0..names.len())],
            "properties": { "count": self.random.random_range(1..50) },
        })
    }

    fn mistake(&mut self, mistake: Mistake) {
        match mistake {
            Mistake::Raw(text) => self.sample.messages.push(text.as_bytes().to_vec()),
            Mistake::Event { event, calls } => {
                self.sample.calls_one_by_one += calls;
                let number = EVENTS + self.sample.messages.len();
                self.push(number, event);
            }
        }
    }

    fn push(&mut self, number: usize, mut event: Value) {
        event["messageId"] = format!("demo-{number:05}").into();
        let (minutes, seconds) = (number / 60, number % 60);
        let time = format!(
            "2026-01-05T{:02}:{:02}:{seconds:02}.000Z",
            8 + minutes / 60,
            minutes % 60
        );
        event["timestamp"] = time.into();
        self.sample.messages.push(event.to_string().into_bytes());
    }
}

/// What goes wrong in every stream.
#[derive(Clone)]
enum Mistake {
    /// No JSON.
    Raw(&'static str),
    /// An event that ends dead or skipped, and the calls another tool would have made for it.
    Event { event: Value, calls: u64 },
}

fn mistakes() -> Vec<Mistake> {
    let wrong = |event: Value, calls: u64| Mistake::Event { event, calls };
    let person = |n: usize, traits: Value| json!({ "type": "identify", "userId": user(n), "traits": traits });
    vec![
        Mistake::Raw(r#"{"type":"identify","userId":"user-17","traits":{"email":"#),
        Mistake::Raw(r#"<event type="identify"/>"#),
        wrong(json!({ "type": "purchase", "userId": user(3) }), 0),
        wrong(json!({ "type": "Identify", "userId": user(4) }), 0),
        wrong(
            json!({ "type": "identify", "traits": { "plan": "pro" } }),
            0,
        ),
        wrong(person(5, json!({ "email": "not an address" })), 0),
        wrong(person(6, json!({ "email": "missing-at.example" })), 0),
        wrong(person(7, json!({ "first_name": "Nobody" })), 0),
        wrong(
            person(8, json!({ "email": email(8), "lead_status": "VERY_HOT" })),
            1,
        ),
        wrong(
            person(9, json!({ "email": email(9), "lead_status": "VERY_HOT" })),
            1,
        ),
        wrong(
            person(10, json!({ "email": email(10), "lead_status": "LUKEWARM" })),
            1,
        ),
        wrong(
            json!({ "type": "group", "userId": user(11), "groupId": "company-11", "traits": { "employees": "a dozen" } }),
            0,
        ),
        wrong(
            json!({ "type": "group", "userId": user(12), "groupId": "company-12", "traits": { "revenue": "plenty" } }),
            1,
        ),
        wrong(
            json!({ "type": "group", "userId": user(13), "groupId": "company-13", "traits": { "revenue": "plenty" } }),
            1,
        ),
        wrong(
            json!({ "type": "identify", "userId": user(14), "traits": { "email": email(14) }, "integrations": { "HubSpot": false } }),
            0,
        ),
        wrong(
            json!({ "type": "identify", "userId": user(15), "traits": { "email": email(15) }, "integrations": { "All": false } }),
            0,
        ),
    ]
}

fn page(person: usize) -> Value {
    json!({ "type": "page", "userId": user(person), "name": "Pricing", "properties": { "path": "/pricing" } })
}

fn user(person: usize) -> String {
    format!("user-{person}")
}

fn email(person: usize) -> String {
    let first = FIRST_NAMES[person % FIRST_NAMES.len()].to_lowercase();
    format!("{first}.{person}@company-{}.com", person % COMPANIES)
}

const FIRST_NAMES: [&str; 12] = [
    "Ada", "Ben", "Cleo", "Dana", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jana", "Kai", "Lea",
];
const LAST_NAMES: [&str; 11] = [
    "Arndt", "Berg", "Conrad", "Dietz", "Ebert", "Funk", "Graf", "Horn", "Illing", "Jung", "Kern",
];
const CITIES: [&str; 7] = ["Berlin", "Bonn", "Bremen", "Kiel", "Köln", "Mainz", "Ulm"];
const COMPANY_KINDS: [&str; 5] = ["Works", "Analytics", "Logistics", "Optics", "Studio"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_stream_and_another_seed_another() {
        assert_eq!(sample(1).messages, sample(1).messages);
        assert_ne!(sample(1).messages, sample(2).messages);
        assert_eq!(sample(1).messages.len(), EVENTS + mistakes().len());
    }

    #[test]
    fn everybody_is_introduced() {
        let mut maker_contacts = BTreeSet::new();
        for message in sample(1).messages {
            let Ok(event) = serde_json::from_slice::<Value>(&message) else {
                continue;
            };
            if event["type"] == "identify" {
                maker_contacts.insert(event["userId"].as_str().map(ToOwned::to_owned));
            }
        }
        assert!(maker_contacts.len() >= PEOPLE);
    }
}
