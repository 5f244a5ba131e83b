//! A file with a place for each program that is at work. It is made once, and nothing is opened, named or removed when a
//! program starts or ends: a place is written over. Each lies within a page of memory, which the kernel changes as one
//! when a process is killed; a power cut may leave anything, and leaves no program.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::files;

/// The length of a place, in bytes.
pub(super) const PLACE_BYTES: usize = 1024;

/// Far more programs than can be at work at once.
const PLACES_MAX: u64 = 64 * 1024;

/// What stands at the beginning of a place that is free.
const FREE: u8 = 0;

/// A place in which something stands, and what.
pub(super) type Taken = (usize, Vec<u8>);

/// The file of places, which is open for as long as this lives.
#[derive(Debug)]
pub(super) struct Table {
    file: File,
    /// How many places there are.
    count: usize,
    free: Vec<usize>,
}

impl Table {
    /// Opens the file, or makes it; answers what stands in its places.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Taken>)> {
        let file = files::update(path)?;
        let mut content = Vec::new();
        (&file).take(PLACES_MAX * PLACE_BYTES as u64).read_to_end(&mut content)?;
        let places =
            content.chunks(PLACE_BYTES).map(|place| match place.split(|byte| *byte == b'\n').next() {
                Some(text) if text.first().is_some_and(|byte| *byte != FREE) => Some(text.to_vec()),
                _ => None,
            });
        let places: Vec<_> = places.collect();
        let free =
            (0..places.len()).filter(|place| places.get(*place).is_some_and(Option::is_none)).collect();
        let table = Self { file, count: places.len(), free };
        let taken = places.into_iter().enumerate().filter_map(|(place, text)| Some((place, text?)));
        Ok((table, taken.collect()))
    }

    /// A place that nothing stands in.
    pub(super) fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }

    /// Writes one line into a place, over what stands there.
    pub(super) fn put(&self, place: usize, line: &[u8]) -> io::Result<()> {
        if line.len() >= PLACE_BYTES {
            return Err(io::Error::other("it is too long for its place"));
        }
        self.file.write_all_at(&[line, b"\n"].concat(), (place * PLACE_BYTES) as u64)
    }

    /// Makes a place free.
    pub(super) fn clear(&mut self, place: usize) -> io::Result<()> {
        self.file.write_all_at(&[FREE], (place * PLACE_BYTES) as u64)?;
        self.free.push(place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_nothing_is_left_of_what_stood_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let (mut table, taken) = Table::open(&path).unwrap();
        assert!(taken.is_empty());
        let places = [table.take(), table.take(), table.take()];
        assert_eq!(places, [0, 1, 2]);
        for place in places {
            table.put(place, format!("a long line for place {place}").as_bytes()).unwrap();
        }
        table.clear(1).unwrap();
        table.put(2, b"short").unwrap();
        let (mut table, taken) = Table::open(&path).unwrap();
        assert_eq!(taken, [(0, b"a long line for place 0".to_vec()), (2, b"short".to_vec())]);
        assert_eq!([table.take(), table.take()], [1, 3]);
        assert!(table.put(1, &[b'x'; PLACE_BYTES]).is_err());
    }
}
