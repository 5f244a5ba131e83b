//! The engine and the oracle, side by side: after everything that happens they must agree.

use std::collections::BTreeSet;
use std::sync::Arc;

use reenact::events::ids::{Fence, RunId, StepId};
use reenact::events::json::Json;
use reenact::events::run::{AttemptStarted, Purpose, Resolution, RunEvent};
use reenact::testing::simulation::{Move, start_of};
use reenact::testing::world::{Failure, Output, Stop};
use reenact::testing::{Simulation, promises};
use reenact::workflow::parse::{Known, parse};
use reenact::workflow::run::command::Order;
use reenact::workflow::run::{Ask, RunEffect};

use super::model::Model;
use super::oracle::{Command, How, Oracle, Try};
use super::script::{Script, told};

/// The engine and the oracle, side by side.
#[derive(Clone)]
pub(super) struct Duel {
    pub(super) engine: Simulation<Script>,
    pub(super) oracle: Oracle,
}

/// Where they disagree, or what the engine broke.
pub(super) type Verdict<T = ()> = Result<T, String>;

impl Duel {
    pub(super) fn begin(model: &Model, seed: u64) -> Verdict<Self> {
        let parsed = parse(&model.yaml(), "generated.yaml", &Known::default());
        let definition = parsed.map_err(|problems| format!("{problems:?}"))?.definition;
        let start = start_of(definition, Json::parse("{}").unwrap());
        let engine = Simulation::start(RunId::parse("generated").unwrap(), start, Script::new(seed), seed);
        let duel = Self { engine: engine.map_err(said)?, oracle: Oracle::new(model.clone()) };
        duel.compare()?;
        Ok(duel)
    }

    /// Lets one thing happen to both.
    pub(super) fn play(&mut self, next: &Move) -> Verdict {
        match next {
            Move::Perform(fence) => self.perform(*fence)?,
            Move::Stop(fence) => {
                let stopped = Err(Failure::stopped(Stop::Cancelled));
                let (step, undoes) = self.what(*fence);
                self.oracle.result(&step, undoes, &told(&stopped));
                self.engine.report(*fence, stopped).map_err(said)?;
            }
            Move::Wake(timer) => {
                self.oracle.due(timer.as_str());
                self.engine.play(next).map_err(said)?;
            }
        }
        self.compare()
    }

    /// An attempt is made, and the process dies before anybody hears of it.
    pub(super) fn make_unheard(&mut self, fence: Fence) -> Verdict {
        self.engine.perform(fence).map_err(said)?;
        Ok(())
    }

    /// The process dies, and another takes over.
    pub(super) fn crash(self) -> Verdict<Self> {
        let Self { engine, mut oracle } = self;
        let alive = !engine.status().has_ended();
        let gone: Vec<_> = engine.in_flight().map(|(started, _)| Arc::clone(started)).collect();
        let engine = engine.crash().map_err(said)?;
        if alive {
            oracle.crash();
        }
        let mut duel = Self { engine, oracle };
        duel.compare()?;
        for started in gone {
            duel.hear_late_of(&started)?;
        }
        Ok(duel)
    }

    /// What a process that was thought dead says of its attempt is not listened to.
    fn hear_late_of(&mut self, started: &AttemptStarted) -> Verdict {
        let (step, fence) = (started.step.clone(), started.fence);
        let late = Ask::Completed { step, fence, output: Output::default() };
        match self.engine.ask(late).map_err(said)? {
            Ok(0) => Ok(()),
            other => Err(self.disagree(&format!("a late result of `{}` came to {other:?}", started.step))),
        }
    }

    /// Asks both the same; if one refuses, so must the other.
    pub(super) fn command(&mut self, command: Command) -> Verdict {
        let answer = self.engine.ask(self.ask_for(command)).map_err(said)?;
        let taken = self.oracle.command(command);
        if answer.is_ok() != taken {
            let expected = if taken { "taken" } else { "refused" };
            return Err(self.disagree(&format!("{command:?} should be {expected}: {answer:?}")));
        }
        self.compare().map_err(|why| format!("after {command:?}: {why}"))
    }

    fn ask_for(&self, command: Command) -> Ask {
        let order = Order { by: "test".into(), reason: None };
        let id = |place: usize| StepId::grown(&self.oracle.steps[place].id);
        match command {
            Command::Pause => Ask::Pause(order),
            Command::Unpause => Ask::Unpause(order),
            Command::Cancel { rollback } => Ask::Cancel { order, rollback },
            Command::Retry => Ask::Retry { order, step: None },
            Command::Rollback { to } => Ask::Rollback { order, to: to.map(|step| id(step).as_str().into()) },
            Command::Resolve { step, how } => {
                let how = match how {
                    How::Retry => Resolution::Retry,
                    How::Skip => Resolution::Skip,
                    How::Done => Resolution::Done,
                };
                Ask::Resolve { by: "test".into(), reason: "a test".to_owned(), step: id(step), how }
            }
        }
    }

