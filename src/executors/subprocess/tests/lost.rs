//! What a process that died left running, and what only looks like it.

use std::process::{Child, Stdio};

use super::*;
use crate::executors::subprocess::group::Group;
use crate::executors::subprocess::lost::{MARK_VARIABLE, Record, end_leftover};

/// A program as a process that then died would have started it. It is not this executor's, so nothing but the record
/// tells of it.
struct Leftover {
    folder: tempfile::TempDir,
    child: Child,
    task: Task,
}

impl Leftover {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let task = task(folder.path(), shell("true"));
        let child = std::os::unix::process::CommandExt::process_group(
            std::process::Command::new("sh")
                .args(["-c", text])
                .env(MARK_VARIABLE, Record::of(&folder.path().join("processes"), &task).mark())
                .stdout(Stdio::piped()),
            0,
        )
        .spawn()
        .unwrap();
        Self { folder, child, task }
    }

    fn leader(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    fn group(&self) -> Group {
        Group::new(self.leader()).unwrap()
    }

    /// The pid that the program writes first.
    fn says_pid(&mut self) -> Pid {
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(self.child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        pid(&line)
    }

    fn processes(&self) -> std::path::PathBuf {
        self.folder.path().join("processes")
    }

    fn announced(&self) -> Record {
        let record = Record::of(&self.processes(), &self.task);
        record.announce().unwrap();
        record
    }

    /// Changes what was written down.
    fn rewrite(&self, change: impl Fn(&mut serde_json::Value)) {
        let file = std::fs::read_dir(self.processes()).unwrap().next().unwrap().unwrap().path();
        let mut group = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        change(&mut group);
        std::fs::write(&file, group.to_string()).unwrap();
    }

    async fn end(&self) -> Result<(), Failure> {
        let (processes, grace) = (self.processes(), Duration::from_millis(100));
        let end = end_leftover(&processes, &self.task.run, &self.task.step, grace);
        tokio::time::timeout(LONG, end).await.expect("it hangs")
    }
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
    leftover.announced().started(leftover.group());
    leftover.end().await.unwrap();
    assert!(!lives(leftover.leader()) && !lives(grandchild));
    assert_eq!(records(leftover.folder.path()), 0);
    leftover.end().await.unwrap();
}

#[tokio::test]
async fn a_group_whose_first_process_has_ended_is_known_by_its_mark() {
    let mut leftover = Leftover::start("sleep 1000 & echo $!");
    let grandchild = leftover.says_pid();
    let mut record = leftover.announced();
    record.started(leftover.group());
    // Only now may the leader go: while nobody has looked, it can still be asked when it started.
    leftover.child.wait().unwrap();
    assert!(lives(grandchild));
    leftover.end().await.unwrap();
    assert!(!lives(grandchild));
}

#[tokio::test]
async fn a_process_that_left_the_group_is_left_alone() {
    let mut leftover = Leftover::start("setsid sh -c 'echo $$; exec sleep 1000' &");
    let daemon = leftover.says_pid();
    leftover.announced().started(leftover.group());
    leftover.child.wait().unwrap();
    leftover.end().await.unwrap();
    assert!(lives(daemon));
    rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_program_that_was_not_written_down_yet_is_known_by_its_mark() {
    let mut leftover = Leftover::start("echo $$; exec sleep 1000");
    leftover.announced();
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
    ours.announced();
    ours.end().await.unwrap();
    assert!(lives(stranger) && !lives(leftover));
}

#[tokio::test]
async fn a_process_that_only_has_the_number_is_left_alone() {
    let mut other = Leftover::start("echo $$; exec sleep 1000");
    let stranger = other.says_pid();
    other.announced().started(other.group());
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
    other.announced().started(other.group());
    other.rewrite(|group| group["boot"] = "another".into());
    other.end().await.unwrap();
    assert!(lives(stranger));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_the_next_attempt() {
    let leftover = Leftover::start("true");
    leftover.announced();
    leftover.rewrite(|group| *group = "noise".into());
    assert_eq!(leftover.end().await.unwrap_err().code, Code::LeftoverLives);
}

#[tokio::test]
async fn the_next_attempt_starts_only_when_the_lost_one_is_gone() {
    let mut leftover = Leftover::start(STUBBORN);
    let grandchild = leftover.says_pid();
    leftover.announced().started(leftover.group());
    // One that has ended may still be listed, until its parent looks.
    let look = format!(
        "case $(cut -d' ' -f3 /proc/{}/stat 2>/dev/null) in ''|Z) echo alone;; *) echo beside it;; esac",
        grandchild.as_raw_nonzero()
    );
    let attempt = start(leftover.folder.path(), shell(&look));
    assert_eq!(attempt.end().await.unwrap().output.value(), serde_json::json!({"stdout": "alone"}));
}

#[test]
fn ids_of_all_lengths_and_characters_have_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let steps: Vec<_> = (0..40)
        .scan(StepId::parse("s").unwrap(), |step, n| {
            *step = step.item(n);
            Some(step.clone())
        })
        .collect();
    for step in &steps {
        let task = Task { step: step.clone(), ..task(folder.path(), Work::default()) };
        Record::of(&folder.path().join("processes"), &task).announce().unwrap();
    }
    assert_eq!(records(folder.path()), steps.len());
}
