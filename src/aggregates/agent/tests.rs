use super::*;
use crate::events::agent::Rate;
use crate::events::ids::StreamId;
use crate::testing::Broken;
use crate::testing::hosted::Hosted;
use crate::testing::{Given, given};

fn publisher() -> Given<Agent> {
    given::<Agent>("publisher").at(Timestamp(7))
}

fn turn(to: Turn) -> AgentAsk {
    let (agent, reason) = (AgentName::new("Publisher"), Some("it is down".to_owned()));
    AgentAsk::Turn { agent, by: "ada".into(), reason, to, known: true }
}

fn unknown(to: Turn) -> AgentAsk {
    AgentAsk::Turn { agent: AgentName::new("Publisher"), by: "ada".into(), reason: None, to, known: false }
}

fn paused() -> AgentEvent {
    let (agent, reason) = (AgentName::new("Publisher"), Some("it is down".to_owned()));
    AgentPaused { agent, by: "ada".into(), reason }.into()
}

fn unpaused() -> AgentEvent {
    AgentUnpaused { by: "ada".into(), reason: Some("it is down".to_owned()) }.into()
}

fn draining() -> AgentEvent {
    let (agent, reason) = (AgentName::new("Publisher"), Some("it is down".to_owned()));
    AgentDraining { agent, by: "ada".into(), reason }.into()
}

fn registered(definition: &str, since: i64, concurrency: u32) -> AgentRegistered {
    AgentRegistered {
        agent: AgentName::new("publisher"),
        definition: BlobRef { hash: Hash::of(definition.as_bytes()), size_bytes: definition.len() as u64 },
        since: Timestamp(since),
        concurrency,
        rate: Some(Rate::try_from("10/s".to_owned()).unwrap()),
    }
}

#[test]
fn an_agent_is_paused_once_and_takes_work_again_once() {
    let agent = publisher().when(turn(Turn::Pause)).then([paused()]);
    assert_eq!((agent.state().status(), agent.state().standing().draining.is_some()), ("paused", false));
    assert_eq!(agent.state().standing().paused.as_ref().unwrap().at, Timestamp(7));
    let agent = agent.when(turn(Turn::Pause)).then([]);
    let agent = agent.when(turn(Turn::Unpause)).then([unpaused()]);
    assert_eq!(agent.state().status(), "active");
    agent.when(turn(Turn::Unpause)).then([]);
}

#[test]
fn what_is_paused_and_draining_takes_work_again_with_one_word() {
    let agent = publisher().events([draining()]).when(turn(Turn::Drain)).then([]);
    assert_eq!(agent.state().status(), "draining");
    let agent = agent.when(turn(Turn::Pause)).then([paused()]);
    assert_eq!(agent.state().status(), "paused");
    let agent = agent.when(turn(Turn::Unpause)).then([unpaused()]);
    assert_eq!(agent.state().status(), "active");
}

#[test]
fn nothing_is_wanted_of_an_agent_that_nobody_knows() {
    for to in [Turn::Pause, Turn::Unpause, Turn::Drain] {
        publisher()
            .when(unknown(to))
            .then_rejected(|rejection| Agent::problem(rejection).code == Code::UnknownAgent);
    }
    publisher().events([registered("one", 0, 1).into()]).when(unknown(Turn::Drain)).then_events(|events| {
        assert_eq!(events.len(), 1, "it was seen, whoever knows it now");
    });
}

#[test]
fn an_agent_is_registered_once_with_each_definition() {
    let (first, second) = (registered("one", 5, 4), registered("two", 9, 1));
    let agent = publisher().when(AgentAsk::Register(first.clone())).then([first.clone().into()]);
    let agent = agent.when(AgentAsk::Register(first)).then([]);
    let agent = agent.when(AgentAsk::Register(second.clone())).then([second.clone().into()]);
    let agent = agent.when(AgentAsk::Register(second)).then([]);
    assert_eq!(agent.state().definitions().len(), 2);
    assert_eq!(agent.state().status(), "active");
}

