//! Operations of a batch: one JSON object a line.

use std::borrow::Cow;

use tokio::sync::mpsc;

use super::Input;
use super::ndjson::{Fields, Lines, entry_bytes, fields, number};
use crate::exit::Outcome;

/// One line of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Set a key, for a time if `ttl_ms` says so.
    Put { key: Vec<u8>, value: Vec<u8>, ttl_ms: Option<u64> },
    /// Delete a key.
    Delete { key: Vec<u8> },
    /// Make everything so far visible.
    Flush,
}

/// Operations that may wait for the engine.
const WAITING: usize = 256;

/// Operations of an input, read on a thread of their own.
pub(crate) struct Operations {
    receiver: mpsc::Receiver<Outcome<Operation>>,
}

impl Operations {
    /// Starts to read.
    pub(crate) fn start(input: Input) -> Operations {
        let (sender, receiver) = mpsc::channel(WAITING);
        // Detached: it may hang in a read of standard input when the command ends, and ends with the process.
        std::thread::spawn(move || {
            let mut lines = Lines::new(input);
            loop {
                let operation = match lines.advance() {
                    Ok(false) => return,
                    Ok(true) => parse(lines.text()).map_err(|why| lines.failure(&why)),
                    Err(failure) => Err(failure),
                };
                let last = operation.is_err();
                if sender.blocking_send(operation).is_err() || last {
                    return;
                }
            }
        });
        Operations { receiver }
    }

    /// The next one; `None` at the end. After an error nothing follows.
    pub(crate) async fn next(&mut self) -> Option<Outcome<Operation>> {
        self.receiver.recv().await
    }
}

fn parse(line: &[u8]) -> Result<Operation, String> {
    let fields: Fields<'_> = fields(line)?;
    let op = fields.get("op").ok_or("no \"op\" in it: put, del or flush")?;
    let op: Cow<'_, str> = serde_json::from_str(op.get()).map_err(|_| "\"op\" is not a string".to_owned())?;
    match &*op {
        "put" => Ok(Operation::Put {
            key: entry_bytes(&fields, "key")?,
            value: entry_bytes(&fields, "value")?,
            ttl_ms: number(&fields, "ttl_ms")?,
        }),
        "del" => Ok(Operation::Delete { key: entry_bytes(&fields, "key")? }),
        "flush" => Ok(Operation::Flush),
        other => Err(format!("\"op\" is {other:?}, not put, del or flush")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_read() {
        assert_eq!(
            parse(br#"{"op":"put","key":"a","value_b64":"/w==","ttl_ms":5}"#).unwrap(),
            Operation::Put { key: b"a".to_vec(), value: vec![0xff], ttl_ms: Some(5) }
        );
        assert_eq!(
            parse(br#"{"op":"del","key_b64":"/w=="}"#).unwrap(),
            Operation::Delete { key: vec![0xff] }
        );
        assert_eq!(parse(br#"{"op":"flush"}"#).unwrap(), Operation::Flush);
    }

    #[test]
    fn slips_are_named() {
        for (line, part) in [
            (&br#"{"key":"a"}"#[..], "no \"op\""),
            (br#"{"op":"set","key":"a"}"#, "\"op\" is \"set\""),
            (br#"{"op":"put","key":"a"}"#, "no \"value\""),
            (br#"{"op":"del"}"#, "no \"key\""),
            (br#"{"op":"put","key":"a","value":1}"#, "not a string"),
            (br#"{"op":"put","key":"a","value":"","ttl_ms":-1}"#, "not a whole number"),
            (b"[]", "not a JSON object"),
        ] {
            let why = parse(line).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }
}
