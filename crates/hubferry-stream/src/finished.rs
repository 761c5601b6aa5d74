//! What has ended above the committed position, as text for the metadata of a commit.
//!
//! A partition is committed up to its watermark only. Messages above it that have ended already would be handed out
//! again after a restart; so the commit carries them along, and whoever gets the partition next passes them over
//! (`spec/fleet.md` i.2.2). It is an optimisation: what does not fit is left out, and what cannot be read is ignored.
//!
//! The text is base64 of: magic `HF`, version, form, the length of the body, the position that it belongs to, the body
//! and a checksum. The body is the shorter one of two forms: lengths of open and ended runs in turn, or one bit for
//! each offset after the position.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::base64;
use crate::place::Position;

/// The most characters of the text. Brokers take 4,096 by default (`offset.metadata.max.bytes`).
pub(crate) const TEXT_BYTES: usize = 3_500;

const MAGIC: [u8; 2] = *b"HF";
const VERSION: u8 = 1;
const RUNS: u8 = 0;
const BITS: u8 = 1;
const HEAD_BYTES: usize = 14;
const CHECK_BYTES: usize = 4;

/// The most bytes of a body.
const BODY_BYTES: usize = TEXT_BYTES / 4 * 3 - HEAD_BYTES - CHECK_BYTES;

/// The ended offsets of one partition above its watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    position: Position,
    /// In ascending order, not empty, not touching each other, all above the position.
    runs: Vec<Range<i64>>,
}

/// Why the metadata of a commit says nothing about ended offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinishedError {
    /// Somebody else wrote it.
    #[error("it was written by somebody else")]
    Foreign,
    /// A later version wrote it.
    #[error("it was written by a later version")]
    Newer,
    /// It is damaged.
    #[error("it is damaged")]
    Damaged,
    /// It belongs to another position than the one that was committed with it.
    #[error("it belongs to another position")]
    OtherPosition,
}

impl Finished {
    /// These runs above a position. What touches is joined, and what is empty or below the position is left out. A run
    /// that begins at the position moves it to the run's end, for everything below has ended then.
    #[must_use]
    pub fn new(position: Position, runs: impl IntoIterator<Item = Range<i64>>) -> Self {
        let mut position = position.get();
        let mut sorted: Vec<Range<i64>> = runs.into_iter().filter(|run| !run.is_empty()).collect();
        sorted.sort_unstable_by_key(|run| run.start);
        let mut joined: Vec<Range<i64>> = Vec::with_capacity(sorted.len());
        for run in sorted {
            match joined.last_mut() {
                _ if run.start <= position => position = position.max(run.end),
                Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
                _ => joined.push(run),
            }
        }
        Self {
            position: Position::new(position),
            runs: joined,
        }
    }

    /// The position that the runs stand above.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The runs of ended offsets, in ascending order.
    #[must_use]
    pub fn runs(&self) -> &[Range<i64>] {
        &self.runs
    }

