//! What a path leads to need not be a file: it is refused at once, by its name and by what it is, and nothing starts.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, Sandbox};

/// What stands where a file is looked for, and the words that say so.
const ODD: [(&str, &str); 5] = [
    ("device", "a device"),
    ("fifo", "a FIFO"),
    ("folder", "a directory"),
    ("dangling", "a link to `gone`"),
    ("sparse", "10737418240 bytes"),
];

/// Puts something odd where a file is looked for, in place of what is there.
fn put(kind: &str, path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match kind {
        "device" => symlink("/dev/zero", path).unwrap(),
        "fifo" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "folder" => fs::create_dir(path).unwrap(),
        "dangling" => symlink("gone", path).unwrap(),
        _ => File::create(path).unwrap().set_len(10 << 30).unwrap(),
    }
}

/// That a verb ended with 2 and a code, and said all of these words.
fn refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code(), Some(2), "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("RE-1"), "{ended}");
    for word in words {
        assert!(said.contains(word), "{word}: {ended}");
    }
}

// `validate /dev/zero` read until the memory was full, and a FIFO was waited for without end.
#[test]
fn what_is_no_file_is_refused_wherever_a_file_is_read() {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "steps: [{id: a, run: 'true'}]");
    sandbox.write("parent.yaml", "steps: [{id: a, workflow: odd/child.yaml}]");
    sandbox.write("agent.yaml", "steps: [{id: a, agent: odd}]");
    sandbox.write("scripted.yaml", "steps: [{id: a, agent: mock}]");
    let mock = "---\nname: mock\ndescription: d\nexecutor: scripted\nscript: odd/answers.yaml\n---\n";
    sandbox.write(".claude/agents/mock.md", mock);
    let places: [(&str, &[&str]); 8] = [
        ("odd/workflow.yaml", &["run", "odd/workflow.yaml"]),
        ("odd/workflow.yaml", &["validate", "odd/workflow.yaml"]),
        ("odd/input.json", &["run", "good.yaml", "--input-file", "odd/input.json"]),
        ("odd/child.yaml", &["run", "parent.yaml"]),
        ("odd/config.toml", &["--config", "odd/config.toml", "run", "good.yaml"]),
        ("agents/odd.md", &["run", "agent.yaml"]),
        (".claude/agents/odd/answers.yaml", &["run", "scripted.yaml"]),
        ("reenact.toml", &["run", "good.yaml"]),
    ];
    for (place, arguments) in places {
        for (kind, words) in ODD {
            put(kind, &sandbox.work(place));
            refused(
                &sandbox.reenact(arguments),
                &[words, Path::new(place).file_name().unwrap().to_str().unwrap()],
            );
        }
        let _ = fs::remove_file(sandbox.work(place));
    }
    let home = sandbox.root().join("home/.config/reenact/config.toml");
    for (kind, words) in ODD {
        put(kind, &home);
        refused(&sandbox.reenact(&["run", "good.yaml"]), &[words, "config.toml"]);
    }
    assert!(!sandbox.data().exists(), "nothing was started");
}

#[test]
fn places_for_agents_are_files_or_folders() {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "steps: [{id: a, run: 'true'}]");
    for (kind, words) in ODD.into_iter().filter(|(kind, _)| ["device", "fifo", "dangling"].contains(kind)) {
        sandbox.write("reenact.toml", "agent_paths = ['more']");
        put(kind, &sandbox.work("more"));
        refused(&sandbox.reenact(&["run", "good.yaml"]), &[words, "more"]);
        fs::remove_file(sandbox.work("reenact.toml")).unwrap();
        put(kind, &sandbox.work("agents"));
        refused(&sandbox.reenact(&["validate", "good.yaml"]), &[words, "agents"]);
        fs::remove_file(sandbox.work("agents")).unwrap();
    }
    assert!(!sandbox.data().exists());
}

#[test]
fn links_to_files_are_as_good_as_files() {
    let sandbox = Sandbox::new();
    sandbox.write("real/w.yaml", "steps: [{id: a, agent: odd}]");
    let agent = "---\nname: odd\ndescription: d\nexecutor: subprocess\ncommand: ['true']\n---\n";
    let file = sandbox.write("real/odd.txt", format!("\u{feff}{agent}"));
    fs::create_dir(sandbox.work("real/agents")).unwrap();
    symlink(file, sandbox.work("real/agents/odd.md")).unwrap();
    symlink("real/w.yaml", sandbox.work("w.yaml")).unwrap();
    sandbox.json(0, &["run", "w.yaml"]);
}

// A verb on a data path that is a file ended with 7, as if a store were damaged, and `list` said that there are no runs.
#[test]
fn data_lies_in_a_folder_whatever_the_verb() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true'}]");
    let verbs: [&[&str]; 7] = [
        &["list"],
        &["status", "x"],
        &["history", "x"],
        &["verify"],
        &["resume"],
        &["run", "w.yaml"],
        &["cancel", "x"],
    ];
    let data: PathBuf = sandbox.work("data");
    for (kind, words) in
        [("device", "a device"), ("fifo", "a FIFO"), ("dangling", "a link to `gone`"), ("sparse", "a file")]
    {
        put(kind, &data);
        for verb in verbs {
            let named = sandbox.reenact(&[&["--data", "data"], verb].concat());
            refused(&named, &["RE-1117", words, "data"]);
        }
        let mut command = sandbox.command(&["--json", "list"]);
        command.env("REENACT_DATA", &data);
        refused(&sandbox.start(command).wait(), &["RE-1117", words]);
        // What has nothing to do with data does not mind.
        assert_eq!(sandbox.reenact(&["--data", "data", "validate", "w.yaml"]).code(), Some(0));
    }
    let listed = sandbox.reenact(&["--data", "data/in/a/file", "list"]);
    refused(&listed, &["RE-1117"]);
    fs::remove_file(&data).unwrap();
    fs::create_dir(&data).unwrap();
    for empty in ["data", "absent"] {
        let listed = sandbox.reenact(&["--data", empty, "--json", "list"]);
        assert_eq!((listed.code(), &listed.json()["runs"]), (Some(0), &serde_json::json!([])));
    }
    assert!(!sandbox.work("absent").exists());
}
