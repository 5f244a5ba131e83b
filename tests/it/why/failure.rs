//! The failure that `run` and `status` show: told once, with what was to be done, where that stands, and what to do next.

use crate::support::Sandbox;

const RELEASE: &str = "name: release
on_failure: stop
steps:
  - {id: build, run: 'echo \"{\\\"file\\\": \\\"app.tgz\\\"}\"'}
  # A comment that moves it.
  - id: publish
    run: 'echo looking for {{ steps.build.output.file }} >&2; echo no such index >&2; exit 7'
";

#[test]
fn a_failure_is_told_once_with_line_breaks_and_with_what_makes_sense_next() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", RELEASE);
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    let status = sandbox.reenact(&["status", "r"]);
    for shown in [&ended.stdout, &status.stdout] {
        let lines: Vec<&str> = shown.lines().collect();
        let from = lines.iter().position(|line| line.starts_with("error[")).unwrap();
        assert_eq!(
            lines[from..from + 8],
            [
                "error[RE-3005] in `publish`: exit 7: looking for app.tgz",
                "  no such index",
                "  at w.yaml:6:9",
                "  attempt 1 by shell: echo looking for 'app.tgz' >&2; echo no such index >&2; exit 7",
                "  used steps.build.output.file = \"app.tgz\", of `build`",
                "  hint: `reenact transcript r publish` shows all that it wrote",
                "why: reenact why r",
                "try again: reenact retry r",
            ],
            "{shown}"
        );
        let told = format!("{shown}{}", ended.stderr);
        assert_eq!(
            shown.matches("no such index").count(),
            2,
            "once as it was written, once as it was rendered: {told}"
        );
    }
    let report = sandbox.status("r");
    assert_eq!(report["error"]["message"], "exit 7: looking for app.tgz\nno such index");
    let at = &report["error"]["at"];
    assert_eq!((&at["line"], &at["column"]), (&6.into(), &9.into()));
    let file = sandbox.work("w.yaml").canonicalize().unwrap();
    assert_eq!(at["file"], file.to_str().unwrap());
    let failure = &report["failure"];
    assert_eq!(
        (&failure["step"], &failure["attempt"], &failure["agent"]),
        (&"publish".into(), &1.into(), &"shell".into())
    );
    assert_eq!(failure["stderr"], serde_json::json!(["looking for app.tgz", "no such index"]));
}

#[test]
fn where_nothing_was_written_nobody_is_sent_to_read_it() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\non_failure: stop\nsteps: [{id: a, run: exit 3}]");
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert!(ended.stdout.contains("  hint: `reenact why r` shows what led to it\n"), "{ended}");
    assert!(!ended.stdout.contains("stderr"), "{ended}");
}

#[test]
fn what_a_program_wrote_is_shown_where_the_message_does_not_say_it() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\non_failure: stop\nsteps: [{id: a, run: \"echo half done >&2; echo '{}'\", schema: {required: [x]}}]",
    );
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert!(ended.stdout.contains("  stderr:\n    half done\n"), "{ended}");
}

#[test]
fn a_run_is_the_same_whichever_lines_its_steps_stand_on() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", RELEASE);
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    sandbox
        .write("moved.yaml", format!("# moved\n\n{}", RELEASE.replace("  # A comment that moves it.\n", "")));
    let attached = sandbox.json(1, &["run", "moved.yaml", "--id", "r"]);
    assert_eq!(attached["error"]["at"]["line"], 6, "it stands where it stood when the run began");
    sandbox.write("other.yaml", RELEASE.replace("exit 7", "exit 8"));
    assert_eq!(sandbox.json(2, &["run", "other.yaml", "--id", "r"])["error"]["code"], "RE-1005");
}

#[test]
fn an_unknown_name_lists_those_that_there_are() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\non_failure: stop\nsteps:\n  - {id: a, run: 'echo \"{\\\"rows\\\": 1, \\\"file\\\": {\\\"name\\\": 2}}\"'}\n  - {id: b, run: 'echo {{ steps.a.output.row }}'}\n",
    );
    let message = |file: &str| {
        let id = file.replace('.', "-");
        sandbox.json(1, &["run", file, "--id", &id])["error"]["message"].as_str().unwrap().to_owned()
    };
    let first = message("w.yaml");
    assert!(first.ends_with("(`steps.a.output` has: rows, file)"), "{first}");
    let text = std::fs::read_to_string(sandbox.work("w.yaml")).unwrap();
    sandbox.write("v.yaml", text.replace("output.row ", "output.file.nam.x "));
    let second = message("v.yaml");
    assert!(second.ends_with("(`steps.a.output.file` has: name)"), "{second}");
    sandbox.write("u.yaml", text.replace("output.row ", "output.rows.x "));
    let third = message("u.yaml");
    assert!(third.ends_with("(`steps.a.output.rows` is 1)"), "{third}");
}
