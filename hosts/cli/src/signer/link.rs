//! Presigned URLs of our own, for stores that have none: good for one method on one object until a time.

use hmac::{Hmac, KeyInit, Mac};
use isledb::PresignedMethod;
use isledb::host::Host;
use sha2::Sha256;

/// Makes and checks links. The secret dies with the process, and all links with it.
pub(crate) struct Links {
    mac: Hmac<Sha256>,
}

impl Links {
    /// With a secret that nobody knows.
    pub(crate) fn new(host: &dyn Host) -> Links {
        // As long as a block of the hash.
        let mut secret = [0; 64];
        host.fill_random(&mut secret);
        let mac = Hmac::new(&secret.into());
        Links { mac }
    }

    /// `/o/<database>/<key>?method=GET&expires=<ms>&signature=<hex>`.
    pub(super) fn make(
        &self,
        method: PresignedMethod,
        database: usize,
        key: &str,
        expires_at_ms: u64,
    ) -> String {
        let word = word(method);
        let signature = hex::encode(self.signed(word, database, key, expires_at_ms).finalize().into_bytes());
        let path = escaped(key);
        format!("/o/{database}/{path}?method={word}&expires={expires_at_ms}&signature={signature}")
    }

    /// True where the signature is ours for exactly this, and its time has not come.
    pub(super) fn check(
        &self,
        method: &str,
        database: usize,
        key: &str,
        expires_at_ms: u64,
        signature: &str,
        now_ms: u64,
    ) -> bool {
        let Ok(signature) = hex::decode(signature) else { return false };
        let signed = self.signed(method, database, key, expires_at_ms);
        signed.verify_slice(&signature).is_ok() && now_ms < expires_at_ms
    }

    fn signed(&self, method: &str, database: usize, key: &str, expires_at_ms: u64) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        // The key comes last, so nothing in it can pass for another field.
        mac.update(format!("{method}\n{database}\n{expires_at_ms}\n{key}").as_bytes());
        mac
    }
}

fn word(method: PresignedMethod) -> &'static str {
    match method {
        PresignedMethod::Get => "GET",
        PresignedMethod::Put => "PUT",
    }
}

/// A key as a path: everything but letters, digits, `-`, `.`, `_`, `~` and `/` is escaped.
pub(crate) fn escaped(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(byte as char)
            }
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_what_it_says_and_nothing_else() {
        let links = Links::new(&isledb::TokioHost::new());
        let link = links.make(PresignedMethod::Get, 0, "db/sstable/a b.sst", 1000);
        assert!(link.starts_with("/o/0/db/sstable/a%20b.sst?method=GET&expires=1000&signature="), "{link}");
        let signature = link.rsplit('=').next().unwrap();
        let check = |method, database, key, expires, signature: &str, now| {
            links.check(method, database, key, expires, signature, now)
        };
        let key = "db/sstable/a b.sst";
        assert!(check("GET", 0, key, 1000, signature, 999));
        assert!(!check("GET", 0, key, 1000, signature, 1000), "its time has come");
        assert!(!check("PUT", 0, key, 1000, signature, 999));
        assert!(!check("GET", 1, key, 1000, signature, 999));
        assert!(!check("GET", 0, "db/sstable/b.sst", 1000, signature, 999));
        assert!(!check("GET", 0, key, 2000, signature, 999));
        for bad in ["", "00", "zz", &signature[..62], &format!("{signature}00")] {
            assert!(!check("GET", 0, key, 1000, bad, 999), "{bad}");
        }
        let others = Links::new(&isledb::TokioHost::new());
        assert!(!others.check("GET", 0, key, 1000, signature, 999));
    }
}
