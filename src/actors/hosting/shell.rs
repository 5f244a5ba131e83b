//! What is particular to a kind of streams: how effects are performed, and what decisions borrow.

use actix::Recipient;
use futures_util::future::BoxFuture;

use super::live::Live;
use super::messages::Tell;
use crate::events::problem::Problem;
use crate::kernel::core::Environment;
use crate::kernel::{Aggregate, Effect};

/// The id of an effect of an aggregate.
pub type EffectId<A> = <<A as Aggregate>::Effect as Effect>::Id;

/// What is particular to a kind of streams: how effects are performed, and what decisions borrow.
pub trait Shell<A: Aggregate>: Environment<A> + Sized + Send + Unpin + 'static {
    /// What is seen of it beside [`Live`].
    type View: Clone + Send + Sync + 'static;
    /// What it is told, beside what the aggregate is asked.
    type Message: Send + 'static;

    /// What is seen of it, as it changes.
    fn view(&self) -> Self::View;

    /// Its host is there.
    fn started(&mut self, host: Recipient<Tell<Self::Message>>);

    /// Performs an effect. What lasts is reported by a [`Heard::Settled`].
    fn perform(&mut self, state: &A, effect: A::Effect);

    /// An effect is not open any more, or not performed here any more. If it was given up it is to be stopped.
    fn close(&mut self, state: &A, effect: &EffectId<A>, given_up: bool);

    /// Ends what these effects left running, whose process is gone.
    fn clear(&mut self, state: &A, effects: Vec<A::Effect>) -> BoxFuture<'static, ()>;

    /// What a message means for the aggregate.
    fn told(&mut self, message: Self::Message) -> Heard<A>;

    /// It cannot go on: what is performed for it is to stop, and nothing is waited for any more.
    fn parked(&mut self);

    /// This state is durable. It may say more of what is seen.
    fn show(&mut self, state: &A, driven: bool, live: &mut Live);
}

/// What a message means for an aggregate.
pub enum Heard<A: Aggregate> {
    /// Something else is to be seen of it.
    Seen,
    /// It is asked this.
    Command(A::Command),
    /// An effect that lasts is over: with the command that tells what came of it, or because this process let go of it.
    Settled(EffectId<A>, Option<A::Command>),
    /// It cannot go on in this process.
    LeaveAlone(Problem),
}
