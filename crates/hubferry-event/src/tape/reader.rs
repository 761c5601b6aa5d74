//! From a text to its tape.

use super::{Batch, Cell, CellKind, Label, SMALL, Tape, fingerprint};
use crate::json::MAX_DEPTH;

/// The cursor that makes a tape.
pub(super) struct TapeReader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    batch: Batch,
    cells: Vec<Cell>,
    labels: Vec<Label>,
    elements: Vec<u32>,
    decoded: String,
}

impl<'a> TapeReader<'a> {
    /// A cursor, unless the text is so long that places in it do not fit in cells.
    pub(super) fn over(text: &'a str, batch: Batch) -> Option<Self> {
        // See `short`.
        i32::try_from(text.len()).ok()?;
        Some(Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            batch,
            // What an event of ordinary keys and values has.
            cells: Vec::with_capacity(text.len() / 10 + 8),
            labels: Vec::with_capacity(text.len() / 20 + 8),
            elements: Vec::new(),
            decoded: String::new(),
        })
    }

    /// Reads the whole text.
    pub(super) fn read(mut self) -> Option<Tape> {
        self.skip_blank();
        self.value()?;
        self.skip_blank();
        if self.at != self.text.len() {
            return None;
        }
        let text = if self.decoded.is_empty() {
            Box::from(self.text)
        } else {
            [self.text, &self.decoded].concat().into_boxed_str()
        };
        Some(Tape {
            text,
            cells: self.cells,
            labels: self.labels,
            elements: self.elements,
        })
    }

    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.object(),
            b'[' => self.array(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", CellKind::True),
            b'f' => self.word(b"false", CellKind::False),
            b'n' => self.word(b"null", CellKind::Null),
            _ => None,
        }
    }

    fn object(&mut self) -> Option<()> {
        let cell = self.open(CellKind::Object)?;
        let mut members = 0_u32;
        if !self.eat(b'}') {
            loop {
                let key = self.cells.len();
                self.key()?;
                self.skip_blank();
                if !self.eat(b':') {
                    return None;
                }
                self.skip_blank();
                self.refuse_batch(key)?;
                self.value()?;
                members = members.checked_add(1)?;
                self.skip_blank();
                if self.eat(b'}') {
                    break;
                }
                if !self.eat(b',') {
                    return None;
                }
                self.skip_blank();
            }
        }
        let labels = self.labels.len();
        self.label(cell, members);
        self.keys_differ(labels).then_some(())?;
        self.close(cell, labels, members)
    }

    fn array(&mut self) -> Option<()> {
        let cell = self.open(CellKind::Array)?;
        let mut elements = 0_u32;
        if !self.eat(b']') {
            loop {
                self.value()?;
                elements = elements.checked_add(1)?;
                self.skip_blank();
                if self.eat(b']') {
                    break;
                }
                if !self.eat(b',') {
                    return None;
                }
                self.skip_blank();
            }
        }
        let places = self.elements.len();
        if elements > SMALL {
            self.shelve(cell, elements);
        }
        self.close(cell, places, elements)
    }

    fn open(&mut self, kind: CellKind) -> Option<usize> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        self.at += 1;
        self.skip_blank();
        self.cells.push(Cell {
            kind,
            start: 0,
            length: 0,
            next: 0,
        });
        Some(self.cells.len() - 1)
    }

    fn close(&mut self, cell: usize, start: usize, length: u32) -> Option<()> {
        self.depth -= 1;
        let next = short(self.cells.len());
        let cell = self.cells.get_mut(cell)?;
        cell.start = short(start);
        cell.length = length;
        cell.next = next;
        Some(())
    }

    fn refuse_batch(&self, key: usize) -> Option<()> {
        let may_hold_events =
            self.depth == 1 && self.batch == Batch::IsEnvelope && self.peek() == Some(b'[');
        (!may_hold_events || self.key_text(key) != b"batch").then_some(())
    }

    fn key_text(&self, key: usize) -> &[u8] {
        let Some(cell) = self.cells.get(key) else {
            return &[];
        };
        let start = cell.start as usize;
        let end = start + cell.length as usize;
        match start.checked_sub(self.bytes.len()) {
            None => self.bytes.get(start..end),
            Some(start) => {
                let end = end - self.bytes.len();
                self.decoded.as_bytes().get(start..end)
            }
        }
        .unwrap_or_default()
    }

    /// Adds the labels of an object's members.
    fn label(&mut self, object: usize, members: u32) {
        let mut key = object + 1;
        for _ in 0..members {
            let Some(cell) = self.cells.get(key) else {
                return;
            };
            self.labels.push(Label {
                print: cell.next,
                key: short(key),
            });
            key = self.behind(key + 1);
        }
    }

    /// Whether no key stands twice in the object whose labels start at `from`. Those of a large one are put in order.
    fn keys_differ(&mut self, from: usize) -> bool {
        let mut labels = std::mem::take(&mut self.labels);
        let own = labels.get_mut(from..).unwrap_or_default();
        let same = |left: &Label, right: &Label| {
            left.print == right.print
                && self.key_text(left.key as usize) == self.key_text(right.key as usize)
        };
        let differ = if own.len() > SMALL as usize {
            own.sort_unstable_by(|left, right| {
                let texts = || {
                    let right = self.key_text(right.key as usize);
                    self.key_text(left.key as usize).cmp(right)
                };
                left.print.cmp(&right.print).then_with(texts)
            });
            !own.windows(2)
                .any(|pair| matches!(pair, [left, right] if same(left, right)))
        } else {
            let mut rest = &*own;
            loop {
                match rest {
                    [] => break true,
                    [first, others @ ..] if others.iter().any(|other| same(first, other)) => {
                        break false;
                    }
                    [_, others @ ..] => rest = others,
                }
            }
        };
        self.labels = labels;
        differ
    }

    fn shelve(&mut self, list: usize, elements: u32) {
        let mut element = list + 1;
        for _ in 0..elements {
            self.elements.push(short(element));
            element = self.behind(element);
        }
    }

    fn behind(&self, value: usize) -> usize {
        self.cells
            .get(value)
            .map_or(usize::MAX, |cell| cell.next as usize)
    }

    fn key(&mut self) -> Option<()> {
        if self.peek() != Some(b'"') {
            return None;
        }
        self.string()?;
        let place = self.cells.len().checked_sub(1)?;
        let print = fingerprint(self.key_text(place));
        self.cells.get_mut(place)?.next = print;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        let start = self.at;
        self.at = plain_end(self.bytes, start)?;
        if self.eat(b'"') {
            return self.leaf(CellKind::String, start, self.at - 1 - start);
        }
        let decoded = self.decoded.len();
        self.push_plain(start)?;
        while !self.eat(b'"') {
            self.escape()?;
            let start = self.at;
            self.at = plain_end(self.bytes, start)?;
            self.push_plain(start)?;
        }
        let start = self.bytes.len() + decoded;
        self.leaf(CellKind::String, start, self.decoded.len() - decoded)
    }

    /// Appends what was passed over since `start`. Quotes and backslashes are characters of their own, so that it is
    /// whole characters.
    fn push_plain(&mut self, start: usize) -> Option<()> {
        let plain = self.bytes.get(start..self.at)?;
        self.decoded.push_str(std::str::from_utf8(plain).ok()?);
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        if !self.eat(b'\\') {
            return None;
        }
        let decoded = match self.peek()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let decoded = self.unicode_escape()?;
                self.decoded.push(decoded);
                return Some(());
            }
            _ => return None,
        };
        self.at += 1;
        self.decoded.push(decoded);
        Some(())
    }

    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.four_hex()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first);
        }
        if !(self.eat(b'\\') && self.eat(b'u')) {
            return None;
        }
        let second = self.four_hex()?;
        if !(0xDC00..0xE000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn four_hex(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let mut code = 0;
        for &digit in digits {
            code = code * 16 + char::from(digit).to_digit(16)?;
        }
        self.at += 4;
        Some(code)
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') {
            // `1e5` and `1E5` have another text as values, which is `1e+5`.
            if !(self.eat(b'-') || self.eat(b'+')) {
                return None;
            }
            self.digits()?;
        }
        self.leaf(CellKind::Number, start, self.at - start)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8], kind: CellKind) -> Option<()> {
        if !self.bytes.get(self.at..)?.starts_with(word) {
            return None;
        }
        self.at += word.len();
        self.leaf(kind, 0, 0)
    }

    fn leaf(&mut self, kind: CellKind, start: usize, length: usize) -> Option<()> {
        let next = short(self.cells.len() + 1);
        self.cells.push(Cell {
            kind,
            start: short(start),
            length: short(length),
            next,
        });
        Some(())
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at += 1;
        }
        there
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// A place in the text and its decoded strings, or among the cells. There are fewer cells than bytes, and a decoded
/// string is shorter than its source, so that all places are below twice the length of the text.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a text of 2 GiB or more is not read"
)]
const fn short(place: usize) -> u32 {
    place as u32
}

/// Where the next quote or backslash stands; `None` when a control character or the end comes first.
fn plain_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*eight);
        let hits = equal_bytes(word, b'"') | equal_bytes(word, b'\\') | control_bytes(word);
        if hits == 0 {
            at += 8;
            continue;
        }
        at += (hits.trailing_zeros() / 8) as usize;
        break;
    }
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\\' => return Some(at),
            0..0x20 => return None,
            _ => at += 1,
        }
    }
    None
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of each of the eight bytes that is `wanted`. A borrow may mark further ones behind the first.
const fn equal_bytes(word: u64, wanted: u8) -> u64 {
    let differing = word ^ (ONES * wanted as u64);
    differing.wrapping_sub(ONES) & !differing & TOPS
}

/// The same for control characters.
const fn control_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & TOPS
}
