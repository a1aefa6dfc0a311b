//! Writers: claim the role, and publish flushes.

use std::sync::Arc;

use isledb_core::format::manifest::Role;
use isledb_core::manifest::Draft;

use super::side::{Outcome, Side};
use crate::actor::Script;
use crate::config::Actor;
use crate::desk::Desk;
use crate::fact::Fact;

/// What a writer does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Number of its first flush.
    pub(crate) first: u8,
    pub(crate) flushes: u8,
    /// Writes a snapshot after each flush.
    pub(crate) snapshots: bool,
}

/// A writer on the publisher itself.
pub(crate) fn writer(name: &'static str, plan: Plan) -> Actor {
    let script: Script = Box::new(move |desk, _| Box::pin(live(desk, name, plan)));
    Actor { name, script, may_crash: true, finishes: true }
}

async fn live(desk: Desk, name: &'static str, plan: Plan) {
    let Some(side) = Side::new(desk.clone()) else { return };
    let Some(mut publisher) = side.claim(name, Role::Writer).await else { return };
    side.show(publisher.view());
    for begun in desk.progress()..plan.flushes {
        desk.set_progress(begun + 1);
        desk.same_as(format_args!("writes {publisher:?}")).await;
        let flush = plan.first + begun;
        let sequence = publisher.next_sequence();
        let Some((meta, began)) = side.upload(&publisher, (flush, sequence, 0), "flush").await else {
            return;
        };
        let draft = Draft::flush(Arc::new(meta), began);
        match side.publish(&mut publisher, draft, "flush").await {
            Outcome::Committed(published) => {
                desk.tell(Fact::Acknowledged(flush));
                if publisher.view().current.next_slot() <= published.slot {
                    side.never("committed, and its view does not reach there".to_owned());
                }
                side.show(publisher.view());
            }
            Outcome::Not { fenced } => {
                desk.tell(Fact::NotCommitted(flush));
                if fenced {
                    return;
                }
            }
            Outcome::Unknown => return,
        }
        if plan.snapshots {
            desk.same_as(format_args!("snapshots {publisher:?}")).await;
            side.snapshot(&mut publisher).await;
            side.show(publisher.view());
        }
    }
}
