//! Eight overlapping tables become one sorted run: what a merge costs each engine.

use std::fmt;
use std::time::{Duration, Instant};

/// What one merge took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// From the call to its end.
    pub wall: Duration,
    /// Processor time of all threads meanwhile.
    pub cpu: Duration,
}

impl Took {
    /// Bytes of keys and values a second of processor time, in MB (10^6).
    pub fn rate(&self, bytes: u64) -> f64 {
        bytes as f64 / 1e6 / self.cpu.as_secs_f64()
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s, {:.2} s of processor time", self.wall.as_secs_f64(), self.cpu.as_secs_f64())
    }
}

/// Measures a future that runs in this process.
pub async fn measured<T>(run: impl Future<Output = T>) -> (T, Took) {
    let (began, cpu) = (Instant::now(), process_cpu());
    let done = run.await;
    (done, Took { wall: began.elapsed(), cpu: process_cpu().saturating_sub(cpu) })
}

/// Processor time of this process so far, in steps of 10 ms; zero where there is no `/proc`.
fn process_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets the third field is number 3: user and system time are 14 and 15.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
