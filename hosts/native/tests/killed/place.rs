//! Where a run has its database, and how each process of it comes there.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use isledb::host::{Observer, RetryPolicy};
use isledb::{CloudStore, Db, DbOptions, TokioHost};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;

use crate::time::{FastHost, FastStore, Pace};

const PREFIX: &str = "some/db";
const PACE: &str = "ISLEDB_TEST_PACE";
const SEED: &str = "ISLEDB_TEST_SEED";

/// A run: everything that follows from it is the same in every process.
#[derive(Clone)]
pub(crate) struct Place {
    /// The server, as environment variables say it.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
}

impl Place {
    /// Of the process that started this one.
    pub(crate) fn inherited() -> Option<Place> {
        let pace = std::env::var(PACE).ok()?;
        let (from_ms, speed) = pace.split_once(' ').unwrap();
        let pace = Pace { from_ms: from_ms.parse().unwrap(), speed: speed.parse().unwrap() };
        let seed = std::env::var(SEED).unwrap().parse().unwrap();
        Some(Place { variables: std::env::vars().collect(), pace, seed })
    }

    /// Hands it on.
    pub(crate) fn bequeath(&self, to: &mut Command) {
        to.envs(&self.variables);
        to.env(PACE, format!("{} {}", self.pace.from_ms, self.pace.speed));
        to.env(SEED, self.seed.to_string());
    }

    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// A handle for a process whose wall clock is so far ahead.
    pub(crate) fn db(&self, ahead_ms: i64, observer: Option<Arc<dyn Observer>>) -> Db {
        let store = Arc::new(FastStore { server: Arc::new(self.server()), pace: self.pace });
        let host = Arc::new(FastHost { real: TokioHost::new(), pace: self.pace, ahead_ms });
        // Minutes of the run are fractions of a second.
        let retry = RetryPolicy {
            first_delay_ms: 2_000,
            max_delay_ms: 60_000,
            attempt_timeout_ms: 600_000,
            deadline_ms: 3_600_000,
        };
        let options = DbOptions { retry, observer, ..DbOptions::default() };
        Db::open(store, host, PREFIX, options).unwrap()
    }
}

impl Place {
    fn server(&self) -> CloudStore {
        let options = CloudStore::client_options();
        if self.variable("URL").starts_with("az:") {
            let builder = MicrosoftAzureBuilder::new()
                .with_client_options(options)
                .with_allow_http(true)
                .with_endpoint(self.variable("AZURE_STORAGE_ENDPOINT").to_owned())
                .with_container_name(isledb_test_servers::BUCKET)
                .with_account(self.variable("AZURE_STORAGE_ACCOUNT_NAME"))
                .with_access_key(self.variable("AZURE_STORAGE_ACCOUNT_KEY"));
            return CloudStore::azure(builder).unwrap();
        }
        let builder = AmazonS3Builder::new()
            .with_client_options(options)
            .with_allow_http(true)
            .with_endpoint(self.variable("AWS_ENDPOINT"))
            .with_region(self.variable("AWS_REGION"))
            .with_bucket_name(isledb_test_servers::BUCKET)
            .with_access_key_id(self.variable("AWS_ACCESS_KEY_ID"))
            .with_secret_access_key(self.variable("AWS_SECRET_ACCESS_KEY"));
        CloudStore::s3(builder).unwrap()
    }
}

/// The longest deadline that writer and maintenance take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(600);
/// How long views may be used, and how far the feed reaches back.
pub(crate) const KEPT: Duration = Duration::from_secs(45 * 60);
