//! What a request does to the bucket at the moment when it takes effect, and what it is answered.

use isledb_core::error::Error;
use isledb_core::host::{ListPage, ObjectMeta};

use crate::desk::{Condition, Reply, Request};
use crate::names::{Kind, Names};
use crate::state::{Object, State};

/// An answer, in numbers: two equal ones have equal consequences.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    NotFound,
    NotModified,
    /// Content, and when it was written.
    Got(u32, u8),
    Head(u32, u8),
    Done(u32),
    Refused,
    List(Vec<(u32, u32, u8)>),
    Deleted,
    Unavailable,
}

/// Ways in which a store can break its contract: the explorer must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bug {
    /// The store keeps its contract.
    #[default]
    None,
    /// Puts of log entries ignore "if absent".
    LogPutsOverwrite,
    /// Puts of CURRENT ignore "if match".
    CurrentIgnoresMatch,
}

pub(crate) struct Bucket {
    pub(crate) bug: Bug,
    /// Unix milliseconds at each tick.
    pub(crate) times_ms: Vec<u64>,
}

/// What a write did, for the invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Effect {
    /// CURRENT was replaced: the number of the content before.
    pub(crate) current_was: Option<Option<u32>>,
    /// Something that a view may name was written or removed.
    pub(crate) changed: bool,
    /// A slot was written that was there already.
    pub(crate) overwrote_slot: bool,
}

impl Bucket {
    /// The answer of a read.
    pub(crate) fn read(&self, state: &State, names: &mut Names, request: &Request) -> Answer {
        match request {
            Request::Get { key, known, .. } => {
                let key = names.key(key);
                match state.object(key) {
                    None => Answer::NotFound,
                    Some(object) if known.as_ref() == Some(&names.content_of(object.content).version) => {
                        Answer::NotModified
                    }
                    Some(object) => Answer::Got(object.content, object.tick),
                }
            }
            Request::Head { key } => {
                let key = names.key(key);
                state.object(key).map_or(Answer::NotFound, |o| Answer::Head(o.content, o.tick))
            }
            Request::List { prefix, after } => {
                let mut found: Vec<&Object> = state
                    .objects
                    .iter()
                    .filter(|object| {
                        let name = &names.key_of(object.key).name;
                        name.starts_with(prefix) && after.as_ref().is_none_or(|after| name > after)
                    })
                    .collect();
                found.sort_by_key(|object| &names.key_of(object.key).name);
                Answer::List(found.iter().map(|object| (object.key, object.content, object.tick)).collect())
            }
            Request::Put { .. } | Request::Delete { .. } => Answer::Unavailable,
        }
    }

    /// Whether a put would be applied.
    pub(crate) fn holds(&self, state: &State, names: &mut Names, request: &Request) -> bool {
        let Request::Put { key, condition, .. } = request else { return true };
        let key = names.key(key);
        let kind = names.key_of(key).kind;
        match (self.bug, kind) {
            (Bug::LogPutsOverwrite, Kind::Log(_)) | (Bug::CurrentIgnoresMatch, Kind::Current) => return true,
            _ => {}
        }
        match (condition, state.object(key)) {
            (Condition::None, _) | (Condition::IfAbsent, None) => true,
            (Condition::IfAbsent, Some(_)) | (Condition::IfMatch(_), None) => false,
            (Condition::IfMatch(version), Some(now)) => names.content_of(now.content).version == *version,
        }
    }

    /// Applies a write if its condition holds.
    pub(crate) fn write(&self, state: &mut State, names: &mut Names, request: &Request) -> (Answer, Effect) {
        let mut effect = Effect::default();
        match request {
            Request::Put { key, body, .. } => {
                if !self.holds(state, names, request) {
                    return (Answer::Refused, effect);
                }
                let (key, content) = (names.key(key), names.content(body));
                let before = state.object(key).map(|object| object.content);
                match names.key_of(key).kind {
                    Kind::Current => effect.current_was = Some(before),
                    Kind::Log(slot) => {
                        effect.changed = true;
                        effect.overwrote_slot = before.is_some_and(|before| before != content);
                        let at = slot as usize;
                        if state.decided.len() <= at {
                            state.decided.resize(at + 1, 0);
                        }
                        // What lands on a slot deleted since decides nothing any more.
                        if state.decided[at] == 0 {
                            state.decided[at] = content;
                        }
                    }
                    _ => {}
                }
                state.put(Object { key, content, tick: state.tick });
                (Answer::Done(content), effect)
            }
            Request::Delete { keys } => {
                effect.changed = true;
                for key in keys {
                    let key = names.key(key);
                    state.delete(key);
                }
                (Answer::Deleted, effect)
            }
            _ => (Answer::Unavailable, effect),
        }
    }

    /// The answer in the words of the engine.
    pub(crate) fn reply(&self, names: &Names, request: &Request, answer: &Answer) -> Reply {
        let object = || request.key().to_owned();
        let meta = |key: &str, content: u32, tick: u8| {
            let content = names.content_of(content);
            ObjectMeta {
                key: key.to_owned(),
                size: content.bytes.len() as u64,
                version: Some(content.version.clone()),
                // Stores date their objects in whole seconds.
                last_modified_ms: Some(self.times_ms[usize::from(tick)] / 1_000 * 1_000),
            }
        };
        let unavailable =
            || Reply::Failed(Error::Unavailable { object: object(), message: "no answer".to_owned() });
        match answer {
            Answer::NotFound => Reply::Failed(Error::NotFound { object: object() }),
            Answer::NotModified => Reply::Failed(Error::NotModified { object: object() }),
            Answer::Got(content, tick) => {
                let bytes = &names.content_of(*content).bytes;
                let range = match request {
                    Request::Get { range: Some(range), .. } => range.clone(),
                    _ => 0..bytes.len() as u64,
                };
                if range.start > range.end || range.end > bytes.len() as u64 {
                    let (expected, found) =
                        (format!("{} bytes", range.end), format!("{} bytes", bytes.len()));
                    return Reply::Failed(Error::Corrupt {
                        object: object(),
                        offset: Some(range.start),
                        expected,
                        found,
                    });
                }
                let body = bytes.slice(range.start as usize..range.end as usize);
                Reply::Got(meta(request.key(), *content, *tick), body)
            }
            Answer::Head(content, tick) => Reply::Head(meta(request.key(), *content, *tick)),
            Answer::Done(content) => Reply::Put(names.content_of(*content).version.clone()),
            Answer::Refused => Reply::Failed(Error::Precondition { object: object() }),
            Answer::List(found) => {
                let object =
                    |(key, content, tick): &(u32, u32, u8)| meta(&names.key_of(*key).name, *content, *tick);
                Reply::List(ListPage { objects: found.iter().map(object).collect(), more: false })
            }
            Answer::Deleted => Reply::Deleted,
            Answer::Unavailable => unavailable(),
        }
    }
}
