//! What can be wrong with a plugin, told with its name.

use std::fmt;

use super::kind::PluginKind;

/// The most of a plugin's own text that an error repeats, in characters.
const MAX_TOLD_CHARS: usize = 500;

/// A plugin failed, or was refused. Whatever asked it has failed too, and nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {fault}")]
pub struct PluginError {
    /// Its file's name, and the first digits of the SHA-256 of its content where it could be read.
    pub plugin: String,
    /// What happened, and where.
    pub fault: Fault,
}

/// What is wrong with a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Its file cannot be read.
    Unreadable {
        /// What the system said.
        message: String,
    },
    /// Its file is larger than [`file_bytes`](super::PluginLimits::file_bytes).
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// It is no WebAssembly, or a core module.
    NotAComponent {
        /// True: it is a core module, of which a component could be made.
        core_module: bool,
    },
    /// It is a component that does not validate or does not compile.
    Invalid {
        /// What is wrong with it.
        message: String,
    },
    /// It imports something, and gets nothing.
    Imports {
        /// The names of what it imports.
        names: Vec<String>,
    },
    /// It is a plugin of another kind or of another version, or none.
    WrongKind {
        /// What was asked for.
        wanted: PluginKind,
        /// What it exports.
        exports: Vec<String>,
    },
    /// It exports the interface with other functions or other types.
    WrongTypes {
        /// The kind that it claims to be.
        kind: PluginKind,
        /// Which function, and how it differs.
        message: String,
    },
    /// It trapped: a panic, an overflow of its stack, an access out of bounds.
    Trapped {
        /// The function that was called; `None` while it started.
        function: Option<&'static str>,
        /// What the trap was.
        message: String,
    },
    /// The call needed more than [`fuel`](super::PluginLimits::fuel): an endless loop, or too much work.
    OutOfFuel {
        /// The function that was called; `None` while it started.
        function: Option<&'static str>,
        /// Units of fuel that it had.
        fuel: u64,
    },
    /// The call needed more than [`memory_bytes`](super::PluginLimits::memory_bytes).
    OutOfMemory {
        /// The function that was called; `None` while it started.
        function: Option<&'static str>,
        /// Bytes that it asked for.
        wanted: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// The answer is larger than [`answer_bytes`](super::PluginLimits::answer_bytes).
    AnswerTooLarge {
        /// The function that answered.
        function: &'static str,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// The answer cannot be read: text that is not UTF-8, a list that lies outside its memory.
    BadAnswer {
        /// The function that answered.
        function: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// More or fewer answers than there were entries.
    WrongCount {
        /// The function that answered.
        function: &'static str,
        /// Entries that were asked about.
        entries: usize,
        /// Answers that came.
        answers: usize,
    },
    /// The plugin itself says that it cannot answer.
    Refused {
        /// The function that answered.
        function: &'static str,
        /// What it said, made harmless for a terminal and cut where it is long.
        message: String,
    },
}

impl Fault {
    pub(super) fn refused(function: &'static str, text: &str) -> Fault {
        let mut message: String = text.chars().take(MAX_TOLD_CHARS).flat_map(harmless).collect();
        if text.chars().nth(MAX_TOLD_CHARS).is_some() {
            message.push_str("...");
        }
        Fault::Refused { function, message }
    }
}

fn harmless(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreadable { message } => write!(f, "cannot be read: {message}"),
            Fault::TooLarge { bytes, limit } => {
                write!(f, "its file has {bytes} bytes, at most {limit} are allowed")
            }
            Fault::NotAComponent { core_module: true } => {
                f.write_str("it is a core module and no component; isledb-plugin-build makes one of it")
            }
            Fault::NotAComponent { core_module: false } => {
                f.write_str("it is no WebAssembly component (it does not begin as one)")
            }
            Fault::Invalid { message } => write!(f, "it is no valid component: {message}"),
            Fault::Imports { names } => {
                write!(f, "it imports {}; a plugin may import nothing", names.join(", "))
            }
            Fault::WrongKind { wanted, exports } => {
                write!(f, "it is no {wanted} (it does not export {}, but ", wanted.interface())?;
                if exports.is_empty() {
                    f.write_str("nothing)")
                } else {
                    write!(f, "{})", exports.join(", "))
                }
            }
            Fault::WrongTypes { kind, message } => {
                write!(f, "it is no {kind} of this version: {message}")
            }
            Fault::Trapped { function, message } => write!(f, "it trapped {}: {message}", Place(*function)),
            Fault::OutOfFuel { function, fuel } => {
                write!(f, "it used up its {fuel} units of fuel {}", Place(*function))
            }
            Fault::OutOfMemory { function, wanted, limit } => write!(
                f,
                "it asked for {wanted} bytes of memory {}, at most {limit} are allowed",
                Place(*function)
            ),
            Fault::AnswerTooLarge { function, limit } => {
                write!(f, "`{function}` answered with more than the {limit} bytes that are allowed")
            }
            Fault::BadAnswer { function, message } => {
                write!(f, "the answer of `{function}` cannot be read: {message}")
            }
            Fault::WrongCount { function, entries, answers } => {
                write!(f, "`{function}` gave {answers} answers for {entries} entries")
            }
            Fault::Refused { function, message } => write!(f, "`{function}` failed: {message}"),
        }
    }
}

/// Where a call stood.
struct Place(Option<&'static str>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(function) => write!(f, "in `{function}`"),
            None => f.write_str("while it started"),
        }
    }
}

impl From<PluginError> for isledb::Error {
    /// No store is at fault, and trying again changes nothing: another plugin, or other limits, may help.
    fn from(error: PluginError) -> isledb::Error {
        isledb::Error::InvalidArgument { what: error.to_string() }
    }
}
