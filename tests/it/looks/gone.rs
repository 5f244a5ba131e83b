//! A terminal that goes while somebody looks, and a reader that does.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::open;
use super::terminal::Kept;
use crate::support::screen::Screen;
use crate::support::{Process, Sandbox, wait_for, wait_until};

/// How soon is at once, on a machine that is busy: far below what a run of these tests takes, far above what they need.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Verbs that follow something, what they show of it, and the code with which each ends that nobody follows any more.
const FOLLOW: [(&[&str], &str, i32); 5] = [
    (&["replay", "r"], "attempt_started", 0),
    // By its code it tells how the run is: this says that it did not see it rest.
    (&["status", "r", "--watch"], "running", 130),
    (&["list", "--watch"], "running", 0),
    (&["history", "r", "--follow"], "attempt_started", 0),
    (&["logs", "r", "--follow"], "says this", 0),
];

/// How a process has SIGHUP, and what the terminal is to it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum HangUp {
    /// It is ignored, as below `nohup`.
    Ignored,
    /// It does not come: the terminal is not its own.
    NotTold,
    /// It comes.
    Comes,
}

/// The command as a process to which a terminal is that.
fn on(screen: &Screen, inner: &Command, hang_up: HangUp) -> Child {
    let mut command = Command::new("sh");
    let does = match hang_up {
        HangUp::Ignored => "trap '' HUP; exec setsid -c \"$@\"",
        HangUp::NotTold => "exec setsid \"$@\"",
        // The tests themselves may have been started with it ignored, and no shell takes that back.
        HangUp::Comes => "exec env --default-signal=HUP setsid -c \"$@\"",
    };
    command.args(["-c", does, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm").current_dir(inner.get_current_dir().unwrap());
    command.stdin(screen.inner()).stdout(screen.inner()).stderr(screen.inner()).spawn().unwrap()
}

fn ended(what: &str, mut child: Kept) -> ExitStatus {
    let since = Instant::now();
    let status = wait_for(&format!("{what} ends"), || child.0.try_wait().unwrap());
    assert!(since.elapsed() < AT_ONCE, "{what} takes its time");
    status
}

/// A run at work that has said something.
fn at_work(sandbox: &Sandbox) -> Process {
    sandbox.write(
        "says.yaml",
        "name: says\nsteps: [{id: a, run: 'echo says this; while [ ! -e go ]; do sleep 0.01; done'}]",
    );
    let run = sandbox.spawn(&["run", "says.yaml", "--id", "r"]);
    wait_until("it says something", || sandbox.reenact(&["logs", "r"]).stdout.contains("says this"));
    run
}

// One that stepped through a run went on at 96 % of a processor for as long as the machine was up, or panicked.
#[test]
fn whoever_follows_something_on_a_terminal_that_goes_ends_at_once() {
    let sandbox = Sandbox::new();
    let run = at_work(&sandbox);
    for (verb, shows, code) in FOLLOW {
        for hang_up in [HangUp::Ignored, HangUp::NotTold, HangUp::Comes] {
            let mut screen = Screen::open((24, 100));
            let child = Kept(on(&screen, &sandbox.command(verb), hang_up));
            screen.let_go();
            wait_until(&format!("{verb:?} shows `{shows}`"), || screen.text().contains(shows));
            screen.hang_up();
            let status = ended(&format!("{verb:?} {hang_up:?}"), child);
            let expected = if hang_up == HangUp::Comes { 130 } else { code };
            assert_eq!(status.code(), Some(expected), "{verb:?} {hang_up:?}: {status}");
        }
    }
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn a_run_goes_on_whose_terminal_goes_where_that_was_to_be_ignored_and_ends_as_it_would() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "says.yaml",
        "name: says\nsteps: [{id: a, run: 'echo hi; while [ ! -e go ]; do sleep 0.01; done'}]",
    );
    let mut screen = Screen::open((24, 100));
    let mut child = Kept(on(&screen, &sandbox.command(&["run", "says.yaml", "--id", "r"]), HangUp::Ignored));
    screen.let_go();
    wait_until("it is seen to run", || screen.text().contains("running"));
    let ticks = |child: &Kept| -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum()
    };
    screen.hang_up();
    let before = ticks(&child);
    // As long as several pictures of it would take.
    sandbox.json(0, &["status", "r"]);
    sandbox.json(0, &["status", "r"]);
    assert!(child.0.try_wait().unwrap().is_none(), "it goes on");
    assert!(ticks(&child) - before < 100, "it does not wait in a circle");
    open(&sandbox);
    let status = ended("the run", child);
    assert_eq!((status.code(), status.signal()), (Some(0), None), "{status}");
    assert_eq!(sandbox.status("r")["status"], "completed");
}

#[test]
fn what_is_followed_for_a_reader_who_has_gone_is_not_followed_any_more() {
    let sandbox = Sandbox::new();
    let run = at_work(&sandbox);
    for (verb, _, _) in FOLLOW.into_iter().filter(|(verb, ..)| !["replay", "status"].contains(&verb[0])) {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = sandbox.command(verb);
        let child = Kept(command.stdout(writer).stderr(Stdio::null()).spawn().unwrap());
        drop(command);
        reader.read_exact(&mut [0; 3]).unwrap();
        drop(reader);
        assert_eq!(ended(&format!("{verb:?}"), child).code(), Some(0), "{verb:?}");
    }
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
}

// `reenact list --watch > /dev/full` told once that nothing could be written, and went on for ever.
#[test]
fn what_is_followed_and_cannot_be_written_ends_with_8() {
    let sandbox = Sandbox::new();
    let run = at_work(&sandbox);
    for (verb, _, _) in FOLLOW.into_iter().filter(|(verb, ..)| *verb != ["replay", "r"]) {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let child = sandbox.command(verb).stdout(full).stderr(Stdio::null()).spawn().unwrap();
        assert_eq!(ended(&format!("{verb:?}"), Kept(child)).code(), Some(8), "{verb:?}");
    }
    open(&sandbox);
    assert_eq!(run.wait().code(), Some(0));
}
