//! `reenact test FILE…`: runs tests of workflows, each in a data folder of its own, which goes afterwards.
//!
//! - `trial`: one test, from its first process to what came of it
//! - `life`: a process of a test
//! - `junit`: the results as JUnit XML

mod junit;
mod life;
mod trial;

use std::path::Path;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::watch;

use super::arguments::TestArguments;
use super::see::Signals;
use super::text::colour::Tone;
use super::text::{Call, Text, terminal};
use super::{Exit, Scene};
use crate::api::new_run_id;
use crate::api::spec::{RunSpec, Workflow};
use crate::api::start::Resolver;
use crate::api::wording::Worded;
use crate::events::problem::{Code, Problem, nearest};
use crate::executors::rehearsal::{Answers, Mode};
use crate::text_file::{self, Kind};
use crate::workflow::definition::Definition;
use crate::workflow::parse::suite;
use crate::workflow::suite::{Difference, WorkflowTest};
use trial::Trial;

/// The JSON that `test --json` prints.
#[derive(Debug, Clone, Serialize)]
struct Tested {
    ok: bool,
    passed: usize,
    failed: usize,
    tests: Vec<TestResult>,
}

/// What came of a test.
#[derive(Debug, Clone, Serialize)]
struct TestResult {
    file: String,
    name: String,
    ok: bool,
    duration_ms: u64,
    /// What did not come as it was to.
    differences: Vec<Differs>,
    /// What kept it from coming to anything.
    error: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Differs {
    what: String,
    expected: String,
    found: String,
}

impl From<Difference> for Differs {
    fn from(difference: Difference) -> Self {
        let Difference { what, expected, found } = difference;
        Self { what, expected, found }
    }
}

impl Worded for Tested {
    /// It names nothing that can be done.
    fn word(&mut self, _: &Call) {}
}

pub(super) async fn test(scene: &Scene, arguments: TestArguments) -> Result<Exit, Problem> {
    if arguments.life {
        return life::live(scene).await;
    }
    let resolver = scene.house.resolver();
    let (mut trials, mut wrong) = (Vec::new(), Vec::new());
    for file in &arguments.files {
        match read(&resolver, file) {
            Ok(found) => trials.extend(found),
            Err(problems) => wrong.extend(problems),
        }
    }
    if !wrong.is_empty() {
        return Ok(scene.say.problems(&wrong));
    }
    if let Some(only) = &arguments.only {
        trials.retain(|trial| trial.test.name.contains(only.as_str()));
        if trials.is_empty() {
            let message = format!("no test has a name that holds `{only}`");
            return Err(Problem::new(Code::Usage, message));
        }
    }
    let jobs = arguments.jobs.map_or_else(processors, |jobs| jobs as usize);
    let (stop, stopped) = watch::channel(false);
    let mut signals = Signals::listen()?;
    let running = trials.iter().map(|trial| trial.run(scene, stopped.clone()));
    let mut running = std::pin::pin!(stream::iter(running).buffered(jobs).collect::<Vec<_>>());
    let tests = tokio::select! {
        biased;
        () = signals.came() => {
            stop.send_replace(true);
            // What they started is stopped before they are.
            running.await;
            return Ok(Exit::Interrupted);
        }
        tests = &mut running => tests,
    };
    if let Some(file) = &arguments.junit {
        junit::write(file, &tests)?;
    }
    let passed = tests.iter().filter(|test| test.ok).count();
    let failed = tests.len() - passed;
    scene.say.result(&Tested { ok: failed == 0, passed, failed, tests }, text);
    Ok(if failed == 0 { Exit::Good } else { Exit::Failed })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |number| number.get().min(16))
}

/// The tests of a file, with all that they name read and checked.
fn read(resolver: &Resolver, path: &Path) -> Result<Vec<Trial>, Vec<Problem>> {
    let file = path.display().to_string();
    let text =
        text_file::read(&resolver.cwd.join(path), &file, Kind::Suite).map_err(|problem| vec![problem])?;
    let found = suite(&text, &file)?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let (mut trials, mut wrong) = (Vec::new(), Vec::new());
    for test in found.tests {
        let mode = match &test.cassette {
            Some(cassette) => Mode::Replay(folder.join(cassette)),
            None => Mode::Scripted,
        };
        let spec = RunSpec {
            id: Some(new_run_id()),
            input: test.input.clone(),
            answers: Answers { mode, script: test.script.clone() },
            ..RunSpec::file(folder.join(&found.workflow))
        };
        match resolver.resolve(spec) {
            Ok((spec, _)) => {
                wrong.extend(unknown_steps(&test, &spec));
                trials.push(Trial { file: file.clone(), test, spec });
            }
            Err(problems) => {
                let here = |problem: Problem| match problem.at {
                    Some(_) => problem,
                    None => problem.at(&test.at.file, test.at.line, test.at.column),
                };
                wrong.extend(problems.into_iter().map(here));
            }
        }
    }
    // What is wrong with the workflow is told once.
    wrong.dedup();
    if wrong.is_empty() { Ok(trials) } else { Err(wrong) }
}

/// The steps that a test names and its workflow does not have. One that grows is known by the step that it grows in.
fn unknown_steps(test: &WorkflowTest, spec: &RunSpec) -> Vec<Problem> {
    let Workflow::Resolved(resolved) = &spec.workflow else { return Vec::new() };
    let Ok(definition) = Definition::from_json(resolved.root.definition.text()) else { return Vec::new() };
    let steps = || definition.steps.iter().map(|step| step.id.as_str());
    let whole = |name: &str| name.split(['[', '#', '/']).next().unwrap_or_default().to_owned();
    let unknown = test.names.iter().filter(|(name, _)| !steps().any(|step| step == whole(name)));
    let unknown = unknown.map(|(name, at)| {
        let problem = Problem::new(Code::NoSuchStep, format!("the workflow has no step `{name}`"));
        let problem = match nearest(&whole(name), steps()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("its steps are {}", steps().collect::<Vec<_>>().join(", "))),
        };
        problem.at(&at.file, at.line, at.column)
    });
    unknown.collect()
}

/// The results as a person reads them.
fn text(tested: &Tested) -> Text {
    let mut lines = Vec::new();
    let mut file = None;
    for test in &tested.tests {
        if file != Some(&test.file) {
            file = Some(&test.file);
            lines.push(terminal!("{}", test.file));
        }
        let sign = if test.ok { Tone::Good.of(&terminal!("✓")) } else { Tone::Bad.of(&terminal!("✗")) };
        lines.push(terminal!("  {} {}  {}ms", sign, test.name, test.duration_ms));
        lines.extend(test.error.iter().map(|error| terminal!("      {}", error)));
        for Differs { what, expected, found } in &test.differences {
            lines.push(terminal!("      {}", what));
            lines.push(terminal!("        expected  {}", expected));
            lines.push(terminal!("        found     {}", found));
        }
    }
    lines.push(terminal!("{} passed, {} failed", tested.passed, tested.failed));
    Text::lines(lines)
}
