//! Taking a role from whoever holds it.

use isledb::Provider;
use isledb::format::manifest::{Current, Role};

use crate::command::Context;
use crate::connection::Connection;
use crate::duration;
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::output;

/// Says on standard error who holds `role`, before it is taken; with `keep` it is refused then.
pub(crate) async fn take(context: &Context, connection: &Connection, role: Role, keep: bool) -> Outcome {
    if connection.metering().provider() == Provider::Ticket {
        return Err(Failure::new(Code::Unsupported, "unsupported", "a view ticket is for reading")
            .at(connection.url())
            .advise("give the database's own URL"));
    }
    let current = connection.current().await?;
    let words = if keep { "the {} role belongs to" } else { "taking the {} role from" };
    announce(context, current.as_ref(), role, words);
    if keep && let Some(fence) = current.as_ref().and_then(|current| current.fence(role)) {
        let (name, owner, epoch) = (role.name(), &fence.owner, fence.epoch);
        let message = format!("the {name} role belongs to {owner} (epoch {epoch})");
        return Err(Failure::new(Code::Fenced, "fenced", message)
            .advise("nothing was written; leave out --no-takeover to take it over"));
    }
    Ok(())
}

/// Says on standard error who holds `role`, where nothing is taken.
pub(crate) async fn tell(context: &Context, connection: &Connection, role: Role) -> Outcome {
    announce(context, connection.current().await?.as_ref(), role, "the {} role belongs to");
    Ok(())
}

fn announce(context: &Context, current: Option<&Current>, role: Role, words: &str) {
    let Some(fence) = current.and_then(|current| current.fence(role)) else { return };
    let claimed_at_ms = u64::try_from(fence.claimed_at.unix_ms()).unwrap_or(0);
    if context.out.is_json() {
        let owner = Line::new()
            .field("role", role.name())
            .field("owner", &fence.owner)
            .field("epoch", fence.epoch)
            .field("claimed_at_ms", claimed_at_ms)
            .end();
        output::note_json(Line::new().raw("held_by", &owner));
    } else {
        let words = words.replace("{}", role.name());
        output::note(&format!("{words} {}, claimed {}", fence.owner, duration::date_ms(claimed_at_ms)));
    }
}
