//! What must never happen, by name.

use std::fmt;

/// One rule that a history broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// An acknowledged flush is missing from a later view.
    AcknowledgedFlushMissing,
    /// A flush is visible twice.
    FlushVisibleTwice,
    /// A flush that was reported as not committed becomes visible.
    NotCommittedBecomesVisible,
    /// Two live owners of one role both commit: the log has an entry of an owner after the claim of the next one, or of an
    /// epoch that nobody claimed.
    TwoOwnersCommit,
    /// CURRENT's view names an object that does not exist.
    ViewNamesMissingObject,
    /// The change feed skips or repeats a change, or shows one that was never made.
    FeedSkipsOrRepeats,
    /// Sequence numbers go backwards along the log.
    SequenceGoesBackwards,
    /// `get` and `scan` of one view disagree.
    GetAndScanDisagree,
    /// A reader shows something else than what was committed at its view, or its view goes back.
    ReaderShowsWrongState,
    /// A reader that keeps to the view age misses an object.
    ReaderMissesObject,
    /// On a healthy store a process does not come to an end.
    DoesNotFinish,
    /// What the original's replay makes of the manifest is not the engine's state, or not what the decided slots say.
    ReplayDiffers,
    /// A slot of the log was written twice.
    SlotOverwritten,
    /// A slot was decided while an earlier one was not covered yet.
    SlotBeyondNext,
    /// A number in CURRENT that only grows fell.
    CurrentGoesBack,
    /// CURRENT shows a fence whose claim is not in the log.
    FenceWithoutClaim,
    /// A fast path of CURRENT (`inline_log`, `next_sequence`) does not say what the log says.
    FastPathDiffers,
    /// A visible LSN lies outside of what CURRENT says, or the highest committed one fell.
    LsnOutOfBounds,
    /// A compaction or removal was committed whose inputs were gone.
    InputsGone,
    /// Some writes of a batch are in another flush than the rest, so a view may show a part of it.
    BatchIsSplit,
    /// An object went, or the feed's floor rose over it, while a view or a consumer of the feed might still need it.
    DeletedTooSoon,
    /// A claim that was answered lies before the request for it.
    ClaimOutOfOrder,
    /// A call failed with an error that nothing in this history explains.
    UnexpectedError,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::AcknowledgedFlushMissing => "an acknowledged flush is missing",
            Check::FlushVisibleTwice => "a flush is visible twice",
            Check::NotCommittedBecomesVisible => "one reported as not committed becomes visible",
            Check::TwoOwnersCommit => "two live owners of one role both commit",
            Check::ViewNamesMissingObject => "a view names an object that does not exist",
            Check::FeedSkipsOrRepeats => "the change feed skips or repeats a change",
            Check::SequenceGoesBackwards => "sequence numbers go backwards",
            Check::GetAndScanDisagree => "get and scan disagree",
            Check::ReaderShowsWrongState => "a reader shows what was not committed at its view",
            Check::ReaderMissesObject => "a reader within the view age misses an object",
            Check::DoesNotFinish => "a process on a healthy store does not come to an end",
            Check::ReplayDiffers => "the original's replay differs",
            Check::SlotOverwritten => "a slot was written twice",
            Check::SlotBeyondNext => "a slot was decided before the one before it was covered",
            Check::CurrentGoesBack => "CURRENT goes back",
            Check::FenceWithoutClaim => "a fence without its claim",
            Check::FastPathDiffers => "a fast path of CURRENT differs from the log",
            Check::LsnOutOfBounds => "the LSNs of CURRENT do not bound what is visible",
            Check::InputsGone => "a compaction of tables that are gone",
            Check::BatchIsSplit => "a batch is committed in parts",
            Check::DeletedTooSoon => "an object was given up too soon",
            Check::ClaimOutOfOrder => "a claim lies before its request",
            Check::UnexpectedError => "an unexpected error",
        })
    }
}

/// A broken rule, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub check: Check,
    /// What was seen.
    pub detail: String,
}

impl Violation {
    pub(super) fn new(check: Check, detail: impl Into<String>) -> Violation {
        Violation { check, detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}
