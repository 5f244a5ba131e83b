use std::sync::Arc;

use super::kit::{commit, head_after, noise, stream};
use super::{Broken, same, went};
use crate::events::ids::Hash;
use crate::events::json::{Blob, BlobRef};
use crate::store::{EventStore, Head};

type Store = Arc<dyn EventStore>;

/// Lengths around the bounds at which stores may change how they keep a blob, in bytes.
const SIZES: [usize; 10] = [0, 1, 512, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 1_000_000];

async fn append(store: &Store, head: Option<Head>, blobs: Vec<Blob>) -> Result<Option<Head>, Broken> {
    let next = went("sealing", commit(&stream("blobs"), head, &["with blobs"]))?;
    let head = head_after(&next);
    went("append", store.append(next, blobs).await)?;
    Ok(Some(head))
}

fn sorted(blobs: &[Blob]) -> Vec<BlobRef> {
    let mut references: Vec<_> = blobs.iter().map(|blob| blob.reference).collect();
    references.sort_by_key(|reference| reference.hash);
    references
}

pub(super) async fn sizes(store: &Store) -> Result<(), Broken> {
    let blobs: Vec<_> = (0..).zip(SIZES).map(|(seed, size)| Blob::new(noise(seed, size))).collect();
    append(store, None, blobs.clone()).await?;
    for blob in &blobs {
        let found = went("blob", store.blob(&blob.reference.hash))?;
        let size = blob.bytes.len();
        same(&format!("a blob of {size} bytes"), &(found.as_ref() == Some(&blob.bytes)), &true)?;
    }
    same("another blob", &went("blob", store.blob(&Hash::of(b"another")))?, &None)?;
    same("the list", &went("blobs", store.blobs(None, 100).await)?, &sorted(&blobs))
}

pub(super) async fn once(store: &Store) -> Result<(), Broken> {
    let blobs = [Blob::new(noise(1, 600)), Blob::new(noise(2, 100_000))];
    let mut head = None;
    for _ in 0..3 {
        head = append(store, head, blobs.to_vec()).await?;
    }
    // Twice in one commit.
    append(store, head, [blobs.to_vec(), blobs.to_vec()].concat()).await?;
    same("the list", &went("blobs", store.blobs(None, 100).await)?, &sorted(&blobs))
}

pub(super) async fn order(store: &Store) -> Result<(), Broken> {
    // Both those that are kept with events and those that are not.
    let blobs: Vec<_> =
        (0..24).map(|seed| Blob::new(noise(seed, if seed % 4 == 0 { 70_000 } else { 5_000 }))).collect();
    append(store, None, blobs.clone()).await?;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = went("blobs", store.blobs(after, 5).await)?;
        let Some(last) = page.last() else { break };
        after = Some(last.hash);
        found.extend(page);
    }
    same("the list in pages", &found, &sorted(&blobs))
}
