//! What a table stores for a key.

use bytes::Bytes;
use isledb_core::format::blob::BlobId;
use isledb_core::format::value::{Value, blob_of};

use crate::stored::name;

pub(super) fn run(input: &[u8]) -> bool {
    let object = name();
    let blob = blob_of(&object, input);
    match Value::decode(&object, Some(9), Bytes::copy_from_slice(input)) {
        Ok(value) => {
            let id = match &value {
                Value::Blob { id, .. } => Some(*id),
                _ => None,
            };
            assert_eq!(blob, Ok(id));
            let _ = value.expired(1 << 40);
            let mut out = Vec::new();
            value.encode_into(&mut out);
            assert_eq!(Value::decode(&object, None, out.into()), Ok(value));
            true
        }
        Err(error) => {
            assert_eq!((error.object(), error.offset()), (Some(&*object), Some(9)), "{error}");
            false
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (value, id) = (Bytes::from_static(b"red"), BlobId::of(b"blobvalue"));
    let mut seeds = Vec::new();
    for expire_at_ms in [None, Some(1_700_000_000_123)] {
        for value in [
            Value::Inline { value: value.clone(), expire_at_ms },
            Value::Blob { id, expire_at_ms },
            Value::Delete { expire_at_ms },
        ] {
            let mut out = Vec::new();
            value.encode_into(&mut out);
            seeds.push(out);
        }
    }
    seeds
}
