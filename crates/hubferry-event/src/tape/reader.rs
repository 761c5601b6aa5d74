//! From a text to its tape.

use super::{Batch, Cell, CellKind, SMALL, Tape, fingerprint};
use crate::json::MAX_DEPTH;

/// The cursor that makes a tape.
pub(super) struct TapeReader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    batch: Batch,
    cells: Vec<Cell>,
    shelves: Vec<u32>,
    decoded: String,
}

impl<'a> TapeReader<'a> {
    /// A cursor, unless the text is so long that places in it have no cells.
    pub(super) fn over(text: &'a str, batch: Batch) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        Some(Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            batch,
            // What an event of ordinary keys and values has.
            cells: Vec::with_capacity(text.len() / 10 + 8),
            shelves: Vec::new(),
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
            shelves: self.shelves,
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
        self.close(cell, members)?;
        if members > SMALL {
            self.shelve_members(cell, members)
        } else {
            self.keys_differ(cell, members).then_some(())
        }
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
        self.close(cell, elements)?;
        if elements > SMALL {
            self.shelve_elements(cell, elements)?;
        }
        Some(())
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

    fn close(&mut self, cell: usize, length: u32) -> Option<()> {
        self.depth -= 1;
        let next = self.place()?;
        let cell = self.cells.get_mut(cell)?;
        cell.length = length;
        cell.next = next;
        Some(())
    }

    /// The place of the cell that comes next.
    fn place(&self) -> Option<u32> {
        u32::try_from(self.cells.len()).ok()
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

    /// Whether no key of a small object stands twice.
    fn keys_differ(&self, object: usize, members: u32) -> bool {
        let mut prints = [0_u32; SMALL as usize];
        let mut keys = [0_usize; SMALL as usize];
        let mut key = object + 1;
        for seen in 0..members as usize {
            let Some(print) = self.cells.get(key).map(|cell| cell.next) else {
                return false;
            };
            let twice = (0..seen).any(|other| {
                prints[other] == print && self.key_text(keys[other]) == self.key_text(key)
            });
            if twice {
                return false;
            }
            prints[seen] = print;
            keys[seen] = key;
            key = self.behind(key + 1);
        }
        true
    }

    /// Sorts the members of a large object by key; gives up when one stands twice.
    fn shelve_members(&mut self, object: usize, members: u32) -> Option<()> {
        let mut shelf = Vec::with_capacity(members as usize);
        let mut key = object + 1;
        for _ in 0..members {
            shelf.push(u32::try_from(key).ok()?);
            key = self.behind(key + 1);
        }
        let print = |key: u32| self.cells.get(key as usize).map(|cell| cell.next);
        shelf.sort_unstable_by(|&left, &right| {
            let texts = || {
                self.key_text(left as usize)
                    .cmp(self.key_text(right as usize))
            };
            print(left).cmp(&print(right)).then_with(texts)
        });
        let is_twice = |pair: &[u32]| match pair {
            [left, right] => {
                print(*left) == print(*right)
                    && self.key_text(*left as usize) == self.key_text(*right as usize)
            }
            _ => false,
        };
        if shelf.windows(2).any(is_twice) {
            return None;
        }
        self.put_shelf(object, &shelf)
    }

    fn shelve_elements(&mut self, list: usize, elements: u32) -> Option<()> {
        let mut shelf = Vec::with_capacity(elements as usize);
        let mut element = list + 1;
        for _ in 0..elements {
            shelf.push(u32::try_from(element).ok()?);
            element = self.behind(element);
        }
        self.put_shelf(list, &shelf)
    }

    fn put_shelf(&mut self, cell: usize, shelf: &[u32]) -> Option<()> {
        self.cells.get_mut(cell)?.start = u32::try_from(self.shelves.len()).ok()?;
        self.shelves.extend_from_slice(shelf);
        Some(())
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
        self.cells.push(Cell {
            kind,
            start: u32::try_from(start).ok()?,
            length: u32::try_from(length).ok()?,
            next: self.place()? + 1,
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
