//! Folders of this machine.

use std::path::{Component, Path, PathBuf};

use isledb_core::{Error, Result};

use super::invalid;
use crate::FileStore;

/// The folder above the database's own is the store, its name the prefix. So keys in the manifest carry the name, which
/// is what the original IsleDB expects to find when it opens the folder above with that prefix.
pub(super) fn open(url: &str, path: &str, is_file_url: bool) -> Result<(FileStore, String)> {
    let path = if is_file_url { path_of_file_url(url, path)? } else { path.to_owned() };
    if path.is_empty() {
        return Err(invalid(url, "it names no folder"));
    }
    let path = resolve(Path::new(&path)).map_err(|error| invalid(url, &error.to_string()))?;
    match (path.parent(), path.file_name()) {
        (Some(above), Some(name)) => {
            let name = name.to_str().ok_or_else(|| invalid(url, "the folder's name is not UTF-8"))?;
            Ok((FileStore::new(above), name.to_owned()))
        }
        // The root of a file system.
        _ => Ok((FileStore::new(path), String::new())),
    }
}

/// Absolute, without `.` and `..`. Where the folders exist, their links are followed first, as the system does.
fn resolve(path: &Path) -> Result<PathBuf, std::io::Error> {
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let mut resolved = PathBuf::new();
    for component in std::path::absolute(path)?.components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
        if let Ok(found) = resolved.canonicalize() {
            resolved = found;
        }
    }
    Ok(resolved)
}

/// `/dir with%20blank` of `file:///dir with%20blank`: percent escapes are undone.
fn path_of_file_url(url: &str, rest: &str) -> Result<String> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(invalid(url, "a file URL names a folder of this machine: file:///dir"));
    }
    // file:///C:/dir
    let path = if cfg!(windows) { path.trim_start_matches('/') } else { path };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()];
        let value = |digit: Option<u8>| (digit? as char).to_digit(16);
        match (value(digits[0]), value(digits[1])) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(invalid(url, "'%' begins two hexadecimal digits")),
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::InvalidArgument { what: format!("{url:?}: it is not UTF-8") })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn opened(url: &str) -> (PathBuf, String) {
        let (store, prefix) = match url.strip_prefix("file://") {
            Some(rest) => open(url, rest, true).unwrap(),
            None => open(url, url, false).unwrap(),
        };
        (store.root().to_owned(), prefix)
    }

    #[test]
    fn the_last_name_is_the_prefix() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(opened("/none/such/db"), ("/none/such".into(), "db".into()));
        assert_eq!(opened("/none/such/../db/"), ("/none".into(), "db".into()));
        assert_eq!(opened("file:///none/such%20/d%62"), ("/none/such ".into(), "db".into()));
        assert_eq!(opened("file://localhost/none/db"), ("/none".into(), "db".into()));
        assert_eq!(opened("./some-db"), (here.clone(), "some-db".into()));
        assert_eq!(opened("some-db"), (here.clone(), "some-db".into()));
        assert_eq!(
            opened("."),
            (here.parent().unwrap().into(), here.file_name().unwrap().to_str().unwrap().into())
        );
        assert_eq!(opened("/"), ("/".into(), String::new()));
    }

    #[test]
    fn percent_must_be_followed_by_digits() {
        for bad in ["file:///a%", "file:///a%4", "file:///a%zz", "file:///%ff", "file://"] {
            assert!(open(bad, &bad["file://".len()..], true).is_err(), "{bad}");
        }
    }
}
