//! What a database must do, on every store and every host.

mod feed;
mod history;
mod model;
mod neighbours;
mod reads;
mod roles;

use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions};

use crate::{Case, Need, Place};

macro_rules! cases {
    ($($module:ident :: $name:ident $(($($need:ident),+))?,)*) => {
        &[$(Case {
            name: stringify!($name),
            needs: &[$($(Need::$need),+)?],
            run: |place| Box::pin($module::$name(place)),
        }),*]
    };
}

/// The database, from the outside.
pub const CASES: &[Case] = cases![
    reads::prefix_without_a_database_opens_empty(List),
    reads::what_is_flushed_is_read,
    reads::reader_sees_a_flush_after_refresh,
    reads::scans_are_bounded_and_seek,
    reads::expired_values_are_gone,
    reads::large_values_and_large_tables(List),
    history::reopening_goes_on,
    history::many_flushes_and_a_snapshot,
    history::copy_under_another_prefix_goes_on(List),
    roles::takeover_fences_the_older_writer,
    roles::taking_turns_loses_nothing,
    roles::contenders_lose_nothing_that_was_acknowledged,
    feed::every_change_once_in_commit_order,
    feed::cursor_goes_on_where_it_stood,
    feed::bootstrap_then_changes,
    neighbours::databases_of_one_store_never_touch_each_other,
    neighbours::prefixes_of_odd_letters_hold_databases,
];

impl Place {
    /// A handle on the database at this place, as another process has it: nothing is shared with other handles.
    fn db(&self) -> Db {
        let db = Db::open(self.store.clone(), self.host.clone(), &self.prefix, DbOptions::default());
        db.unwrap_or_else(|error| panic!("open {}: {error}", self.prefix))
    }
}

/// Small memtables and blobs, and no flush but by call: so that few rows show much.
fn options() -> WriterOptions {
    WriterOptions {
        memtable_size: 64 << 10,
        blob_threshold: 2_000,
        flush_interval: std::time::Duration::ZERO,
        ..WriterOptions::default()
    }
}
