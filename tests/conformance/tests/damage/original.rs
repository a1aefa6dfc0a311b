//! Buckets of the original, damaged. Their documents carry no checksum, so a flipped byte may well give another answer; what
//! it must not give is a panic or a hang.

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::Result;
use isledb_core::write::WriterOptions;

use crate::bucket::{open, read_all, store_of};
use crate::takeover::fixtures;

/// Damaged positions of one object: the ends densely, the middle sparsely.
fn positions(length: usize) -> impl Iterator<Item = usize> {
    let step = (length / 8).max(1);
    (0..length).filter(move |at| at + 53 > length && at % 5 == 0 || at % step == 3)
}

#[test]
fn damage_gives_no_panic_and_no_hang() {
    for fixture in fixtures() {
        let keys: Vec<Bytes> = fixture.expected.keys().take(5).cloned().collect();
        for (key, body) in &fixture.objects {
            // A blob is checked by its hash: a place or two tell all.
            let few = if key.contains("/blobs/") { 8 } else { 1 };
            for at in positions(body.len()).step_by(few) {
                let mut damaged = body.to_vec();
                damaged[at] ^= [0x01, 0x80, 0x10, 0xff][at % 4];
                let mut objects = fixture.objects.clone();
                objects.insert(key.clone(), damaged.into());
                // Whatever it says, it says something.
                let _ = read_all(store_of(&objects), &fixture.prefix, &keys);
            }
            for length in positions(body.len()).step_by(few * 4) {
                let mut objects = fixture.objects.clone();
                objects.insert(key.clone(), body.slice(..length));
                let _ = read_all(store_of(&objects), &fixture.prefix, &keys);
            }
        }
    }
}

#[test]
fn writers_on_damage_give_no_panic_and_no_hang() {
    for fixture in fixtures() {
        for (key, body) in fixture.objects.iter().filter(|(key, _)| key.contains("/manifest/")) {
            for at in positions(body.len()) {
                let mut damaged = body.to_vec();
                damaged[at] ^= [0x08, 0x80, 0x01][at % 3];
                let mut objects = fixture.objects.clone();
                objects.insert(key.clone(), damaged.into());
                let store = store_of(&objects);
                let _: Result<()> = block_on(async {
                    let writer = open(store, &fixture.prefix, 3)?.writer(WriterOptions::default()).await?;
                    writer.put(b"new", b"value").await?;
                    writer.close().await
                });
            }
        }
    }
}
