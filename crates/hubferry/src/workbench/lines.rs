//! NDJSON, line by line, with a bound on each line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use crate::exit::Failure;

/// The longest line that is read. What is longer is skipped and said to be too long, so that one endless line cannot
/// fill the memory.
pub(crate) const MAX_LINE_BYTES: usize = 32 << 20;

/// The lines of an input, counted from 1; blank ones are counted and left out.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    buffer: Vec<u8>,
}

/// One line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line<'a> {
    /// Its bytes, without the line end.
    Whole(&'a [u8]),
    /// More than [`MAX_LINE_BYTES`].
    TooLong,
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
///
/// The file cannot be opened.
pub(crate) fn open(path: &str) -> Result<Lines<Box<dyn Read>>, Failure> {
    let input: Box<dyn Read> = if path == "-" {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).and_then(|file| {
            if file.metadata()?.is_dir() {
                Err(io::Error::from(io::ErrorKind::IsADirectory))
            } else {
                Ok(file)
            }
        });
        let refused = |error| Failure::Usage(format!("could not open {path}: {error}"));
        Box::new(file.map_err(refused)?)
    };
    Ok(Lines::of(input))
}

impl<R: Read> Lines<R> {
    /// Reads lines from anything.
    pub(crate) fn of(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            number: 0,
            buffer: Vec::new(),
        }
    }

    /// The next line that is not blank, with its number; `None` at the end.
    ///
    /// # Errors
    ///
    /// The input cannot be read any further.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Line<'_>)>, Failure> {
        let too_long = loop {
            self.buffer.clear();
            let most = u64::try_from(MAX_LINE_BYTES + 1).unwrap_or(u64::MAX);
            let mut limited = (&mut self.input).take(most);
            let read = limited
                .read_until(b'\n', &mut self.buffer)
                .map_err(unreadable)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let too_long = read > MAX_LINE_BYTES && self.buffer.last() != Some(&b'\n');
            if too_long {
                self.skip_line()?;
            } else if self.buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            break too_long;
        };
        if too_long {
            return Ok(Some((self.number, Line::TooLong)));
        }
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some((self.number, Line::Whole(line))))
    }

    /// Whether the next line may have to be waited for.
    pub(crate) fn may_wait(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }

    fn skip_line(&mut self) -> Result<(), Failure> {
        loop {
            let chunk = self.input.fill_buf().map_err(unreadable)?;
            if chunk.is_empty() {
                return Ok(());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::Usage(format!("could not read the input: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: impl Read) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::of(input);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push((
                number,
                match line {
                    Line::Whole(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
                    Line::TooLong => None,
                },
            ));
        }
        found
    }

    #[test]
    fn blank_lines_count_and_are_left_out() {
        let whole = |number, text: &str| (number, Some(text.to_owned()));
        assert_eq!(all(&b"a\r\n\n  \nb"[..]), [whole(1, "a"), whole(4, "b")]);
        assert_eq!(all(&b""[..]), []);
        assert_eq!(all(&b"\n"[..]), []);
    }

    #[test]
    fn a_line_that_is_too_long_costs_itself_alone() {
        let endless = io::repeat(b'x').take(u64::try_from(MAX_LINE_BYTES).unwrap() + 5);
        let input = endless.chain(&b"\nb\n"[..]);
        assert_eq!(all(input), [(1, None), (2, Some("b".to_owned()))]);
        let longest = io::repeat(b'x').take(u64::try_from(MAX_LINE_BYTES).unwrap());
        let found = all(longest.chain(&b"\nb"[..]));
        assert_eq!(found[0].1.as_ref().map(String::len), Some(MAX_LINE_BYTES));
        assert_eq!(found[1], (2, Some("b".to_owned())));
    }
}
