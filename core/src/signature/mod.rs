//! Whom a reader trusts: signatures over tables, made where a table is written and checked before a byte of it is used.
//!
//! The threat: whoever can write to the bucket may replace any object at any time. A table's signature covers the SHA-256 of
//! all its bytes, and the manifest names both. Under [`SignaturePolicy::Require`] a reader reads each table whole once,
//! checks hash and signature, and keeps a digest of each 32 KiB chunk; every later read by range is checked against those. So
//! no byte is decoded that a trusted key did not sign, at whatever moment it was replaced. Blobs are named by their
//! hash in signed tables, so they are covered too.
//!
//! What is **not** covered: which tables make up the database. The manifest is not signed, so an attacker can leave tables
//! out, bring an earlier state back, say that a table holds no such key, or mix in tables that the same key signed for
//! another database. Use one key a database, and guard the rights to write `manifest/`.

#[cfg(feature = "ed25519")]
mod ed25519;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::manifest::{SstMeta, SstSignature};
use crate::maybe::{MaybeSend, MaybeSync};

#[cfg(feature = "ed25519")]
pub use ed25519::{ED25519, Ed25519Signer, Ed25519Verifier};

/// Signs tables as they are written.
pub trait TableSigner: MaybeSend + MaybeSync + 'static {
    /// The signature over the SHA-256 of a table. Called once a table, before it becomes visible; it must not block for long.
    ///
    /// Errors: whatever ends the flush; `Unavailable` has it tried again.
    fn sign(&self, hash: &[u8; 32]) -> Result<SstSignature>;
}

/// Says whether a table may be trusted.
pub trait TableVerifier: MaybeSend + MaybeSync + 'static {
    /// Whether a trusted key made `signature` over `hash`. What else the signature says (key id, algorithm) was written by
    /// whoever wrote the manifest: a hint, no more. Called once a table and opening.
    ///
    /// Errors: why not, in a few words.
    fn verify(&self, hash: &[u8; 32], signature: &SstSignature) -> Result<(), String>;
}

/// What a reader does about signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SignaturePolicy {
    /// Nothing is checked, and nothing is read for it.
    #[default]
    Off,
    /// What does not verify is told to the observer ([`Event::Untrusted`](crate::host::Event::Untrusted)), and read.
    Warn,
    /// What does not verify is not read: [`Error::Untrusted`], or `Corrupt` where the bytes are not those that were signed.
    Require,
}

/// What readers check of a table before they use it. The default checks nothing but the checksum of each block.
#[derive(Clone, Default)]
pub struct Trust {
    verifier: Option<Arc<dyn TableVerifier>>,
    policy: SignaturePolicy,
    checksums: bool,
}

impl Trust {
    /// `policy` `None`: [`SignaturePolicy::Require`] where there is a verifier, else `Off`. `checksums`: the SHA-256 of each
    /// table is compared with the one in the manifest when it is opened (against accidents: whoever writes the manifest can
    /// write that too).
    ///
    /// Errors: `InvalidArgument` for a policy that needs a verifier, without one.
    pub fn new(
        verifier: Option<Arc<dyn TableVerifier>>,
        policy: Option<SignaturePolicy>,
        checksums: bool,
    ) -> Result<Trust> {
        let default = if verifier.is_some() { SignaturePolicy::Require } else { SignaturePolicy::Off };
        let policy = policy.unwrap_or(default);
        if policy != SignaturePolicy::Off && verifier.is_none() {
            return Err(Error::invalid(format!("signatures is {policy:?}, which needs a verifier")));
        }
        Ok(Trust { verifier, policy, checksums })
    }

    /// What is done about signatures.
    pub fn policy(&self) -> SignaturePolicy {
        self.policy
    }

    /// A table has to be read whole before it is used.
    pub(crate) fn wants_whole_tables(&self) -> bool {
        self.checksums || self.checks_signatures()
    }

    /// Later reads by range have to be checked too.
    pub(crate) fn checks_signatures(&self) -> bool {
        self.policy != SignaturePolicy::Off
    }

    /// Whether the table of this hash is what the manifest says, signed by a trusted key as far as the policy asks.
    ///
    /// Errors: `Corrupt` for another hash; `Untrusted`.
    pub(crate) fn check(&self, object: &str, meta: &SstMeta, hash: &[u8; 32]) -> Result<()> {
        let found = hex(hash);
        let stated = meta.checksum.strip_prefix("sha256:");
        let required = self.checksums || !meta.checksum.is_empty();
        if required && !stated.is_some_and(|stated| stated.eq_ignore_ascii_case(&found)) {
            let expected = format!("a table with the checksum {:?}", meta.checksum);
            return Err(Error::corrupt(object, None, expected, format!("sha256:{found}")));
        }
        let Some(verifier) = self.verifier.as_deref().filter(|_| self.checks_signatures()) else {
            return Ok(());
        };
        let untrusted = |reason| Error::Untrusted { object: object.to_owned(), reason };
        let Some(signature) = &meta.signature else {
            return Err(untrusted("it is not signed".to_owned()));
        };
        if !signature.hash.is_empty() && !signature.hash.eq_ignore_ascii_case(&found) {
            return Err(untrusted(format!("its signature is over {}, it is {found}", signature.hash)));
        }
        verifier.verify(hash, signature).map_err(untrusted)
    }
}

/// As documents write hashes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust")
            .field("verifier", &self.verifier.is_some())
            .field("policy", &self.policy)
            .field("checksums", &self.checksums)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Anything;

    impl TableVerifier for Anything {
        fn verify(&self, _: &[u8; 32], _: &SstSignature) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn the_policy_is_require_where_there_is_a_verifier_and_off_without() {
        let verifier: Arc<dyn TableVerifier> = Arc::new(Anything);
        assert_eq!(Trust::new(None, None, false).unwrap().policy(), SignaturePolicy::Off);
        assert_eq!(
            Trust::new(Some(verifier.clone()), None, false).unwrap().policy(),
            SignaturePolicy::Require
        );
        let off = Trust::new(Some(verifier), Some(SignaturePolicy::Off), false).unwrap();
        assert!(!off.wants_whole_tables());
        assert!(Trust::new(None, None, true).unwrap().wants_whole_tables());
        for policy in [SignaturePolicy::Warn, SignaturePolicy::Require] {
            let refused = Trust::new(None, Some(policy), false).unwrap_err();
            assert!(matches!(&refused, Error::InvalidArgument { what } if what.contains("signatures")));
        }
    }

    #[test]
    fn a_checksum_that_is_asked_for_must_be_there() {
        let (trust, hash) = (Trust::new(None, None, true).unwrap(), [0xab; 32]);
        let meta = |checksum: String| SstMeta { checksum, ..SstMeta::default() };
        assert!(trust.check("t", &meta(format!("sha256:{}", "ab".repeat(32))), &hash).is_ok());
        assert!(trust.check("t", &meta(format!("sha256:{}", "AB".repeat(32))), &hash).is_ok());
        for wrong in [String::new(), "ab".repeat(32), format!("sha256:{}", "ac".repeat(32))] {
            let error = trust.check("t", &meta(wrong), &hash).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        }
    }
}
