//! What must never happen, judged from the bucket alone, on plain JSON values and with the simulation's replay: nothing of
//! the engine is used. Every judgement is a function of CURRENT and of what the slots were decided to be, and is made once.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;
use isledb_core::format::blob::BlobId;
use isledb_simulation::replay::{self, PlainState};
use serde_json::Value;
use xxhash_rust::xxh64::xxh64;

use crate::bucket::Effect;
use crate::fact::Fact;
use crate::names::{BLOB, Kind, Names};
use crate::state::State;

/// A violation, in words.
pub(crate) type Violation = String;

/// A flush that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flush {
    slot: u64,
    number: u8,
    sequences: (u64, u64),
    key: Vec<u8>,
    table: String,
}

/// What the decided slots below some `next_seq` add up to.
#[derive(Debug, Clone, Default)]
struct Truth {
    tables: Vec<String>,
    flushes: Vec<Flush>,
    /// One bit for each flush that was ever committed.
    committed: u32,
    claims: [(u64, String); 2],
    /// Tables that refer to the one blob.
    with_blob: Vec<String>,
    wrong: Option<Violation>,
}

/// What CURRENT says.
#[derive(Debug, Clone, Default)]
struct Current {
    next_seq: u64,
    /// Numbers that only grow, with their names.
    growing: [(&'static str, u64); 5],
}

/// What a state with this CURRENT and these decided slots needs, and whether it is right.
struct Judgement {
    wrong: Option<Violation>,
    /// Names that must be there, log entries with their content.
    needs: Vec<(u32, Option<u32>)>,
    committed: u32,
}

/// By whose rules the actors work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Ours,
    /// The original's: only what it promises to its users is asked of it.
    Original,
    /// The same, and sequence numbers are looked at of acknowledged flushes alone.
    OriginalAcknowledged,
}

#[derive(Default)]
pub(crate) struct Watch {
    protocol: Protocol,
    parsed: HashMap<u32, Arc<Value>>,
    currents: HashMap<u32, Current>,
    truths: HashMap<u64, Arc<Truth>>,
    judged: HashMap<u64, Arc<Judgement>>,
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn ids(state: &PlainState) -> Vec<String> {
    state.tables().map(|table| table.id.clone()).collect()
}

const FENCES: [&str; 2] = ["writer_fence", "compactor_fence"];
const GROWING: [&str; 5] = ["next_seq", "log_seq_start", "feed_floor_seq", "next_sequence", "next_epoch"];

fn hash(numbers: impl IntoIterator<Item = u32>) -> u64 {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
    xxh64(&bytes, 7)
}

impl Watch {
    pub(crate) fn new(protocol: Protocol) -> Watch {
        Watch { protocol, ..Watch::default() }
    }

    fn parse(&mut self, names: &Names, content: u32) -> Arc<Value> {
        let parsed = self.parsed.entry(content);
        let parse = || Arc::new(serde_json::from_slice(&names.content_of(content).bytes).unwrap_or_default());
        parsed.or_insert_with(parse).clone()
    }

    fn current(&mut self, names: &Names, content: u32) -> Current {
        if let Some(current) = self.currents.get(&content) {
            return current.clone();
        }
        let value = self.parse(names, content);
        let growing = GROWING.map(|name| (name, number(&value, name)));
        let current = Current { next_seq: number(&value, "next_seq").max(1), growing };
        self.currents.insert(content, current.clone());
        current
    }

    /// Judges a state after a write had `effect`.
    pub(crate) fn after(
        &mut self,
        names: &mut Names,
        state: &State,
        effect: Effect,
    ) -> Result<(), Violation> {
        if effect.overwrote_slot {
            return Err("a slot was written twice".to_owned());
        }
        let key = names.key(&names.layout.current());
        let current = state.object(key).map(|object| object.content);
        if let (Some(Some(before)), Some(now)) = (effect.current_was, current)
            && self.protocol == Protocol::Ours
        {
            let (before, now) = (self.current(names, before), self.current(names, now));
            for ((name, was), (_, is)) in before.growing.into_iter().zip(now.growing) {
                if is < was {
                    return Err(format!("CURRENT goes back: {name} from {was} to {is}"));
                }
            }
        }
        self.state(names, state, current)
    }

