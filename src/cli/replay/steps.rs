//! Stepping through the versions of a run with the keys of a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, terminal};

use crate::cli::say::for_stdout;
use crate::cli::text::Text;
use crate::cli::text::terminal::fitted;
use crate::events::ids::Version;
use crate::events::problem::{Code, Problem};

/// How long a thread waits for a key before it looks whether anybody still wants one.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many digits a version can have.
const DIGITS_MAX: usize = 20;

/// The place of somebody who steps through a run.
#[derive(Debug)]
pub(super) struct Steps {
    at: Version,
    newest: Version,
    /// The number that is being typed.
    typed: String,
}

/// The thing that a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The state that is shown stays.
    Stay,
    /// The state as of this version is shown.
    Show(Version),
    /// The terminal is put back, and the verb ends.
    Quit,
}

impl Steps {
    pub(super) const fn new(at: Version, newest: Version) -> Self {
        Self { at, newest, typed: String::new() }
    }

    /// The run may have gone on meanwhile.
    pub(super) const fn newest(&mut self, newest: Version) {
        self.newest = newest;
    }

    /// The prompt: a line with the place, and one with what the keys do.
    pub(super) fn prompt(&self) -> String {
        let jump = if self.typed.is_empty() { String::new() } else { format!("  go to {}_", self.typed) };
        let keys = "left/right: step  home/end: first, newest  number, enter: go there  q: leave";
        format!("version {} of {}{jump}\n{keys}", self.at, self.newest)
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Turn {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(key.code, KeyCode::Char('c' | 'd')) { Turn::Quit } else { Turn::Stay };
        }
        match key.code {
            KeyCode::Char('q') => Turn::Quit,
            KeyCode::Esc if self.typed.is_empty() => Turn::Quit,
            KeyCode::Esc => {
                self.typed.clear();
                Turn::Stay
            }
            KeyCode::Char(digit) if digit.is_ascii_digit() && self.typed.len() < DIGITS_MAX => {
                self.typed.push(digit);
                Turn::Stay
            }
            KeyCode::Backspace => {
                self.typed.pop();
                Turn::Stay
            }
            KeyCode::Enter => match std::mem::take(&mut self.typed).parse() {
                Ok(number) => self.go(number),
                Err(_) => Turn::Stay,
            },
            KeyCode::Left | KeyCode::Up => self.go(self.at.0.saturating_sub(1)),
            KeyCode::Right | KeyCode::Down => self.go(self.at.0.saturating_add(1)),
            KeyCode::Home => self.go(1),
            KeyCode::End => self.go(self.newest.0),
            _ => Turn::Stay,
        }
    }

    /// Goes to that version, or to the nearest that there is.
    fn go(&mut self, number: u64) -> Turn {
        self.typed.clear();
        let to = Version(number.clamp(1, self.newest.0.max(1)));
        if to == self.at {
            return Turn::Stay;
        }
        self.at = to;
        Turn::Show(to)
    }
}

/// A terminal whose keys come one by one, and whose screen is another one for as long as this lives.
pub(super) struct Keyboard(());

impl Keyboard {
    /// Whether there is a terminal to read from and to draw on.
    pub(super) fn is_there() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    pub(super) fn open() -> Result<Self, Problem> {
        terminal::enable_raw_mode().map_err(|error| failed(&error))?;
        // From here on it is put back when this is dropped.
        let keyboard = Self(());
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)
            .map_err(|error| failed(&error))?;
        Ok(keyboard)
    }

    /// Shows a text, as much of it as there is room for, and the prompt below.
    pub(super) fn show(&self, text: &Text, prompt: &str) {
        // A terminal may not know how big it is.
        let size = terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0);
        let (columns, rows) = size.unwrap_or((80, 24));
        let prompt: Vec<&str> = prompt.lines().collect();
        let room = usize::from(rows).saturating_sub(prompt.len() + 1);
        let lines = text.each_line().take(room).map(|line| fitted(&line, usize::from(columns)));
        let lines = lines.map(|line| for_stdout(&line).into_owned());
        let cut = |line: &str| line.chars().take(usize::from(columns)).collect::<String>();
        let prompt = std::iter::once("").chain(prompt).map(cut);
        let screen = lines.chain(prompt).collect::<Vec<_>>().join("\r\n");
        let mut out = io::stdout().lock();
        // A terminal that is gone ends the program by itself.
        let _ = execute!(out, terminal::Clear(terminal::ClearType::All), cursor::MoveTo(0, 0));
        let _ = write!(out, "{screen}").and_then(|()| out.flush());
    }

    /// Waits for the next key that is pressed.
    pub(super) async fn key(&mut self) -> KeyEvent {
        loop {
            // Dropped while it waits, the thread goes when its patience ends.
            let read = tokio::task::spawn_blocking(read_key).await;
            match read {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(key))) => return key,
                // Nobody can press a key any more.
                Ok(Err(_)) | Err(_) => return KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE),
            }
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

fn read_key() -> io::Result<Option<KeyEvent>> {
    if !event::poll(PATIENCE)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
        // Shown again in the new size with the next key.
        _ => None,
    })
}

fn failed(error: &io::Error) -> Problem {
    Problem::new(Code::Internal, format!("the terminal cannot be used: {error}"))
        .hint("say which version with --at")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(steps: &mut Steps, codes: &[KeyCode]) -> Turn {
        codes.iter().map(|code| steps.press(KeyEvent::new(*code, KeyModifiers::NONE))).last().unwrap()
    }

    #[test]
    fn keys_step_and_jump_and_stop_at_both_ends() {
        let mut steps = Steps::new(Version(7), Version(7));
        assert_eq!(press(&mut steps, &[KeyCode::Right]), Turn::Stay, "there is nothing after the newest");
        assert_eq!(press(&mut steps, &[KeyCode::Left]), Turn::Show(Version(6)));
        assert_eq!(press(&mut steps, &[KeyCode::Home]), Turn::Show(Version(1)));
        assert_eq!(press(&mut steps, &[KeyCode::Left]), Turn::Stay, "there is nothing before the first");
        assert_eq!(press(&mut steps, &[KeyCode::Char('5'), KeyCode::Enter]), Turn::Show(Version(5)));
        let far = [KeyCode::Char('9'), KeyCode::Char('9'), KeyCode::Enter];
        assert_eq!(press(&mut steps, &far), Turn::Show(Version(7)), "the newest is nearest");
        assert_eq!(press(&mut steps, &[KeyCode::Char('q')]), Turn::Quit);
    }

    #[test]
    fn a_number_can_be_mended_and_given_up() {
        let mut steps = Steps::new(Version(1), Version(40));
        let mended = [KeyCode::Char('3'), KeyCode::Char('9'), KeyCode::Backspace, KeyCode::Enter];
        assert_eq!(press(&mut steps, &mended), Turn::Show(Version(3)));
        assert_eq!(press(&mut steps, &[KeyCode::Char('9'), KeyCode::Esc, KeyCode::Enter]), Turn::Stay);
        assert_eq!(press(&mut steps, &[KeyCode::Esc]), Turn::Quit);
    }

    #[test]
    fn the_newest_moves_while_the_run_goes_on() {
        let mut steps = Steps::new(Version(3), Version(3));
        steps.newest(Version(9));
        assert_eq!(press(&mut steps, &[KeyCode::End]), Turn::Show(Version(9)));
        assert!(steps.prompt().starts_with("version 9 of 9\n"), "{}", steps.prompt());
    }
}
