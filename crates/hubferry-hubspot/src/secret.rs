//! Text that must not leave the process by accident: tokens and client secrets.

use std::fmt;
use std::sync::Arc;

/// A token or secret. `Debug` prints `***`; there is no `Display`, no serialisation and no comparison.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the text; white space around it (the newline of a secret file) is dropped.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text.trim()))
    }

    /// The raw text; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_prints_stars_and_drops_the_newline_of_its_file() {
        let secret = Secret::new("pat-na1-abc\n");
        assert_eq!(secret.expose(), "pat-na1-abc");
        assert_eq!(format!("{secret:?}"), "***");
    }
}
