//! What happens in a database, told to the [`metrics`] recorder of the process.

use isledb_core::host::{CachePart, Event, Meter, Observer};
use isledb_core::read::BlockCache;
use isledb_core::{Error, Result};
use metrics::{counter, gauge, histogram};

/// An [`Observer`] that turns events into metrics of the process's recorder; give it to
/// [`DbOptions::observer`](isledb_core::DbOptions). `docs/metrics.md` says what each means and when to worry.
///
/// Names are those of the original (namespace `isledb`) where the meaning is the same. Latencies are seconds. Without a
/// recorder an event costs some nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metrics;

impl Metrics {
    /// Tells what is not an event: serial rounds that `meter` counted, and what `cache` holds. For a host to call each second
    /// or so.
    pub fn sample(meter: &Meter, cache: &BlockCache) {
        let stats = cache.stats();
        counter!("isledb_store_round_trips_total").absolute(meter.cost().round_trips);
        gauge!("isledb_cache_bytes").set(stats.bytes as f64);
        gauge!("isledb_cache_capacity_bytes").set(stats.capacity_bytes as f64);
        gauge!("isledb_cache_entries").set(stats.entries as f64);
    }
}

impl Observer for Metrics {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Write { .. }
            | Event::WriteRefused { .. }
            | Event::Backpressure { .. }
            | Event::BlobPut { .. }
            | Event::Flush { .. } => write(event),
            Event::Delivered { changes, lag_ms, lag_slots } => {
                counter!("isledb_tail_changes_total").increment(*changes);
                gauge!("isledb_tail_lag_seconds").set(seconds(*lag_ms));
                gauge!("isledb_tail_lag_slots").set(*lag_slots as f64);
            }
            Event::MergeBegun { .. } | Event::MergeProgress { .. } | Event::MergeEnd { .. } => merge(event),
            Event::Retired { .. } | Event::Collected { .. } => remove(event),
            Event::CacheLookup { .. } | Event::RangeRead { .. } | Event::Untrusted { .. } => fetch(event),
            _ => read(event),
        }
    }
}

/// The writer's.
fn write(event: &Event<'_>) {
    match event {
        Event::Write { puts, deletes, .. } => {
            counter!("isledb_writer_put_total").increment(*puts);
            counter!("isledb_writer_delete_total").increment(*deletes);
        }
        Event::WriteRefused { .. } => counter!("isledb_writer_put_errors_total").increment(1),
        Event::Backpressure { .. } => counter!("isledb_writer_backpressure_total").increment(1),
        Event::BlobPut { result, elapsed } => {
            counter!("isledb_writer_put_blob_total").increment(1);
            count_errors("isledb_writer_put_blob_errors_total", result);
            histogram!("isledb_writer_put_blob_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_writer_blob_bytes_total").increment(result.unwrap_or(0));
        }
        Event::Flush { result, elapsed } => {
            counter!("isledb_writer_flush_total").increment(1);
            count_errors("isledb_writer_flush_errors", result);
            histogram!("isledb_writer_flush_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_writer_flush_bytes_total").increment(result.map_or(0, |flushed| flushed.bytes));
        }
        _ => {}
    }
}

/// The reader's calls.
fn read(event: &Event<'_>) {
    match event {
        Event::Refresh { result, elapsed, age_ms } => {
            counter!("isledb_reader_refresh_total").increment(1);
            count_errors("isledb_reader_refresh_errors_total", result);
            histogram!("isledb_reader_refresh_latency_seconds").record(elapsed.as_secs_f64());
            gauge!("isledb_reader_view_age_seconds").set(seconds(if result.is_ok() { 0 } else { *age_ms }));
        }
        Event::Get { result, elapsed, view_age_ms } => {
            counter!("isledb_reader_get_total").increment(1);
            match result {
                Ok(true) => counter!("isledb_reader_get_hits_total").increment(1),
                Ok(false) => counter!("isledb_reader_get_misses_total").increment(1),
                Err(_) => counter!("isledb_reader_get_errors_total").increment(1),
            }
            histogram!("isledb_reader_get_latency_seconds").record(elapsed.as_secs_f64());
            gauge!("isledb_reader_view_age_seconds").set(seconds(*view_age_ms));
        }
        Event::ScanEnd { entries, limited: false, error, elapsed } => {
            counter!("isledb_reader_scan_total").increment(1);
            counter!("isledb_reader_scan_errors_total").increment(u64::from(error.is_some()));
            histogram!("isledb_reader_scan_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_reader_scan_results_total").increment(*entries);
        }
        Event::ScanEnd { entries, limited: true, error, elapsed } => {
            counter!("isledb_reader_scan_limit_total").increment(1);
            counter!("isledb_reader_scan_limit_errors_total").increment(u64::from(error.is_some()));
            histogram!("isledb_reader_scan_limit_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_reader_scan_limit_results_total").increment(*entries);
        }
        Event::BlobFetch { result, elapsed } => {
            counter!("isledb_reader_blob_fetch_total").increment(1);
            count_errors("isledb_reader_blob_fetch_errors_total", result);
            histogram!("isledb_reader_blob_fetch_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_reader_blob_bytes_total").increment(result.unwrap_or(0));
        }
        _ => {}
    }
}

