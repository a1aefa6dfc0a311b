//! A view ticket.

use isledb::ticket::{self, Ticket};

use crate::command::Context;
use crate::duration;
use crate::exit::{Failure, Outcome};
use crate::json::Line;
use crate::output::{self, BAD, STRONG};

/// Decodes it, which checks it, and shows it without its URLs: those are secrets. One that has expired is shown too.
pub(super) fn show(object: &str, bytes: &[u8], context: &mut Context) -> Outcome {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Failure::usage(format!("no view ticket: {error}")).at(object))?;
    let ticket = ticket::decode(text, 0)?;
    let expired = ticket.check_time(duration::now_ms()).is_err();
    if context.out.is_json() {
        json(object, &ticket, expired, context)
    } else {
        table(object, &ticket, expired, context)
    }
}

fn json(object: &str, ticket: &Ticket, expired: bool, context: &mut Context) -> Outcome {
    let names: Vec<&String> = ticket.objects.keys().collect();
    let mut line = Line::new()
        .field("object", object)
        .field("kind", "ticket")
        .field("prefix", &ticket.prefix)
        .field("issued_at_ms", ticket.issued_at_ms)
        .field("expires_at_ms", ticket.expires_at_ms)
        .field("expired", expired)
        .field("version", &ticket.current.version)
        .field("read_at_ms", ticket.current.read_at_ms)
        .field("max_view_age_ms", ticket.max_view_age_ms);
    if !ticket.range.is_everything() {
        line = line.bytes("start", &ticket.range.start).bytes("end", &ticket.range.end);
    }
    let signer = ticket.follow.as_ref().map(|follow| &follow.signer);
    Ok(context.out.json(line.field("signer", signer).field("objects", names))?)
}

fn table(object: &str, ticket: &Ticket, expired: bool, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let out = &mut context.out;
    let until = duration::date_ms(ticket.expires_at_ms);
    let mut table = output::table(&[]);
    let mut row = |name: &str, text: String| {
        table.add_row([name.to_owned(), text]);
    };
    row("prefix", ticket.prefix.clone());
    row("issued", duration::date_ms(ticket.issued_at_ms));
    row("good until", if expired { format!("{until} {}", out.paint(BAD, "expired")) } else { until });
    row("CURRENT", format!("{}, {}", ticket.current.version, output::size(ticket.current.body.len() as u64)));
    if !ticket.range.is_everything() {
        let bound = |key: &[u8]| if key.is_empty() { String::new() } else { encoding.show(key) };
        row("range", format!("{}..{}", bound(&ticket.range.start), bound(&ticket.range.end)));
    }
    if let Some(follow) = &ticket.follow {
        row("signer", follow.signer.clone());
    }
    row("objects", output::count(ticket.objects.len() as u64));
    for name in ticket.objects.keys() {
        row("", name.clone());
    }
    out.line(out.paint(STRONG, object))?;
    out.line(output::table_text(table, &[]))?;
    Ok(())
}
