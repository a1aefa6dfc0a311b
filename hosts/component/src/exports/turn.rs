//! State of which one call at a time may have hold.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use super::failure::invalid;
use super::types::Failure;

/// Lends its value to one call at a time. A call that is dropped gives it back.
pub(super) struct Turn<T> {
    what: &'static str,
    value: RefCell<Option<T>>,
}

impl<T> Turn<T> {
    pub(super) fn new(what: &'static str, value: T) -> Turn<T> {
        Turn { what, value: RefCell::new(Some(value)) }
    }

    /// Errors: `invalid-argument` while another call has it.
    pub(super) fn take(&self) -> Result<Taken<'_, T>, Failure> {
        // Nothing is borrowed over an await: the value itself is taken out.
        match self.value.take() {
            Some(value) => Ok(Taken { turn: self, value: Some(value) }),
            None => Err(invalid(format!("another call to this {} goes on", self.what))),
        }
    }
}

/// The value, until this is dropped.
pub(super) struct Taken<'a, T> {
    turn: &'a Turn<T>,
    value: Option<T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "it is taken in `drop` alone")]
    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is here until it is dropped")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    #[expect(clippy::expect_used, reason = "it is taken in `drop` alone")]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is here until it is dropped")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        self.turn.value.replace(self.value.take());
    }
}
