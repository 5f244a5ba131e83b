//! Bad input: a clear error with a code, a place and a hint, exit 2, and nothing started, not even a data folder.

use serde_json::Value;

use crate::support::Sandbox;

/// A workflow file, and what is said of it: code, line and column, a part of the message, a part of the hint.
type BadFile = (&'static str, &'static str, Option<(u64, u64)>, &'static str, &'static str);

const FILES: &[BadFile] = &[
    ("steps: [", "RE-1102", Some((1, 8)), "bracket", "indentation"),
    ("\u{1}\u{2}{]%", "RE-1102", Some((1, 1)), "", ""),
    ("steps: [{id: a, run: x}, {id: a, run: x}]", "RE-1105", Some((1, 31)), "`a`", ""),
    ("steps: [{id: a, run: x, nedes: []}]", "RE-1103", Some((1, 25)), "`nedes`", "`needs`"),
    ("steps: []", "RE-1106", Some((1, 1)), "", "at least one step"),
    ("name: x", "RE-1106", None, "", "at least one step"),
    (
        "steps: [{id: a, run: x, needs: [b]}, {id: b, run: x, needs: [a]}]",
        "RE-1107",
        Some((1, 33)),
        "a → b → a",
        "",
    ),
    (
        "steps: [{id: build, run: x}, {id: b, run: x, needs: [biuld]}]",
        "RE-1108",
        Some((1, 54)),
        "`biuld`",
        "`build`",
    ),
    ("steps: [{id: a, agent: nobody}]", "RE-1301", Some((1, 24)), "`nobody`", "agents/nobody.md"),
    ("steps: [{id: a, run: 'echo {{ inptu.x }}'}]", "RE-1202", Some((1, 31)), "`inptu`", "`input`"),
    ("steps: [{id: a, run: x, timeout: 5 minutes}]", "RE-1111", Some((1, 34)), "5 minutes", "1h30m"),
    ("steps: [{id: 1a, run: x}]", "RE-1109", Some((1, 14)), "`1a`", ""),
    ("steps: [{id: a, run: x, worktree: true}]", "RE-1007", Some((1, 25)), "`worktree`", ""),
    ("steps: [{id: a}]", "RE-1110", Some((1, 9)), "", "`run`"),
];

/// What `run --json` answers that starts nothing.
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let error = sandbox.json(2, arguments)["error"].clone();
    assert!(!error["hint"].as_str().unwrap().is_empty(), "{error}");
    error
}

#[test]
fn a_bad_file_is_refused_with_its_place_and_a_hint() {
    let sandbox = Sandbox::new();
    for (text, code, place, message, hint) in FILES {
        sandbox.write("bad.yaml", text);
        let error = refused(&sandbox, &["run", "bad.yaml"]);
        assert_eq!(error["code"], *code, "{text}: {error}");
        if let Some((line, column)) = place {
            let at = &error["at"];
            assert_eq!(
                (at["line"].as_u64(), at["column"].as_u64()),
                (Some(*line), Some(*column)),
                "{text}: {error}"
            );
            assert_eq!(at["file"], "bad.yaml");
        }
        assert!(error["message"].as_str().unwrap().contains(message), "{text}: {error}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{text}: {error}");
        let checked = sandbox.json(2, &["validate", "bad.yaml"]);
        assert_eq!(checked["files"][0]["ok"], false);
        assert_eq!(checked["files"][0]["errors"][0]["code"], *code);
        let human = sandbox.reenact(&["run", "bad.yaml"]);
        assert_eq!(human.code(), Some(2));
        let said = human.stderr;
        assert!(said.contains(&format!("error[{code}]")) && said.contains("hint: "), "{said}");
    }
    assert!(!sandbox.data().exists(), "nothing was started");
}

#[test]
fn all_that_is_wrong_with_a_saga_is_told_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bad.yaml",
        "on_failure: undo
limits: {duration: 3}
steps:
  - id: tag
    run: git tag {{ outcome }}
    compensate: {rnu: git tag -d}
  - id: upload
    run: upload
    at_most_once: true
    retry: {attempts: 2}
    compensate: {run: \"rm '{{ output }}'\", wen: attempted}
  - id: nap
    sleep: 1s
    irreversible: true
",
    );
    let file = sandbox.json(2, &["validate", "bad.yaml"])["files"][0].clone();
    let errors = file["errors"].as_array().unwrap().iter();
    let found: Vec<_> = errors
        .map(|error| {
            assert!(!error["hint"].as_str().unwrap().is_empty(), "{error}");
            (error["at"]["line"].as_u64().unwrap(), error["code"].as_str().unwrap())
        })
        .collect();
    let expected = [
        (1, "RE-1104"),
        (2, "RE-1111"),
        (5, "RE-1202"),
        (6, "RE-1103"),
        (10, "RE-1112"),
        (11, "RE-1206"),
        (11, "RE-1103"),
        (14, "RE-1112"),
    ];
    assert_eq!(found, expected, "{file:#}");
    assert!(!sandbox.data().exists());
}

