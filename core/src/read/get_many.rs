//! Many keys at once.

use bytes::Bytes;
use hashbrown::HashMap;

use super::blob;
use super::pinned::Pinned;
use super::probe::{MAX_KEYS_AT_ONCE, newest_of_many};
use super::reader::{Found, MAX_NEW_VIEWS, Reader, now_ms};
use super::version::{Entry, Meaning};
use super::view::View;
use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::host::Begun;
use crate::sort::sort_indexes;

/// So many blobs of one call are fetched at once: as many requests as a scan has under way.
const MAX_BLOBS_AT_ONCE: usize = 64;

impl Reader {
    /// The live value of each of `keys`, or `None`, in their order; all of one view. Keys may come twice, which costs
    /// nothing.
    ///
    /// Cost with a cold cache: the three rounds of a single [`Reader::get`], whatever the number of keys and tables: equal
    /// blocks are fetched once, and neighbours (gaps up to 64 KiB) by one request. One more for blobs, 32 at once. A round has
    /// at most 256 requests and 32 MiB; what passes that, takes another one. More than 1,024 keys are looked for one lot after
    /// the other. The values are all in memory in the end.
    ///
    /// Errors: those of [`Reader::get`]; one fails all.
    pub async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        Ok(values(self.find_many_fresh(keys).await?))
    }

    /// Like [`Reader::get_many`], with sequence numbers and expiries.
    pub async fn get_many_entries(&self, keys: &[Bytes]) -> Result<Vec<Option<Entry>>> {
        Ok(entries(keys, self.find_many_fresh(keys).await?))
    }

    async fn find_many_fresh(&self, keys: &[Bytes]) -> Result<Vec<Option<Found>>> {
        let begun = self.requests().begin();
        let found = self.find_many_latest(keys).await;
        self.looked_up_many(begun, keys.len(), &found, self.latest().manifest.age_ms(&**self.host()));
        found
    }

    async fn find_many_latest(&self, keys: &[Bytes]) -> Result<Vec<Option<Found>>> {
        let mut pinned = self.fresh().await?;
        for _ in 0..MAX_NEW_VIEWS {
            match self.find_many(&pinned, keys).await {
                Err(error) => pinned = self.after_missing(&pinned, error).await?,
                found => return found,
            }
        }
        self.find_many(&pinned, keys).await
    }

    /// The live values of `keys` in a view.
    async fn find_many(&self, pinned: &Pinned, keys: &[Bytes]) -> Result<Vec<Option<Found>>> {
        if keys.iter().any(Bytes::is_empty) {
            return Err(Error::invalid("an empty key: keys have 1 to 65527 bytes"));
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        sort_indexes(&mut order, &|a, b| keys[a].cmp(&keys[b]));
        let same: Vec<&[usize]> = order.chunk_by(|a, b| keys[*a] == keys[*b]).collect();
        let mut all: Vec<Option<Found>> = vec![None; keys.len()];
        for lot in same.chunks(MAX_KEYS_AT_ONCE) {
            let distinct: Vec<&[u8]> = lot.iter().map(|same| &keys[same[0]][..]).collect();
            for (same, found) in lot.iter().zip(self.find_distinct(pinned, &distinct).await?) {
                for i in *same {
                    all[*i] = found.clone();
                }
            }
        }
        Ok(all)
    }

    async fn find_distinct(&self, pinned: &Pinned, keys: &[&[u8]]) -> Result<Vec<Option<Found>>> {
        let versions = newest_of_many(self.loader(), &pinned.tables, keys).await?;
        let now_ms = now_ms(&**self.host());
        let mut found: Vec<Option<Found>> = Vec::with_capacity(keys.len());
        let mut blobs: HashMap<BlobId, Vec<usize>> = HashMap::new();
        for (i, version) in versions.into_iter().enumerate() {
            found.push(match version.map(|version| (version.sequence, version.meaning(now_ms))) {
                None => None,
                Some((sequence, meaning)) => match meaning? {
                    Meaning::Nothing => None,
                    Meaning::Value { value, expires_at_ms } => Some(Found { value, sequence, expires_at_ms }),
                    Meaning::Blob { id, expires_at_ms } => {
                        blobs.entry(id).or_default().push(i);
                        Some(Found { value: Bytes::new(), sequence, expires_at_ms })
                    }
                },
            });
        }
        let mut loads = Vec::with_capacity(blobs.len());
        for (id, wanted) in &blobs {
            loads.push(self.blob_for(id, wanted));
        }
        for (value, wanted) in try_all(MAX_BLOBS_AT_ONCE, loads).await? {
            for i in wanted {
                if let Some(entry) = &mut found[*i] {
                    entry.value = value.clone();
                }
            }
        }
        Ok(found)
    }

    async fn blob_for<'a>(&self, id: &BlobId, wanted: &'a [usize]) -> Result<(Bytes, &'a [usize])> {
        Ok((blob::fetch(self.requests(), self.layout(), id).await?, wanted))
    }

    fn looked_up_many(
        &self,
        begun: Begun,
        keys: usize,
        found: &Result<Vec<Option<Found>>>,
        view_age_ms: u64,
    ) {
        for i in 0..keys {
            self.looked_up(begun, found.as_ref().map(|found| found[i].is_some()), || view_age_ms);
        }
    }
}

impl View {
    /// The live value of each of `keys`, or `None`, in their order. Cost as [`Reader::get_many`], but never a refresh.
    ///
    /// Errors: `ViewExpired`; those of [`Reader::get`].
    pub async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        Ok(values(self.find_many(keys).await?))
    }

    /// Like [`View::get_many`], with sequence numbers and expiries.
    pub async fn get_many_entries(&self, keys: &[Bytes]) -> Result<Vec<Option<Entry>>> {
        Ok(entries(keys, self.find_many(keys).await?))
    }

    async fn find_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Found>>> {
        let (reader, pinned) = self.parts();
        let begun = reader.requests().begin();
        pinned.check_age(&**reader.host())?;
        let found = match reader.find_many(pinned, keys).await {
            Ok(found) => Ok(found),
            Err(error) => Err(reader.after_missing_pinned(pinned, error).await),
        };
        reader.looked_up_many(begun, keys.len(), &found, pinned.manifest.age_ms(&**reader.host()));
        found
    }
}

fn values(found: Vec<Option<Found>>) -> Vec<Option<Bytes>> {
    found.into_iter().map(|found| found.map(|found| found.value)).collect()
}

fn entries(keys: &[Bytes], found: Vec<Option<Found>>) -> Vec<Option<Entry>> {
    let entry = |(key, found): (&Bytes, Option<Found>)| {
        let Found { value, sequence, expires_at_ms } = found?;
        Some(Entry { key: key.clone(), value, sequence, expires_at_ms })
    };
    keys.iter().zip(found).map(entry).collect()
}
