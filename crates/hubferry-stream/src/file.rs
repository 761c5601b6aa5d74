//! A file, or standard input, as a source: one line is one message.
//!
//! The topic is [`INPUT_TOPIC`], the partition 0, the offset the 0-based line. Blank lines are not messages. The file
//! is read by a thread of its own, which is held back by a small channel; the bounds of the ledger hold back the
//! channel. So memory stays bounded however long the file is.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::thread;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::clock::wall_clock_ms;
use crate::error::StreamError;
use crate::ledger::{IntakeBounds, Ledger, Settled, Ticket};
use crate::place::{Message, Offset, Partition, Place, Topic};
use crate::source::Intake;

/// The topic that messages of a file carry.
pub const INPUT_TOPIC: &str = "input";

/// The partition that messages of a file carry.
const PARTITION: Partition = Partition::new(0);

/// A batch of lines is handed over when it has this many bytes: large enough that the hand-over costs nothing per
/// line, small enough that two waiting batches do not matter beside the bounds.
const BATCH_BYTES: usize = 256 << 10;

/// Two batches may wait: one to read from, one to be filled meanwhile.
const BATCHES: usize = 2;

/// A line longer than this is handed out cut off at this length, so that one endless line cannot fill the memory. Far
/// above what an event or an envelope may have.
const LINE_BYTES: usize = 32 << 20;

/// A file, or standard input, that is read line by line.
#[derive(Debug)]
pub struct FileSource {
    topic: Topic,
    ledger: Ledger,
    ready: VecDeque<Message>,
    batches: mpsc::Receiver<Result<Vec<Message>, StreamError>>,
    said_assigned: bool,
    said_quiet: bool,
    said_finished: bool,
    at_end: bool,
}

impl FileSource {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`StreamError::OpenInput`] when the file cannot be opened.
    pub fn open(path: &Path, bounds: IntakeBounds) -> Result<Self, StreamError> {
        if path == Path::new("-") {
            return Self::read_from(io::stdin(), bounds);
        }
        let opened = File::open(path).and_then(|file| {
            let is_dir = file.metadata()?.is_dir();
            if is_dir {
                Err(io::Error::from(io::ErrorKind::IsADirectory))
            } else {
                Ok(file)
            }
        });
        let file = opened.map_err(|source| StreamError::OpenInput {
            path: path.to_owned(),
            source,
        })?;
        Self::read_from(file, bounds)
    }

    /// Reads from anything. The reading thread ends with the input or with this source; one that is blocked in
    /// standard input ends with the process.
    ///
    /// # Errors
    ///
    /// [`StreamError::Client`] when the thread cannot be started.
    pub fn read_from(
        input: impl Read + Send + 'static,
        bounds: IntakeBounds,
    ) -> Result<Self, StreamError> {
        let (sender, batches) = mpsc::channel(BATCHES);
        let reader = Reader {
            input: BufReader::with_capacity(64 << 10, input),
            line: 0,
            sender,
            line_bytes: LINE_BYTES,
        };
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| StreamError::Client {
                reason: error.to_string(),
            })?;
        let mut ledger = Ledger::new(bounds);
        let topic = Topic::new(INPUT_TOPIC);
        ledger.assign(&topic, PARTITION);
        Ok(Self {
            topic,
            ledger,
            ready: VecDeque::new(),
            batches,
            said_assigned: false,
            said_quiet: false,
            said_finished: false,
            at_end: false,
        })
    }

    pub(crate) async fn next(&mut self) -> Result<Intake, StreamError> {
        if !self.said_assigned {
            self.said_assigned = true;
            return Ok(Intake::Assigned(vec![(self.topic.clone(), PARTITION)]));
        }
        loop {
            let held = self.ledger.is_partition_full(&self.topic, PARTITION);
            if !held {
                if let Some(arrived) = self.pop() {
                    self.said_quiet = false;
                    return Ok(arrived);
                }
                if self.at_end && !self.said_finished {
                    self.said_finished = true;
                    return Ok(Intake::Finished);
                }
            }
            if !held && !self.at_end && self.take_waiting()? {
                continue;
            }
            if !self.said_quiet {
                self.said_quiet = true;
                return Ok(Intake::Quiet);
            }
            if held || self.at_end {
                // Only a settled ticket can change this, and settling needs the source: the caller drops this future.
                std::future::pending::<()>().await;
            }
            // Receiving is cancel-safe: a batch is either still in the channel or already in `ready`.
            let received = self.batches.recv().await;
            self.take(received)?;
        }
    }

    pub(crate) fn settle(&mut self, ticket: Ticket) {
        // There is one assignment for the whole life of a file, so no ticket can be stale.
        let settled = self.ledger.settle(ticket);
        debug_assert_eq!(settled, Settled::Counted);
    }

    pub(crate) fn stop_intake(&mut self) {
        self.ledger.stop();
        self.ready.clear();
        self.batches.close();
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn pop(&mut self) -> Option<Intake> {
        while let Some(message) = self.ready.pop_front() {
            if let Some(ticket) = self.ledger.open(&message.at, message.cost_bytes()) {
                return Some(Intake::Arrived(message, ticket));
            }
        }
        None
    }

    /// True when something was waiting in the channel.
    fn take_waiting(&mut self) -> Result<bool, StreamError> {
        match self.batches.try_recv() {
            Ok(batch) => self.take(Some(batch)).map(|()| true),
            Err(mpsc::error::TryRecvError::Disconnected) => self.take(None).map(|()| true),
            Err(mpsc::error::TryRecvError::Empty) => Ok(false),
        }
    }

    fn take(
        &mut self,
        received: Option<Result<Vec<Message>, StreamError>>,
    ) -> Result<(), StreamError> {
        match received {
            Some(batch) => self.ready.extend(batch?),
            None => self.at_end = true,
        }
        Ok(())
    }
}

