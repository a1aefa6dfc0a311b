//! Drives one merge from its inputs to uploaded tables.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;

use super::below::Below;
use super::feed::InputTable;
use super::input::Input;
use super::judge::{Judge, Judged};
use super::leftovers::Leftovers;
use super::output::{Output, Traits};
use super::pace::Pace;
use super::renew::renew;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::format::manifest::SstMeta;
use crate::format::sst::Kind;
use crate::format::value::Value;
use crate::host::{Event, Moment};
use crate::maintain::options::MergeOptions;
use crate::maintain::plan::chains;
use crate::maintain::plan::merge::Job;
use crate::manifest::State;
use crate::read::direction::Direction;
use crate::read::fetch::Source;
use crate::read::merge::{At, Merge, Sorted, Step};
use crate::signature::TableSigner;
use crate::write::upload::Upload;

/// After this much input the merge hands on what it made, and lets others run: some 5 ms of work.
const YIELD_BYTES: u64 = 512 << 10;

/// So often one table is built again because its upload failed.
const MAX_TRIES: u32 = 5;

/// A delete, as every reader wants it stored.
const STORED_DELETE: &[u8] = &[2];

/// What a merge needs beside its job.
pub(in crate::maintain) struct Surroundings<'a> {
    pub(in crate::maintain) source: Source,
    pub(in crate::maintain) layout: &'a Layout,
    pub(in crate::maintain) options: &'a MergeOptions,
    /// Signs the tables that it makes.
    pub(in crate::maintain) signer: Option<&'a dyn TableSigner>,
    /// Of the tables that it makes.
    pub(in crate::maintain) epoch: u64,
    /// Store time: what expired before goes.
    pub(in crate::maintain) now_ms: u64,
}

/// A table in the store that no manifest names yet.
#[derive(Debug, Clone)]
pub(in crate::maintain) struct Uploaded {
    pub(in crate::maintain) meta: Arc<SstMeta>,
    /// Before the first request of it.
    pub(in crate::maintain) began: Moment,
}

/// What a merge made.
#[derive(Debug, Clone, Default)]
pub(in crate::maintain) struct Made {
    /// The tables, ascending.
    pub(in crate::maintain) tables: Vec<Uploaded>,
    pub(in crate::maintain) entries_read: u64,
    pub(in crate::maintain) entries_written: u64,
}

/// Merges the inputs of `job`, planned from `state`, into new tables, which lie in the store when it returns and which no
/// manifest names. What is in the store already is noted in `leftovers` at every await.
///
/// Errors: of the store; `Corrupt` and `NotFound` name the input; of the filter, by its name. The caller takes the leftovers back.
pub(in crate::maintain) async fn execute(
    around: &Surroundings<'_>,
    state: &State,
    job: &Job,
    leftovers: &mut Leftovers,
) -> Result<Made> {
    let mut work = Work::new(around, state, job, leftovers);
    let mut merge = Merge::new(open_inputs(around, state, job), Direction::Forward);
    let mut tries = 0;
    let mut backoff = around.source.requests.backoff();
    loop {
        let uploaded = work.tables.len();
        match work.run(&mut merge).await {
            Ok(()) => break,
            Err(Failure::Upload(error @ Error::Unavailable { .. })) => {
                tries = if work.tables.len() > uploaded { 1 } else { tries + 1 };
                if tries == MAX_TRIES {
                    return Err(error);
                }
                tracing::warn!(%error, "the upload of a merged table failed; it is made again");
                work.go_back(&mut merge).await;
                backoff.pause(around.source.requests.host.as_ref()).await;
            }
            Err(Failure::Upload(error) | Failure::Other(error)) => return Err(error),
        }
    }
    let Work { mut tables, counts, leftovers, .. } = work;
    renew(around, &mut tables, leftovers).await?;
    let Counts { read: entries_read, written: entries_written } = counts;
    Ok(Made { tables, entries_read, entries_written })
}

/// One input for all tables that can be read one behind the other.
fn open_inputs(around: &Surroundings<'_>, state: &State, job: &Job) -> Vec<Input> {
    let wanted: hashbrown::HashSet<&str> = job.inputs.iter().map(|sst| sst.id.as_str()).collect();
    let ranked = (0..).zip(state.tables()).filter(|(_, sst)| wanted.contains(sst.id.as_str()));
    let tables: Vec<InputTable> = ranked
        .map(|(rank, sst)| InputTable { meta: sst.clone(), name: around.layout.sst(&sst.id).into(), rank })
        .collect();
    let chains = chains(tables, |table| (&table.meta.min_key[..], &table.meta.max_key[..]));
    let read_ahead = around.options.read_ahead;
    chains.into_iter().map(|tables| Input::new(around.source.clone(), tables, read_ahead)).collect()
}

