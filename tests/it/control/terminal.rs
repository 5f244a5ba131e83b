//! Stepping through a run with the keys of a terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{open, with_sale};
use crate::support::{Sandbox, wait_for, wait_until};

/// A terminal with the binary on it.
struct Terminal {
    keys: File,
    /// The side of it that the binary has.
    inner: File,
    shown: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 30, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let inner = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut command = sandbox.command(arguments);
        command.stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap()).stderr(Stdio::null());
        let child = command.env("TERM", "xterm").env("NO_COLOR", "1").spawn().unwrap();
        let keys = File::from(master);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut screen, kept) = (keys.try_clone().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { keys, inner, shown, child }
    }

    /// Presses keys when that is shown, and forgets what was shown before.
    fn when_shown(&mut self, text: &str, keys: &[u8]) {
        wait_until(&format!("`{text}` is shown"), || self.shown.lock().unwrap().contains(text));
        self.shown.lock().unwrap().clear();
        self.keys.write_all(keys).unwrap();
    }

    /// How it ended, and what it showed last.
    fn wait(mut self) -> (Option<i32>, String) {
        let status = wait_for("it ends", || self.child.try_wait().unwrap());
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        assert!(
            modes.contains(LocalModes::ICANON | LocalModes::ECHO),
            "the terminal is left as it was taken over"
        );
        // What it wrote is read by now, or is about to be.
        wait_until("the last is shown", || self.shown.lock().unwrap().contains(LEFT));
        (status.code(), self.shown.lock().unwrap().clone())
    }
}

/// What a terminal is told when the screen is to be the one that it was before.
const LEFT: &str = "\u{1b}[?1049l";

#[test]
fn the_keys_of_a_terminal_step_through_the_versions_of_a_run() {
    let sandbox = with_sale();
    open(&sandbox);
    let newest = sandbox.json(0, &["run", "sale.yaml", "--id", "r"])["version"].as_u64().unwrap();
    let mut terminal = Terminal::start(&sandbox, &["replay", "r"]);
    terminal.when_shown(&format!("version {newest} of {newest}"), b"\x1b[D");
    terminal.when_shown(&format!("version {} of {newest}", newest - 1), b"\x1b[H");
    terminal.when_shown(&format!("version 1 of {newest}"), b"\x1b[C");
    terminal.when_shown(&format!("version 2 of {newest}"), b"5\r");
    terminal.when_shown("attempt_started        before", b"\x1b[F");
    terminal.when_shown(&format!("version {newest} of {newest}"), b"q");
    let (code, last) = terminal.wait();
    assert_eq!(code, Some(0));
    assert!(last.contains("r  sale  completed"), "what was shown last stays: {last}");
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(0, &["run", "sale.yaml", "--id", "r"]);
    let mut terminal = Terminal::start(&sandbox, &["replay", "r"]);
    terminal.when_shown("q: leave", b"\x03");
    assert_eq!(terminal.wait().0, Some(0));
    // Asked for one version, or for JSON, it does not step.
    for arguments in [&["replay", "r", "--at", "2"][..], &["replay", "r", "--json"]] {
        let mut terminal = Terminal::start(&sandbox, arguments);
        assert_eq!(wait_for("it ends", || terminal.child.try_wait().unwrap()).code(), Some(0));
    }
}
