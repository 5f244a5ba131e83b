//! Whatever command people are told, in a situation in which they are told it, is not refused.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::{Sandbox, copy_folder};

/// What may be left out of a command, and says so.
const PLACES: [(&str, &str); 1] = [(" [JSON]", "")];

/// A run in a situation of its own, the one that was told of last.
struct Situation {
    what: &'static str,
    sandbox: Sandbox,
    /// What was said on the way there, and of what.
    said: Vec<String>,
}

/// What can be granted only when it is ticked.
const TICKED: &str =
    "steps: [{id: a, run: 'true', approve: before, checklist: [one, two], require_checklist: true}]";

fn situation(what: &'static str, files: &[(&str, &str)], verbs: &[&[&str]]) -> Situation {
    let sandbox = Sandbox::new();
    files.iter().for_each(|(name, content)| drop(sandbox.write(name, content)));
    let mut said = Vec::new();
    for verb in verbs {
        let ended = match verb {
            ["touch", file] => {
                sandbox.write(file, "");
                continue;
            }
            verb => sandbox.reenact(
                &verb
                    .iter()
                    .map(|word| word.replace("CHILD", &child(&sandbox)))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
            ),
        };
        // What was said before was of another situation.
        said = vec![ended.stdout, ended.stderr];
    }
    for run in ["r".to_owned(), child(&sandbox)].iter().filter(|run| !run.is_empty()) {
        let status = sandbox.reenact(&["status", run]);
        let folder = sandbox.data().join("runs").join(run);
        let pages = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
        // A page that is not named is of a situation before.
        let pages = pages.filter(|page| status.stdout.contains(page.file_name().to_str().unwrap()));
        said.extend(pages.map(|page| fs::read_to_string(page.path()).unwrap()));
        said.extend([status.stdout, status.stderr]);
    }
    // What is refused names what is not.
    for refused in [
        &["pause", "r"][..],
        &["cancel", "r", "--rollback"],
        &["retry", "r"],
        &["retry", "r", "--step", "z"],
        &["rollback", "r"],
        &["rollback", "resolve", "r", "z", "--skip", "--reason", "x"],
        &["approve", "r", "a"],
        &["signal", "r", "go"],
    ] {
        let copy = copied(&sandbox);
        let ended = copy.reenact(refused);
        if ended.code() == Some(2) {
            said.push(ended.stderr);
        }
    }
    Situation { what, sandbox, said }
}

fn child(sandbox: &Sandbox) -> String {
    if !sandbox.data().exists() {
        return String::new();
    }
    let ended = sandbox.reenact(&["--json", "status", "r"]);
    if ended.code() != Some(0) {
        return String::new();
    }
    ended.json()["children"][0]["run"].as_str().unwrap_or_default().to_owned()
}

fn copied(sandbox: &Sandbox) -> Sandbox {
    let copy = Sandbox::new();
    copy_folder(&sandbox.data(), &copy.data());
    copy_folder(&sandbox.work(""), &copy.work(""));
    copy
}

/// The commands in what was said: between backticks, behind a colon, or on a line of their own.
fn commands(said: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in said.iter().flat_map(|text| text.lines()) {
        let quoted = line.split('`').skip(1).step_by(2).filter(|quoted| quoted.starts_with("reenact "));
        let quoted: Vec<&str> = quoted.collect();
        let plain = match line.find("reenact ") {
            Some(at) if quoted.is_empty() => Some(&line[at..]),
            _ => None,
        };
        for command in quoted.into_iter().chain(plain) {
            let command = command.split("    #").next().unwrap().trim();
            let command =
                PLACES.iter().fold(command.to_owned(), |command, (place, word)| command.replace(place, word));
            match command.split_once("--retry|--skip|--done") {
                Some((before, after)) => {
                    found.extend(["--retry", "--skip", "--done"].map(|how| format!("{before}{how}{after}")));
                }
                None => drop(found.insert(command)),
            }
        }
    }
    found
}

/// Follows what was said, each from where it was said.
fn follow(Situation { what, sandbox, said }: &Situation) -> usize {
    let all = commands(said);
    for command in &all {
        let words = command.strip_prefix("reenact ").unwrap();
        // Looking changes nothing.
        let looks =
            ["status", "history", "list", "transcript", "why"].iter().any(|verb| words.starts_with(verb));
        let copy = if looks { None } else { Some(copied(sandbox)) };
        let copy = copy.as_ref().unwrap_or(sandbox);
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("\"$0\" {words}"), env!("CARGO_BIN_EXE_reenact")]);
        bash.current_dir(copy.work("")).env("REENACT_DATA", copy.data());
        let ended = bash.output().unwrap();
        let code = ended.status.code();
        assert!(
            code.is_some_and(|code| code != 2 && code != 7),
            "{what}: `{command}`: {ended:?}\n{}",
            said.join("\n")
        );
    }
    all.len()
}

