//! Handles that do one thing at a time.

use std::cell::Cell;
use std::rc::Rc;

use isledb_core::{Error, Result};

/// Something that one call at a time moves out, works with, and puts back. A call that is cancelled does not put it back: the
/// handle is finished then.
pub(crate) struct Turn<T>(Rc<Cell<Option<T>>>);

impl<T> Turn<T> {
    pub(crate) fn new(inner: T) -> Turn<T> {
        Turn(Rc::new(Cell::new(Some(inner))))
    }

    /// Errors: `InvalidArgument` while another call has it, and after one that was cancelled.
    pub(crate) fn take(&self) -> Result<Taken<T>> {
        let what = "one call at a time, and none after one that was cancelled";
        let inner = self.0.take().ok_or_else(|| Error::InvalidArgument { what: what.to_owned() })?;
        Ok(Taken { home: self.0.clone(), inner })
    }
}

/// See [`Turn::take`].
pub(crate) struct Taken<T> {
    home: Rc<Cell<Option<T>>>,
    pub(crate) inner: T,
}

impl<T> Taken<T> {
    pub(crate) fn put_back(self) {
        self.home.set(Some(self.inner));
    }
}
