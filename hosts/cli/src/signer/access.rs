//! Who may ask, and how often.

use std::num::NonZeroU32;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::refusal::Refusal;
use crate::exit::{Failure, Outcome};

/// A token that can be guessed is none.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// Most tokens of one signer: each request is compared with all of them.
const MAX_TOKENS: usize = 1_000;

/// The tokens that are let in.
pub(crate) struct Access {
    tokens: Vec<Token>,
    /// All who have none share one allowance.
    strangers: DefaultDirectRateLimiter,
}

struct Token {
    /// Compared in place of the token: of equal length, and nothing is learned from where two differ.
    hash: [u8; 32],
    limiter: DefaultDirectRateLimiter,
}

impl Access {
    /// Lets in whoever has one of `tokens`, each `per_second` times a second.
    pub(crate) fn new(tokens: &[String], per_second: NonZeroU32) -> Outcome<Access> {
        let limiter = || RateLimiter::direct(Quota::per_second(per_second));
        if tokens.is_empty() || tokens.len() > MAX_TOKENS {
            return Err(Failure::usage(format!(
                "{} tokens: from 1 to {MAX_TOKENS} are possible",
                tokens.len()
            )));
        }
        for token in tokens {
            if !TOKEN_BYTES.contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Failure::usage("a token has 16 to 512 visible ASCII characters")
                    .advise("make one: openssl rand -hex 32"));
            }
        }
        let tokens = tokens.iter().map(|token| Token { hash: hash(token), limiter: limiter() }).collect();
        Ok(Access { tokens, strangers: limiter() })
    }

    /// One a line; empty lines and those that begin with `#` are left out.
    pub(crate) fn tokens_of(text: &str) -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    /// Whose request it is, as a number; 401 without a token, 429 where there were too many.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<u32, Refusal> {
        let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let presented = presented.and_then(|value| value.split_once(' '));
        let presented = presented.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let found = presented.and_then(|(_, token)| self.find(token.trim()));
        let (limiter, refused) = match found.and_then(|number| self.tokens.get(number as usize)) {
            Some(token) => (&token.limiter, None),
            None => {
                let what = "give a token: Authorization: Bearer ...";
                (&self.strangers, Some(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", what)))
            }
        };
        if limiter.check().is_err() {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "too many requests: wait a second",
            ));
        }
        match (refused, found) {
            (None, Some(number)) => Ok(number),
            (refused, _) => Err(refused.unwrap_or_else(Refusal::forbidden)),
        }
    }

    /// The number of a token. Takes as long whichever it is, and if it is none.
    fn find(&self, token: &str) -> Option<u32> {
        let (presented, mut found) = (hash(token), u32::MAX);
        for (number, token) in (0_u32..).zip(&self.tokens) {
            found.conditional_assign(&number, token.hash.ct_eq(&presented));
        }
        (found != u32::MAX).then_some(found)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef";
    const TWO: &str = "fedcba9876543210";

    fn access(per_second: u32) -> Access {
        Access::new(&[ONE.to_owned(), TWO.to_owned()], NonZeroU32::new(per_second).unwrap()).unwrap()
    }

    fn check(access: &Access, value: Option<&str>) -> Result<u32, u16> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        access.check(&headers).map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn a_token_is_known_and_nothing_near_it() {
        let access = access(1000);
        assert_eq!(check(&access, Some(&format!("Bearer {ONE}"))), Ok(0));
        assert_eq!(check(&access, Some(&format!("bearer {TWO}"))), Ok(1));
        for wrong in ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Basic 0123456789abcdef", ONE] {
            assert_eq!(check(&access, Some(wrong)), Err(401), "{wrong}");
        }
        assert_eq!(check(&access, Some(&format!("Bearer {ONE}x"))), Err(401));
        assert_eq!(check(&access, None), Err(401));
    }

    #[test]
    fn a_flood_is_stopped_for_each_token_alone_and_for_strangers_together() {
        let access = access(2);
        let (one, two) = (format!("Bearer {ONE}"), format!("Bearer {TWO}"));
        assert!((0..9).any(|_| check(&access, Some(&one)) == Err(429)));
        assert_eq!(check(&access, Some(&two)), Ok(1));
        assert!((0..9).any(|_| check(&access, None) == Err(429)));
    }

    #[test]
    fn tokens_are_long_and_few() {
        let rate = NonZeroU32::new(1).unwrap();
        for bad in [vec![], vec!["short".to_owned()], vec!["with a blank in it".to_owned()]] {
            assert!(Access::new(&bad, rate).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..1001).map(|i| format!("{i:016}")).collect();
        assert!(Access::new(&many, rate).is_err());
        assert_eq!(Access::tokens_of("# ours\n\n  abc \nd\n"), ["abc", "d"]);
    }
}
