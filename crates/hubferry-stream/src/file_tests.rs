use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::source::Source;

fn source(text: &'static [u8], bounds: IntakeBounds) -> Source {
    Source::File(FileSource::read_from(Cursor::new(text), bounds).unwrap())
}

async fn next(source: &mut Source) -> Intake {
    tokio::time::timeout(Duration::from_secs(20), source.next())
        .await
        .expect("an answer in time")
        .unwrap()
}

/// Everything up to the end, settled at once: offset and text.
async fn drain(source: &mut Source) -> Vec<(i64, String)> {
    let mut lines = Vec::new();
    loop {
        match next(source).await {
            Intake::Arrived(message, ticket) => {
                let text = String::from_utf8(message.body.unwrap().to_vec()).unwrap();
                lines.push((message.at.offset.get(), text));
                source.settle(ticket);
            }
            Intake::Finished => return lines,
            Intake::Assigned(_) | Intake::Quiet => (),
            other => panic!("a file cannot say {other:?}"),
        }
    }
}

#[tokio::test]
async fn every_line_is_a_message_and_blank_ones_are_none() {
    for (text, expected) in [
        (&b""[..], vec![]),
        (b"\n \n\r\n", vec![]),
        (b"a", vec![(0, "a")]),
        (b"a\nb\n", vec![(0, "a"), (1, "b")]),
        (b"a\r\n\r\n  \n b\r\n", vec![(0, "a"), (3, " b")]),
        (b"\xef\xbb\xbf{}\n\xc3\xa4", vec![(0, "{}"), (1, "\u{e4}")]),
    ] {
        let mut source = source(text, IntakeBounds::default());
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(line, text)| (line, text.to_owned()))
            .collect();
        assert_eq!(drain(&mut source).await, expected, "{text:?}");
        assert_eq!(source.unsettled(), 0);
        source.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_says_who_it_is_first() {
    let mut source = source(b"a\n", IntakeBounds::default());
    let Intake::Assigned(partitions) = next(&mut source).await else {
        panic!("the assignment comes first")
    };
    assert_eq!(partitions, [(Topic::new("input"), Partition::new(0))]);
}

#[tokio::test]
async fn reading_stops_at_the_bounds_and_goes_on_when_half_is_free() {
    let bounds = IntakeBounds {
        partition_messages: 4,
        ..IntakeBounds::default()
    };
    let mut source = source(b"0\n1\n2\n3\n4\n5\n6\n", bounds);
    assert!(matches!(next(&mut source).await, Intake::Assigned(_)));
    let mut tickets = Vec::new();
    while tickets.len() < 4 {
        match next(&mut source).await {
            Intake::Arrived(_, ticket) => tickets.push(ticket),
            Intake::Quiet => (),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(matches!(next(&mut source).await, Intake::Quiet));
    for _ in 0..2 {
        assert!(
            tokio::time::timeout(Duration::from_millis(20), source.next())
                .await
                .is_err(),
            "held by the bounds"
        );
        source.settle(tickets.remove(0));
    }
    assert!(matches!(next(&mut source).await, Intake::Arrived(..)));
    assert_eq!(source.unsettled(), 3);
}

#[tokio::test]
async fn the_reader_does_not_run_ahead() {
    struct Endless(Arc<AtomicUsize>);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'x');
            for end in buffer.iter_mut().step_by(100) {
                *end = b'\n';
            }
            self.0.fetch_add(buffer.len(), Ordering::Relaxed);
            Ok(buffer.len())
        }
    }
    let read = Arc::new(AtomicUsize::new(0));
    let bounds = IntakeBounds {
        partition_messages: 100,
        ..IntakeBounds::default()
    };
    let mut source =
        Source::File(FileSource::read_from(Endless(Arc::clone(&read)), bounds).unwrap());
    let mut tickets = Vec::new();
    while tickets.len() < 100 {
        if let Intake::Arrived(_, ticket) = next(&mut source).await {
            tickets.push(ticket);
        }
    }
    // Two batches in the channel, one being handed over, one taken: more can never have been read, however long.
    let most = (BATCHES + 2) * (BATCH_BYTES + (64 << 10));
    assert!(
        read.load(Ordering::Relaxed) <= most,
        "{} bytes were read",
        read.load(Ordering::Relaxed)
    );
}

#[test]
fn an_endless_line_is_cut_off() {
    let (sender, _batches) = mpsc::channel(1);
    let input = BufReader::new(Cursor::new(b"0123456789\nabc\n0123\n"));
    let mut reader = Reader {
        input,
        line: 0,
        sender,
        line_bytes: 4,
    };
    let mut lines = Vec::new();
    while let Some(line) = reader.line().unwrap() {
        lines.push(String::from_utf8(line).unwrap());
    }
    assert_eq!(lines, ["0123", "abc", "0123"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_which_line() {
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the disk is gone"));
            }
            buffer[..4].copy_from_slice(b"a\nb\n");
            Ok(4)
        }
    }
    let mut source =
        Source::File(FileSource::read_from(Broken(false), IntakeBounds::default()).unwrap());
    let mut arrived = 0;
    let error = loop {
        match source.next().await {
            Ok(Intake::Arrived(..)) => arrived += 1,
            Ok(_) => (),
            Err(error) => break error,
        }
    };
    assert_eq!(arrived, 2);
    assert_eq!(
        error.to_string(),
        "could not read the input at line 2: the disk is gone"
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let error =
        FileSource::open(Path::new("/nowhere/events.ndjson"), IntakeBounds::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not open the input /nowhere/events.ndjson: No such file or directory (os error 2)"
    );
    let error = FileSource::open(Path::new("/"), IntakeBounds::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not open the input /: is a directory"
    );
}

#[tokio::test]
async fn a_stopped_file_hands_out_nothing_more() {
    let mut source = source(b"a\nb\n", IntakeBounds::default());
    let ticket = loop {
        if let Intake::Arrived(_, ticket) = next(&mut source).await {
            break ticket;
        }
    };
    source.stop_intake();
    assert!(matches!(next(&mut source).await, Intake::Quiet));
    source.settle(ticket);
    assert!(
        tokio::time::timeout(Duration::from_millis(20), source.next())
            .await
            .is_err()
    );
    assert_eq!(source.unsettled(), 0);
}
