use std::process::Command;

use tempfile::TempDir;

use super::*;

/// A folder with a store in it, `a`, that was settled, and whose process left something running.
fn made() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a");
    fs::create_dir(&data).unwrap();
    settle(&data).unwrap();
    fs::create_dir(data.join("events")).unwrap();
    leave_one(&data);
    (folder, data)
}

fn leave_one(data: &Path) {
    fs::create_dir_all(data.join(PROCESSES)).unwrap();
    fs::write(data.join(PROCESSES).join("left.json"), "{}").unwrap();
}

fn left(data: &Path) -> bool {
    data.join(PROCESSES).join("left.json").exists()
}

fn origin(data: &Path) -> Origin {
    serde_json::from_slice::<Identity>(&fs::read(data.join(IDENTITY)).unwrap()).unwrap().origin
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_store_that_is_where_it_was_made_stays_what_it_is() {
    let (_folder, data) = made();
    let before = fs::read(data.join(IDENTITY)).unwrap();
    settle(&data).unwrap();
    assert_eq!(fs::read(data.join(IDENTITY)).unwrap(), before);
    assert!(left(&data) && is_made_here(&data));
}

/// A backup that was resumed ended the programs of the original, which was at work.
#[test]
fn a_copy_is_another_store_and_knows_of_no_programs() {
    let (folder, data) = made();
    let backup = folder.path().join("b");
    copy(&data, &backup);
    assert!(!is_made_here(&backup));
    settle(&backup).unwrap();
    assert!(!left(&backup) && left(&data));
    assert_eq!(origin(&backup), Origin::Copied);
    leave_one(&backup);
    settle(&backup).unwrap();
    assert!(left(&backup), "what a copy starts is its own");
    assert!(!is_made_here(&backup) && is_made_here(&data));
}

/// The file system gives the number of the folder that was removed to the next one.
#[test]
fn a_backup_that_takes_the_place_of_the_original_is_a_copy() {
    let (folder, data) = made();
    copy(&data, &folder.path().join("b"));
    fs::remove_dir_all(&data).unwrap();
    copy(&folder.path().join("b"), &data);
    assert!(!is_made_here(&data));
    settle(&data).unwrap();
    assert!(!left(&data));
}

#[test]
fn a_folder_that_was_moved_is_the_same_store_and_nobody_vouches_for_its_place() {
    let (folder, data) = made();
    let there = folder.path().join("b");
    fs::rename(&data, &there).unwrap();
    assert!(!is_made_here(&there));
    // Something else may lie where it was.
    copy(&there, &data);
    settle(&there).unwrap();
    assert!(left(&there));
    assert_eq!(origin(&there), Origin::Moved);
    assert!(!is_made_here(&there));
    settle(&data).unwrap();
    assert!(!left(&data));
}

#[test]
fn a_folder_that_is_seen_under_another_path_is_the_same_store() {
    let (folder, data) = made();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    // As the folder is known where it is mounted twice.
    let path = link.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let here = FolderIdentity::of(&data).unwrap();
    let known = FolderIdentity { path, ..here.clone() };
    assert_eq!(relation(&known, &here, &data).unwrap(), Relation::Same);
    assert_eq!(relation(&here, &here, &data).unwrap(), Relation::Same);
}

#[test]
fn a_store_of_an_older_version_is_taken_as_it_is_and_not_vouched_for() {
    let (_folder, data) = made();
    fs::remove_file(data.join(IDENTITY)).unwrap();
    assert!(!is_made_here(&data));
    settle(&data).unwrap();
    assert!(left(&data));
    assert_eq!(origin(&data), Origin::Found);
    assert!(!is_made_here(&data));
}

#[test]
fn what_is_no_identity_makes_a_copy() {
    let (folder, data) = made();
    for noise in ["", "{}", "noise"] {
        leave_one(&data);
        fs::write(data.join(IDENTITY), noise).unwrap();
        assert!(!is_made_here(&data));
        settle(&data).unwrap();
        assert!(!left(&data));
    }
    fs::remove_file(data.join(IDENTITY)).unwrap();
    fs::write(folder.path().join("elsewhere"), "precious").unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), data.join(IDENTITY)).unwrap();
    assert!(settle(&data).is_err() && !is_made_here(&data));
    assert_eq!(fs::read_to_string(folder.path().join("elsewhere")).unwrap(), "precious");
}

#[test]
fn where_there_is_no_store_yet_one_would_be_made() {
    let folder = tempfile::tempdir().unwrap();
    assert!(is_made_here(&folder.path().join("absent")) && is_made_here(folder.path()));
    // What came with the folder is of no process of this machine.
    leave_one(folder.path());
    settle(folder.path()).unwrap();
    assert!(!left(folder.path()));
    assert_eq!(origin(folder.path()), Origin::Made);
}
