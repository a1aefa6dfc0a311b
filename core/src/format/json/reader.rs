//! A pull parser of JSON: strict, bounded in depth, and one copy of code for all documents.

use std::borrow::Cow;

use crate::error::Error;

/// Deepest nesting of objects and lists that is read; ours have seven.
const MAX_DEPTH: u32 = 127;

/// How the fields of an object are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// By their exact names, each at most once.
    Exact,
    /// As Go does: the case of a name does not matter, of two equal ones the last counts, and a `null` leaves the field as
    /// it was.
    Go,
}

/// Why a text was not read: what is wrong, and where.
#[derive(Debug)]
pub(crate) struct Wrong(Box<(usize, String)>);

impl Wrong {
    /// As an error of the document `object`, which should be `what`.
    pub(crate) fn in_document(self, object: &str, what: &str) -> Error {
        let (offset, found) = *self.0;
        Error::corrupt(object, offset as u64, what, found)
    }
}

pub(crate) type Result<T, E = Wrong> = std::result::Result<T, E>;

/// A text, and how far it was read.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    rules: Rules,
}

impl<'a> Reader<'a> {
    /// At the start of a text. Errors: where it is not UTF-8.
    pub(crate) fn new(bytes: &'a [u8], rules: Rules) -> Result<Reader<'a>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Reader { text, at: 0, depth: 0, rules }),
            Err(error) => Err(Wrong(Box::new((error.valid_up_to(), "bytes that are not UTF-8".to_owned())))),
        }
    }

    /// What is wrong here.
    pub(crate) fn wrong(&self, found: impl Into<String>) -> Wrong {
        Wrong(Box::new((self.at, found.into())))
    }

    /// Errors: where anything but white space follows.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the document")),
        }
    }

    /// Reads an object: `each` is called behind each name, and has to read its value.
    pub(crate) fn members(
        &mut self,
        each: &mut dyn FnMut(&mut Self, Cow<'a, str>) -> Result<()>,
    ) -> Result<()> {
        self.sequence(b'{', b'}', "an object", &mut |reader| {
            let name = reader.string()?;
            reader.take(b':', "a colon")?;
            each(reader, name)
        })
    }

    /// Reads an object with fields of these names: `each` is told which one of `names` it is, and has to read its value. Other
    /// fields are skipped. Returns the fields that were there as a set of bits.
    pub(crate) fn object(
        &mut self,
        names: &[&str],
        each: &mut dyn FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<u64> {
        let mut seen = 0_u64;
        self.members(&mut |reader, found| {
            let known = match reader.rules {
                Rules::Exact => names.iter().position(|name| *name == found),
                Rules::Go => {
                    let found = folded_key(&found);
                    names.iter().position(|name| name.eq_ignore_ascii_case(&found))
                }
            };
            let Some(field) = known else { return reader.skip() };
            let bit = 1 << field;
            if reader.rules == Rules::Exact && seen & bit != 0 {
                return Err(reader.wrong(format!("the field {found:?} twice")));
            }
            // Go's fields do not see a `null`.
            if reader.rules == Rules::Exact || reader.peek() != Some(b'n') {
                seen |= bit;
            }
            each(reader, field)
        })?;
        Ok(seen)
    }

    /// Errors: where a field of `required`, a set of bits, was not `seen`.
    pub(crate) fn require(&self, names: &[&str], required: u64, seen: u64) -> Result<()> {
        match names.get((required & !seen).trailing_zeros() as usize) {
            Some(name) => Err(self.wrong(format!("no field {name:?}"))),
            None => Ok(()),
        }
    }

    /// Reads a list: `each` has to read one element.
    pub(crate) fn list(&mut self, each: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.sequence(b'[', b']', "a list", each)
    }

    fn sequence(
        &mut self,
        open: u8,
        close: u8,
        what: &str,
        each: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.take(open, what)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(format!("more than {MAX_DEPTH} objects and lists inside of one another")));
        }
        if self.peek() != Some(close) {
            loop {
                each(self)?;
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.take(close, "a comma or the end")?;
        self.depth -= 1;
        Ok(())
    }

    /// Reads a string.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>> {
        self.take(b'"', "a string")?;
        let mut unescaped = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1f));
            let (plain, behind) = rest.split_at_checked(plain.unwrap_or(rest.len())).unwrap_or_default();
            self.at += plain.len();
            match behind.bytes().next() {
                Some(b'"') => {
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(plain));
                    }
                    unescaped.push_str(plain);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    self.at += 1;
                    unescaped.push_str(plain);
                    unescaped.push(self.escaped()?);
                }
                Some(_) => return Err(self.unexpected("a string without control characters")),
                None => return Err(self.unexpected("the end of a string")),
            }
        }
    }

    /// The character of an escape, from behind its backslash.
    fn escaped(&mut self) -> Result<char> {
        let byte = self.rest().bytes().next();
        self.at += usize::from(byte.is_some_and(|byte| byte.is_ascii()));
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut code = self.code_unit()?;
                if (0xd800..0xdc00).contains(&code) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    let low = self.code_unit()?;
                    // What is no low half gives what is no character.
                    code = match (0xdc00..0xe000).contains(&low) {
                        true => 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00),
                        false => code,
                    };
                }
                char::from_u32(code).ok_or_else(|| self.wrong("half of a surrogate pair"))?
            }
            _ => return Err(self.wrong("an escape that JSON does not know")),
        })
    }

    fn code_unit(&mut self) -> Result<u32> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.unexpected("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// Reads an integer of `min..=max` in its two's complement.
    pub(crate) fn integer(&mut self, min: i64, max: u64) -> Result<u64> {
        self.peek();
        let start = self.at;
        let text = self.number()?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let found = digits.parse::<u64>().ok().and_then(|magnitude| match negative {
            true => (1..=min.unsigned_abs()).contains(&magnitude).then(|| magnitude.wrapping_neg()),
            false => (magnitude <= max).then_some(magnitude),
        });
        found.ok_or_else(|| {
            self.at = start;
            self.unexpected(&format!("an integer of {min} to {max}"))
        })
    }

    /// The text of a number.
    fn number(&mut self) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        self.accept(b"-");
        if !self.accept(b"0") && self.digits() == 0 {
            self.at = start;
            return Err(self.unexpected("a number"));
        }
        let fraction = self.accept(b".");
        if fraction && self.digits() == 0 {
            return Err(self.unexpected("the digits of a fraction"));
        }
        let exponent = self.accept(b"eE");
        if exponent {
            self.accept(b"+-");
            if self.digits() == 0 {
                return Err(self.unexpected("the digits of an exponent"));
            }
        }
        Ok(self.since(start))
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
    }

    fn accept(&mut self, any_of: &[u8]) -> bool {
        let found = self.rest().bytes().next().is_some_and(|byte| any_of.contains(&byte));
        self.at += usize::from(found);
        found
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool> {
        match self.word("true") {
            true => Ok(true),
            false if self.word("false") => Ok(false),
            false => Err(self.unexpected("true or false")),
        }
    }

    /// Reads a `null`, if it is next.
    pub(crate) fn null(&mut self) -> bool {
        self.word("null")
    }

    /// Reads a `null`, if it is next and leaves a field as it was.
    pub(crate) fn null_that_says_nothing(&mut self) -> bool {
        self.rules == Rules::Go && self.null()
    }

    fn word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Reads a value, whatever it is, and drops it.
    pub(crate) fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.members(&mut |reader, _| reader.skip()),
            Some(b'[') => self.list(&mut Self::skip),
            Some(b'"') => self.string().map(drop),
            Some(b't' | b'f') => self.boolean().map(drop),
            Some(b'n') if self.null() => Ok(()),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Reads a value and returns its text.
    pub(crate) fn raw(&mut self) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.since(start))
    }

    /// The next byte behind white space.
    fn peek(&mut self) -> Option<u8> {
        let blank =
            self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blank;
        self.rest().bytes().next()
    }

    fn take(&mut self, byte: u8, what: &str) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(what));
        }
        self.at += 1;
        Ok(())
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn unexpected(&self, expected: &str) -> Wrong {
        let found: String = self.rest().chars().take(20).collect();
        match found.is_empty() {
            true => self.wrong(format!("the end of the text instead of {expected}")),
            false => self.wrong(format!("{found:?} instead of {expected}")),
        }
    }
}

/// The name under which Go's decoder would look for a key: it does not mind the case, nor the two letters of Unicode whose
/// lower case is ASCII. Two of our fields never differ only in case within one object.
pub(crate) fn folded_key(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}
