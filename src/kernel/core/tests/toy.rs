//! A counter with open tasks of every kind: hosted, crashed at every output and recovered
//! in the fewest lines.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::codec::{CodecError, Encoded, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::StreamId;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::core::Residency;
use crate::kernel::{
    Aggregate, At, Attention, Deadline, Draft, Effect, EffectChanges, IllegalEvent, Lasts, Moment,
    NotRecalled, Own, People, Recalling, Recording,
};
use crate::testing::{Broken, Hosted};

pub(super) const NOON: Timestamp = Timestamp(1_800_000_000_000_000);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) done: u64,
    pub(super) lost: u64,
    pub(super) open: BTreeSet<u64>,
    pub(super) over: bool,
}

/// A task. Its number says how long it lasts: 5 goes off 5 seconds after noon, and 105 goes off when the wall
/// clock shows 105 seconds after noon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task(pub(super) u64);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[rustfmt::skip]
pub(super) enum Ask { Open(Vec<u64>), Done(u64), Due(u64), Recover(BTreeSet<u64>), Count(u64), End }

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[rustfmt::skip]
pub(super) enum Event { Opened(u64), Closed(u64), Lost(u64), Counted, Ended }

#[rustfmt::skip]
impl Effect for Task {
    type Id = u64;
    fn id(&self) -> u64 { self.0 }
    fn lasts(&self) -> Lasts {
        match self.0 % 4 {
            0 => Lasts::Told,
            1 if self.0 > 100 => Lasts::Until(Deadline::Wall(NOON.after(Duration::from_secs(self.0)))),
            1 => Lasts::Until(Deadline::Steady(NOON.after(Duration::from_secs(self.0)))),
            2 => Lasts::Process,
            _ => Lasts::Answer,
        }
    }
}

#[rustfmt::skip]
impl Encoded for Event {
    fn kind(&self) -> &'static str { "event" }
    fn schema(&self) -> u16 { 1 }
    fn encode(&self) -> Result<Vec<u8>, CodecError> { to_bytes(self) }
    fn decode(_: &str, _: u16, payload: &[u8]) -> Result<Self, CodecError> { from_bytes(payload) }
}

