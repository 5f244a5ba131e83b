//! The engine and the oracle, side by side: after everything that happens they must agree.

mod agree;
mod step;

use std::sync::Arc;

use reenact::aggregates::run::Ask;
use reenact::aggregates::run::command::Order;
use reenact::events::ids::{AgentName, Fence, RunId, StepId};
use reenact::events::json::{Blob, Json};
use reenact::events::problem::Problem;
use reenact::events::run::{ApprovalRequested, AttemptStarted, GrowthLimits, Purpose, Resolution, RunEvent};
use reenact::testing::Simulation;
use reenact::testing::simulation::{Move, start_of};
use reenact::testing::world::{Failure, Output};
use reenact::workflow::parse::{Known, parse};
use serde_json::Value;

use super::model::{DEPTH, FALLBACK_TRIES, HANDOFFS, Model, TOTAL, WIDTH};
use super::oracle::{Command, How, Named, Oracle, Outcome};
use super::script::{Script, told};
use step::Act;
pub(super) use step::{Left, Step, die_twice, finish_alone};

/// The agents that a run knows where they may hand over: each to all, one only to another, one to all but itself.
const AGENTS: [(&str, &str); 3] = [
    ("world", "{}"),
    ("other", "{\"handoffs\": [\"world\"]}"),
    ("third", "{\"handoffs\": [\"World\", \"other\"]}"),
];

/// The engine and the oracle, side by side.
pub(super) struct Duel {
    pub(super) engine: Simulation<Script>,
    pub(super) oracle: Oracle,
    /// How much of the history was looked at for new requests.
    read: usize,
    /// What happened to the engine since somebody asked, if anybody does.
    steps: Option<Vec<Step>>,
}

/// Where they disagree, or what the engine broke.
pub(super) type Verdict<T = ()> = Result<T, String>;

impl Duel {
    pub(super) fn begin(model: &Model, seed: u64) -> Verdict<Self> {
        let known = Known { fallback_attempts: FALLBACK_TRIES, ..Known::default() };
        let parsed = parse(&model.yaml(), "generated.yaml", &known);
        let definition = parsed.map_err(|problems| format!("{problems:?}"))?.definition;
        let mut start = start_of(definition, Json::parse("{}").unwrap());
        start.until = model.until.as_deref().map(Arc::from);
        start.growth = GrowthLimits {
            depth: DEPTH as u32,
            width: WIDTH as u32,
            total: TOTAL as u32,
            fallback_attempts: FALLBACK_TRIES,
            critical_fails: true,
            handoffs: HANDOFFS as u32,
            ..GrowthLimits::default()
        };
        start.agents = AGENTS
            .map(|(name, file)| (AgentName::new(name), Blob::new(file.as_bytes())))
            .into_iter()
            .filter(|_| model.hands)
            .collect();
        let (run, script) = (RunId::parse("generated").unwrap(), Script::new(seed, model));
        let engine = Simulation::start(run, start, script, seed).map_err(said)?;
        let oracle = Oracle::new(model.clone(), engine.now().0);
        let mut duel = Self { engine, oracle, read: 0, steps: None };
        duel.hear_of_driving()?;
        duel.compare()?;
        Ok(duel)
    }

    /// Lets one thing happen to both.
    pub(super) fn play(&mut self, next: &Move) -> Verdict {
        match next {
            Move::Perform(fence) => self.perform(*fence)?,
            Move::Stop(fence) => {
                let stopped = Err(self.engine.stopped(*fence));
                let ((step, undoes), outcome) = (self.what(*fence), told(&stopped));
                self.report(*fence, stopped, &step, undoes, &outcome)?;
            }
            Move::Answer(_) | Move::Signal(_) => return self.hear(next),
            Move::Wake(timer) => {
                self.act(Act::Wake(timer.clone()))?.ok();
                self.oracle.driven = true;
                self.hear_timers();
            }
        }
        self.compare()
    }

    /// Somebody says what the world has them say. What they cannot grant any more they refuse.
    fn hear(&mut self, next: &Move) -> Verdict {
        let said = self.engine.said(next).and_then(|ask| self.command_of(&ask));
        let said = said.ok_or_else(|| self.disagree("nobody says anything"))?;
        if let (false, Command::Approve { what, by, .. }) = (self.command(&said)?, &said) {
            self.command(&Command::Reject { what: what.clone(), by: by.clone() })?;
        }
        Ok(())
    }

    fn command_of(&self, ask: &Ask) -> Option<Command> {
        let what = |id: &String| {
            let place = self.oracle.requests.iter().position(|request| request.id == *id);
            place.map(Named::Request)
        };
        Some(match ask {
            Ask::Approve { request, by, edits, .. } => Command::Approve {
                what: what(request)?,
                by: by.to_string(),
                edit: edits.as_ref().map(|edits| edits.fitted(&Json::null(), None).unwrap().value()),
            },
            Ask::Check { request, by, points } => {
                Command::Check { what: what(request)?, by: by.to_string(), point: *points.first()? }
            }
            Ask::Reject { request, by, .. } => Command::Reject { what: what(request)?, by: by.to_string() },
            Ask::Signal { name, data, .. } => Command::Signal { name: name.to_string(), data: data.value() },
            _ => return None,
        })
    }

