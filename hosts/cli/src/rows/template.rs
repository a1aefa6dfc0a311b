//! Key templates: `flight/{origin}/{year}-{month:02}-{day:02}`.

/// A key made of text and of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column { name: String, width: usize },
}

/// Zero padding beyond this is a slip of the pen.
const WIDTH_MAX: usize = 40;

impl Template {
    /// A template that is one column.
    pub(crate) fn column(name: &str) -> Template {
        Template { parts: vec![Part::Column { name: name.to_owned(), width: 0 }] }
    }

    /// Reads `{column}`, `{column:0N}` (zeros to the left up to N characters, so that numbers sort), `{{` and `}}`.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..];
            if let Some(after) = brace.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some(inner) = brace.strip_prefix('{') {
                let end = inner.find('}').ok_or("a { without its }")?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(column(&inner[..end])?);
                rest = &inner[end + 1..];
            } else {
                return Err("a } without its {; write }} for the character".into());
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if !parts.iter().any(|part| matches!(part, Part::Column { .. })) {
            return Err("no {column} in it: every row would have the same key".into());
        }
        Ok(Template { parts })
    }

    /// The columns it needs.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The key, from what `field` knows of a column by its position among [`Template::columns`].
    pub(crate) fn fill<'a, E>(
        &self,
        mut field: impl FnMut(usize, &str) -> Result<std::borrow::Cow<'a, str>, E>,
    ) -> Result<Vec<u8>, E> {
        let mut key = Vec::with_capacity(64);
        let mut i = 0;
        for part in &self.parts {
            match part {
                Part::Text(text) => key.extend_from_slice(text.as_bytes()),
                Part::Column { name, width } => {
                    let text = field(i, name)?;
                    i += 1;
                    let missing = width.saturating_sub(text.chars().count());
                    key.extend(std::iter::repeat_n(b'0', missing));
                    key.extend_from_slice(text.as_bytes());
                }
            }
        }
        Ok(key)
    }
}

fn column(inner: &str) -> Result<Part, String> {
    let (name, width) = match inner.rsplit_once(":0") {
        Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            let width = digits.parse().ok().filter(|width| *width <= WIDTH_MAX);
            (name, width.ok_or_else(|| format!("{{{inner}}}: at most {WIDTH_MAX} digits"))?)
        }
        _ => (inner, 0),
    };
    if name.is_empty() {
        return Err("{} names no column".into());
    }
    Ok(Part::Column { name: name.to_owned(), width })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn fill(template: &str) -> String {
        let key = Template::parse(template)
            .unwrap()
            .fill(|_, name| match name {
                "a" => Ok(Cow::Borrowed("7")),
                "b:c" => Ok(Cow::Borrowed("x")),
                other => Err(other.to_owned()),
            })
            .unwrap();
        String::from_utf8(key).unwrap()
    }

    #[test]
    fn columns_are_filled_and_padded() {
        assert_eq!(fill("k/{a}"), "k/7");
        assert_eq!(fill("{a:03}{{}}"), "007{}");
        assert_eq!(fill("{b:c}-{a:01}"), "x-7");
    }

    #[test]
    fn slips_are_named() {
        for bad in ["", "plain", "{a", "a}", "{}", "{:02}", "{a:099}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
