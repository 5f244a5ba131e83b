//! A terminal with the binary on it, and a screen that shows what a terminal would.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::support::{Sandbox, wait_for, wait_until};

/// How long a screen may take to show something; only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What stood on the terminal before the binary was started.
pub(super) const BEFORE: &str = "what was typed before";

/// A terminal with the binary on it.
pub(super) struct Terminal {
    keys: File,
    /// The side of it that the binary has.
    inner: File,
    seen: Arc<Mutex<Seen>>,
    pub(super) child: Child,
}

struct Seen {
    screen: vt100::Parser,
    /// All that was written since somebody asked.
    written: Vec<u8>,
}

impl Terminal {
    /// Starts the binary on a terminal of that size, in rows and columns.
    pub(super) fn start(sandbox: &Sandbox, (rows, columns): (u16, u16), arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, size(rows, columns)).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let mut inner = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let keys = File::from(master);
        let screen = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let seen = Arc::new(Mutex::new(Seen { screen, written: Vec::new() }));
        let (mut out, shared) = (keys.try_clone().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                let mut seen = shared.lock().unwrap();
                seen.screen.process(&bytes[..count]);
                seen.written.extend_from_slice(&bytes[..count]);
            }
        });
        inner.write_all(format!("{BEFORE}\n").as_bytes()).unwrap();
        let child = on_terminal(&sandbox.command(arguments), &inner).env("TERM", "xterm").spawn().unwrap();
        let terminal = Self { keys, inner, seen, child };
        wait_until("what was typed before is shown", || terminal.screen().contains(BEFORE));
        terminal
    }

    /// The text of the screen.
    pub(super) fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    /// Waits until the screen shows that.
    pub(super) fn shows(&self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.screen().contains(text) {
            assert!(Instant::now() < deadline, "`{text}` is not shown:\n{}", self.screen());
            std::thread::sleep(POLL);
        }
    }

    /// Presses keys.
    pub(super) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Goes down line by line until the screen shows that.
    pub(super) fn scrolls_to(&mut self, text: &str) {
        while !self.screen().contains(text) {
            let before = self.screen();
            self.press("j");
            wait_until(&format!("the screen below this is shown, where `{text}` is:\n{before}"), || {
                self.screen() != before
            });
        }
    }

    /// Presses keys when that is shown.
    pub(super) fn when_shown(&mut self, text: &str, keys: &str) {
        self.shows(text);
        self.press(keys);
    }

    /// All that was written since this was asked last.
    pub(super) fn written(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.seen.lock().unwrap().written)).into_owned()
    }

    /// Gives the terminal another size, in rows and columns.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.seen
            .lock()
            .unwrap()
            .screen
            .screen_mut()
            .set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        tcsetwinsize(&self.keys, size(rows, columns)).unwrap();
    }

    /// Whether the screen is one of the program's own.
    pub(super) fn is_taken(&self) -> bool {
        self.seen.lock().unwrap().screen.screen().alternate_screen()
    }

    /// Waits until the program has ended, and looks whether the terminal is as it was. Answers how it ended, and the screen.
    pub(super) fn ends(self) -> (Option<i32>, String) {
        let (code, screen) = self.gives_back();
        assert!(screen.contains(BEFORE), "{screen}");
        (code, screen)
    }

    /// As [`Terminal::ends`], on a terminal that was too small meanwhile to keep what was on it.
    pub(super) fn gives_back(mut self) -> (Option<i32>, String) {
        let status = wait_for("it ends", || self.child.try_wait().unwrap());
        wait_until("the screen is given back", || !self.is_taken());
        let seen = self.seen.lock().unwrap();
        assert!(!seen.screen.screen().hide_cursor(), "the cursor is shown again");
        drop(seen);
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        assert!(
            modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG),
            "keys are echoed again"
        );
        (status.code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command with that terminal as its own: the system asks and tells it of the size, whoever runs the tests.
fn on_terminal(command: &Command, terminal: &File) -> Command {
    let mut inside = Command::new("setsid");
    inside.arg("-c").arg(command.get_program()).args(command.get_args()).env_clear();
    inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inside.current_dir(command.get_current_dir().unwrap());
    inside.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(Stdio::null());
    inside
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
