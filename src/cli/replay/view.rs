//! The screen as a whole: panes beside or below each other, others that were opened over them, and what keys mean for all.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::keys::Action;
use super::panes::{Events, Help, Next, Pane, Steps};
use super::tell;
use super::walk::Walk;
use crate::cli::text::{Text, terminal};

/// From this width on panes stand beside each other, below it one below the other.
const BESIDE_FROM: u16 = 72;

/// What is shown.
pub(super) struct View {
    /// The panes that are always there.
    panes: Vec<Box<dyn Pane>>,
    /// Which of them keys go to.
    looked_at: usize,
    /// Those that were opened over them, the last on top.
    opened: Vec<Box<dyn Pane>>,
    /// Whether something is to be opened once its state is there.
    opens: bool,
}

/// What is to be done after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The screen is drawn.
    Draw,
    /// All of it is drawn anew.
    DrawAnew,
    /// The program ends.
    Leave,
}

impl View {
    pub(super) fn new() -> Self {
        let panes: Vec<Box<dyn Pane>> = vec![Box::<Events>::default(), Box::<Steps>::default()];
        Self { panes, looked_at: 0, opened: Vec::new(), opens: false }
    }

    /// What a key does.
    pub(super) fn act(&mut self, action: Action, walk: &mut Walk) -> Turn {
        walk.hear();
        match action {
            Action::Leave => return Turn::Leave,
            Action::Redraw => return Turn::DrawAnew,
            _ => {}
        }
        if let Some(top) = self.opened.last_mut() {
            match top.act(action, walk) {
                Next::Open(pane) => self.opened.push(pane),
                Next::Close => drop(self.opened.pop()),
                Next::Unknown if action == Action::Help => self.opened.push(Box::new(Help::new())),
                Next::Stay | Next::Unknown => {}
            }
            return Turn::Draw;
        }
        self.opens = false;
        match action {
            Action::Digit(digit) => walk.digit(digit),
            Action::Erase => walk.erase(),
            Action::Open if walk.go_to_typed() => {}
            Action::Close if !walk.typed().is_empty() => walk.stop_typing(),
            Action::Close => return Turn::Leave,
            Action::Help => self.opened.push(Box::new(Help::new())),
            Action::Switch => self.looked_at = (self.looked_at + 1) % self.panes.len().max(1),
            Action::Back => walk.step(-1),
            Action::Forward => walk.step(1),
            Action::NextFailure => walk.next_failure(),
            Action::FailureBefore => walk.failure_before(),
            // What is shown whole is of the state of the event that is looked at, which may be on its way.
            Action::Open if walk.wanted().is_some() => self.opens = true,
            other => self.act_in_pane(other, walk),
        }
        Turn::Draw
    }

    fn act_in_pane(&mut self, action: Action, walk: &mut Walk) {
        let pane = self.panes.get_mut(self.looked_at);
        if let Some(Next::Open(opened)) = pane.map(|pane| pane.act(action, walk)) {
            self.opened.push(opened);
        }
    }

    /// The state has come that was wanted.
    pub(super) fn answered(&mut self, walk: &mut Walk) {
        if walk.wanted().is_none() && std::mem::take(&mut self.opens) {
            self.act_in_pane(Action::Open, walk);
        }
    }

    /// Draws all of it.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, walk: &Walk) {
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
                .areas(frame.area());
        bar(frame, head, &tell::title(walk.state()), Modifier::BOLD);
        if let Some(top) = self.opened.last_mut() {
            draw_pane(frame, body, &mut **top, walk, true);
        } else {
            let shares = self.panes.iter().map(|_| Constraint::Fill(1));
            let is_wide = body.width >= BESIDE_FROM;
            let layout =
                if is_wide { Layout::horizontal(shares).spacing(1) } else { Layout::vertical(shares) };
            for (place, (pane, area)) in self.panes.iter_mut().zip(layout.split(body).iter()).enumerate() {
                draw_pane(frame, *area, &mut **pane, walk, place == self.looked_at);
            }
        }
        bar(frame, foot, &self.foot(walk), Modifier::DIM);
    }

    fn foot(&self, walk: &Walk) -> Text {
        let at = walk.row().map_or(walk.state().event.version, |row| row.version);
        let mut foot = terminal!("version {} of {}", at, walk.state().newest);
        foot = foot.and(walk.wanted().map(|_| terminal!(" …")));
        if !walk.typed().is_empty() {
            return foot.and(terminal!("  go to {}_", walk.typed()));
        }
        let keys = if self.opened.is_empty() { "?: keys  q: leave" } else { "?: keys  q: close" };
        foot.and(terminal!("  {}", walk.note().unwrap_or(keys)))
    }
}

/// Draws a pane below its title.
fn draw_pane(frame: &mut Frame<'_>, area: Rect, pane: &mut dyn Pane, walk: &Walk, is_looked_at: bool) {
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    pane.draw(frame, body, walk, is_looked_at);
    let style = if is_looked_at { Modifier::BOLD | Modifier::UNDERLINED } else { Modifier::UNDERLINED };
    bar(frame, title, &pane.title(walk), style);
}

fn bar(frame: &mut Frame<'_>, area: Rect, text: &Text, style: Modifier) {
    let line = Line::raw(text.as_str().to_owned()).style(Style::new().add_modifier(style));
    frame.render_widget(Paragraph::new(line), area);
}
