//! What the keys do.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Next, Pane, Value};
use crate::cli::replay::keys::{Action, KEYS};
use crate::cli::replay::walk::Walk;
use crate::cli::text::{Text, terminal};

/// The keys, a line each.
#[derive(Debug)]
pub(in crate::cli::replay) struct Help(Value);

impl Help {
    pub(in crate::cli::replay) fn new() -> Self {
        let width = KEYS.iter().map(|binding| binding.keys.len()).max().unwrap_or(0);
        let lines = KEYS
            .iter()
            .map(|binding| terminal!("{}  {}", terminal!("{}", binding.keys).padded(width), binding.does));
        Self(Value::new(terminal!("keys"), lines.collect()))
    }
}

impl Pane for Help {
    fn title(&self, walk: &Walk) -> Text {
        self.0.title(walk)
    }

    fn act(&mut self, action: Action, walk: &mut Walk) -> Next {
        match action {
            Action::Help => Next::Close,
            other => self.0.act(other, walk),
        }
    }

    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, walk: &Walk, is_looked_at: bool) {
        self.0.draw(frame, area, walk, is_looked_at);
    }
}
