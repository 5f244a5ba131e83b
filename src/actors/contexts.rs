//! The streams of shared contexts: nothing is done for them in the world but what every stream has done, which is to be woken and
//! to say something to other streams.

use std::convert::Infallible;
use std::sync::Arc;

use actix::Recipient;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::hosting::context::HostContext;
use super::hosting::kind::Kind;
use super::hosting::live::Live;
use super::hosting::messages::Tell;
use super::hosting::shell::{Heard, Shell};
use crate::aggregates::context::{self, Context, ContextAsk, ContextEffect, ContextEffectId};
use crate::events::ids::StreamId;
use crate::events::json::Json;
use crate::kernel::core::Environment;
use crate::kernel::standing::KindFold;
use crate::kernel::{Blobs, Now};

/// The kind of shared contexts.
pub struct ContextKind;

impl Kind for ContextKind {
    type Aggregate = Context;
    type Shell = ContextShell;

    fn folds(&self) -> KindFold {
        context::FOLD
    }

    fn describe(&self, state: &Context) -> Json {
        let seen =
            serde_json::json!({ "keys": state.keys(), "locks": state.locks(), "fence": state.fence() });
        Json::of(&seen).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<ContextShell> {
        stream.context().map(|_| ContextShell(context.clone()))
    }
}

/// What a context borrows to decide.
pub struct ContextShell(HostContext);

impl Environment<Context> for ContextShell {
    fn now(&mut self) -> Now {
        self.0.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.0.library) as Arc<dyn Blobs>
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn grant(&mut self, _: &Context, _: &ContextAsk, _: &[ContextEffect]) -> Option<()> {
        Some(())
    }

    fn take_back(&mut self) {}
}

impl Shell<Context> for ContextShell {
    type View = ();
    type Message = Infallible;

    fn view(&self) {}

    fn started(&mut self, _: Recipient<Tell<Infallible>>) {}

    fn perform(&mut self, _: &Context, _: ContextEffect) {}

    fn close(&mut self, _: &Context, _: &ContextEffectId, _: bool) {}

    fn clear(&mut self, _: &Context, _: Vec<ContextEffect>) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn told(&mut self, message: Infallible) -> Heard<Context> {
        match message {}
    }

    fn parked(&mut self) {}

    fn show(&mut self, _: &Context, _: bool, _: &mut Live) {}
}
