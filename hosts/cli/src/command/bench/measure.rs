//! One phase, measured: how many, how long each, and what it asked of the store.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use isledb::host::{Cost, Span};

use crate::connection::Connection;
use crate::cost;
use crate::exit::Outcome;
use crate::json::Line;
use crate::output::{self, FAINT, Output, STRONG};

/// A phase under way.
pub(super) struct Measure {
    phase: &'static str,
    /// Of one operation, in nanoseconds, to three digits.
    latencies: Histogram<u64>,
    operations: u64,
    bytes: u64,
    started: Instant,
    span: Span,
}

/// What a phase came to.
pub(super) struct Measured {
    measure: Measure,
    elapsed: Duration,
    cost: Cost,
}

impl Measure {
    pub(super) fn begin(phase: &'static str, place: &Connection) -> Outcome<Measure> {
        let latencies = Histogram::new(3).map_err(|error| {
            crate::exit::Failure::usage(format!("a histogram of latencies cannot be made: {error}"))
        })?;
        let span = place.metering().span();
        Ok(Measure { phase, latencies, operations: 0, bytes: 0, started: Instant::now(), span })
    }

    /// One operation that took so long and moved so many bytes of keys and values.
    pub(super) fn record(&mut self, took: Duration, bytes: u64) {
        self.operations += 1;
        self.bytes += bytes;
        // It grows as it needs to, so nothing is refused.
        let _ = self.latencies.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn end(self) -> Measured {
        Measured { elapsed: self.started.elapsed(), cost: self.span.cost(), measure: self }
    }
}

impl Measured {
    fn quantile_us(&self, quantile: f64) -> f64 {
        self.measure.latencies.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn max_us(&self) -> f64 {
        self.measure.latencies.max() as f64 / 1000.0
    }

    fn rate(&self, amount: u64) -> f64 {
        amount as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// One line of numbers for programs, or for people under [`header`].
    pub(super) fn print(&self, out: &mut Output) -> Outcome {
        let Measure { phase, operations, bytes, .. } = self.measure;
        if out.is_json() {
            let line = Line::new()
                .field("phase", phase)
                .field("operations", operations)
                .field("seconds", rounded(self.elapsed.as_secs_f64(), 6))
                .field("per_second", rounded(self.rate(operations), 1))
                .field("bytes", bytes)
                .field("bytes_per_second", self.rate(bytes) as u64)
                .field("p50_us", rounded(self.quantile_us(0.5), 1))
                .field("p90_us", rounded(self.quantile_us(0.9), 1))
                .field("p99_us", rounded(self.quantile_us(0.99), 1))
                .field("max_us", rounded(self.max_us(), 1))
                .raw("requests", &cost::requests(&self.cost))
                .field("bytes_read", self.cost.bytes_read)
                .field("bytes_written", self.cost.bytes_written)
                .field("round_trips", self.cost.round_trips);
            out.json(line)?;
        } else {
            let latencies =
                [self.quantile_us(0.5), self.quantile_us(0.9), self.quantile_us(0.99), self.max_us()];
            let [p50, p90, p99, max] = latencies.map(time);
            let name = out.paint(STRONG, &format!("{phase:<13}"));
            let asked = out.paint(FAINT, &self.asked());
            out.line(format!(
                "{name} {:>11} {:>12}/s {:>12}/s {p50:>9} {p90:>9} {p99:>9} {max:>9}  {asked}",
                output::count(operations),
                output::count(self.rate(operations) as u64),
                output::size(self.rate(bytes) as u64),
            ))?;
        }
        // A phase may take minutes, so each line leaves at once.
        Ok(out.flush()?)
    }

    fn asked(&self) -> String {
        let moved = self.cost.bytes_read + self.cost.bytes_written;
        format!(
            "{}, {}, {}",
            cost::requests_text(&self.cost),
            output::size(moved),
            output::counted(self.cost.round_trips, "round trip")
        )
    }
}

/// The heading of the lines for people.
pub(super) fn header(out: &mut Output) -> Outcome {
    if !out.is_json() {
        let line = format!(
            "{:<13} {:>11} {:>14} {:>14} {:>9} {:>9} {:>9} {:>9}  requests, bytes moved, rounds",
            "phase", "operations", "rate", "data", "p50", "p90", "p99", "max"
        );
        let line = out.paint(FAINT, &line);
        out.line(line)?;
    }
    Ok(())
}

/// `850 ns`, `12.3 us`, `4.56 ms`, `1.20 s`.
fn time(us: f64) -> String {
    match us {
        us if us < 1.0 => format!("{:.0} ns", us * 1000.0),
        us if us < 1000.0 => format!("{us:.1} us"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    }
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!([0.85, 12.34, 4560.0, 1_200_000.0].map(time), ["850 ns", "12.3 us", "4.56 ms", "1.20 s"]);
        assert_eq!(rounded(1.23456, 2), 1.23);
    }
}
