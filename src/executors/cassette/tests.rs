//! What is asked, kept and found again, part by part.

use std::fs;
use std::sync::Arc;

use super::answer::{Answered, Entry, Kept, Place};
use super::layout::{indented, sorted};
use super::portable::Portable;
use super::request::Request;
use super::tape::{Recorder, Tape};
use super::{Failure, Masks, Output, Task, miss};
use crate::events::ids::{AgentName, Fence, RunId, StepId};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::Purpose;
use crate::executors::Stop;
use crate::workflow::work::Work;

const RUN: &str = "01a22fa4-97e8-74fa-90ee-be2c425863b1";
const OTHER_RUN: &str = "01a22fa4-9858-71ef-80f3-cafc9b96fb89";

fn task(run: &str, folder: &str, step: &str, nth: u32, prompt: &str) -> Task {
    Task {
        run: RunId::parse(run).unwrap(),
        step: StepId::grown(step),
        attempt: nth + 3,
        generation: 1,
        fence: Fence(9),
        idempotency_key: "key".into(),
        purpose: Purpose::Do,
        agent: AgentName::new("writer"),
        work_folder: folder.into(),
        work: Work { prompt: Some(prompt.to_owned()), ..Work::default() },
        compensates: None,
        context: Default::default(),
        contexts: Default::default(),
        locks: Default::default(),
        messages: Vec::new(),
        schema: None,
        turn: None,
        conversation: None,
        nth,
        within: None,
    }
}

