//! Rows from a thread of their own, in pieces.

use tokio::sync::mpsc;

use super::{OpenRows, Row, Rows};
use crate::exit::Outcome;

/// A piece holds at most this many rows, or about this many bytes.
const PIECE_ROWS: usize = 1000;
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that may wait for the engine.
const PIECES_WAITING: usize = 4;

/// Some rows in a row.
pub(crate) type Piece = Vec<Row>;

/// The receiving end. Dropping it stops the thread at its next piece.
pub(crate) struct Feed {
    pieces: mpsc::Receiver<Outcome<Piece>>,
}

impl Feed {
    /// Starts to read `inputs`, one behind the other; each is opened when its turn comes.
    pub(crate) fn start(inputs: Vec<OpenRows>) -> Feed {
        let (sender, pieces) = mpsc::channel(PIECES_WAITING);
        // Detached: it may hang in a read of standard input when the command ends, and ends with the process.
        std::thread::spawn(move || {
            for open in inputs {
                if let Err(failure) = open().and_then(|rows| send(rows, &sender)) {
                    let _ = sender.blocking_send(Err(failure));
                    return;
                }
            }
        });
        Feed { pieces }
    }

    /// The next piece; `None` at the end of the last input. After an error nothing follows.
    pub(crate) async fn next(&mut self) -> Option<Outcome<Piece>> {
        self.pieces.recv().await
    }
}

fn send(rows: Rows, sender: &mpsc::Sender<Outcome<Piece>>) -> Outcome {
    let mut piece = Piece::new();
    let mut bytes = 0;
    for row in rows {
        // Rows before a bad one are handed on: what can be loaded is loaded, and said.
        let row = match row {
            Ok(row) => row,
            Err(failure) => {
                let _ = sender.blocking_send(Ok(piece));
                return Err(failure);
            }
        };
        bytes += row.key.len() + row.value.len();
        piece.push(row);
        if piece.len() >= PIECE_ROWS || bytes >= PIECE_BYTES {
            bytes = 0;
            if sender.blocking_send(Ok(std::mem::take(&mut piece))).is_err() {
                return Ok(());
            }
        }
    }
    if !piece.is_empty() {
        let _ = sender.blocking_send(Ok(piece));
    }
    Ok(())
}
