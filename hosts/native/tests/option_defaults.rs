//! Every option of this host has a default that is named here; see the test of the same name in the engine.

use isledb::{DiskCacheOptions, StoreOptions};

#[test]
fn of_a_store() {
    let StoreOptions { endpoint, region, path_style, allow_http, signer_token, disk_cache } =
        StoreOptions::default();
    assert_eq!((endpoint, region, path_style, allow_http, signer_token), (None, None, None, false, None));
    assert!(disk_cache.is_none());
    let DiskCacheOptions { directory, max_bytes, chunk_bytes } = DiskCacheOptions::new("somewhere");
    assert_eq!((directory.to_str(), max_bytes, chunk_bytes), (Some("somewhere"), 1 << 30, 64 << 10));
}
