//! A value, whole, through which one can scroll.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthChar;

use super::{Next, Pane, Window, draw_lines};
use crate::cli::replay::keys::Action;
use crate::cli::replay::walk::Walk;
use crate::cli::text::{Text, terminal};

/// Lines of a value.
#[derive(Debug)]
pub(in crate::cli::replay) struct Value {
    title: Text,
    lines: Vec<Text>,
    /// The same lines, broken for a screen of that width.
    wrapped: Vec<String>,
    width: usize,
    window: Window,
}

impl Value {
    pub(in crate::cli::replay) fn new(title: Text, lines: Vec<Text>) -> Self {
        Self { title, lines, wrapped: Vec::new(), width: 0, window: Window::default() }
    }

    /// The first line that is seen when so many more are passed.
    fn scroll(&mut self, by: isize) {
        let last = self.wrapped.len().saturating_sub(self.window.height);
        self.window.top = self.window.top.saturating_add_signed(by).min(last);
    }

    fn wrap(&mut self, width: usize) {
        if self.width == width {
            return;
        }
        // What was seen first stays about where it was.
        let (top, before) = (self.window.top, self.wrapped.len().max(1));
        self.wrapped = self.lines.iter().flat_map(|line| wrapped(line.as_str(), width)).collect();
        self.width = width;
        self.window.top = top * self.wrapped.len() / before;
    }
}

impl Pane for Value {
    fn title(&self, _: &Walk) -> Text {
        let (from, lines) = (self.window.top, self.wrapped.len());
        let to = (from + self.window.height).min(lines);
        match lines > self.window.height {
            true => terminal!("{}  (lines {} to {} of {})", self.title, from + 1, to, lines),
            false => self.title.clone(),
        }
    }

    fn act(&mut self, action: Action, _: &mut Walk) -> Next {
        let page = self.window.page();
        match action {
            Action::Up => self.scroll(-1),
            Action::Down => self.scroll(1),
            Action::PageUp => self.scroll(-page),
            Action::PageDown => self.scroll(page),
            Action::First => self.scroll(isize::MIN),
            Action::Last => self.scroll(isize::MAX),
            Action::Close => return Next::Close,
            _ => return Next::Unknown,
        }
        Next::Stay
    }

    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, _: &Walk, _: bool) {
        self.wrap(usize::from(area.width));
        self.window.height = usize::from(area.height);
        self.scroll(0);
        let lines = self.wrapped.iter().skip(self.window.top).take(self.window.height);
        draw_lines(frame, area, lines.map(|line| Line::raw(line.as_str())).collect());
    }
}

/// A line in parts, none of which is wider than the screen.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut part, mut taken) = (String::new(), 0);
    for character in line.chars() {
        let wide = character.width().unwrap_or(0);
        if taken + wide > width.max(1) && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            taken = 0;
        }
        part.push(character);
        taken += wide;
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_and_nothing_of_it_is_lost() {
        assert_eq!(wrapped("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("日本語", 4), ["日本", "語"], "a wide character takes two columns");
        assert_eq!(wrapped("日本", 1), ["日", "本"]);
        assert_eq!(wrapped("ab", 0), ["a", "b"]);
    }
}
