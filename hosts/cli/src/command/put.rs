//! `isledb put`.

use std::time::Duration;

use clap::Args as Flags;

use super::Context;
use crate::args::{Database, Role};
use crate::exit::Outcome;
use crate::writing;

/// Write one key, and wait until it is committed
#[derive(Debug, Flags)]
#[command(after_help = "\
Examples:
  isledb put ./db user/42 '{\"name\": \"Ada\"}'
  isledb put s3://bucket/db photo/1 @photo.jpg --ttl 7d
  date | isledb put ./db now -")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The key: 1 to 65,527 bytes
    key: String,
    /// The value: text, @file, or - for standard input; @@ stands for one @
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// The key goes away after this time: 30s, 1h, 7d
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    ttl: Option<Duration>,
    #[command(flatten)]
    role: Role,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let key = encoding.key(&args.key)?;
    let value = encoding.value(&args.value)?;
    let connection = context.connect(args.database.url())?;
    let Some(writer) = writing::take(context, &connection, &args.role, writing::options(context)).await?
    else {
        return writing::nothing(
            context,
            &format!("would write {} bytes under {}", value.len(), encoding.show(&key)),
        );
    };
    match args.ttl {
        Some(ttl) => writer.put_with_ttl(&key, &value, ttl).await?,
        None => writer.put(&key, &value).await?,
    };
    writing::commit(context, &writer).await
}
