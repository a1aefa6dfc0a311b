//! Catching up in the order of keys: every key behind the last one that was handled.
//!
//! It shows live values alone, each once: no deletes, no values that were overwritten, and nothing that is committed later
//! below the last key. It suits keys that ascend with time; for every change there is the feed ([`crate::tail`]).

use std::future::Future;
use std::ops::Bound;

use bytes::Bytes;

use super::reader::Reader;
use super::scan::Scan;
use super::scan_options::ScanOptions;
use super::version::Entry;
use super::view::View;
use crate::error::{Error, Result, within};

/// So many views may become too old one after the other before one entry of them was handled.
const MAX_VIEWS: u32 = 8;

/// Which keys to catch up on. The default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatchUpOptions {
    /// Only keys from this one on. Default `None`; an empty key is no bound either.
    pub min_key: Option<Bytes>,
    /// Only keys up to this one, with it. Default `None`; an empty key is no bound either.
    pub max_key: Option<Bytes>,
    /// Only keys behind this one: behind `key` is `key` and a zero byte, whatever the key ends with. Default `None`; an empty
    /// key is no bound either.
    pub start_after_key: Option<Bytes>,
    /// Stop after so many entries. Default `None`: never; at least 1.
    pub limit: Option<u64>,
}

impl CatchUpOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("limit", self.limit.unwrap_or(1), 1..=u64::MAX)
    }

    /// What is left behind `progress`.
    fn left(&self, progress: &CatchUpResult) -> ScanOptions {
        let bound = |key: &Option<Bytes>| key.clone().filter(|key| !key.is_empty());
        let after = bound(&progress.last_key).max(bound(&self.start_after_key));
        let start = match (bound(&self.min_key), after) {
            (Some(min), Some(after)) if min > after => Bound::Included(min),
            (_, Some(after)) => Bound::Excluded(after),
            (Some(min), None) => Bound::Included(min),
            (None, None) => Bound::Unbounded,
        };
        let end = bound(&self.max_key).map_or(Bound::Unbounded, Bound::Included);
        ScanOptions { start, end, ..ScanOptions::default() }
    }
}

/// How far a catch-up came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatchUpResult {
    /// The last key that was handled: `start_after_key` of the next one. `None` where there was none.
    pub last_key: Option<Bytes>,
    /// How many entries were handled.
    pub count: u64,
    /// It stopped because `count` reached the limit; there may be more.
    pub truncated: bool,
}

/// A catch-up that did not come to its end, and how far it came: what was handled was handled.
///
/// `E` is the handler's error; errors of reading become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stopped behind {} entries: {cause}", .progress.count)]
pub struct CatchUpError<E> {
    /// How far it came. `truncated` is false.
    pub progress: CatchUpResult,
    /// What stopped it.
    #[source]
    pub cause: E,
}

/// What stopped a pass.
enum Stop<E> {
    Read(Error),
    Handler(E),
}

/// A pass under way.
pub(super) struct CatchUp<'a, F> {
    options: &'a CatchUpOptions,
    handler: F,
    progress: CatchUpResult,
}

impl<'a, F, Handled, E> CatchUp<'a, F>
where
    F: FnMut(Entry) -> Handled,
    Handled: Future<Output = Result<(), E>>,
    E: From<Error>,
{
    /// Errors: `InvalidArgument` for an option out of its bounds.
    pub(super) fn begin(options: &'a CatchUpOptions, handler: F) -> Result<Self, CatchUpError<E>> {
        match options.validate() {
            Ok(()) => Ok(CatchUp { options, handler, progress: CatchUpResult::default() }),
            Err(error) => Err(CatchUpError { progress: CatchUpResult::default(), cause: error.into() }),
        }
    }

    pub(super) fn progress(&self) -> &CatchUpResult {
        &self.progress
    }

    /// How far it came, with what stopped it if it did not come to its end.
    pub(super) fn finish(self, outcome: Result<(), E>) -> Result<CatchUpResult, CatchUpError<E>> {
        match outcome {
            Ok(()) => Ok(self.progress),
            Err(cause) => Err(CatchUpError { progress: self.progress, cause }),
        }
    }

    /// Hands what is left in one view to the handler.
    async fn pass(&mut self, mut scan: Scan) -> Result<(), Stop<E>> {
        while !self.progress.truncated
            && let Some(entry) = scan.next().await.map_err(Stop::Read)?
        {
            let key = entry.key.clone();
            (self.handler)(entry).await.map_err(Stop::Handler)?;
            self.progress.last_key = Some(key);
            self.progress.count += 1;
            self.progress.truncated = self.options.limit == Some(self.progress.count);
        }
        Ok(())
    }

    /// All that is left in the views of `reader`: a view that becomes too old is followed by a newer one.
    pub(super) async fn pass_on(&mut self, reader: &Reader) -> Result<(), E> {
        let (mut views_left, mut count) = (MAX_VIEWS, 0);
        loop {
            let scan = reader.scan(self.options.left(&self.progress)).await?;
            match self.pass(scan).await {
                Ok(()) => return Ok(()),
                Err(Stop::Read(Error::ViewExpired { .. })) if views_left > 0 => {
                    views_left = if self.progress.count > count { MAX_VIEWS } else { views_left - 1 };
                    count = self.progress.count;
                    reader.refresh().await?;
                }
                Err(Stop::Read(error)) => return Err(error.into()),
                Err(Stop::Handler(error)) => return Err(error),
            }
        }
    }
}

