//! How programs end, by themselves and otherwise.

use super::*;
use crate::events::problem::Class;

#[tokio::test]
async fn every_status_has_its_class() {
    let expected = |status: i32| match status {
        75 | 101 | 111 | 125 => (Code::ExitTransient, Class::Transient),
        65 => (Code::ExitValidation, Class::Validation),
        69 => (Code::ExitDependency, Class::Dependency),
        77 | 78 | 126 | 127 => (Code::ExitFatal, Class::Fatal),
        _ => (Code::ExitUnknown, Class::Unknown),
    };
    for status in [1, 2, 64, 65, 66, 69, 70, 75, 76, 77, 78, 79, 100, 101, 111, 124, 125, 126, 127, 128, 255]
    {
        let failure = run(shell(&format!("exit {status}"))).await.unwrap_err();
        assert_eq!((failure.code, failure.class), expected(status), "{status}");
        assert_eq!((failure.exit_code, failure.outcome), (Some(status), Outcome::Known));
        assert_eq!(failure.message, format!("exit {status}"));
    }
}

#[tokio::test]
async fn a_program_that_a_signal_killed_has_no_exit_code() {
    let failure = run(shell("kill -9 $$")).await.unwrap_err();
    assert_eq!((failure.code, failure.exit_code), (Code::ExitUnknown, None));
    assert_eq!(failure.message, "killed by signal 9");
}

#[tokio::test]
async fn a_failure_quotes_the_last_words() {
    let failure =
        run(shell("echo out; printf 'first\\n\\033[31mtar: no such file\\033[0m\\n' >&2; exit 3")).await;
    assert_eq!(failure.unwrap_err().message, "exit 3: first\ntar: no such file");
    let failure = run(shell("echo 'the error went to stdout'; exit 1")).await;
    assert_eq!(failure.unwrap_err().message, "exit 1: the error went to stdout");
}

#[tokio::test]
async fn a_program_that_complains_without_end_is_quoted_briefly() {
    let failure = run(shell("head -c 20000000 /dev/zero | tr '\\0' 'x' >&2; echo end >&2; exit 1")).await;
    let message = failure.unwrap_err().message;
    assert!(message.len() < 3000 && message.ends_with("end"), "{}", message.len());
}

#[tokio::test]
async fn too_much_output_ends_the_program() {
    let failure = run(shell("head -c 104857600 /dev/zero; echo PROGRESS: 1; sleep 1000")).await.unwrap_err();
    assert_eq!((failure.code, failure.class), (Code::OutputTooLarge, Class::Validation));
    assert_eq!(failure.outcome, Outcome::Unknown);
}

#[tokio::test]
async fn output_up_to_the_bound_is_whole() {
    let exact = stdout_of(shell("head -c 8388608 /dev/zero | tr '\\0' 'x'")).await;
    assert_eq!(exact.len(), OUTPUT_BYTES_MAX);
}

#[tokio::test]
async fn a_daemon_that_keeps_stdout_open_neither_hangs_the_attempt_nor_is_ended() {
    let daemon = pid(&stdout_of(shell("sleep 1000 & echo $!")).await);
    assert!(lives(daemon));
    rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_helper_that_ends_a_moment_later_is_heard() {
    // Like `exec > >(tee log)` of bash: the shell is gone before its helper has written.
    let text = "(while kill -0 $$ 2>/dev/null; do :; done; echo late) & echo early";
    assert_eq!(stdout_of(shell(text)).await, "early\nlate");
}

#[tokio::test]
async fn a_program_that_fails_leaves_nothing_running() {
    let failure = run(shell("sleep 1000 >/dev/null 2>&1 & echo $! >&2; exit 3")).await.unwrap_err();
    assert!(!lives(pid(failure.message.strip_prefix("exit 3: ").unwrap())));
}

/// A program whose grandchild ignores TERM, and its own child by inheritance too.
const STUBBORN: &str = "sh -c 'trap \"\" TERM; echo \"PROGRESS: 1 $$\"; sleep 1000; sleep 1000' & wait";

#[tokio::test]
async fn grandchildren_that_ignore_term_are_killed_after_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let mut attempt = start(folder.path(), shell(STUBBORN));
    let grandchild = attempt.says_pid().await;
    assert_eq!(records(folder.path()), 1);
    attempt.stop.send_replace(Some(Stop::TimedOut));
    let failure = Failure { transcript: None, ..attempt.end().await.unwrap_err() };
    assert_eq!(failure, Failure::stopped(Stop::TimedOut));
    assert!(!lives(grandchild));
    assert_eq!(records(folder.path()), 0);
}

