//! `--metrics-addr`: what happens, for Prometheus to fetch.

use std::net::SocketAddr;
use std::time::Duration;

use isledb::host::Meter;
use isledb::{Db, Metrics};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::exit::{Failure, Outcome};

/// Upper bounds of the latency buckets in seconds: Prometheus's own defaults, as the original has them.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often what is not an event is sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Serves `http://<address>/metrics` until the process ends.
pub(crate) fn serve(address: SocketAddr) -> Outcome {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot serve metrics at {address}: {why}"))
            .advise("give --metrics-addr an address of this machine and a port that is free")
    };
    let builder = PrometheusBuilder::new().with_http_listener(address);
    let builder = builder.set_buckets(&BUCKETS).map_err(|error| failed(&error))?;
    builder.install().map_err(|error| failed(&error))
}

/// Samples a database until the process ends.
pub(crate) fn sample(db: &Db, meter: Meter) {
    let db = db.clone();
    tokio::spawn(async move {
        loop {
            Metrics::sample(&meter, db.cache());
            tokio::time::sleep(SAMPLE_EVERY).await;
        }
    });
}
