//! Runs that are driven because somebody named them, and those that are driven because all are.

use std::sync::Arc;

use dashmap::DashSet;
use tokio::sync::{broadcast, watch};

use super::{Communicator, send};
use crate::actors::glance::Glance;
use crate::actors::run::Drive;
use crate::actors::timer::Forget;
use crate::events::ids::RunId;

/// How many runs may wait to be looked at because somebody wanted something of them. Beyond it, all that are due are looked
/// at, which finds them too.
const NUDGES_MAX: usize = 1_024;

/// Who drives which of the runs that are driven.
pub(super) struct Lending {
    /// Those that somebody asked for by name, from then on.
    named: DashSet<RunId>,
    /// Those that nobody asked for by name: they are put away when they have nothing to do for now.
    lent: DashSet<RunId>,
    /// Runs of which somebody wanted something that nobody drives. Who drives all runs listens.
    nudges: broadcast::Sender<RunId>,
}

impl Default for Lending {
    fn default() -> Self {
        Self { named: DashSet::new(), lent: DashSet::new(), nudges: broadcast::Sender::new(NUDGES_MAX) }
    }
}

impl Lending {
    /// Nobody drives that run any more.
    pub(super) fn forget(&self, run: &RunId) {
        self.named.remove(run);
    }
}

impl Communicator {
    /// Lets a run go on, now and by itself from here on.
    pub async fn drive(self: &Arc<Self>, run: &RunId) {
        self.lending.named.insert(run.clone());
        self.lending.lent.remove(run);
        self.tell(run, Drive).await;
    }

    /// Lets a run go on until it has nothing to do for now; then it is put away, and nobody drives it. What is seen of it
    /// ends with that.
    pub async fn lend(self: &Arc<Self>, run: &RunId) -> watch::Receiver<Glance> {
        let was_driven = self.is_driven(run);
        self.lending.lent.insert(run.clone());
        // Looked at after that, so that of two who drive it at once the one who names it wins.
        if was_driven || self.lending.named.contains(run) {
            self.lending.lent.remove(run);
        }
        let glance = self.run(run).1;
        self.tell(run, Drive).await;
        glance
    }

    /// Whether a run is driven only because all are.
    pub fn is_lent(&self, run: &RunId) -> bool {
        self.lending.lent.contains(run)
    }

    /// A run is put away. If it was lent, nobody drives it from here on, and its timers are for who drives all runs.
    pub(super) fn take_back(&self, run: &RunId) {
        if self.lending.lent.remove(run).is_some() {
            self.note_driven(run, false);
            if let Some(timer) = self.timer.get() {
                send(timer, Forget { run: run.clone(), before: self.timer_number() });
            }
        }
    }

    /// Whether somebody drives all runs that can go on.
    pub fn drives_all(&self) -> bool {
        self.lending.nudges.receiver_count() > 0
    }

    /// The runs of which somebody wants something from here on, and that nobody drives.
    pub fn nudged(&self) -> broadcast::Receiver<RunId> {
        self.lending.nudges.subscribe()
    }

    /// Lets whoever drives all runs look at this one.
    pub fn nudge(&self, run: &RunId) {
        if !self.is_driven(run) {
            // Without anybody who drives all, it waits until somebody drives it.
            let _ = self.lending.nudges.send(run.clone());
        }
    }
}
