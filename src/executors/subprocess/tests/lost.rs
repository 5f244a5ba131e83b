//! What a process that died left running, and what only looks like it.

use std::process::{Child, Stdio};

use super::*;
use crate::executors::subprocess::traces::MARK_VARIABLE;

/// A program as a process that then died would have started it. It is not this executor's, so nothing but the record
/// tells of it.
struct Leftover {
    folder: tempfile::TempDir,
    child: Child,
    task: Task,
    ticket: Option<programs::Ticket>,
}

impl Leftover {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let task = task(folder.path(), shell("true"));
        let programs = programs(&folder);
        let ticket = Some(programs.announce(&task, Vec::new()).unwrap());
        let mark = programs.mark(&task);
        let child = std::os::unix::process::CommandExt::process_group(
            std::process::Command::new("sh")
                .args(["-c", text])
                .env(MARK_VARIABLE, mark)
                .stdout(Stdio::piped()),
            0,
        )
        .spawn()
        .unwrap();
        Self { folder, child, task, ticket }
    }

    fn leader(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// The pid that the program writes first.
    fn says_pid(&mut self) -> Pid {
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(self.child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        pid(&line)
    }

    /// Writes down which process it became, if `leader` is given; then who did so dies.
    fn written(&mut self, leader: Option<Pid>) {
        let ticket = self.ticket.take().unwrap();
        leader.into_iter().for_each(|leader| ticket.started(leader));
        // Nothing of it is done in order.
        std::mem::forget(ticket);
    }

    /// Changes what was written down.
    fn rewrite(&self, change: impl Fn(&mut serde_json::Value)) {
        let file = self.folder.path().join("processes/running");
        let text = std::fs::read_to_string(&file).unwrap();
        let mut written = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        change(&mut written);
        std::fs::write(&file, format!("{written}\n")).unwrap();
    }

    /// Ends it as the next process does.
    async fn end(&self) -> Result<(), Failure> {
        let programs = programs(&self.folder);
        let end = programs.end_leftover(&self.task.run, &self.task.step, Duration::from_millis(100));
        tokio::time::timeout(LONG, end).await.expect("it hangs")
    }
}

/// The programs of another process with that data folder.
fn programs(folder: &tempfile::TempDir) -> Arc<Programs> {
    Programs::in_folder(Some(folder.path().join("processes")))
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(self.leader(), rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

const STUBBORN: &str = "sh -c 'trap \"\" TERM; echo $$; sleep 1000; sleep 1000' & wait";

#[tokio::test]
async fn the_whole_group_of_a_lost_attempt_is_ended() {
    let mut leftover = Leftover::start(STUBBORN);
    let grandchild = leftover.says_pid();
    leftover.written(Some(leftover.leader()));
    leftover.end().await.unwrap();
    assert!(!lives(leftover.leader()) && !lives(grandchild));
    assert_eq!(records(leftover.folder.path()), 0);
    leftover.end().await.unwrap();
}

#[tokio::test]
async fn a_group_whose_first_process_has_ended_is_known_by_its_mark() {
    let mut leftover = Leftover::start("sleep 1000 & echo $!");
    let grandchild = leftover.says_pid();
    leftover.written(Some(leftover.leader()));
    // Only now may the leader go: while nobody has looked, it can still be asked when it started.
    leftover.child.wait().unwrap();
    assert!(lives(grandchild));
    leftover.end().await.unwrap();
    assert!(!lives(grandchild));
}

#[tokio::test]
async fn a_process_that_left_the_group_is_known_by_its_mark() {
    let mut leftover = Leftover::start("setsid sh -c 'echo $$; exec sleep 1000' &");
    let daemon = leftover.says_pid();
    leftover.written(Some(leftover.leader()));
    leftover.child.wait().unwrap();
    leftover.end().await.unwrap();
    assert!(!lives(daemon));
}

/// Nothing but the record of a look at it tells whose it is.
#[tokio::test]
async fn a_process_that_cleared_all_is_known_if_it_was_seen() {
    let mut leftover = Leftover::start("env -i setsid sh -c 'echo $$; exec sleep 1000 >/dev/null' &");
    let daemon = leftover.says_pid();
    leftover.written(Some(leftover.leader()));
    leftover.child.wait().unwrap();
    leftover.end().await.unwrap();
    assert!(lives(daemon), "nobody can know it");
    leftover.ticket = Some(programs(&leftover.folder).announce(&leftover.task, Vec::new()).unwrap());
    leftover.written(None);
    let started_ticks = proc::process(daemon).unwrap().started_ticks;
    leftover.rewrite(|written| {
        let stray = serde_json::json!({"pid": daemon.as_raw_nonzero().get(), "started_ticks": started_ticks});
        (written["since"], written["strays"]) = (0.into(), serde_json::json!([stray]));
    });
    leftover.end().await.unwrap();
    assert!(!lives(daemon));
}

/// What an older version wrote down, a file for each program, is ended by this one.
#[tokio::test]
async fn what_an_older_version_left_running_is_ended() {
    let mut leftover = Leftover::start("echo $$; exec sleep 1000");
    let leader = leftover.says_pid();
    leftover.written(Some(leader));
    let (folder, table) = (leftover.folder.path().join("processes"), "running");
    let text = std::fs::read_to_string(folder.join(table)).unwrap();
    let written: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let old = serde_json::json!({
        "run": "r1", "step": "build[0]", "attempt": 2, "mark": written["mark"], "boot": written["boot"],
        "leader": written["leader"],
    });
    std::fs::remove_file(folder.join(table)).unwrap();
    let file = folder.join(format!("{}.json", written["key"].as_str().unwrap()));
    std::fs::write(&file, old.to_string()).unwrap();
    leftover.end().await.unwrap();
    assert!(!lives(leader) && !file.exists());
    std::fs::write(&file, "noise").unwrap();
    assert_eq!(leftover.end().await.unwrap_err().code, Code::LeftoverLives);
}

#[tokio::test]
async fn a_program_that_was_not_written_down_yet_is_known_by_its_mark() {
    let mut leftover = Leftover::start("echo $$; exec sleep 1000");
    leftover.written(None);
    let leader = leftover.says_pid();
    leftover.end().await.unwrap();
    assert!(!lives(leader));
}

/// Two data folders may each have a run `nightly` with a step `build`, and then share the idempotency key. One of them,
/// killed between writing the record and starting the program, ended the other's program when it went on.
#[tokio::test]
async fn a_program_of_the_same_step_in_another_data_folder_is_left_alone() {
    let mut other = Leftover::start("echo $$; exec sleep 1000");
    let stranger = other.says_pid();
    let mut ours = Leftover::start("echo $$; exec sleep 1000");
    let leftover = ours.says_pid();
    ours.task.idempotency_key = other.task.idempotency_key.clone();
    ours.written(None);
    ours.end().await.unwrap();
    assert!(lives(stranger) && !lives(leftover));
}

#[tokio::test]
async fn a_process_that_only_has_the_number_is_left_alone() {
    let mut other = Leftover::start("echo $$; exec sleep 1000");
    let stranger = other.says_pid();
    other.written(Some(other.leader()));
    // The number was another process's once: one that started at another time, with another mark.
    other.rewrite(|group| {
        group["leader"]["started_ticks"] = (group["leader"]["started_ticks"].as_u64().unwrap() - 1).into();
        group["mark"] = "another".into();
    });
    other.end().await.unwrap();
    assert!(lives(stranger));
    assert_eq!(records(other.folder.path()), 0);
}

#[tokio::test]
async fn what_was_written_before_the_machine_started_anew_means_nobody() {
    let mut other = Leftover::start("echo $$; exec sleep 1000");
    let stranger = other.says_pid();
    other.written(Some(other.leader()));
    other.rewrite(|group| group["boot"] = "another".into());
    other.end().await.unwrap();
    assert!(lives(stranger));
}

#[tokio::test]
async fn the_next_attempt_starts_only_when_the_lost_one_is_gone() {
    let mut leftover = Leftover::start(STUBBORN);
    let grandchild = leftover.says_pid();
    leftover.written(Some(leftover.leader()));
    // One that has ended may still be listed, until its parent looks.
    let look = format!(
        "case $(cut -d' ' -f3 /proc/{}/stat 2>/dev/null) in ''|Z) echo alone;; *) echo beside it;; esac",
        grandchild.as_raw_nonzero()
    );
    let attempt = start(leftover.folder.path(), shell(&look));
    assert_eq!(attempt.end().await.unwrap().output.value(), serde_json::json!({"stdout": "alone"}));
}

/// A step's id may have any length; a place has one.
#[test]
fn steps_of_all_lengths_have_a_place_each() {
    let folder = tempfile::tempdir().unwrap();
    let one = programs(&folder);
    let steps = (0..40).scan(StepId::parse("s").unwrap(), |step, n| {
        *step = step.item(n);
        Some(step.clone())
    });
    let tickets: Vec<_> = steps
        .map(|step| {
            let task = Task { step, ..task(folder.path(), Work::default()) };
            one.announce(&task, vec![u64::MAX, u64::MAX]).unwrap()
        })
        .collect();
    assert_eq!(records(folder.path()), tickets.len());
    tickets.into_iter().for_each(programs::Ticket::ended);
    assert_eq!(records(folder.path()), 0);
}
