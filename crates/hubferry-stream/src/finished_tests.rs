use proptest::prelude::*;

use super::*;

fn finished(position: i64, runs: &[Range<i64>]) -> Finished {
    Finished::new(Position::new(position), runs.iter().cloned())
}

fn decode(text: &str, position: i64) -> Result<Option<Finished>, FinishedError> {
    Finished::decode(text, Position::new(position))
}

#[test]
fn the_text_is_pinned() {
    // Written down once: what an older worker committed must be read by a newer one.
    for (finished, text) in [
        (
            finished(42, &[44..50, 1_000..1_001]),
            "SEYBAAAFAAAAAAAAACoCBrYHAZijujU",
        ),
        (
            finished(0, &[1..2, 3..4, 5..6, 7..8]),
            "SEYBAQABAAAAAAAAAABVt+ihaw",
        ),
    ] {
        assert_eq!(finished.encode().as_deref(), Some(text));
        assert_eq!(decode(text, finished.position().get()), Ok(Some(finished)));
    }
}

#[test]
fn nothing_above_the_position_is_no_text() {
    assert_eq!(finished(5, &[]).encode(), None);
    assert_eq!(decode("", 5), Ok(None));
}

#[test]
fn a_full_default_span_of_every_other_message_fits_and_more_does_not() {
    let every_other = |to: i64| {
        finished(
            1_000,
            &(1..to / 2)
                .map(|at| 1_000 + at * 2..1_001 + at * 2)
                .collect::<Vec<_>>(),
        )
    };
    let text = every_other(20_000).encode().unwrap();
    assert!(text.len() <= TEXT_BYTES, "{} characters", text.len());
    assert_eq!(decode(&text, 1_000), Ok(Some(every_other(20_000))));
    assert_eq!(every_other(24_000).encode(), None);
    // One long run is short, however long it is.
    let long = Finished::new(Position::new(7), Some(9..1 << 60));
    assert_eq!(decode(&long.encode().unwrap(), 7), Ok(Some(long)));
}

#[test]
fn what_others_wrote_is_told_from_what_is_damaged() {
    let text = finished(42, &[43..50, 60..61]).encode().unwrap();
    let mut newer = base64::decode(&text).unwrap();
    newer[2] = 2;
    let cut = base64::encode(&base64::decode(&text).unwrap()[..20]);
    for (text, position, expected) in [
        ("consumer-1 was here", 42, FinishedError::Foreign),
        ("{}", 42, FinishedError::Foreign),
        ("AAAA", 42, FinishedError::Foreign),
        ("QUJDREVGR0hJSktMTU5PUFFSU1RVVg", 42, FinishedError::Foreign),
        (text.as_str(), 43, FinishedError::OtherPosition),
        (base64::encode(&newer).as_str(), 42, FinishedError::Newer),
        (cut.as_str(), 42, FinishedError::Damaged),
    ] {
        assert_eq!(decode(text, position), Err(expected), "{text}");
    }
}

/// Gaps and lengths in turn.
fn runs() -> impl Strategy<Value = (i64, Vec<Range<i64>>)> {
    let step = prop_oneof![8 => 1i64..4, 2 => 1i64..300, 1 => 1i64..10_000_000];
    (
        0i64..1 << 40,
        prop::collection::vec((step.clone(), step), 0..400),
    )
        .prop_map(|(position, steps)| {
            let mut at = position;
            let mut runs = Vec::new();
            for (gap, length) in steps {
                runs.push(at + gap..at + gap + length);
                at += gap + length;
            }
            (position, runs)
        })
}

proptest! {
    #[test]
    fn what_was_written_is_read((position, runs) in runs()) {
        let written = finished(position, &runs);
        if let Some(text) = written.encode() {
            prop_assert!(text.len() <= TEXT_BYTES);
            prop_assert_eq!(decode(&text, position), Ok(Some(written)));
        } else if !runs.is_empty() {
            let span = runs.last().unwrap().end - position;
            prop_assert!(span > 20_000 && runs.len() * 8 > BODY_BYTES, "{} offsets in {} runs would fit", span, runs.len());
        }
    }

    #[test]
    fn damage_is_seen((position, runs) in runs(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        if let Some(text) = finished(position, &runs).encode() {
            let mut bytes = base64::decode(&text).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&base64::encode(&bytes), position).is_err());
        }
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..80), position in any::<i64>()) {
        prop_assert!(!matches!(decode(&text, position), Ok(Some(_))));
        let mut ours = vec![b'H', b'F', 1, bytes.first().map_or(0, |byte| byte & 1)];
        ours.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        ours.extend(position.to_be_bytes());
        ours.extend(&bytes);
        let check = checksum(&ours);
        ours.extend(check);
        if let Ok(Some(read)) = decode(&base64::encode(&ours), position) {
            prop_assert!(read.runs().iter().all(|run| run.start > position && run.start < run.end));
        }
    }
}
