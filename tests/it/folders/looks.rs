//! Looking at a store that cannot be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::{LOOKS, all, code_of, code_of_look, failed, is_root};
use crate::looks::terminal::Terminal;
use crate::support::Sandbox;

/// A user that nobody here is.
const ANOTHER: u32 = 54_321;

/// Makes all below a folder such that it cannot be written: as it is in a read-only file system, or as somebody else's. (The
/// modes alone mean nothing to root.)
fn unwritable(folder: &Path) {
    let closed = Command::new("chmod").args(["-R", "a-w,a+rX"]).arg(folder).status().unwrap();
    assert!(closed.success());
    if is_root() {
        let path = folder.to_str().unwrap();
        assert!(Command::new("chown").args(["-R", &ANOTHER.to_string(), path]).status().unwrap().success());
    }
}

/// Lets the sandbox be removed.
fn writable(folder: &Path) {
    assert!(Command::new("chmod").args(["-R", "u+w"]).arg(folder).status().unwrap().success());
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_store_that_cannot_be_written_shows_what_it_would_and_stays_as_it_is() {
    let sandbox = failed();
    let look = |verb: &[&str]| sandbox.reenact(&[&["--json"], verb].concat());
    let shown = LOOKS.map(|verb| look(verb).stdout);
    unwritable(&sandbox.data());
    let before = all(&sandbox.data());
    for (verb, shown) in LOOKS.iter().zip(shown) {
        let ended = look(verb);
        assert_eq!(ended.code(), code_of_look(verb), "{ended}");
        if *verb != ["verify"] {
            assert_eq!(ended.stdout, shown, "{ended}");
        }
        assert!(is_empty(&sandbox.tmp()), "{verb:?} leaves its copy behind");
    }
    assert!(all(&sandbox.data()) == before, "something was written");
    let ended = sandbox.reenact(&["--json", "status", "none"]);
    assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(2), "RE-1003"));
    assert!(is_empty(&sandbox.tmp()), "a problem leaves its copy behind");
    writable(&sandbox.data());
}

#[test]
fn long_outputs_and_long_histories_are_read_where_they_are() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "long.yaml",
        "name: long\nsteps:\n  - {id: a, run: 'head -c 200000 /dev/zero | tr \"\\\\0\" x'}\n",
    );
    sandbox.json(0, &["run", "long.yaml", "--id", "one"]);
    assert!(!is_empty(&sandbox.data().join("blobs")), "no blob is a file: the test shows nothing");
    let shown = sandbox.status("one");
    unwritable(&sandbox.data());
    assert_eq!(sandbox.status("one"), shown);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    writable(&sandbox.data());
}

#[test]
fn a_store_that_cannot_be_written_nor_copied_says_so() {
    let sandbox = failed();
    unwritable(&sandbox.data());
    let mut command = Command::new("sh");
    let inner = sandbox.command(&["--json", "list"]);
    command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"]).arg(inner.get_program());
    command.args(inner.get_args()).env_clear().current_dir(sandbox.work(""));
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = command.output().unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(7), "{said}");
    assert!(said.contains("RE-4012"), "{said}");
    assert!(is_empty(&sandbox.tmp()));
    let mut command = sandbox.command(&["--json", "list"]);
    command.env("TMPDIR", sandbox.root().join("absent"));
    let ended = sandbox.start(command).wait();
    assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4012"), "{ended}");
    writable(&sandbox.data());
}

#[test]
fn a_copy_is_private_and_goes_with_a_look_that_is_interrupted() {
    let sandbox = Sandbox::new();
    sandbox.write("waits.yaml", "name: waits\nsteps:\n  - {id: a, wait_for: go}\n");
    sandbox.json(4, &["run", "waits.yaml", "--id", "one"]);
    unwritable(&sandbox.data());
    let look = Terminal::start(&sandbox, 120, &["replay", "one"]);
    look.until("it looks", |screen| screen.iter().any(|line| line.contains("waits")));
    let copies: Vec<_> = fs::read_dir(sandbox.tmp()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o700);
    look.interrupt();
    assert_eq!(look.wait().0, Some(130));
    assert!(is_empty(&sandbox.tmp()));
    writable(&sandbox.data());
}

/// Whoever answers behind a socket is told inputs and environment, and believed.
#[test]
fn a_holder_that_is_somebody_else_is_not_asked() {
    // Only root can make something somebody else's.
    if !is_root() {
        return;
    }
    let sandbox = failed();
    let lock = fs::File::open(sandbox.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(sandbox.data().join("control.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    for owned in [sandbox.data().join("control.sock"), sandbox.data()] {
        chown(&owned, Some(ANOTHER), None).unwrap();
        let ended = sandbox.reenact(&["--json", "cancel", "one"]);
        assert_eq!((ended.code(), code_of(&ended).as_str()), (Some(7), "RE-4014"), "{ended}");
        assert!(listener.accept().is_err(), "it was asked");
        chown(&owned, Some(0), None).unwrap();
    }
    // What others hold can be looked at.
    chown(sandbox.data(), Some(ANOTHER), None).unwrap();
    assert_eq!(sandbox.status("one")["status"], "failed");
    assert!(listener.accept().is_err(), "it was asked");
}