#[rustfmt::skip]
impl Aggregate for Counter {
    type Command = Ask;
    type Effect = Task;
    type Event = Event;
    type Grants = ();
    type Rejection = std::fmt::Error;
    const KIND: &'static str = "counter";
    const SNAPSHOT_SCHEMA: u16 = 1;
    fn decide(draft: &mut Draft<'_, Self>, ask: Ask, moment: &Moment<'_>) -> Result<(), std::fmt::Error> {
        let Self { open, over, .. } = draft.state().clone();
        let is_due = |id| !matches!(Task(id).lasts(), Lasts::Until(deadline) if !deadline.has_come(moment.clocks()));
        match ask {
            _ if over => return Err(std::fmt::Error),
            Ask::Open(ids) => ids.into_iter().for_each(|id| draft.emit(Event::Opened(id))),
            Ask::Due(id) | Ask::Done(id) if open.contains(&id) && is_due(id) => draft.emit(Event::Closed(id)),
            Ask::Done(_) | Ask::Due(_) => {}
            Ask::Recover(kept) => {
                let lost = open.difference(&kept).filter(|id| Task(**id).lasts() == Lasts::Process);
                lost.for_each(|id| draft.emit(Event::Lost(*id)));
            }
            Ask::Count(count) => (0..count).for_each(|_| draft.emit(Event::Counted)),
            Ask::End => draft.emit(Event::Ended),
        }
        Ok(())
    }
    fn evolve(&mut self, event: &Event, _: &At<'_>, changes: &mut EffectChanges<Task>) -> Result<(), IllegalEvent> {
        match event {
            Event::Opened(id) => { self.open.insert(*id); changes.open(Task(*id)); }
            Event::Closed(id) => { self.done += 1; self.open.remove(id); changes.close(*id); }
            Event::Lost(id) => { self.lost += 1; self.open.remove(id); changes.close(*id); }
            Event::Counted => self.done += 1,
            Event::Ended => self.over = true,
        }
        Ok(())
    }
    fn open(&self) -> Vec<Task> { self.open.iter().map(|id| Task(*id)).collect() }
    fn attention(&self) -> Attention {
        let is_lasting = |id: &u64| matches!(Task(*id).lasts(), Lasts::Process | Lasts::Answer);
        let until = |id: &u64| match Task(*id).lasts() { Lasts::Until(Deadline::Steady(at)) => Some(at), _ => None };
        let people = |id: &u64| match Task(*id).lasts() { Lasts::Until(Deadline::Wall(at)) => Some(at), _ => None };
        let timer = self.open.iter().filter_map(until).min().map_or(Own::None, Own::At);
        let people = self.open.iter().filter_map(people).min().map_or(People::None, |at| People::Until(Some(at)));
        let own = if self.open.iter().any(is_lasting) { Own::Now } else { timer };
        if self.over { Attention::OVER } else { Attention { own, people, ..Attention::default() } }
    }
    fn status(&self) -> &'static str { if self.over { "over" } else { "counting" } }
    fn due(task: &Task) -> Option<Ask> { Some(Ask::Due(task.0)) }
    fn recover(in_flight: &mut dyn Iterator<Item = &u64>) -> Ask { Ask::Recover(in_flight.copied().collect()) }
    fn loses(ask: &Ask) -> bool { matches!(ask, Ask::Recover(_)) }
    fn name(_: &Ask) -> &'static str { "ask" }
    fn record(ask: Ask, _: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        to_bytes(&ask).map(|payload| Some(Form { schema: 1, payload }))
    }
    fn recall(recalling: &Recalling<'_, Self>) -> Result<Ask, NotRecalled> {
        from_bytes(&recalling.form()?.payload).map_err(|error| recalling.broken(error))
    }
    fn problem(_: &std::fmt::Error) -> Problem { Problem::new(Code::UnknownRun, "it is over") }
    fn is_fatal(_: &std::fmt::Error) -> bool { false }
    fn snapshot(&self) -> Result<Vec<u8>, CodecError> { to_bytes(self) }
    fn restore(bytes: &[u8]) -> Result<Self, CodecError> { from_bytes(bytes) }
}

/// Somebody asks for a task of each kind, does those that are performed, waits for the timer, and ends it.
pub(super) fn live(host: &mut Hosted<Counter>, residency: Residency) -> Result<(), Broken> {
    if host.history().is_empty() {
        host.ask(Ask::Open(vec![0, 2, 3, 5]), true)?;
    }
    while let Some(id) = host.performs().map(Effect::id).min() {
        host.settle(&id, Some(Ask::Done(id)))?;
    }
    host.now = NOON.after(Duration::from_secs(5));
    if host.is_driven() && host.state().open.contains(&5) {
        host.wake()?
    } else {
        host.drive(residency)?
    }
    host.ask(Ask::Done(0), false)?;
    host.ask(Ask::End, false).map(drop)
}

#[test]
fn a_process_may_die_before_any_output() {
    for (nth, residency) in (0..).flat_map(|nth| [(nth, Residency::Pinned), (nth, Residency::UntilIdle)]) {
        let mut host = Hosted::new(StreamId::new(Counter::KIND, "toy"), (), NOON);
        host.die_before(nth);
        live(&mut host, residency).unwrap();
        if !host.is_dead() {
            return assert!(nth > 20);
        }
        host.crash();
        host.drive(residency).unwrap();
        live(&mut host, residency).unwrap();
        let Counter { done, lost, open, over } = host.state();
        assert!(done + lost == 4 && *lost < 2 && open.is_empty() && *over, "{nth}: {:?}", host.history());
    }
}
