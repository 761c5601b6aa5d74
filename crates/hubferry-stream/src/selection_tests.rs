use proptest::prelude::*;

use super::*;
use crate::letter_read::tests::found;

/// 2026-01-01T01:00:00Z
const NOW_MS: i64 = 1_767_229_200_000;

fn select(text: &str) -> Result<Selection, FilterError> {
    Selection::parse(text, NOW_MS)
}

/// The sample letter with a second failure, of another kind.
fn letter() -> Letter {
    let mut letter = found(5);
    letter.letter.failed.push(FailedMapping {
        mapping: "acme/companies".to_owned(),
        stage: "association".to_owned(),
        class: "missing".to_owned(),
        code: "association_contact_missing".to_owned(),
        status: None,
        category: None,
        sub_category: None,
        property: None,
        attempts: 3,
    });
    letter
}

#[test]
fn filters_choose_the_failed_mappings_they_mean() {
    const BOTH: &[&str] = &["acme/contacts", "acme/companies"];
    const FIRST: &[&str] = &["acme/contacts"];
    const SECOND: &[&str] = &["acme/companies"];
    const NONE: &[&str] = &[];
    let hash = letter().letter.identity_hash.unwrap();
    for (text, expected) in [
        ("", BOTH),
        ("since=-1h", BOTH),
        ("since=-10m", NONE),
        (
            "since=2026-01-01T00:00:02Z until=2026-01-01T00:00:03Z",
            BOTH,
        ),
        ("until=2026-01-01T00:00:02.5Z", NONE),
        ("partition=3", BOTH),
        ("partition=0..2", NONE),
        ("offsets=40..42", BOTH),
        ("offsets=43..", NONE),
        ("offsets=..10,42", BOTH),
        ("class=input", FIRST),
        ("class=input,missing", BOTH),
        ("class=input class=missing", BOTH),
        ("class=missing code=property_option", NONE),
        ("stage=association", SECOND),
        ("status=400", FIRST),
        ("status=400..499", FIRST),
        ("status=500..", NONE),
        ("category=VALIDATION_ERROR", FIRST),
        ("property=plan", FIRST),
        ("property=plan mapping=acme/companies", NONE),
        ("mapping=acme/companies", SECOND),
        ("type=identify", BOTH),
        ("type=track", NONE),
        ("message-id=m-0,m-1", BOTH),
        ("config-hash=abc", BOTH),
        ("config-hash=abd", NONE),
        ("replays=2", BOTH),
        ("replays=0..1", NONE),
        ("cause=acme/contacts:property_option:plan", FIRST),
        ("cause=acme/companies:association_contact_missing", SECOND),
        (&format!("identity={hash}"), BOTH),
        ("identity=u1", NONE),
        ("limit=5 sample=2", BOTH),
    ] {
        let selection = select(text).unwrap();
        let letter = letter();
        let chosen: Vec<_> = selection
            .chosen(&letter)
            .iter()
            .map(|failed| failed.mapping.as_str())
            .collect();
        assert_eq!(chosen, expected, "{text}");
        assert_eq!(selection.is_everything(), text.is_empty(), "{text}");
    }
}

#[test]
fn a_bad_filter_is_one_line() {
    let names = "since, until, partition, offsets, class, code, stage, status, category, property, mapping, type, \
                 identity, message-id, config-hash, replays, where, cause, limit, sample";
    let unknown = format!("unknown filter `colour`: the filters are {names}");
    for (text, message) in [
        ("colour=red", unknown.as_str()),
        (
            "since=yesterday",
            "filter `since`: expected a time such as -1h or 2026-01-31T12:00:00Z",
        ),
        (
            "since=-1y",
            "filter `since`: expected a time such as -1h or 2026-01-31T12:00:00Z",
        ),
        (
            "since=-9223372036854775807w",
            "filter `since`: expected a time such as -1h or 2026-01-31T12:00:00Z",
        ),
        ("since=-1h since=-2h", "filter `since` is given twice"),
        (
            "offsets=20..10",
            "filter `offsets`: expected a number, a range such as 10..20, 10.. or ..20, or several with commas",
        ),
        (
            "partition=-1",
            "filter `partition`: expected a number, a range such as 10..20, 10.. or ..20, or several with commas",
        ),
        (
            "status=..",
            "filter `status`: expected a number, a range such as 10..20, 10.. or ..20, or several with commas",
        ),
        (
            "limit=0",
            "filter `limit`: expected a number of letters, 1 at least",
        ),
        (
            "class=",
            "filter `class`: expected a value, or several with commas between them",
        ),
        (
            "class=input,",
            "filter `class`: expected a value, or several with commas between them",
        ),
        ("where=x", "filter `where`: expected a condition"),
        (
            "class",
            "a filter is written NAME=VALUE, and values with blanks stand in double quotes",
        ),
        (
            "class=\"input",
            "a filter is written NAME=VALUE, and values with blanks stand in double quotes",
        ),
    ] {
        assert_eq!(select(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn a_condition_takes_part_and_is_told() {
    let selection = select("class=input").unwrap().with_condition(
        "event = \"A B\"",
        Box::new(|letter| letter.letter.attempts > 5),
    );
    assert!(selection.chosen(&letter()).is_empty());
    assert_eq!(
        selection.to_string(),
        r#"class=input where="event = \"A B\"""#
    );
    let mut tried = letter();
    tried.letter.attempts = 6;
    let read = |text: &str| -> Option<Predicate> {
        (text == "event = \"A B\"").then(|| -> Predicate { Box::new(|_| false) })
    };
    let again = Selection::parse_with(&selection.to_string(), NOW_MS, read).unwrap();
    assert_eq!(
        (again.to_string(), again.chosen(&tried).len()),
        (selection.to_string(), 0)
    );
    assert_eq!(selection.chosen(&tried).len(), 1);
}

#[test]
fn what_was_selected_can_be_read_again_later() {
    let first = select("since=-1h mapping=\"acme/my contacts\" offsets=1..5 limit=3").unwrap();
    let text = first.to_string();
    assert_eq!(
        text,
        "since=2026-01-01T00:00:00Z mapping=\"acme/my contacts\" offsets=1..5 limit=3"
    );
    let later = Selection::parse(&text, NOW_MS + 86_400_000).unwrap();
    assert_eq!(
        (later.since_ms(), later.limit(), later.to_string()),
        (first.since_ms(), Some(3), text)
    );
    assert_eq!(
        format!("{first:?}"),
        r#"Selection { filters: ["since", "mapping", "offsets", "limit"], where: false }"#
    );
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,60}") {
        prop_assert!(select(&text).map_or_else(|error| !error.to_string().contains('\n') || text.contains('\n'), |_| true));
    }

    #[test]
    fn a_sample_depends_on_the_letters_alone(mut ids in prop::collection::vec("[a-z]{1,6}", 0..60), size in 1usize..20) {
        let sample = |ids: &[String]| {
            let mut sample = Sample::new(size);
            ids.iter().for_each(|id| sample.offer(id, id.clone()));
            sample.into_items()
        };
        let first = sample(&ids);
        ids.reverse();
        prop_assert_eq!(&sample(&ids), &first);
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(first.len(), distinct.len().min(size));
    }
}
