//! The file of a scripted agent: a list of answers.

use super::data::json;
use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key, words};
use super::tree::Tree;
use crate::events::ids::AgentName;
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::Purpose;
use crate::events::time::micros;
use crate::workflow::script::{Says, Script, ScriptedAnswer};

pub(super) const ANSWER: Keys = Keys {
    known: &[
        key("step", Takes::Text, "the step that it is for"),
        key("agent", Takes::Text, "the agent that it is for"),
        key("attempt", Takes::Count(u32::MAX), "the number of the attempt that it is for"),
        key("purpose", Takes::Word(|| words(&PURPOSES)), "what the attempt is for"),
        key("prompt", Takes::Text, "a part of the prompt that it is for"),
        key("output", Takes::Value, "what is answered"),
        key("stdout", Takes::Text, "what a program would write"),
        key("fail", Takes::Map(&FAIL), "how the attempt fails"),
        key("delay", Takes::Duration, "how long it takes"),
    ],

    ..Keys::of("an answer")
};

const FAIL: Keys = Keys {
    known: &[
        key("class", Takes::Word(|| words(&CLASSES)), "the class of the failure"),
        key("message", Takes::Text, "what went wrong"),
    ],

    ..Keys::of("`fail`")
};

pub(super) const PURPOSES: [(&str, Purpose); 2] = [("do", Purpose::Do), ("compensate", Purpose::Compensate)];

pub(super) const CLASSES: [(&str, Class); 5] = [
    ("transient", Class::Transient),
    ("validation", Class::Validation),
    ("dependency", Class::Dependency),
    ("fatal", Class::Fatal),
    ("unknown", Class::Unknown),
];

const ONE_OF: &str = "give it exactly one of `output`, `stdout` and `fail`";

/// Reads a script. `file` is the name in problems.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn script(text: &str, file: &str) -> Result<Script, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = Tree::read(text, file).map_err(|problem| vec![problem])?;
    let mut report = Diagnostics::new(file, text);
    let answers: Vec<_> = match report.list("a script", &tree) {
        Some(answers) => answers.iter().filter_map(|tree| answer(&mut report, tree)).collect(),
        None => Vec::new(),
    };
    if report.problems.is_empty() { Ok(Script(answers)) } else { Err(report.problems) }
}

/// Reads one answer.
pub(super) fn answer(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<ScriptedAnswer> {
    let fields = Fields::read(report, "an answer", &ANSWER, tree)?;
    let text = |report: &mut Diagnostics<'_>, key| {
        fields.get(key).and_then(|tree| report.text(key, tree)).map(str::to_owned)
    };
    let (step, prompt) = (text(report, "step"), text(report, "prompt"));
    let agent = text(report, "agent").map(|name| AgentName::new(&name));
    let attempt = fields.get("attempt").and_then(|tree| report.count_to("attempt", u32::MAX, tree));
    let purpose = fields.get("purpose").and_then(|tree| report.choice("purpose", &PURPOSES, tree));
    let delay = fields.get("delay").and_then(|tree| report.duration("delay", tree));
    let says = says(report, &fields, tree)?;
    let delay_us = delay.map_or(0, micros);
    Some(ScriptedAnswer { step, agent, attempt, purpose, prompt, delay_us, says })
}

fn says(report: &mut Diagnostics<'_>, fields: &Fields<'_>, tree: &Tree) -> Option<Says> {
    let (output, stdout, fail) = (fields.get("output"), fields.get("stdout"), fields.get("fail"));
    match (output, stdout, fail) {
        (Some(output), None, None) => json(report, "output", output).map(Says::Output),
        (None, Some(stdout), None) => report.text("stdout", stdout).map(|text| Says::Stdout(text.to_owned())),
        (None, None, Some(fail)) => failure(report, fail),
        (None, None, None) => {
            if !fields.refused_some() {
                let problem = Problem::new(Code::BadValue, "an answer that says nothing");
                report.refuse(tree, problem.hint(ONE_OF));
            }
            None
        }
        _ => {
            let problem = Problem::new(Code::Contradiction, "an answer that says several things");
            report.refuse(tree, problem.hint(ONE_OF));
            None
        }
    }
}

