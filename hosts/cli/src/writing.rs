//! Taking the writer role, and ending with a commit.

use std::time::Duration;

use isledb::format::manifest::Role as ManifestRole;
use isledb::write::{Writer, WriterOptions};

use crate::args::Role;
use crate::command::Context;
use crate::connection::Connection;
use crate::exit::Outcome;
use crate::json::Line;
use crate::output::FAINT;
use crate::role;

/// What the engine takes at most: the ages that the commit protocol relies on bound a flush.
const FLUSH_DEADLINE_MAX: Duration = Duration::from_secs(600);
const PUT_DEADLINE_MAX: Duration = Duration::from_secs(86_400);

/// The options that the flags of every writing command amount to.
pub(crate) fn options(context: &Context) -> WriterOptions {
    let timeout = context.global.timeout;
    WriterOptions {
        owner: "isledb-cli".into(),
        put_deadline: timeout.min(PUT_DEADLINE_MAX),
        flush_deadline: timeout.min(FLUSH_DEADLINE_MAX),
        ..WriterOptions::default()
    }
}

/// Takes the writer role. Who holds it is said first; `--no-takeover` then refuses. `None`: a dry run.
pub(crate) async fn take(
    context: &Context,
    connection: &Connection,
    role: &Role,
    options: WriterOptions,
) -> Outcome<Option<Writer>> {
    if role.dry_run {
        role::tell(context, connection, ManifestRole::Writer).await?;
        return Ok(None);
    }
    role::take(context, connection, ManifestRole::Writer, role.no_takeover).await?;
    Ok(Some(connection.writer(role, options).await?))
}

/// Flushes, waits, and says what is committed.
pub(crate) async fn commit(context: &mut Context, writer: &Writer) -> Outcome {
    let sequence = writer.flush().await?;
    writer.close().await?;
    committed(context, sequence)
}

/// `{sequence, committed}`.
fn committed(context: &mut Context, sequence: u64) -> Outcome {
    let out = &mut context.out;
    if out.is_json() {
        out.json(Line::new().field("sequence", sequence).field("committed", true))?;
    } else {
        out.line(format!("committed {}", out.paint(FAINT, &format!("sequence {sequence}"))))?;
    }
    Ok(())
}

/// The end of a dry run.
pub(crate) fn nothing(context: &mut Context, what: &str) -> Outcome {
    let out = &mut context.out;
    if out.is_json() {
        out.json(Line::new().field("sequence", None::<u64>).field("committed", false))?;
    } else {
        out.line(format!("dry run: {what}"))?;
    }
    Ok(())
}

/// Flushes by size and by time in the background until it is dropped.
pub(crate) struct Background(tokio::task::JoinHandle<()>);

/// Keeps [`Writer::run`] going. What goes wrong there comes back from the next call of the writer.
pub(crate) fn run_in_background(writer: &Writer) -> Background {
    let writer = writer.clone();
    Background(tokio::spawn(async move {
        let _ = writer.run().await;
    }))
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
