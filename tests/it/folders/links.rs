//! Data folders that others made, with links in the place of files; and what is made, for its owner only.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::{all, code_of, failed};
use crate::support::Sandbox;

/// `list` in a clone emptied what the link `lock` pointed to, and wrote over what `mark` did.
#[test]
fn no_file_of_a_store_is_opened_through_a_link() {
    let sandbox = failed();
    let (data, home) = (sandbox.data(), sandbox.root().join("precious"));
    fs::create_dir_all(home.join("folder")).unwrap();
    fs::write(home.join("file"), "precious").unwrap();
    fs::write(home.join("folder/file"), "precious").unwrap();
    let before = all(&home);
    // Whoever opens it again leaves a snapshot of sled's.
    sandbox.json(1, &["resume", "one"]);
    let snapshot = fs::read_dir(data.join("events")).unwrap().map(|entry| entry.unwrap().file_name());
    let snapshot = snapshot.into_iter().find(|name| name.to_string_lossy().starts_with("snap")).unwrap();
    let snapshot = format!("events/{}", snapshot.to_string_lossy());
    for name in
        ["lock", "mark", "identity", "events/db", "events/conf", &snapshot, "events", "blobs", "snapshots"]
    {
        let (place, aside) = (data.join(name), sandbox.root().join("aside"));
        fs::rename(&place, &aside).unwrap();
        let target = if aside.is_dir() { home.join("folder") } else { home.join("file") };
        symlink(target, &place).unwrap();
        for verb in [["list"].as_slice(), &["verify"], &["resume", "--all"], &["cancel", "one"]] {
            let ended = sandbox.reenact(&[&["--json"], verb].concat());
            assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4011"), "{name}: {ended}");
        }
        assert!(all(&home) == before, "{name} was followed");
        fs::remove_file(&place).unwrap();
        fs::rename(&aside, &place).unwrap();
    }
    assert_eq!(sandbox.status("one")["status"], "failed");
}

/// These are written while a run is at work.
#[test]
fn what_a_run_leaves_for_people_and_for_the_next_process_goes_through_no_link() {
    let sandbox = failed();
    let (data, home) = (sandbox.data(), sandbox.root().join("precious"));
    fs::create_dir_all(home.join("other")).unwrap();
    fs::write(home.join("file"), "precious").unwrap();
    let before = all(&home);
    sandbox.write("asks.yaml", "name: asks\nsteps:\n  - {id: a, run: 'true', approve: before}\n");
    fs::create_dir_all(data.join("runs")).unwrap();
    symlink(home.join("other"), data.join("runs/asks")).unwrap();
    assert_eq!(sandbox.reenact(&["run", "asks.yaml", "--id", "asks"]).code(), Some(4));
    fs::remove_dir_all(data.join("runs")).unwrap();
    for name in ["runs", "processes", "control.sock", "control.new"] {
        let _ = fs::remove_dir_all(data.join(name));
        symlink(if name.contains('.') { home.join("file") } else { home.join("other") }, data.join(name))
            .unwrap();
    }
    sandbox.reenact(&["run", "asks.yaml", "--id", "again"]);
    sandbox.reenact(&["run", "bad.yaml", "--id", "two"]);
    assert!(all(&home) == before, "a link was followed");
}

#[test]
fn a_lock_with_a_second_name_is_not_emptied() {
    let sandbox = failed();
    let precious = sandbox.work("precious");
    fs::write(&precious, "precious").unwrap();
    fs::remove_file(sandbox.data().join("lock")).unwrap();
    fs::hard_link(&precious, sandbox.data().join("lock")).unwrap();
    let ended = sandbox.reenact(&["--json", "list"]);
    assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4011"), "{ended}");
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

/// What others may do with what is below a folder, beside the socket, which is closed anyway.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open: Vec<_> = all(folder)
        .into_iter()
        .filter(|(_, (mode, _, _))| mode & 0o077 != 0)
        .map(|(path, (mode, _, _))| format!("{} {mode:o}", path.display()))
        .collect();
    let mode = fs::metadata(folder).unwrap().permissions().mode();
    open.extend((mode & 0o077 != 0).then(|| format!("{} {mode:o}", folder.display())));
    open
}

#[test]
fn what_is_made_is_its_owners_only_whatever_the_umask() {
    let sandbox = Sandbox::new();
    sandbox
        .write("w.yaml", "name: w\nsteps:\n  - {id: a, run: 'head -c 200000 /dev/zero', approve: before}\n");
    let run = |data: &str, umask: &str, verb: &[&str]| {
        let inner = sandbox.command(verb);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(sandbox.work(""));
        command.env("REENACT_DATA", sandbox.root().join(data));
        command.output().unwrap().status.code()
    };
    for umask in ["0", "022", "077"] {
        let (above, data) = (format!("above{umask}"), format!("above{umask}/data"));
        assert_eq!(run(&data, umask, &["run", "w.yaml", "--id", "r"]), Some(4));
        assert_eq!(run(&data, umask, &["approve", "r", "a"]), Some(0));
        assert_eq!(run(&data, umask, &["resume", "r"]), Some(0));
        assert_eq!(open_to_others(&sandbox.root().join(above)), [] as [String; 0], "umask {umask}");
    }
}

#[test]
fn a_folder_of_an_older_version_is_closed_to_others() {
    let sandbox = failed();
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(sandbox.data()).status().unwrap().success());
    assert!(!open_to_others(&sandbox.data()).is_empty());
    sandbox.json(1, &["resume", "one"]);
    assert_eq!(fs::metadata(sandbox.data()).unwrap().permissions().mode() & 0o777, 0o700);
    for name in ["lock", "mark", "events/db"] {
        let mode = fs::metadata(sandbox.data().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_folder_that_was_there_and_is_named_as_data_folder_keeps_its_mode() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps:\n  - {id: a, run: 'true'}\n");
    let folder = sandbox.work("");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    for verb in [&["run", "w.yaml", "--id", "r"][..], &["list"], &["resume", "r"], &["run", "w.yaml"]] {
        sandbox.json(0, &[&["--data", "."], verb].concat());
        assert_eq!(mode("."), 0o755, "{verb:?}");
    }
    assert_eq!(["events", "blobs", "lock"].map(mode), [0o700, 0o700, 0o600]);
}
