//! What is kept of what programs say.

use super::*;
use crate::workflow::work::{Transcript, Written};

fn said(result: &Result<Output, Failure>) -> Transcript {
    let (Ok(Output { transcript, .. }) | Err(Failure { transcript, .. })) = result;
    serde_json::from_str(transcript.as_ref().expect("nothing is kept").text()).unwrap()
}

fn text(text: &str) -> Written {
    Written::Text(text.to_owned())
}

#[tokio::test]
async fn what_was_asked_and_said_is_kept_and_how_it_ended() {
    let before = now();
    let asked = Work { prompt: Some("say hello".to_owned()), ..shell("echo hello; echo why >&2; exit 3") };
    let said = said(&run(asked).await);
    assert_eq!(said.prompt.as_deref(), Some("say hello"));
    assert_eq!((said.stdout, said.stderr), (text("hello\n"), text("why\n")));
    assert_eq!((said.exit_code, said.signal), (Some(3), None));
    assert!(before <= said.started_at && said.started_at <= said.ended_at && said.ended_at <= now());
}

#[tokio::test]
async fn of_a_success_the_lines_are_kept_that_the_output_does_without() {
    let result = run(shell("touch a.txt; echo ARTIFACT: a.txt; echo PROGRESS: 40 half; echo '{}'")).await;
    assert_eq!(result.as_ref().unwrap().output.text(), "{}");
    let said = said(&result);
    assert_eq!((said.stdout, said.exit_code), (text("ARTIFACT: a.txt\n{}\n"), Some(0)));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_whole() {
    let result = run(shell("printf 'a\\377b'; printf 'c\\000' >&2")).await;
    let said = said(&result);
    assert_eq!(result.unwrap().output.value()["stdout"], "a\u{fffd}b");
    assert_eq!((&*said.stdout.bytes(), &*said.stderr.bytes()), (&b"a\xffb"[..], &b"c\0"[..]));
}

#[tokio::test]
async fn a_signal_is_kept_as_one() {
    let said = said(&run(shell("kill -9 $$")).await);
    assert_eq!((said.exit_code, said.signal), (None, Some(9)));
}

#[tokio::test]
async fn what_a_stopped_program_said_so_far_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let text_of_shell = "echo started; trap 'echo tidied >&2; exit 0' TERM; echo \"PROGRESS: 1 $$\"; while :; do sleep 0.01; done";
    let options = Options { grace: LONG, ..options(folder.path()) };
    let executor = SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options));
    let mut attempt = Attempt::start(executor, task(folder.path(), shell(text_of_shell)));
    attempt.says_pid().await;
    attempt.stop.send_replace(Some(Stop::TimedOut));
    let result = attempt.end().await;
    assert_eq!(result.as_ref().unwrap_err().code, Code::TimedOut);
    let said = said(&result);
    assert_eq!((said.stdout, said.exit_code), (text("started\n"), None));
    assert!(said.stderr.bytes().ends_with(b"tidied\n"));
}

#[tokio::test]
async fn of_too_much_the_beginning_of_stdout_and_the_end_of_stderr_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Options { output_bytes_max: 10, ..options(folder.path()) };
    let executor = SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(limited));
    let work = shell("printf 'a long complaint' >&2; printf 'more than ten bytes'; sleep 1000");
    let result = Attempt::start(executor, task(folder.path(), work)).end().await;
    assert_eq!(result.as_ref().unwrap_err().code, Code::OutputTooLarge);
    let said = said(&result);
    assert_eq!((said.stdout, said.stdout_cut), (text("more than "), 9));
    assert_eq!((said.stderr, said.stderr_cut), (text(" complaint"), 6));
}
