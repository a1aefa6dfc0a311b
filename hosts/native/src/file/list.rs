//! Listing a tree of folders in the order of object names.

use std::fs;
use std::io;
use std::path::Path;

use isledb_core::Result;
use isledb_core::host::{ListPage, ObjectMeta};

use super::blocking::io_error;
use super::key::is_visible;
use super::read::modified_ms;

/// One page. Object names sort bytewise, a folder therefore as its name with a `/` behind it (`a-` before `a/b`).
pub(super) fn page(root: &Path, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
    let mut walk =
        Walk { prefix, start_after: start_after.unwrap_or_default(), limit, page: ListPage::default() };
    walk.folder(root, "").map_err(|error| io_error(prefix, &error))?;
    Ok(walk.page)
}

struct Walk<'a> {
    prefix: &'a str,
    start_after: &'a str,
    limit: usize,
    page: ListPage,
}

impl Walk<'_> {
    /// Takes what belongs to the page from the folder whose objects' names begin with `above`. Ends early when the page is
    /// full and more is known to follow.
    fn folder(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        for name in self.names(folder, above)? {
            if self.page.more {
                break;
            }
            if name.ends_with('/') {
                self.folder(&folder.join(&name), &format!("{above}{name}"))?;
            } else {
                self.object(&folder.join(&name), format!("{above}{name}"))?;
            }
        }
        Ok(())
    }

    /// Names in a folder that may matter, in order; those of folders end with a `/`.
    fn names(&self, folder: &Path, above: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            // Gone since it was seen, or never there: nothing in it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // Names that are no UTF-8 are not ours.
            let Some(mut name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if !is_visible(&name) {
                continue;
            }
            let mut kind = entry.file_type()?;
            if kind.is_symlink() {
                match fs::metadata(entry.path()) {
                    Ok(target) => kind = target.file_type(),
                    Err(_) => continue,
                }
            }
            if kind.is_dir() {
                name.push('/');
            }
            if self.may_matter(&format!("{above}{name}")) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn may_matter(&self, name: &str) -> bool {
        let (prefix, after) = (self.prefix, self.start_after);
        if name.ends_with('/') {
            (name.starts_with(prefix) || prefix.starts_with(name))
                && (name > after || after.starts_with(name))
        } else {
            name.starts_with(prefix) && name > after
        }
    }

    fn object(&mut self, file: &Path, key: String) -> io::Result<()> {
        let metadata = match fs::metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata?,
        };
        if self.page.objects.len() == self.limit {
            self.page.more = true;
            return Ok(());
        }
        let last_modified_ms = modified_ms(&metadata);
        self.page.objects.push(ObjectMeta { key, size: metadata.len(), version: None, last_modified_ms });
        Ok(())
    }
}