/// The thread's side.
struct Reader<R> {
    input: BufReader<R>,
    line: i64,
    sender: mpsc::Sender<Result<Vec<Message>, StreamError>>,
    line_bytes: usize,
}

impl<R: Read> Reader<R> {
    /// Reads until the end, an error, or until nobody listens any more.
    fn run(mut self) {
        let topic = Topic::new(INPUT_TOPIC);
        loop {
            let (batch, ended) = self.batch(&topic);
            if !batch.is_empty() && self.sender.blocking_send(Ok(batch)).is_err() {
                return;
            }
            match ended {
                Ok(false) => (),
                Ok(true) => return,
                Err(source) => {
                    let error = StreamError::ReadInput {
                        line: self.line,
                        source,
                    };
                    if self.sender.blocking_send(Err(error)).is_err() {
                        tracing::debug!("nobody listens to the error of the input");
                    }
                    return;
                }
            }
        }
    }

    /// One batch, and whether the input has ended. A source that delivers slowly, such as a pipe, is handed over line
    /// by line: a batch also ends when the next line would have to be waited for.
    fn batch(&mut self, topic: &Topic) -> (Vec<Message>, io::Result<bool>) {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let written_ms = wall_clock_ms();
        while bytes < BATCH_BYTES {
            let line = match self.line() {
                Ok(Some(line)) => line,
                Ok(None) => return (batch, Ok(true)),
                Err(error) => return (batch, Err(error)),
            };
            let at = Place {
                topic: topic.clone(),
                partition: PARTITION,
                offset: Offset::new(self.line),
            };
            self.line += 1;
            if !line.trim_ascii().is_empty() {
                let message = Message {
                    at,
                    key: None,
                    body: Some(Bytes::from(line)),
                    headers: Vec::new(),
                    written_ms,
                };
                bytes += message.cost_bytes();
                batch.push(message);
            }
            if self.input.buffer().is_empty() && !batch.is_empty() {
                break;
            }
        }
        (batch, Ok(false))
    }

    /// The next line without its end (`\n` or `\r\n`), cut off at the greatest length; `None` at the end. A byte order
    /// mark before the first line is left out.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = u64::try_from(self.line_bytes).unwrap_or(u64::MAX);
        let read = (&mut self.input).take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        } else if read == self.line_bytes {
            self.input.skip_until(b'\n')?;
            tracing::warn!(
                line = self.line,
                kept_bytes = read,
                "a line of the input is too long and was cut off"
            );
        }
        if self.line == 0 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
