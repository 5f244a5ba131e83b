//! A terminal with the binary on it, and what stands on its screen.

use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::screen::Screen;
use crate::support::{Sandbox, wait_for};

/// How many rows it has.
const ROWS: u16 = 30;

/// A terminal with the binary on it: stdin, stdout and stderr.
pub(crate) struct Terminal {
    screen: Screen,
    child: Kept,
}

impl Terminal {
    pub(crate) fn start(sandbox: &Sandbox, columns: u16, arguments: &[&str]) -> Self {
        Self::of(sandbox.command(arguments), columns)
    }

    pub(crate) fn of(mut command: Command, columns: u16) -> Self {
        let mut screen = Screen::open((ROWS, columns));
        command.stdin(screen.inner()).stdout(screen.inner()).stderr(screen.inner());
        let child = command.env("TERM", "xterm").spawn().unwrap();
        // Without the inner side, which the command holds open as well, the end of the child is seen.
        screen.let_go();
        Self { screen, child: Kept(child) }
    }

    /// Waits until the screen is such, and answers its lines.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        wait_for(what, || Some(self.screen.lines()).filter(|screen| is_so(screen)))
    }

    /// Gives it another size, and says so as the system does to whom the terminal is their own.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.screen.resize(rows, columns);
        kill_process(Pid::from_child(&self.child.0), Signal::WINCH).unwrap();
    }

    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child.0), Signal::INT).unwrap();
    }

    /// How it ended, and what stands on the screen then.
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let status = wait_for("it ends", || self.child.0.try_wait().unwrap());
        self.screen.read_to_end();
        (status.code(), self.screen.lines())
    }
}

/// A process that is killed when nobody waits for it any more.
pub(crate) struct Kept(pub(crate) Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // It has ended, or nobody wants to know any more how it does.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
