//! The ticket as JSON.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::names::{check_key, check_url, refuse, shorten};
use super::range::TicketRange;
use crate::error::{Error, Result};
use crate::format::json::{self, Decode, Encode, Reader, Rules, Writer, Wrong, object};
use crate::format::layout::Layout;
use crate::format::manifest::{Current, MAX_CURRENT_BYTES};
use crate::manifest::view::DEFAULT_MAX_VIEW_AGE_MS;

/// The version of the document that this code writes, and the only one that it reads.
const VERSION: u64 = 1;

/// The longest ticket that is read, in bytes of its text.
pub const MAX_TICKET_BYTES: usize = 16 << 20;

/// Most objects of one ticket.
pub const MAX_OBJECTS: usize = 2_000;

/// The longest URL in a ticket, in bytes. Those of temporary credentials carry a token of 1 to 2 KiB.
pub const MAX_URL_BYTES: usize = 8 << 10;

/// The longest time that a ticket may be good for, in milliseconds: as long as a view may be, which is also as long as S3
/// and Google let a presigned URL live.
pub const MAX_TTL_MS: u64 = 7 * 86_400_000;

/// The latest time that JavaScript's dates can say, in Unix milliseconds.
const MAX_TIME_MS: u64 = 8_640_000_000_000_000;

/// The longest version (ETag) of CURRENT, in bytes.
const MAX_VERSION_BYTES: usize = 1024;

/// The longest prefix, in bytes.
const MAX_PREFIX_BYTES: usize = 1024;

/// One version of a database, and a URL for each of its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The prefix of the database, clean.
    pub prefix: String,
    /// When the URLs were signed, Unix milliseconds.
    pub issued_at_ms: u64,
    /// From then on nothing is read through it, Unix milliseconds. Never later than the view may be used.
    pub expires_at_ms: u64,
    /// CURRENT, as it was when the ticket was made.
    pub current: TicketCurrent,
    /// How long that version may be used, in milliseconds from `current.read_at_ms` on.
    pub max_view_age_ms: u64,
    /// The keys that it is for; everything by default.
    pub range: TicketRange,
    /// A URL for each object of the version, by its key below the prefix.
    pub objects: BTreeMap<String, String>,
    /// Where a newer version is found, for whoever wants to follow the database.
    pub follow: Option<Follow>,
}

/// CURRENT inside of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketCurrent {
    /// Its version in the store (ETag).
    pub version: String,
    /// The document, byte for byte.
    pub body: Bytes,
    /// Taken before the GET was sent, Unix milliseconds of the signer's clock.
    pub read_at_ms: u64,
    /// Last-Modified, Unix milliseconds of the store's clock, where it says.
    pub last_modified_ms: Option<u64>,
}

object!(TicketCurrent {
    version: "version" required,
    body: "body_b64" required,
    read_at_ms: "read_at_ms" required,
    last_modified_ms: "last_modified_ms" omit_empty,
});

/// Where a ticket's holder finds newer versions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Follow {
    /// A presigned URL of CURRENT, good as long as the ticket: asked with If-None-Match, it says when there is something new.
    pub current: String,
    /// The base address of a signer (`isledb serve`), which signs further objects for whoever has a token.
    pub signer: String,
}

object!(Follow { current: "current" required, signer: "signer" required });

#[derive(Default)]
struct Document {
    isledb_ticket: u64,
    prefix: String,
    issued_at_ms: u64,
    expires_at_ms: u64,
    current: TicketCurrent,
    max_view_age_ms: u64,
    range: Selected,
    objects: Objects,
    follow: Option<Follow>,
}

object!(Document {
    isledb_ticket: "isledb_ticket" required,
    prefix: "prefix" required,
    issued_at_ms: "issued_at_ms" required,
    expires_at_ms: "expires_at_ms" required,
    current: "current" required,
    max_view_age_ms: "max_view_age_ms" required,
    range: "range" omit_empty,
    objects: "objects" required,
    follow: "follow" omit_empty,
});

#[derive(Default)]
struct Selected(TicketRange);

impl Decode for Selected {
    fn decode(reader: &mut Reader<'_>) -> Result<Selected, Wrong> {
        TicketRange::decode(reader).map(Selected)
    }
}

impl Encode for Selected {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }

    fn is_empty(&self) -> bool {
        self.0.is_everything()
    }
}

#[derive(Default)]
struct Objects(BTreeMap<String, String>);

impl Decode for Objects {
    /// Refuses the object behind the last one that is allowed, before it is kept, and names that come twice.
    fn decode(reader: &mut Reader<'_>) -> Result<Objects, Wrong> {
        let mut found = BTreeMap::new();
        reader.members(&mut |reader, key| {
            let url = String::decode(reader)?;
            if found.len() == MAX_OBJECTS {
                return Err(reader.wrong(too_many()));
            }
            match found.insert(key.into_owned(), url) {
                Some(_) => Err(reader.wrong("a key that comes twice")),
                None => Ok(()),
            }
        })?;
        Ok(Objects(found))
    }
}

impl Encode for Objects {
    fn encode(&self, out: &mut Writer) {
        out.raw("{");
        self.0.iter().for_each(|(key, url)| out.field(key, url, false));
        out.raw("}");
    }
}

/// The field that tells a ticket, and its version.
#[derive(Default)]
struct Version {
    isledb_ticket: Option<u64>,
}

object!(Version { isledb_ticket: "isledb_ticket" });

impl Ticket {
    /// The names of its database. Errors: `InvalidArgument` for a prefix that no database has.
    pub fn layout(&self) -> Result<Layout> {
        Layout::new(&self.prefix)
    }

