//! `isledb sign`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Flags;
use isledb::ticket::{self, Follow, Ticket, TicketDraft, TicketRange};
use isledb::{PresignedMethod, Presigner};

use super::Context;
use crate::args::Database;
use crate::duration;
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::keys::Encoding;
use crate::output;
use crate::signer::etag_of_store;

/// Make a view ticket: one version of a database, to read without credentials
#[derive(Debug, Flags)]
#[command(after_help = "\
A ticket is a JSON document with CURRENT and a presigned URL for each object of its version. Whoever
has it reads that version until it expires, so keep it like a password. It lives at most as long as
a view may be used (`isledb stat`: view age), and has at most 2,000 objects; `isledb serve` has no
such bounds. Temporary credentials may end it sooner.

--range selects the tables that overlap: the holder can read THE OTHER KEYS of these tables too, and
the first and last key of every table.

Read it with ticket:FILE in place of a URL, with the inspector, or with the JavaScript package.

Examples:
  isledb sign s3://bucket/db --out view.json
  isledb get ticket:view.json user/42
  isledb sign s3://bucket/db --ttl 10m --range user/..user0 --out users.json
  isledb sign s3://bucket/db --follow --signer https://signer.example > view.json
  isledb dump view.json")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// How long it is good for; without it one hour, or as long as the view may be used if that is shorter
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// Only the tables that may hold keys from A up to, not including, B; either may be left out
    #[arg(long, value_name = "A..B")]
    range: Option<String>,
    /// Also name where newer versions are found: CURRENT's URL, and the signer's address
    #[arg(long, requires = "signer")]
    follow: bool,
    /// Address of the signer (`isledb serve`) that signs what newer versions have, with --follow
    #[arg(long, value_name = "URL", requires = "follow")]
    signer: Option<String>,
    /// Write it to this file, which only its owner may read, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Without `--ttl`.
const DEFAULT_TTL_MS: u64 = 3_600_000;

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let range = range(args.range.as_deref(), context.global.encoding())?;
    let signer = args.signer.map(checked_signer).transpose()?;
    let url = args.database.url();
    let connection = context.connect(url)?;
    let Some(presigner) = connection.presigner().cloned() else {
        return Err(Failure::new(
            Code::Unsupported,
            "unsupported",
            format!("{url} has no service that honours presigned URLs"),
        )
        .advise(format!(
            "`isledb serve {url}` signs URLs of its own, and any web server may serve the folder as it is"
        )));
    };
    let draft = connection.ticket_draft(&range).await?;
    let ttl_ms = ttl_ms(args.ttl, &draft)?;
    let follow = signer.map(|signer| (connection.layout().current(), signer));
    let ticket = signed(draft, &presigner, ttl_ms, follow).await?;
    let text = ticket::encode(&ticket)?;
    if !ticket.range.is_everything() {
        output::note("note: the holder can read the other keys of the selected tables too");
    }
    let Some(path) = args.out else { return Ok(context.out.line(text)?) };
    let shown = path.display().to_string();
    write_private(&path, &text).map_err(|error| Failure::file(&shown, &error))?;
    let (objects, bytes) = (ticket.objects.len() as u64, text.len() as u64);
    if context.out.is_json() {
        let line = Line::new().field("out", &shown).field("objects", objects).field("bytes", bytes);
        context.out.json(line.field("expires_at_ms", ticket.expires_at_ms))?;
    } else {
        context.out.line(format!(
            "{shown}: {}, {}, good until {}",
            output::counted(objects, "object"),
            output::size(bytes),
            duration::date_ms(ticket.expires_at_ms)
        ))?;
    }
    Ok(())
}

/// `A..B` as a range of keys.
fn range(text: Option<&str>, encoding: Encoding) -> Outcome<TicketRange> {
    let Some(text) = text else { return Ok(TicketRange::default()) };
    let wrong = || Failure::usage(format!("--range {text:?}")).advise("write it as A..B, A.. or ..B");
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    let bound = |text: &str| match text {
        "" => Ok(Default::default()),
        text => encoding.key(text).map(Into::into),
    };
    let range = TicketRange { start: bound(start)?, end: bound(end)? };
    if range.is_everything() {
        return Err(wrong());
    }
    range.validate()?;
    Ok(range)
}

fn checked_signer(address: String) -> Outcome<String> {
    if ticket::is_url(&address) {
        return Ok(address);
    }
    Err(Failure::usage(format!("--signer {address:?}")).advise("it begins with https:// or http://"))
}

/// How long the ticket is to be good for, from when CURRENT was read. Never longer than the view.
fn ttl_ms(asked: Option<Duration>, draft: &TicketDraft) -> Outcome<u64> {
    let allowed_ms = draft.max_view_age_ms().min(ticket::MAX_TTL_MS);
    let Some(asked) = asked else { return Ok(DEFAULT_TTL_MS.min(allowed_ms)) };
    let asked_ms = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
    if asked_ms <= allowed_ms {
        return Ok(asked_ms);
    }
    let left_ms = draft.good_until_ms().saturating_sub(duration::now_ms());
    Err(Failure::usage(format!(
        "--ttl {}: a view of this database may be used for {}, and {} of this one are left",
        duration::text_ms(asked_ms),
        duration::text_ms(allowed_ms),
        duration::text_ms(left_ms - left_ms % 1000),
    ))
    .advise("ask for less; a writer that is opened with a longer max_view_age allows more"))
}

/// The ticket with a URL for each of its objects. `follow`: the name of CURRENT, and the address of a signer.
async fn signed(
    draft: TicketDraft,
    presigner: &Presigner,
    ttl_ms: u64,
    follow: Option<(String, String)>,
) -> Outcome<Ticket> {
    let expires_at_ms = draft.read_at_ms().saturating_add(ttl_ms).min(draft.good_until_ms());
    let now_ms = duration::now_ms();
    // To the next second: URLs count in whole ones. It is the ticket that ends it to the millisecond.
    let left = Duration::from_secs(expires_at_ms.saturating_sub(now_ms).div_ceil(1000).max(1));
    let left = left.min(*Presigner::TTL.end());
    let urls = presigner.urls(PresignedMethod::Get, draft.keys(), left).await?;
    let follow = match follow {
        None => None,
        Some((current, signer)) => {
            let current =
                presigner.urls(PresignedMethod::Get, &[current], left).await?.pop().unwrap_or_default();
            Some(Follow { current, signer })
        }
    };
    let mut ticket = draft.ticket(now_ms.min(expires_at_ms), expires_at_ms, urls, follow)?;
    ticket.current.version = etag_of_store(&ticket.current.version).to_owned();
    Ok(ticket)
}

/// A file that appears whole, and that nobody else may read.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Such a file is readable by its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_two_keys_with_dots_between() {
        let read = |text| range(Some(text), Encoding::Utf8);
        assert_eq!(read("a..b").unwrap(), TicketRange { start: "a".into(), end: "b".into() });
        assert_eq!(read("a..").unwrap(), TicketRange { start: "a".into(), end: Default::default() });
        assert_eq!(read("..b").unwrap(), TicketRange { start: Default::default(), end: "b".into() });
        for bad in ["", "a", "..", "b..a", "a..a"] {
            assert_eq!(read(bad).unwrap_err().code, Code::Usage, "{bad}");
        }
        assert!(range(None, Encoding::Utf8).unwrap().is_everything());
    }
}
