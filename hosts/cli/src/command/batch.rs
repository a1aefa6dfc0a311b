//! `isledb batch`.

use std::time::Duration;

use clap::Args as Flags;
use isledb::write::{MAX_BATCH_BYTES, WriteBatch, Writer};

use super::Context;
use crate::args::{Database, Role};
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::output;
use crate::rows::{Input, Operation, Operations, Taken};
use crate::writing;

/// Write and delete from a file, in order; all up to a flush become visible together
#[derive(Debug, Flags)]
#[command(after_help = "\
One JSON object a line:
  {\"op\": \"put\", \"key\": \"a\", \"value\": \"1\", \"ttl_ms\": 60000}   (key_b64, value_b64: any bytes)
  {\"op\": \"del\", \"key\": \"b\"}
  {\"op\": \"flush\"}
The end of the input is a flush too. What follows the last flush is not written where the input is
wrong or Ctrl-C is pressed. Between two flushes lie at most 64 MiB.

Examples:
  isledb batch ./db changes.ndjson
  generate | isledb batch s3://bucket/db --json")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The operations; standard input where there is no file
    #[arg(default_value = "-")]
    file: String,
    #[command(flatten)]
    role: Role,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let mut operations = Operations::start(Input::open(&args.file, &Taken::default())?);
    let connection = context.connect(args.database.url())?;
    let writer = writing::take(context, &connection, &args.role, writing::options(context)).await?;
    let interrupt = context.interrupt.clone();
    let mut batch = WriteBatch::new();
    loop {
        let operation = tokio::select! {
            operation = operations.next() => operation.transpose()?,
            () = interrupt.asked() => {
                return Err(Failure::new(Code::Interrupted, "interrupted", "interrupted")
                    .advise(format!("{} operations behind the last flush were not written", batch.len())));
            }
        };
        match operation {
            Some(Operation::Put { key, value, ttl_ms: None }) => {
                batch.put(&key, &value);
            }
            Some(Operation::Put { key, value, ttl_ms: Some(ms) }) => {
                batch.put_with_ttl(&key, &value, Duration::from_millis(ms));
            }
            Some(Operation::Delete { key }) => {
                batch.delete(&key);
            }
            Some(Operation::Flush) => flush(context, writer.as_ref(), &mut batch).await?,
            None => break,
        }
        if batch.bytes() > MAX_BATCH_BYTES {
            return Err(Failure::usage(format!(
                "more than {} between two flushes",
                output::size(MAX_BATCH_BYTES)
            ))
            .advise("put {\"op\": \"flush\"} lines in between, or use `isledb load`"));
        }
    }
    if !batch.is_empty() {
        flush(context, writer.as_ref(), &mut batch).await?;
    }
    if let Some(writer) = writer {
        writer.close().await?;
    }
    Ok(())
}

/// Commits the batch and says so. An empty one is not a commit.
async fn flush(context: &mut Context, writer: Option<&Writer>, batch: &mut WriteBatch) -> Outcome {
    let ops = batch.len();
    let Some(writer) = writer else {
        batch.clear();
        return writing::nothing(context, &format!("would commit {ops} operations"));
    };
    let sequence = if ops == 0 {
        writer.committed_sequence()
    } else {
        writer.write(std::mem::take(batch)).await?;
        writer.flush().await?
    };
    let out = &mut context.out;
    if out.is_json() {
        out.json(Line::new().field("sequence", sequence).field("ops", ops))?;
    } else {
        let sequence = out.paint(output::FAINT, &format!("sequence {sequence}"));
        out.line(format!("committed {}, {sequence}", output::counted(ops as u64, "operation")))?;
    }
    out.flush()?;
    Ok(())
}
