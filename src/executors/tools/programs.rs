//! The tools `run` and `test`: programs, run as those of steps are, and what they wrote as an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::subprocess::SubprocessExecutor;
use super::super::{Context, Executor, Failure, Output, Stop, Task};
use super::Settings;
use super::call::{ANSWER_BYTES_MAX, Call, shortened, with_cut};
use super::folder::For;
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::workflow::work::{Command, Transcript, Work, Written};

/// How long a program may take where nobody says: most that a model runs take seconds, and one that waits for somebody waits for ever.
const TIME: Duration = Duration::from_secs(120);

/// How long it may take at most. What takes longer is better a step of its own.
const TIME_MAX_S: u64 = 3_600;

/// How long tests may take: those of large projects take this long.
const TEST_TIME: Duration = Duration::from_secs(TIME_MAX_S);

/// A program that a tool runs.
pub(super) struct Program {
    pub(super) run: Command,
    pub(super) cwd: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) time: Duration,
}

pub(super) fn input_of_run() -> Value {
    json!({
        "type": "object",
        "required": ["command"],
        "additionalProperties": false,
        "properties": {
            "command": {
                "description": "A text for `sh -c`, or a program and its arguments, executed as they are",
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {"type": "array", "minItems": 1, "items": {"type": "string"}},
                ],
            },
            "cwd": {"type": "string", "description": "The folder to run it in, from the work folder"},
            "timeout_s": {"type": "integer", "minimum": 1, "maximum": TIME_MAX_S, "description": "How many seconds it may take; 120 if it is left out"},
        },
    })
}

pub(super) fn input_of_test() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

#[derive(Deserialize)]
struct Run {
    command: Command,
    cwd: Option<String>,
    timeout_s: Option<u64>,
}

pub(super) fn run(call: &Call, _: &Settings) -> Result<Program, Failure> {
    let Run { command, cwd, timeout_s } = call.arguments()?;
    let cwd = cwd.map(|cwd| {
        let place = call.folder.place(&cwd, For::Reading)?;
        call.folder.open_folder(&place)?;
        Ok::<_, Failure>(place.path.display().to_string())
    });
    let time = timeout_s.map_or(TIME, |seconds| Duration::from_secs(seconds.min(TIME_MAX_S)));
    Ok(Program { run: command, cwd: cwd.transpose()?, env: BTreeMap::new(), time })
}

pub(super) fn test(_: &Call, settings: &Settings) -> Result<Program, Failure> {
    let run = settings.test.clone().ok_or_else(|| {
        Failure::new(Code::NoTestCommand, "nothing says how to test: `tools.test` is not configured")
    })?;
    Ok(Program { run, cwd: None, env: BTreeMap::new(), time: TEST_TIME })
}

/// Runs a program as a step would, with its time as a limit beside that of the attempt, and answers what was said.
///
/// # Errors
/// When it cannot be started, has to stop, or writes more than it may. How it ends is no failure.
pub(super) async fn see_through(
    executor: &SubprocessExecutor,
    task: Task,
    context: Context,
    program: Program,
) -> Result<Transcript, Failure> {
    let Program { run, cwd, env, time } = program;
    let work = Work { run: Some(run), cwd, env, ..Work::default() };
    let (stop, stopped) = tokio::sync::watch::channel(None);
    let inner = Context { stop: stopped, ..context.clone() };
    let mut attempt = executor.execute(Task { work, ..task }, inner);
    let result = tokio::select! {
        biased;
        result = &mut attempt => result,
        why = context.stopped() => {
            stop.send_replace(Some(why));
            attempt.await
        }
        () = tokio::time::sleep(time) => {
            stop.send_replace(Some(Stop::TimedOut));
            attempt.await.map_err(|failure| {
                let message = format!("after {} s: {}", time.as_secs(), failure.message);
                Failure { message, ..failure }
            })
        }
    };
    match result {
        Ok(Output { transcript, .. }) => read(transcript.as_ref()),
        // A program that is not there is no reason to stop a run: another may be named.
        Err(failure) if failure.code == Code::NotStarted && failure.class == Class::Fatal => {
            Err(failure.class(Class::Validation))
        }
        Err(failure) => Err(failure),
    }
}

fn read(transcript: Option<&Json>) -> Result<Transcript, Failure> {
    let text = transcript.map_or("", Json::text);
    serde_json::from_str(text)
        .map_err(|error| Failure::new(Code::Internal, format!("what a program said: {error}")))
}

/// What a program said, as an answer.
pub(super) fn said(transcript: &Transcript) -> Value {
    let text =
        |written: &Written| shortened(&String::from_utf8_lossy(&written.bytes()), ANSWER_BYTES_MAX / 2);
    let ((stdout, out_cut), (stderr, err_cut)) = (text(&transcript.stdout), text(&transcript.stderr));
    let mut answer = json!({"exit": transcript.exit_code, "stdout": stdout, "stderr": stderr});
    if let (Some(map), Some(signal)) = (answer.as_object_mut(), transcript.signal) {
        map.insert("signal".to_owned(), signal.into());
    }
    let is_cut = out_cut || err_cut || transcript.stderr_cut > 0;
    with_cut(
        answer,
        is_cut.then(|| "the middle of what it wrote is left out; all of it is in the log".to_owned()),
    )
}

pub(super) fn ran(transcript: &Transcript) -> Result<Value, Failure> {
    Ok(said(transcript))
}

pub(super) fn tested(transcript: &Transcript) -> Result<Value, Failure> {
    let mut answer = said(transcript);
    if let Some(map) = answer.as_object_mut() {
        map.insert("passed".to_owned(), (transcript.exit_code == Some(0)).into());
    }
    Ok(answer)
}
