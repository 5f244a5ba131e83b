//! A terminal of which all is taken for as long as this lives: its screen, its cursor, its keys.

use std::io::{self, BufWriter, IsTerminal, Stdout};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use crossterm::{cursor, execute, terminal};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use tokio::sync::mpsc;

use crate::cli::reader::Reader;
use crate::events::problem::{Code, Problem};

/// How long the thread that reads keys waits for one before it looks whether anybody still wants one.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many keys wait to be read. A person who holds one down presses thirty in a second; more of them wait in the terminal.
const KEYS_MAX: usize = 64;

/// The size of a terminal that does not know its own, in columns and rows.
const SIZE: (u16, u16) = (80, 24);

/// Whether a terminal is taken now. A process has one.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that was taken.
pub(super) struct Screen {
    /// At its own end it would try to show the cursor, and panic where there is nothing left to write to.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    inputs: mpsc::Receiver<Input>,
    /// The thread that reads keys does not see that the terminal goes.
    reader: Reader,
    /// Whether nobody wants keys any more.
    is_left: Arc<AtomicBool>,
}

/// What a person does at a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// Nobody can press a key any more.
    Gone,
}

impl Screen {
    /// Whether there is a terminal to read from and to draw on.
    pub(super) fn is_there() -> bool {
        let draws = std::env::var_os("TERM").is_none_or(|name| name != "dumb");
        draws && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Takes the terminal.
    pub(super) fn open() -> Result<Self, Problem> {
        give_back_before_a_panic_is_told();
        IS_TAKEN.store(true, Ordering::SeqCst);
        Self::take().inspect_err(|_| give_back()).map_err(|error| failed(&error))
    }

    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        let known = terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0);
        let viewport = match known {
            Some(_) => Viewport::Fullscreen,
            None => Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1)),
        };
        let backend = CrosstermBackend::new(BufWriter::new(io::stdout()));
        let terminal = ManuallyDrop::new(Terminal::with_options(backend, TerminalOptions { viewport })?);
        let (reader, is_left) = (Reader::of(io::stdout()), Arc::new(AtomicBool::new(false)));
        Ok(Self { terminal, inputs: read_inputs(Arc::clone(&is_left))?, reader, is_left })
    }

    /// Draws what has changed since it was drawn last. On a terminal that is gone nothing can be drawn: the next input says so.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) {
        let _ = self.terminal.draw(draw);
    }

    /// Lets all be drawn anew.
    pub(super) fn forget(&mut self) {
        let _ = self.terminal.clear();
    }

    /// What a person does next. Whoever stops waiting for it misses nothing.
    pub(super) async fn input(&mut self) -> Input {
        let pressed = tokio::select! {
            input = self.inputs.recv() => input,
            () = self.reader.gone() => None,
        };
        if let Some(input) = pressed {
            return input;
        }
        self.reader.signalled().await;
        Input::Gone
    }

    /// What a person has done by now.
    pub(super) fn more(&mut self) -> Option<Input> {
        self.inputs.try_recv().ok()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.is_left.store(true, Ordering::SeqCst);
        give_back();
    }
}

/// Puts the terminal back as it was, if it is taken.
fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone ends the program by itself.
        let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

/// What a panic says is to stand where it can be read. Only one of the thread that draws ends the program.
fn give_back_before_a_panic_is_told() {
    let (tell, draws) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == draws {
            give_back();
        }
        tell(info);
    }));
}

/// Reads what a person does, on a thread that ends soon after nobody wants to know.
fn read_inputs(is_left: Arc<AtomicBool>) -> io::Result<mpsc::Receiver<Input>> {
    let (sender, inputs) = mpsc::channel(KEYS_MAX);
    let read = move || {
        while !is_left.load(Ordering::SeqCst) {
            match read_input() {
                Ok(None) => {}
                Ok(Some(input)) if sender.blocking_send(input).is_ok() => {}
                // Nobody wants to know, or there is nothing to read from any more: whoever waits hears of that by the end of
                // this.
                Ok(Some(_)) | Err(_) => return,
            }
        }
    };
    std::thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(inputs)
}

fn read_input() -> io::Result<Option<Input>> {
    if !event::poll(PATIENCE)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(key)),
        Event::Resize(..) => Some(Input::Resized),
        _ => None,
    })
}

fn failed(error: &io::Error) -> Problem {
    Problem::new(Code::Internal, format!("the terminal cannot be used: {error}"))
        .hint("say which version with --at")
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;
    use std::process::{Command, Stdio};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    const PANICS: &str = "cli::replay::screen::tests::panics_with_the_terminal_taken";

    /// For [`a_panic_is_told_on_the_screen_that_was_there_before`] only, in a process of its own.
    #[test]
    #[ignore = "it panics"]
    fn panics_with_the_terminal_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let _screen = Screen::open().unwrap();
        panic!("this is told");
    }

    #[test]
    fn a_panic_is_told_on_the_screen_that_was_there_before() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let inner = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let terminal = || Stdio::from(inner.try_clone().unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([PANICS, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal())
            .spawn()
            .unwrap();
        drop(inner);
        let (mut written, mut bytes) = (Vec::new(), [0; 4096]);
        let mut out = std::fs::File::from(master);
        // The end comes when nobody has the other side any more.
        while let Ok(count @ 1..) = out.read(&mut bytes) {
            written.extend_from_slice(&bytes[..count]);
        }
        assert!(!child.wait().unwrap().success());
        let written = String::from_utf8_lossy(&written);
        let (taken, left) = (written.find("\u{1b}[?1049h").unwrap(), written.find("\u{1b}[?1049l").unwrap());
        let told = written.find("this is told").unwrap();
        assert!(taken < left && left < told, "{written:?}");
        assert_eq!(written.matches("\u{1b}[?1049l").count(), 1, "it is given back once: {written:?}");
        assert!(
            written.rfind("\u{1b}[?25h") > written.rfind("\u{1b}[?25l"),
            "the cursor is shown: {written:?}"
        );
    }
}