    /// Lets things happen until nothing does.
    pub(super) fn finish(&mut self) -> Verdict {
        while let Some(next) = self.engine.next_move() {
            self.play(&next)?;
        }
        self.engine.finish().map_err(said)?;
        self.check_end()
    }

    /// Attempts that are being made.
    pub(super) fn in_flight(&self) -> Vec<Fence> {
        self.engine.in_flight().map(|(started, _)| started.fence).collect()
    }

    fn perform(&mut self, fence: Fence) -> Verdict {
        let (step, undoes) = self.what(fence);
        let expected = self.oracle.given(&step, undoes);
        let result = self.engine.perform(fence).map_err(said)?.expect("it is in flight");
        if self.engine.world.given != expected {
            let given = &self.engine.world.given;
            return Err(self.disagree(&format!("`{step}` is given {given}, and should be given {expected}")));
        }
        if undoes && self.engine.world.beside != expected {
            return Err(self.disagree(&format!("`{step}` is told {}", self.engine.world.beside)));
        }
        self.oracle.result(&step, undoes, &told(&result));
        self.engine.report(fence, result).map_err(said)
    }

    fn what(&self, fence: Fence) -> (String, bool) {
        let mut found = self.engine.in_flight().filter(|(started, _)| started.fence == fence);
        let started = found.next().expect("it is in flight").0;
        (started.step.to_string(), started.purpose == Purpose::Compensate)
    }

    pub(super) fn compare(&self) -> Verdict {
        let status = self.engine.status().text();
        if status != self.oracle.status() {
            return Err(self.disagree(&format!("the run should be {}", self.oracle.status())));
        }
        let open = self.engine.in_flight().map(|(started, stopping)| {
            let undoes = started.purpose == Purpose::Compensate;
            (started.step.to_string(), undoes, started.attempt, started.generation, stopping)
        });
        let (open, expected): (BTreeSet<Try>, _) = (open.collect(), self.oracle.open());
        if open != expected {
            return Err(
                self.disagree(&format!("these attempts should be open: {expected:?}\nthese are: {open:?}"))
            );
        }
        let timers = self.engine.state().open_timers().into_iter().filter_map(|effect| match effect {
            RunEffect::Wake { timer, .. } if timer.as_str() != "duration" => Some(timer.as_str().to_owned()),
            _ => None,
        });
        let (timers, expected): (BTreeSet<String>, _) = (timers.collect(), self.oracle.timers());
        if timers != expected {
            return Err(
                self.disagree(&format!("these timers should be set: {expected:?}\nthese are: {timers:?}"))
            );
        }
        Ok(())
    }

    /// What must hold when nothing more happens.
    fn check_end(&self) -> Verdict {
        let history: Vec<&RunEvent> = self.engine.history().iter().map(|event| &**event).collect();
        promises::check(self.engine.definition(), &history).map_err(|why| self.disagree(&why))?;
        if let Some(RunEvent::RunCompleted(end)) = history.last() {
            let expected = (Json::from(&self.oracle.output()), self.oracle.degraded);
            let output = reenact::events::json::Payload::new(expected.0.clone()).0;
            if end.output != output || end.degraded != expected.1 {
                return Err(self.disagree(&format!("the run should answer {expected:?}")));
            }
        }
        self.check_effects(&history)
    }

    /// What was done to the world was recorded before it was done, and what is recorded was done.
    fn check_effects(&self, history: &[&RunEvent]) -> Verdict {
        for ((step, undoes, generation), count) in &self.engine.world.done {
            let started = history.iter().filter(|event| {
                matches!(event, RunEvent::AttemptStarted(started)
                if started.step.as_str() == step && started.generation == *generation
                    && (started.purpose == Purpose::Compensate) == *undoes)
            });
            let started = started.count();
            if (*count as usize) > started {
                return Err(
                    self.disagree(&format!("`{step}` was done {count} times, and started {started} times"))
                );
            }
        }
        for step in &self.oracle.steps {
            let done =
                |undoes| self.engine.world.done.contains_key(&(step.id.clone(), undoes, step.generation));
            if step.tried && step.output.is_some() && !done(false) {
                return Err(self.disagree(&format!("`{}` was never done", step.id)));
            }
        }
        Ok(())
    }

    fn disagree(&self, what: &str) -> String {
        said(self.engine.broken(what))
    }
}

fn said(broken: reenact::testing::Broken) -> String {
    broken.to_string()
}
