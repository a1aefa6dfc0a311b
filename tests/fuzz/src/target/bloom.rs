//! The JSON of a bloom container, and the 16 bytes that end it.

use isledb_core::format::bloom::{BloomContainer, Sizing, container_length};

use crate::stored::name;

pub(super) fn run(input: &[u8]) -> bool {
    if let Some(trailer) = input.last_chunk::<16>()
        && let Some(length) = container_length(trailer)
    {
        assert_eq!(BloomContainer::trailer(length - 16), *trailer);
    }
    match BloomContainer::parse(&name(), input) {
        Ok(bloom) => {
            assert!(bloom.memory() < input.len() as u64);
            for i in 0..64 {
                let _ = bloom.may_contain(0x9e37_79b9_7f4a_7c15 << i);
            }
            true
        }
        Err(error) => {
            assert_eq!(error.object(), Some(&*name()), "{error}");
            false
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [(&[1, 2, 3][..], 10), (&[u64::MAX], 1), (&[7; 90], 20)]
        .map(|(hashes, bits)| BloomContainer::build(hashes, bits, Sizing::Right))
        .into()
}
