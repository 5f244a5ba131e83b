//! What is said of a run while it goes on where there is no terminal: a line for each thing that happens.

use crate::support::{Sandbox, wait_until};

/// The lines, with each length of time as `T`: they differ from machine to machine.
fn timeless(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_end_matches([',', ':']);
            let is_length = bare.strip_suffix('s').is_some_and(|number| {
                number.trim_end_matches('m').chars().all(|c| c.is_ascii_digit() || c == '.')
                    && !number.is_empty()
            });
            if is_length { format!("T{}", &word[bare.len()..]) } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect()
}

const STORY: &str = "name: story
on_failure: rollback
steps:
  - id: build
    run: 'true'
    compensate: {run: 'true'}
  - id: fetch
    run: '[ -e tried ] || { touch tried; echo no answer >&2; exit 75; }'
    retry: {policy: fixed, attempts: 2, initial: 10ms, jitter: 0}
  - {id: left, run: 'true', if: 'false'}
  - {id: nap, sleep: 10ms}
  - {id: each, for_each: '[1]', run: 'true'}
  - {id: ask, run: 'true', approve: before, approvers: [ada, ben]}
  - {id: go, wait_for: paid}
  - {id: publish, run: exit 65}
";

#[test]
fn each_thing_that_happens_has_a_line_and_json_stays_one_document() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", STORY);
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ran.code(), Some(4), "{ran}");
    let told = [
        "run r",
        "build: started, by shell",
        "build: completed in T",
        "fetch: started, by shell",
        "fetch: attempt 1 failed after T, again in T: RE-3001: exit 75: no answer",
        "fetch: attempt 2 started, by shell",
        "fetch: completed in T",
        "left: skipped: its `if` is not true",
        "nap: sleeps for T",
        "nap: completed in T",
        "each[0]: started, by shell",
        "each[0]: completed in T",
        "each: completed in T",
        "ask: waits for an approval by ada or ben",
    ];
    assert_eq!(timeless(&ran.stderr), told, "{ran}");

    let granted = sandbox.reenact(&["--json", "approve", "r", "--by", "ada", "--resume"]);
    assert_eq!((granted.code(), &granted.json()["status"]), (Some(4), &"waiting".into()), "{granted}");
    let told = ["ask: started, by shell", "ask: completed in T", "go: waits for the signal paid"];
    assert_eq!(timeless(&granted.stderr), told, "{granted}");

    let sent = sandbox.reenact(&["signal", "r", "paid", "--by", "ben", "--resume"]);
    assert_eq!(sent.code(), Some(3), "{sent}");
    let told = [
        "publish: started, by shell",
        "publish: failed after T: RE-3002: exit 65",
        "run r: is rolled back: publish failed",
        "undo build: started, by shell",
        "undo build: completed in T",
        "run r: compensated",
    ];
    assert_eq!(timeless(&sent.stderr), told, "{sent}");
}

#[test]
fn a_fallback_is_told_as_a_warning_or_in_a_line() {
    let sandbox = Sandbox::new();
    for (name, exit) in [("first", 1), ("second", 0)] {
        let file = format!("agents/{name}.md");
        let text = format!(
            "---\nname: {name}\ndescription: d\nexecutor: subprocess\ncommand: [sh, -c, exit {exit}]\n---\n"
        );
        sandbox.write(&file, text);
    }
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, agent: first, fallback: {agent: second}}]\n");
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    let told = timeless(&ran.stderr);
    assert!(told.contains(&"warning: step `a`: fallback from agent `first` to `second`".to_owned()), "{ran}");
    assert!(!ran.stderr.contains("stands in"), "one line says it: {ran}");
    let mut command = sandbox.command(&["run", "w.yaml", "--id", "s"]);
    command.env("REENACT_RUN__WARN_ON_FALLBACK", "false");
    let ran = sandbox.start(command).wait();
    let stands_in =
        ran.stderr.lines().find(|line| line.starts_with("a: second stands in for first, ")).unwrap();
    assert!(stands_in.contains("attempt 1 failed after "), "{ran}");
}

#[test]
fn quiet_says_nothing() {
    let sandbox = Sandbox::new();
    // What is left out stands in the result.
    let text = "name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: exit 3, on_error: continue}, {id: c, run: exit 3, optional: true}]\n";
    sandbox.write("w.yaml", text);
    for arguments in
        [&["run", "w.yaml", "--show", "quiet"][..], &["--json", "run", "w.yaml", "--show", "quiet"]]
    {
        let ran = sandbox.reenact(arguments);
        assert_eq!((ran.code(), ran.stderr.as_str()), (Some(0), ""), "{ran}");
    }
}

/// Who looks on at what another process drives is told the same.
#[test]
fn lines_come_while_it_goes_on_also_from_the_process_that_drives_it() {
    let sandbox = Sandbox::new();
    let text = "name: w\nsteps:\n  - {id: a, run: 'true'}\n  - {id: b, run: 'while [ ! -e go ]; do sleep 0.01; done'}\n";
    sandbox.write("w.yaml", text);
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("the second step is told of", || holder.stderr().contains("b: started, by shell\n"));
    let client = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("the client is told of it", || client.stderr().contains("b: started, by shell\n"));
    sandbox.write("go", "");
    for process in [holder, client] {
        let ended = process.wait();
        assert!(
            ended.stderr.contains("a: completed in ") && ended.stderr.contains("b: completed in "),
            "{ended}"
        );
        assert!(ended.stderr.ends_with("run r: completed\n"), "{ended}");
    }
}
