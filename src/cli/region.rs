//! Lines at the end of a terminal that are drawn over again. The cursor rests at the beginning of the first of them: whatever a
//! terminal makes of them when its size changes, all of it is below, and one command takes it away. What a key puts there, as
//! the `^C` of ctrl-c, is drawn over, too.

use std::fmt::Write;

/// Takes away all from the beginning of the line on.
const TAKE_AWAY: &str = "\r\u{1b}[J";

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Size {
    /// The size of a terminal that does not say how large it is.
    pub(super) const USUAL: Self = Self { rows: 24, columns: 80 };

    /// How many lines may be drawn over again: one row is left for what is typed.
    pub(super) const fn lines(self) -> usize {
        let rows = self.rows.saturating_sub(1);
        if rows == 0 { 1 } else { rows }
    }

    /// How wide such a line may be: in the last column terminals differ about where the cursor is then.
    pub(super) const fn width(self) -> usize {
        self.columns.saturating_sub(1)
    }
}

/// What is drawn at the moment.
#[derive(Debug)]
pub(super) struct Region {
    drawn: Vec<String>,
    size: Size,
}

impl Default for Region {
    fn default() -> Self {
        Self { drawn: Vec::new(), size: Size::USUAL }
    }
}

impl Region {
    /// What a terminal has to be told to show these lines, none of which is wider than it; nothing if it shows them.
    pub(super) fn draw(&mut self, lines: &[String], size: Size) -> String {
        let lines = lines.get(..size.lines()).unwrap_or(lines);
        let mut told = String::new();
        if size != self.size {
            // Where the lines stand now is the terminal's to know.
            told = self.clear();
            self.size = size;
        }
        let mut at = 0;
        for (row, line) in lines.iter().enumerate() {
            if self.drawn.get(row) == Some(line) {
                continue;
            }
            go_down(&mut told, at, row, self.drawn.len());
            // Writing into a `String` cannot fail.
            let _ = write!(told, "\r{line}\u{1b}[K");
            at = row;
        }
        if lines.len() < self.drawn.len() {
            go_down(&mut told, at, lines.len(), self.drawn.len());
            told.push_str(TAKE_AWAY);
            at = lines.len();
        }
        if at > 0 {
            let _ = write!(told, "\u{1b}[{at}A");
        }
        if !told.is_empty() {
            told.push('\r');
        }
        self.drawn = lines.to_vec();
        told
    }

    /// What a terminal has to be told to show none of the lines any more.
    pub(super) fn clear(&mut self) -> String {
        let was_drawn = !std::mem::take(&mut self.drawn).is_empty();
        if was_drawn { TAKE_AWAY.to_owned() } else { String::new() }
    }
}

/// Goes from one row down to another. Those behind the ones that are there are begun.
fn go_down(told: &mut String, from: usize, to: usize, rows: usize) {
    let there = to.min(rows.saturating_sub(1)).max(from);
    if there > from {
        let _ = write!(told, "\u{1b}[{}B", there - from);
    }
    (there..to).for_each(|_| told.push_str("\r\n"));
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    fn terminal(rows: u16, columns: u16) -> vt100::Parser {
        vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 0)
    }

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn screen(terminal: &vt100::Parser) -> Vec<String> {
        let contents = terminal.screen().contents();
        contents.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Whatever follows on whatever: the terminal shows the last lines below what was there before, and nothing else.
    #[test]
    fn the_last_lines_that_are_drawn_are_those_that_are_seen_at_any_place_of_the_screen() {
        let size = Size { rows: 6, columns: 20 };
        let frames = [
            lines(&["a", "b", "c"]),
            lines(&["a", "B", "c", "d", "e"]),
            lines(&["x"]),
            lines(&["x", "y"]),
            lines(&["x", "y"]),
            lines(&["", "y", "z"]),
            lines(&["1", "2", "3", "4", "5", "6", "7"]),
            lines(&[]),
            lines(&["end"]),
        ];
        for before in 0..8 {
            let mut terminal = terminal(6, 20);
            let mut region = Region::default();
            (0..before).for_each(|number| terminal.process(format!("said {number}\r\n").as_bytes()));
            for frame in &frames {
                terminal.process(region.draw(frame, size).as_bytes());
                let shown = frame.get(..5).unwrap_or(frame);
                let mut said: Vec<_> = (0..before).map(|number| format!("said {number}")).collect();
                said.extend(shown.iter().cloned());
                while said.last().is_some_and(String::is_empty) {
                    said.pop();
                }
                let seen = screen(&terminal);
                assert!(said.ends_with(&seen) && seen.ends_with(shown), "{before}: {seen:?} of {said:?}");
                assert_eq!(terminal.screen().cursor_position().1, 0);
            }
            terminal.process(region.clear().as_bytes());
            assert!(!screen(&terminal).contains(&"end".to_owned()));
        }
    }

    #[test]
    fn what_is_shown_is_not_told_again() {
        let size = Size { rows: 6, columns: 20 };
        let mut region = Region::default();
        region.draw(&lines(&["a", "b", "c"]), size);
        assert_eq!(region.draw(&lines(&["a", "b", "c"]), size), "");
        assert_eq!(region.draw(&lines(&["a", "x", "c"]), size), "\u{1b}[1B\rx\u{1b}[K\u{1b}[1A\r");
        region.clear();
        assert_eq!(region.clear(), "");
    }

    #[test]
    fn nothing_is_left_of_the_lines_when_the_terminal_gets_another_size() {
        let mut terminal = terminal(10, 40);
        let mut region = Region::default();
        terminal.process(b"said\r\n");
        let wide = lines(&["0123456789 0123456789 0123456789", "b", "c"]);
        terminal.process(region.draw(&wide, Size { rows: 10, columns: 40 }).as_bytes());
        for (rows, columns) in [(10, 20), (5, 12), (12, 60)] {
            terminal.set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
            let size = Size { rows: rows.into(), columns: columns.into() };
            terminal.process(region.draw(&lines(&["narrow", "b"]), size).as_bytes());
            assert_eq!(screen(&terminal), ["said", "narrow", "b"]);
        }
        assert_eq!((Size { rows: 1, columns: 1 }.lines(), Size { rows: 0, columns: 0 }.width()), (1, 0));
    }
}
