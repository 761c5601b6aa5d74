//! A place in a template, with the character classes of the language.

/// Reads from `at` up to `end`.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t> {
    pub(super) chars: &'t [char],
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'t> Cursor<'t> {
    pub(super) const fn over(chars: &'t [char], at: usize, end: usize) -> Self {
        Self { chars, at, end }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        let at = self.at + ahead;
        if at < self.end {
            self.chars.get(at).copied()
        } else {
            None
        }
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += 1;
        c
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// Whether `word` stands here, even beyond the end.
    pub(super) fn is_before(&self, word: &str) -> bool {
        word.chars()
            .enumerate()
            .all(|(index, c)| self.chars.get(self.at + index) == Some(&c))
    }

    /// Whether `word` was just passed.
    pub(super) fn is_behind(&self, word: &str) -> bool {
        let length = word.chars().count();
        self.at >= length
            && word
                .chars()
                .zip(self.at - length..)
                .all(|(c, at)| self.chars.get(at) == Some(&c))
    }

    /// Goes on, at least one character, until `word` was passed.
    pub(super) fn pass(&mut self, word: &str) -> bool {
        while self.at < self.end {
            self.at += 1;
            if self.is_behind(word) {
                return true;
            }
        }
        false
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> String {
        self.chars
            .get(from..to)
            .map_or_else(String::new, |chars| chars.iter().collect())
    }

    /// A name, which may be empty.
    pub(super) fn name(&mut self) -> String {
        self.skip_blanks();
        let from = self.at;
        while self.peek().is_some_and(is_word) {
            self.at += 1;
        }
        self.slice(from, self.at)
    }
}

pub(super) const fn is_word(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '?' => true,
        '\u{201c}' | '\u{201d}' => false,
        c => !c.is_ascii() && !is_blank(c),
    }
}

pub(super) const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r'
            | ' '
            | '\u{a0}'
            | '\u{1680}'
            | '\u{180e}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
    )
}
