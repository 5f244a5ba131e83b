//! Blobs that are too long for the tree: files under `blobs/`, named by their hash.
//!
//! A file is written under another name, synced, renamed, and its folder synced, all before the commit that refers to
//! it is queued. So a file with the name of a hash is whole, unless the disk changed it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Durability;
use crate::events::ids::Hash;
use crate::events::json::{Blob, BlobRef};

/// Files under another name than a hash's are unfinished.
const UNFINISHED: &str = ".unfinished-";

/// The folder of long blobs.
#[derive(Debug)]
pub(super) struct BlobFiles {
    folder: PathBuf,
    durability: Durability,
    unfinished: AtomicU64,
}

impl BlobFiles {
    /// Takes over the folder, and removes what nobody finished.
    pub(super) fn open(folder: PathBuf, durability: Durability) -> io::Result<Self> {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder, durability, unfinished: AtomicU64::new(0) })
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        self.folder.join(hash.to_string())
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
        self.sync(&File::open(&self.folder)?)
    }

    fn write(&self, blob: &Blob, path: &Path) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{UNFINISHED}{number}"));
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(&blob.bytes)?;
            self.sync(&file)
        });
        written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
            // The room that it takes may be what the next one needs. If this fails too, the next start removes it.
            let _ = fs::remove_file(&unfinished);
        })
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
        for entry in fs::read_dir(&self.folder)? {
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
