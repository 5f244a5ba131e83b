//! Our own examples, tested as users test theirs: real programs in a folder of their own for each run.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::problem::Problem;
use reenact::events::run::ApprovalRequested;
use reenact::executors::Executors;
use reenact::executors::subprocess::Options;
use reenact::testing::SagaTest;
use reenact::testing::world::{Failure, Output, Programs, Reply, Task, World};
use tempfile::TempDir;

use crate::examples::{Bank, Board};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// What a dead process left of a step is known by its run and its step, and ended. These runs have one name, and no store that would
/// tell them apart: at once they would end each other's programs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Programs whose temporary files lie in a folder of their own.
struct Machine {
    programs: Programs,
    tmp: TempDir,
    people: People,
}

/// What people say who are asked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum People {
    Grant,
    Refuse,
    /// Nobody answers.
    Silent,
}

impl Machine {
    fn new() -> Self {
        Self::with(People::Grant)
    }

    fn with(people: People) -> Self {
        let tmp = TempDir::with_prefix("reenact-saga-").unwrap();
        let mut options = Options::default();
        options.environment.insert("TMPDIR".into(), tmp.path().into());
        let executors = Executors { subprocess: Arc::new(options), ..Executors::default() };
        Self { programs: Programs::in_folder(Path::new(EXAMPLES), executors).unwrap(), tmp, people }
    }

    /// How many lines a file has that all releases share; none if it is not there.
    fn lines(&self, file: &str) -> usize {
        let mut folders = fs::read_dir(self.tmp.path()).unwrap().map(|entry| entry.unwrap().path());
        let text = folders.next().map(|folder| fs::read_to_string(folder.join(file)).unwrap_or_default());
        text.unwrap_or_default().lines().count()
    }
}

/// Two are the same when their banks and their boards are.
impl PartialEq for Machine {
    fn eq(&self, other: &Self) -> bool {
        let all = |machine: &Self| (Bank::read_in(machine.tmp.path()), Board::read_in(machine.tmp.path()));
        all(self) == all(other)
    }
}

impl World for Machine {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        self.programs.attempt(task)
    }

    fn reply(&self, asked: &ApprovalRequested, granted: &[Arc<str>]) -> Option<Reply> {
        let refusal = || Reply::Refuse { by: "ben".into(), reason: "not that day".to_owned() };
        match self.people {
            People::Grant => self.programs.reply(asked, granted),
            People::Refuse => Some(refusal()),
            People::Silent => None,
        }
    }

    fn stage(&self, start: &mut StartRun) -> Result<(), Problem> {
        self.programs.stage(start)
    }
}

#[test]
fn a_release_survives_a_crash_at_every_step() {
    let _alone = alone();
    let test = SagaTest::of_file(Path::new(EXAMPLES).join("release.yaml")).world(Machine::new).invariant(
        |machine, status| {
            let (published, announced) =
                (machine.lines("registry/log.txt"), machine.lines("announcements.txt"));
            match status {
                RunStatus::Completed if (published, announced) != (1, 1) => {
                    Err(format!("published {published} times, announced {announced} times"))
                }
                _ if announced > published => Err("announced, and not published".to_owned()),
                _ => Ok(()),
            }
        },
    );
    let crashes = test.check_every_crash().unwrap();
    eprintln!("release.yaml: {crashes}");
    assert!(crashes.statuses["completed"] >= 3 * 9);
}

/// However it fails, is killed or repeated, the money has moved or has not, and no cent came or went.
fn transfer() -> SagaTest<Machine> {
    let amount = 2_500;
    let test = SagaTest::of_file(Path::new(EXAMPLES).join("transfer.yaml")).world(Machine::new);
    test.invariant(move |machine, status| {
        let bank = Bank::read_in(machine.tmp.path());
        bank.audit(amount)?;
        let brought: i64 = bank.runs().iter().map(|run| bank.moved(run).1).sum();
        match (status, brought, bank.clearing.len(), bank.letters.len()) {
            (RunStatus::Completed, arrived, 1, 1) if arrived == amount => Ok(()),
            (RunStatus::Compensated | RunStatus::Failed, 0, 0, 0) => Ok(()),
            (RunStatus::Stuck, ..) => Ok(()),
            other => Err(format!("(status, arrived, settled, written) is {other:?}")),
        }
    })
}

#[test]
fn a_transfer_survives_a_failure_at_every_step_and_every_compensation() {
    let _alone = alone();
    let failures = transfer().check_every_failure().unwrap();
    eprintln!("transfer.yaml: {failures}");
    assert!(["completed", "compensated", "stuck"].iter().all(|status| failures.statuses[*status] > 0));
}

#[test]
fn a_transfer_survives_a_crash_at_every_step_and_every_compensation() {
    let _alone = alone();
    let crashes = transfer().check_every_crash().unwrap();
    eprintln!("transfer.yaml: {crashes}");
    assert!(crashes.statuses["completed"] >= 3 * 6 && crashes.statuses["compensated"] > 0);
}

#[test]
fn a_transfer_may_be_repeated_at_every_step_and_every_compensation() {
    let _alone = alone();
    eprintln!("transfer.yaml: {}", transfer().check_idempotent().unwrap());
}

/// Whatever happens, nothing hangs on the board that nobody has granted, and what is undone leaves nothing.
fn notice(people: People) -> SagaTest<Machine> {
    let test =
        SagaTest::of_file(Path::new(EXAMPLES).join("notice.yaml")).world(move || Machine::with(people));
    test.invariant(move |machine, status| {
        let board = Board::read_in(machine.tmp.path());
        match (status, board.notices.len(), board.drafts) {
            (_, 1.., _) if people != People::Grant => Err(format!("nobody has granted it: {board:?}")),
            (RunStatus::Completed, 1, 1) | (RunStatus::Waiting, 0, 1) | (RunStatus::Stuck, ..) => Ok(()),
            (RunStatus::Compensated | RunStatus::Failed, ..) if board == Board::default() => Ok(()),
            _ => Err(format!("{status:?} with {board:?}")),
        }
    })
}

#[test]
fn a_notice_survives_a_failure_and_a_crash_at_every_step_and_every_compensation() {
    let _alone = alone();
    let failures = notice(People::Grant).check_every_failure().unwrap();
    eprintln!("notice.yaml: {failures}");
    assert!(["completed", "compensated", "failed"].iter().all(|status| failures.statuses[*status] > 0));
    let crashes = notice(People::Grant).check_every_crash().unwrap();
    eprintln!("notice.yaml: {crashes}");
    assert!(crashes.statuses["completed"] > 0 && crashes.statuses["compensated"] > 0);
}

#[test]
fn a_notice_may_be_repeated_at_every_step_and_every_compensation() {
    let _alone = alone();
    eprintln!("notice.yaml: {}", notice(People::Grant).check_idempotent().unwrap());
}

#[test]
fn a_notice_that_is_refused_or_not_answered_is_not_put_up_whatever_crashes() {
    let _alone = alone();
    for people in [People::Refuse, People::Silent] {
        let crashes = notice(people).check_every_crash().unwrap();
        eprintln!("notice.yaml, {people:?}: {crashes}");
        // Who does not answer has refused, a day later.
        assert_eq!(crashes.statuses["compensated"], crashes.injections, "{crashes}");
    }
}