#[test]
fn the_agents_of_compensations_are_found_checked_and_recorded_like_those_of_steps() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true', compensate: {agent: un-doer}}]");
    let error = refused(&sandbox, &["run", "w.yaml"]);
    assert_eq!((&error["code"], &error["at"]["column"]), (&"RE-1301".into(), &50.into()), "{error}");
    assert_eq!(error["step"], "a");
    assert!(!sandbox.data().exists());

    let head = "---\nname: Un_Doer\ndescription: Undoes\nexecutor: ";
    sandbox.write("agents/un_doer.md", format!("{head}psychic\n---\n"));
    assert_eq!(refused(&sandbox, &["run", "w.yaml"])["step"], "a", "an agent that cannot work is no use");
    sandbox.write("agents/un_doer.md", format!("{head}subprocess\ncommand: [\"true\"]\n---\n"));
    assert_eq!(sandbox.json(0, &["validate", "w.yaml"])["files"][0]["ok"], true);
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let history = sandbox.history("r");
    assert_eq!(history[0]["data"]["agents"][0]["name"], "Un_Doer");
    assert_eq!(history[1]["data"]["undo"], serde_json::json!({"agent": "Un_Doer", "when": "completed"}));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::new();
    let error = refused(&sandbox, &["run", "nowhere.yaml"]);
    assert_eq!(error["code"], "RE-1101");
    assert!(error["message"].as_str().unwrap().contains("nowhere.yaml"));
    sandbox.write("noise.yaml", [0xff, 0xfe, 0x00, 0x80]);
    assert_eq!(refused(&sandbox, &["run", "noise.yaml"])["code"], "RE-1102");
    sandbox.write("chain.md", "### Subtask 1: A");
    assert_eq!(refused(&sandbox, &["run", "chain.md"])["code"], "RE-1124");
    assert_eq!(refused(&sandbox, &["run", "."])["code"], "RE-1101");
    assert!(!sandbox.data().exists());
}

#[test]
fn an_input_is_held_against_its_schema() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "input: {type: object, required: [n], properties: {n: {type: integer}, s: {type: string}}}\n\
         steps: [{id: a, run: 'echo {{ input.n }}'}]",
    );
    for (arguments, words) in [
        (&["--input", "n=many"][..], "n"),
        (&[][..], "n"),
        (&["--input", "n"][..], "n"),
        (&["--input", "n:={"][..], "n"),
    ] {
        let error = refused(&sandbox, &[&["run", "w.yaml"], arguments].concat());
        assert!(matches!(error["code"].as_str(), Some("RE-1203" | "RE-1001")), "{arguments:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{arguments:?}: {error}");
    }
    assert!(!sandbox.data().exists());
    let ended = sandbox.reenact(&["run", "w.yaml", "--json", "--input", "n=41", "--input", "ns=x"]);
    assert_eq!(ended.json()["steps"][0]["output"]["stdout"], "41");
    assert!(ended.stderr.contains("warning[RE-1203]") && ended.stderr.contains("`ns`"), "{ended}");
    assert!(ended.stderr.contains("hint: did you mean `n`?"), "{ended}");
}

#[test]
fn a_run_that_is_not_there_or_not_the_only_one_is_refused() {
    let sandbox = Sandbox::new();
    for verb in ["status", "history", "resume"] {
        assert_eq!(refused(&sandbox, &[verb, "nobody"])["code"], "RE-1003", "{verb}");
    }
    assert!(!sandbox.data().exists(), "who only looks makes no folder");
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true'}]");
    sandbox.write("other.yaml", "steps: [{id: b, run: 'true'}]");
    for bad in ["last", "a b", "-x", ""] {
        let id = format!("--id={bad}");
        assert_eq!(refused(&sandbox, &["run", "w.yaml", &id])["code"], "RE-1002", "{bad}");
    }
    for id in ["one-a", "one-b"] {
        sandbox.json(0, &["run", "w.yaml", "--id", id]);
    }
    for verb in ["status", "history", "resume"] {
        let error = refused(&sandbox, &[verb, "one"]);
        assert_eq!(error["code"], "RE-1004", "{verb}: {error}");
        assert!(error["message"].as_str().unwrap().contains("`one-a`, `one-b`"), "{error}");
        assert_eq!(refused(&sandbox, &[verb, "nobody"])["code"], "RE-1003", "{verb}");
    }
    assert_eq!(sandbox.json(0, &["status", "e-b"])["run"], "one-b");
    assert_eq!(sandbox.json(0, &["status", "last"])["run"], "one-b");
    assert_eq!(refused(&sandbox, &["run", "other.yaml", "--id", "one-a"])["code"], "RE-1005");
    sandbox.json(0, &["run", "w.yaml", "--id", "one-a"]);
    assert_eq!(sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 2);
}