const CHILD: &str = "name: child
steps:
  - {id: x, run: 'true', compensate: {run: 'test -e ok', retry: {attempts: 1}}}
  - {id: f, run: test -e pass}
";

const PARENT: &str = "name: parent
steps:
  - {id: a, run: 'true', compensate: {run: 'true'}}
  - {id: k, workflow: child.yaml}
  - {id: z, run: exit 1}
";

const STUCK: &str = "name: stuck
steps:
  - {id: a, run: 'true', compensate: {run: exit 1, retry: {policy: none}}}
  - {id: z, run: exit 1}
";

const RUN: &[&str] = &["run", "w.yaml", "--id", "r"];

#[test]
fn what_people_are_told_of_runs_that_wait_or_rest_is_not_refused() {
    let gated = "name: w\nsteps:\n  - {id: a, run: 'true', approve: before, checklist: [x]}\n  - {id: b, wait_for: it's time}\n";
    let expired = "name: w\non_failure: stop\nsteps: [{id: a, run: 'true', approve: before, expires: 1ms}, {id: z, run: 'true'}]\n";
    let back = "name: w\nsteps:\n  - {id: a, run: 'true', compensate: {run: 'true'}}\n  - {id: z, run: 'true', compensate: {run: 'true'}}\n";
    let situations = [
        situation("waiting", &[("w.yaml", gated)], &[RUN]),
        situation("answered", &[("w.yaml", gated)], &[RUN, &["approve", "r", "a"]]),
        situation(
            "waiting for a signal",
            &[("w.yaml", gated)],
            &[RUN, &["approve", "r", "a"], &["resume", "r"]],
        ),
        situation("refused", &[("w.yaml", gated)], &[RUN, &["reject", "r", "a", "--reason", "x"]]),
        situation("expired", &[("w.yaml", expired)], &[RUN]),
        situation("expired and told", &[("w.yaml", expired)], &[RUN, &["resume", "r"]]),
        situation(
            "expired and rolled back",
            &[(
                "w.yaml",
                &expired
                    .replace("steps: [", "steps: [{id: y, run: 'true', compensate: {run: 'true'}}, ")
                    .replace("on_failure: stop\n", ""),
            )],
            &[RUN, &["resume", "r"]],
        ),
        situation("not started", &[("w.yaml", back)], &[&["run", "w.yaml", "--id", "r", "--detach"]]),
        situation(
            "paused",
            &[("w.yaml", back)],
            &[&["run", "w.yaml", "--id", "r", "--until", "a"], &["pause", "r"]],
        ),
        situation("rolled back to", &[("w.yaml", back)], &[RUN, &["rollback", "r", "--to", "a"]]),
        situation("completed", &[("w.yaml", back)], &[RUN]),
        situation("cancelled", &[("w.yaml", gated)], &[RUN, &["cancel", "r"]]),
        situation(
            "a child waits",
            &[("w.yaml", &PARENT.replace("child.yaml", "g.yaml")), ("g.yaml", gated)],
            &[RUN],
        ),
    ];
    assert!(situations.iter().map(follow).sum::<usize>() > 40);
}

