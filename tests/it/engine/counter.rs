//! A kind of streams that the engine knows nothing of: a counter with an alarm, which gives to other counters and can be made to
//! break anywhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix::Recipient;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reenact::actors::hosting::context::HostContext;
use reenact::actors::hosting::kind::Kind;
use reenact::actors::hosting::live::Live;
use reenact::actors::hosting::messages::Tell;
use reenact::actors::hosting::shell::{EffectId, Heard, Shell};
use reenact::events::codec::{CodecError, Encoded, from_bytes, to_bytes};
use reenact::events::decision::Form;
use reenact::events::ids::{StreamId, Version};
use reenact::events::json::Json;
use reenact::events::problem::{Code, Problem};
use reenact::events::time::Timestamp;
use reenact::kernel::core::Environment;
use reenact::kernel::{
    Aggregate, At, Attention, Blobs, Deadline, Draft, Effect, EffectChanges, IllegalEvent, Lasts, Message,
    Moment, NotRecalled, Now, Own, Recalling, Recording, Said,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) count: u64,
    alarm: Option<Timestamp>,
    /// A sum that somebody outside works out.
    asked: Option<u64>,
    /// What it gives to another counter: to which, how much, and the number of the gift.
    gives: Option<(String, u64, u64)>,
    gifts: u64,
    /// What others have given it.
    taken: BTreeSet<(String, u64)>,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Ask {
    Count(u64),
    /// To count one more at that moment.
    Alarm(Timestamp),
    Due,
    Double,
    Doubled(u64),
    /// To give to that counter.
    Give(String, u64),
    Take(String, u64, u64),
    Given,
    Refused,
    Recover,
    PanicWhileDeciding,
    PanicWhileFolding,
    PanicWhilePerforming,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Happened {
    Counted(u64),
    AlarmSet(Timestamp),
    AlarmRang,
    DoubleAsked(u64),
    GiveAsked(String, u64),
    Taken(String, u64, u64),
    Gave,
    Kept,
    Poisoned,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Want {
    Wake(Timestamp),
    Double(u64),
    Give(String, u64, u64),
}

#[derive(Debug, thiserror::Error)]
#[error("it does not count that far")]
pub(super) struct TooFar;

impl Encoded for Happened {
    fn kind(&self) -> &'static str {
        "counter_event"
    }

    fn schema(&self) -> u16 {
        1
    }

    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        to_bytes(self)
    }

    fn decode(_: &str, _: u16, payload: &[u8]) -> Result<Self, CodecError> {
        from_bytes(payload)
    }
}

impl Effect for Want {
    type Id = &'static str;

    fn id(&self) -> &'static str {
        match self {
            Self::Wake(_) => "wake",
            Self::Double(_) => "double",
            Self::Give(..) => "give",
        }
    }

    fn lasts(&self) -> Lasts {
        match self {
            Self::Wake(at) => Lasts::Until(Deadline::Steady(*at)),
            Self::Double(_) => Lasts::Process,
            Self::Give(..) => Lasts::Answer,
        }
    }
}

impl Aggregate for Counter {
    const KIND: &'static str = "counter";
    type Command = Ask;
    type Event = Happened;
    type Rejection = TooFar;
    type Effect = Want;
    type Grants = ();

    fn decide(draft: &mut Draft<'_, Self>, ask: Ask, moment: &Moment<'_>) -> Result<(), TooFar> {
        match ask {
            Ask::Count(by) if by > 1_000 => return Err(TooFar),
            Ask::Count(by) => draft.emit(Happened::Counted(by)),
            Ask::Alarm(at) => draft.emit(Happened::AlarmSet(at)),
            Ask::Due if draft.state().alarm.is_some_and(|at| at <= moment.now) => {
                draft.emit(Happened::AlarmRang);
            }
            Ask::Double => draft.emit(Happened::DoubleAsked(draft.state().count)),
            Ask::Doubled(by) if draft.state().asked.is_some() => draft.emit(Happened::Counted(by)),
            Ask::PanicWhileDeciding => panic!("on purpose, while it decides"),
            Ask::PanicWhileFolding => draft.emit(Happened::Poisoned),
            Ask::PanicWhilePerforming => draft.emit(Happened::DoubleAsked(u64::MAX)),
            Ask::Give(to, by) => draft.emit(Happened::GiveAsked(to, by)),
            Ask::Take(_, _, by) if by > 1_000 => return Err(TooFar),
            Ask::Take(from, nth, by) if !draft.state().taken.contains(&(from.clone(), nth)) => {
                draft.emit(Happened::Taken(from, nth, by));
            }
            Ask::Given if draft.state().gives.is_some() => draft.emit(Happened::Gave),
            Ask::Refused if draft.state().gives.is_some() => draft.emit(Happened::Kept),
            _ => {}
        }
        Ok(())
    }

