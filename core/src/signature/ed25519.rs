//! Ed25519, as the original's fixtures have it: the signature is over the 32 bytes of the table's SHA-256.

use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::{TableSigner, TableVerifier, hex};
use crate::error::{Error, Result};
use crate::format::manifest::SstSignature;

/// The algorithm's name in a table's metadata.
pub const ED25519: &str = "ed25519";

/// Signs with one key.
pub struct Ed25519Signer {
    key: SigningKey,
    key_id: String,
}

impl Ed25519Signer {
    /// Signs with the key of this seed (the 32 private bytes). The key id is `ed25519-` and the first 16 hexadecimal
    /// digits of the public key's SHA-256: it tells keys apart and proves nothing.
    pub fn new(seed: &[u8; 32]) -> Ed25519Signer {
        let key = SigningKey::from_bytes(seed);
        let id = hex(&Sha256::digest(key.verifying_key().as_bytes()));
        Ed25519Signer { key_id: format!("{ED25519}-{}", id.get(..16).unwrap_or_default()), key }
    }

    /// The same key under another id.
    pub fn with_key_id(self, key_id: impl Into<String>) -> Ed25519Signer {
        Ed25519Signer { key_id: key_id.into(), ..self }
    }

    /// What a verifier needs: 32 bytes that need not be secret.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }
}

impl TableSigner for Ed25519Signer {
    fn sign(&self, hash: &[u8; 32]) -> Result<SstSignature> {
        Ok(SstSignature {
            algorithm: ED25519.to_owned(),
            key_id: self.key_id.clone(),
            hash: hex(hash),
            signature: Bytes::copy_from_slice(&self.key.sign(hash).to_bytes()),
        })
    }
}

/// Trusts what any of its keys signed, so that keys can be changed one after the other.
#[derive(Clone)]
pub struct Ed25519Verifier(Arc<[VerifyingKey]>);

impl Ed25519Verifier {
    /// Trusts these public keys.
    ///
    /// Errors: `InvalidArgument` for none, and for bytes that are no key (the points of small order among them, for which
    /// anybody can sign).
    pub fn new(keys: &[[u8; 32]]) -> Result<Ed25519Verifier> {
        let read = |bytes| {
            VerifyingKey::from_bytes(bytes)
                .ok()
                .filter(|key| !key.is_weak())
                .ok_or_else(|| Error::invalid(format!("{} is not an Ed25519 public key", hex(bytes))))
        };
        if keys.is_empty() {
            return Err(Error::invalid("a verifier without a key"));
        }
        Ok(Ed25519Verifier(keys.iter().map(read).collect::<Result<_>>()?))
    }
}

impl TableVerifier for Ed25519Verifier {
    fn verify(&self, hash: &[u8; 32], signature: &SstSignature) -> Result<(), String> {
        if signature.algorithm != ED25519 {
            return Err(format!("its signature is of the algorithm {:?}", signature.algorithm));
        }
        let Ok(bytes) = Signature::from_slice(&signature.signature) else {
            return Err(format!("its signature has {} bytes", signature.signature.len()));
        };
        if self.0.iter().any(|key| key.verify_strict(hash, &bytes).is_ok()) {
            return Ok(());
        }
        Err(format!("no trusted key made its signature (key id {:?})", signature.key_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_signs_its_public_key_verifies_and_no_other() {
        let (ours, theirs) = (Ed25519Signer::new(&[7; 32]), Ed25519Signer::new(&[8; 32]));
        let verifier = Ed25519Verifier::new(&[ours.public_key()]).unwrap();
        let signed = ours.sign(&[1; 32]).unwrap();
        assert!(signed.key_id.starts_with("ed25519-") && signed.key_id.len() == 24);
        verifier.verify(&[1; 32], &signed).unwrap();
        assert!(verifier.verify(&[2; 32], &signed).is_err());
        assert!(verifier.verify(&[1; 32], &theirs.sign(&[1; 32]).unwrap()).is_err());
        for at in 0..64 {
            let mut changed = signed.signature.to_vec();
            changed[at] ^= 1;
            assert!(
                verifier
                    .verify(&[1; 32], &SstSignature { signature: changed.into(), ..signed.clone() })
                    .is_err()
            );
        }
        let both = Ed25519Verifier::new(&[theirs.public_key(), ours.public_key()]).unwrap();
        both.verify(&[1; 32], &signed).unwrap();
    }

    #[test]
    fn other_algorithms_lengths_and_weak_keys_are_refused() {
        let signer = Ed25519Signer::new(&[7; 32]).with_key_id("mine");
        let verifier = Ed25519Verifier::new(&[signer.public_key()]).unwrap();
        let signed = signer.sign(&[1; 32]).unwrap();
        assert_eq!(signed.key_id, "mine");
        let rsa = SstSignature { algorithm: "rsa".into(), ..signed.clone() };
        assert!(verifier.verify(&[1; 32], &rsa).unwrap_err().contains("rsa"));
        let short = SstSignature { signature: signed.signature.slice(..63), ..signed };
        assert!(verifier.verify(&[1; 32], &short).unwrap_err().contains("63 bytes"));
        assert!(Ed25519Verifier::new(&[]).is_err());
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(Ed25519Verifier::new(&[identity]).is_err());
    }
}
