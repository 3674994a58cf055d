//! A part of a shared text, so that a payload and the frame it came in use one allocation.
use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::{Deref, Range},
    sync::Arc,
};

/// A slice of an `Arc<str>`. Cloning is a reference count.
#[derive(Clone)]
pub struct Text {
    whole: Arc<str>,
    from: u32,
    to: u32,
}

impl Text {
    /// The part of this text at `range`, without copying. Panics if `range` is not on character
    /// boundaries within the text.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(self.get(range.clone()).is_some(), "a range outside of the text");
        let base = self.from as usize;
        let fit = |n: usize| u32::try_from(base + n).expect("no longer than the whole text");
        Self { whole: Arc::clone(&self.whole), from: fit(range.start), to: fit(range.end) }
    }

    /// The bytes of the text that this one is a part of, and so keeps alive.
    pub fn held(&self) -> usize {
        self.whole.len()
    }

    /// The bytes that this text keeps alive and `other` does not.
    pub fn held_beside(&self, other: &Self) -> usize {
        if Arc::ptr_eq(&self.whole, &other.whole) { 0 } else { self.whole.len() }
    }
}

impl<T: Into<Arc<str>>> From<T> for Text {
    /// Panics above 4 GiB, which no bound of the gateway allows.
    fn from(text: T) -> Self {
        let whole = text.into();
        let to = u32::try_from(whole.len()).expect("texts are far smaller than 4 GiB");
        Self { whole, from: 0, to }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.whole.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
