//! Parts of the screen, each of which shows something and knows what keys mean there.

mod events;
mod help;
mod steps;
mod value;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

pub(super) use events::Events;
pub(super) use help::Help;
pub(super) use steps::Steps;
pub(super) use value::Value;

use super::keys::Action;
use super::walk::Walk;
use crate::cli::text::Text;

/// A part of the screen.
pub(super) trait Pane {
    /// What stands above it.
    fn title(&self, walk: &Walk) -> Text;

    /// What a key means here.
    fn act(&mut self, action: Action, walk: &mut Walk) -> Next;

    /// Draws it. `is_looked_at` says whether keys go to it.
    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, walk: &Walk, is_looked_at: bool);
}

/// What follows from a key.
pub(super) enum Next {
    /// It was for this pane, which shows itself anew.
    Stay,
    /// Another pane is opened over it.
    Open(Box<dyn Pane>),
    /// This pane is closed.
    Close,
    /// It means nothing here.
    Unknown,
}

/// Which part of many lines is seen.
#[derive(Debug, Default)]
struct Window {
    top: usize,
    /// How many lines there was room for.
    height: usize,
}

impl Window {
    /// Moves as little as shows a line, where there is room for so many, and answers the lines that are seen.
    fn around(&mut self, line: usize, lines: usize, height: usize) -> std::ops::Range<usize> {
        self.height = height;
        self.top =
            self.top.min(line).max((line + 1).saturating_sub(height)).min(lines.saturating_sub(height));
        self.top..lines.min(self.top + height)
    }

    /// How far a screen goes: one line of what was seen stays.
    fn page(&self) -> isize {
        isize::try_from(self.height.saturating_sub(1).max(1)).unwrap_or(isize::MAX)
    }
}

/// Draws lines from the top; what has no room is left out.
fn draw_lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// A line as it is.
fn line(text: &Text) -> Line<'static> {
    Line::raw(text.as_str().to_owned())
}

/// The line under the cursor.
fn at_cursor(line: Line<'static>, is_looked_at: bool) -> Line<'static> {
    let style = if is_looked_at { Modifier::REVERSED } else { Modifier::UNDERLINED };
    line.patch_style(Style::new().add_modifier(style))
}

/// How something with that status looks, beside its sign.
fn colour(status: &str) -> Style {
    match status {
        "failed" | "stuck" => Style::new().fg(Color::Red),
        "completed" => Style::new().fg(Color::Green),
        "running" | "retrying" => Style::new().fg(Color::Cyan),
        "waiting" | "compensating" | "compensated" => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_moves_as_little_as_it_has_to() {
        let mut window = Window::default();
        assert_eq!(window.around(0, 100, 10), 0..10);
        assert_eq!(window.around(9, 100, 10), 0..10);
        assert_eq!(window.around(10, 100, 10), 1..11);
        assert_eq!(window.around(99, 100, 10), 90..100);
        assert_eq!(window.around(95, 100, 10), 90..100);
        assert_eq!(window.around(89, 100, 10), 89..99);
        assert_eq!(window.around(99, 100, 20), 80..100, "a larger screen has no empty lines");
        assert_eq!(window.around(2, 3, 10), 0..3);
        assert_eq!(window.around(0, 0, 0), 0..0);
    }
}
