//! `isledb bench`: what this store and this link give.

mod data;
mod measure;
mod phases;

use clap::Args as Flags;
use clap::builder::RangedU64ValueParser;
use isledb::format::ksuid::Ksuid;

use self::data::Data;
use self::phases::Bench;
use super::Context;
use crate::args::Database;
use crate::connection::Connection;
use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// Measure ingest, gets, scans and the change feed against this store
#[derive(Debug, Flags)]
#[command(after_help = "\
It makes a database of its own, URL/bench-<id>, says so, and removes it at the end, also after
Ctrl-C. Phases: ingest (bulk), commit (small writes, each made durable), follow (how long after a
commit the change feed shows it), get cold (each by a reader that has nothing yet), get first and get
warm (one reader; the same keys twice), get many (64 keys an operation, by a reader that has nothing
yet), scan, scan reverse, tail (the whole feed). Latencies are of one operation; round trips are the
longest chain of requests in the phase that waited for one another.

Examples:
  isledb bench ./bench-me
  isledb bench s3://bucket/scratch --count 1000000 --value-size 400 --concurrency 32
  isledb bench memory: --json | jq '{phase, per_second, p99_us}'")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// Entries to write
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = within(1, 1_000_000_000))]
    count: u64,
    /// Bytes of a key
    #[arg(long, value_name = "BYTES", default_value_t = 16, value_parser = within(8, 1024))]
    key_size: u64,
    /// Bytes of a value; half of them cannot be compressed
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = within(0, 8 << 20))]
    value_size: u64,
    /// Gets of random keys, of which `get first`, `get warm` and `get many` do as many each
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within(1, 1_000_000_000))]
    reads: u64,
    /// Gets by readers that have nothing yet
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within(1, 100_000))]
    cold: u64,
    /// Small commits, one by one
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within(1, 100_000))]
    commits: u64,
    /// Gets under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within(1, 1024))]
    concurrency: u64,
    /// Where the random numbers begin: the same seed writes and reads the same keys
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Leave the database there
    #[arg(long)]
    keep: bool,
}

fn within(least: u64, most: u64) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(least..=most)
}

/// Objects that one request deletes at most.
const DELETED_AT_ONCE: usize = 1000;

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let store = context.connect(args.database.url())?;
    let place = store.below(&format!("bench-{}", new_id(&store)))?;
    output::note(&format!(
        "measuring in {}, which {}",
        place.url(),
        if args.keep { "stays" } else { "is removed at the end" }
    ));
    let interrupt = context.interrupt.clone();
    let data = Data::new(args.seed, args.key_size as usize, args.value_size as usize);
    let bench = Bench { args: &args, place: &place, data };
    let measured = tokio::select! {
        measured = bench.run(context) => measured,
        () = interrupt.asked() => Err(Failure::new(Code::Interrupted, "interrupted", "interrupted")),
    };
    if !args.keep {
        let removed = remove(&place).await;
        if let Err(failure) = removed {
            output::note(&format!("{} could not be removed: {}", place.url(), failure.line()));
            measured?;
            return Err(failure);
        }
    }
    measured
}

fn new_id(store: &Connection) -> Ksuid {
    let host = &store.requests().host;
    let mut random = [0; 16];
    host.fill_random(&mut random);
    Ksuid::new(host.now_unix_ns(), random)
}

/// Deletes every object of the database.
async fn remove(place: &Connection) -> Outcome {
    let prefix = format!("{}/", place.layout().prefix());
    loop {
        let page = place.requests().list(&prefix, None).await?;
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        for keys in keys.chunks(DELETED_AT_ONCE) {
            place.requests().delete_unique(keys).await?;
        }
        if !page.more {
            return Ok(());
        }
    }
}
