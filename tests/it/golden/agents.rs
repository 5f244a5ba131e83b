//! The events and commands of agents: a file for each (type, schema) that was ever written.

use reenact::aggregates::agent::{Agent, AgentAsk, RECORDS, Turn};
use reenact::events::agent::{AgentDraining, AgentEvent, AgentPaused, AgentRegistered, AgentUnpaused, Rate};
use reenact::events::decision::{Decision, RecordedCommand};
use reenact::kernel::{Aggregate, Draft, Recalling, Recording};
use reenact::testing::MemoryBlobs;

use super::*;

fn registered() -> AgentRegistered {
    AgentRegistered {
        agent: AgentName::new("publisher"),
        definition: blob("definition"),
        since: Timestamp(1_795_219_200_000_000),
        concurrency: 300,
        rate: Some(Rate::try_from("10/m".to_owned()).unwrap()),
    }
}

fn events() -> Vec<AgentEvent> {
    let (agent, by, reason) =
        (AgentName::new("publisher"), || "ada".into(), || Some("it is down".to_owned()));
    vec![
        registered().into(),
        AgentPaused { agent: agent.clone(), by: by(), reason: reason() }.into(),
        AgentUnpaused { by: by(), reason: reason() }.into(),
        AgentDraining { agent, by: by(), reason: reason() }.into(),
    ]
}

fn commands() -> Vec<AgentAsk> {
    let turn = |to| {
        let (agent, reason) = (AgentName::new("publisher"), Some("it is down".to_owned()));
        AgentAsk::Turn { agent, by: "ada".into(), reason, to, known: true }
    };
    let turns = [Turn::Pause, Turn::Unpause, Turn::Drain].map(turn);
    std::iter::once(AgentAsk::Register(registered())).chain(turns).collect()
}

#[test]
fn every_event_of_an_agent_is_written_as_ever_and_read_back() {
    for event in events() {
        let name = format!("{}.{}.bin", event.kind(), event.schema());
        let bytes = event.encode().unwrap();
        let golden = golden(&name, &bytes);
        assert_eq!(golden, bytes, "{name}: bytes changed without a new schema number");
        assert_eq!(AgentEvent::decode(event.kind(), event.schema(), &golden).unwrap(), event, "{name}");
    }
    let kinds: Vec<_> = events().iter().map(|event| (event.kind(), event.schema())).collect();
    assert_eq!(AgentEvent::TABLE, kinds);
}

#[test]
fn every_command_of_an_agent_is_recorded_as_ever_and_recalled() {
    let stream = StreamId::new("agent", "publisher");
    for ask in commands() {
        let mut state = Agent::default();
        let mut draft = Draft::new(&mut state, &stream, Version(0), Timestamp(0));
        let form = Agent::record(ask.clone(), &mut Recording::new(&mut draft, 0)).unwrap().unwrap();
        let name = Agent::name(&ask);
        assert!(RECORDS.contains(&(name, form.schema)));
        let file = format!("command.{name}.{}.bin", form.schema);
        assert_eq!(golden(&file, &form.payload), form.payload, "{file}");
        let decision = Decision {
            command: RecordedCommand { name: name.into(), form: Some(form) },
            by: Agent::asked_by(&ask),
            ..Decision::named(&name.into())
        };
        let (state, blobs) = (Agent::default(), MemoryBlobs::default());
        let recalling = Recalling { state: &state, decision: &decision, events: &[], blobs: &blobs };
        assert_eq!(Agent::recall(&recalling).unwrap(), ask, "{name}");
    }
    assert_eq!(RECORDS.len(), commands().len());
}
