use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A folder with a file that is somebody's, and a place for one of ours.
fn scene() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (precious, ours) = (folder.path().join("precious"), folder.path().join("ours"));
    fs::write(&precious, "precious").unwrap();
    (folder, precious, ours)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let (_folder, precious, ours) = scene();
    for target in [precious.as_path(), Path::new("/nowhere/at/all"), Path::new("/dev/null")] {
        let _ = fs::remove_file(&ours);
        symlink(target, &ours).unwrap();
        for opened in [read(&ours), update(&ours)] {
            let error = opened.unwrap_err();
            assert!(NotPlain::is_why(&error), "{error}");
        }
        create(&ours).unwrap().write_all(b"ours").unwrap();
        assert!(fs::symlink_metadata(&ours).unwrap().is_file());
    }
    symlink(&precious, ours.with_extension("new")).unwrap();
    replace(&ours, b"ours").unwrap();
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[test]
fn a_link_in_the_place_of_a_folder_is_not_followed() {
    let (folder, precious, ours) = scene();
    symlink(folder.path(), &ours).unwrap();
    for refused in [
        super::folder(&ours),
        check_all(&ours),
        replace(&ours.join("precious"), b""),
        read(&ours.join("precious")).map(drop),
    ] {
        assert!(NotPlain::is_why(&refused.unwrap_err()));
    }
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[test]
fn a_file_with_a_second_name_is_not_changed() {
    let (folder, precious, ours) = scene();
    fs::hard_link(&precious, &ours).unwrap();
    assert!(NotPlain::is_why(&update(&ours).unwrap_err()));
    assert!(NotPlain::is_why(&check_all(folder.path()).unwrap_err()));
    replace(&ours, b"ours").unwrap();
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[test]
fn a_pipe_or_a_folder_in_the_place_of_a_file_is_refused_at_once() {
    let (folder, _, ours) = scene();
    assert!(std::process::Command::new("mkfifo").arg(&ours).status().unwrap().success());
    for opened in [read(&ours), update(&ours), read(folder.path()), update(folder.path())] {
        assert!(NotPlain::is_why(&opened.unwrap_err()));
    }
}

#[test]
fn what_is_made_is_its_owners_only_and_what_was_open_is_closed() {
    let (folder, _, ours) = scene();
    let deep = folder.path().join("a/b/c");
    folders(&deep).unwrap();
    let made = [folder.path().join("a"), folder.path().join("a/b"), deep.clone()];
    assert_eq!(made.each_ref().map(|folder| mode(folder)), [0o700; 3]);
    create(&deep.join("new")).unwrap();
    assert_eq!(mode(&deep.join("new")), 0o600);
    for open in [&ours, &deep.join("old")] {
        fs::write(open, "").unwrap();
        fs::set_permissions(open, Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(&deep, Permissions::from_mode(0o755)).unwrap();
    update(&ours).unwrap();
    check_all(&made[0]).unwrap();
    assert_eq!((mode(&ours), mode(&deep), mode(&deep.join("old"))), (0o600, 0o700, 0o600));
}
