//! Answers to what runs ask: that to a task, as a person or a program writes it, and which request for an approval is meant.

use std::io::Read;

use crate::events::json::Json;
use crate::events::limits::TASK_ANSWER_BYTES_MAX;
use crate::events::problem::{Code, Problem};
use crate::events::text::some_of;
use crate::views::presenters::report::RunReport;

/// How many steps that ask for something are named: as many as fit on a line or two.
const NAMED_MAX: usize = 8;

/// Reads an answer up to its end: one JSON object or array is the output as it is, all else is `{"text": …}`, without its last
/// newline. No more of it is read than an answer may have.
///
/// # Errors
/// [`Code::AnswerTooLong`]; [`Code::BadAnswer`] for JSON that cannot be taken: a key stands twice, or it is nested too deep;
/// [`Code::FileNotRead`] when reading fails.
pub fn read(from: impl Read) -> Result<Json, Problem> {
    let mut bytes = Vec::new();
    let read = from.take(TASK_ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Problem::new(Code::FileNotRead, format!("the answer cannot be read: {error}")))?;
    if bytes.len() > TASK_ANSWER_BYTES_MAX {
        return Err(too_long());
    }
    // As with what programs write: what is no text is not lost for one byte.
    of_text(&String::from_utf8_lossy(&bytes))
}

/// The same, of a text.
///
/// # Errors
/// The same, but for reading.
pub fn of_text(text: &str) -> Result<Json, Problem> {
    if text.len() > TASK_ANSWER_BYTES_MAX {
        return Err(too_long());
    }
    if text.trim_start().starts_with(['{', '[']) {
        match Json::read(text) {
            Ok(json) => return Ok(json),
            Err(why) if Json::parse(text).is_ok() => {
                let message = format!("the answer is JSON that cannot be taken: {why}");
                return Err(Problem::new(Code::BadAnswer, message));
            }
            // It only begins as JSON does.
            Err(_) => {}
        }
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Json::from(&serde_json::json!({ "text": text })))
}

/// The only request of a run that is open.
///
/// # Errors
/// [`Code::UnknownRequest`] where there is none, or several.
pub fn only_request(report: &RunReport) -> Result<String, Problem> {
    let open: Vec<_> = report.waiting_for.iter().filter(|waiting| waiting.approval.is_some()).collect();
    match open.as_slice() {
        [] => {
            let problem = Problem::new(Code::UnknownRequest, "the run asks people for nothing");
            let child = report.waiting_for.iter().find(|waiting| waiting.kind == "child");
            Err(match child {
                Some(child) => problem.hint(format!("a run that it started may: {}", child.id)),
                None => problem,
            }
            .of_run(&report.run))
        }
        [waiting] => Ok(waiting.id.clone()),
        several => {
            let named = some_of(several, NAMED_MAX, |waiting| format!("`{}`", waiting.step));
            let message = format!("the run asks people for {} things, in {named}", several.len());
            Err(Problem::new(Code::UnknownRequest, message)
                .hint("name the step that is meant")
                .of_run(&report.run))
        }
    }
}

fn too_long() -> Problem {
    let message = format!("the answer has more than the {TASK_ANSWER_BYTES_MAX} bytes that are taken");
    Problem::new(Code::AnswerTooLong, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_output_as_it_is_and_all_else_is_text() {
        let text = |answer: &str| of_text(answer).unwrap().text().to_owned();
        assert_eq!(text(" {\"n\": 1.50}\n"), "{\"n\": 1.50}");
        assert_eq!(text("[1]"), "[1]");
        assert_eq!(text("done\n"), r#"{"text":"done"}"#);
        assert_eq!(text("7"), r#"{"text":"7"}"#);
        assert_eq!(text("{not json}"), r#"{"text":"{not json}"}"#);
        assert_eq!(text(""), r#"{"text":""}"#);
        assert_eq!(of_text(r#"{"a":1,"a":2}"#).unwrap_err().code, Code::BadAnswer);
    }

    #[test]
    fn no_more_is_read_than_an_answer_may_have() {
        let endless = std::io::repeat(b'x');
        assert_eq!(read(endless).unwrap_err().code, Code::AnswerTooLong);
        let longest = vec![b'x'; TASK_ANSWER_BYTES_MAX];
        assert!(read(longest.as_slice()).is_ok());
    }
}
