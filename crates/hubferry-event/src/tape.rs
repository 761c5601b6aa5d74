//! A JSON text with an index of its values: one pass, no tree.
//!
//! Most of an event is never asked for. So the text is kept as it came, and a flat list of cells says where each value
//! stands in it; only what is asked for is made a value of its own.
//!
//! [`Tape::read`] understands the plain case alone. Where it gives up (a fault, a key that stands twice, half a
//! surrogate pair, a number like `1E5`, a text beyond 2 GiB), [`Reader`](crate::json::Reader) reads the same text again,
//! with its own messages and its own answer: the two must agree on all that the tape does read, which a test checks.

mod reader;

use reader::TapeReader;

/// A text and the cells of its values, the root first.
#[derive(Clone)]
pub(crate) struct Tape {
    /// The JSON text, and behind it the strings that had escapes in it, decoded.
    text: Box<str>,
    cells: Vec<Cell>,
    /// The members of every object, those of one object together; of large objects in the order of their labels.
    labels: Vec<Label>,
    /// The places of the elements of large lists.
    elements: Vec<u32>,
}

/// What is known of a member without looking at it.
#[derive(Clone, Copy)]
struct Label {
    /// The [`fingerprint`] of the key.
    print: u32,
    /// Where the cell of the key is.
    key: u32,
}

/// One value, or one key: an object is its cell followed by key, value, key, value and so on.
#[derive(Clone, Copy)]
struct Cell {
    kind: CellKind,
    /// Where the string or number starts in the text; of objects where their labels, of large lists where the places of
    /// their elements start.
    start: u32,
    /// How many bytes, members or elements.
    length: u32,
    /// The cell behind the value and all that is in it; of a key its [`fingerprint`].
    next: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CellKind {
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
}

/// Whether an object whose `batch` is an array is an event or several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// The member is data like any other.
    IsData,
    /// The text is given up.
    IsEnvelope,
}

/// Up to so many members or elements are looked through one by one, which is faster than any index.
const SMALL: u32 = 16;

impl Tape {
    /// Reads a whole text, or gives up.
    pub(crate) fn read(text: &str, batch: Batch) -> Option<Self> {
        TapeReader::over(text, batch)?.read()
    }

    pub(crate) fn is_object(&self) -> bool {
        self.kind(0) == CellKind::Object
    }

    fn cell(&self, place: u32) -> Cell {
        const NOTHING: Cell = Cell {
            kind: CellKind::Null,
            start: 0,
            length: 0,
            next: u32::MAX,
        };
        self.cells.get(place as usize).copied().unwrap_or(NOTHING)
    }

    pub(crate) fn kind(&self, place: u32) -> CellKind {
        self.cell(place).kind
    }

    /// How many members or elements; of a string or number how many bytes.
    pub(crate) fn length(&self, place: u32) -> u32 {
        self.cell(place).length
    }

    /// The characters of a string, a number or a key.
    pub(crate) fn text(&self, place: u32) -> &str {
        let cell = self.cell(place);
        let (start, length) = (cell.start as usize, cell.length as usize);
        self.text.get(start..start + length).unwrap_or_default()
    }

    /// The cell behind a value.
    pub(crate) fn next(&self, place: u32) -> u32 {
        self.cell(place).next
    }

    /// The value of an object's member; `print` is the fingerprint of the key.
    pub(crate) fn member(&self, object: u32, key: &str, print: u32) -> Option<u32> {
        let cell = self.cell(object);
        if cell.kind != CellKind::Object {
            return None;
        }
        let labels = part(&self.labels, cell)?;
        let label = if cell.length > SMALL {
            let order = |label: &Label| {
                let texts = || self.text(label.key).cmp(key);
                label.print.cmp(&print).then_with(texts)
            };
            labels.get(labels.binary_search_by(order).ok()?)?
        } else {
            labels
                .iter()
                .find(|label| label.print == print && self.text(label.key) == key)?
        };
        Some(label.key + 1)
    }

    /// The element of a list.
    pub(crate) fn element(&self, list: u32, index: usize) -> Option<u32> {
        let cell = self.cell(list);
        if cell.kind != CellKind::Array || index >= cell.length as usize {
            return None;
        }
        if cell.length > SMALL {
            return part(&self.elements, cell)?.get(index).copied();
        }
        let mut place = list + 1;
        for _ in 0..index {
            place = self.cell(place).next;
        }
        Some(place)
    }
}

/// What belongs to an object or a list.
fn part<T>(all: &[T], cell: Cell) -> Option<&[T]> {
    let start = cell.start as usize;
    all.get(start..start + cell.length as usize)
}

/// Tells most keys apart without looking at them.
pub(crate) fn fingerprint(key: &[u8]) -> u32 {
    let at = |index: usize| key.get(index).copied().unwrap_or_default();
    let [length, ..] = key.len().to_le_bytes();
    u32::from_le_bytes([
        at(0),
        at(key.len() / 2),
        at(key.len().wrapping_sub(1)),
        length,
    ])
}

#[cfg(test)]
mod tests;
