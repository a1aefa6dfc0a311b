//! Accounts with a constant sum: each transfer is one batch, so a view that shows a part of one shows another sum.

use std::collections::BTreeMap;

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::read::{Entry, ReaderOptions};
use isledb_core::{Db, error::Result};

use super::Plot;
use crate::oracle::Written;
use crate::rng::Rng;

/// What each account begins with.
const OPENING: u64 = 100;

/// The key of an account.
pub(super) fn account(number: u64) -> Bytes {
    Bytes::from(format!("account{number}").into_bytes())
}

/// What a writer believes of the accounts: what was committed when it took the role, and its own transfers since.
#[derive(Debug, Clone, Default)]
pub(super) struct Balances(Vec<u64>);

impl Balances {
    /// Reads them; none where the bank is not open yet.
    pub(super) async fn load(db: &Db, plot: &Plot) -> Result<Balances> {
        let reader = db.reader(ReaderOptions::default()).await?;
        let mut balances = Vec::new();
        for number in 0..plot.keys {
            let Some(balance) = reader.get(&account(number)).await? else { return Ok(Balances::default()) };
            balances.push(parse(&account(number), &balance)?);
        }
        Ok(Balances(balances))
    }

    /// The next batch, all accounts or a transfer between two, and what they are once it is accepted.
    pub(super) fn transfer(&self, rng: &mut Rng, plot: &Plot) -> (Vec<Written>, Balances) {
        let mut after = self.clone();
        let writes = after.change(rng, plot);
        (writes, after)
    }

    fn change(&mut self, rng: &mut Rng, plot: &Plot) -> Vec<Written> {
        let changed: Vec<usize> = if self.0.is_empty() {
            self.0 = vec![OPENING; plot.keys as usize];
            (0..self.0.len()).collect()
        } else {
            let (from, to) = (rng.below(plot.keys) as usize, rng.below(plot.keys) as usize);
            let amount = rng.below(self.0[from] + 1);
            self.0[from] -= amount;
            self.0[to] += amount;
            if from == to { vec![from] } else { vec![from, to] }
        };
        let put = |number: usize| Written {
            key: account(number as u64),
            value: Some(Bytes::from(self.0[number].to_string().into_bytes())),
            expires_at_ms: None,
        };
        changed.into_iter().map(put).collect()
    }
}

fn parse(key: &Bytes, balance: &[u8]) -> Result<u64> {
    let number = std::str::from_utf8(balance).ok().and_then(|text| text.parse().ok());
    let what = || format!("{key:?} has the balance {balance:?}");
    number.ok_or_else(|| Error::InvalidArgument { what: what() })
}

/// The sum of all accounts is what it was at the opening; a bank that is not open has none.
pub(super) fn is_balanced(shown: &BTreeMap<Bytes, Entry>, plot: &Plot) -> bool {
    let sum: Result<u64> = shown.values().map(|entry| parse(&entry.key, &entry.value)).sum();
    shown.is_empty() || sum.is_ok_and(|sum| sum == OPENING * plot.keys)
}
