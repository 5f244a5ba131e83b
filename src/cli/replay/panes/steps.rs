//! The state: its steps, a line each. It follows the event that is looked at, unless somebody looks at the steps themselves.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Next, Pane, Value, Window, at_cursor, colour, draw_lines, line};
use crate::api::protocol::Shown;
use crate::cli::replay::keys::Action;
use crate::cli::replay::tell;
use crate::cli::replay::walk::Walk;
use crate::cli::text::{Text, name, terminal};
use crate::views::presenters::report::StepReport;

/// How wide the column of the names of steps is at most.
const NAME_WIDTH_MAX: usize = 24;

/// The list of steps.
#[derive(Debug, Default)]
pub(in crate::cli::replay) struct Steps {
    window: Window,
    /// The line under the cursor: of the lines above the steps, and the steps.
    cursor: usize,
}

impl Pane for Steps {
    fn title(&self, walk: &Walk) -> Text {
        let at = walk.state().event.version;
        match &walk.state().shown {
            Shown::Run(report) => {
                let (done, total) = (report.progress.done, report.progress.total);
                terminal!("at version {}: {}, {} of {} steps", at, report.status.text(), done, total)
            }
            Shown::Stream(_) => terminal!("at version {}", at),
        }
    }

    fn act(&mut self, action: Action, walk: &mut Walk) -> Next {
        let last = lines_above(walk) + steps(walk).len();
        let page = self.window.page();
        let to = match action {
            Action::Up => self.cursor.saturating_sub(1),
            Action::Down => self.cursor + 1,
            Action::PageUp => self.cursor.saturating_add_signed(-page),
            Action::PageDown => self.cursor.saturating_add_signed(page),
            Action::First => 0,
            Action::Last => last,
            Action::Open => return self.open(walk),
            _ => return Next::Unknown,
        };
        self.cursor = to.min(last.saturating_sub(1));
        Next::Stay
    }

    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, walk: &Walk, is_looked_at: bool) {
        let (above, steps) = (tell::state_lines(walk.state()), steps(walk));
        let of_event = walk.row().and_then(|row| row.step.as_ref());
        let of_event = of_event.and_then(|step| steps.iter().position(|known| known.id == *step));
        if let Some(place) = of_event.filter(|_| !is_looked_at) {
            self.cursor = above.len() + place;
        }
        let lines = above.len() + steps.len();
        self.cursor = self.cursor.min(lines.saturating_sub(1));
        let seen = self.window.around(self.cursor, lines, usize::from(area.height));
        let width = steps.iter().map(|step| name(step.id.as_str()).width()).max().unwrap_or(0);
        let drawn = seen.map(|place| {
            let drawn = match place.checked_sub(above.len()).and_then(|step| steps.get(step)) {
                Some(step) => {
                    line(&tell::step_line(step, width.min(NAME_WIDTH_MAX))).style(colour(&step.status))
                }
                None => above.get(place).map(line).unwrap_or_default(),
            };
            let is_of_event = place.checked_sub(above.len()).is_some_and(|step| Some(step) == of_event);
            let is_marked = if is_looked_at { place == self.cursor } else { is_of_event };
            if is_marked { at_cursor(drawn, is_looked_at) } else { drawn }
        });
        let drawn = drawn.collect();
        draw_lines(frame, area, drawn);
    }
}

impl Steps {
    fn open(&self, walk: &Walk) -> Next {
        let above = lines_above(walk);
        let step = self.cursor.checked_sub(above).and_then(|place| steps(walk).get(place));
        match (step, &walk.state().shown) {
            (Some(step), _) => {
                let title =
                    terminal!("step {} at version {}", name(step.id.as_str()), walk.state().event.version);
                Next::Open(Box::new(Value::new(title, tell::step_lines(step))))
            }
            (None, Shown::Run(report)) => {
                let title = terminal!("run at version {}", report.version);
                let error = report.error.iter().flat_map(tell::error_lines);
                Next::Open(Box::new(Value::new(title, error.collect())))
            }
            (None, Shown::Stream(report)) => {
                let title = terminal!("{} at version {}", name(report.stream.as_str()), report.version);
                Next::Open(Box::new(Value::new(title, tell::value_lines(&report.state))))
            }
        }
    }
}

fn lines_above(walk: &Walk) -> usize {
    tell::state_lines(walk.state()).len()
}

fn steps(walk: &Walk) -> &[StepReport] {
    match &walk.state().shown {
        Shown::Run(report) => &report.steps,
        Shown::Stream(_) => &[],
    }
}
