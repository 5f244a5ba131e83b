//! `reenact transcript RUN STEP`: what was said during an attempt, as it was written.

use super::arguments::TranscriptArguments;
use super::see::{self, Exchange, Signals};
use super::text::colour::{self, Tone};
use super::text::terminal::written;
use super::text::{Text, models, terminal};
use super::{Exit, Scene, control};
use crate::api::protocol::{Request, Response};
use crate::events::ids::StepId;
use crate::events::problem::Problem;
use crate::events::run::Purpose;
use crate::views::for_shell;
use crate::views::presenters::transcript::AttemptReport;
use crate::workflow::work::Command;

pub(super) async fn transcript(scene: &Scene, arguments: TranscriptArguments) -> Result<Exit, Problem> {
    let TranscriptArguments { run, step, attempt, undo } = arguments;
    let purpose = if undo { Purpose::Compensate } else { Purpose::Do };
    let mut signals = Signals::listen()?;
    let request = Request::Transcript { run: run.clone(), step: StepId::grown(&step), purpose, attempt };
    match control::ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Transcript(said), door) => {
            scene.say.result(&*said, text);
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// An attempt: a line that says how it ended, then what was said, each part under its name.
fn text(said: &AttemptReport) -> Text {
    let what = if said.purpose == Purpose::Compensate { "undoing " } else { "" };
    let AttemptReport { step, attempt, attempts, agent, status, started_at, .. } = said;
    let head = terminal!("{}{}  attempt {} of {}  {}", what, step, attempt, attempts, agent);
    let head = head
        .and(terminal!("  {}  started {}", colour::status(status), started_at))
        .and(said.ended_at.map(|at| terminal!("  ended {}", at)))
        .and(said.exit_code.map(|code| terminal!("  exit {}", code)))
        .and(said.signal.map(|signal| terminal!("  signal {}", signal)));
    let mut lines = vec![head];
    lines.extend(
        said.error.as_ref().map(|error| {
            terminal!("{} {}", Tone::Bad.of(&terminal!("error[{}]:", error.code)), error.message)
        }),
    );
    lines.extend(said.command.as_ref().map(|command| match command {
        Command::List(words) => {
            let words: Vec<_> = words.iter().map(|word| for_shell(word)).collect();
            Text::lines([terminal!("── command"), terminal!("{}", words.join(" "))])
        }
        Command::Shell(text) => {
            Text::lines([terminal!("── command, by the shell"), written(text.trim_end())])
        }
    }));
    lines.extend(said.folder.as_ref().map(|folder| terminal!("── in {}", folder)));
    if !said.variables.is_empty() {
        let names = Text::joined(said.variables.iter().map(|name| terminal!("{}", name)), ", ");
        lines.push(terminal!("── with the variables {}", names));
    }
    let facts = lines.len();
    if said.calls.is_empty() {
        lines.extend(part("prompt", said.prompt.as_ref(), None));
        lines.extend(part("stdout", said.stdout.as_ref(), said.stdout_cut));
    }
    lines.extend(models::turns(&said.calls));
    lines.extend(part("stdout in Base64, as it is not UTF-8", said.stdout_base64.as_ref(), said.stdout_cut));
    lines.extend(part("stderr", said.stderr.as_ref(), said.stderr_cut));
    lines.extend(part("stderr in Base64, as it is not UTF-8", said.stderr_base64.as_ref(), said.stderr_cut));
    if lines.len() == facts {
        lines.push(terminal!("nothing was said"));
    }
    Text::lines(lines)
}

/// A part of what was said, under its name, if there is anything.
fn part(name: &'static str, text: Option<&String>, cut: Option<u64>) -> Option<Text> {
    let text = text.filter(|text| !text.is_empty())?;
    let cut = cut.map(|bytes| terminal!(", {} bytes more are not kept", bytes)).unwrap_or_default();
    Some(Text::lines([terminal!("── {}{}", name, cut), written(text.trim_end_matches('\n'))]))
}
