//! A terminal, and what stands on its screen.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How often a terminal that says nothing is asked whether it is to go.
const LOOK: Duration = Duration::from_millis(20);

/// A terminal of which a program has the inner side.
pub(crate) struct Screen {
    keys: File,
    inner: Option<File>,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
    /// Whether the reader is to end, though programs may write more.
    goes: Arc<AtomicBool>,
}

/// All that was written to a terminal.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

impl Screen {
    /// A terminal of that size, in rows and columns.
    pub(crate) fn open((rows, columns): (u16, u16)) -> Self {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let path = ptsname(&outer, Vec::new()).unwrap().into_string().unwrap();
        let inner = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let keys = File::from(outer);
        let parser = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 1_000);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let (mut written, kept) = (keys.try_clone().unwrap(), Arc::clone(&seen));
        let goes = Arc::new(AtomicBool::new(false));
        let its_goes = Arc::clone(&goes);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !its_goes.load(Ordering::SeqCst) {
                let wait = Timespec::try_from(LOOK).unwrap();
                if poll(&mut [PollFd::new(&written, PollFlags::IN)], Some(&wait)).unwrap() == 0 {
                    continue;
                }
                let Ok(count @ 1..) = written.read(&mut bytes) else { return };
                let mut seen = kept.lock().unwrap();
                seen.parser.process(&bytes[..count]);
                seen.bytes.extend_from_slice(&bytes[..count]);
            }
        });
        let screen = Self { keys, inner: Some(inner), seen, reader: Some(reader), goes };
        screen.resize(rows, columns);
        screen
    }

    /// The side of a program.
    pub(crate) fn inner(&self) -> File {
        self.inner.as_ref().unwrap().try_clone().unwrap()
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.seen().parser.set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keys, size).unwrap();
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// The text that stands there now.
    pub(crate) fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// The lines of that, without what is empty behind each and behind the last.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What was written to it, from the byte at that place on.
    pub(crate) fn written(&self, from: usize) -> Vec<u8> {
        self.seen().bytes[from..].to_vec()
    }

    /// Whether the screen is one of the program's own.
    pub(crate) fn is_taken(&self) -> bool {
        self.seen().parser.screen().alternate_screen()
    }

    /// Whether no cursor is shown.
    pub(crate) fn hides_cursor(&self) -> bool {
        self.seen().parser.screen().hide_cursor()
    }

    /// Gives the side of a program away: whoever has it besides keeps it open.
    pub(crate) fn let_go(&mut self) {
        self.inner = None;
    }

    /// Waits until all is read that was written by programs, which have ended.
    pub(crate) fn read_to_end(&mut self) {
        self.let_go();
        self.reader.take().unwrap().join().unwrap();
    }

    /// Takes it away from whoever is on it, as a window that is closed.
    pub(crate) fn hang_up(mut self) {
        self.goes.store(true, Ordering::SeqCst);
        self.reader.take().unwrap().join().unwrap();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}
