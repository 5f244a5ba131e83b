//! A terminal with the binary on it, whose screen can be read.

use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::screen::Screen;
use crate::support::{wait_for, wait_until};

pub(super) struct Terminal {
    screen: Screen,
    child: Child,
}

impl Terminal {
    /// Starts a command on a terminal with so many rows and columns. Its stdout is the terminal too.
    pub(super) fn start(mut command: Command, size: (u16, u16)) -> Self {
        let mut screen = Screen::open(size);
        command.stdin(screen.inner()).stdout(screen.inner()).stderr(screen.inner());
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let child = command.spawn().unwrap();
        // Without the inner side, which the command holds open as well, the end of the child is seen.
        screen.let_go();
        Self { screen, child }
    }

    /// Its lines, as they are seen now.
    pub(super) fn lines(&self) -> Vec<String> {
        self.screen.lines()
    }

    /// How many bytes were written to it so far.
    pub(super) fn bytes(&self) -> usize {
        self.screen.written(0).len()
    }

    /// Whether that was ever written to it.
    pub(super) fn was_told(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.screen.written(0)).contains(text)
    }

    /// Waits until the screen is so, and answers its lines.
    pub(super) fn when(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut last = Vec::new();
        wait_until(what, || {
            last = self.lines();
            is_so(&last)
        });
        last
    }

    /// Gives it another size.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.screen.resize(rows, columns);
    }

    /// Ctrl-c, as on a terminal of one's own: the keys are seen, and the program is told.
    pub(super) fn interrupt(&mut self) {
        self.screen.press("\x03");
        wait_until("the keys are seen", || self.was_told("^C"));
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits for the end; answers the exit code.
    pub(super) fn wait(&mut self) -> Option<i32> {
        let status = wait_for("it ends", || self.child.try_wait().unwrap());
        self.screen.read_to_end();
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