#[test]
fn the_limits_hold_of_the_definition_that_the_newest_run_brought() {
    let limit = |agent: &Given<Agent>| agent.state().standing().newest.as_ref().unwrap().concurrency;
    let agent = publisher().events([registered("two", 9, 1).into()]);
    // A run that began before goes on with what it began with.
    let older = registered("one", 5, 4);
    let agent = agent.when(AgentAsk::Register(older.clone())).then([older.into()]);
    assert_eq!(limit(&agent), 1);
    // Somebody took the change back.
    let back = registered("one", 11, 4);
    let agent = agent.when(AgentAsk::Register(back.clone())).then([back.into()]);
    assert_eq!(limit(&agent), 4);
    let agent = agent.when(AgentAsk::Register(registered("two", 9, 1))).then([]);
    assert_eq!(limit(&agent), 4);
}

#[test]
fn an_event_that_contradicts_what_was_before_is_illegal() {
    assert!(publisher().fold(&unpaused()).is_err());
    assert!(publisher().events([paused()]).fold(&paused()).is_err());
    assert!(publisher().events([draining()]).fold(&draining()).is_err());
    assert!(publisher().events([paused()]).fold(&draining()).is_ok());
}

#[test]
fn what_is_recorded_of_a_command_is_enough_to_decide_it_again() {
    for ask in [turn(Turn::Pause), turn(Turn::Drain), AgentAsk::Register(registered("one", 3, 2))] {
        let when = publisher().when(ask);
        let again = when.redecided(Agent::default()).unwrap().unwrap();
        when.then(again);
    }
    let before = publisher().events([paused()]);
    let state = before.state().clone();
    let when = before.when(turn(Turn::Unpause));
    let again = when.redecided(state).unwrap().unwrap();
    when.then(again);
}

/// The life of an agent in the hands of the kit: it dies before any output, and whoever asks asks again.
#[test]
fn an_agent_survives_a_crash_before_any_output() {
    let script = || {
        let definitions = [registered("one", 5, 4), registered("two", 9, 1)].map(AgentAsk::Register);
        let turns = [Turn::Pause, Turn::Drain, Turn::Unpause, Turn::Pause].map(turn);
        definitions.into_iter().chain(turns)
    };
    let life = |dies_at: Option<(usize, usize)>| -> Result<(Agent, usize), Broken> {
        let mut hosted = Hosted::<Agent>::new(StreamId::new(AGENT_KIND, "publisher"), (), Timestamp(1));
        let mut outputs = 0;
        for (number, ask) in script().enumerate() {
            if let Some((_, nth)) = dies_at.filter(|(at, _)| *at == number) {
                hosted.die_before(nth);
            }
            hosted.take_trail();
            let answer = hosted.ask(ask.clone(), false)?;
            outputs = outputs.max(hosted.take_trail().len());
            if hosted.is_dead() || answer.is_none() {
                hosted.crash();
                hosted.ask(ask, false)?.expect("it is answered").expect("it is taken");
            }
        }
        hosted.check_prefixes()?;
        Ok((hosted.state().clone(), outputs))
    };
    let (meant, outputs) = life(None).unwrap();
    assert_eq!((meant.status(), meant.definitions().len()), ("paused", 2));
    assert!(outputs >= 3, "{outputs}");
    let commands = script().count();
    for (command, output) in
        (0..commands).flat_map(|command| (0..=outputs).map(move |output| (command, output)))
    {
        let (state, _) =
            life(Some((command, output))).unwrap_or_else(|broken| panic!("{command} {output}: {broken}"));
        assert_eq!(state, meant, "{command} {output}");
    }
}

#[test]
fn a_snapshot_is_the_state() {
    let agent = publisher().events([registered("one", 5, 4).into(), paused(), draining()]);
    let state = agent.state();
    assert_eq!(Agent::restore(&state.snapshot().unwrap()).unwrap(), *state);
    assert!(state.open().is_empty() && state.attention().is_at_rest());
}
