//! What work on an object store costs: requests, bytes, waiting, money.

use serde::Serialize;

/// The price of some work, counted by a [`super::Meter`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Requests that read an object or a range of it, answered or not.
    pub get: u64,
    /// Requests for an object's meta data.
    pub head: u64,
    /// Requests that write: whole objects, and of an upload in parts its beginning, every part and its completion.
    pub put: u64,
    /// Pages of listings.
    pub list: u64,
    /// Requests that delete, each of up to many keys, and abandoned uploads.
    pub delete: u64,
    /// Bytes of bodies that arrived.
    pub bytes_read: u64,
    /// Bytes of bodies that were sent, whether or not the store took them.
    pub bytes_written: u64,
    /// Serial depth: the longest chain of requests of which each began after the one before it had ended. Times the
    /// store's latency, this is the least that the work can take.
    pub round_trips: u64,
}

impl Cost {
    /// All requests, of every kind.
    pub fn requests(&self) -> u64 {
        self.get + self.head + self.put + self.list + self.delete
    }

    /// What the store's owner is billed for this work, in US dollars, storage excluded.
    pub fn usd(&self, prices: &PriceList) -> f64 {
        let writes = (self.put + self.list) as f64 / 1000.0;
        let reads = (self.get + self.head) as f64 / 1000.0;
        writes * prices.usd_per_1000_writes
            + reads * prices.usd_per_1000_reads
            + self.bytes_read as f64 / 1e9 * prices.usd_per_gb_out
    }
}

/// What a store charges for requests and for bytes that leave it. Deletes are free in every list.
///
/// The constants are public list prices of the standard storage class in a large US region as of 2025, without free
/// tiers, for a reader on the internet: an order of magnitude, not a bill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceList {
    /// US dollars for 1,000 puts or list pages.
    pub usd_per_1000_writes: f64,
    /// US dollars for 1,000 gets or heads.
    pub usd_per_1000_reads: f64,
    /// US dollars for 10^9 bytes read over the internet. Within the store's own region this is usually zero.
    pub usd_per_gb_out: f64,
}

impl PriceList {
    /// Amazon S3 Standard, us-east-1.
    pub const S3: PriceList =
        PriceList { usd_per_1000_writes: 0.005, usd_per_1000_reads: 0.0004, usd_per_gb_out: 0.09 };
    /// Google Cloud Storage Standard, single region in the US.
    pub const GCS: PriceList =
        PriceList { usd_per_1000_writes: 0.005, usd_per_1000_reads: 0.0004, usd_per_gb_out: 0.12 };
    /// Azure Blob Storage, hot tier, locally redundant, East US.
    pub const AZURE: PriceList =
        PriceList { usd_per_1000_writes: 0.005, usd_per_1000_reads: 0.0004, usd_per_gb_out: 0.087 };
    /// A folder, memory, or a server of one's own.
    pub const LOCAL: PriceList =
        PriceList { usd_per_1000_writes: 0.0, usd_per_1000_reads: 0.0, usd_per_gb_out: 0.0 };

    /// The same list for a reader in the store's own region, who pays for requests alone.
    pub const fn in_region(self) -> PriceList {
        PriceList { usd_per_gb_out: 0.0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_adds_up() {
        let cost = Cost {
            get: 900,
            head: 100,
            put: 1_500,
            list: 500,
            delete: 1_000_000,
            bytes_read: 2_000_000_000,
            bytes_written: 7_000_000_000,
            round_trips: 12,
        };
        assert_eq!(cost.requests(), 1_003_000);
        let expected = 2.0 * 0.005 + 0.0004 + 2.0 * 0.09;
        assert!((cost.usd(&PriceList::S3) - expected).abs() < 1e-12);
        assert!((cost.usd(&PriceList::S3.in_region()) - (expected - 0.18)).abs() < 1e-12);
        assert_eq!(cost.usd(&PriceList::LOCAL), 0.0);
    }
}