    fn state(&mut self, names: &mut Names, state: &State, current: Option<u32>) -> Result<(), Violation> {
        let Some(current) = current else {
            let beyond = state.decided.iter().skip(2).any(|content| *content != 0);
            return if beyond {
                Err("a slot beyond the first was decided without CURRENT".to_owned())
            } else {
                Ok(())
            };
        };
        let judgement = self.judge(names, state, current);
        if let Some(wrong) = &judgement.wrong {
            return Err(wrong.clone());
        }
        for (key, content) in &judgement.needs {
            let name = || &names.key_of(*key).name;
            match (state.object(*key), content) {
                (None, _) => return Err(format!("CURRENT's view names {}, which does not exist", name())),
                (Some(object), Some(content)) if object.content != *content => {
                    return Err(format!("{} is not what was decided", name()));
                }
                _ => {}
            }
        }
        self.told(state, judgement.committed)
    }

    fn told(&self, state: &State, committed: u32) -> Result<(), Violation> {
        let missing = state.acknowledged & !committed;
        if missing != 0 {
            return Err(format!("an acknowledged flush is missing: {}", missing.trailing_zeros()));
        }
        let taken_back = state.not_committed & committed;
        if taken_back != 0 {
            let flush = taken_back.trailing_zeros();
            return Err(format!("a flush that was reported as not committed is visible: {flush}"));
        }
        Ok(())
    }

    fn judge(&mut self, names: &mut Names, state: &State, current: u32) -> Arc<Judgement> {
        let mut found = hash(std::iter::once(current).chain(state.decided.iter().copied()));
        if self.protocol != Protocol::Ours {
            // There what the log objects are now decides.
            let log = state.objects.iter().filter(|o| matches!(names.key_of(o.key).kind, Kind::Log(_)));
            found ^= hash(log.flat_map(|object| [object.key, object.content]).chain([state.acknowledged]));
        }
        if let Some(judgement) = self.judged.get(&found) {
            return judgement.clone();
        }
        let judgement = Arc::new(match self.try_judge(names, state, current) {
            Ok(judgement) => judgement,
            Err(wrong) => Judgement { wrong: Some(wrong), needs: Vec::new(), committed: 0 },
        });
        self.judged.insert(found, judgement.clone());
        judgement
    }

    fn try_judge(&mut self, names: &mut Names, state: &State, current: u32) -> Result<Judgement, Violation> {
        let document = self.parse(names, current);
        let next_seq = number(&document, "next_seq").max(1);
        let start = number(&document, "log_seq_start");
        let mut needs = Vec::new();
        for slot in start..number(&document, "next_seq") {
            let content = state.decided.get(slot as usize).copied().filter(|content| *content != 0);
            let content = content.ok_or_else(|| format!("CURRENT covers slot {slot}, which is open"))?;
            let key = names.key(&names.layout.log(slot));
            needs.push((key, Some(content)));
        }
        let snapshot = text(&document, "snapshot").to_owned();
        let mut snapshot_value = None;
        if !snapshot.is_empty() {
            let key = names.key(&snapshot);
            needs.push((key, None));
            let content = state.object(key).map(|object| object.content);
            snapshot_value = content.map(|content| self.parse(names, content));
        }
        let log: HashMap<u64, Arc<Value>> = (start..number(&document, "next_seq"))
            .map(|slot| (slot, self.parse(names, state.decided[slot as usize])))
            .collect();
        let replayed = replay::full(
            &document,
            |_| snapshot_value.as_deref().map(PlainState::of_snapshot),
            |slot| log.get(&slot).map(Arc::as_ref),
        )
        .map_err(|missing| format!("CURRENT's view names {missing}, which does not exist"))?;
        for table in replayed.tables() {
            let key = names.key(&names.layout.sst(&table.id));
            needs.push((key, None));
        }
        if self.protocol != Protocol::Ours {
            let committed = self.visible_in_original(state, &replayed, &log)?;
            return Ok(Judgement { wrong: None, needs, committed });
        }
        let truth = self.truth(names, &state.decided, next_seq);
        if let Some(wrong) = &truth.wrong {
            return Err(wrong.clone());
        }
        if ids(&replayed) != truth.tables {
            let (shown, decided) = (ids(&replayed), &truth.tables);
            return Err(format!("the original's replay shows {shown:?}, the decided slots say {decided:?}"));
        }
        if let Some(beyond) =
            state.decided.iter().skip(next_seq as usize + 1).position(|content| *content != 0)
        {
            let slot = next_seq as usize + 1 + beyond;
            return Err(format!("slot {slot} was decided before slot {next_seq} was covered"));
        }
        self.fast_paths(names, state, &document, &truth)?;
        if replayed.tables().any(|table| truth.with_blob.contains(&table.id)) {
            let blob = names.layout.blob(&BlobId::of(BLOB));
            needs.push((names.key(&blob), None));
        }
        Ok(Judgement { wrong: None, needs, committed: truth.committed })
    }

