//! How a store wants to see its ETags again.
//!
//! An ETag is a quoted string, and S3 takes it back as it gave it. Ceph's gateway (16, and others of its age) gives it quoted and
//! compares `If-Match` of a put with the bare text, so that no condition with the ETag as given ever holds there.

use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 0;
const AS_GIVEN: u8 = 1;
const BARE: u8 = 2;

/// What is known of a store's taste in ETags. It is learned once a process, from the first put that settles it.
#[derive(Debug)]
pub(super) struct EtagStyle(AtomicU8);

impl EtagStyle {
    pub(super) fn unknown() -> EtagStyle {
        EtagStyle(AtomicU8::new(UNKNOWN))
    }

    /// The store is known to take ETags as it gives them.
    pub(super) fn as_given() -> EtagStyle {
        EtagStyle(AtomicU8::new(AS_GIVEN))
    }

    /// The ETag to put into a condition.
    pub(super) fn to_send<'a>(&self, etag: &'a str) -> &'a str {
        match self.0.load(Ordering::Relaxed) {
            BARE => bare(etag).unwrap_or(etag),
            _ => etag,
        }
    }

    /// The other way to write an ETag, where it is not settled which one the store wants.
    pub(super) fn bare<'a>(&self, etag: &'a str) -> Option<&'a str> {
        bare(etag).filter(|_| self.0.load(Ordering::Relaxed) == UNKNOWN)
    }

    /// A condition held with the ETag that [`EtagStyle::to_send`] gave.
    pub(super) fn learn_from_success(&self) {
        // Whoever learned otherwise in the meantime knows better.
        let _ = self.0.compare_exchange(UNKNOWN, AS_GIVEN, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A condition held with the bare ETag, and had not held with the quoted one.
    pub(super) fn learn_bare(&self) {
        self.0.store(BARE, Ordering::Relaxed);
    }
}

fn bare(etag: &str) -> Option<&str> {
    etag.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_is_learned_once() {
        let style = EtagStyle::unknown();
        assert_eq!((style.to_send("\"e\""), style.bare("\"e\"")), ("\"e\"", Some("e")));
        style.learn_bare();
        style.learn_from_success();
        assert_eq!((style.to_send("\"e\""), style.bare("\"e\"")), ("e", None));
        let style = EtagStyle::unknown();
        style.learn_from_success();
        assert_eq!((style.to_send("\"e\""), style.bare("\"e\"")), ("\"e\"", None));
    }

    #[test]
    fn only_strong_quoted_etags_have_another_way() {
        let style = EtagStyle::unknown();
        for etag in ["e", "W/\"e\"", "\"", "\"e", ""] {
            assert_eq!((style.to_send(etag), style.bare(etag)), (etag, None));
        }
    }
}
