//! Readers: every view is a prefix of the log, and within its age all its tables are there.

use isledb_core::error::Error;
use isledb_core::manifest::ManifestView;

use super::side::{Side, is_transient};
use crate::actor::Script;
use crate::config::Actor;
use crate::desk::Desk;

/// A reader that looks `looks` times, and gets every table of each view.
pub(crate) fn reader(name: &'static str, looks: u8) -> Actor {
    of(name, looks, false)
}

/// One that uses its view for longer than it may: garbage collection must be seen to take a table from it.
pub(crate) fn careless_reader(name: &'static str) -> Actor {
    of(name, 1, true)
}

fn of(name: &'static str, looks: u8, careless: bool) -> Actor {
    let script: Script = Box::new(move |desk, _| Box::pin(live(desk, looks, careless)));
    Actor { name, script, may_crash: false, finishes: true }
}

async fn live(desk: Desk, looks: u8, careless: bool) {
    let Some(side) = Side::new(desk.clone()) else { return };
    let mut view: Option<ManifestView> = None;
    for look in 0..looks {
        let (storage, host) = (side.storage.as_ref(), side.host.as_ref());
        let read = match &view {
            Some(view) => view.refresh(storage, host).await.map(|(view, _)| view),
            None => ManifestView::load(storage, host).await,
        };
        match read {
            Ok(next) => {
                if view.as_ref().is_some_and(|view| view.current.next_seq > next.current.next_seq) {
                    side.never("a view goes back".to_owned());
                }
                side.show(&next);
                desk.same_as(format_args!("reads {look} {next:?}")).await;
                if !tables(&side, &next, careless).await {
                    return;
                }
                view = Some(next);
            }
            Err(Error::ViewExpired { .. }) => {}
            Err(error) if is_transient(&error) => {}
            Err(error) => return side.never(format!("a reader within the view age: {error}")),
        }
        desk.same_as(format_args!("looks again {look} {view:?}")).await;
    }
}

async fn tables(side: &Side, view: &ManifestView, careless: bool) -> bool {
    for table in view.state().tables() {
        let got = side.requests.get_range(&side.layout.sst(&table.id), 0..table.size).await;
        match got {
            Ok(_) => {}
            Err(Error::NotFound { object }) if careless || view.check_age(side.host.as_ref()).is_ok() => {
                side.never(format!("a reader misses {object}"));
                return false;
            }
            Err(Error::NotFound { .. }) => return true,
            Err(error) if is_transient(&error) => return true,
            Err(error) => {
                side.never(format!("a reader: {error}"));
                return false;
            }
        }
    }
    true
}
