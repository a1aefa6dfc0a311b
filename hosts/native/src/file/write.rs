//! Changing objects.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use isledb_core::host::{PutCondition, Version};
use isledb_core::{Error, Result};

use super::blocking::io_error;
use super::key::{LOCK_NAME, TEMPORARY_PREFIX, sidecar_of};
use super::read;

/// A temporary file of this age belongs to a process that died: nobody writes one object for so long.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A file that is being written, invisible until it is published. Dropped before that, it is removed.
pub(super) struct Temporary {
    pub(super) file: File,
    path: Option<PathBuf>,
    target: PathBuf,
}

impl Temporary {
    /// A new file in the folder of `target`, which is made if it is not there.
    pub(super) fn create(target: PathBuf) -> io::Result<Temporary> {
        let folder = folder_of(&target)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{TEMPORARY_PREFIX}{}-{:016x}", std::process::id(), u64::from_le_bytes(random));
        let path = folder.join(name);
        let create = || OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_folders(folder)?;
                create()?
            }
            created => created?,
        };
        Ok(Temporary { file, path: Some(path), target })
    }

    /// Makes the file the object, if `condition` holds. On success it is on the disk, its name too.
    pub(super) fn publish(mut self, key: &str, condition: &PutCondition) -> Result<Version> {
        let fail = |error: io::Error| match io_error(key, &error) {
            // It is the folder that is in the way, or gone; there is no object to be missing.
            Error::NotFound { object } => Error::Unavailable { object, message: error.to_string() },
            other => other,
        };
        self.file.sync_all().map_err(fail)?;
        let version = read::version_of_file(key, &self.file).map_err(fail)?;
        let folder = folder_of(&self.target).map_err(fail)?;
        let _lock = lock(folder).map_err(fail)?;
        let holds = match condition {
            PutCondition::None => true,
            PutCondition::IfAbsent => !self.target.try_exists().map_err(fail)?,
            PutCondition::IfMatch(expected) => read::version(key, &self.target)?.as_ref() == Some(expected),
        };
        if !holds {
            return Err(Error::Precondition { object: key.to_owned() });
        }
        if self.target.is_dir() {
            let what = format!(
                "object name {key:?}: there are objects below this name, and a folder cannot hold both"
            );
            return Err(Error::InvalidArgument { what });
        }
        remove_if_there(&sidecar_of(&self.target)).map_err(fail)?;
        if let Some(path) = &self.path {
            fs::rename(path, &self.target).map_err(fail)?;
            self.path = None;
        }
        sync_folder(folder).map_err(fail)?;
        Ok(version)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Best effort: what is left is taken for abandoned in a day.
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes a whole object.
pub(super) fn put(key: &str, target: PathBuf, body: &[u8], condition: &PutCondition) -> Result<Version> {
    // A condition that does not hold now is not worth writing the body for; one that does is decided under the lock.
    if *condition == PutCondition::IfAbsent && target.is_file() {
        return Err(Error::Precondition { object: key.to_owned() });
    }
    let write = || {
        let mut temporary = Temporary::create(target)?;
        temporary.file.write_all(body)?;
        Ok(temporary)
    };
    let temporary = write().map_err(|error: io::Error| match io_error(key, &error) {
        Error::NotFound { .. } => Error::InvalidArgument {
            what: format!("object name {key:?}: part of it is the name of an object"),
        },
        other => other,
    })?;
    temporary.publish(key, condition)
}

/// Deletes an object; a missing one is a success.
pub(super) fn delete(key: &str, path: &Path) -> Result<()> {
    let remove = || {
        let folder = folder_of(path)?;
        if !path.try_exists()? {
            return Ok(());
        }
        let _lock = lock(folder)?;
        remove_if_there(&sidecar_of(path))?;
        remove_if_there(path)?;
        sync_folder(folder)
    };
    match remove().map_err(|error| io_error(key, &error)) {
        // No object at this name, or a folder.
        Err(Error::NotFound { .. }) => Ok(()),
        answer => answer,
    }
}

/// Removes the temporary files that dead processes left in the folder of `target`. Best effort.
pub(super) fn remove_abandoned(target: &Path) {
    let Some(entries) = target.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return };
    let now = SystemTime::now();
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY_PREFIX)) {
            continue;
        }
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
        if age.is_some_and(|age| age > ABANDONED_AFTER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Waits for the lock of a folder. It is let go when the file is dropped, and by the system when the process dies.
fn lock(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join(LOCK_NAME))?;
    file.lock()?;
    Ok(file)
}

fn folder_of(file: &Path) -> io::Result<&Path> {
    file.parent().ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        answer => answer,
    }
}

/// Makes a folder and those above it, and their names durable.
fn create_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        if let Some(above) = made.parent().filter(|above| !above.as_os_str().is_empty()) {
            sync_folder(above)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

/// Makes names in a folder durable. Only Unix lets one open a folder for that; elsewhere a rename is journalled.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
