//! Blobs that are too long for the tree: files under `blobs/`, named by their hash.
//!
//! A file is written under another name, synced, renamed, and its folder synced, all before the commit that refers to
//! it is queued. So a file with the name of a hash is whole, unless the disk changed it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Durability;
use super::whole::WholeFiles;
use crate::events::ids::Hash;
use crate::events::json::{Blob, BlobRef};

/// The folder of long blobs.
#[derive(Debug)]
pub(super) struct BlobFiles {
    files: WholeFiles,
    durability: Durability,
}

impl BlobFiles {
    /// Takes over the folder, and removes what nobody finished.
    pub(super) fn open(folder: PathBuf, durability: Durability) -> io::Result<Self> {
        Ok(Self { files: WholeFiles::open(folder)?, durability })
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        self.files.folder().join(hash.to_string())
    }

    /// Makes a blob durable. That its file is there is not enough: the process that renamed it may have died before
    /// its sync.
    pub(super) fn store(&self, blob: &Blob) -> io::Result<()> {
        let path = self.path(&blob.reference.hash);
        match File::open(&path) {
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

    /// The content of a blob, if it is there.
    pub(super) fn read(&self, hash: &Hash) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(hash)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The blobs after a hash, in order, at most `limit`.
    pub(super) fn list(&self, after: Option<Hash>, limit: usize) -> io::Result<Vec<BlobRef>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.files.folder())? {
            let name = entry?.file_name();
            let hash = name.to_str().and_then(Hash::from_hex);
            found.extend(hash.filter(|hash| after.is_none_or(|after| *hash > after)));
        }
        found.sort_unstable();
        found.truncate(limit);
        found
            .into_iter()
            .map(|hash| Ok(BlobRef { hash, size_bytes: fs::metadata(self.path(&hash))?.len() }))
            .collect()
    }
}
