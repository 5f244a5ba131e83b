//! A process that holds the store and is stopped: whoever asks it says so, and so does whoever had asked it before.

use crate::support::{Process, Sandbox, wait_until};

/// A run `r` that waits for the file `go`, at work.
fn at_work(sandbox: &Sandbox) -> Process {
    sandbox.write(
        "gated.yaml",
        "name: gated\nsteps: [{id: work, run: 'echo said; while [ ! -e go ]; do sleep 0.01; done'}]",
    );
    let run = sandbox.spawn(&["run", "gated.yaml", "--id", "r"]);
    wait_until("it says something", || sandbox.reenact(&["logs", "r"]).stdout.contains("said"));
    run
}

// It connected to the stopped process, which the kernel lets everybody do, and waited for ever without a word.
#[test]
fn who_watches_the_list_is_told_that_its_holder_does_not_answer() {
    let sandbox = Sandbox::new();
    let run = at_work(&sandbox);
    run.freeze();
    for verb in [&["list", "--watch"][..], &["status", "r", "--watch"]] {
        let ended = sandbox.reenact(verb);
        assert_eq!((ended.code(), ended.stdout.as_str()), (Some(7), ""), "{ended}");
        let who = format!("process {} (`", run.pid());
        assert!(ended.stderr.contains("RE-4002") && ended.stderr.contains(&who), "{ended}");
    }
    run.thaw();
    sandbox.write("go", "");
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn who_was_there_before_the_holder_was_stopped_is_told_once_and_goes_on_when_it_does() {
    let sandbox = Sandbox::new();
    let run = at_work(&sandbox);
    let verbs: [(&[&str], &str); 5] = [
        (&["list", "--watch"], "running"),
        (&["status", "r", "--watch"], "running"),
        (&["history", "r", "--follow"], "attempt_started"),
        (&["logs", "r", "--follow"], "said"),
        (&["run", "gated.yaml", "--id", "r", "--show", "prefixed"], ""),
    ];
    let others = verbs.map(|(verb, shows)| (verb, sandbox.spawn(verb), shows));
    for (verb, process, shows) in &others {
        wait_until(&format!("{verb:?} looks"), || process.stdout().contains(shows));
    }
    wait_until("the last is there", || others[4].1.stderr().contains("run r"));
    run.freeze();
    for (verb, process, _) in &others {
        wait_until(&format!("{verb:?} is told"), || process.stderr().contains("does not answer"));
    }
    run.thaw();
    sandbox.write("go", "");
    assert_eq!(run.wait().code(), Some(0));
    for (verb, process, _) in others {
        if verb == ["list", "--watch"] {
            wait_until("the end is listed", || process.stdout().contains("completed"));
            process.interrupt();
        }
        let ended = process.wait();
        let code = if verb == ["list", "--watch"] { 130 } else { 0 };
        assert_eq!(ended.code(), Some(code), "{ended}");
        assert_eq!(ended.stderr.matches("does not answer").count(), 1, "{ended}");
    }
}
