//! Our own examples, tested as users test theirs: real programs in a folder of their own for each run.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use reenact::events::problem::Problem;
use reenact::executors::Executors;
use reenact::executors::subprocess::Options;
use reenact::testing::SagaTest;
use reenact::testing::world::{Failure, Output, Programs, Task, World};
use reenact::workflow::run::{RunStatus, StartRun};
use tempfile::TempDir;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// Programs whose temporary files lie in a folder of their own.
struct Machine {
    programs: Programs,
    tmp: TempDir,
}

impl Machine {
    fn new() -> Self {
        let tmp = TempDir::with_prefix("reenact-saga-").unwrap();
        let mut options = Options::default();
        options.environment.insert("TMPDIR".into(), tmp.path().into());
        let executors = Executors { subprocess: Arc::new(options), ..Executors::default() };
        Self { programs: Programs::in_folder(Path::new(EXAMPLES), executors).unwrap(), tmp }
    }

    /// How many lines a file has that all releases share; none if it is not there.
    fn lines(&self, file: &str) -> usize {
        let mut folders = fs::read_dir(self.tmp.path()).unwrap().map(|entry| entry.unwrap().path());
        let text = folders.next().map(|folder| fs::read_to_string(folder.join(file)).unwrap_or_default());
        text.unwrap_or_default().lines().count()
    }
}

/// The bank of `transfer.yaml` on such a machine. Two are the same when their books are.
struct Bank(Machine);

impl Bank {
    fn new() -> Self {
        Self(Machine::new())
    }

    /// The lines of its books, of which a test can tell the order.
    fn books(&self) -> Vec<(String, String)> {
        let mut books = Vec::new();
        let folders = fs::read_dir(self.0.tmp.path()).unwrap().map(|entry| entry.unwrap().path());
        for bank in folders {
            for file in ["accounts/ada", "accounts/ben", "clearing", "letters"] {
                books.push((file.to_owned(), fs::read_to_string(bank.join(file)).unwrap_or_default()));
            }
        }
        books
    }

    /// What is on both accounts, and how often the clearing house was told.
    fn sum(&self) -> (i64, usize) {
        let books = self.books();
        let entries = books.iter().filter(|(file, _)| file.starts_with("accounts/"));
        let amounts = entries.flat_map(|(_, text)| text.lines()).filter_map(|line| line.split(' ').next());
        let sum = amounts.map(|amount| amount.parse::<i64>().unwrap()).sum();
        let told =
            books.iter().find(|(file, _)| file == "clearing").map_or(0, |(_, text)| text.lines().count());
        (sum, told)
    }
}

impl PartialEq for Bank {
    fn eq(&self, other: &Self) -> bool {
        self.books() == other.books()
    }
}

impl World for Bank {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        self.0.attempt(task)
    }

    fn stage(&self, start: &mut StartRun) -> Result<(), Problem> {
        self.0.stage(start)
    }
}

impl World for Machine {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        self.programs.attempt(task)
    }

    fn stage(&self, start: &mut StartRun) -> Result<(), Problem> {
        self.programs.stage(start)
    }
}

#[test]
fn a_release_survives_a_crash_at_every_step() {
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

/// Whatever happens to it, no cent comes or goes, and what is settled is settled once.
fn transfer() -> SagaTest<Bank> {
    let test = SagaTest::of_file(Path::new(EXAMPLES).join("transfer.yaml")).world(Bank::new);
    test.invariant(|bank, status| match (status, bank.sum()) {
        // Nobody got as far as the accounts, or all of it is there.
        (_, (0, 0)) | (RunStatus::Compensated | RunStatus::Failed, (200_000, 0)) => Ok(()),
        (RunStatus::Completed, (200_000, 1)) => Ok(()),
        // What nobody knows the outcome of may have been told to the clearing house, once.
        (RunStatus::Stuck, (200_000, 0 | 1)) => Ok(()),
        (status, (sum, told)) => Err(format!("{} with {sum} cents, settled {told} times", status.text())),
    })
}

#[test]
fn a_transfer_survives_a_failure_at_every_step_and_every_compensation() {
    let failures = transfer().check_every_failure().unwrap();
    eprintln!("transfer.yaml: {failures}");
    assert!(["completed", "compensated", "stuck"].iter().all(|status| failures.statuses[*status] > 0));
}

#[test]
fn a_transfer_survives_a_crash_at_every_step_and_every_compensation() {
    let crashes = transfer().check_every_crash().unwrap();
    eprintln!("transfer.yaml: {crashes}");
    assert!(["completed", "compensated"].iter().all(|status| crashes.statuses[*status] > 0));
}

#[test]
fn a_transfer_may_be_repeated_at_every_step_and_every_compensation() {
    eprintln!("transfer.yaml: {}", transfer().check_idempotent().unwrap());
}
