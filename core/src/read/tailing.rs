//! The original's way to follow a database: poll, and catch up in the order of keys.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::future::select;

use super::catch_up::{CatchUp, CatchUpError, CatchUpOptions, CatchUpResult};
use super::reader::{ReadSource, Reader, ReaderOptions};
use super::scan::Scan;
use super::scan_options::ScanOptions;
use super::version::Entry;
use crate::error::{Error, Result, within};

const HOUR_MS: u64 = 3_600_000;

/// How a tailing reader polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailingReaderOptions {
    /// How old a view may become before [`TailingReader::tail`] reads CURRENT again, in milliseconds. Default 1,000; 1 to an
    /// hour.
    pub refresh_interval_ms: u64,
    /// How its reads keep their view.
    pub reader: ReaderOptions,
}

impl Default for TailingReaderOptions {
    fn default() -> TailingReaderOptions {
        TailingReaderOptions { refresh_interval_ms: 1_000, reader: ReaderOptions::default() }
    }
}

impl TailingReaderOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("refresh_interval_ms", self.refresh_interval_ms, 1..=HOUR_MS)?;
        self.reader.validate()
    }
}

/// A reader that catches up and goes on catching up, key by key, under the names that the original gave it.
///
/// Nothing runs behind its caller's back: it refreshes within the calls that say so, and shares each refresh with its
/// clones. For every change, deletes too, in the order of commits, there is [`crate::tail::Tailer`].
#[derive(Clone, Debug)]
pub struct TailingReader {
    reader: Reader,
    options: TailingReaderOptions,
}

impl TailingReader {
    /// Opens the database, which need not exist. Cost: as [`Reader::open`].
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds; those of [`Reader::open`].
    pub async fn open(source: ReadSource, options: TailingReaderOptions) -> Result<TailingReader> {
        options.validate()?;
        Ok(TailingReader { reader: Reader::open(source, options.reader).await?, options })
    }

    /// The reader, for everything else that one can do.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// As [`Reader::refresh`].
    pub async fn refresh(&self) -> Result<bool> {
        self.reader.refresh().await
    }

    /// When the view was read, or was last known to be the newest: Unix milliseconds.
    pub fn last_refresh_unix_ms(&self) -> u64 {
        self.reader.latest().manifest.read_at.unix_ms()
    }

    /// As [`Reader::get`].
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.reader.get(key).await
    }

    /// As [`Reader::scan`].
    pub async fn scan(&self, options: ScanOptions) -> Result<Scan> {
        self.reader.scan(options).await
    }

    /// As [`Reader::catch_up`]: refreshes, then one pass.
    pub async fn catch_up<F, Handled, E>(
        &self,
        options: &CatchUpOptions,
        handler: F,
    ) -> Result<CatchUpResult, CatchUpError<E>>
    where
        F: FnMut(Entry) -> Handled,
        Handled: Future<Output = Result<(), E>>,
        E: From<Error>,
    {
        self.reader.catch_up(options, handler).await
    }

    /// As [`Reader::catch_up_current`]: one pass over what is known.
    pub async fn catch_up_current<F, Handled, E>(
        &self,
        options: &CatchUpOptions,
        handler: F,
    ) -> Result<CatchUpResult, CatchUpError<E>>
    where
        F: FnMut(Entry) -> Handled,
        Handled: Future<Output = Result<(), E>>,
        E: From<Error>,
    {
        self.reader.catch_up_current(options, handler).await
    }

    /// Catches up again and again: hands every live entry of `options` to `handler`, then those that come behind the last
    /// key. Ends only where the limit is reached, or by an error, or when it is dropped. Keys ascend strictly; what is
    /// committed at or below the last key is never shown.
    ///
    /// Cost: a conditional GET a `refresh_interval_ms`, and where CURRENT changed a scan from the last key on.
    ///
    /// Errors: those of reading (of kind `Retry` after the repetitions that the request policy allows), and what `handler`
    /// fails with. The progress comes with it: go on with it as `start_after_key`.
    pub async fn tail<F, Handled, E>(
        &self,
        options: &CatchUpOptions,
        handler: F,
    ) -> Result<CatchUpResult, CatchUpError<E>>
    where
        F: FnMut(Entry) -> Handled,
        Handled: Future<Output = Result<(), E>>,
        E: From<Error>,
    {
        let mut catch_up = CatchUp::begin(options, handler)?;
        let outcome = self.follow(&mut catch_up).await;
        catch_up.finish(outcome)
    }

    async fn follow<F, Handled, E>(&self, catch_up: &mut CatchUp<'_, F>) -> Result<(), E>
    where
        F: FnMut(Entry) -> Handled,
        Handled: Future<Output = Result<(), E>>,
        E: From<Error>,
    {
        loop {
            self.keep_fresh().await?;
            let seen = self.reader.latest().manifest.version.clone();
            catch_up.pass_on(&self.reader).await?;
            if catch_up.progress().truncated {
                return Ok(());
            }
            while self.reader.latest().manifest.version == seen {
                let changed = self.reader.refreshes().changed();
                let left_ms = self.left_ms();
                if left_ms > 0 {
                    select(changed, self.reader.host().sleep(Duration::from_millis(left_ms))).await;
                }
                self.keep_fresh().await?;
            }
        }
    }

    /// Refreshes where it is due.
    async fn keep_fresh(&self) -> Result<()> {
        if self.left_ms() == 0 {
            self.reader.renew().await?;
        }
        Ok(())
    }

    /// How long until a refresh is due, in milliseconds.
    fn left_ms(&self) -> u64 {
        let age_ms = self.reader.latest().manifest.age_ms(&**self.reader.host());
        self.options.refresh_interval_ms.saturating_sub(age_ms)
    }
}