    fn evolve(
        &mut self,
        event: &Happened,
        at: &At<'_>,
        changes: &mut EffectChanges<Want>,
    ) -> Result<(), IllegalEvent> {
        match event {
            Happened::Counted(by) => {
                self.count += by;
                if self.asked.take().is_some() {
                    changes.close("double");
                }
            }
            Happened::AlarmSet(at) => {
                self.alarm = Some(*at);
                changes.open(Want::Wake(*at));
            }
            Happened::AlarmRang => {
                (self.alarm, self.count) = (None, self.count + 1);
                changes.close("wake");
            }
            Happened::DoubleAsked(count) => {
                self.asked = Some(*count);
                changes.open(Want::Double(*count));
            }
            Happened::GiveAsked(to, by) => {
                (self.gifts, self.name) = (self.gifts + 1, at.stream.to_string());
                self.gives = Some((to.clone(), *by, self.gifts));
                changes.open(Want::Give(to.clone(), *by, self.gifts));
            }
            Happened::Taken(from, nth, by) => {
                self.taken.insert((from.clone(), *nth));
                self.count += by;
            }
            Happened::Gave | Happened::Kept => {
                let why = "nothing was to be given".to_owned();
                let given = self.gives.take().ok_or(IllegalEvent { version: at.version, why })?;
                let by = given.1;
                self.count -= if *event == Happened::Gave { by } else { 0 };
                changes.close("give");
            }
            Happened::Poisoned => panic!("on purpose, while it folds"),
        }
        Ok(())
    }

    fn open(&self) -> Vec<Want> {
        let wake = self.alarm.map(Want::Wake);
        let gives = self.gives.clone().map(|(to, by, nth)| Want::Give(to, by, nth));
        wake.into_iter().chain(self.asked.map(Want::Double)).chain(gives).collect()
    }

    fn attention(&self) -> Attention {
        let own = match (self.asked, self.alarm) {
            _ if self.gives.is_some() => Own::Now,
            (Some(_), _) => Own::Now,
            (None, Some(at)) => Own::At(at),
            (None, None) => Own::None,
        };
        Attention { own, ..Attention::default() }
    }

    fn status(&self) -> &'static str {
        if self.asked.is_some() { "doubling" } else { "counting" }
    }

    fn message(&self, effect: &Want) -> Option<Message> {
        let Want::Give(to, by, nth) = effect.clone() else { return None };
        let (to, from) = (StreamId::new(Self::KIND, &to), self.name.clone());
        let write = move |_: &dyn Blobs| Ok(Said::new(Ask::Take(from.clone(), nth, by)));
        Some(Message {
            to,
            effect: format!("give/{nth}").into(),
            id: None,
            asks: true,
            insists: false,
            write: Arc::new(write),
        })
    }

    fn answered(_: &Want, answer: Result<Version, Problem>) -> Option<Ask> {
        Some(if answer.is_ok() { Ask::Given } else { Ask::Refused })
    }

    fn due(_: &Want) -> Option<Ask> {
        Some(Ask::Due)
    }

    fn recover(_: &mut dyn Iterator<Item = &&'static str>) -> Ask {
        Ask::Recover
    }

    fn loses(ask: &Ask) -> bool {
        *ask == Ask::Recover
    }

    fn name(_: &Ask) -> &'static str {
        "ask"
    }

    fn record(ask: Ask, _: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        to_bytes(&ask).map(|payload| Some(Form { schema: 1, payload }))
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<Ask, NotRecalled> {
        let form = recalling.form()?;
        from_bytes(&form.payload).map_err(|error| recalling.broken(error))
    }

    fn problem(_: &TooFar) -> Problem {
        Problem::new(Code::BadInput, "it does not count that far")
    }

    fn is_fatal(_: &TooFar) -> bool {
        false
    }

    const SNAPSHOT_SCHEMA: u16 = 1;

    fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        to_bytes(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, CodecError> {
        from_bytes(bytes)
    }
}

/// Counters, as they are registered.
pub(super) struct Counters;

pub(super) struct CounterShell {
    context: HostContext,
    host: Option<Recipient<Tell<u64>>>,
}

impl Kind for Counters {
    type Aggregate = Counter;
    type Shell = CounterShell;

    fn describe(&self, state: &Counter) -> Json {
        Json::of(&state.count).unwrap()
    }

    fn shell(&self, _: &StreamId, context: &HostContext) -> Option<CounterShell> {
        Some(CounterShell { context: context.clone(), host: None })
    }
}

impl Environment<Counter> for CounterShell {
    fn now(&mut self) -> Now {
        self.context.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.context.library) as _
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn grant(&mut self, _: &Counter, _: &Ask, _: &[Want]) -> Option<()> {
        Some(())
    }

    fn take_back(&mut self) {}
}

impl Shell<Counter> for CounterShell {
    type View = ();
    /// What a number is doubled.
    type Message = u64;

    fn view(&self) {}

    fn started(&mut self, host: Recipient<Tell<u64>>) {
        self.host = Some(host);
    }

    fn perform(&mut self, _: &Counter, effect: Want) {
        let Want::Double(count) = effect else { return };
        assert!(count < u64::MAX, "on purpose, while it performs");
        self.host.as_ref().unwrap().do_send(Tell(count));
    }

    fn close(&mut self, _: &Counter, _: &EffectId<Counter>, _: bool) {}

    fn clear(&mut self, _: &Counter, _: Vec<Want>) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn told(&mut self, by: u64) -> Heard<Counter> {
        Heard::Settled("double", Some(Ask::Doubled(by)))
    }

    fn parked(&mut self) {}

    fn show(&mut self, _: &Counter, _: bool, _: &mut Live) {}
}
