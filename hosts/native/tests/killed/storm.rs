//! Faults between the processes of a run and the server, other ones every moment, until the storm ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use isledb_test_servers::{Cut, Faults, Kind, Proxy};

use crate::writes::mixed;

/// A running storm.
pub(crate) struct Storm {
    goes_on: Arc<AtomicBool>,
    runs: JoinHandle<Proxy>,
}

impl Storm {
    pub(crate) fn begin(proxy: Proxy, seed: u64) -> Storm {
        let goes_on = Arc::new(AtomicBool::new(true));
        let until = goes_on.clone();
        let runs = std::thread::spawn(move || {
            for moment in (seed << 20).. {
                if !until.load(Ordering::Acquire) {
                    break;
                }
                match proxy.kind() {
                    Kind::Haproxy => requests(&proxy, mixed(moment)),
                    _ => connections(&proxy, mixed(moment)),
                }
            }
            proxy
        });
        Storm { goes_on, runs }
    }

    /// Ends it. The proxy lets everything pass, as long as it lives.
    pub(crate) fn end(self) -> Proxy {
        self.goes_on.store(false, Ordering::Release);
        self.runs.join().unwrap()
    }
}

/// For a fraction of a second some requests fail; and then none.
fn requests(proxy: &Proxy, random: u64) {
    let below = |shift: u32, bound: u64| ((random >> shift) % bound) as u16;
    let faults = Faults {
        refused: below(0, 150),
        lost: below(10, 100),
        silent: below(20, 8),
        base_ms: below(30, 15),
        jitter_ms: below(40, 10),
    };
    proxy.set(faults).unwrap();
    std::thread::sleep(Duration::from_millis(200 + random % 300));
    proxy.set(Faults::default()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
}

/// For a moment every connection fails in one manner; and then none.
fn connections(proxy: &Proxy, random: u64) {
    let cut = match random % 5 {
        0 => Cut::Answers,
        1 => Cut::Requests(20),
        2 => Cut::Reset,
        3 => Cut::After((random >> 8) as u32 % 4_000),
        _ => Cut::Slow(500),
    };
    proxy.cut(Some(cut)).unwrap();
    std::thread::sleep(Duration::from_millis(20 + (random >> 24) % 80));
    proxy.cut(None).unwrap();
    std::thread::sleep(Duration::from_millis(150 + (random >> 32) % 250));
}
