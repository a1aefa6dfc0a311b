//! Bounds: what is refused, and what happens at them.

use std::time::Duration;

use super::faulty::Fault;
use super::{Bench, Entries, inline, small};
use crate::error::Error;
use crate::write::{MAX_KEY_BYTES, WriteBatch, WriterOptions};

fn invalid<T: std::fmt::Debug>(result: Result<T, Error>, names: &str) {
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::InvalidArgument { what } if what.contains(names)), "{error}");
}

#[test]
fn keys_values_batches_and_times_have_bounds() {
    let bench = Bench::new();
    let writer =
        bench.writer(WriterOptions { max_value: 1_000, max_batch: 70_000, ..WriterOptions::default() });
    let longest = vec![b'k'; MAX_KEY_BYTES as usize];
    bench.host.run(async {
        invalid(writer.put(b"", b"v").await, "key length");
        invalid(writer.delete(b"").await, "key length");
        invalid(writer.put(&[longest.as_slice(), b"k"].concat(), b"v").await, "key length");
        invalid(writer.put(b"k", &[0; 1_001]).await, "value length in bytes is 1001");
        invalid(
            writer
                .write({
                    let mut b = WriteBatch::new();
                    b.put(b"a", b"").put(b"", b"");
                    b
                })
                .await,
            "key length",
        );
        invalid(
            writer
                .write({
                    let mut b = WriteBatch::new();
                    b.put(&[1; 40_000], b"").put(&[2; 30_001], b"");
                    b
                })
                .await,
            "batch",
        );
        for ttl in [
            Duration::ZERO,
            Duration::MAX,
            Duration::from_millis(u64::MAX),
            Duration::from_millis(i64::MAX as u64),
        ] {
            invalid(writer.put_with_ttl(b"k", b"v", ttl).await, "ttl");
        }
        assert_eq!(writer.last_sequence(), 0, "nothing was accepted");
        writer.put(&longest, &[1; 1_000]).await.unwrap();
        writer.put_with_ttl(b"k", b"v", Duration::from_nanos(1)).await.unwrap();
        writer.flush().await.unwrap();
    });
    let entries = bench.entries();
    assert_eq!(entries[&(longest.clone(), 1)], inline(&[1; 1_000]));
    assert_eq!(entries[&(b"k".to_vec(), 2)].expire_at_ms(), Some(1_790_000_000_001), "not at once");
    assert_eq!(bench.tables()[0].max_key, longest);
}

#[test]
fn an_invalid_option_is_refused_by_name() {
    let bench = Bench::new();
    invalid(
        bench.try_writer(WriterOptions { part_size: 1, ..WriterOptions::default() }).map(drop),
        "part_size",
    );
}

#[test]
fn at_the_bound_a_put_drives_the_flushes_itself() {
    let bench = Bench::new();
    let writer = bench.writer(small());
    let mut expected = Entries::new();
    bench.host.run(async {
        for i in 0..100u8 {
            expected.insert((vec![i], writer.put(&[i], &[i; 500]).await.unwrap()), inline(&[i; 500]));
            assert!(writer.uncommitted_bytes() <= 3 * (4_096 + 600));
        }
        assert!(writer.committed_sequence() > 70);
        writer.close().await.unwrap();
    });
    assert_eq!(bench.entries(), expected);
}

#[test]
fn backpressure_comes_at_the_deadline_and_nothing_is_lost() {
    let bench = Bench::new();
    let writer = bench.writer(small());
    bench.store.fail(|_, _| Fault::Refused);
    let mut expected = Entries::new();
    let start = bench.host.now_ms();
    let pressed = bench.host.run(async {
        for i in 0..100u8 {
            match writer.put(&[i], &[i; 500]).await {
                Ok(sequence) => expected.insert((vec![i], sequence), inline(&[i; 500])),
                Err(error) => return error,
            };
        }
        panic!("no bound");
    });
    let waited = bench.host.now_ms() - start;
    assert!((10_000..11_000).contains(&waited), "{waited}");
    let Error::Backpressure { pending_bytes, waited_ms } = pressed else { panic!("{pressed}") };
    assert!(waited_ms >= 10_000 && (3 * 4_096..3 * 4_700).contains(&pending_bytes), "{pending_bytes}");
    bench.host.run(async {
        // Flushing again and again in an outage does not get around the bound.
        for i in 0..20u8 {
            writer.flush().await.unwrap_err();
            assert!(writer.put(&[200, i], &[i; 500]).await.is_err());
        }
        bench.store.heal();
        expected.insert((vec![201], writer.put(&[201], b"v").await.unwrap()), inline(b"v"));
        writer.close().await.unwrap();
    });
    assert_eq!(bench.entries(), expected);
}

#[test]
fn a_refusal_for_good_reaches_the_put_at_once() {
    let bench = Bench::new();
    let writer = bench.writer(small());
    bench.host.run(async {
        for i in 0..24u8 {
            writer.put(&[i], &[i; 500]).await.unwrap();
        }
    });
    let other = bench.writer(small());
    let start = bench.host.now_ms();
    let error = bench.host.run(async {
        loop {
            if let Err(error) = writer.put(b"k", &[0; 500]).await {
                return error;
            }
        }
    });
    assert!(matches!(error, Error::Fenced { .. }), "{error}");
    assert!(bench.host.now_ms() < start + 1_000, "long before the deadline");
    drop(other);
}