/// They were dropped without a word.
#[test]
fn flags_that_cannot_take_effect_on_a_run_that_is_there_are_refused_each_with_what_to_do_instead() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps:\n  - {id: a, run: 'true'}\n  - {id: b, run: 'true'}\n");
    sandbox.json(0, &["run", "w.yaml", "--id", "done"]);
    let paused = ["run", "w.yaml", "--id", "paused", "--until", "a", "--tag", "x=1"];
    sandbox.json(4, &paused);
    let attach = |id: &str, flags: &[&str]| {
        let error = refused(&sandbox, &[&["run", "w.yaml", "--id", id][..], flags].concat());
        assert_eq!(error["code"], "RE-1005", "{flags:?}: {error}");
        (error["message"].as_str().unwrap().to_owned(), error["hint"].as_str().unwrap().to_owned())
    };
    for (id, flags, message, hint) in [
        ("done", &["--tag", "x=1"][..], "has other tags", "leave --tag out"),
        ("done", &["--timeout", "1s"], "has another limit of its time", "leave --timeout out"),
        ("done", &["--parallel", "3"], "has another limit of attempts at once", "leave --parallel out"),
        ("done", &["--until", "a"], "was not to pause there", "leave --until out: it has ended"),
        (
            "done",
            &["--detach"],
            "has begun",
            "leave --detach out to see it through, or look at it with `reenact status done`",
        ),
        (
            "paused",
            &["--until", "b"],
            "was not to pause there",
            "`reenact resume paused --until b` pauses it there",
        ),
    ] {
        let (said, instead) = attach(id, flags);
        assert_eq!(said, format!("run `{id}` exists, and {message}"), "{flags:?}");
        assert!(instead.contains(hint) && instead.contains("another --id"), "{flags:?}: {instead}");
    }
    // All at once are all told.
    let (said, instead) = attach("paused", &["--tag", "x=2", "--timeout", "1s", "--detach"]);
    assert_eq!(said, "run `paused` exists, and has other tags, has another limit of its time and has begun");
    for flag in ["--tag", "--timeout", "--detach"] {
        assert!(instead.contains(&format!("leave {flag} out")), "{instead}");
    }
    // What it began with may be said again, and what is recorded only may be recorded again.
    sandbox.json(4, &paused);
    for _ in 0..2 {
        sandbox.json(4, &["run", "w.yaml", "--id", "later", "--detach"]);
    }
    assert_eq!(sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn a_command_line_that_means_nothing_is_refused_with_one_json_document() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["frobnicate"][..],
        &["run"][..],
        &["run", "w.yaml", "--until", "x"][..],
        &["run", "w.yaml", "--parallel", "0"][..],
        &["list", "--status", "runing"][..],
        &["list", "--limit", "many"][..],
        &["resume", "--all", "--until", "x"][..],
        &["--config", "nowhere.toml", "list"][..],
    ] {
        let error = refused(&sandbox, arguments);
        let code = error["code"].as_str().unwrap();
        assert!(matches!(code, "RE-1001" | "RE-1007" | "RE-1101"), "{arguments:?}: {error}");
        let human = sandbox.reenact(arguments);
        assert_eq!(human.code(), Some(2), "{arguments:?}");
        assert!(human.stdout.is_empty() && !human.stderr.is_empty(), "{arguments:?}");
    }
    assert!(!sandbox.data().exists());
}

/// A row of the list that was too long to be kept once kept every verb from looking a run up.
#[test]
fn a_run_with_labels_that_the_list_has_no_room_for_is_refused() {
    let sandbox = Sandbox::new();
    let named = |name: &str| format!("name: {name}\nsteps: [{{id: a, run: 'true'}}]");
    sandbox.write("long.yaml", named(&"n".repeat(3_500)));
    sandbox.write("w.yaml", named("w"));
    // Each is two bytes in the row.
    let quotes = format!("long={}", "\"".repeat(1_900));
    for arguments in [["run", "long.yaml"].as_slice(), &["run", "w.yaml", "--tag", &quotes]] {
        let refused = sandbox.json(2, arguments);
        assert_eq!(refused["error"]["code"], "RE-1113", "{refused}");
    }
    let fits = format!("long={}", "x".repeat(1_900));
    sandbox.json(0, &["run", "w.yaml", "--tag", &fits]);
    assert_eq!(sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 1);
}
