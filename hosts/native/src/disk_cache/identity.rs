//! Which objects are kept, and what tells them apart.

use sha2::{Digest, Sha256};

/// An object of one store: a SHA-256 over the store's address and the object's name.
pub(super) type Identity = [u8; 32];

/// A store, as far as it tells its objects from those of other stores.
#[derive(Clone)]
pub(super) struct Address(Sha256);

impl Address {
    pub(super) fn new(address: &str) -> Address {
        let mut hash = Sha256::new();
        // What lies in the files of another version is of nobody.
        hash.update(b"isledb disk cache 1\0");
        hash.update((address.len() as u64).to_le_bytes());
        hash.update(address.as_bytes());
        Address(hash)
    }

    pub(super) fn identity(&self, key: &str) -> Identity {
        let mut hash = self.0.clone();
        hash.update(key.as_bytes());
        hash.finalize().into()
    }
}

/// True for names that are written once and never again, whatever the prefix: tables, blobs, snapshots of the manifest.
pub(super) fn is_immutable(key: &str) -> bool {
    let mut segments = key.rsplit('/');
    let name = segments.next().unwrap_or_default();
    let (folder, above) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    match name.rsplit_once('.') {
        Some((id, "sst")) => folder == "sstable" && !id.is_empty(),
        Some((id, "blob")) => above == "blobs" && is_hash(id) && id.get(..2) == Some(folder),
        Some((id, "manifest")) => above == "manifest" && folder == "snapshots" && !id.is_empty(),
        _ => false,
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use isledb_core::format::blob::BlobId;
    use isledb_core::format::layout::Layout;

    use super::*;

    #[test]
    fn only_names_that_are_written_once_are_kept() {
        for prefix in ["", "db", "a/b", "sstable", "manifest", "x.sst", "blobs/ab"] {
            let layout = Layout::new(prefix).unwrap();
            let snapshot = layout.snapshot("0ujsszwN8NRY24YaXiTIE2VWDTS");
            for kept in [layout.sst("1-2-3-4.sst"), layout.blob(&BlobId::of(b"value")), snapshot] {
                assert!(is_immutable(&kept), "{kept}");
            }
            for changes in [
                layout.current(),
                layout.log(7),
                layout.pending_marks(),
                layout.gc_checkpoint(),
                layout.gc_blobs(),
                format!("{}/manifest/probe/0ujsszwN8NRY24YaXiTIE2VWDTS", layout.prefix()),
                layout.sst_prefix(),
                layout.sst(".sst"),
                layout.snapshot_prefix(),
                format!("{}xy.blob", layout.blob_prefix()),
            ] {
                assert!(!is_immutable(&changes), "{changes}");
            }
        }
    }

    #[test]
    fn stores_do_not_mix() {
        let identity = |address: &str, key: &str| Address::new(address).identity(key);
        assert_eq!(identity("s3://a", "k"), identity("s3://a", "k"));
        assert_ne!(identity("s3://a", "k"), identity("s3://b", "k"));
        assert_ne!(identity("s3://a", "k"), identity("s3://a", "l"));
        assert_ne!(identity("s3://a", "bk"), identity("s3://ab", "k"), "the border counts");
    }
}