#[test]
fn what_people_are_told_of_runs_that_failed_is_not_refused() {
    let tolerated = "name: w\non_failure: stop\nsteps:\n  - {id: z, run: exit 1, on_error: continue}\n  - {id: y, needs: [], run: exit 1}\n";
    let without = "name: w\nsteps:\n  - {id: a, run: 'true'}\n  - {id: z, for_each: '[0, 1]', run: 'exit {{ item }}', on_error: continue}\n  - {id: y, run: 'true', compensate: {run: 'true'}}\n";
    let once = "name: w\non_failure: stop\nsteps: [{id: a, run: 'true', compensate: {run: 'true'}}, {id: z, run: exit 1, at_most_once: true}]\n";
    let sent = "name: w\nsteps: [{id: a, run: 'true', compensate: {run: 'true'}}, {id: sent, run: 'true', irreversible: true}, {id: z, run: exit 1}]\n";
    let sent_once = "name: w\nsteps: [{id: a, run: 'true'}, {id: z, run: sleep 60, timeout: 50ms, irreversible: true, at_most_once: true}]\n";
    let family = [("w.yaml", PARENT), ("child.yaml", CHILD)];
    let stuck_inside: &[&[&str]] = &[RUN];
    let situations = [
        situation("a child is stuck", &family, stuck_inside),
        situation(
            "a child is stuck and was settled",
            &family,
            &[RUN, &["rollback", "resolve", "CHILD", "x", "--done", "--reason", "y"], &["resume", "CHILD"]],
        ),
        situation("a child that is undone is stuck", &family, &[&["touch", "pass"], RUN]),
        situation(
            "a child that was undone is settled",
            &family,
            &[
                &["touch", "pass"],
                RUN,
                &["touch", "ok"],
                &["rollback", "resolve", "CHILD", "x", "--retry", "--reason", "y"],
                &["resume", "CHILD"],
            ],
        ),
        situation(
            "a child that was undone is settled, and its parent",
            &family,
            &[
                &["touch", "pass"],
                RUN,
                &["touch", "ok"],
                &["rollback", "resolve", "CHILD", "x", "--retry", "--reason", "y"],
                &["resume", "CHILD"],
                &["rollback", "resolve", "r", "k", "--retry", "--reason", "z"],
            ],
        ),
        situation("a child was undone", &family, &[&["touch", "pass"], &["touch", "ok"], RUN]),
        situation("stuck", &[("w.yaml", STUCK)], &[RUN]),
        situation(
            "settled",
            &[("w.yaml", STUCK)],
            &[RUN, &["rollback", "resolve", "r", "a", "--skip", "--reason", "x"]],
        ),
        situation("asked with a checklist", &[("w.yaml", TICKED)], &[RUN]),
        situation(
            "asked, and half ticked",
            &[("w.yaml", TICKED)],
            &[RUN, &["approve", "r", "a", "--check", "2"]],
        ),
        situation("tolerated", &[("w.yaml", tolerated)], &[RUN]),
        situation("completed without an item", &[("w.yaml", without)], &[RUN]),
        situation("failed, once only", &[("w.yaml", once)], &[RUN]),
        situation("stuck past the irreversible", &[("w.yaml", sent)], &[RUN]),
        situation("stuck in the irreversible, once only", &[("w.yaml", sent_once)], &[RUN]),
    ];
    assert!(situations.iter().map(follow).sum::<usize>() > 40);
    let said =
        |what: &str| situations.iter().find(|situation| situation.what == what).unwrap().said.join("\n");
    assert!(!said("a child is stuck").contains("irreversible"), "{}", said("a child is stuck"));
    assert!(said("stuck past the irreversible").contains("past an irreversible step: reenact retry r"));
    assert!(said("tolerated").contains("z  failed, tolerated"), "{}", said("tolerated"));
    assert!(said("tolerated").contains("failed, which is tolerated"), "{}", said("tolerated"));
    assert!(said("completed without an item").contains("`reenact rollback r --to a` goes back before `z`"));
    let undone = said("a child was undone");
    let of_it: Vec<_> = undone.lines().filter(|line| line.starts_with("run of `k`: ")).collect();
    assert!(!of_it.is_empty() && of_it.iter().all(|line| line.ends_with("  compensated")), "{undone}");
}

#[test]
fn commands_that_are_printed_name_the_data_folder_that_an_option_named() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true', approve: before}]");
    let ended = sandbox.reenact(&["--data", "my data", "run", "w.yaml", "--id", "r"]);
    let all = commands(std::slice::from_ref(&ended.stdout));
    assert!(all.len() >= 2, "{ended}");
    for command in all {
        assert!(command.starts_with("reenact --data 'my data' "), "{command}");
    }
    let elsewhere = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert!(elsewhere.stdout.contains("grant:  reenact approve r "), "{elsewhere}");
}

/// The process that holds the store does not know how another one was called.
#[test]
fn what_helps_is_worded_by_who_asks_also_where_another_process_refuses() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'touch begun; while test ! -e go; do sleep 0.05; done'}]");
    let holder = sandbox.spawn(&["--data", "my data", "--json", "run", "w.yaml", "--id", "r"]);
    crate::support::wait_until("the step has begun", || sandbox.work("begun").exists());
    let refused = sandbox.json(2, &["--data", "my data", "retry", "r"]);
    let hint = "`reenact --data 'my data' resume r` sees it through";
    assert_eq!((&refused["error"]["code"], &refused["error"]["hint"]), (&"RE-2007".into(), &hint.into()));
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
}
