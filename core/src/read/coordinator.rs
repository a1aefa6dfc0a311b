//! One place in a process that looks at CURRENT, for all its views and tailers.

use super::reader::{ReadSource, Reader, ReaderOptions};
use super::view::View;
use crate::error::Result;
use crate::tail::{TailOptions, Tailer};

/// Gives out views and tailers of one database that share what one of them learns. Cheap to clone; clones are one
/// coordinator.
///
/// A refresh serves everybody: views read afterwards are newer, and tailers that wait go on. However many tailers wait, there
/// is one conditional GET a poll.
#[derive(Clone, Debug)]
pub struct Coordinator(Reader);

impl Coordinator {
    /// Opens the database, which need not exist. Cost: as [`Reader::open`].
    pub async fn open(source: ReadSource, options: ReaderOptions) -> Result<Coordinator> {
        Ok(Coordinator(Reader::open(source, options).await?))
    }

    /// A coordinator of the same views that waits for no request of another scope, nor wakes those who wait there; see
    /// [`Reader::scoped`].
    pub fn scoped(&self) -> Coordinator {
        Coordinator(self.0.scoped())
    }

    /// Reads CURRENT again: the newest view, and whether it differs from the one that was current when this was called.
    /// Everything that was committed before the call is in it.
    ///
    /// Cost: one conditional GET, which all share who call at the same time; see [`Reader::refresh`].
    ///
    /// Errors: `Closed` after [`Coordinator::close`]; those of [`Reader::refresh`], and the view stays what it is.
    pub async fn refresh(&self) -> Result<(View, bool)> {
        let changed = self.0.refresh().await?;
        Ok((self.0.view(), changed))
    }

    /// The newest view that is known. Cost: none.
    ///
    /// Errors: `Closed` after [`Coordinator::close`].
    pub fn current(&self) -> Result<View> {
        self.0.check_open()?;
        Ok(self.0.view())
    }

    /// A reader that stays on the newest view that anybody here knows of, by the options given at open.
    ///
    /// Errors: `Closed` after [`Coordinator::close`].
    pub fn reader(&self) -> Result<Reader> {
        self.0.check_open()?;
        Ok(self.0.clone())
    }

    /// A tailer that shares its looks at CURRENT with everybody here.
    ///
    /// Cost: one conditional GET, as of [`Coordinator::refresh`]; then as [`Tailer::next`], but while several tailers wait,
    /// the one whose look is due first looks for all.
    ///
    /// Errors: those of [`Tailer::open`]; `Closed` after [`Coordinator::close`], here and from the tailer.
    pub async fn tailer(&self, options: TailOptions) -> Result<Tailer> {
        options.validate()?;
        // Its place is checked against what is committed now, not against what anybody here knew last.
        self.refresh().await?;
        Tailer::on(&self.0, options)
    }

    /// CURRENT is not read again from now on, by none of its clones, readers and tailers: where they would have to, they
    /// answer `Closed`, and those that wait do so at once. Views that were given out can be read until they expire; they
    /// hold nothing that would have to be waited for.
    pub fn close(&self) {
        self.0.close();
    }
}
