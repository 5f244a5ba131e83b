//! What a program is told on stdin, and what the lines mean that it writes to stdout.
//!
//! A line is taken out only if it has the whole form of a protocol line. One that merely begins like it, such as
//! `PROGRESS: nearly there` or `CONTEXT switching`, is output like any other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::conversations::ConversationGiven;
use super::super::mask::Masks;
use super::super::usage;
use super::super::{
    AgentDefinition, AgentRequest, ContextEntry, Failure, MessageGiven, Output, Progress, Task,
};
use crate::events::ids::{AgentName, LockFence};
use crate::events::json::{Json, Why};
use crate::events::problem::Code;
use crate::events::run::Usage;
use crate::workflow::handoff;
use crate::workflow::work::Guidance;

/// The document on stdin.
#[derive(Serialize)]
struct Document<'a> {
    run: &'a str,
    step: &'a str,
    attempt: u32,
    generation: u32,
    idempotency_key: &'a str,
    agent: &'a Json,
    /// The step's `with`; an empty object without one, so that a program can always look into it.
    input: Cow<'a, Json>,
    prompt: Option<&'a str>,
    /// What a manager said, where the agent was stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    guidance: Option<&'a Guidance>,
    /// What the agents of the run share.
    context: &'a BTreeMap<String, ContextEntry>,
    /// What the step has read of contexts that runs share, by alias and key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    contexts: &'a BTreeMap<String, BTreeMap<String, ContextEntry>>,
    /// The numbers of the grants of its locks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    locks: &'a BTreeMap<String, LockFence>,
    /// The conversation with which its step goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<&'a ConversationGiven>,
    /// What other agents sent it.
    messages: &'a [MessageGiven],
    /// What it is given to read: nothing, so far.
    files: [&'a str; 0],
    purpose: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Json>,
}

/// What its programs are told of an agent.
#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    description: &'a str,
    /// The body of its file.
    system: &'a str,
    /// The agents to which it may hand its work over, where its file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    handoffs: Option<&'a [AgentName]>,
    /// `model`, and whatever else its file says that this version does not act on.
    #[serde(flatten)]
    others: BTreeMap<&'a str, &'a Value>,
}

/// What its programs are told of an agent: an object.
pub(super) fn about(agent: &AgentDefinition) -> Json {
    let others = agent.unknown.iter().chain(&agent.settings);
    let others = others.map(|(key, value)| (key.as_str(), value));
    let others = others.filter(|(key, _)| !["name", "description", "system"].contains(key)).collect();
    let (name, description, system) = (agent.name.as_str(), &*agent.description, &*agent.system_prompt);
    let handoffs = agent.handoffs.as_deref();
    // All of it came from JSON values, so it has a form.
    Json::of(&About { name, description, system, handoffs, others }).unwrap_or_default()
}