    fn fast_paths(
        &self,
        names: &Names,
        state: &State,
        document: &Value,
        truth: &Truth,
    ) -> Result<(), Violation> {
        for (role, field) in FENCES.into_iter().enumerate() {
            let fence = document.get(field).filter(|fence| !fence.is_null());
            let shown =
                fence.map_or((0, String::new()), |f| (number(f, "epoch"), text(f, "owner").to_owned()));
            if shown != truth.claims[role] {
                let claim = &truth.claims[role];
                return Err(format!("{field} is {shown:?}, the last claim in the log is {claim:?}"));
            }
        }
        if let Some(next) = document.get("next_sequence").and_then(Value::as_u64) {
            let highest = truth.flushes.iter().map(|flush| flush.sequences.1).max().unwrap_or(0);
            if next != highest + 1 {
                return Err(format!("next_sequence is {next}, the highest committed one is {highest}"));
            }
        }
        let bytes = &names.content_of(state.object_content(names)).bytes;
        let decoded = isledb_core::format::manifest::Current::decode("CURRENT", bytes);
        for entry in decoded.map_err(|error| error.to_string())?.inline_log {
            let decided = state.decided.get(entry.seq as usize).copied().unwrap_or(0);
            if names.content_of(decided).bytes != entry.bytes {
                return Err(format!("inline_log differs from slot {}", entry.seq));
            }
        }
        Ok(())
    }

    /// All decided slots below `next_seq`, applied in order.
    fn truth(&mut self, names: &Names, decided: &[u32], next_seq: u64) -> Arc<Truth> {
        let slots = &decided[..decided.len().min(next_seq as usize)];
        let found = hash(slots.iter().copied());
        if let Some(truth) = self.truths.get(&found) {
            return truth.clone();
        }
        let entries: Vec<(u64, Arc<Value>)> = slots
            .iter()
            .enumerate()
            .filter(|(_, content)| **content != 0)
            .map(|(slot, content)| (slot as u64, self.parse(names, *content)))
            .collect();
        let truth = Arc::new(truth_of(&entries));
        self.truths.insert(found, truth.clone());
        truth
    }

    /// The flushes that the original's replay shows: one bit each. Errors: their sequence numbers do not rise.
    fn visible_in_original(
        &self,
        state: &State,
        replayed: &PlainState,
        log: &HashMap<u64, Arc<Value>>,
    ) -> Result<u32, Violation> {
        let mut flushes: Vec<Flush> = log.iter().filter_map(|(slot, entry)| flush_of(*slot, entry)).collect();
        flushes.sort_by_key(|flush| flush.slot);
        let all = self.protocol == Protocol::Original;
        let counts = |flush: &Flush| all || state.acknowledged >> flush.number & 1 == 1;
        let visible =
            |flush: &&Flush| counts(flush) && replayed.tables().any(|table| table.id == flush.table);
        let mut last: Option<&Flush> = None;
        for flush in flushes.iter().filter(visible) {
            if let Some(last) = last.filter(|last| last.sequences.1 >= flush.sequences.0) {
                let (a, b) = (last.sequences.1, flush.sequences.0);
                return Err(format!("sequence numbers go backwards: {b} is committed after {a}"));
            }
            last = Some(flush);
        }
        // A snapshot has the tables without their slots.
        let numbers = replayed.tables().filter_map(|table| flush_number(&table.keys.0));
        Ok(numbers.map(|number| 1 << number).sum())
    }

    /// Checks what an actor was told.
    pub(crate) fn fact(&mut self, names: &mut Names, state: &State, fact: &Fact) -> Result<(), Violation> {
        match fact {
            Fact::Never(what) => Err(what.clone()),
            Fact::Acknowledged(_) | Fact::NotCommitted(_) => {
                let key = names.key(&names.layout.current());
                let current = state.object(key).map(|object| object.content);
                self.state(names, state, current)
            }
            Fact::View { next_seq, tables } => {
                if self.protocol != Protocol::Ours {
                    return Ok(());
                }
                let truth = self.truth(names, &state.decided, *next_seq);
                if truth.tables == *tables {
                    return Ok(());
                }
                let decided = &truth.tables;
                Err(format!("a view at {next_seq} shows {tables:?}, the decided slots say {decided:?}"))
            }
            Fact::Change { from, place, sequence, key } => {
                let truth = self.covered(names, state);
                match truth.flushes.iter().filter(|flush| flush.slot >= *from).nth(*place) {
                    Some(flush) if flush.sequences == (*sequence, *sequence) && flush.key == *key => Ok(()),
                    expected => {
                        let key = String::from_utf8_lossy(key);
                        Err(format!(
                            "change {place} of the feed is {sequence} {key:?}, committed was {expected:?}"
                        ))
                    }
                }
            }
            Fact::FeedEnds { from, changes, slot } => {
                let truth = self.covered(names, state);
                let committed =
                    truth.flushes.iter().filter(|flush| (*from..*slot).contains(&flush.slot)).count();
                if committed == *changes {
                    return Ok(());
                }
                Err(format!(
                    "the feed ends at slot {slot} after {changes} changes, {committed} were committed"
                ))
            }
            Fact::CursorExpired { slot } => {
                let key = names.key(&names.layout.current());
                let current = state.object(key).map_or(0, |object| object.content);
                let floor = number(&self.parse(names, current), "feed_floor_seq");
                if *slot < floor {
                    return Ok(());
                }
                Err(format!("a cursor at slot {slot} has expired, the floor is {floor}"))
            }
        }
    }

