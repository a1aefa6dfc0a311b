//! From object names to paths, and which names are ours.

use std::path::{Path, PathBuf};

use isledb_core::{Error, Result};

/// What the original IsleDB puts beside its objects.
pub(super) const SIDECAR_SUFFIX: &str = ".attrs";
/// Everything that we put beside objects begins so.
pub(super) const OWN_PREFIX: &str = ".isledb-";
/// The file whose advisory lock is held while a name in its folder changes. It is never removed.
pub(super) const LOCK_NAME: &str = ".isledb-lock";
/// Files that are being written.
pub(super) const TEMPORARY_PREFIX: &str = ".isledb-tmp-";

/// The file of an object.
///
/// Errors: `InvalidArgument` for a name that would leave the folder (`..`, an absolute path, a drive), that is not
/// `/`-separated text (empty or `.` segments, a NUL, a backslash), or that is kept for sidecars, locks and temporary files.
pub(super) fn path_of(root: &Path, key: &str) -> Result<PathBuf> {
    let refuse = |why: &str| Err(Error::InvalidArgument { what: format!("object name {key:?}: {why}") });
    let mut path = root.to_path_buf();
    for segment in key.split('/') {
        match segment {
            "" => return refuse("it is empty, or begins or ends with '/', or has '//' in it"),
            "." | ".." => return refuse("it leaves the folder"),
            _ if segment.contains(['\0', '\\']) => return refuse("NUL and '\\' do not go into file names"),
            _ if cfg!(windows) && segment.contains(':') => return refuse("':' does not go into file names"),
            _ if !is_visible(segment) => return refuse("such names are kept for the folder's own files"),
            _ => path.push(segment),
        }
    }
    Ok(path)
}

/// True where a file of that name may be an object, and a folder may contain some.
pub(super) fn is_visible(name: &str) -> bool {
    !name.starts_with(OWN_PREFIX) && !name.ends_with(SIDECAR_SUFFIX)
}

/// The sidecar of an object's file.
pub(super) fn sidecar_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(SIDECAR_SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_folder() {
        let root = Path::new("/r");
        assert_eq!(path_of(root, "db/manifest/CURRENT").unwrap(), Path::new("/r/db/manifest/CURRENT"));
        assert_eq!(path_of(root, "...").unwrap(), Path::new("/r/..."));
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "a/./b",
            "a\0b",
            "a\\b",
            "db/.isledb-lock",
            ".isledb-tmp-1",
            "a/CURRENT.attrs",
            "x.attrs/y",
        ] {
            assert!(path_of(root, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sidecars_are_named_as_the_original_names_them() {
        assert_eq!(sidecar_of(Path::new("/r/m/CURRENT")), Path::new("/r/m/CURRENT.attrs"));
    }
}
