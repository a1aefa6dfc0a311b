//! What an object store must do: one function a sentence of the contract.

mod conditions;
mod deletes;
mod lists;
mod multipart;
mod races;
mod reads;

use crate::{Case, Need};

macro_rules! cases {
    ($($module:ident :: $name:ident $(($($need:ident),+))?,)*) => {
        &[$(Case {
            name: stringify!($name),
            needs: &[$($(Need::$need),+)?],
            run: |place| Box::pin($module::$name(place)),
        }),*]
    };
}

/// The contract of [`isledb_core::host::ObjectStore`].
pub const CASES: &[Case] = cases![
    reads::whole_object_with_its_meta_data,
    reads::missing_object_is_not_found,
    reads::ranges_are_exact,
    reads::range_beyond_the_object_is_corrupt,
    reads::ranges_come_in_the_order_asked,
    reads::latest_completed_write_is_read(Delete),
    reads::known_version_is_not_modified,
    reads::version_is_the_same_by_every_method(List),
    reads::empty_object(List),
    reads::every_byte_survives,
    reads::large_object_streams,
    conditions::if_absent_creates_once,
    conditions::if_match_replaces_only_its_version,
    conditions::if_match_on_an_absent_object_does_not_hold,
    conditions::deleted_object_is_absent_to_conditions(Delete),
    conditions::dropped_put_leaves_the_store_usable,
    races::if_absent_has_one_winner,
    races::if_match_has_one_winner,
    races::large_bodies_have_one_winner,
    races::counter_loses_nothing,
    races::readers_see_the_old_object_or_the_new_one,
    lists::nothing_is_an_empty_page(List),
    lists::prefix_is_a_plain_string(List),
    lists::order_is_bytewise(List),
    lists::start_after_need_not_exist(List),
    lists::more_than_a_page(List),
    lists::legal_characters_survive(List, Delete),
    lists::listing_follows_writes_and_deletes(List, Delete),
    multipart::parts_in_the_order_of_their_calls(Multipart, List),
    multipart::nothing_is_visible_before_complete(Multipart, List),
    multipart::one_small_part(Multipart),
    multipart::complete_is_unconditional(Multipart),
    multipart::aborted_upload_leaves_nothing(Multipart, List),
    deletes::one_answer_a_key_also_for_missing_ones(Delete, List),
    deletes::nothing_to_delete(Delete),
    deletes::more_than_a_thousand(Delete, List),
];