    fn covered(&mut self, names: &mut Names, state: &State) -> Arc<Truth> {
        let key = names.key(&names.layout.current());
        let next_seq = match state.object(key).map(|object| object.content) {
            Some(content) => self.current(names, content).next_seq,
            None => 1,
        };
        self.truth(names, &state.decided, next_seq)
    }
}

impl State {
    /// The content of CURRENT; "none" where there is none.
    fn object_content(&self, names: &Names) -> u32 {
        let current = self.objects.iter().find(|object| names.key_of(object.key).kind == Kind::Current);
        current.map_or(0, |object| object.content)
    }
}

/// The flush of a key, which is one letter.
fn flush_number(key: &[u8]) -> Option<u8> {
    match key {
        [letter] => letter.checked_sub(b'a').filter(|number| *number < 32),
        _ => None,
    }
}

fn flush_of(slot: u64, entry: &Value) -> Option<Flush> {
    if text(entry, "op") != "add_sstable" {
        return None;
    }
    let table = entry.get("sstable")?;
    let key = STANDARD.decode(text(table, "MinKey")).ok()?;
    Some(Flush {
        slot,
        number: flush_number(&key)?,
        sequences: (number(table, "SeqLo"), number(table, "SeqHi")),
        key,
        table: text(table, "ID").to_owned(),
    })
}

fn truth_of(entries: &[(u64, Arc<Value>)]) -> Truth {
    let mut truth = Truth::default();
    let mut state = PlainState { next_epoch: 1, ..PlainState::default() };
    let mut active = [0; 2];
    for (slot, entry) in entries {
        let (role, epoch) = (replay::role(entry), replay::epoch(entry));
        let claimed = truth.claims[role].0;
        if replay::is_claim(entry) {
            if epoch <= claimed {
                truth.wrong = Some(format!("slot {slot} claims epoch {epoch} after {claimed}"));
            }
            let owner = entry.get("fence_claim").map_or("", |claim| text(claim, "owner"));
            truth.claims[role] = (epoch, owner.to_owned());
        } else if epoch != claimed {
            truth.wrong =
                Some(format!("two owners commit: slot {slot} has epoch {epoch}, claimed was {claimed}"));
        }
        for removed in removed(entry) {
            if !state.tables().any(|table| table.id == removed) {
                truth.wrong = Some(format!("slot {slot} removes {removed}, which was gone"));
            }
        }
        if let Some(flush) = flush_of(*slot, entry) {
            let last = truth.flushes.last().map_or(0, |last| last.sequences.1);
            if truth.committed >> flush.number & 1 == 1 {
                truth.wrong = Some(format!("flush {} is visible twice", flush.number));
            } else if flush.sequences.0 <= last {
                let first = flush.sequences.0;
                truth.wrong =
                    Some(format!("sequence numbers go backwards: {first} is committed after {last}"));
            }
            if entry.get("sstable").and_then(|table| table.get("HasBlobRefs")) == Some(&Value::Bool(true)) {
                truth.with_blob.push(flush.table.clone());
            }
            truth.committed |= 1 << flush.number;
            truth.flushes.push(flush);
        }
        replay::apply_all(&mut state, &mut active, [&**entry]);
    }
    truth.tables = ids(&state);
    truth
}

/// The tables that an entry takes away.
fn removed(entry: &Value) -> Vec<String> {
    let job = match text(entry, "op") {
        "remove_sstables" => entry,
        "compaction" => entry.get("compaction").unwrap_or(&Value::Null),
        _ => return Vec::new(),
    };
    let ids = job.get("remove_sstable_ids").and_then(Value::as_array).into_iter().flatten();
    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}