/// What reads bring from the cache and from the store.
fn fetch(event: &Event<'_>) {
    match event {
        Event::CacheLookup { part, hit } => match (part, hit) {
            (CachePart::Block, true) => {
                counter!("isledb_reader_sst_range_block_cache_hits_total").increment(1)
            }
            (CachePart::Block, false) => {
                counter!("isledb_reader_sst_range_block_cache_misses_total").increment(1);
            }
            (_, true) => counter!("isledb_reader_index_cache_hits_total").increment(1),
            (_, false) => counter!("isledb_reader_index_cache_misses_total").increment(1),
        },
        Event::RangeRead { requests, result, elapsed, .. } => {
            counter!("isledb_reader_sst_range_read_total").increment(*requests);
            count_errors("isledb_reader_sst_range_read_errors_total", result);
            histogram!("isledb_reader_sst_range_read_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_reader_sst_range_read_bytes_total").increment(result.unwrap_or(0));
        }
        Event::Untrusted { .. } => counter!("isledb_reader_untrusted_total").increment(1),
        _ => {}
    }
}

/// What merges do.
fn merge(event: &Event<'_>) {
    match event {
        Event::MergeBegun { kind, tables, bytes } => {
            counter!("isledb_merge_input_tables_total", "kind" => *kind).increment(*tables);
            counter!("isledb_merge_input_bytes_total", "kind" => *kind).increment(*bytes);
            gauge!("isledb_merge_progress_ratio").set(0.0);
        }
        Event::MergeProgress { bytes, of } => {
            gauge!("isledb_merge_progress_ratio").set(*bytes as f64 / (*of).max(1) as f64);
        }
        Event::MergeEnd { kind, result, elapsed } => {
            counter!("isledb_merge_total", "kind" => *kind).increment(1);
            count_errors("isledb_merge_errors_total", result);
            histogram!("isledb_merge_latency_seconds").record(elapsed.as_secs_f64());
            counter!("isledb_merge_output_bytes_total", "kind" => *kind).increment(result.unwrap_or(0));
            gauge!("isledb_merge_progress_ratio").set(1.0);
        }
        _ => {}
    }
}

/// What retention and garbage collection do.
fn remove(event: &Event<'_>) {
    match event {
        Event::Retired { tables, bytes } => {
            counter!("isledb_retention_tables_total").increment(*tables);
            counter!("isledb_retention_bytes_total").increment(*bytes);
        }
        Event::Collected { result, elapsed } => {
            counter!("isledb_gc_total").increment(1);
            count_errors("isledb_gc_errors_total", result);
            histogram!("isledb_gc_latency_seconds").record(elapsed.as_secs_f64());
            if let Ok(collected) = result {
                counter!("isledb_gc_tables_total").increment(collected.tables);
                counter!("isledb_gc_blobs_total").increment(collected.blobs);
                counter!("isledb_gc_documents_total").increment(collected.documents);
                counter!("isledb_gc_bytes_total").increment(collected.bytes);
                gauge!("isledb_gc_waiting_tables").set(collected.waiting as f64);
            }
        }
        _ => {}
    }
}

fn count_errors<T>(name: &'static str, result: &Result<T, &Error>) {
    counter!(name).increment(u64::from(result.is_err()));
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
