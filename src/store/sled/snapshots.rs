//! Snapshots: files under `snapshots/`, in a folder for each stream (named by the hash of the stream's name,
//! which may be longer than a file's), each named by its version in 20 digits.
//!
//! ```text
//! format: 1 byte · checksum: 32 · version: 8 · hash of the event: 32 · schema: 2 · the state
//! ```
//!
//! The checksum is the BLAKE3 hash of the stream's name and of all that follows. Files are never synced: they
//! are a cache, and commits would wait behind their syncs. What a power cut tears is found by its checksum.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use super::SledStore;
use super::whole::WholeFiles;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::files;
use crate::store::snapshot::{SNAPSHOT_BYTES_MAX, Snapshot};
use crate::store::{AppendError, ReadError};

/// The first byte of a file. Another layout gets another number.
const FORMAT: u8 = 1;

/// The bytes before those that the checksum covers.
const PREFIX_BYTES: usize = 1 + 32;

/// The bytes between the checksum and the state.
const HEADER_BYTES: usize = 8 + 32 + 2;

/// The number of digits of the largest version.
const NAME_DIGITS: usize = 20;

/// The folder of snapshots.
#[derive(Debug)]
pub(super) struct SnapshotFiles(WholeFiles);

impl SledStore {
    /// Reads snapshots while the store is open.
    pub(super) async fn read_snapshots<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SnapshotFiles) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.read(move |shared| shared.read(|_| work(&shared.snapshots))).await
    }

    /// Changes snapshots, if the store is open and takes changes. It waits neither for the writer nor for a
    /// turn to read, and the store goes on if it fails.
    pub(super) async fn change_snapshots(
        &self,
        work: impl FnOnce(&SnapshotFiles) -> io::Result<()> + Send + 'static,
    ) -> Result<(), AppendError> {
        if let Some(what) = self.shared.failure() {
            return Err(AppendError::Failed(what));
        }
        let changed = self.blocking(move |shared| shared.read(|_| Ok(work(&shared.snapshots)))).await;
        match changed.map_err(AppendError::Failed)? {
            Ok(changed) => changed.map_err(|error| AppendError::Failed(error.to_string())),
            Err(ReadError::Closed) => Err(AppendError::Closed),
            Err(error) => Err(AppendError::Failed(error.to_string())),
        }
    }
}

impl SnapshotFiles {
    /// The snapshots in that folder.
    pub(super) fn of(files: WholeFiles) -> Self {
        Self(files)
    }

    /// Saves a snapshot; one of that version is replaced.
    pub(super) fn save(&self, stream: &StreamId, snapshot: &Snapshot) -> io::Result<()> {
        files::folder(&self.folder(stream))?;
        let header = header(snapshot);
        let checksum = checksum(stream, &header, &snapshot.bytes);
        let content = [&[FORMAT], checksum.0.as_slice(), &header, &snapshot.bytes];
        self.0.write(&self.path(stream, snapshot.version), &content, |_| Ok(()))
    }

    /// The versions of which snapshots exist, in ascending order.
    pub(super) fn list(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError> {
        let failed = |error: io::Error| ReadError::Failed(error.to_string());
        let mut versions = Vec::new();
        for name in self.0.names(&self.folder(stream)).map_err(failed)? {
            let digits = name.to_str().filter(|name| name.len() == NAME_DIGITS);
            versions.extend(digits.and_then(|digits| digits.parse().ok()).map(Version));
        }
        versions.sort_unstable();
        versions.dedup();
        Ok(versions)
    }

    /// Removes a snapshot, if it is there.
    pub(super) fn remove(&self, stream: &StreamId, version: Version) -> io::Result<()> {
        files::if_there(fs::remove_file(self.path(stream, version)))
    }

    /// The snapshot of that version; none if it is not there.
    pub(super) fn read(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError> {
        let failed = |error: io::Error| ReadError::Failed(error.to_string());
        let Some(file) = self.0.read(&self.path(stream, version)).map_err(failed)? else { return Ok(None) };
        match read_whole(file, stream, version).map_err(failed)? {
            Some(snapshot) => Ok(Some(snapshot)),
            None => {
                let what = format!("the snapshot of `{stream}` at version {version} is not what was saved");
                Err(ReadError::Damaged { position: Position(0), what })
            }
        }
    }

    fn folder(&self, stream: &StreamId) -> PathBuf {
        self.0.folder().join(Hash::of(stream.as_str().as_bytes()).to_string())
    }

    fn path(&self, stream: &StreamId, version: Version) -> PathBuf {
        self.folder(stream).join(format!("{:0NAME_DIGITS$}", version.0))
    }
}

/// The snapshot, if the file holds all of it, of that stream and version.
fn read_whole(file: File, stream: &StreamId, version: Version) -> io::Result<Option<Snapshot>> {
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let state_bytes = size.checked_sub(PREFIX_BYTES + HEADER_BYTES);
    let Some(state_bytes) = state_bytes.filter(|bytes| *bytes <= SNAPSHOT_BYTES_MAX) else {
        return Ok(None);
    };
    let (mut prefix, mut header) = ([0; PREFIX_BYTES], [0; HEADER_BYTES]);
    let mut bytes = Vec::with_capacity(state_bytes);
    let mut file = file.take(size as u64);
    file.read_exact(&mut prefix)?;
    file.read_exact(&mut header)?;
    file.read_to_end(&mut bytes)?;
    let (&[format, ref told @ ..], snapshot) = (&prefix, with_header(&header, bytes));
    let is_whole = format == FORMAT
        && *told == checksum(stream, &header, &snapshot.bytes).0
        && snapshot.version == version;
    Ok(is_whole.then_some(snapshot))
}

fn header(snapshot: &Snapshot) -> Vec<u8> {
    let Snapshot { version, hash, schema, .. } = snapshot;
    [version.0.to_le_bytes().as_slice(), &hash.0, &schema.to_le_bytes()].concat()
}

fn with_header(header: &[u8; HEADER_BYTES], bytes: Vec<u8>) -> Snapshot {
    let (mut version, mut hash, mut schema) = ([0; 8], [0; 32], [0; 2]);
    let fields = version.iter_mut().chain(&mut hash).chain(&mut schema);
    fields.zip(header).for_each(|(field, byte)| *field = *byte);
    Snapshot {
        version: Version(u64::from_le_bytes(version)),
        hash: Hash(hash),
        schema: u16::from_le_bytes(schema),
        bytes,
    }
}

fn checksum(stream: &StreamId, header: &[u8], state: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(Hash::of(stream.as_str().as_bytes()).0.as_slice());
    hasher.update(header).update(state);
    Hash(*hasher.finalize().as_bytes())
}
