//! Deliberate bugs, for the proof only: what a simulation that finds none of them would be worth.
//!
//! Each is one condition at the place where the bug would be. Without the feature `mutations`, which nothing but the mutation
//! test of the simulation turns on, `mutated` is `false` at compile time and none of this is in the program.

/// A deliberate bug.
#[cfg_attr(
    not(feature = "mutations"),
    allow(
        dead_code,
        unreachable_pub,
        reason = "seen with the feature alone; a reader has not all of the places"
    )
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// A decided slot of the log is overwritten.
    SlotIsOverwritten,
    /// A slot that its author has not covered is waited for, not helped.
    NobodyHelps,
    /// A helper covers a claim and leaves the fence as it was.
    HelpWithoutFence,
    /// A helper covers an entry and leaves its effects out.
    HelpWithoutEffects,
    /// A claim sets the fence in CURRENT before its entry is in the log.
    FenceBeforeEntry,
    /// After a put of a slot without answer the entry goes to the next free slot, and nobody looks whose that one is.
    LostPutTakesNewSlot,
    /// After a cover without answer the entry goes to the next free slot.
    LostCoverTakesNewSlot,
    /// One's own entry in a slot is taken for somebody else's, as if each try had an id of its own.
    OwnEntryIsNotKnown,
    /// An entry is published though the role is somebody else's.
    FenceIsNotChecked,
    /// A snapshot is named in whatever CURRENT there is.
    SnapshotIsUnconditional,
    /// A snapshot of an older state is named in a newer CURRENT.
    SnapshotOfStaleState,
    /// A table that nothing refers to is deleted however young it is.
    YoungOrphansGo,
    /// The live set is taken while an entry is decided and not covered.
    CollectWithoutSettling,
    /// Tables that the change feed still needs are deleted.
    CollectBeforeFloor,
    /// Tables are deleted while views may read them.
    CollectWithoutGrace,
    /// Whether a flush in a slot that is gone was committed is told by its table alone, which may have been merged away.
    SettleByTableAlone,
    /// The call that gives up forgets an entry whose outcome is open, and reports it as not committed.
    ForgetsOpenOutcome,
    /// A merge drops a delete that still hides an older version.
    TombstoneDropped,
    /// A search in a block begins one restart late.
    SeekBeginsLate,
    /// Filters are asked for another hash than they were built with.
    FilterHashDiffers,
    /// A tailer passes over the first slot behind a snapshot.
    FeedSkipsAtSnapshot,
    /// A tailer that goes on within a table passes over one change.
    FeedSkipsAfterRestart,
    /// A tailer that begins now begins one slot late.
    FeedBeginsLate,
    /// The cache serves the part of another table.
    CacheMixesTables,
    /// Expiry is compared with a clock in seconds.
    ExpiryInSeconds,
    /// A write counts as committed once it is in memory.
    AcknowledgedTooEarly,
    /// A full memtable is handed over in the middle of a batch.
    BatchIsSplit,
    /// A view is used however old it is.
    ViewNeverExpires,
    /// The feed's floor rises to the end of the log at once.
    FloorRisesTooSoon,
    /// Trimming takes the first log entry of the window too.
    TrimTakesOneMore,
    /// Garbage collection goes by its own clock.
    CollectByOwnClock,
}

#[cfg(feature = "mutations")]
impl Mutation {
    /// All of them.
    pub const ALL: [Mutation; 31] = [
        Mutation::SlotIsOverwritten,
        Mutation::NobodyHelps,
        Mutation::HelpWithoutFence,
        Mutation::HelpWithoutEffects,
        Mutation::FenceBeforeEntry,
        Mutation::LostPutTakesNewSlot,
        Mutation::LostCoverTakesNewSlot,
        Mutation::OwnEntryIsNotKnown,
        Mutation::FenceIsNotChecked,
        Mutation::SnapshotIsUnconditional,
        Mutation::SnapshotOfStaleState,
        Mutation::YoungOrphansGo,
        Mutation::CollectWithoutSettling,
        Mutation::CollectBeforeFloor,
        Mutation::CollectWithoutGrace,
        Mutation::SettleByTableAlone,
        Mutation::ForgetsOpenOutcome,
        Mutation::TombstoneDropped,
        Mutation::SeekBeginsLate,
        Mutation::FilterHashDiffers,
        Mutation::FeedSkipsAtSnapshot,
        Mutation::FeedSkipsAfterRestart,
        Mutation::FeedBeginsLate,
        Mutation::CacheMixesTables,
        Mutation::ExpiryInSeconds,
        Mutation::AcknowledgedTooEarly,
        Mutation::BatchIsSplit,
        Mutation::ViewNeverExpires,
        Mutation::FloorRisesTooSoon,
        Mutation::TrimTakesOneMore,
        Mutation::CollectByOwnClock,
    ];
}

#[cfg(feature = "mutations")]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Makes this thread's engine have that bug, and no other; `None`: none.
#[cfg(feature = "mutations")]
pub fn activate(mutation: Option<Mutation>) {
    ACTIVE.set(mutation);
}

/// True where this bug is to show.
#[cfg(feature = "mutations")]
#[inline]
pub(crate) fn mutated(mutation: Mutation) -> bool {
    ACTIVE.get() == Some(mutation)
}

/// True where this bug is to show: never.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
pub(crate) const fn mutated(_: Mutation) -> bool {
    false
}
