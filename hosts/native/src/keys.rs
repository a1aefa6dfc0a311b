//! Ed25519 keys as files have them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{SigningKey, VerifyingKey};
use isledb_core::signature::{Ed25519Signer, Ed25519Verifier};
use isledb_core::{Error, Result};

/// What signs tables, from the text of a key file: PEM (`PRIVATE KEY`, as `openssl genpkey -algorithm ed25519` writes it), or
/// the 32 private bytes in base64.
///
/// Errors: `InvalidArgument` for anything else; the text is not shown.
pub fn signer(text: &str) -> Result<Ed25519Signer> {
    let seed = if is_pem(text) {
        let read = SigningKey::from_pkcs8_pem(text.trim());
        read.map(|key| key.to_bytes()).map_err(|error| wrong(&format!("a private key: {error}")))?
    } else {
        raw(text).ok_or_else(|| wrong("a private key: PEM, or 32 bytes in base64"))?
    };
    Ok(Ed25519Signer::new(&seed))
}

/// What trusts the keys of a key file: one or several, PEM (`PUBLIC KEY`, as `openssl pkey -pubout` writes it) one behind the
/// other, or 32 bytes in base64 a line.
///
/// Errors: `InvalidArgument` for anything else, for keys that anybody can sign for, and for none at all.
pub fn verifier(text: &str) -> Result<Ed25519Verifier> {
    let keys: Result<Vec<[u8; 32]>> = if is_pem(text) {
        let blocks = text.split_inclusive(PUBLIC_END).filter(|block| !block.trim().is_empty());
        let read = |block: &str| VerifyingKey::from_public_key_pem(block.trim());
        blocks
            .map(|block| {
                read(block).map(|key| key.to_bytes()).map_err(|e| wrong(&format!("a public key: {e}")))
            })
            .collect()
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(|line| raw(line).ok_or_else(|| wrong("a public key: PEM, or 32 bytes in base64"))).collect()
    };
    Ed25519Verifier::new(&keys?)
}

/// Where one PEM block of a file ends.
const PUBLIC_END: &str = "-----END PUBLIC KEY-----";

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN")
}

fn raw(text: &str) -> Option<[u8; 32]> {
    BASE64_STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

fn wrong(what: &str) -> Error {
    Error::InvalidArgument { what: format!("not {what}") }
}

#[cfg(test)]
mod tests {
    use isledb_core::signature::{TableSigner, TableVerifier};

    use super::*;

    // Made by openssl; never use them elsewhere.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn both_forms_of_a_key_are_the_same_key() {
        let raw_private = BASE64_STANDARD.encode(std::array::from_fn::<u8, 32, _>(|i| i as u8));
        let raw_public = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n";
        for private in [PRIVATE, raw_private.as_str()] {
            let signed = signer(private).unwrap().sign(&[5; 32]).unwrap();
            for public in [PUBLIC, raw_public] {
                verifier(public).unwrap().verify(&[5; 32], &signed).unwrap();
            }
        }
    }

    #[test]
    fn a_file_of_several_keys_trusts_each() {
        let other = signer(&BASE64_STANDARD.encode([9; 32])).unwrap();
        let others = BASE64_STANDARD.encode(other.public_key());
        let ours = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
        let (lines, blocks) = (format!("{ours}\n{others}\n"), format!("{PUBLIC}{PUBLIC}"));
        verifier(&lines).unwrap().verify(&[5; 32], &other.sign(&[5; 32]).unwrap()).unwrap();
        for text in [&lines, &blocks] {
            verifier(text)
                .unwrap()
                .verify(&[5; 32], &signer(PRIVATE).unwrap().sign(&[5; 32]).unwrap())
                .unwrap();
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for text in [
            "",
            "secret",
            "c2VjcmV0",
            PUBLIC,
            "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
        ] {
            let error = signer(text).err().unwrap().to_string();
            assert!(error.contains("private key") && !error.contains("secret"), "{error}");
        }
        for text in ["", "secret", "c2VjcmV0", PRIVATE] {
            let error = verifier(text).err().unwrap().to_string();
            assert!(error.contains("key") && !error.contains("secret"), "{error}");
        }
    }
}