fn agent() -> Json {
    Json::parse(r#"{"name": "writer", "settings": {"model": "small", "big": 12345678901234567890123}}"#)
        .unwrap()
}

fn asked(task: &Task) -> (Request, Portable) {
    let portable = Portable::of(task, task.run.as_str());
    (Request::of(&agent(), task, &portable, &Masks::default()).unwrap(), portable)
}

#[test]
fn json_is_put_on_lines_and_in_order_token_by_token() {
    let lines = indented(r#"{"a":[1.10,12345678901234567890123,{}],"b":"x \" { [ , : \\","c":[]}"#);
    let wanted = "{\n  \"a\": [\n    1.10,\n    12345678901234567890123,\n    {}\n  ],\n  \"b\": \"x \\\" { [ , : \\\\\",\n  \"c\": []\n}";
    assert_eq!((lines.as_str(), indented(&lines)), (wanted, wanted.to_owned()));
    assert_eq!(sorted(&lines), sorted(wanted));
    assert_eq!(
        sorted(r#"{ "b": 1.10, "a": {"d": [2, 1], "c": "\u0061"} }"#),
        r#"{"a":{"c":"a","d":[2,1]},"b":1.10}"#
    );
}

#[test]
fn the_same_is_asked_in_another_folder_and_by_another_run() {
    let prompt =
        |folder: &str, run: &str| format!("Read {folder}/a.txt of {run}.\n{folder}\n{folder}s {folder}.bak");
    let (here, _) = asked(&task(RUN, "/home/a/p", "s", 1, &prompt("/home/a/p", RUN)));
    let (there, _) = asked(&task(OTHER_RUN, "/ci/p", "other", 7, &prompt("/ci/p", OTHER_RUN)));
    assert_ne!(here.key, there.key, "`/home/a/ps` is another folder, and stays as it is");
    let prompt = |folder: &str, run: &str| format!("Read {folder}/a.txt of {run}.\n{folder}\nx");
    let (here, _) = asked(&task(RUN, "/home/a/p", "s", 1, &prompt("/home/a/p", RUN)));
    let (there, _) = asked(&task(OTHER_RUN, "/ci/p", "other", 7, &prompt("/ci/p", OTHER_RUN)));
    assert_eq!(here, there);
    assert!(here.json.text().contains("12345678901234567890123"), "{}", here.json.text());
    // An id that somebody has chosen may be a word like any other.
    let (chosen, _) = asked(&task("tea", "/ci/p", "s", 1, "Write about tea."));
    assert!(chosen.json.text().contains("Write about tea."));
}

#[test]
fn what_is_kept_is_given_with_the_folder_and_the_run_of_now() {
    let (request, portable) = asked(&task(RUN, "/home/a \"p\"", "s", 1, "go"));
    let json = Json::parse(&format!(r#"{{"at":  "/home/a \"p\"/x","run":"{RUN}", "n": 1.10}}"#)).unwrap();
    let output = Output { output: json, artifacts: vec!["/home/a \"p\"/y".to_owned()], ..Output::default() };
    let answer = Answered::of(&Ok(output)).unwrap();
    let place = Place::of(&task(RUN, "/", "s", 1, ""));
    let text = Entry::new(place, request, Vec::new(), answer).text(&portable, &Masks::default()).unwrap();
    assert!(!text.contains("/home") && !text.contains(RUN), "{text}");
    let (_, now) = asked(&task(OTHER_RUN, "/ci", "s", 1, "go"));
    let (_, answer) = Kept::read(&text).unwrap().answer(&now).unwrap();
    let output = answer.result().unwrap();
    assert_eq!(output.output.text(), format!(r#"{{"at":  "/ci/x","run":"{OTHER_RUN}", "n": 1.10}}"#));
    assert_eq!(output.artifacts, ["/ci/y"]);
}

#[test]
fn an_output_of_several_lines_is_given_as_it_was_written() {
    let (request, portable) = asked(&task(RUN, "/p", "s", 1, "go"));
    let output = Output { output: Json::parse("{\n  \"a\": 1.10\n}").unwrap(), ..Output::default() };
    let answer = Answered::of(&Ok(output.clone())).unwrap();
    let place = Place::of(&task(RUN, "/", "s", 1, ""));
    let text = Entry::new(place, request, Vec::new(), answer).text(&portable, &Masks::default()).unwrap();
    assert!(text.contains("\n    \"purpose\": \"do\",\n"), "a line for each member of the request: {text}");
    let (_, answer) = Kept::read(&text).unwrap().answer(&portable).unwrap();
    assert_eq!(answer.result().unwrap().output.text(), output.output.text());
}

#[test]
fn a_failure_is_kept_unless_somebody_stopped_the_attempt() {
    let failure =
        Failure { exit_code: Some(75), ..Failure::new(Code::ModelBusy, "slow down").class(Class::Fatal) };
    let failure = failure.with_retry_after(Some(std::time::Duration::from_secs(3)));
    assert_eq!(Answered::of(&Err(failure.clone())).unwrap().result(), Err(failure));
    let timed_out = Failure::stopped(Stop::TimedOut);
    assert_eq!(Answered::of(&Err(timed_out.clone())).unwrap().result(), Err(timed_out));
    for why in [Stop::Cancelled, Stop::LetGo, Stop::LockLost] {
        assert_eq!(Answered::of(&Err(Failure::stopped(why))), None);
    }
}

/// Adds an attempt to a cassette.
fn add(recorder: &Recorder, take: &Arc<str>, task: &Task, says: &str) {
    let (request, portable) = asked(task);
    let output = Output { output: Json::from(&serde_json::json!(says)), ..Output::default() };
    let answer = Answered::of(&Ok(output)).unwrap();
    let entry = Entry::new(Place::of(task), request, Vec::new(), answer);
    recorder.add(take, &entry.text(&portable, &Masks::default()).unwrap()).unwrap();
}

#[test]
fn each_try_at_each_step_has_its_own_answer_and_a_step_of_another_name_those_of_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let (file, take) = (folder.path().join("c.json"), Arc::from("take"));
    let recorder = Recorder::open(&file, &take).unwrap();
    for (step, nth, says) in [("a", 1, "lost"), ("a", 2, "two"), ("b", 1, "three"), ("a", 1, "one")] {
        add(&recorder, &take, &task(RUN, "/p", step, nth, "go"), says);
    }
    drop(recorder);
    let tape = Tape::read(&file).unwrap();
    let says = |step: &str, nth: u32, prompt: &str| {
        let task = task(OTHER_RUN, "/q", step, nth, prompt);
        let (request, portable) = asked(&task);
        let found = tape.find(&request, &Place::of(&task))?;
        Some(found.answer(&portable).unwrap().1.result().unwrap().output.text().to_owned())
    };
    // An attempt that was made again has the newer answer.
    assert_eq!(says("a", 1, "go").as_deref(), Some("\"one\""));
    assert_eq!(says("a", 2, "go").as_deref(), Some("\"two\""));
    assert_eq!(says("b", 1, "go").as_deref(), Some("\"three\""));
    assert_eq!((says("a", 3, "go"), says("b", 2, "go")), (None, None), "nothing is given twice");
    assert_eq!(says("c", 2, "go").as_deref(), Some("\"two\""));
    assert_eq!((says("c", 4, "go"), says("a", 1, "Go")), (None, None));
    let task = task(RUN, "/p", "a", 1, "Go");
    let told = miss::told(&tape, &file, &asked(&task).0, &Place::of(&task));
    assert!(told.contains("- \"prompt\": \"go\"") && told.contains("+ \"prompt\": \"Go\""), "{told}");
    assert!(!told.contains("settings"), "only what differs is shown: {told}");
}

#[test]
fn a_recording_goes_on_behind_what_is_whole_and_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (file, take) = (folder.path().join("c.json"), Arc::<str>::from("take"));
    let recorder = Recorder::open(&file, &take).unwrap();
    add(&recorder, &take, &task(RUN, "/p", "a", 1, "go"), "one");
    // Nobody else adds to it meanwhile.
    assert_eq!(Recorder::open(&file, &take).unwrap_err().code, Code::NotRecorded);
    drop(recorder);
    let whole = fs::read_to_string(&file).unwrap();
    for cut in [0, 1, whole.len() / 2] {
        fs::write(&file, format!("{whole}{}", &whole[whole.find("{\n  \"at\"").unwrap()..][..cut])).unwrap();
        drop(Recorder::open(&file, &take).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), whole, "{cut}");
    }
    // What follows may be whole, too: nothing of it is thrown away.
    fs::write(&file, format!("{whole}]{whole}")).unwrap();
    assert_eq!(Recorder::open(&file, &take).unwrap_err().code, Code::BadCassette);
    let other = Arc::from("other");
    let recorder = Recorder::open(&file, &other).unwrap();
    assert_eq!(Tape::read(&file).unwrap().kept().len(), 0);
    assert_eq!(recorder.add(&take, "{}").unwrap_err().code, Code::NotRecorded, "it is the other's by now");
    recorder.be_of(&take).unwrap();
    assert_eq!(recorder.add(&other, "{}").unwrap_err().code, Code::NotRecorded);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}
