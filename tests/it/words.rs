//! What people read: every mistake has a code and a hint, a run says how to go on, and no program's words do anything to
//! a terminal.

use crate::support::{Ended, Sandbox};

fn refused(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let ended = sandbox.reenact(arguments);
    assert_eq!((ended.code(), ended.stdout.as_str()), (Some(2), ""), "{ended}");
    ended
}

#[test]
fn a_mistake_in_a_command_line_has_a_code_and_a_hint() {
    let sandbox = Sandbox::new();
    for (arguments, code, message, hint) in [
        (&["frobnicate"][..], "RE-1001", "no verb `frobnicate`", "reenact --help"),
        (&["rnu", "w.yaml"][..], "RE-1001", "no verb `rnu`", "did you mean `run`?"),
        (&["fork", "last"][..], "RE-1007", "`fork` is not supported", "reenact --help"),
        (&["approve", "last"][..], "RE-1003", "there are no runs yet", "reenact list"),
        (&["approve", "x", "y"][..], "RE-1003", "no run has the id `x`", "reenact list"),
        (&["approve"][..], "RE-1001", "<RUN> is missing", "reenact approve"),
        (&["reject", "last", "x"][..], "RE-1001", "--reason <R> is missing", "reenact reject"),
        (&["signal", "last", "go"][..], "RE-1003", "there are no runs yet", "reenact list"),
        (&["transcript", "last", "x"][..], "RE-1003", "there are no runs yet", "reenact list"),
        (&["rollback", "last"][..], "RE-1003", "there are no runs yet", "reenact list"),
        (&["rollback"][..], "RE-1001", "<RUN> is missing", "reenact rollback"),
        (&["run"][..], "RE-1001", "<FILE> is missing", "reenact run"),
        (&["status"][..], "RE-1003", "there are no runs yet", "reenact list"),
        (&["run", "w.yaml", "--detahc"][..], "RE-1001", "'--detahc'", "did you mean `--detach`?"),
        (&["verify", "--repair"][..], "RE-1007", "`--repair` is not supported", "reenact --help"),
        (&["run", "w.yaml", "--timeout=1"][..], "RE-1001", "'--timeout <D>'", "reenact VERB --help"),
        (&["run", "w.yaml", "--parallel", "0"][..], "RE-1001", "'--parallel <N>'", "reenact VERB --help"),
        (&["resume", "--all", "--until", "x"][..], "RE-1001", "--until is about one run", "name the run"),
        (&["list", "--status", "runing"][..], "RE-1001", "`runing`", "did you mean `running`?"),
    ] {
        let said = refused(&sandbox, arguments).stderr;
        let (first, rest) = said.split_once('\n').unwrap();
        assert!(first.starts_with(&format!("error[{code}]: ")) && first.contains(message), "{said}");
        assert!(rest.contains("hint: ") && rest.contains(hint), "{said}");
        let error = &sandbox.json(2, arguments)["error"];
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    }
    assert!(!sandbox.data().exists());
}

#[test]
fn an_input_file_that_does_not_parse_is_told_with_its_place() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true'}]");
    sandbox.write("input.yaml", "a: 1\nb: [\n");
    let error = sandbox.json(2, &["run", "w.yaml", "--input-file", "input.yaml"])["error"].clone();
    assert_eq!((&error["code"], &error["at"]["file"]), (&"RE-1102".into(), &"input.yaml".into()));
    assert!(error["at"]["line"].as_u64().is_some_and(|line| line >= 2), "{error}");
    assert_eq!(error["message"].as_str().unwrap().lines().count(), 1);
}

#[test]
fn an_output_is_shown_member_by_member_with_all_digits() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "steps: [{id: a, run: 'echo {\\\"n\\\": 123456789012345678901234567890}'}]\n\
         output: {number: '{{ steps.a.output.n }}', text: two words}",
    );
    let ended = sandbox.reenact(&["run", "w.yaml"]);
    let shown = "output:\n  number  123456789012345678901234567890\n  text    two words\n";
    assert!(ended.stdout.ends_with(shown), "{ended}");
}

#[test]
fn what_programs_write_does_nothing_to_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        r#"
steps:
  - id: a
    run: printf 'title \033]0;owned\007 end'
  - id: b
    run: printf 'red \033[31m end' >&2; exit 65
    on_error: continue
output: "{{ steps.a.output.stdout }}"
"#,
    );
    for arguments in [&["run", "w.yaml", "--id", "x"][..], &["status", "x"][..], &["history", "x"][..]] {
        let ended = sandbox.reenact(arguments);
        let harmless = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(ended.stdout.contains("end"), "{ended}");
        assert!(harmless(&ended.stdout) && harmless(&ended.stderr), "{:?} {:?}", ended.stdout, ended.stderr);
    }
}

#[test]
fn a_run_that_does_not_go_on_says_how_it_would() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true'}]");
    let detached = sandbox.reenact(&["run", "w.yaml", "--id", "later", "--detach"]);
    assert_eq!(detached.code(), Some(4), "{detached}");
    assert!(detached.stdout.ends_with("not started: reenact resume later\n"), "{detached}");
    let resumed = sandbox.reenact(&["resume", "--all"]);
    assert!(resumed.stdout.starts_with("later  w  completed"), "{resumed}");
    let again = sandbox.reenact(&["resume", "--all"]);
    assert_eq!((again.code(), again.stderr.as_str()), (Some(0), "no run is interrupted\n"), "{again}");
}

#[test]
fn a_page_that_a_person_has_to_read_is_named_from_the_current_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true', approve: before}]");
    let ended = sandbox.reenact(&["--data", "here", "run", "w.yaml", "--id", "r"]);
    assert!(ended.stdout.contains("  read:   here/runs/r/REQUEST-"), "{ended}");
    let elsewhere = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    let whole = format!("  read:   {}", sandbox.data().join("runs/r/REQUEST-").display());
    assert!(elsewhere.stdout.contains(&whole), "{elsewhere}");
}