#[tokio::test]
async fn a_program_may_use_the_grace_and_its_last_words_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { grace: LONG, ..options(folder.path()) };
    // It can only end by its trap, and only if somebody still reads the megabyte that it writes then.
    let text = "trap 'head -c 1000000 /dev/zero; echo tidied up >&2; exit 0' TERM; echo \"PROGRESS: 1 $$\"; while :; do sleep 0.01; done";
    let executor = SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options));
    let mut attempt = Attempt::start(executor, task(folder.path(), shell(text)));
    attempt.says_pid().await;
    attempt.stop.send_replace(Some(Stop::Cancelled));
    let failure = attempt.end().await.unwrap_err();
    assert_eq!((failure.code, failure.outcome), (Code::Cancelled, Outcome::Unknown));
    // A shell may also say that its `sleep` was terminated.
    let words = failure.message.strip_prefix("it was cancelled: ").unwrap();
    assert!(words.ends_with("tidied up"), "{words}");
}

#[tokio::test]
async fn an_attempt_that_is_dropped_takes_its_group_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut attempt = start(folder.path(), shell(STUBBORN));
    let grandchild = attempt.says_pid().await;
    attempt.end.abort();
    gone(grandchild).await;
    assert_eq!(records(folder.path()), 1, "who tries the step next looks whether all of it is gone");
    start(folder.path(), shell("true")).end().await.unwrap();
    assert_eq!(records(folder.path()), 0);
}

/// Waits until a process is no more.
async fn gone(pid: Pid) {
    let gone = async {
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("it lives on");
}

#[tokio::test]
async fn what_left_the_group_and_keeps_its_mark_is_ended_with_a_program_that_fails() {
    let text = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >&2; exit 3";
    let failure = run(shell(text)).await.unwrap_err();
    assert!(!lives(pid(failure.message.strip_prefix("exit 3: ").unwrap())));
}

#[tokio::test]
async fn what_a_living_program_started_is_ended_with_it_whatever_it_cleared() {
    let folder = tempfile::tempdir().unwrap();
    // Its parent lives: that tells whose it is.
    let text = "env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo \"PROGRESS: 1 $!\"; wait";
    let mut attempt = start(folder.path(), shell(text));
    let child = attempt.says_pid().await;
    attempt.stop.send_replace(Some(Stop::TimedOut));
    attempt.end().await.unwrap_err();
    assert!(!lives(child));
}

#[tokio::test]
async fn what_left_its_group_stays_when_the_program_succeeds() {
    let daemon = pid(&stdout_of(shell("setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!")).await);
    assert!(lives(daemon));
    rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_success_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), shell("ls processes")).end().await.unwrap();
    assert_eq!(records(folder.path()), 0);
}

/// Another runner of programs, which ends its own in order when it is told to.
#[tokio::test]
async fn what_left_the_group_is_told_to_stop_only_when_nobody_is_left_who_would() {
    let folder = tempfile::tempdir().unwrap();
    let own =
        "trap 'echo told >>log' TERM; touch up; until [ -e end ]; do sleep 0.02; done; echo ended >>log";
    let text = format!(
        "setsid sh -c \"{own}\" >/dev/null 2>&1 & until [ -e up ]; do sleep 0.01; done; trap 'touch end; wait; exit 0' TERM; echo \"PROGRESS: 1 $!\"; wait; wait"
    );
    let options = Options { grace: LONG, ..options(folder.path()) };
    let executor = SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options));
    let mut attempt = Attempt::start(executor, task(folder.path(), shell(&text)));
    let own = attempt.says_pid().await;
    attempt.stop.send_replace(Some(Stop::Cancelled));
    attempt.end().await.unwrap_err();
    assert!(!lives(own));
    assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "ended\n");
}
