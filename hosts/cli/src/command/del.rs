//! `isledb del`.

use clap::Args as Flags;
use isledb::write::WriteBatch;

use super::Context;
use crate::args::{Database, Role};
use crate::exit::Outcome;
use crate::writing;

/// Delete keys, all in one commit; keys that do not exist are deleted too
#[derive(Debug, Flags)]
#[command(after_help = "\
Examples:
  isledb del ./db user/42
  isledb del s3://bucket/db user/42 user/43")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The keys
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    role: Role,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let mut batch = WriteBatch::new();
    for key in &args.keys {
        batch.delete(&encoding.key(key)?);
    }
    let connection = context.connect(args.database.url())?;
    let Some(writer) = writing::take(context, &connection, &args.role, writing::options(context)).await?
    else {
        return writing::nothing(context, &format!("would delete {} keys", args.keys.len()));
    };
    writer.write(batch).await?;
    writing::commit(context, &writer).await
}
