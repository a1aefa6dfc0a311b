//! `--cost`: what a command asked of its store.

use isledb::host::{Cost, PriceList};
use isledb::{DiskCacheCounters, Provider};

use crate::json::Line;
use crate::output;

/// List prices of who keeps the objects, for a reader in the store's own region: requests alone.
pub(crate) fn prices(provider: Provider) -> PriceList {
    provider.prices().in_region()
}

/// `{get, head, put, list, delete}` as JSON.
pub(crate) fn requests(cost: &Cost) -> String {
    Line::new()
        .field("get", cost.get)
        .field("head", cost.head)
        .field("put", cost.put)
        .field("list", cost.list)
        .field("delete", cost.delete)
        .end()
}

/// The line for programs: `{"cost": {...}}`.
pub(crate) fn json(cost: &Cost, provider: Provider, cache: Option<&DiskCacheCounters>) -> Line {
    let mut inner = Line::new()
        .raw("requests", &requests(cost))
        .field("bytes_read", cost.bytes_read)
        .field("bytes_written", cost.bytes_written)
        .field("round_trips", cost.round_trips)
        .field("usd", rounded(cost.usd(&prices(provider))));
    if let Some(cache) = cache {
        let counters = Line::new()
            .field("hits", cache.hits)
            .field("misses", cache.misses)
            .field("bytes_read", cache.read_bytes)
            .field("errors", cache.errors)
            .end();
        inner = inner.raw("disk_cache", &counters);
    }
    Line::new().raw("cost", &inner.end())
}

/// Without the noise of binary fractions: to a ten-billionth of a dollar.
fn rounded(usd: f64) -> f64 {
    (usd * 1e10).round() / 1e10
}

/// The line for people.
pub(crate) fn text(cost: &Cost, provider: Provider, cache: Option<&DiskCacheCounters>) -> String {
    let store = match provider {
        Provider::S3 => "S3",
        Provider::Gcs => "Google Cloud Storage",
        Provider::Azure => "Azure",
        Provider::Folder => "a folder",
        Provider::Memory => "memory",
        Provider::Ticket => "a ticket",
        _ => "this store",
    };
    let cache = match cache {
        Some(DiskCacheCounters { errors: 1.., .. }) => ", the disk cache stood aside".to_owned(),
        Some(cache) => format!(
            ", {} of {} chunks from the disk cache",
            output::count(cache.hits),
            output::count(cache.hits + cache.misses)
        ),
        None => String::new(),
    };
    format!(
        "cost: {}, {} read, {} written, {}, {} at the list price of {store}{cache}",
        requests_text(cost),
        output::size(cost.bytes_read),
        output::size(cost.bytes_written),
        output::counted(cost.round_trips, "round trip"),
        usd(cost.usd(&prices(provider))),
    )
}

/// `5 requests (3 get, 2 put)`.
pub(crate) fn requests_text(cost: &Cost) -> String {
    let kinds = [
        (cost.get, "get"),
        (cost.head, "head"),
        (cost.put, "put"),
        (cost.list, "list"),
        (cost.delete, "delete"),
    ];
    let named: Vec<String> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, kind)| format!("{} {kind}", output::count(*n)))
        .collect();
    match named.as_slice() {
        [] => "no requests".into(),
        named => format!("{} ({})", output::counted(cost.requests(), "request"), named.join(", ")),
    }
}

/// Dollars with as many digits as the figure needs: `$0`, `$0.000012`, `$1.23`.
pub(crate) fn usd(dollars: f64) -> String {
    match dollars {
        0.0 => "$0".into(),
        d if d < 0.01 => format!("${d:.7}").trim_end_matches('0').into(),
        d => format!("${d:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost() -> Cost {
        Cost { get: 3, put: 2, bytes_read: 2048, bytes_written: 10, round_trips: 4, ..Cost::default() }
    }

    #[test]
    fn people_and_programs_read_the_same_numbers() {
        assert_eq!(
            text(&cost(), Provider::S3, None),
            "cost: 5 requests (3 get, 2 put), 2.0 KiB read, 10 B written, 4 round trips, $0.0000112 at the list price \
             of S3"
        );
        let json: serde_json::Value = serde_json::from_str(&json(&cost(), Provider::S3, None).end()).unwrap();
        assert_eq!(json["cost"]["requests"]["get"], 3);
        assert_eq!(json["cost"]["round_trips"], 4);
        assert!((json["cost"]["usd"].as_f64().unwrap() - 0.0000112).abs() < 1e-12);
        assert!(text(&Cost::default(), Provider::Folder, None).starts_with("cost: no requests, "));
    }
}