fn failure(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<Says> {
    let fields = Fields::read(report, "fail", &FAIL, tree)?;
    let class = fields.get("class").map(|tree| report.choice("class", &CLASSES, tree));
    let message = fields.get("message").map(|tree| report.text("message", tree));
    if message.is_none() && !fields.refused_some() {
        let problem = Problem::new(Code::BadValue, "a `fail` without a `message`");
        report.refuse(tree, problem.hint("say what goes wrong, as in `fail: {message: no network}`"));
    }
    Some(Says::Fail { class: class.unwrap_or(Some(Class::Unknown))?, message: message??.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::json::Json;

    #[test]
    fn every_key_is_read() {
        let read = script(
            "- {step: 'copy[*]', agent: Writer, attempt: 2, purpose: compensate, prompt: hello, delay: 1.5s, output: {n: 12345678901234567890123, l: [1.10, ~, 'x']}}\n- stdout: |\n    a\n    b\n- fail: {message: no}\n- fail: {class: fatal, message: 7}\n",
            "s.yaml",
        )
        .unwrap();
        let [first, second, third, fourth] = read.0.as_slice() else { panic!("{read:?}") };
        assert_eq!((first.step.as_deref(), first.attempt), (Some("copy[*]"), Some(2)));
        assert_eq!(first.agent.as_ref().map(AgentName::as_str), Some("Writer"));
        assert_eq!((first.purpose, first.prompt.as_deref()), (Some(Purpose::Compensate), Some("hello")));
        assert_eq!(first.delay_us, 1_500_000);
        let output = Json::parse(r#"{"n":12345678901234567890123,"l":[1.10,null,"x"]}"#).unwrap();
        assert_eq!(first.says, Says::Output(output));
        assert_eq!(second.says, Says::Stdout("a\nb\n".to_owned()));
        assert_eq!(third.says, Says::Fail { class: Class::Unknown, message: "no".to_owned() });
        assert_eq!(fourth.says, Says::Fail { class: Class::Fatal, message: "7".to_owned() });
    }

    #[test]
    fn json_is_read_as_yaml_is() {
        let read = script(r#"[{"step": "a", "output": {"ok": true}}]"#, "s.json").unwrap();
        assert_eq!(read.0[0].says, Says::Output(Json::parse(r#"{"ok":true}"#).unwrap()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, place, code, words) in [
            ("- {stepp: a, output: 1}", (1, 4), Code::UnknownKey, "did you mean `step`?"),
            ("- {step: a}", (1, 3), Code::BadValue, ONE_OF),
            ("- {output: 1, stdout: x}", (1, 3), Code::Contradiction, ONE_OF),
            ("- {attempt: 0, output: 1}", (1, 13), Code::BadValue, ""),
            ("- {purpose: undo, output: 1}", (1, 13), Code::BadValue, "`do`"),
            ("- {delay: soon, output: 1}", (1, 11), Code::BadDuration, ""),
            ("- fail: {class: bad, message: x}", (1, 17), Code::BadValue, ""),
            ("- fail: {class: fatal}", (1, 9), Code::BadValue, "no network"),
            ("- {step: [a], output: 1}", (1, 10), Code::BadValue, ""),
            ("- output: {1: 2}", (1, 12), Code::BadValue, ""),
            ("answers: []", (1, 1), Code::BadValue, ""),
            ("- {output: 1", (1, 13), Code::NotYaml, ""),
        ] {
            let problems = script(text, "s.yaml").unwrap_err();
            let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
            let at = problem.at.as_ref().unwrap();
            assert_eq!((problem.code, at.file.as_str()), (code, "s.yaml"), "{text}: {problem:?}");
            assert!(problem.remedies.plain().contains(words), "{text}: {problem:?}");
            if code != Code::NotYaml {
                assert_eq!((at.line, at.column), place, "{text}");
            }
        }
    }
}
