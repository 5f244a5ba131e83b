//! The smallest aggregate that wants a lock of a context: it asks, is told what comes of it, and gives it back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reenact::actors::hosting::context::HostContext;
use reenact::actors::hosting::kind::Kind;
use reenact::actors::hosting::live::Live;
use reenact::actors::hosting::messages::Tell;
use reenact::actors::hosting::shell::{Heard, Shell};
use reenact::aggregates::context::{Acquire, ContextAsk, LockSays, OfContext};
use reenact::events::codec::{CodecError, Encoded, from_bytes, to_bytes};
use reenact::events::context::Held;
use reenact::events::decision::Form;
use reenact::events::ids::{LockFence, LockName, StreamId, Version};
use reenact::events::json::Json;
use reenact::events::problem::{Code, Problem};
use reenact::events::time::Timestamp;
use reenact::kernel::core::Environment;
use reenact::kernel::{
    Aggregate, At, Attention, Blobs, Draft, Effect, EffectChanges, IllegalEvent, Lasts, Message, Moment,
    NotRecalled, Now, Own, Recalling, Recording, Said,
};
use serde::{Deserialize, Serialize};

/// The lease for which a seeker wants its lock.
pub(super) const LEASE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seeker {
    name: String,
    stands: Stands,
    /// Whether it keeps what it gets until it is told to give it back.
    keeps: bool,
    /// The numbers of the grants that it got.
    grants: Vec<u64>,
    /// What went wrong.
    failures: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
enum Stands {
    #[default]
    Idle,
    /// It waits until then.
    Wants(Timestamp),
    Has(u64),
    GivesBack(u64),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// To get the lock, waiting until then, and to keep it or not.
    Want(Timestamp, bool),
    GiveBack,
    Told(OfContext),
    Failed(String),
    GaveBack,
    Recover,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Happened {
    Wanted(Timestamp, bool),
    Got(u64),
    GivesBack,
    GaveBack,
    Failed(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Want {
    Lock(Timestamp),
    GiveBack(u64),
}

#[derive(Debug, thiserror::Error)]
#[error("it never refuses")]
pub(super) enum Never {}

impl Encoded for Happened {
    fn kind(&self) -> &'static str {
        "seeker_event"
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
            Self::Lock(_) => "lock",
            Self::GiveBack(_) => "give back",
        }
    }

    fn lasts(&self) -> Lasts {
        Lasts::Answer
    }
}

impl Seeker {
    fn wants(&self) -> Option<Want> {
        match self.stands {
            Stands::Idle | Stands::Has(_) => None,
            Stands::Wants(until) => Some(Want::Lock(until)),
            Stands::GivesBack(fence) => Some(Want::GiveBack(fence)),
        }
    }

    fn told(draft: &mut Draft<'_, Self>, says: LockSays) {
        match (draft.state().stands, says) {
            (Stands::Wants(_), LockSays::Granted { fence, .. }) => {
                draft.emit(Happened::Got(fence.0));
                if !draft.state().keeps {
                    draft.emit(Happened::GivesBack);
                }
            }
            (Stands::Wants(_), LockSays::WaitEnded { holder }) => {
                draft.emit(Happened::Failed(format!("in vain, for {}", holder.unwrap_or_default())));
            }
            _ => {}
        }
    }
}

impl Aggregate for Seeker {
    const KIND: &'static str = "seeker";
    type Command = Ask;
    type Event = Happened;
    type Rejection = Never;
    type Effect = Want;
    type Grants = ();

    fn decide(draft: &mut Draft<'_, Self>, ask: Ask, _: &Moment<'_>) -> Result<(), Never> {
        match (ask, draft.state().stands) {
            (Ask::Want(until, keeps), Stands::Idle) => draft.emit(Happened::Wanted(until, keeps)),
            (Ask::GiveBack, Stands::Has(_)) => draft.emit(Happened::GivesBack),
            (Ask::Told(OfContext { says, .. }), _) => Self::told(draft, says),
            (Ask::Failed(why), Stands::Wants(_) | Stands::GivesBack(_)) => draft.emit(Happened::Failed(why)),
            (Ask::GaveBack, Stands::GivesBack(_)) => draft.emit(Happened::GaveBack),
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
        self.wants().into_iter().for_each(|want| changes.close(want.id()));
        self.name = at.stream.parts().unwrap().1.to_owned();
        self.stands = match (event, self.stands) {
            (Happened::Wanted(until, keeps), _) => {
                self.keeps = *keeps;
                Stands::Wants(*until)
            }
            (Happened::Got(fence), _) => {
                self.grants.push(*fence);
                Stands::Has(*fence)
            }
            (Happened::GivesBack, Stands::Has(fence)) => Stands::GivesBack(fence),
            (Happened::Failed(why), _) => {
                self.failures.push(why.clone());
                Stands::Idle
            }
            _ => Stands::Idle,
        };
        self.wants().into_iter().for_each(|want| changes.open(want));
        Ok(())
    }

    fn open(&self) -> Vec<Want> {
        self.wants().into_iter().collect()
    }

    fn attention(&self) -> Attention {
        let own = if self.wants().is_some() { Own::Now } else { Own::None };
        Attention { own, ..Attention::default() }
    }

    fn status(&self) -> &'static str {
        "seeking"
    }

    fn message(&self, effect: &Want) -> Option<Message> {
        let (lock, owner): (_, Arc<str>) = (LockName::parse("build").unwrap(), self.name.as_str().into());
        let (name, ask) = match *effect {
            Want::Lock(until) => {
                let (until, tells) = (Some(until), Some(StreamId::new(Self::KIND, &self.name)));
                ("lock", ContextAsk::Acquire(Acquire { lock, owner, lease: LEASE, until, tells }))
            }
            Want::GiveBack(fence) => {
                let held = Held { lock, fence: LockFence(fence) };
                ("give back", ContextAsk::Release { held, owner })
            }
        };
        let (to, write) =
            (StreamId::new("context", "shared"), move |_: &dyn Blobs| Ok(Said::new(ask.clone())));
        Some(Message {
            to,
            effect: name.into(),
            id: None,
            asks: true,
            insists: false,
            write: Arc::new(write),
        })
    }

    fn heard(said: Said) -> Option<Ask> {
        said.command().map(Ask::Told)
    }

    fn answered(effect: &Want, answer: Result<Version, Problem>) -> Option<Ask> {
        match (effect, answer) {
            // It is told what comes of that.
            (Want::Lock(_), Ok(_)) => None,
            (Want::GiveBack(_), Ok(_)) => Some(Ask::GaveBack),
            (_, Err(problem)) => Some(Ask::Failed(problem.code.text().to_owned())),
        }
    }

    fn due(_: &Want) -> Option<Ask> {
        None
    }

    fn recover(_: &mut dyn Iterator<Item = &&'static str>) -> Ask {
        Ask::Recover
    }

    fn loses(_: &Ask) -> bool {
        false
    }

    fn name(_: &Ask) -> &'static str {
        "ask"
    }

    fn record(_: Ask, _: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        Ok(None)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<Ask, NotRecalled> {
        Err(NotRecalled::NotRecorded(recalling.decision.command.name.to_string()))
    }

    fn problem(_: &Never) -> Problem {
        Problem::new(Code::BadInput, "it never refuses")
    }

    fn is_fatal(_: &Never) -> bool {
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

/// Seekers, as they are registered.
pub(super) struct Seekers;

pub(super) struct SeekerShell(HostContext);

impl Kind for Seekers {
    type Aggregate = Seeker;
    type Shell = SeekerShell;

    fn describe(&self, state: &Seeker) -> Json {
        Json::of(&serde_json::json!([state.grants, state.failures])).unwrap()
    }

    fn shell(&self, _: &StreamId, context: &HostContext) -> Option<SeekerShell> {
        Some(SeekerShell(context.clone()))
    }
}

impl Environment<Seeker> for SeekerShell {
    fn now(&mut self) -> Now {
        self.0.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.0.library) as _
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn grant(&mut self, _: &Seeker, _: &Ask, _: &[Want]) -> Option<()> {
        Some(())
    }

    fn take_back(&mut self) {}
}

impl Shell<Seeker> for SeekerShell {
    type View = ();
    type Message = Infallible;

    fn view(&self) {}

    fn started(&mut self, _: Recipient<Tell<Infallible>>) {}

    fn perform(&mut self, _: &Seeker, _: Want) {}

    fn close(&mut self, _: &Seeker, _: &&'static str, _: bool) {}

    fn clear(&mut self, _: &Seeker, _: Vec<Want>) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn told(&mut self, message: Infallible) -> Heard<Seeker> {
        match message {}
    }

    fn parked(&mut self) {}

    fn show(&mut self, _: &Seeker, _: bool, _: &mut Live) {}
}
