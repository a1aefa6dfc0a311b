//! What an object store must do: one function a sentence of the contract.

mod conditions;
mod deletes;
mod lists;
mod multipart;
mod races;
mod reads;

use crate::Case;

macro_rules! cases {
    ($($module:ident :: $name:ident,)*) => {
        &[$(Case { name: stringify!($name), run: |place| Box::pin($module::$name(place)) }),*]
    };
}

/// The contract of [`isledb_core::host::ObjectStore`].
pub const CASES: &[Case] = cases![
    reads::whole_object_with_its_meta_data,
    reads::missing_object_is_not_found,
    reads::ranges_are_exact,
    reads::range_beyond_the_object_is_corrupt,
    reads::ranges_come_in_the_order_asked,
    reads::latest_completed_write_is_read,
    reads::known_version_is_not_modified,
    reads::version_is_the_same_by_every_method,
    reads::empty_object,
    reads::every_byte_survives,
    reads::large_object_streams,
    conditions::if_absent_creates_once,
    conditions::if_match_replaces_only_its_version,
    conditions::if_match_on_an_absent_object_does_not_hold,
    conditions::deleted_object_is_absent_to_conditions,
    conditions::dropped_put_leaves_the_store_usable,
    races::if_absent_has_one_winner,
    races::if_match_has_one_winner,
    races::large_bodies_have_one_winner,
    races::counter_loses_nothing,
    races::readers_see_the_old_object_or_the_new_one,
    lists::nothing_is_an_empty_page,
    lists::prefix_is_a_plain_string,
    lists::order_is_bytewise,
    lists::start_after_need_not_exist,
    lists::more_than_a_page,
    lists::legal_characters_survive,
    lists::listing_follows_writes_and_deletes,
    multipart::parts_in_the_order_of_their_calls,
    multipart::nothing_is_visible_before_complete,
    multipart::one_small_part,
    multipart::complete_is_unconditional,
    multipart::aborted_upload_leaves_nothing,
    deletes::one_answer_a_key_also_for_missing_ones,
    deletes::nothing_to_delete,
    deletes::more_than_a_thousand,
];
