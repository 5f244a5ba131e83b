//! Answers that were written down before, for an agent without a model or a program: for tests and dry runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, StepId};
use crate::events::json::Json;
use crate::events::problem::Class;
use crate::events::run::Purpose;

/// Answers in order: the first one that fits is given. Which one fits depends only on the attempt, so that it
/// is the same after a crash. A script is recorded with its agent, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Script(pub Vec<ScriptedAnswer>);

/// An answer, and the attempts that it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedAnswer {
    /// It fits steps with this id, in which `*` stands for any text and `?` for any character. The id of a
    /// fan-out or a loop also fits its items or rounds, and that of a step done in turns these. None fits every step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// It fits steps that this agent does, in any spelling of its name; none fits every agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// It fits the attempt with this number, from 1; none fits every attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// It fits doing or undoing a step; none fits both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// It fits prompts that contain this text; none fits every prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// How long the answer takes, in µs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_us: u64,
    /// The output, the stdout or the failure that is given.
    pub says: Says,
}

/// The content of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The output of the step, as JSON.
    Output(Json),
    /// The text that a program would write to stdout.
    Stdout(String),
    /// The attempt fails with this failure.
    Fail {
        /// What the failure asks for.
        class: Class,
        /// What went wrong, for a person.
        message: String,
    },
}

/// The attempt that an answer has to fit.
#[derive(Debug, Clone, Copy)]
pub struct ScriptQuery<'a> {
    /// The step that is tried.
    pub step: &'a StepId,
    /// The agent that makes the attempt.
    pub agent: &'a AgentName,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// Whether the step is done or undone.
    pub purpose: Purpose,
    /// The prompt of the attempt, if it has one.
    pub prompt: Option<&'a str>,
}

impl Script {
    /// Whether it says nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first answer that fits; none if no answer does.
    pub fn answer(&self, asked: &ScriptQuery<'_>) -> Option<&ScriptedAnswer> {
        self.0.iter().find(|answer| answer.fits(asked))
    }
}

impl ScriptedAnswer {
    /// The time that the answer takes.
    pub const fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us)
    }

    fn fits(&self, asked: &ScriptQuery<'_>) -> bool {
        self.step.as_deref().is_none_or(|pattern| is_step(pattern, asked.step.as_str()))
            && self.agent.as_ref().is_none_or(|agent| agent.key() == asked.agent.key())
            && self.attempt.is_none_or(|attempt| attempt == asked.attempt)
            && self.purpose.is_none_or(|purpose| purpose == asked.purpose)
            && self
                .prompt
                .as_deref()
                .is_none_or(|part| asked.prompt.is_some_and(|prompt| prompt.contains(part)))
    }
}

/// Whether a pattern fits a step, or the step of which that one is an item, a round or a turn.
fn is_step(pattern: &str, step: &str) -> bool {
    let whole = match step.strip_suffix(']') {
        Some(item) => item.rsplit_once('[').map(|(whole, _)| whole.strip_suffix("/turn").unwrap_or(whole)),
        None => step.rsplit_once('#').map(|(whole, _)| whole),
    };
    matches(pattern, step) || whole.is_some_and(|whole| is_step(pattern, whole))
}

/// Whether a text fits a pattern with `*` and `?`. Where they differ, only the last `*` is made longer: this
/// takes at most time in proportion to the product of both lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let here = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                last_star = Some((pattern.clone(), here.clone()));
                text = here;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            _ => {
                let Some((behind, mut from)) = last_star.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (behind.clone(), from.clone());
                last_star = Some((behind, from));
            }
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_describes() {
        for (pattern, text, expected) in [
            ("build", "build", true),
            ("build", "builds", false),
            ("*", "", true),
            ("b*d", "build", true),
            ("b*d", "bud-build", true),
            ("b*l*", "build", true),
            ("b?ild", "build", true),
            ("b?", "b", false),
            ("*a*b", "aab-b-a", false),
            ("copy[*]", "copy[12]", true),
            ("plan/*", "plan/added", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_step_means_its_items_and_rounds_but_not_what_it_planned() {
        for (step, expected) in [("c", true), ("c[0]", true), ("c#2", true), ("c[0]#3", true), ("c/d", false)]
        {
            assert_eq!(is_step("c", step), expected, "{step}");
        }
        assert!(!is_step("c[1]", "c[10]"));
    }

    #[test]
    fn the_first_answer_that_fits_is_given() {
        let script: Script = serde_json::from_str(
            r#"[{"step": "a", "attempt": 1, "says": {"fail": {"class": "transient", "message": "no"}}},
                {"purpose": "compensate", "says": {"stdout": "undone"}},
                {"prompt": "please", "says": {"output": 12345678901234567890123}},
                {"step": "a", "says": {"output": null}}]"#,
        )
        .unwrap();
        let (step, agent) = (StepId::grown("a"), AgentName::new("writer"));
        let place = |attempt, purpose, prompt| {
            let answer = script.answer(&ScriptQuery { step: &step, agent: &agent, attempt, purpose, prompt });
            answer.and_then(|found| script.0.iter().position(|answer| answer == found))
        };
        assert_eq!(place(1, Purpose::Do, None), Some(0));
        assert_eq!(place(2, Purpose::Compensate, None), Some(1));
        assert_eq!(place(2, Purpose::Do, Some("would you please")), Some(2));
        assert_eq!(place(2, Purpose::Do, Some("would you")), Some(3));
        let other = StepId::grown("b");
        assert!(
            script
                .answer(&ScriptQuery {
                    step: &other,
                    agent: &agent,
                    attempt: 1,
                    purpose: Purpose::Do,
                    prompt: None
                })
                .is_none()
        );
        let recorded = Json::of(&script).unwrap();
        assert!(recorded.text().contains("12345678901234567890123"));
        assert_eq!(serde_json::from_str::<Script>(recorded.text()).unwrap(), script);
    }
}
