//! Blobs that are too long for the tree: files under `blobs/`, named by their hash.
//!
//! A file is written under another name, synced, renamed, and its folder synced, all before the commit that
//! refers to it is queued. So a file with the name of a hash is whole, unless the disk changed it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use super::Durability;
use super::whole::WholeFiles;
use crate::events::ids::Hash;
use crate::events::json::{Blob, BlobRef};
use crate::events::limits::BLOB_BYTES_MAX;

/// From this length on, in bytes, a file is hashed before it is read into memory: a damaged one
/// may have any length.
const PROVED_FROM_BYTES: u64 = 64 * 1024 * 1024;

/// What was found under the name of a blob.
pub(super) enum BlobFile {
    /// There is no file of that name.
    None,
    /// The content, which has that hash.
    Whole(Vec<u8>),
    /// A file with another content.
    Another,
}

/// The hash of a file, which is read piece by piece.
fn hash_of(file: &mut File) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = match file.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            length => length?,
        };
        if length == 0 {
            return Ok(Hash(*hasher.finalize().as_bytes()));
        }
        hasher.update(piece.get(..length).unwrap_or_default());
    }
}

/// The folder of long blobs.
#[derive(Debug)]
pub(super) struct BlobFiles {
    files: WholeFiles,
    durability: Durability,
}

impl BlobFiles {
    /// The long blobs in that folder.
    pub(super) fn of(files: WholeFiles, durability: Durability) -> Self {
        Self { files, durability }
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        self.files.folder().join(hash.to_string())
    }

    /// Makes a blob durable. It is not enough that its file is there: the process that renamed it may have
    /// died before it synced the folder.
    pub(super) fn store(&self, blob: &Blob) -> io::Result<()> {
        let path = self.path(&blob.reference.hash);
        match crate::files::read(&path) {
            Ok(file) if file.metadata()?.len() == blob.reference.size_bytes => self.sync(&file)?,
            Ok(_) => self.write(blob, &path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write(blob, &path)?,
            Err(error) => return Err(error),
        }
        self.sync(&File::open(self.files.folder())?)
    }

    fn write(&self, blob: &Blob, path: &Path) -> io::Result<()> {
        self.files.write(path, &[&blob.bytes], |file| self.sync(file))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        match self.durability {
            Durability::Power => file.sync_all(),
            Durability::Process => Ok(()),
        }
    }

    /// What is stored under the name of a blob.
    pub(super) fn read(&self, hash: &Hash) -> io::Result<BlobFile> {
        let Some(mut file) = self.files.read(&self.path(hash))? else { return Ok(BlobFile::None) };
        let size_bytes = file.metadata()?.len();
        if size_bytes > BLOB_BYTES_MAX || size_bytes > PROVED_FROM_BYTES && hash_of(&mut file)? != *hash {
            return Ok(BlobFile::Another);
        }
        let mut content = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
        file.rewind()?;
        file.take(size_bytes).read_to_end(&mut content)?;
        Ok(if Hash::of(&content) == *hash { BlobFile::Whole(content) } else { BlobFile::Another })
    }

    /// The blobs whose hashes come after `after`, in the order of hashes, at most `limit`.
    pub(super) fn list(&self, after: Option<Hash>, limit: usize) -> io::Result<Vec<BlobRef>> {
        let mut found = Vec::new();
        for name in self.files.names(self.files.folder())? {
            let hash = name.to_str().and_then(Hash::from_hex);
            found.extend(hash.filter(|hash| after.is_none_or(|after| *hash > after)));
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(limit);
        let sized = found.into_iter().filter_map(|hash| match self.files.read(&self.path(&hash)) {
            Ok(file) => Some(file?.metadata().map(|file| BlobRef { hash, size_bytes: file.len() })),
            Err(error) => Some(Err(error)),
        });
        sized.collect()
    }
}
