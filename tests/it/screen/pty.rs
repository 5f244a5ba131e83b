//! A terminal with the binary on it, whose screen can be read.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{wait_for, wait_until};

pub(super) struct Terminal {
    outer: File,
    seen: Arc<Mutex<Seen>>,
    child: Child,
    /// Whether all that was written is read.
    reader: Option<std::thread::JoinHandle<()>>,
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Starts a command on a terminal with so many rows and columns. Its stdout is the terminal too.
    pub(super) fn start(mut command: Command, (rows, columns): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let inner = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let outer = File::from(master);
        resize(&outer, rows, columns);
        command.stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap()).stderr(inner);
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let child = command.spawn().unwrap();
        // The command holds the inner side open as well: without it the end of the child is not seen.
        drop(command);
        let (rows, columns) = (NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        let parser = vt100::Parser::new(rows, columns, 1000);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let (mut screen, kept) = (outer.try_clone().unwrap(), Arc::clone(&seen));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let mut seen = kept.lock().unwrap();
                seen.parser.process(&bytes[..count]);
                seen.bytes.extend_from_slice(&bytes[..count]);
            }
        });
        Self { outer, seen, child, reader: Some(reader) }
    }

    /// Its lines, as they are seen now.
    pub(super) fn lines(&self) -> Vec<String> {
        let contents = self.seen.lock().unwrap().parser.screen().contents();
        contents.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// How many bytes were written to it so far.
    pub(super) fn bytes(&self) -> usize {
        self.seen.lock().unwrap().bytes.len()
    }

    /// Whether that was ever written to it.
    pub(super) fn was_told(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).contains(text)
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
        let (of_rows, of_columns) = (NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        self.seen.lock().unwrap().parser.set_size(of_rows, of_columns);
        resize(&self.outer, rows, columns);
    }

    /// Ctrl-c, as on a terminal of one's own: the keys are seen, and the program is told.
    pub(super) fn interrupt(&mut self) {
        self.outer.write_all(b"\x03").unwrap();
        wait_until("the keys are seen", || self.was_told("^C"));
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits for the end; answers the exit code.
    pub(super) fn wait(&mut self) -> Option<i32> {
        let status = wait_for("it ends", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(outer: &File, rows: u16, columns: u16) {
    tcsetwinsize(outer, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}