    /// An attempt is made, and the process dies before anybody hears of it.
    pub(super) fn make_unheard(&mut self, fence: Fence) -> Verdict {
        self.engine.perform(fence).map_err(said)?;
        Ok(())
    }

    /// The process dies, and another takes over.
    pub(super) fn crash(self) -> Verdict<Self> {
        let Self { engine, mut oracle, read, .. } = self;
        let alive = !engine.status().has_ended();
        let in_flight = engine.in_flight().map(|(started, _)| Arc::clone(started));
        // What sees a child through outlives its process: whoever comes next goes on with the same attempt.
        let gone: Vec<_> = in_flight.filter(|started| started.agent.as_str() != "workflow").collect();
        let engine = engine.crash().map_err(said)?;
        oracle.driven = true;
        if alive {
            oracle.now = engine.now().0;
        }
        let mut duel = Self { engine, oracle, read, steps: None };
        duel.hear_of_driving()?;
        if alive {
            duel.oracle.crash();
        }
        duel.hear_timers();
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

    /// Asks both the same; if one refuses, so must the other. Answers whether it was taken.
    pub(super) fn command(&mut self, command: &Command) -> Verdict<bool> {
        if !self.engine.is_driven() {
            let taken = self.record(command)?;
            self.drive()?;
            return Ok(taken);
        }
        let answer = self.act(Act::Ask(self.ask_for(command)))?;
        self.taken(command, answer)
    }

    /// The same while nobody drives the run, as one process records it for another.
    pub(super) fn record(&mut self, command: &Command) -> Verdict<bool> {
        self.oracle.driven = false;
        let answer = self.act(Act::Record(self.ask_for(command)))?;
        self.taken(command, answer)
    }

    /// Whoever drives the run sees what was recorded.
    pub(super) fn drive(&mut self) -> Verdict {
        self.act(Act::Drive)?.ok();
        self.oracle.driven = true;
        self.oracle.follow();
        self.hear_timers();
        self.compare().map_err(|why| format!("driven again: {why}"))
    }

    fn taken(&mut self, command: &Command, answer: Result<usize, Problem>) -> Verdict<bool> {
        let taken = self.oracle.command(command);
        if answer.is_ok() != taken {
            let expected = if taken { "taken" } else { "refused" };
            return Err(self.disagree(&format!("{command:?} should be {expected}: {answer:?}")));
        }
        self.hear_timers();
        self.compare().map_err(|why| format!("after {command:?}: {why}"))?;
        Ok(taken)
    }

    fn ask_for(&self, command: &Command) -> Ask {
        let order = Order { by: "test".into(), reason: None };
        let id = |place: usize| StepId::grown(&self.oracle.steps[place].id);
        let named = |what: &Named| match what {
            Named::Request(place) => self.oracle.requests[*place].id.clone(),
            Named::Step(name) => name.clone(),
        };
        let json = |value: &Value| Json::of(value).unwrap();
        match command {
            Command::Pause => Ask::Pause(order),
            Command::Unpause => Ask::Unpause(order),
            Command::PauseAfter { until } => Ask::PauseAfter { order, until: until.as_str().into() },
            Command::Cancel { rollback } => Ask::Cancel { order, rollback: *rollback },
            Command::Retry { only } => Ask::Retry { order, step: only.as_deref().map(Arc::from) },
            Command::Rollback { to } => Ask::Rollback { order, to: to.as_deref().map(Arc::from) },
            Command::Resolve { step, how } => {
                let how = match how {
                    How::Retry => Resolution::Retry,
                    How::Skip => Resolution::Skip,
                    How::Done => Resolution::Done,
                };
                Ask::Resolve { by: "test".into(), reason: "a test".to_owned(), step: id(*step), how }
            }
            Command::Approve { what, by, edit } => Ask::Approve {
                request: named(what),
                by: by.as_str().into(),
                note: None,
                edits: edit.as_ref().map(json).map(Into::into),
                hash: None,
            },
            Command::Reject { what, by } => {
                Ask::Reject { request: named(what), by: by.as_str().into(), reason: "a test".to_owned() }
            }
            Command::Check { what, by, point } => {
                Ask::Check { request: named(what), by: by.as_str().into(), points: vec![*point] }
            }
            Command::Signal { name, data } => {
                Ask::Signal { name: name.as_str().into(), data: json(data), by: "test".into() }
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
        let (given, beside) = self.oracle.given(&step, undoes);
        let result = self.engine.perform(fence).map_err(said)?.expect("it is in flight");
        if self.engine.world.given != given {
            let was = &self.engine.world.given;
            return Err(self.disagree(&format!("`{step}` is given {was}, and should be given {given}")));
        }
        if undoes && self.engine.world.beside != beside {
            let was = &self.engine.world.beside;
            return Err(self.disagree(&format!("`{step}` is told {was}, and should be told {beside}")));
        }
        if self.engine.world.context != self.oracle.context {
            let (was, is) = (&self.engine.world.context, &self.oracle.context);
            return Err(self.disagree(&format!("`{step}` is told {was:?} of the context, which is {is:?}")));
        }
        let outcome = told(&result);
        self.report(fence, result, &step, undoes, &outcome)
    }

    fn report(
        &mut self,
        fence: Fence,
        result: Result<Output, Failure>,
        step: &str,
        undoes: bool,
        outcome: &Outcome,
    ) -> Verdict {
        let found = self.engine.in_flight().find(|(started, _)| started.fence == fence);
        let at = found.map(|(started, _)| self.engine.reported_at(started, &result));
        // What goes off until then does so in time. What had no slot yet starts only after what is late, and the oracle
        // knows of no slots.
        while let Some((_, timer)) = self.engine.next_timer().filter(|(due, _)| Some(*due) <= at) {
            self.play(&Move::Wake(timer))?;
        }
        self.act(Act::Report(fence, result))?.ok();
        self.oracle.result(step, undoes, outcome);
        self.hear_timers();
        Ok(())
    }

    /// Something happens to the engine, and the oracle is told what time it is before it hears of that.
    fn act(&mut self, act: Act) -> Verdict<Result<usize, Problem>> {
        let step = self.steps.is_some().then(|| Step::begin(self, &act));
        let answer = act.happens_to(&mut self.engine)?;
        self.now();
        self.hear_of_driving()?;
        if let (Some(steps), Some(step)) = (&mut self.steps, step) {
            steps.push(step.end(&mut self.engine));
        }
        Ok(answer)
    }

    /// What fires in the engine is due for the oracle too, once it knows of what came before.
    fn hear_timers(&mut self) {
        self.note();
        for timer in self.engine.take_fired() {
            if self.oracle.timers().get(timer.as_str()).is_some_and(|at| *at <= self.oracle.now) {
                self.oracle.due(timer.as_str());
            }
        }
        self.note();
    }

    /// Keeps what the oracle knows by now, for whoever dies in the last step.
    fn note(&mut self) {
        let step = self.steps.as_mut().and_then(|steps| steps.last_mut());
        step.into_iter().for_each(|step| step.note(&self.oracle));
    }

    /// From here on it is kept how everything happens.
    pub(super) fn watch(&mut self) {
        self.steps = Some(Vec::new());
    }

    /// What happened since this was last asked.
    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        self.steps.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Another that goes its own way.
    pub(super) fn fork(&self) -> Self {
        Self { engine: self.engine.clone(), oracle: self.oracle.clone(), read: self.read, steps: None }
    }

    fn what(&self, fence: Fence) -> (String, bool) {
        let mut found = self.engine.in_flight().filter(|(started, _)| started.fence == fence);
        let started = found.next().expect("it is in flight").0;
        (started.step.to_string(), started.purpose == Purpose::Compensate)
    }

    /// The oracle is told what time it is before it hears of anything.
    fn now(&mut self) {
        self.oracle.now = self.engine.now().0;
    }

    /// The oracle is told that somebody drives the run, as far as events tell that. What follows from it is not told it.
    fn hear_of_driving(&mut self) -> Verdict {
        let new: Vec<Arc<RunEvent>> = self.engine.history()[self.oracle.heard..].to_vec();
        self.oracle.heard += new.len();
        for event in new {
            match &*event {
                RunEvent::DrivingBegan(began) if !self.oracle.is_driven_again(began.since.0) => {
                    return Err(self.disagree("it was driven all the time"));
                }
                RunEvent::AttemptStarted(_)
                | RunEvent::AttemptFailed(_)
                | RunEvent::RetryScheduled(_)
                | RunEvent::TimerSet(_)
                | RunEvent::TimerFired(_)
                | RunEvent::SignalAwaited(_)
                | RunEvent::ChildStarted(_) => self.oracle.saw_driver(),
                RunEvent::ChildEnded(ended) if ended.driven => self.oracle.saw_driver(),
                RunEvent::StepCompleted(completed) if completed.attempt > 0 => self.oracle.saw_driver(),
                RunEvent::AttemptLost(lost) if lost.interrupted => self.oracle.saw_driver(),
                _ => {}
            }
        }
        Ok(())
    }

    /// The oracle is told what new requests are called. That they are made at all is not told it.
    fn introduce(&mut self) {
        let new: Vec<Arc<RunEvent>> = self.engine.history()[self.read..].to_vec();
        self.read += new.len();
        for event in new {
            let RunEvent::ApprovalRequested(ApprovalRequested { request, step, .. }) = &*event else {
                continue;
            };
            let oracle = &mut self.oracle;
            let steps = &oracle.steps;
            let mut nameless = oracle.requests.iter_mut().filter(|known| known.id.is_empty());
            if let Some(known) = nameless.find(|known| steps[known.place].id == step.as_str()) {
                known.id = request.to_string();
            }
        }
    }

    pub(super) fn disagree(&self, what: &str) -> String {
        said(self.engine.broken(what))
    }
}

fn said(broken: reenact::testing::Broken) -> String {
    broken.to_string()
}
