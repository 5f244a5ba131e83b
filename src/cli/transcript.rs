//! `reenact transcript RUN STEP`: what was said during an attempt, as it was written.

use super::arguments::TranscriptArguments;
use super::see::{self, Asked, Signals};
use super::text::{printable, printable_lines};
use super::{Exit, Scene, control};
use crate::api::protocol::{Answer, Request};
use crate::events::ids::StepId;
use crate::events::problem::Problem;
use crate::events::run::Purpose;
use crate::views::transcript::AttemptReport;

pub(super) async fn transcript(scene: &Scene, arguments: TranscriptArguments) -> Result<Exit, Problem> {
    let TranscriptArguments { run, step, attempt, undo } = arguments;
    let purpose = if undo { Purpose::Compensate } else { Purpose::Do };
    let mut signals = Signals::listen()?;
    let request = Request::Transcript { run: run.clone(), step: StepId::grown(&step), purpose, attempt };
    match control::ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Asked::Interrupted => Ok(Exit::Interrupted),
        Asked::Answer(Answer::Transcript(said), door) => {
            scene.say.result(&*said, text);
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Asked::Answer(other, _) => Err(other.mismatch()),
    }
}

/// An attempt: a line that says how it ended, then what was said, each part under its name.
fn text(said: &AttemptReport) -> String {
    let what = if said.purpose == Purpose::Compensate { "undoing " } else { "" };
    let mut head =
        format!("{what}{}  attempt {} of {}  {}", said.step, said.attempt, said.attempts, said.agent);
    head.push_str(&format!("  {}  started {}", said.status, said.started_at));
    let end = [
        said.ended_at.map(|at| format!("  ended {at}")),
        said.exit_code.map(|code| format!("  exit {code}")),
        said.signal.map(|signal| format!("  signal {signal}")),
    ];
    head.extend(end.into_iter().flatten());
    let mut lines = vec![head];
    if let Some(error) = &said.error {
        lines.push(format!("error[{}]: {}", error.code, printable(&error.message)));
    }
    lines.extend(part("prompt", said.prompt.as_ref(), None));
    lines.extend(part("stdout", said.stdout.as_ref(), said.stdout_cut));
    lines.extend(part("stdout in Base64, as it is not UTF-8", said.stdout_base64.as_ref(), said.stdout_cut));
    lines.extend(part("stderr", said.stderr.as_ref(), said.stderr_cut));
    lines.extend(part("stderr in Base64, as it is not UTF-8", said.stderr_base64.as_ref(), said.stderr_cut));
    if lines.len() == 1 {
        lines.push("nothing was said".to_owned());
    }
    lines.join("\n")
}

/// A part of what was said, under its name, if there is anything.
fn part(name: &str, text: Option<&String>, cut: Option<u64>) -> Option<String> {
    let text = text.filter(|text| !text.is_empty())?;
    let cut = cut.map(|bytes| format!(", {bytes} bytes more are not kept")).unwrap_or_default();
    Some(format!("── {name}{cut}\n{}", printable_lines(text.trim_end_matches('\n'))))
}
