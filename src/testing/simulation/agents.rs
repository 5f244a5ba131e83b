//! Agents of a simulated run that are paused: it is told as the dispatcher tells it.

use super::Simulation;
use crate::aggregates::run::Ask;
use crate::events::ids::AgentName;
use crate::testing::broken::Broken;
use crate::testing::world::World;

impl<W: World> Simulation<W> {
    /// Lets an agent start nothing from here on, until [`Simulation::unpause_agent`]; also after a crash.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn pause_agent(&mut self, agent: &str) -> Result<(), Broken> {
        self.hosted.supply.paused.insert(AgentName::new(agent));
        self.follow(Ok(()))
    }

    /// Lets an agent take work again: if the run waits for it, it is told, and goes on.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn unpause_agent(&mut self, agent: &str) -> Result<(), Broken> {
        self.hosted.supply.paused.remove(&AgentName::new(agent));
        let told = self.tell_of_agents();
        self.follow(told.map(drop))?;
        if self.is_dead() { Ok(()) } else { self.drive() }
    }

    /// Tells the run of agents that it wants and that are paused, and of those that are not any more. Answers whether there was
    /// something to tell.
    pub(super) fn tell_of_agents(&mut self) -> Result<bool, Broken> {
        let (state, paused) = (self.hosted.state(), &self.hosted.supply.paused);
        let free = state.awaited_agents().keys().filter(|agent| !paused.contains(*agent));
        let free: Vec<_> = free.map(|agent| Ask::AgentFree { agent: agent.clone() }).collect();
        let wanted = state.startable(&Ask::Go).0.into_keys();
        let wanted = wanted.filter(|agent| self.is_driven() && paused.contains(agent));
        let paused: Vec<_> = wanted.map(|agent| Ask::AgentPaused { agent }).collect();
        let mut told = false;
        for ask in free.into_iter().chain(paused) {
            if let Some(Err(problem)) = self.hosted.ask(ask, false)? {
                return Err(self.broken(&format!("it refuses to hear of an agent: {problem}")));
            }
            told = true;
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::aggregates::run::RunStatus;
    use crate::events::codec::Encoded;
    use crate::events::ids::RunId;
    use crate::events::json::Json;
    use crate::testing::simulation::start_of;
    use crate::testing::world::{Failure, Output, Task};
    use crate::workflow::parse::{Known, parse};

    const FILE: &str = "name: w\nsteps:\n  - {id: a, run: x, compensate: {agent: ada}}\n  - {id: b, agent: ada}\n  - {id: c, run: fails}\n";

    type Log = Rc<RefCell<Vec<String>>>;

    /// The moment in the life of the run at which its process dies: the number of the step, and that of its output before which
    /// it does.
    type Death = Option<(usize, usize)>;

    /// A run that waits for a paused agent on its way forward and on its way back; answers how many outputs a step had at most.
    fn life(death: Death, seed: u64) -> Result<usize, Broken> {
        let definition = parse(FILE, "w.yaml", &Known::default()).unwrap().definition;
        let log = Log::default();
        let seen = Rc::clone(&log);
        let world = move |task: &Task| -> Result<Output, Failure> {
            seen.borrow_mut().push(format!("{} {}", task.purpose.text(), task.step));
            match task.step.as_str() {
                "c" => Err(Failure::new(crate::events::problem::Code::ExitValidation, "no")),
                _ => Ok(Output::default()),
            }
        };
        let start = start_of(definition, Json::parse("{}").unwrap());
        let mut run = Simulation::start(RunId::parse("r").unwrap(), start, world, seed)?;
        let (mut outputs, mut number) = (0, 0);
        let mut step = |mut run: Simulation<_>, act: &dyn Fn(&mut Simulation<_>) -> Result<(), Broken>| {
            if let Some((_, nth)) = death.filter(|(at, _)| *at == number) {
                run.die_before(nth);
            }
            number += 1;
            run.take_trail();
            act(&mut run)?;
            outputs = outputs.max(run.take_trail().len());
            if run.is_dead() { run.crash() } else { Ok(run) }
        };
        // Somebody drives it: a process that died just after the run had heard of an agent did not get that far.
        let rests = |run: &mut Simulation<_>| match run.drive().and_then(|()| run.finish()) {
            Err(_) if run.is_dead() => Ok(()),
            status => status.map(drop),
        };
        run = step(run, &|run| run.pause_agent("ada"))?;
        run = step(run, &rests)?;
        run = step(run, &rests)?;
        assert_eq!(run.status(), RunStatus::Waiting, "{death:?}");
        assert!(!log.borrow().iter().any(|one| one == "do b"), "{death:?}");
        run = step(run, &|run| run.unpause_agent("ada"))?;
        run = step(run, &|run| run.pause_agent("ada"))?;
        run = step(run, &rests)?;
        run = step(run, &rests)?;
        run = step(run, &|run| run.unpause_agent("ada"))?;
        run = step(run, &rests)?;
        run = step(run, &rests)?;
        assert_eq!(run.status(), RunStatus::Compensated, "{death:?}");
        run.check_prefixes()?;
        let kinds: Vec<_> = run.history().iter().map(|event| event.kind()).collect();
        let count = |kind: &str| kinds.iter().filter(|known| **known == kind).count();
        assert_eq!(count("agent_awaited"), count("agent_await_ended"), "{death:?}: {kinds:?}");
        assert!(count("agent_awaited") >= 1 && count("attempt_failed") == 1, "{death:?}: {kinds:?}");
        Ok(outputs)
    }

    #[test]
    fn a_run_that_waits_for_a_paused_agent_survives_a_crash_before_any_output() {
        for seed in [0, 1] {
            let outputs = life(None, seed).unwrap();
            assert!(outputs > 3, "{outputs}");
            for death in (0..10).flat_map(|at| (0..outputs).map(move |nth| (at, nth))) {
                life(Some(death), seed).unwrap_or_else(|broken| panic!("{death:?}: {broken}"));
            }
        }
    }
}
