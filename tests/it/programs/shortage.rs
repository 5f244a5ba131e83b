//! Threads, processes, files and memory run out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, Sandbox};

const RUN: &str = "short";

/// Runs the binary in a shell that has done this before.
fn run_after(sandbox: &Sandbox, before: &str, arguments: &str) -> Ended {
    let binary = sandbox.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}; exec {} {arguments}", binary.get_program().display())]);
    command.current_dir(sandbox.work("")).env_clear();
    command.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
    sandbox.start(command).wait()
}

/// However few files a process may have open: it says what is missing, or does the work, and never panics.
#[test]
fn a_process_that_may_open_few_files_says_so_or_does_its_work() {
    let sandbox = Sandbox::new();
    let step = "run: ':', retry: {attempts: 200, policy: fixed, initial: 50ms, jitter: 0}";
    sandbox.write("workflow.yaml", format!("name: few\nsteps: [{{id: all, for_each: range(30), {step}}}]\n"));
    let (mut short, mut done) = (0, 0);
    for files in [4, 8, 16, 24, 32, 40, 48, 54, 58, 64, 80, 128] {
        let arguments = format!("--json run workflow.yaml --id {RUN}{files}");
        let ended = run_after(&sandbox, &format!("ulimit -n {files}"), &arguments);
        assert!(!ended.stderr.contains("panicked"), "{files}: {ended}");
        match ended.code() {
            Some(0) => done += 1,
            Some(2) => {
                assert_eq!(ended.json()["error"]["class"], "transient", "{files}: {ended}");
                short += 1;
            }
            // The loader of programs needs some itself.
            Some(127) => {}
            _ => panic!("{files}: {ended}"),
        }
    }
    assert!(short > 1 && done > 1, "{short} were too few, {done} enough");
}

/// A control group that may have little of something, if this user may make one.
struct Cramped(PathBuf);

impl Cramped {
    /// One with these limits, by the names of the older and of the newer control groups.
    fn new(name: &str, controller: &str, limits: [&str; 2], most: u32) -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let of_it = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            controllers.split(',').any(|other| other == controller).then(|| path.to_owned())
        });
        let (parent, limit) = match of_it {
            Some(path) => {
                (Path::new("/sys/fs/cgroup").join(controller).join(path.trim_start_matches('/')), limits[0])
            }
            None => (PathBuf::from("/sys/fs/cgroup"), limits[1]),
        };
        let group = Self(parent.join(format!("reenact-test-{name}-{}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join(limit), most.to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Cramped {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// However few threads and processes there may be: it says what is missing, or does the work, and never panics.
#[test]
fn a_process_that_gets_few_threads_says_so_or_does_its_work_where_there_is_a_control_group_to_bound_them() {
    let sandbox = Sandbox::new();
    // A program that makes no process itself: what is short is told by who starts it.
    let step = "run: [sleep, '0.05'], retry: {attempts: 200, policy: fixed, initial: 50ms, jitter: 0}";
    let limits = "limits: {parallel: 30}";
    let file = format!("name: few\n{limits}\nsteps: [{{id: all, for_each: range(30), {step}}}]\n");
    sandbox.write("workflow.yaml", file);
    let (mut short, mut done) = (0, 0);
    for tasks in [4, 16, 20, 24, 26, 28, 32, 40, 64] {
        let name = format!("tasks-{tasks}");
        let Some(group) = Cramped::new(&name, "pids", ["pids.max", "pids.max"], tasks) else { return };
        let enter = format!("echo $$ >{}/cgroup.procs", group.0.display());
        let ended = run_after(&sandbox, &enter, &format!("--json run workflow.yaml --id {RUN}-{tasks}"));
        assert!(!ended.stderr.contains("panicked"), "{tasks}: {ended}");
        match ended.code() {
            Some(0) => done += 1,
            Some(2) => {
                assert_eq!(ended.json()["error"]["class"], "transient", "{tasks}: {ended}");
                short += 1;
            }
            // Its own threads left none for programs, as often as it tried.
            Some(1) => {
                let error = &ended.json()["error"];
                let is_said = (&error["code"], &error["class"]) == (&"RE-3006".into(), &"transient".into());
                assert!(is_said, "{tasks}: {ended}");
                short += 1;
            }
            _ => panic!("{tasks}: {ended}"),
        }
    }
    assert!(short > 1 && done > 1, "{short} were too few, {done} enough");
}

/// It was an unknown failure, tried again and again, each time with the same end.
#[test]
fn a_program_that_the_kernel_kills_for_its_memory_stops_the_run_where_there_is_a_control_group_to_read() {
    let limits = ["memory.limit_in_bytes", "memory.max"];
    let Some(group) = Cramped::new("oom", "memory", limits, 100_000_000) else { return };
    let sandbox = Sandbox::new();
    let eats = "run: ['tail', '/dev/zero'], retry: {attempts: 3, initial: 1ms}";
    sandbox.write("workflow.yaml", format!("name: eats\nsteps: [{{id: a, {eats}}}]\n"));
    let enter = format!("echo $$ >{}/cgroup.procs", group.0.display());
    let ended = run_after(&sandbox, &enter, &format!("--json run workflow.yaml --id {RUN}"));
    let report = ended.json();
    assert_eq!(ended.code(), Some(1), "{ended}");
    let error = &report["steps"][0]["error"];
    assert_eq!((&error["code"], &error["class"]), (&"RE-3032".into(), &"fatal".into()), "{report}");
    assert_eq!(report["steps"][0]["attempts"], 1);
    // Who kills it otherwise is not the kernel.
    sandbox.write("workflow.yaml", "name: killed\nsteps: [{id: a, run: kill -9 $$}]\n");
    let ended = run_after(&sandbox, &enter, &format!("--json run workflow.yaml --id {RUN}2"));
    assert_eq!(ended.json()["steps"][0]["error"]["code"], "RE-3005", "{ended}");
}
