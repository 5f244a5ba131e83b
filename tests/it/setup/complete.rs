//! What shells complete: bash itself is asked, by the script that `completions` prints; the others as their scripts ask.

use std::fs;

use super::script;
use crate::folders::all;
use crate::support::{Sandbox, wait_until};

/// What bash offers for the last of these words.
fn offered(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let (all, last) = (quoted.join(" "), words.len() - 1);
    // What bash does when somebody presses the key, but for `compopt`, which works only then.
    let text = format!(
        "compopt() {{ :; }}\n. ./reenact.bash\nCOMP_WORDS=({all}); COMP_CWORD={last}; COMP_TYPE=9\n\
         _clap_complete_reenact reenact {} ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted[last]
    );
    let bash = format!(
        "cat > asks.bash <<'ASKS'\n{text}\nASKS\nreenact completions bash > reenact.bash\nbash asks.bash"
    );
    let ended = script(sandbox, &sandbox.work(""), &[], &bash);
    assert!(ended.code() == Some(0) && ended.stderr.is_empty(), "{ended}");
    ended
        .stdout
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// A machine with a data folder where a person would have it: a run that is done, one that waits, one that failed.
fn with_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "done.yaml",
        "name: done\nsteps: [{id: pack, run: echo packed, phase: make}, {id: send, run: 'true'}]",
    );
    sandbox.write(
        "asks.yml",
        "name: asks\nsteps: [{id: ask, run: 'true', approve: before}, {id: market, wait_for: go, needs: []}]",
    );
    sandbox.write(
        "agents/writer.md",
        "---\nname: writer\ndescription: Writes\nexecutor: subprocess\ncommand: [sh]\n---\n",
    );
    sandbox.write("notes.txt", "no workflow");
    fs::create_dir(sandbox.work("deeper")).unwrap();
    let data = sandbox.work(".reenact");
    for (file, id, code) in [("done.yaml", "first", 0), ("asks.yml", "second", 4)] {
        sandbox
            .json(code, &["--data", data.to_str().unwrap(), "run", file, "--id", id, "--tag", "team=blue"]);
    }
    for conversation in ["review", "plans"] {
        sandbox.json(0, &["--data", data.to_str().unwrap(), "conversation", "add", conversation, "Hello."]);
    }
    sandbox
}

#[test]
fn bash_completes_runs_steps_requests_agents_and_files() {
    let sandbox = with_runs();
    let offered = |words: &[&str]| offered(&sandbox, words);
    assert_eq!(offered(&["reenact", "stat"]), ["status"]);
    assert_eq!(offered(&["reenact", "status", ""]), ["second", "first", "last"]);
    assert_eq!(offered(&["reenact", "status", "f"]), ["first"]);
    // What has ended cannot be gone on with.
    assert_eq!(offered(&["reenact", "resume", ""]), ["second", "last"]);
    assert_eq!(offered(&["reenact", "transcript", "first", ""]), ["pack", "send", "make"]);
    assert_eq!(offered(&["reenact", "rollback", "first", "--to", "s"]), ["send"]);
    assert_eq!(offered(&["reenact", "rollback", "resolve", "second", ""]), ["ask", "market"]);
    assert_eq!(offered(&["reenact", "run", "done.yaml", "--until", ""]), ["pack", "send", "make"]);
    assert_eq!(offered(&["reenact", "signal", "second", ""]), ["go"]);
    assert_eq!(offered(&["reenact", "agents", "pause", ""]), ["shell", "writer"]);
    assert_eq!(offered(&["reenact", "ask", "--agent", ""]), ["writer"]);
    assert_eq!(offered(&["reenact", "ask", "--tag", "te"]), ["team=blue"]);
    assert_eq!(offered(&["reenact", "messages", "--agent", "w"]), ["writer"]);
    assert_eq!(offered(&["reenact", "messages", "--kind", "res"]), ["result", "response"]);
    assert_eq!(offered(&["reenact", "history", "agent/w"]), ["agent/writer"]);
    assert_eq!(offered(&["reenact", "conversation", "show", ""]), ["plans", "review"]);
    assert_eq!(offered(&["reenact", "conversation", "pin", "r"]), ["review"]);
    assert_eq!(
        offered(&["reenact", "replay", "conversation/"]),
        ["conversation/plans", "conversation/review"]
    );
    assert_eq!(offered(&["reenact", "list", "--workflow", ""]), ["asks", "done"]);
    assert_eq!(offered(&["reenact", "list", "--status", "in"]), ["interrupted"]);
    assert_eq!(offered(&["reenact", "list", "--after", ""]), ["second", "first", "last"]);
    assert_eq!(offered(&["reenact", "list", "--tag", "te"]), ["team=blue"]);
    assert_eq!(offered(&["reenact", "run", "done.yaml", "--tag", ""]), ["team=blue"]);
    assert_eq!(
        offered(&["reenact", "history", "first", "--type", "run_co"]),
        ["run_compensated", "run_completed"]
    );
    assert_eq!(offered(&["reenact", "graph", "s"]), ["second"]);
    let pictures = offered(&["reenact", "graph", ""]);
    assert!(
        ["done.yaml", "asks.yml", "first", "second"].iter().all(|one| pictures.contains(&(*one).to_owned()))
    );
    assert_eq!(offered(&["reenact", "help", "rollback", "r"]), ["resolve"]);
    assert_eq!(offered(&["reenact", "init", "--template", "fan"]), ["fan-out"]);
    let files = offered(&["reenact", "run", ""]);
    assert!(files.contains(&"done.yaml".to_owned()) && files.contains(&"asks.yml".to_owned()), "{files:?}");
    assert!(files.contains(&"deeper/".to_owned()) && !files.contains(&"notes.txt".to_owned()), "{files:?}");
    let request = offered(&["reenact", "approve", "second", ""]);
    let waits = sandbox.json(0, &["--data", sandbox.work(".reenact").to_str().unwrap(), "status", "second"]);
    let wanted =
        waits["waiting_for"].as_array().unwrap().iter().find(|waits| waits["kind"] == "approval").unwrap();
    assert_eq!(request, [wanted["id"].as_str().unwrap()]);
    // A folder that is named is the one that is asked about.
    assert!(offered(&["reenact", "--data", "nowhere", "status", ""]).is_empty());
}

