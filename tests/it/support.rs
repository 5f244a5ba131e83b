//! The real binary, as a test uses it: in a folder of its own, with no environment but that folder's.

pub(crate) mod provider;
pub(crate) mod screen;

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything that a test waits for may take. Far beyond what it takes on a busy machine; only a test that fails
/// waits for so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// A folder that stands for a whole machine: `work` is the current folder, `data` holds the runs, `home` and `tmp` are
/// what HOME and TMPDIR name. All of it goes with the value.
pub(crate) struct Sandbox {
    folder: TempDir,
    /// How many processes were started: each has files of its own for what it writes.
    started: Cell<u32>,
}

impl Sandbox {
    /// Makes one. There is no data folder yet.
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("reenact-it-").unwrap();
        for name in ["work", "home", "tmp", "written"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, started: Cell::new(0) }
    }

    /// All of it.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The current folder of what is started, or something in it.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.root().join("work").join(name)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// What TMPDIR names.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// Writes a file into the work folder, with the folders that it lies in.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes the work folder's own configuration, and lets the programs be run that it names: the data folder lies
    /// elsewhere, so that somebody has to say so.
    pub(crate) fn configure(&self, text: &str) {
        self.write("reenact.toml", text);
        let ended = self.reenact(&["trust"]);
        assert_eq!(ended.code(), Some(0), "{ended}");
    }

    /// The binary with these arguments, not started yet. A test may give it more environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reenact"));
        command
            .args(arguments)
            .current_dir(self.work(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root().join("home"))
            .env("TMPDIR", self.tmp())
            .env("REENACT_DATA", self.data())
            .stdin(Stdio::null());
        command
    }

    /// Starts a command, and goes on beside it.
    pub(crate) fn start(&self, mut command: Command) -> Process {
        let number = self.started.replace(self.started.get() + 1);
        let written = |kind: &str| self.root().join("written").join(format!("{number}.{kind}"));
        let (stdout, stderr) = (written("out"), written("err"));
        // Files, so that nobody has to read for it to go on, and anybody may look meanwhile.
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let shown = format!("{command:?}");
        Process { child: command.spawn().unwrap(), shown, stdout, stderr }
    }

    /// A run, `h`, whose process holds the store until the file `go` is there.
    pub(crate) fn holder(&self) -> Process {
        let gate = "'echo started >> gate; for _ in $(seq 3000); do [ -e go ] && break; sleep 0.01; done'";
        self.write("hold.yaml", format!("name: hold\nsteps:\n  - {{id: gate, run: {gate}}}\n"));
        let holder = self.spawn(&["--json", "run", "hold.yaml", "--id", "h"]);
        wait_until("the gate runs", || self.work("gate").exists());
        holder
    }

    /// Starts the binary with these arguments, and goes on beside it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        self.start(self.command(arguments))
    }

    /// Runs the binary with these arguments to its end.
    pub(crate) fn reenact(&self, arguments: &[&str]) -> Ended {
        self.spawn(arguments).wait()
    }

    /// Runs the binary with `--json` to its end, which must be `code`: the document that it printed.
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let ended = self.reenact(&[&["--json"], arguments].concat());
        assert_eq!(ended.code(), Some(code), "{ended}");
        ended.json()
    }

    /// The report of a run.
    pub(crate) fn status(&self, run: &str) -> Value {
        self.json(0, &["status", run])
    }

    /// The events of a run, as `history --json` prints them.
    pub(crate) fn history(&self, run: &str) -> Vec<Value> {
        let ended = self.reenact(&["--json", "history", run]);
        assert_eq!(ended.code(), Some(0), "{ended}");
        ended.json_lines()
    }

    /// The events of that type of a run, as [`Self::history`] has them.
    pub(crate) fn events(&self, run: &str, kind: &str) -> Vec<Value> {
        self.history(run).into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// How many events of that type a run has; about one step, where one is named.
    pub(crate) fn count(&self, run: &str, kind: &str, step: Option<&str>) -> usize {
        let is_meant = |event: &&Value| step.is_none_or(|step| event["data"]["step"].as_str() == Some(step));
        self.events(run, kind).iter().filter(is_meant).count()
    }
}

/// A process that was started; it is killed if nobody waited for it.
pub(crate) struct Process {
    child: Child,
    shown: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// What it wrote to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it (SIGKILL): it can do nothing about it, and what it started goes on. Answers how it ended, which may have
    /// been before.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it (SIGSTOP): it lives and does nothing.
    pub(crate) fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    /// Lets it go on that was stopped (SIGCONT).
    pub(crate) fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Sends it SIGINT, as ctrl-c does.
    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Sends it SIGTERM, as a supervisor does.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() < deadline => std::thread::sleep(POLL),
                None => panic!("{} does not end\n{}{}", self.shown, self.stdout(), self.stderr()),
            }
        };
        Ended { status, shown: self.shown.clone(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended, or nobody wants to know any more how it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended. Shown, it is all that helps to see why.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

impl Ended {
    /// Its exit code; none if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The one JSON document that it printed, on the one line of stdout.
    pub(crate) fn json(&self) -> Value {
        match self.json_lines().as_slice() {
            [document] => document.clone(),
            _ => panic!("not one document: {self}"),
        }
    }

    /// The JSON documents that it printed, a line each. What helps is in words in them, whoever found it out.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{self}"));
        let documents: Vec<Value> = self.stdout.lines().map(parse).collect();
        assert!(documents.iter().all(is_worded), "a hint that is no text: {self}");
        documents
    }
}

/// Whether every hint in a document is a text, and every command a list of words.
fn is_worded(document: &Value) -> bool {
    match document {
        Value::Object(members) => members.iter().all(|(name, value)| match (name.as_str(), value) {
            ("hint", Value::Object(_)) => false,
            ("command", Value::Object(data)) if data.contains_key("act") => false,
            _ => is_worded(value),
        }),
        Value::Array(items) => items.iter().all(is_worded),
        _ => true,
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.shown, self.status)?;
        writeln!(f, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr)
    }
}

/// Waits until something is so; a test that waits for too long fails, and says for what.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}

/// Waits until there is something, and answers it.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(POLL);
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
