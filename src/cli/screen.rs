//! A text that is shown again as it changes: drawn over on a terminal, also when that gets another size; elsewhere one below the
//! other.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::region::Size;
use super::say::{LiveArea, Say};
use super::text::colour::Tone;
use super::text::terminal::fitted;
use super::text::{Text, terminal};

/// What is shown, for a terminal of whatever size.
type Picture = Rc<dyn Fn(Size) -> Text>;

/// Where it is shown.
pub(super) struct Screen<'s> {
    say: &'s Say,
    drawn: Option<Drawn>,
    /// The picture that was shown last, at the usual size.
    shown: Option<Text>,
}

/// A picture on a terminal.
struct Drawn {
    area: LiveArea,
    picture: Rc<RefCell<Option<Picture>>>,
    /// Draws it again when the terminal gets another size.
    follows: Option<JoinHandle<()>>,
}

impl<'s> Screen<'s> {
    pub(super) fn new(say: &'s Say) -> Self {
        Self { say, drawn: say.live_area().map(Drawn::new), shown: None }
    }

    /// Shows that instead of what was shown before. A picture that says the same, as `same` has it, is not repeated below the
    /// one before.
    pub(super) fn show(&mut self, picture: impl Fn(Size) -> Text + 'static, same: Text) {
        if let Some(drawn) = &self.drawn {
            drawn.show(Rc::new(picture));
        } else if self.shown.replace(same.clone()).is_none_or(|shown| shown.as_str() != same.as_str()) {
            self.say.show(&picture(Size::USUAL));
        }
    }

    /// Whether a picture that says the same is the last that stands there.
    pub(super) fn stands(&self, same: &Text) -> bool {
        self.drawn.is_none() && self.shown.as_ref().is_some_and(|shown| shown.as_str() == same.as_str())
    }

    /// Takes the picture away, for something that takes its place.
    pub(super) fn clear(&self) {
        if let Some(drawn) = &self.drawn {
            drawn.picture.borrow_mut().take();
            drawn.area.clear();
        }
    }

    /// Leaves the last picture where it can be read.
    pub(super) fn leave(&self) {
        let Some(drawn) = &self.drawn else { return };
        let last = drawn.picture.borrow_mut().take();
        let size = drawn.area.size();
        drawn.area.clear();
        if let Some(picture) = last {
            self.say.show(&picture(size));
        }
    }
}

impl Drawn {
    fn new(area: LiveArea) -> Self {
        let picture = Rc::<RefCell<Option<Picture>>>::default();
        let (its_area, its_picture) = (area.clone(), Rc::clone(&picture));
        // Without the signal it is drawn again when it changes.
        let follows = signal(SignalKind::window_change()).ok().map(|mut changes| {
            tokio::task::spawn_local(async move {
                while changes.recv().await.is_some() {
                    draw(&its_area, its_picture.borrow().as_ref());
                }
            })
        });
        Self { area, picture, follows }
    }

    fn show(&self, picture: Picture) {
        draw(&self.area, Some(&picture));
        *self.picture.borrow_mut() = Some(picture);
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.follows.iter().for_each(JoinHandle::abort);
    }
}

fn draw(area: &LiveArea, picture: Option<&Picture>) {
    if let Some(picture) = picture {
        let size = area.size();
        area.draw(&page(&picture(size), size), size);
    }
}

/// As much of a text as fits on a terminal of that size.
fn page(text: &Text, size: Size) -> Vec<Text> {
    let lines: Vec<Text> = text.each_line().map(|line| fitted(&line, size.width())).collect();
    let left = lines.len().saturating_sub(size.lines());
    if left == 0 {
        return lines;
    }
    let shown = lines.into_iter().take(size.lines().saturating_sub(1));
    shown.chain([Tone::Minor.of(&terminal!("… {} more lines", left + 1))]).collect()
}