#[test]
fn zsh_and_fish_get_what_each_is_beside_it() {
    let sandbox = with_runs();
    let ask = |shell: &str, index: &str, words: &[&str]| {
        let mut command = sandbox.command(&[&["--"], words].concat());
        command.env("REENACT_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
        command.env_remove("REENACT_DATA");
        let ended = sandbox.start(command).wait();
        assert!(ended.code() == Some(0) && ended.stderr.is_empty(), "{ended}");
        ended.stdout
    };
    let zsh = ask("zsh", "2", &["reenact", "status", "fi"]);
    assert!(zsh.starts_with("first:done, completed"), "{zsh}");
    let fish = ask("fish", "2", &["reenact", "status", "se"]);
    assert!(fish.starts_with("second\tasks, waiting"), "{fish}");
}

#[test]
fn nothing_is_changed_made_or_said_whatever_is_there() {
    let sandbox = with_runs();
    let data = sandbox.work(".reenact");
    let before = all(&data);
    offered(&sandbox, &["reenact", "status", ""]);
    offered(&sandbox, &["reenact", "approve", "second", ""]);
    assert!(all(&data) == before, "something was changed");
    assert!(fs::read_dir(sandbox.tmp()).unwrap().next().is_none(), "a copy is left behind");
    // A store that cannot be read, a configuration that is none, a run that is not there.
    fs::write(data.join("events/db"), [0x55; 4096]).unwrap();
    sandbox.write("reenact.toml", "[[[");
    sandbox.write("done.yaml", "steps: [");
    assert!(offered(&sandbox, &["reenact", "status", ""]).is_empty());
    assert!(offered(&sandbox, &["reenact", "transcript", "nobody", ""]).is_empty());
    assert!(offered(&sandbox, &["reenact", "run", "done.yaml", "--until", ""]).is_empty());
    fs::remove_dir_all(&data).unwrap();
    assert!(offered(&sandbox, &["reenact", "status", ""]).is_empty());
    assert!(!data.exists(), "a folder was made");
}

#[test]
fn of_a_store_that_is_too_large_to_copy_the_folders_of_the_runs_are_looked_at() {
    let sandbox = with_runs();
    let data = sandbox.work(".reenact");
    // It takes no room on the disk.
    fs::File::create(data.join("events/large")).unwrap().set_len(64 * 1024 * 1024).unwrap();
    let mut runs = offered(&sandbox, &["reenact", "status", ""]);
    runs.sort_unstable();
    assert_eq!(runs, ["first", "last", "second"]);
    assert!(offered(&sandbox, &["reenact", "transcript", "first", ""]).is_empty());
}

#[test]
fn beside_a_process_that_holds_the_store_it_is_asked_and_one_that_is_stopped_is_not_waited_for() {
    let sandbox = with_runs();
    sandbox.write("long.yaml", "name: long\nsteps: [{id: nap, run: 'touch up; sleep 60'}]");
    let holder = sandbox.spawn(&[
        "--data",
        sandbox.work(".reenact").to_str().unwrap(),
        "run",
        "long.yaml",
        "--id",
        "third",
    ]);
    wait_until("it runs", || sandbox.work("up").exists());
    // It is not waited for long; on a busy machine the first answer may come too late.
    for (words, wanted) in
        [(&["reenact", "status", "t"][..], "third"), (&["reenact", "logs", "third", ""], "nap")]
    {
        wait_until(wanted, || offered(&sandbox, words) == [wanted]);
    }
    holder.freeze();
    assert!(offered(&sandbox, &["reenact", "status", "t"]).is_empty());
}

// A profile of a shell that set the variable for one that is not known made every verb do nothing, and say that it had.
#[test]
fn a_shell_that_is_not_known_is_an_error_whatever_the_verb() {
    let sandbox = with_runs();
    let call = |shell: &str, words: &[&str]| {
        let mut command = sandbox.command(words);
        command.env("REENACT_COMPLETE", shell);
        sandbox.start(command).wait()
    };
    for words in [&["list"][..], &["run", "done.yaml"], &["--json", "list"], &["--", "reenact", "status", ""]]
    {
        let ended = call("bogus", words);
        assert_eq!(ended.code(), Some(2), "{ended}");
        assert!(
            ended.stderr.contains("REENACT_COMPLETE names `bogus`") && ended.stderr.contains("bash"),
            "{ended}"
        );
    }
    assert_eq!(call("bogus", &["--json", "list"]).json()["error"]["code"], "RE-1001");
    // As the shell says it that asks, and as nobody is asked.
    assert!(call("/bin/bash", &[]).stdout.contains("COMPREPLY"));
    for none in ["", "0"] {
        let ended = call(none, &["list"]);
        assert!(ended.code() == Some(0) && ended.stdout.contains("no runs"), "{ended}");
    }
}
