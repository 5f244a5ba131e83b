//! The content of the files that globs name in a work folder, as hashes. Nothing outside of the folder is read, be it by a path or
//! through a link.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use walkdir::{DirEntry, WalkDir};

use crate::events::ids::Hash;
use crate::workflow::cache::{check_glob, glob};

/// How many files a key may hang on.
pub(super) const FILES_MAX: usize = 10_000;

/// How many files and folders are looked at for that.
pub(super) const LOOKED_AT_MAX: usize = 200_000;

/// How much is read for a key, in bytes: a disk of today takes a few seconds for it.
pub(super) const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The files that these globs name, by their paths in the folder, each with the hash of its content.
///
/// # Errors
/// Why that cannot be known, in a sentence.
pub(super) fn of(folder: &Path, globs: &[Arc<str>]) -> Result<BTreeMap<String, Hash>, String> {
    let root = folder.canonicalize().map_err(|error| told(folder, &error))?;
    let (mut named, mut looked_at) = (BTreeSet::new(), 0);
    for text in globs {
        check_glob(text)?;
        name(&root, text, &mut named, &mut looked_at)?;
    }
    let (mut files, mut left) = (BTreeMap::new(), BYTES_MAX);
    for path in named {
        let hash = hash(&root.join(&path), &mut left)?;
        files.insert(path, hash);
    }
    Ok(files)
}

/// Adds the files that one glob names.
fn name(root: &Path, text: &str, named: &mut BTreeSet<String>, looked_at: &mut usize) -> Result<(), String> {
    let matcher = glob(text)?.compile_matcher();
    // As for a shell, what begins with a dot is meant only where that is said.
    let means_hidden = text.split('/').any(|part| part.starts_with('.') && part != ".");
    let base = root.join(literal(text));
    if base.symlink_metadata().is_err() || !is_inside(root, &base) {
        return Ok(());
    }
    let is_hidden = |entry: &DirEntry| {
        entry.depth() > 0 && entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
    };
    let walk = WalkDir::new(&base).follow_links(false).into_iter();
    for entry in walk.filter_entry(|entry| means_hidden || !is_hidden(entry)) {
        *looked_at += 1;
        if *looked_at > LOOKED_AT_MAX {
            return Err(format!("`{text}` and the globs before it look at more than {LOOKED_AT_MAX} files"));
        }
        let entry = match entry {
            Ok(entry) => entry,
            // It was there a moment ago.
            Err(error) if error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound) => {
                continue;
            }
            Err(error) => return Err(format!("`{text}`: {error}")),
        };
        let Ok(path) = entry.path().strip_prefix(root) else { continue };
        if !matcher.is_match(path) || !is_file(root, &entry) {
            continue;
        }
        let Some(path) = path.to_str() else {
            return Err(format!("`{text}` names a file whose name is no text: {}", path.display()));
        };
        named.insert(path.to_owned());
        if named.len() > FILES_MAX {
            return Err(format!("the globs name more than {FILES_MAX} files, with `{text}`"));
        }
    }
    Ok(())
}

/// The part of a glob before the first that means several names.
fn literal(text: &str) -> PathBuf {
    let parts = text.split('/').take_while(|part| !part.contains(['*', '?', '[', '{', '\\']));
    parts.filter(|part| !part.is_empty() && *part != ".").collect()
}

/// Whether it is a file in the folder, itself or through a link.
fn is_file(root: &Path, entry: &DirEntry) -> bool {
    match entry.file_type() {
        kind if kind.is_file() => true,
        kind if kind.is_symlink() => is_inside(root, entry.path()) && entry.path().is_file(),
        _ => false,
    }
}

fn is_inside(root: &Path, path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| {
        path.starts_with(root) && !path.components().any(|part| part == Component::ParentDir)
    })
}

fn hash(path: &Path, left: &mut u64) -> Result<Hash, String> {
    let mut file = File::open(path).map_err(|error| told(path, &error))?;
    let (mut hasher, mut chunk) = (blake3::Hasher::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok(Hash(*hasher.finalize().as_bytes())),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(told(path, &error)),
        };
        *left = left.checked_sub(read as u64).ok_or_else(|| {
            format!("the files have more than {} MiB together, with {}", BYTES_MAX >> 20, path.display())
        })?;
        hasher.update(chunk.get(..read).unwrap_or_default());
    }
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path, globs: &[&str]) -> Vec<String> {
        let globs: Vec<Arc<str>> = globs.iter().map(|glob| Arc::from(*glob)).collect();
        of(folder, &globs).unwrap().into_keys().collect()
    }

    #[test]
    fn globs_name_files_of_the_folder_and_no_others() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("src/deep")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        fs::write(outside.path().join("secret.rs"), "s").unwrap();
        for file in ["a.rs", "src/b.rs", "src/deep/c.rs", "src/d.txt", ".git/e.rs", ".f.rs"] {
            fs::write(at(file), file).unwrap();
        }
        symlink(outside.path().join("secret.rs"), at("link.rs")).unwrap();
        symlink(outside.path(), at("src/out")).unwrap();
        symlink(at("a.rs"), at("src/again.rs")).unwrap();
        assert_eq!(names(folder.path(), &["**/*.rs"]), ["a.rs", "src/again.rs", "src/b.rs", "src/deep/c.rs"]);
        assert_eq!(names(folder.path(), &["src/*"]), ["src/again.rs", "src/b.rs", "src/d.txt"]);
        assert_eq!(names(folder.path(), &["a.rs", "src/{b,x}.rs"]), ["a.rs", "src/b.rs"]);
        assert_eq!(names(folder.path(), &[".git/*", ".f.rs"]), [".f.rs", ".git/e.rs"]);
        assert_eq!(names(folder.path(), &["src/out/*", "link.rs", "none/*"]), [""; 0]);
        let globs = |text: &str| of(folder.path(), &[Arc::from(text)]);
        for bad in ["../*", "/etc/passwd"] {
            assert!(globs(bad).is_err(), "{bad}");
        }
        let before = globs("a.rs").unwrap();
        fs::write(at("a.rs"), "other").unwrap();
        assert_ne!(before, globs("a.rs").unwrap());
    }

    #[test]
    fn more_than_may_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "12345").unwrap();
        let path = folder.path().join("a");
        assert!(hash(&path, &mut 5).is_ok());
        let why = hash(&path, &mut 4).unwrap_err();
        assert!(why.contains("more than 1024 MiB together"), "{why}");
        assert!(hash(&folder.path().join("none"), &mut 4).unwrap_err().contains("cannot be read"));
    }
}
