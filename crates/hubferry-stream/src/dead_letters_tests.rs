use serde_json::Value;

use super::*;
use crate::letter::tests::sample;

#[test]
fn templates_name_a_topic_or_say_why_not() {
    let topic = DeadLetterTopic::parse(DeadLetterTopic::DEFAULT).unwrap();
    assert_eq!(topic.of("customer-events"), "customer-events.hubferry.dlq");
    assert_eq!(
        DeadLetterTopic::parse("one.for-all_1").unwrap().of("x"),
        "one.for-all_1"
    );
    for (template, message) in [
        (
            "",
            "`` is not a name for a topic: it must not be empty, `.` or `..`; check kafka.dead_letter_topic",
        ),
        (
            "{source}.dlq",
            "`{source}.dlq` is not a name for a topic: only letters, digits, `.`, `_`, `-` and the placeholder \
             `{topic}` are allowed; check kafka.dead_letter_topic",
        ),
    ] {
        assert_eq!(
            DeadLetterTopic::parse(template).unwrap_err().to_string(),
            message
        );
    }
    assert!(DeadLetterTopic::parse(&"x".repeat(250)).is_err());
}

#[test]
fn our_headers_replace_older_ones_and_others_stay() {
    let letter = DeadLetter {
        original_headers: vec![
            ("source".to_owned(), Bytes::from_static(b"web")),
            ("hubferry.attempts".to_owned(), Bytes::from_static(b"old")),
            ("hubferry.truncated".to_owned(), Bytes::from_static(b"old")),
            ("traceparent".to_owned(), Bytes::from_static(b"old")),
        ],
        ..sample()
    };
    let parcel = Parcel::new(&letter, CompatHeaders::None);
    assert_eq!(
        parcel.kept,
        [("source".to_owned(), Bytes::from_static(b"web"))]
    );
    assert_eq!(parcel.added, letter.headers());
}

#[test]
fn a_value_that_is_too_large_is_cut_and_says_so() {
    let letter = DeadLetter {
        value: Bytes::from(vec![b'x'; 1_500_000]),
        ..sample()
    };
    let mut parcel = Parcel::new(&letter, CompatHeaders::None);
    let before = parcel.added.len();
    assert!(parcel.shorten(&letter));
    assert_eq!(parcel.value.len(), 524_288);
    assert!(parcel.shorten(&letter));
    assert_eq!(parcel.value.len(), 262_144);
    let added: Vec<_> = parcel.added[before..]
        .iter()
        .map(|(name, value)| (name.as_str(), value.len()))
        .collect();
    assert_eq!(
        added,
        [
            ("hubferry.truncated", 1),
            ("hubferry.truncated.bytes", 7),
            ("hubferry.truncated.sha256", 64)
        ]
    );
    let mut cuts = 0;
    while parcel.shorten(&letter) {
        cuts += 1;
    }
    assert_eq!((cuts, parcel.value.len()), (18, 1), "it ends");
}

#[tokio::test]
async fn a_file_has_each_letter_as_a_line_as_soon_as_it_is_parked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    std::fs::write(&path, "of an earlier run\n").unwrap();
    let letters = DeadLetters::File(FileDeadLetters::create(&path).unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    for count in 1..=3 {
        letters
            .park(DeadLetter {
                attempts: count,
                ..sample()
            })
            .await
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let attempts: Vec<_> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["attempts"]
                    .as_u64()
                    .unwrap()
            })
            .collect();
        assert_eq!(attempts, (1..=u64::from(count)).collect::<Vec<_>>());
    }
    letters.close().await;
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let error = FileDeadLetters::create(Path::new("/nowhere/dead.ndjson")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not write the dead letters to /nowhere/dead.ndjson: No such file or directory (os error 2)"
    );
}

#[test]
fn headers_for_other_tools_take_their_share_of_the_room() {
    let mut letter = sample();
    letter.done = vec![letter.done[0].clone(); 100];
    letter.original_headers = vec![(
        "kafka_dlt-original-offset".to_owned(),
        Bytes::from_static(b"old"),
    )];
    for compat in [CompatHeaders::Connect, CompatHeaders::Spring] {
        let parcel = Parcel::new(&letter, compat);
        let bytes: usize = parcel
            .added
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert!(bytes <= HEADERS_BYTES, "{bytes} bytes");
        assert!(
            compat
                .of(&letter)
                .iter()
                .all(|header| parcel.added.contains(header))
        );
        assert_eq!(
            parcel.kept.is_empty(),
            compat == CompatHeaders::Spring,
            "the new one replaces the old one"
        );
    }
}