/// Why a run ended.
enum Failure {
    /// The table under way can be made again.
    Upload(Error),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Other(error)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    read: u64,
    written: u64,
}

struct Work<'a> {
    around: &'a Surroundings<'a>,
    leftovers: &'a mut Leftovers,
    below: Below,
    judge: Option<Judge>,
    pace: Pace,
    /// First keys of the tables that move, ascending: no new table may reach over one.
    walls: Vec<Bytes>,
    output: Option<Output>,
    tables: Vec<Uploaded>,
    /// What was counted when the last table was finished.
    counted: Counts,
    counts: Counts,
    /// Before the first request of the table under way.
    began: Moment,
    /// Keys and values since others could run.
    since_yield: u64,
    /// Bytes handed on since the pace was kept.
    moved_bytes: u64,
    /// Stored bytes that were read, and that have to be.
    read_bytes: u64,
    total_bytes: u64,
}

impl<'a> Work<'a> {
    fn new(around: &'a Surroundings<'a>, state: &State, job: &Job, leftovers: &'a mut Leftovers) -> Work<'a> {
        let host = around.source.requests.host.as_ref();
        let mut walls: Vec<Bytes> = job.moved.iter().map(|sst| sst.min_key.clone()).collect();
        walls.sort_unstable();
        Work {
            around,
            leftovers,
            below: Below::new(state, job),
            judge: around.options.filter.clone().map(|filter| Judge::new(filter, around.now_ms)),
            pace: Pace::new(around.options.bytes_per_second, host),
            walls,
            output: None,
            tables: Vec::new(),
            counted: Counts::default(),
            counts: Counts::default(),
            began: Moment::now(host),
            since_yield: 0,
            moved_bytes: 0,
            read_bytes: 0,
            total_bytes: job.bytes(),
        }
    }

    /// Merges to the end of the inputs.
    async fn run(&mut self, merge: &mut Merge<Input>) -> Result<(), Failure> {
        loop {
            match merge.step()? {
                Step::Load => load(merge).await?,
                Step::End => break,
                Step::Entry => {
                    let key = merge.current().map(Input::key).unwrap_or_default();
                    if self.judge.is_none() && self.must_cut(key) {
                        self.finish_table().await?;
                    }
                    if let Some(input) = merge.current() {
                        self.take(input)?;
                    }
                    if self.since_yield >= YIELD_BYTES || self.judge.as_ref().is_some_and(Judge::is_full) {
                        self.since_yield = 0;
                        self.emit_judged().await?;
                        self.hand_on(merge).await?;
                    }
                }
            }
        }
        self.emit_judged().await?;
        self.finish_table().await
    }

    /// Back to the end of the last finished table.
    async fn go_back(&mut self, merge: &mut Merge<Input>) {
        self.output = None;
        if let Some(upload) = &mut self.leftovers.upload {
            upload.abort().await;
            self.leftovers.upload = None;
        }
        let from = self
            .tables
            .last()
            .map_or_else(Bytes::new, |last| last.meta.max_key.iter().copied().chain([0]).collect());
        merge.sources_mut().iter_mut().for_each(|input| input.seek(from.clone()));
        merge.reset(Direction::Forward);
        self.below.rewind();
        if let Some(judge) = &mut self.judge {
            judge.clear();
        }
        self.counts = self.counted;
    }

    /// True where the table under way has to end before this key.
    fn must_cut(&self, key: &[u8]) -> bool {
        let Some(output) = &self.output else { return false };
        if output.is_full(self.around.options.policy.table_size) {
            return true;
        }
        let wall = self.walls.partition_point(|wall| &wall[..] < output.last_key());
        self.walls.get(wall).is_some_and(|wall| &wall[..] < key)
    }

    /// The newest version of the next key: drops it, or hands it on to the filter or to the table under way.
    fn take(&mut self, input: &Input) -> Result<()> {
        let Some(entries) = input.entries() else { return Ok(()) };
        let (key, sequence) = (entries.user_key(), entries.sequence());
        let data_time_ms = data_time_ms(&input.table().meta);
        self.counts.read += 1;
        self.since_yield += (key.len() + entries.value_slice().len()) as u64;
        let value = match entries.kind() {
            Kind::Delete => Value::Delete { expire_at_ms: None },
            Kind::Set => Value::decode(&input.table().name, None, entries.value())?,
        };
        let gone = value.is_delete() || value.expired(self.around.now_ms);
        // Asked here and not later, since keys must ascend from question to question.
        let hides = (gone || self.judge.is_some()) && self.below.may_hold(key, sequence);
        if gone && !hides {
            return Ok(());
        }
        if let Some(judge) = &mut self.judge {
            let value = if gone { Value::Delete { expire_at_ms: None } } else { value };
            judge.push(Judged { key: Bytes::copy_from_slice(key), sequence, value, data_time_ms, hides });
            return Ok(());
        }
        if gone {
            return self.add(key, sequence, STORED_DELETE, &Traits::delete(data_time_ms));
        }
        self.add(key, sequence, entries.value_slice(), &Traits::of(&value, data_time_ms))
    }

    /// Gives what waits to the filter, and what stays to the tables.
    async fn emit_judged(&mut self) -> Result<(), Failure> {
        let Some(judge) = &mut self.judge else { return Ok(()) };
        let mut stored = Vec::new();
        for Judged { key, sequence, value, data_time_ms, .. } in judge.judge()? {
            if self.must_cut(&key) {
                self.finish_table().await?;
            }
            stored.clear();
            value.encode_into(&mut stored);
            self.add(&key, sequence, &stored, &Traits::of(&value, data_time_ms))?;
        }
        Ok(())
    }

    fn add(&mut self, key: &[u8], sequence: u64, stored: &[u8], traits: &Traits) -> Result<()> {
        self.counts.written += 1;
        if self.output.is_none() {
            self.output = Some(self.begin_table());
        }
        let Some(output) = &mut self.output else { return Ok(()) };
        output.add(key, sequence, stored, traits)
    }

    fn begin_table(&mut self) -> Output {
        let Surroundings { source, layout, options, epoch, .. } = self.around;
        let (id, unix_ns) = new_id(self.around, self.tables.len());
        self.leftovers.tables.push(id.clone());
        self.leftovers.upload =
            Some(Upload::new(source.requests.clone(), layout.sst(&id), options.part_size));
        self.began = Moment::now(source.requests.host.as_ref());
        Output::new(id, *epoch, unix_ns, options)
    }

    /// Hands what is finished of the table under way to its upload, and lets others run.
    async fn hand_on(&mut self, merge: &mut Merge<Input>) -> Result<(), Failure> {
        if let (Some(output), Some(upload)) = (&mut self.output, &mut self.leftovers.upload) {
            let finished = output.take();
            self.moved_bytes += finished.len() as u64;
            upload.write(finished).await.map_err(Failure::Upload)?;
        }
        let read: u64 = merge.sources_mut().iter().map(Input::consumed).sum();
        let passed = read - self.read_bytes + std::mem::take(&mut self.moved_bytes);
        self.read_bytes = read;
        let requests = &self.around.source.requests;
        requests.observe(|| Event::MergeProgress { bytes: read.min(self.total_bytes), of: self.total_bytes });
        self.pace.pass(passed, requests.host.as_ref()).await;
        Ok(())
    }

    async fn finish_table(&mut self) -> Result<(), Failure> {
        let Some(output) = self.output.take() else { return Ok(()) };
        let finished = output.finish(self.around.options, self.around.signer, self.leftovers).await;
        let meta = Arc::new(finished.map_err(Failure::Upload)?);
        self.tables.push(Uploaded { meta, began: self.began });
        self.counted = self.counts;
        Ok(())
    }
}

/// A name that no table ever had, `<epoch>-0-0-<unix_nanos>-<number>.sst`, and the present.
///
/// Two owners may count the same epoch, and some clocks tick in milliseconds; so the digits below one are random.
pub(super) fn new_id(around: &Surroundings<'_>, tables_before: usize) -> (String, u64) {
    let host = around.source.requests.host.as_ref();
    let unix_ns = host.now_unix_ns();
    let mut random = [0; 8];
    host.fill_random(&mut random);
    let salted_ns = unix_ns - unix_ns % 1_000_000 + u64::from_ne_bytes(random) % 1_000_000;
    (format!("{}-0-0-{salted_ns}-{:04}.sst", around.epoch, tables_before + 1), unix_ns)
}

/// Loads every input that waits, all at once.
async fn load(merge: &mut Merge<Input>) -> Result<()> {
    let loads = merge
        .blocked_mut()
        .into_iter()
        .map(|(i, input)| async move { Ok::<_, Error>((i, input.load().await?)) });
    let loaded: Vec<(usize, At)> = try_join_all(loads).await?;
    loaded.into_iter().for_each(|(i, at)| merge.loaded(i, at));
    Ok(())
}

/// When the newest data of a table was written, at the latest: where the table does not say, it was before it was built.
fn data_time_ms(sst: &SstMeta) -> Option<u64> {
    sst.max_data_time.or_else(|| u64::try_from(sst.created_at.unix_ms()).ok())
}
