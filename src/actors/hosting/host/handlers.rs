//! What each message is to a core.

use actix::{Context, Handler};

use super::Host;
use crate::actors::hosting::messages::{Control, LeaveAlone, Recover, Submit, Tell};
use crate::actors::hosting::shell::{Heard, Shell};
use crate::kernel::Aggregate;
use crate::kernel::core::{Envelope, Input};

impl<A: Aggregate, S: Shell<A>> Handler<Submit<A>> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, submit: Submit<A>, actor: &mut Context<Self>) {
        let Submit { command, envelope, drives, reply } = submit;
        self.feed(Input::Command { command, envelope, drives, reply }, actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Recover> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, Recover(reply): Recover, actor: &mut Context<Self>) {
        self.feed(Input::Recover { reply: Some(reply) }, actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<LeaveAlone> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, LeaveAlone(problem): LeaveAlone, actor: &mut Context<Self>) {
        self.feed(Input::LeaveAlone(problem), actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Control> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, control: Control, actor: &mut Context<Self>) {
        self.feed(control.into(), actor);
    }
}

impl<A: Aggregate, S: Shell<A>> Handler<Tell<S::Message>> for Host<A, S> {
    type Result = ();

    fn handle(&mut self, Tell(message): Tell<S::Message>, actor: &mut Context<Self>) {
        let mut input = None;
        self.contain(actor, |host, life, _| match life.shell.told(message) {
            Heard::Seen => host.show(&life.core, &mut life.shell),
            Heard::Command(command) => {
                let envelope = Envelope::default();
                input = Some(Input::Command { command, envelope, drives: false, reply: None });
            }
            Heard::Settled(effect, command) => input = Some(Input::Settled { effect, command }),
            Heard::LeaveAlone(problem) => input = Some(Input::LeaveAlone(problem)),
        });
        if let Some(input) = input {
            self.feed(input, actor);
        }
    }
}
