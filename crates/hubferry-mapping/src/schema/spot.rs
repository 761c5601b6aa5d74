//! Where in a payload a check stands; it becomes a text only when there is something to say.

use std::fmt;

/// A field, or an element or member inside of it.
#[derive(Clone, Copy)]
pub(super) struct Spot<'p> {
    parent: Option<&'p Spot<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Name(&'p str),
    Index(usize),
}

impl<'p> Spot<'p> {
    pub(super) const fn field(name: &'p str) -> Self {
        Self {
            parent: None,
            step: Step::Name(name),
        }
    }

    pub(super) const fn member(&'p self, name: &'p str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    pub(super) const fn element(&'p self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Index(index),
        }
    }
}

impl fmt::Display for Spot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Name(name) => write!(f, "/{name}"),
            Step::Index(index) => write!(f, "/{index}"),
        }
    }
}
