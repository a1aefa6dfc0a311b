//! Which entries of the window count, and the state that they add up to.
//!
//! The rule is the original's: an entry of an epoch lower than the highest claimed before it does not count. Where a fence in
//! CURRENT has no claim entry in the window, that fence's epoch may count from the window's start; then a claim that
//! arrives later can bring back what was left out, and an entry can hide what was seen. So the state is a function of
//! CURRENT as a whole, and going on from an earlier one is allowed only where it gives the same.

use super::state::State;
use crate::error::{Error, Result};
use crate::format::manifest::{Current, LogEntry, Op, Role, Snapshot};

/// A state with what is needed to go on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The state that CURRENT stands for.
    pub state: State,
    log_seq_start: u64,
    covered_next: u64,
    roles: [Fencing; 2],
    /// The last slot whose entry did not count.
    last_skipped: Option<u64>,
}

/// What the entries seen so far say about one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Fencing {
    /// Entries of a lower epoch do not count.
    active: u64,
    last_claim: Option<u64>,
    window: Window,
}

/// What decides which epoch is active before a window's first entry, and which was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Window {
    start: u64,
    max_claim: u64,
    max_entry: u64,
}

impl Window {
    fn see(&mut self, entry: &LogEntry) {
        self.max_entry = self.max_entry.max(entry.epoch);
        if is_claim(entry) {
            self.max_claim = self.max_claim.max(entry.epoch);
        }
    }

    /// The epoch that is active before the window's first entry, with this fence in CURRENT (0 = none).
    fn start_with(&self, fence: u64) -> u64 {
        if self.max_claim == 0 || (self.max_entry >= fence && self.max_claim < fence) { fence } else { 0 }
    }

    fn of<'a>(entries: impl IntoIterator<Item = &'a LogEntry>, role: Role, fence: u64) -> Window {
        let mut window = Window::default();
        entries.into_iter().filter(|entry| entry.role == role).for_each(|entry| window.see(entry));
        window.start = window.start_with(fence);
        window
    }
}

impl Replay {
    /// From the snapshot that `current` names (`None` if none) and all entries of its window.
    ///
    /// Errors: `Corrupt` where `entries` are not exactly the window's.
    pub fn full(current: &Current, snapshot: Option<Snapshot>, entries: &[LogEntry]) -> Result<Replay> {
        if !entries.iter().map(|entry| entry.seq).eq(current.window()) {
            return Err(Error::corrupt(
                "manifest/CURRENT",
                None,
                format!("the entries of slots {:?}", current.window()),
                format!("{} other entries", entries.len()),
            ));
        }
        let state = snapshot.as_ref().map_or_else(State::default, State::from_snapshot);
        let roles = Role::ALL.map(|role| {
            let window = Window::of(entries, role, current.epoch(role));
            Fencing { active: window.start, last_claim: None, window }
        });
        let mut replay = Replay {
            state,
            log_seq_start: current.log_seq_start,
            covered_next: current.log_seq_start,
            roles,
            last_skipped: None,
        };
        replay.apply(entries);
        replay.finish(current);
        Ok(replay)
    }

    /// Goes on to a later `current` with the entries of `[covered_next(), current.next_seq)`, also across a new snapshot.
    ///
    /// `None`: a full replay is due, since it would not give the same. So it is where `entries` do not reach from here to
    /// there, and where CURRENT's fence rose without its claim entry among them.
    pub fn extend(&self, current: &Current, entries: &[LogEntry]) -> Result<Option<Replay>> {
        // Before the first entry of all nothing is covered, and the first slot is 1 (0 in buckets of old).
        let from = if self.covered_next == 0 { current.log_seq_start.min(1) } else { self.covered_next };
        let same_window = current.log_seq_start == self.log_seq_start;
        // A snapshot covers all that was covered when it came, so a new window starts no earlier than here.
        if !(same_window || current.log_seq_start == from)
            || current.next_seq < self.covered_next
            || !entries.iter().map(|entry| entry.seq).eq(from..current.next_seq.max(from))
        {
            return Ok(None);
        }
        let mut next = self.clone();
        next.apply(entries);
        let counted_all = next.last_skipped.is_none_or(|slot| slot < current.log_seq_start);
        for role in Role::ALL {
            let fence = current.epoch(role);
            let fencing = &mut next.roles[role as usize];
            if same_window {
                let start = fencing.window.start_with(fence);
                if start == fencing.window.start {
                    continue;
                }
                fencing.window.start = start;
            } else {
                fencing.window = Window::of(entries, role, fence);
            }
            // A full replay starts with another epoch than this one did. Where it ends with the same, and no entry was left
            // out here, it leaves out none either: it never starts higher.
            if !counted_all || fencing.window.start.max(fencing.window.max_claim) != fencing.active {
                return Ok(None);
            }
        }
        next.log_seq_start = current.log_seq_start;
        next.finish(current);
        Ok(Some(next))
    }

    fn apply(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            let fencing = &mut self.roles[entry.role as usize];
            fencing.window.see(entry);
            if is_claim(entry) {
                fencing.active = fencing.active.max(entry.epoch);
                fencing.last_claim = Some(entry.seq);
            } else if entry.epoch < fencing.active {
                self.last_skipped = Some(entry.seq);
            } else {
                self.state.apply(entry);
            }
        }
    }

    fn finish(&mut self, current: &Current) {
        let active = self.roles.iter().map(|role| role.active).max().unwrap_or(0);
        let state = &mut self.state;
        state.next_epoch = state.next_epoch.max(active.saturating_add(1)).max(current.next_epoch);
        if current.next_seq > 0 {
            state.log_seq = current.next_seq - 1;
        }
        self.covered_next = current.next_seq;
    }

    /// The first slot that it does not contain; 0 where there is no database.
    pub fn covered_next(&self) -> u64 {
        self.covered_next
    }

    /// The epoch of a role below which entries do not count.
    pub fn active(&self, role: Role) -> u64 {
        self.roles[role as usize].active
    }

    /// The epoch of a role below which entries at the beginning of the window do not count.
    pub fn active_at_start(&self, role: Role) -> u64 {
        self.roles[role as usize].window.start
    }

    /// True if the window has a claim entry of this role.
    pub fn window_has_claim(&self, role: Role) -> bool {
        self.roles[role as usize].last_claim.is_some_and(|slot| slot >= self.log_seq_start)
    }
}

fn is_claim(entry: &LogEntry) -> bool {
    matches!(entry.op, Op::FenceClaim { .. })
}
