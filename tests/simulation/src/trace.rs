//! What happened, in order: a hash over everything, and the readable lines where somebody wants to read them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh64::Xxh64;

/// The record of one run. Every request, answer and decision goes through [`Trace::line`], so two runs with the same
/// hash went the same way.
pub struct Trace {
    inner: Mutex<Inner>,
}

struct Inner {
    hash: Xxh64,
    lines: u64,
    kept: Option<Vec<String>>,
}

impl Trace {
    /// `keep`: the lines are kept for a reader, which costs memory; the hash is the same either way.
    pub fn new(keep: bool) -> Trace {
        Trace { inner: Mutex::new(Inner { hash: Xxh64::new(0), lines: 0, kept: keep.then(Vec::new) }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, at a virtual time.
    pub fn line(&self, now_ns: u64, text: fmt::Arguments<'_>) {
        let mut inner = self.inner();
        inner.lines += 1;
        inner.hash.update(&now_ns.to_le_bytes());
        match &mut inner.kept {
            Some(_) => {
                let text = text.to_string();
                inner.hash.update(text.as_bytes());
                let seconds = now_ns as f64 / 1e9;
                if let Some(kept) = &mut inner.kept {
                    kept.push(format!("{seconds:>12.4}s  {text}"));
                }
            }
            None => {
                // A Display cannot fail here: hashing takes every byte.
                let _ = fmt::write(&mut HashText(&mut inner.hash), text);
            }
        }
    }

    /// Adds a number that is a decision but nothing to read.
    pub fn number(&self, value: u64) {
        self.inner().hash.update(&value.to_le_bytes());
    }

    /// The hash over everything so far.
    pub fn hash(&self) -> u64 {
        self.inner().hash.digest()
    }

    /// How many lines there were.
    pub fn lines(&self) -> u64 {
        self.inner().lines
    }

    /// The last `count` lines, where they are kept.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let inner = self.inner();
        let kept = inner.kept.as_deref().unwrap_or_default();
        kept[kept.len().saturating_sub(count)..].to_vec()
    }
}

struct HashText<'a>(&'a mut Xxh64);

impl fmt::Write for HashText<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.update(s.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeping_the_lines_does_not_change_the_hash() {
        let (kept, hashed) = (Trace::new(true), Trace::new(false));
        for trace in [&kept, &hashed] {
            trace.line(5, format_args!("put {} -> {}", "a", 3));
            trace.number(9);
        }
        assert_eq!(kept.hash(), hashed.hash());
        assert_eq!(kept.tail(9).len(), 1);
        hashed.number(1);
        assert_ne!(kept.hash(), hashed.hash());
    }
}
