//! The dead letters of a file, one after the other.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;

use crate::error::StreamError;
use crate::letter_read::{Letter, LetterError};

/// A `--dead-letters` file that is read line by line: memory holds one letter at a time.
#[derive(Debug)]
pub struct LetterFile {
    lines: Lines<BufReader<File>>,
    line: i64,
}

impl LetterFile {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`StreamError::OpenInput`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StreamError> {
        let file = File::open(path).map_err(|source| StreamError::OpenInput {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            lines: BufReader::new(file).lines(),
            line: -1,
        })
    }
}

impl Iterator for LetterFile {
    type Item = Result<Result<Letter, LetterError>, StreamError>;

    /// The next letter, or what is wrong with its line; blank lines are passed over. A file that can no longer be read
    /// is an error of its own.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.line += 1;
            match self.lines.next()? {
                Ok(text) if text.trim().is_empty() => (),
                Ok(text) => return Some(Ok(Letter::read_line(&text, self.line))),
                Err(source) => {
                    return Some(Err(StreamError::ReadInput {
                        line: self.line,
                        source,
                    }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::{DeadLetters, FileDeadLetters};
    use crate::letter::tests::sample;

    #[tokio::test]
    async fn what_was_parked_in_a_file_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead-letters.ndjson");
        let letters = DeadLetters::File(FileDeadLetters::create(&path).unwrap());
        letters.park(sample()).await.unwrap();
        letters.park(sample()).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen('\n', "\n\nnot json\n", 1)).unwrap();
        let read: Vec<_> = LetterFile::open(&path)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].as_ref().unwrap().id(), sample().id());
        assert_eq!(read[1], Err(LetterError::Line { line: 2 }));
        assert_eq!(read[2].as_ref().unwrap().at.offset.get(), 3);
        let missing = LetterFile::open(&folder.path().join("other"))
            .unwrap_err()
            .to_string();
        assert!(
            missing.starts_with("could not open the input "),
            "{missing}"
        );
    }
}
