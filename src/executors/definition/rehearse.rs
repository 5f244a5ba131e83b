//! An agent whose work is answered in place of itself.

use serde_json::json;

use super::{AgentDefinition, ExecutorKind, SHELL_AGENT};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::executors::rehearsal::{Answers, CassetteUse, Mode, Rehearsal, Taping};
use crate::workflow::script::Script;

impl AgentDefinition {
    /// Has its work answered in place of itself. `take` names the recording or the replay; a path in the mode is absolute.
    pub(in crate::executors) fn rehearse(&mut self, answers: &Answers, take: &str) {
        let is_shell = self.name.as_str() == SHELL_AGENT;
        let mut script = answers.script.clone();
        if is_shell {
            script.0.retain(|answer| answer.step.is_some() || answer.agent.is_some());
        }
        let cassette = match &answers.mode {
            Mode::Live => None,
            Mode::Record(file) => self.taped(Taping::Record, file, take),
            Mode::Replay(file) => self.taped(Taping::Replay, file, take),
            Mode::Scripted => {
                if !is_shell {
                    self.be_scripted();
                }
                None
            }
        };
        let rehearsal = Rehearsal { script, cassette };
        self.rehearsal = Some(rehearsal).filter(|rehearsal| *rehearsal != Rehearsal::default());
    }

    /// Whether its work is to ask a model, and no cassette answers in the place of that.
    pub fn asks_a_model(&self) -> bool {
        let cassette = self.rehearsal.as_ref().and_then(|rehearsal| rehearsal.cassette.as_ref());
        let is_replayed = cassette.is_some_and(|cassette| cassette.does == Taping::Replay);
        self.executor == ExecutorKind::Llm && !is_replayed
    }

    /// What it has to do with a cassette. What is written down already, and what is handed out, needs none.
    fn taped(&mut self, does: Taping, file: &std::path::Path, take: &str) -> Option<CassetteUse> {
        if matches!(self.executor, ExecutorKind::Scripted | ExecutorKind::External) {
            return None;
        }
        if self.stream {
            let message = format!(
                "agent `{}` has `stream: true`: a cassette holds no conversation with a program",
                self.name
            );
            let problem = Problem::new(Code::NotForCassette, message);
            self.lacking = Some(Box::new(problem));
        }
        Some(CassetteUse { does, file: file.to_path_buf(), take: take.into(), asked: self.asked() })
    }

    /// What of it counts for what it is asked. The model is named as its file names it, so that nobody needs the same
    /// configuration to replay.
    fn asked(&self) -> Json {
        let Self { name, description, executor, command, system_prompt, settings, handoffs, .. } = self;
        Json::from(&json!({
            "name": name,
            "description": description,
            "executor": executor,
            "command": command,
            "system": system_prompt,
            "settings": settings,
            "handoffs": handoffs,
        }))
    }

    /// Makes it one whose answers are written down. Those of its own script come after those that are given.
    fn be_scripted(&mut self) {
        self.executor = ExecutorKind::Scripted;
        self.script = Some(self.script.take().unwrap_or_else(|| Script(Vec::new())));
        self.command.clear();
        self.handles.clear();
        (self.stream, self.lacking) = (false, None);
    }
}
