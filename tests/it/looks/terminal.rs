//! A terminal with the binary on it, and what stands on its screen.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Sandbox, wait_for, wait_until};

/// A terminal with the binary on it: stdin, stdout and stderr.
pub(crate) struct Terminal {
    shown: Arc<Mutex<String>>,
    columns: usize,
    child: Kept,
}

impl Terminal {
    pub(crate) fn start(sandbox: &Sandbox, columns: u16, arguments: &[&str]) -> Self {
        Self::of(sandbox.command(arguments), columns)
    }

    pub(crate) fn of(mut command: Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 30, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let inner = OpenOptions::new().read(true).write(true).open(path).unwrap();
        command.stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap()).stderr(inner);
        let child = command.env("TERM", "xterm").spawn().unwrap();
        // The command has the other side, too.
        drop(command);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut screen, kept) = (File::from(master), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { shown, columns: usize::from(columns), child: Kept(child) }
    }

    /// Waits until the screen is such, and answers its lines.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        wait_for(what, || Some(self.screen()).filter(|screen| is_so(screen)))
    }

    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child.0), Signal::INT).unwrap();
    }

    /// How it ended, and what stands on the screen then.
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let status = wait_for("it ends", || self.child.0.try_wait().unwrap());
        // What it wrote last is read when its side is closed.
        wait_until("all of it was read", || Arc::strong_count(&self.shown) == 1);
        (status.code(), self.screen())
    }

    /// The lines on the screen, as a terminal makes them of what was written.
    fn screen(&self) -> Vec<String> {
        screen_of(&self.shown.lock().unwrap(), self.columns)
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

/// What stands on a screen after all that was written. It knows what progress is drawn with: where the cursor goes, and what is
/// erased.
fn screen_of(written: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut characters = written.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), Vec::new());
            }
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                let mut number = String::new();
                while let Some(digit) =
                    characters.next_if(|next| next.is_ascii_digit() || ";?".contains(*next))
                {
                    number.push(digit);
                }
                let count = number.parse().unwrap_or(1);
                match characters.next() {
                    Some('A') => row = row.saturating_sub(count),
                    Some('B') => row += count,
                    Some('C') => column += count,
                    Some('D') => column = column.saturating_sub(count),
                    Some('G') => column = count - 1,
                    Some('K') if number == "2" => lines[row].clear(),
                    Some('K') => lines[row].truncate(column),
                    Some('J') => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    _ => {}
                }
                lines.resize(lines.len().max(row + 1), Vec::new());
            }
            shown => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let line: &mut Vec<char> = &mut lines[row];
                while line.len() <= column {
                    line.push(' ');
                }
                line[column] = shown;
                column += 1;
            }
        }
    }
    let mut lines: Vec<String> =
        lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}
