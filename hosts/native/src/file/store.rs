//! The store and its uploads.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MAX_LIST_PAGE, MultipartUpload, ObjectMeta, ObjectStore, PutCondition,
    Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

use super::blocking::{io_error, run, run_with};
use super::key::path_of;
use super::write::Temporary;
use super::{list, read, write};

/// A folder whose files are objects. See the [module](self).
///
/// Safe between processes on one machine. A version is a hash of the content for everything under a `manifest` folder and
/// for everything up to 64 KiB; for larger objects, which are written once, it is made of size, time and inode. Every write
/// is on the disk when it is answered. Names that leave the folder are refused as invalid arguments; `*.attrs` and names that
/// begin with `.isledb-` are not objects.
#[derive(Clone)]
pub struct FileStore {
    root: Arc<Path>,
    page_size: usize,
    /// Folders in which this process has looked for what dead processes left.
    swept: Arc<Mutex<HashSet<PathBuf>>>,
}

impl FileStore {
    /// The folder `root`, which need not exist: it is made with the first object.
    pub fn new(root: impl Into<PathBuf>) -> FileStore {
        FileStore { root: root.into().into(), page_size: MAX_LIST_PAGE, swept: Arc::default() }
    }

    /// The same folder with pages of at most `page_size` objects (1 to 1,000; others are brought into this range).
    pub fn with_page_size(mut self, page_size: usize) -> FileStore {
        self.page_size = page_size.clamp(1, MAX_LIST_PAGE);
        self
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Once for every folder, before its first write.
    fn sweep(&self, target: &Path) {
        let Some(folder) = target.parent() else { return };
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.insert(folder.to_owned()) {
            drop(swept);
            write::remove_abandoned(target);
        }
    }
}

impl ObjectStore for FileStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let (path, key) = (path_of(&self.root, key)?, Arc::from(key));
            let asked = options.range.clone();
            run_with(|| read::room_for(asked), move |room| read::get(key, &path, options, room)).await
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            let (path, key) = (path_of(&self.root, key)?, key.to_owned());
            run(move || read::head(&key, &path)).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let (path, key, store) = (path_of(&self.root, key)?, key.to_owned(), self.clone());
            run(move || {
                store.sweep(&path);
                write::put(&key, path, &body, &condition)
            })
            .await
        })
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let (path, key, store) = (path_of(&self.root, key)?, key.to_owned(), self.clone());
            run(move || {
                store.sweep(&path);
                let temporary = Temporary::create(path).map_err(|error| io_error(&key, &error))?;
                let upload =
                    Upload { temporary: Arc::new(temporary), key, begun: 0, end: 0, arrived: Arc::default() };
                Ok(Box::new(upload) as Box<dyn MultipartUpload>)
            })
            .await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            let (root, page_size) = (self.root.clone(), self.page_size);
            let (prefix, start_after) = (prefix.to_owned(), start_after.map(str::to_owned));
            run(move || list::page(&root, &prefix, start_after.as_deref(), page_size)).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            let (root, keys) = (self.root.clone(), keys.to_vec());
            run(move || {
                let delete = |key: &String| path_of(&root, key).and_then(|path| write::delete(key, &path));
                Ok(keys.iter().map(delete).collect())
            })
            .await
        })
    }
}

/// All parts go to their place in one temporary file: where a part begins is known when it is numbered.
struct Upload {
    temporary: Arc<Temporary>,
    key: String,
    begun: usize,
    end: u64,
    arrived: Arc<AtomicUsize>,
}

impl MultipartUpload for Upload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let (temporary, key, arrived) = (self.temporary.clone(), self.key.clone(), self.arrived.clone());
        let offset = self.end;
        self.begun += 1;
        self.end += part.len() as u64;
        Box::pin(run(move || {
            write::write_all_at(&temporary.file, &part, offset).map_err(|error| io_error(&key, &error))?;
            arrived.fetch_add(1, Ordering::AcqRel);
            Ok(())
        }))
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(run(move || {
            let Upload { temporary, key, begun, arrived, .. } = *self;
            let arrived = arrived.load(Ordering::Acquire);
            let temporary = Arc::into_inner(temporary).filter(|_| arrived == begun);
            let Some(temporary) = temporary else {
                let what = format!("{key}: complete with {arrived} of {begun} parts uploaded");
                return Err(Error::InvalidArgument { what });
            };
            temporary.publish(&key, &PutCondition::None)
        }))
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(run(move || {
            drop(self);
            Ok(())
        }))
    }
}