impl View {
    /// Hands every live entry of `options` to `handler`, in key order.
    ///
    /// Cost: that of a scan; see [`Scan::next`].
    ///
    /// Errors: `ViewExpired` ends it, with the progress: go on with [`View::renew`] behind `last_key`. What `handler` fails with.
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
        let mut catch_up = CatchUp::begin(options, handler)?;
        let outcome = match catch_up.pass(self.scan(&options.left(catch_up.progress()))).await {
            Ok(()) => Ok(()),
            Err(Stop::Read(error)) => Err(error.into()),
            Err(Stop::Handler(error)) => Err(error),
        };
        catch_up.finish(outcome)
    }
}

impl Reader {
    /// Refreshes, and then hands every live entry of `options` to `handler`, in key order. A view that becomes too old
    /// meanwhile is followed by a newer one: keys ascend all the same.
    ///
    /// Cost: one conditional GET, and that of a scan; see [`Scan::next`].
    ///
    /// Errors: those of reading, and what `handler` fails with; the progress comes with it.
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
        let mut catch_up = CatchUp::begin(options, handler)?;
        let outcome = match self.refresh().await {
            Ok(_) => catch_up.pass_on(self).await,
            Err(error) => Err(error.into()),
        };
        catch_up.finish(outcome)
    }

    /// Like [`Reader::catch_up`], but of the view that is there: only one that is too old is refreshed.
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
        let mut catch_up = CatchUp::begin(options, handler)?;
        let outcome = catch_up.pass_on(self).await;
        catch_up.finish(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn everything_is_the_default_and_a_limit_is_at_least_one() {
        let defaults = CatchUpOptions::default();
        defaults.validate().unwrap();
        assert_eq!(
            defaults,
            CatchUpOptions { min_key: None, max_key: None, start_after_key: None, limit: None }
        );
        assert_eq!(defaults.left(&CatchUpResult::default()), ScanOptions::default());
        let error = CatchUpOptions { limit: Some(0), ..defaults.clone() }.validate().unwrap_err();
        assert!(matches!(&error, Error::InvalidArgument { what } if what.contains("limit")), "{error}");
        CatchUpOptions { limit: Some(1), ..defaults }.validate().unwrap();
    }

    #[test]
    fn it_goes_on_behind_the_later_of_both_keys_and_never_in_front_of_the_least() {
        let left = |min: &[u8], after: &[u8], last: &[u8]| {
            let options = CatchUpOptions {
                min_key: key(min),
                start_after_key: key(after),
                ..CatchUpOptions::default()
            };
            options.left(&CatchUpResult { last_key: key(last), ..CatchUpResult::default() }).start
        };
        let (at, behind) =
            (|k: &[u8]| Bound::Included(key(k).unwrap()), |k: &[u8]| Bound::Excluded(key(k).unwrap()));
        assert_eq!(left(b"", b"", b""), Bound::Unbounded);
        assert_eq!(left(b"m", b"", b""), at(b"m"));
        assert_eq!(left(b"m", b"a", b""), at(b"m"));
        assert_eq!(left(b"m", b"m", b""), behind(b"m"));
        assert_eq!(left(b"m", b"n", b""), behind(b"n"));
        assert_eq!(left(b"m", b"n", b"x"), behind(b"x"));
        assert_eq!(left(b"", b"", b"x"), behind(b"x"));
    }
}