    /// `TicketExpired` from `expires_at_ms` on.
    pub fn check_time(&self, now_ms: u64) -> Result<()> {
        let expires_at_ms = self.expires_at_ms;
        if now_ms >= expires_at_ms { Err(Error::TicketExpired { expires_at_ms, now_ms }) } else { Ok(()) }
    }

    /// Everything that [`decode`] promises, but for the time.
    fn check(&self) -> Result<()> {
        if self.prefix.len() > MAX_PREFIX_BYTES {
            return Err(refuse(format!("a prefix of at most {MAX_PREFIX_BYTES} bytes"), "a longer one"));
        }
        let layout = self.layout().ok().filter(|layout| layout.prefix() == self.prefix);
        let layout = layout.ok_or_else(|| refuse("a clean prefix", shorten(&self.prefix)))?;
        self.check_times()?;
        let TicketCurrent { version, body, .. } = &self.current;
        if version.is_empty()
            || version.len() > MAX_VERSION_BYTES
            || version.contains(|c: char| c.is_ascii_control())
        {
            return Err(refuse(
                format!("a version of 1 to {MAX_VERSION_BYTES} plain bytes"),
                shorten(version),
            ));
        }
        if body.len() as u64 > MAX_CURRENT_BYTES {
            return Err(refuse(format!("a CURRENT of at most {MAX_CURRENT_BYTES} bytes"), "a longer one"));
        }
        // The state in it decides how long the version may be used, so the two have to agree.
        let current = Current::decode(&layout.current(), body)?;
        let allowed_ms = current.max_view_age_ms.unwrap_or(DEFAULT_MAX_VIEW_AGE_MS);
        if allowed_ms != self.max_view_age_ms {
            let expected = format!("max_view_age_ms {allowed_ms}, as CURRENT says");
            return Err(refuse(expected, self.max_view_age_ms.to_string()));
        }
        self.range.validate().map_err(|error| refuse("a range that has keys", error.to_string()))?;
        if self.objects.len() > MAX_OBJECTS {
            return Err(refuse(too_many(), self.objects.len().to_string()));
        }
        for (key, url) in &self.objects {
            check_key(&layout, key)?;
            check_url(url, key)?;
        }
        if let Some(Follow { current, signer }) = &self.follow {
            check_url(current, "follow.current")?;
            check_url(signer, "follow.signer")?;
        }
        Ok(())
    }

    fn check_times(&self) -> Result<()> {
        let good_until_ms = self.current.read_at_ms.saturating_add(self.max_view_age_ms);
        if self.expires_at_ms > good_until_ms {
            let expected = format!("a ticket that ends with its view, at {good_until_ms}");
            return Err(refuse(expected, format!("expires_at_ms {}", self.expires_at_ms)));
        }
        let issued_at_ms = self.issued_at_ms;
        if self.expires_at_ms > MAX_TIME_MS
            || self.expires_at_ms.saturating_sub(issued_at_ms) > MAX_TTL_MS
            || issued_at_ms > self.expires_at_ms
        {
            let found = format!("{issued_at_ms} to {}", self.expires_at_ms);
            return Err(refuse(format!("a life of at most {MAX_TTL_MS} ms"), found));
        }
        Ok(())
    }
}

/// The ticket as text, which [`decode`] reads.
///
/// Errors: `Corrupt` for what `decode` would refuse, and for a text that would be too long.
pub fn encode(ticket: &Ticket) -> Result<String> {
    ticket.check()?;
    let Ticket { prefix, issued_at_ms, expires_at_ms, current, max_view_age_ms, range, objects, follow } =
        ticket.clone();
    let document = Document {
        isledb_ticket: VERSION,
        prefix,
        issued_at_ms,
        expires_at_ms,
        current,
        max_view_age_ms,
        range: Selected(range),
        objects: Objects(objects),
        follow,
    };
    let text = json::encode_text(&document);
    check_length(&text)?;
    Ok(text)
}

/// Reads a ticket, from whoever it comes, at the time `now_ms` (Unix milliseconds).
///
/// What comes back keeps within every bound of this module, its keys name objects below its prefix, its URLs are `http` or
/// `https`, its CURRENT is one, and it ends no later than the view that it carries. Unknown fields are ignored.
///
/// Errors: `Unsupported` for another version of the document; `Corrupt` (object `ticket`, with the offset where the text stops
/// to be one); `TicketExpired`.
pub fn decode(text: &str, now_ms: u64) -> Result<Ticket> {
    check_length(text)?;
    match parse::<Version>(text)?.isledb_ticket {
        Some(VERSION) => {}
        Some(other) => {
            let what = format!("version {other} of view tickets; this one reads version {VERSION}");
            return Err(Error::Unsupported { object: "ticket".to_owned(), what });
        }
        None => return Err(refuse("a view ticket, with the field isledb_ticket", "none")),
    }
    let document: Document = parse(text)?;
    let Document { prefix, issued_at_ms, expires_at_ms, current, max_view_age_ms, range, follow, .. } =
        document;
    let (Selected(range), Objects(objects)) = (range, document.objects);
    let ticket =
        Ticket { prefix, issued_at_ms, expires_at_ms, current, max_view_age_ms, range, objects, follow };
    ticket.check()?;
    ticket.check_time(now_ms)?;
    Ok(ticket)
}

fn check_length(text: &str) -> Result<()> {
    let length = text.len();
    if length > MAX_TICKET_BYTES {
        return Err(refuse(format!("a ticket of at most {MAX_TICKET_BYTES} bytes"), length.to_string()));
    }
    Ok(())
}

fn parse<T: Decode>(text: &str) -> Result<T> {
    json::read(text.as_bytes(), Rules::Exact).map_err(|wrong| wrong.in_document("ticket", "a view ticket"))
}

fn too_many() -> String {
    format!("at most {MAX_OBJECTS} objects")
}
