//! A terminal with the binary on it, and a screen that shows what a terminal would.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, tcgetattr};

use crate::support::screen::Screen;
use crate::support::{Sandbox, wait_for, wait_until};

/// How long a screen may take to show something; only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What stood on the terminal before the binary was started.
pub(super) const BEFORE: &str = "what was typed before";

/// A terminal with the binary on it.
pub(super) struct Terminal {
    screen: Screen,
    /// How much of what was written somebody has asked for.
    asked: Cell<usize>,
    pub(super) child: Child,
}

impl Terminal {
    /// Starts the binary on a terminal of that size, in rows and columns.
    pub(super) fn start(sandbox: &Sandbox, size: (u16, u16), arguments: &[&str]) -> Self {
        let screen = Screen::open(size);
        let mut inner = screen.inner();
        inner.write_all(format!("{BEFORE}\n").as_bytes()).unwrap();
        let child = on_terminal(&sandbox.command(arguments), &inner).env("TERM", "xterm").spawn().unwrap();
        let terminal = Self { screen, asked: Cell::new(0), child };
        wait_until("what was typed before is shown", || terminal.screen().contains(BEFORE));
        terminal
    }

    /// The text of the screen.
    pub(super) fn screen(&self) -> String {
        self.screen.text()
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
        self.screen.press(keys);
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
        let written = self.screen.written(self.asked.get());
        self.asked.set(self.asked.get() + written.len());
        String::from_utf8_lossy(&written).into_owned()
    }

    /// Gives the terminal another size, in rows and columns.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.screen.resize(rows, columns);
    }

    /// Whether the screen is one of the program's own.
    pub(super) fn is_taken(&self) -> bool {
        self.screen.is_taken()
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
        assert!(!self.screen.hides_cursor(), "the cursor is shown again");
        let modes = tcgetattr(self.screen.inner()).unwrap().local_modes;
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
