//! The way to the store, for one request or for several at once: what this process holds it holds for all of them together.

use std::rc::{Rc, Weak};

use tokio::sync::{Mutex, mpsc};

use crate::api::door::{Door, NoAnswer};
use crate::api::house::House;
use crate::api::protocol::{Frame, Request, Response};
use crate::events::problem::Problem;

/// The way to the store. When the last is dropped that leads through a door, wherever that happens, the door is left.
pub(super) enum Way {
    /// Through the door that all share.
    Shared(Rc<Passage>),
    /// Through a door of its own.
    Own(Passage),
}

/// A door that is left in order when this is dropped.
pub(super) struct Passage {
    /// There until it is dropped.
    door: Option<Door>,
    leave: mpsc::UnboundedSender<Door>,
}

impl Drop for Passage {
    fn drop(&mut self) {
        if let Some(door) = self.door.take() {
            // Where nobody leaves doors any more the process has ended.
            let _ = self.leave.send(door);
        }
    }
}

impl Way {
    pub(super) async fn ask(
        &mut self,
        request: &Request,
        show: &mut dyn FnMut(Frame),
    ) -> Result<Response, NoAnswer> {
        match self {
            Self::Shared(passage) => match &passage.door {
                Some(Door::Here(here)) => here.ask(request, show).await,
                _ => Err(NoAnswer::Gone),
            },
            Self::Own(Passage { door: Some(door), .. }) => door.ask(request, show).await,
            Self::Own(_) => Err(NoAnswer::Gone),
        }
    }

    /// The number of the other process that holds the store, if one does. While this one ends what it held, it is another to
    /// those that come next.
    pub(super) fn holder(&self) -> Option<i32> {
        match self {
            Self::Shared(_) => None,
            Self::Own(passage) => passage.door.as_ref().and_then(Door::holder),
        }
    }

    pub(super) fn is_to_copy(&self) -> bool {
        matches!(self, Self::Own(Passage { door: Some(door), .. }) if door.is_to_copy())
    }
}

/// The data folder, for those that come to it.
pub(super) struct Ways {
    pub(super) house: House,
    /// The same, for who only looks.
    looking: House,
    /// The door through which the store is held, as long as somebody uses it.
    shared: Mutex<Weak<Passage>>,
    leave: mpsc::UnboundedSender<Door>,
}

impl Ways {
    pub(super) fn new(house: House, leave: mpsc::UnboundedSender<Door>) -> Self {
        let looking = House { looks: true, ..house.clone() };
        Self { house, looking, shared: Mutex::default(), leave }
    }

    /// Opens the way: as a command does, unless this process holds the store already.
    ///
    /// # Errors
    /// Those of [`House::open`].
    pub(super) async fn open(&self, looks: bool) -> Result<Way, Problem> {
        // Held while it is opened: of two that come at once, the other finds it open.
        let mut shared = self.shared.lock().await;
        if let Some(passage) = shared.upgrade() {
            return Ok(Way::Shared(passage));
        }
        let door = if looks { self.looking.open().await } else { self.house.open().await }?;
        // What is damaged, or but a copy, is for who looks.
        let is_whole = matches!(door, Door::Here(_)) && !door.is_to_copy() && door.damage().is_none();
        let passage = self.passage(door);
        if !is_whole {
            return Ok(Way::Own(passage));
        }
        let passage = Rc::new(passage);
        *shared = Rc::downgrade(&passage);
        Ok(Way::Shared(passage))
    }

    /// Opens the way to a copy, for who only looks.
    ///
    /// # Errors
    /// Those of [`House::open_to_look`].
    pub(super) async fn open_to_look(&self) -> Result<Way, Problem> {
        Ok(Way::Own(self.passage(self.looking.open_to_look().await?)))
    }

    fn passage(&self, door: Door) -> Passage {
        Passage { door: Some(door), leave: self.leave.clone() }
    }
}
