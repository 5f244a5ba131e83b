//! In what the engine and the oracle must agree.

use std::collections::{BTreeMap, BTreeSet};

use reenact::aggregates::run::RunEffect;
use reenact::events::ids::ContextName;
use reenact::events::json::Json;
use reenact::events::run::{Gate, Purpose, RunEvent};
use reenact::testing::promises;
use serde_json::{Value, json};

use super::{Duel, Verdict, said};
use crate::saga::oracle::Try;

/// A request: whose, about what, who has granted it, and which points were looked at.
type Asked = (String, Value, BTreeSet<String>, BTreeSet<u32>);

impl Duel {
    /// What must hold at every moment.
    pub(super) fn compare(&mut self) -> Verdict {
        self.introduce();
        let status = self.engine.status().text();
        if status != self.oracle.status() {
            return Err(self.disagree(&format!("the run should be {}", self.oracle.status())));
        }
        let open = self.engine.in_flight().map(|(started, stopping)| {
            let undoes = started.purpose == Purpose::Compensate;
            (
                started.step.to_string(),
                undoes,
                started.attempt,
                started.generation,
                started.agent.to_string(),
                stopping,
            )
        });
        let expected: BTreeSet<_> = self.oracle.open();
        let open: BTreeSet<_> = open.collect();
        let told = expected.iter().map(|(step, undoes, attempt, generation, agent, stopping): &Try| {
            (step.clone(), *undoes, *attempt, *generation, (*agent).to_owned(), *stopping)
        });
        self.same("attempts are open", told.collect::<BTreeSet<_>>(), open)?;
        let timers = self.engine.state().open_timers().into_iter().filter_map(|effect| match effect {
            RunEffect::Wake { timer, at } => Some((timer.as_str().to_owned(), at.at().0)),
            _ => None,
        });
        // What is overdue is due now, however long it has been.
        let now = self.engine.now().0;
        let timers: BTreeMap<String, i64> = timers.map(|(timer, at)| (timer, at.max(now))).collect();
        let expected = self.oracle.timers().into_iter().map(|(timer, at)| (timer, at.max(now)));
        self.same("timers are set", expected.collect(), timers)?;
        self.compare_people()
    }

    fn compare_people(&self) -> Verdict {
        let mut asked = BTreeMap::<String, Asked>::new();
        for open in self.engine.requests() {
            let request = &open.asked;
            let what = self.engine.json(&request.what).map_err(said)?.value();
            let rows = what["phase"]["steps"].as_array();
            let phase = rows.map(|rows| {
                let row = |row: &Value| json!([row["step"], row["status"], row["output"].is_string()]);
                rows.iter().map(row).collect::<Value>()
            });
            let what = match request.gate {
                _ if phase.is_some() => phase.unwrap_or_default(),
                Gate::After => what["output"].clone(),
                Gate::Before if what["items"].is_array() => what["items"].clone(),
                Gate::Before => what["work"]["with"].clone(),
            };
            let granted = open.granted.iter().map(ToString::to_string).collect();
            asked
                .insert(request.request.to_string(), (request.step.to_string(), what, granted, open.checked));
        }
        let open = self.oracle.requests.iter().filter(|request| request.open);
        let expected = open.map(|request| {
            let step = self.oracle.steps[request.place].id.clone();
            let asked = (step, request.what.clone(), request.granted.clone(), request.checked.clone());
            (request.id.clone(), asked)
        });
        self.same("requests are open", expected.collect(), asked)?;
        let effects = self.engine.open_asks();
        let ids: BTreeSet<String> =
            self.engine.requests().map(|open| open.asked.request.to_string()).collect();
        self.same("requests are to be told of", ids, effects)?;
        let context = self.engine.context().map_err(said)?.into_iter();
        let context = context.map(|(key, (version, value))| (key, (version, value.value()))).collect();
        self.compare_letters()?;
        self.same("values are shared", self.oracle.context.clone(), context)?;
        let team = self.engine.shared(&ContextName::parse("team").unwrap()).map_err(said)?.into_iter();
        let team =
            team.map(|(key, (version, value))| (format!("t/{key}"), (version.0, value.value()))).collect();
        self.same("values are shared by runs", self.oracle.shared.clone(), team)?;
        let kept = self.engine.kept_signals().map_err(said)?.into_iter();
        let kept = kept.map(|(name, data)| (name.to_string(), data.iter().map(Json::value).collect()));
        self.same("signals are kept", self.oracle.kept(), kept.collect())
    }

    pub(super) fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, expected: T, found: T) -> Verdict {
        if expected == found {
            return Ok(());
        }
        Err(self.disagree(&format!("these {what}: {found:?}\nthese should be: {expected:?}")))
    }

    /// What must hold when nothing more happens.
    pub(super) fn check_end(&self) -> Verdict {
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
}
