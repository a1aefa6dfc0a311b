//! Many threads write through one writer: every one drives the flushes that it waits for, and none of them is lost.
//!
//! The host's timers never fire here, so a lost wake-up shows as a test that does not end; it is stopped after two minutes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, which is the host here")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::Role;
use isledb_core::host::{Host, MemoryStore, Requests};
use isledb_core::manifest::{ManifestView, ObjectManifest, Publisher};
use isledb_core::maybe::BoxFuture;
use isledb_core::write::{WriteBatch, Writer, WriterOptions};

const THREADS: u64 = 4;
const ROUNDS: u64 = 600;

/// Its clock ticks when it is asked; only pauses of no length end.
struct Ticks(AtomicU64);

impl Host for Ticks {
    fn now_unix_ns(&self) -> u64 {
        1_790_000_000_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        let seed = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        buf.iter_mut().zip(seed.to_le_bytes().iter().cycle()).for_each(|(byte, seed)| *byte = *seed);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}

#[test]
fn threads_share_one_writer() {
    let (done, ended) = mpsc::channel();
    let test = thread::spawn(move || {
        write_from_all_threads();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(Duration::from_secs(120)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a waiter was never woken"),
        _ => test.join().unwrap(),
    }
}

fn write_from_all_threads() {
    let host: Arc<dyn Host> = Arc::new(Ticks(AtomicU64::new(0)));
    let requests = Requests::new(Arc::new(MemoryStore::new(host.clone())), host.clone());
    let layout = Layout::new("db").unwrap();
    let manifest = Arc::new(ObjectManifest::new(requests.clone(), layout.clone()));
    let options = WriterOptions {
        memtable_size: 4_096,
        max_pending_memtables: 2,
        flush_interval: Duration::ZERO,
        ..WriterOptions::default()
    };
    let writer = block_on(async {
        let view = ManifestView::load(manifest.as_ref(), host.as_ref()).await.unwrap();
        let claim = options.claim();
        let publisher =
            Publisher::claim(manifest.clone(), host.clone(), Role::Writer, &claim, view).await.unwrap();
        Writer::new(requests, layout, publisher, options)
    });
    thread::scope(|scope| {
        let background = scope.spawn(|| block_on(writer.run()));
        let threads: Vec<_> = (0..THREADS)
            .map(|i| {
                scope.spawn({
                    let writer = &writer;
                    move || block_on(work(writer, i))
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        block_on(writer.close()).unwrap();
        background.join().unwrap().unwrap();
    });
    let view = block_on(ManifestView::load(manifest.as_ref(), host.as_ref())).unwrap();
    let mut tables: Vec<_> =
        view.state().tables().map(|table| (table.seq_lo, table.seq_hi, table.entry_count)).collect();
    tables.sort_unstable();
    let mut next = 1;
    for (low, high, entries) in tables {
        assert_eq!((low, entries), (next, Some(high - low + 1)), "every sequence number once");
        next = high + 1;
    }
    assert_eq!(next - 1, THREADS * ROUNDS * 4);
}

async fn work(writer: &Writer, thread: u64) {
    for round in 0..ROUNDS {
        let key = (thread << 32 | round).to_be_bytes();
        let sequence = writer.put(&key, &[thread as u8; 50]).await.unwrap();
        let mut batch = WriteBatch::new();
        batch.put(&key, b"").delete(&key);
        let last = writer.write(batch).await.unwrap();
        assert!(last >= sequence + 2);
        match (round + thread) % 8 {
            0 => assert!(writer.flush().await.unwrap() >= last),
            1 => writer.wait_committed(sequence).await.unwrap(),
            _ => {}
        }
        writer.delete(&key).await.unwrap();
    }
}
