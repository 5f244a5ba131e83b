//! What a run is told, beside what it is asked: by those who drive it, by timers, by the dispatcher, by agents.

use actix::{Context, Handler, Message};

use super::RunHost;
use crate::actors::communicator::{ChildRests, Report};
use crate::actors::dispatcher::Granted;
use crate::actors::host::Submit;
use crate::aggregates::run::Ask;
use crate::events::ids::{Fence, TimerId};

/// Asks a run to let go of what it does: nothing starts any more, and what runs is stopped after a grace.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct LetGo;

/// Asks a run to go on, now and by itself from here on.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drive;

/// Tells a run that a timer is due.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Due(pub TimerId);

impl RunHost {
    /// An attempt is not made any more: it is open, or counts as lost.
    fn let_go_of(&mut self, fence: Fence, actor: &mut Context<Self>) {
        self.shell().forget(fence);
        self.when_ready(|shell, state, version| {
            shell.adopt(state, actor);
            shell.show(state, version);
        });
    }
}

impl Handler<Drive> for RunHost {
    type Result = ();

    fn handle(&mut self, _: Drive, actor: &mut Context<Self>) {
        self.shell().asked_to_drive = true;
        self.when_ready(|shell, state, version| {
            shell.take_over(state, actor);
            shell.adopt(state, actor);
            shell.show(state, version);
        });
        self.go_if_over(actor);
    }
}

impl Handler<ChildRests> for RunHost {
    type Result = ();

    fn handle(&mut self, ChildRests { child, rests }: ChildRests, _: &mut Context<Self>) {
        let resting = &mut self.shell().resting;
        let _ = if rests { resting.insert(child) } else { resting.remove(&child) };
        self.when_ready(|shell, state, version| shell.show(state, version));
    }
}

impl Handler<LetGo> for RunHost {
    type Result = ();

    fn handle(&mut self, _: LetGo, actor: &mut Context<Self>) {
        let shell = self.shell();
        shell.asked_to_drive = false;
        shell.be_driven(false);
        self.handle(Submit { command: Ask::Go, reply: None }, actor);
    }
}

impl Handler<Due> for RunHost {
    type Result = ();

    fn handle(&mut self, Due(timer): Due, actor: &mut Context<Self>) {
        self.handle(Submit { command: Ask::Due { timer }, reply: None }, actor);
    }
}

impl Handler<Granted> for RunHost {
    type Result = ();

    fn handle(&mut self, Granted(slot): Granted, actor: &mut Context<Self>) {
        let (agent, shell) = (slot.agent().clone(), self.shell());
        // The dispatcher has counted it; what the run still waits for is told after the next commit.
        shell.waits.remove(&agent);
        shell.granted.push(slot);
        self.handle(Submit { command: Ask::Go, reply: None }, actor);
    }
}

impl Handler<Report> for RunHost {
    type Result = ();

    fn handle(&mut self, report: Report, actor: &mut Context<Self>) {
        let Report { step, fence, result, slot, in_flight, .. } = report;
        let Some(result) = result else { return self.let_go_of(fence, actor) };
        // Given back before deciding, so that the next attempt can have it in the same commit.
        drop(slot);
        let ask = match result {
            Ok(output) => Ask::Completed { step, fence, output },
            Err(failure) => Ask::Failed { step, fence, failure },
        };
        self.handle(Submit { command: ask, reply: None }, actor);
        drop(in_flight);
    }
}
