//! All events, a line each; the cursor is where the walk is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Next, Pane, Value, Window, at_cursor, colour, draw_lines};
use crate::cli::replay::keys::Action;
use crate::cli::replay::tell::{self, Row};
use crate::cli::replay::walk::Walk;
use crate::cli::text::{Text, name, terminal};

/// The list of events.
#[derive(Debug, Default)]
pub(in crate::cli::replay) struct Events {
    window: Window,
}

impl Pane for Events {
    fn title(&self, walk: &Walk) -> Text {
        terminal!("events: {}", walk.rows().len())
    }

    fn act(&mut self, action: Action, walk: &mut Walk) -> Next {
        match action {
            Action::Up => walk.step(-1),
            Action::Down => walk.step(1),
            Action::PageUp => walk.step(-self.window.page()),
            Action::PageDown => walk.step(self.window.page()),
            Action::First => walk.go(0),
            Action::Last => walk.go(usize::MAX),
            Action::Open => {
                let title = terminal!("event {}", walk.state().event.version);
                return Next::Open(Box::new(Value::new(title, tell::event_lines(walk.state()))));
            }
            _ => return Next::Unknown,
        }
        Next::Stay
    }

    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, walk: &Walk, is_looked_at: bool) {
        let (rows, cursor) = (walk.rows(), walk.cursor());
        let seen = self.window.around(cursor, rows.len(), usize::from(area.height));
        let digits = rows.last().map_or(1, |last| last.version.to_string().len());
        let lines = rows.iter().enumerate().skip(seen.start).take(seen.len());
        let lines = lines.map(|(place, row)| {
            let line = line(row, digits);
            if place == cursor { at_cursor(line, is_looked_at) } else { line }
        });
        draw_lines(frame, area, lines.collect());
    }
}

fn line(row: &Row, digits: usize) -> Line<'static> {
    let margin = " ".repeat(digits.saturating_sub(row.version.to_string().len()));
    let step = row.step.as_ref().map(|step| terminal!(" {}", name(step.as_str())));
    let says = (!row.says.is_empty()).then(|| terminal!("  {}", row.says));
    let text = terminal!("{}{} {}", margin, row.version, row.kind).and(step).and(says);
    let style = if row.is_failure { colour("failed") } else { colour("") };
    super::line(&text).style(style)
}
