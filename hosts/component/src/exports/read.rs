//! The interface `read`.

use std::rc::Rc;

use bytes::Bytes;
use isledb_core::read::{Reader, ScanOptions};

use super::describe;
use super::exported;
use super::interfaces::read;
use super::opened::{Opened, reader_options};
use super::scan::{Scan, bounds};
#[cfg(not(feature = "blocking"))]
use super::stream;
use super::types::{Entry, Failure, OpenOptions, ScanOptions as WitScanOptions, Stats};

pub(super) struct Database {
    opened: Opened,
    reader: Reader,
}

impl read::Guest for super::Component {
    type Database = Rc<Database>;
    type Scan = Scan;
}

exported! {
    impl read::GuestDatabase as Rc<Database> {
        async fn open(prefix: String, options: OpenOptions) -> Result<read::Database, Failure> {
            let opened = Opened::new(&prefix, &options)?;
            let reader = opened.db.reader(reader_options(&options)).await?;
            Ok(read::Database::new(Rc::new(Database { opened, reader })))
        }

        fn exists(&self) -> bool {
            self.reader.exists()
        }

        async fn refresh(&self) -> Result<bool, Failure> {
            Ok(self.reader.refresh().await?)
        }

        async fn wait_for(&self, sequence: u64) -> Result<(), Failure> {
            Ok(self.reader.wait_for(sequence).await?)
        }

        async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, Failure> {
            Ok(self.reader.get(&key).await?.map(Vec::from))
        }

        async fn get_entry(&self, key: Vec<u8>) -> Result<Option<Entry>, Failure> {
            Ok(self.reader.get_entry(&key).await?.map(Entry::from))
        }

        #[cfg(not(feature = "blocking"))]
        async fn get_stream(&self, key: Vec<u8>) -> Result<Option<stream::Value>, Failure> {
            Ok(self.reader.get_stream(&key).await?.map(stream::value))
        }

        async fn get_many(&self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<Vec<u8>>>, Failure> {
            let keys: Vec<Bytes> = keys.into_iter().map(Bytes::from).collect();
            let values = self.reader.get_many(&keys).await?;
            Ok(values.into_iter().map(|value| value.map(Vec::from)).collect())
        }

        async fn scan(&self, options: WitScanOptions) -> Result<read::Scan, Failure> {
            let (start, end) = bounds(options.start, options.end);
            let prefix = options.prefix.map(Bytes::from);
            let options = ScanOptions { start, end, prefix, limit: options.limit, reverse: options.reverse };
            Ok(read::Scan::new(Scan::new(self.reader.scan(options).await?)))
        }

        async fn why(&self, key: Vec<u8>) -> Result<String, Failure> {
            Ok(describe::why(&self.reader.view().why(&key).await?))
        }

        fn view_info(&self) -> String {
            describe::view(&self.reader.view())
        }

        fn stats(&self) -> Stats {
            self.opened.stats()
        }
    }
}
