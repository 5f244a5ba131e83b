//! The shell of kinds for which nothing is done in the world but what every stream has done: to be woken, and to say something to
//! other streams.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use actix::Recipient;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::context::HostContext;
use super::live::Live;
use super::messages::Tell;
use super::shell::{EffectId, Heard, Shell};
use crate::kernel::core::Environment;
use crate::kernel::{Aggregate, Blobs, Now};

/// What such a stream borrows to decide.
pub struct Quiet<A>(HostContext, PhantomData<fn() -> A>);

impl<A> Quiet<A> {
    /// The shell of a stream that is hosted there.
    pub fn new(context: &HostContext) -> Self {
        Self(context.clone(), PhantomData)
    }
}

impl<A: Aggregate<Grants = ()>> Environment<A> for Quiet<A> {
    fn now(&mut self) -> Now {
        self.0.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.0.library) as Arc<dyn Blobs>
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn grant(&mut self, _: &A, _: &A::Command, _: &[A::Effect]) -> Option<()> {
        Some(())
    }

    fn take_back(&mut self) {}
}

impl<A: Aggregate<Grants = ()>> Shell<A> for Quiet<A> {
    type View = ();
    type Message = Infallible;

    fn view(&self) {}

    fn started(&mut self, _: Recipient<Tell<Infallible>>) {}

    fn perform(&mut self, _: &A, _: A::Effect) {}

    fn close(&mut self, _: &A, _: &EffectId<A>, _: bool) {}

    fn clear(&mut self, _: &A, _: Vec<A::Effect>) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn told(&mut self, message: Infallible) -> Heard<A> {
        match message {}
    }

    fn parked(&mut self) {}

    fn show(&mut self, _: &A, _: bool, _: &mut Live) {}
}