/// The document for an attempt, on one line.
///
/// # Errors
/// When it has no JSON form; every task has one.
pub(super) fn document(task: &Task, about: &Json) -> Result<Vec<u8>, Failure> {
    let input = if task.work.with.is_null() {
        Cow::Owned(Json::from(&Value::Object(serde_json::Map::new())))
    } else {
        Cow::Borrowed(&task.work.with)
    };
    let document = Document {
        run: task.run.as_str(),
        step: task.step.as_str(),
        attempt: task.attempt,
        generation: task.generation,
        idempotency_key: &task.idempotency_key,
        agent: about,
        input,
        prompt: task.work.prompt.as_deref(),
        guidance: task.work.guidance.as_ref(),
        context: &task.context,
        contexts: &task.contexts,
        locks: &task.locks,
        conversation: task.conversation.as_ref(),
        messages: &task.messages,
        files: [],
        purpose: task.purpose.text(),
        outcome: task.compensates.as_ref().map(|step| step.outcome.text()),
        output: task.compensates.as_ref().map(|step| &step.output),
    };
    let mut bytes = serde_json::to_vec(&document)
        .map_err(|error| Failure::new(Code::Internal, format!("the document for the program: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What a `PROGRESS: 40 text` line says; none if it is not one. The text may be missing.
pub(in crate::executors) fn progress(line: &[u8]) -> Option<Progress> {
    let rest = String::from_utf8_lossy(line.strip_prefix(b"PROGRESS:")?);
    let (percent, text) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let percent =
        percent.strip_suffix('%').unwrap_or(percent).parse().ok().filter(|percent| *percent <= 100)?;
    Some(Progress { percent, text: text.trim().to_owned() })
}

/// What a program that converses says while it runs.
#[derive(Debug)]
pub(super) enum Word {
    /// It sends a message.
    Send(Json),
    /// It has handled the message that is called so.
    Handled(String),
    /// It means to say something, and this is wrong with it.
    Wrong(Box<Failure>),
}

impl Word {
    /// The same, masked.
    pub(super) fn masked(self, masks: &Masks) -> Self {
        match self {
            Self::Send(message) => match masks.json(&message) {
                Ok(message) => Self::Send(message),
                Err(failure) => Self::Wrong(Box::new(failure)),
            },
            Self::Wrong(failure) => Self::Wrong(Box::new(masks.failure(*failure))),
            word => word,
        }
    }
}

/// What a line says of a program that converses; none if that is output, or is read when the program has ended.
pub(super) fn word(line: &[u8]) -> Option<Word> {
    let line = String::from_utf8_lossy(line);
    if let Some(id) = line.strip_prefix("HANDLED:").map(str::trim) {
        return Some(id).filter(|id| !id.is_empty()).map(|id| Word::Handled(id.to_owned()));
    }
    let message = line.strip_prefix("SEND:").map(str::trim).filter(|message| message.starts_with('{'))?;
    Some(match json(message) {
        Ok(Some(message)) => Word::Send(message),
        Ok(None) => Word::Wrong(Box::new(Failure::new(Code::BadMessage, "what it sends is no JSON"))),
        Err(failure) => Word::Wrong(Box::new(failure)),
    })
}

/// Takes the protocol lines out of what a program wrote, and makes the output of what is left.
///
/// # Errors
/// When it wrote JSON in which a key stands twice, or that is nested too deep: taken as a text it would surprise whoever
/// expects its parts.
pub(in crate::executors) fn output(stdout: &[u8]) -> Result<Output, Failure> {
    let text = String::from_utf8_lossy(stdout);
    let (text, declarations) = handoff::take_out(&text);
    let (mut output, mut left) = (Output::default(), String::with_capacity(text.len()));
    output.requests.extend(declarations.into_iter().map(AgentRequest::Handoff));
    for line in text.split_inclusive('\n') {
        if !take(line.trim_end(), &mut output)? {
            left.push_str(line);
        }
    }
    output.output = whole(&left)?;
    Ok(output)
}

/// Whether this is a protocol line; what it says goes into `output`.
fn take(line: &str, output: &mut Output) -> Result<bool, Failure> {
    if let Some(path) = line.strip_prefix("ARTIFACT:").map(str::trim) {
        return Ok(take_paths([path], output));
    }
    if let Some(paths) = line.strip_prefix("ARTIFACTS:") {
        return Ok(take_paths(paths.split(',').map(str::trim), output));
    }
    if let Some(report) = line.strip_prefix("USAGE:") {
        return take_usage(report, output);
    }
    let request = if let Some(message) = line.strip_prefix("SEND:") {
        json(message)?.filter(|message| message.text().starts_with('{')).map(AgentRequest::Send)
    } else if let Some(assignment) = line.strip_prefix("CONTEXT ") {
        context(assignment)?
    } else {
        None
    };
    let taken = request.is_some();
    output.requests.extend(request);
    Ok(taken || progress(line.as_bytes()).is_some())
}

/// Whether this is an object; then it reports what was used up, beside what was reported before.
fn take_usage(report: &str, output: &mut Output) -> Result<bool, Failure> {
    let report = json(report)?.filter(|report| report.text().starts_with('{'));
    if let Some(report) = &report {
        output.usage = usage::sum(output.usage, usage::read(report)?)?;
    }
    Ok(report.is_some())
}

/// What a program reports that it used up which did not come through; nothing where that is nonsense, for it fails already.
pub(super) fn usage(stdout: &[u8]) -> Usage {
    let mut output = Output::default();
    let text = String::from_utf8_lossy(stdout);
    let reports = text.lines().filter_map(|line| line.trim_end().strip_prefix("USAGE:"));
    for report in reports {
        // The others are worth telling.
        let _ = take_usage(report, &mut output);
    }
    output.usage
}

fn take_paths<'a>(paths: impl IntoIterator<Item = &'a str>, output: &mut Output) -> bool {
    let before = output.artifacts.len();
    output.artifacts.extend(paths.into_iter().filter(|path| !path.is_empty()).map(str::to_owned));
    output.artifacts.len() > before
}

/// `key=json`, the key being one word.
fn context(assignment: &str) -> Result<Option<AgentRequest>, Failure> {
    let Some((key, value)) = assignment.split_once('=') else { return Ok(None) };
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Ok(None);
    }
    Ok(json(value)?.map(|value| AgentRequest::Context { key: key.to_owned(), value }))
}

/// One JSON object or array is the output as it is; everything else is text.
fn whole(left: &str) -> Result<Json, Failure> {
    if left.trim_start().starts_with(['{', '['])
        && let Some(json) = json(left)?
    {
        return Ok(json);
    }
    let text = left.strip_suffix('\n').unwrap_or(left);
    Ok(Json::from(&serde_json::json!({ "stdout": text })))
}

/// What a program wrote, if it is JSON.
fn json(text: &str) -> Result<Option<Json>, Failure> {
    match Json::read(text) {
        Ok(json) => Ok(Some(json)),
        // Where a key stands twice in what is no JSON further on, it is a text like any other.
        Err(why) if matches!(why.why, Why::Syntax(_)) || Json::parse(text).is_err() => Ok(None),
        Err(why) => Err(Failure::new(
            Code::BadAnswer,
            format!("the program answered JSON that cannot be taken: {why}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::problem::Class;

    fn text_of(stdout: &str) -> String {
        output(stdout.as_bytes()).unwrap().output.text().to_owned()
    }

    #[test]
    fn one_object_or_array_is_the_output_and_keeps_its_text() {
        assert_eq!(
            text_of(" {\"n\": 123456789012345678901234567890, \"x\":1.50}\n"),
            "{\"n\": 123456789012345678901234567890, \"x\":1.50}"
        );
        assert_eq!(text_of("[1, 2]\n\n"), "[1, 2]");
    }

    #[test]
    fn all_else_is_text_without_its_last_newline() {
        for (stdout, output) in [
            ("", r#"{"stdout":""}"#),
            ("hello\n\n", r#"{"stdout":"hello\n"}"#),
            ("42\n", r#"{"stdout":"42"}"#),
            ("\"text\"", r#"{"stdout":"\"text\""}"#),
            ("{} {}", r#"{"stdout":"{} {}"}"#),
            ("{broken", r#"{"stdout":"{broken"}"#),
        ] {
            assert_eq!(text_of(stdout), output, "{stdout:?}");
        }
    }

    /// Two readers of one answer saw two values: a reviewer changed the first `to`, and the program read the second. And an
    /// answer that was nested too deep became a text, in which the next step found none of its parts.
    #[test]
    fn json_that_is_ambiguous_or_too_deep_is_a_failure_that_says_so() {
        for (stdout, says) in [
            (r#"{"to":"staging","to":"evil"}"#, "the key `to` stands twice"),
            (r#"[{"plan":{"a":1,"\u0061":2}}]"#, "the key `a` stands twice in the object at `[0].plan`"),
            ("SEND: {\"to\":1,\"to\":2}", "the key `to` stands twice"),
            ("CONTEXT key={\"to\":1,\"to\":2}", "the key `to` stands twice"),
            (&*format!("{}{}", "[".repeat(101), "]".repeat(101)), "nested deeper than 100 levels"),
        ] {
            let failure = output(stdout.as_bytes()).err().unwrap();
            assert_eq!((failure.code, failure.class), (Code::BadAnswer, Class::Validation), "{stdout}");
            assert!(failure.message.contains(says), "{}", failure.message);
        }
        let deepest = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(text_of(&deepest), deepest);
        for text in ["{\"a\":1,\"a\":2} and more", &"[".repeat(200)] {
            assert_eq!(
                text_of(text),
                serde_json::json!({ "stdout": text }).to_string(),
                "no JSON, so a text"
            );
        }
    }

    #[test]
    fn a_number_beyond_all_floats_is_a_number() {
        assert_eq!(text_of("{\"n\": 1e400, \"m\":-1E-999}"), "{\"n\": 1e400, \"m\":-1E-999}");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(output(b"a\xffb\n").unwrap().output.value(), serde_json::json!({"stdout": "a\u{fffd}b"}));
    }

    #[test]
    fn protocol_lines_are_taken_out_wherever_they_stand() {
        let found = output(
            b"ARTIFACT: dist/a b.tar\n{\"ok\":\nPROGRESS: 40 half\r\nARTIFACTS: x, y,,z\nSEND: {\"to\":\"b\"}\n true}\nCONTEXT owner=\"ann\"\n",
        )
        .unwrap();
        assert_eq!(found.output.text(), "{\"ok\":\n true}");
        assert_eq!(found.artifacts, ["dist/a b.tar", "x", "y", "z"]);
        assert_eq!(
            found.requests,
            [
                AgentRequest::Send(Json::parse("{\"to\":\"b\"}").unwrap()),
                AgentRequest::Context { key: "owner".to_owned(), value: Json::parse("\"ann\"").unwrap() },
            ]
        );
    }

    #[test]
    fn what_it_used_up_is_the_sum_of_what_it_reports() {
        let said =
            "USAGE: {\"calls\":1,\"usd\":0.1}\nhello\nUSAGE:{\"calls\":2,\"output_tokens\":7,\"usd\":0.2}\n";
        let found = output(said.as_bytes()).unwrap();
        let usage = Usage { calls: 3, input_tokens: 0, output_tokens: 7, usd_nanos: 300_000_000 };
        assert_eq!((found.usage, found.output.value()), (usage, serde_json::json!({"stdout": "hello"})));
        assert_eq!(super::usage(said.as_bytes()), usage, "also of a program that fails then");
        assert_eq!(output(b"USAGE: {\"calls\": -1}").unwrap_err().code, Code::BadUsage);
        let help = "USAGE: {start|stop} NAME";
        assert_eq!(text_of(help), serde_json::json!({ "stdout": help }).to_string());
    }

    #[test]
    fn a_line_that_only_begins_like_a_protocol_line_is_output() {
        for line in [
            "PROGRESS: nearly there",
            "PROGRESS: 101 too far",
            "SEND: [1]",
            "SEND: five packets",
            "CONTEXT switching",
            "CONTEXT a b=1",
            "CONTEXT key=not json",
            "ARTIFACT:",
            "ARTIFACTS: ,",
            " ARTIFACT: indented",
            "HANDOFF DECLARATION: none",
        ] {
            let found = output(line.as_bytes()).unwrap();
            assert_eq!(found.output.value(), serde_json::json!({ "stdout": line }));
            assert_eq!((found.artifacts.len(), found.requests.len()), (0, 0), "{line}");
        }
    }

    #[test]
    fn a_handoff_is_a_block() {
        let block = "HANDOFF DECLARATION:\nTo: reviewer\nReason: a question\nContext:\n  - Work completed: all\n  - Key data: {\n      \"a\": 1\n    }";
        let found = output(format!("before\n{block}\n\nafter\n").as_bytes()).unwrap();
        assert_eq!(found.requests, [AgentRequest::Handoff(block.to_owned())]);
        assert_eq!(found.output.value(), serde_json::json!({"stdout": "before\n\nafter"}));
    }

    #[test]
    fn progress_has_a_number_and_perhaps_a_text() {
        let progress = |line: &str| progress(line.as_bytes()).map(|found| (found.percent, found.text));
        assert_eq!(progress("PROGRESS: 40 copying files"), Some((40, "copying files".to_owned())));
        assert_eq!(progress("PROGRESS:100%"), Some((100, String::new())));
        assert_eq!(progress("PROGRESS: -1 x"), None);
    }
}
