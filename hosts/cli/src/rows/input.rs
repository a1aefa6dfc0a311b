//! Where rows come from: a file, a compressed file, standard input.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exit::{Failure, Outcome};

const BUFFER_BYTES: usize = 256 << 10;

/// Bytes taken from an input so far: of the file, so before they are decompressed. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken(Arc<AtomicU64>);

impl Taken {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An open input.
pub(crate) struct Input {
    name: String,
    reader: Box<dyn BufRead + Send>,
}

impl Input {
    /// Opens a file; `-` is standard input; a name that ends in `.zst` is decompressed.
    pub(crate) fn open(path: &str, taken: &Taken) -> Outcome<Input> {
        if path == "-" {
            return Ok(Input::from_reader("standard input", std::io::stdin(), taken));
        }
        let file = std::fs::File::open(path).map_err(|error| Failure::file(path, &error))?;
        if !path.ends_with(".zst") {
            return Ok(Input::from_reader(path, file, taken));
        }
        let counted = Counted { inner: file, taken: taken.clone() };
        let decoder = zstd::Decoder::new(counted).map_err(|error| Failure::file(path, &error))?;
        Ok(Input { name: path.to_owned(), reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)) })
    }

    /// Compressed bytes that are already here.
    pub(crate) fn from_zstd(name: &str, bytes: &'static [u8], taken: &Taken) -> Outcome<Input> {
        let counted = Counted { inner: bytes, taken: taken.clone() };
        let decoder = zstd::Decoder::new(counted).map_err(|error| Failure::file(name, &error))?;
        Ok(Input { name: name.to_owned(), reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)) })
    }

    fn from_reader(name: &str, reader: impl Read + Send + 'static, taken: &Taken) -> Input {
        let counted = Counted { inner: reader, taken: taken.clone() };
        Input { name: name.to_owned(), reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, counted)) }
    }

    /// Text in memory, for tests.
    #[cfg(test)]
    pub(crate) fn text(text: &'static str) -> Input {
        Input::from_reader("text", text.as_bytes(), &Taken::default())
    }

    /// Its name in messages, and its bytes.
    pub(crate) fn into_parts(self) -> (String, Box<dyn BufRead + Send>) {
        (self.name, self.reader)
    }
}

struct Counted<R> {
    inner: R,
    taken: Taken,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