    /// The text to commit with the position; `None` when nothing has ended above it, or when that does not fit.
    #[must_use]
    pub fn encode(&self) -> Option<String> {
        let (form, body) = self.body()?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len() + CHECK_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, form]);
        bytes.extend_from_slice(&u16::try_from(body.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&self.position.get().to_be_bytes());
        bytes.extend_from_slice(&body);
        let check = checksum(&bytes);
        bytes.extend_from_slice(&check);
        Some(base64::encode(&bytes))
    }

    /// Reads what was committed with a position; `None` when there was nothing.
    ///
    /// # Errors
    ///
    /// The text is not ours, is damaged, or belongs to another position. Nothing may be passed over then.
    pub fn decode(text: &str, committed: Position) -> Result<Option<Self>, FinishedError> {
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = base64::decode(text).ok_or(FinishedError::Foreign)?;
        let (head, rest) = bytes
            .split_at_checked(HEAD_BYTES)
            .ok_or(FinishedError::Foreign)?;
        let [m0, m1, version, form, length @ .., _, _, _, _, _, _, _, _] = head else {
            return Err(FinishedError::Foreign);
        };
        if [*m0, *m1] != MAGIC {
            return Err(FinishedError::Foreign);
        }
        if *version > VERSION {
            return Err(FinishedError::Newer);
        }
        let length = length
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte));
        let (body, check) = rest
            .split_at_checked(length)
            .ok_or(FinishedError::Damaged)?;
        let checked = bytes.get(..HEAD_BYTES + length).unwrap_or_default();
        if check != checksum(checked) {
            return Err(FinishedError::Damaged);
        }
        let position = head
            .iter()
            .skip(6)
            .fold(0i64, |all, byte| all << 8 | i64::from(*byte));
        if position != committed.get() {
            return Err(FinishedError::OtherPosition);
        }
        let runs = match *form {
            RUNS => read_runs(position, body),
            BITS => read_bits(position, body),
            _ => None,
        };
        let runs = runs.ok_or(FinishedError::Damaged)?;
        Ok(Some(Self::new(committed, runs)))
    }

    /// The shorter form of the two, when one of them fits.
    fn body(&self) -> Option<(u8, Vec<u8>)> {
        let last = self.runs.last()?;
        let offsets = usize::try_from(last.end - self.position.get() - 1).ok()?;
        let bits = offsets.div_ceil(8);
        // Every run takes two bytes at least, so most of what cannot fit is seen without writing it.
        let runs = (self.runs.len() * 2 <= BODY_BYTES.min(bits))
            .then(|| self.write_runs())
            .filter(|runs| runs.len() <= BODY_BYTES.min(bits));
        match runs {
            Some(runs) => Some((RUNS, runs)),
            None if bits <= BODY_BYTES => Some((BITS, self.write_bits(bits))),
            None => None,
        }
    }

    fn write_runs(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.runs.len() * 3);
        let mut at = self.position.get();
        for run in &self.runs {
            write_number(&mut bytes, run.start - at);
            write_number(&mut bytes, run.end - run.start);
            at = run.end;
        }
        bytes
    }

    fn write_bits(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; length];
        let first = self.position.get() + 1;
        for offset in self.runs.iter().cloned().flatten() {
            let Ok(at) = usize::try_from(offset - first) else {
                continue;
            };
            if let Some(byte) = bytes.get_mut(at / 8) {
                *byte |= 1 << (at % 8);
            }
        }
        bytes
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Sha256::digest(bytes);
    let mut check = [0; CHECK_BYTES];
    for (to, from) in check.iter_mut().zip(hash) {
        *to = from;
    }
    check
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn write_number(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = number.unsigned_abs();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap_or_default());
}

fn read_number(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..63).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return i64::try_from(number).ok().filter(|number| *number > 0);
        }
    }
    None
}

fn read_runs(position: i64, body: &[u8]) -> Option<Vec<Range<i64>>> {
    let mut bytes = body.iter().copied().peekable();
    let (mut at, mut runs) = (position, Vec::new());
    while bytes.peek().is_some() {
        let start = at.checked_add(read_number(&mut bytes)?)?;
        at = start.checked_add(read_number(&mut bytes)?)?;
        runs.push(start..at);
    }
    Some(runs)
}

fn read_bits(position: i64, body: &[u8]) -> Option<Vec<Range<i64>>> {
    let mut runs: Vec<Range<i64>> = Vec::new();
    let first = position.checked_add(1)?;
    for (at, byte) in body.iter().enumerate() {
        for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
            let offset = first.checked_add(i64::try_from(at * 8 + bit).ok()?)?;
            match runs.last_mut() {
                Some(last) if last.end == offset => last.end = offset.checked_add(1)?,
                _ => runs.push(offset..offset.checked_add(1)?),
            }
        }
    }
    Some(runs)
}

#[cfg(test)]
#[path = "finished_tests.rs"]
mod tests;
