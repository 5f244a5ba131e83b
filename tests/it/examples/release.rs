//! `release.yaml`: a release with real effects, each of them once, or none.

mod rollback;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{EXAMPLES, sandbox};
use crate::support::{Sandbox, wait_until};

const FILE: &str = "examples/release.yaml";

/// What may lie about in a home folder, and must not matter.
const ODD_GITCONFIG: &str = "\
[user]
\tname = Somebody Else
\temail = somebody@else.example
[commit]
\tgpgSign = true
[tag]
\tgpgSign = true
[init]
\tdefaultBranch = odd
[core]
\thooksPath = /nonexistent/hooks
\tautocrlf = true
";

/// The folder that all releases share.
fn scratch(sandbox: &Sandbox) -> PathBuf {
    let mut entries = fs::read_dir(sandbox.tmp()).unwrap().map(|entry| entry.unwrap().path());
    let (scratch, other) = (entries.next().unwrap(), entries.next());
    assert_eq!(other, None, "a second folder for temporary files");
    assert!(scratch.file_name().unwrap().to_str().unwrap().starts_with("reenact-release-"));
    scratch
}

/// The lines of a file; none if it is not there.
fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// What a program answers, which must succeed.
fn answer_of(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Every file below a folder, with its content.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Checks all that a release of this version by this run must have left.
fn audit(sandbox: &Sandbox, run: &str, version: &str) {
    let scratch = scratch(sandbox);
    let (made, published) = (scratch.join(run), scratch.join("registry/greeting").join(version));
    let (repository, tarball) = (made.join("repository"), format!("greeting-{version}.tar.gz"));
    let tagged = answer_of(&repository, "git", &["rev-parse", &format!("v{version}^{{commit}}")]);
    assert_eq!(tagged, answer_of(&repository, "git", &["rev-parse", "main"]));
    assert_eq!(
        answer_of(&repository, "git", &["log", "--format=%an <%ae>"]),
        "Release Example <release@example.invalid>"
    );
    assert_eq!(answer_of(&repository, "git", &["status", "--porcelain"]), "");
    for folder in [&made, &published] {
        answer_of(folder, "sha256sum", &["--check", "--quiet", "SHA256SUMS"]);
    }
    assert_eq!(fs::read(made.join(&tarball)).unwrap(), fs::read(published.join(&tarball)).unwrap());
    let unpacked = sandbox.root().join("unpacked").join(version);
    fs::create_dir_all(&unpacked).unwrap();
    answer_of(&unpacked, "tar", &["-xzf", published.join(&tarball).to_str().unwrap()]);
    let unpacked = unpacked.join(format!("greeting-{version}"));
    assert_eq!(fs::read_to_string(unpacked.join("VERSION")).unwrap(), format!("{version}\n"));
    for name in ["greet.sh", "test.sh"] {
        let source = Path::new(EXAMPLES).join("release/greeting").join(name);
        assert_eq!(fs::read(unpacked.join(name)).unwrap(), fs::read(source).unwrap());
    }
    let about = |file: &str| {
        lines(&scratch.join(file))
            .iter()
            .filter(|line| line.contains(&format!("greeting {version} ")))
            .count()
    };
    assert_eq!(about("registry/log.txt"), 1, "publications of {version}");
    assert_eq!(about("announcements.txt"), 1, "announcements of {version}");
}

#[test]
fn a_release_is_tagged_packed_published_and_announced() {
    let sandbox = sandbox();
    let report = sandbox.json(0, &["run", FILE, "--id", "first", "--input", "version=2.0.1"]);
    audit(&sandbox, "first", "2.0.1");
    let published = scratch(&sandbox).join("registry/greeting/2.0.1");
    let digest = answer_of(&published, "sha256sum", &["greeting-2.0.1.tar.gz"]);
    assert_eq!(report["output"]["sha256"].as_str(), digest.split(' ').next());
    assert_eq!(report["output"]["published"].as_str(), published.to_str());
    assert_eq!(report["output"]["new"], true);
    let steps = report["steps"].as_array().unwrap();
    let publish = steps.iter().find(|step| step["id"] == "publish").unwrap();
    assert_eq!(
        (publish["agent"].as_str(), publish["artifacts"].as_array().unwrap().len()),
        (Some("publisher"), 1)
    );
}

#[test]
fn a_release_leaves_nothing_outside_its_scratch_folder_and_heeds_no_configuration_of_git() {
    let sandbox = sandbox();
    let (home, work) = (sandbox.root().join("home"), sandbox.work(""));
    fs::write(home.join(".gitconfig"), ODD_GITCONFIG).unwrap();
    let before = (tree(&home), tree(&work));
    sandbox.json(0, &["run", FILE, "--id", "tidy"]);
    audit(&sandbox, "tidy", "1.0.0");
    assert!(before == (tree(&home), tree(&work)), "a file came, went or changed");
    let without_home = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env_remove("HOME");
        sandbox.start(command).wait()
    };
    let ended = without_home(&["run", FILE, "--input", "version=1.0.1"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
}

#[test]
fn the_same_version_again_is_the_same_release() {
    let sandbox = sandbox();
    let first = sandbox.json(0, &["run", FILE, "--id", "first"]);
    let again = sandbox.json(0, &["run", FILE, "--id", "again"]);
    assert_eq!(first["output"]["sha256"], again["output"]["sha256"]);
    assert_eq!((&first["output"]["new"], &again["output"]["new"]), (&Value::from(true), &Value::from(false)));
    audit(&sandbox, "again", "1.0.0");
    sandbox.json(0, &["run", FILE, "--id", "next", "--input", "version=1.0.1"]);
    audit(&sandbox, "first", "1.0.0");
    audit(&sandbox, "next", "1.0.1");
}

#[test]
fn a_version_that_is_published_with_another_content_is_not_replaced() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "first"]);
    sandbox.write("examples/release/greeting/greet.sh", "printf 'Hello, %s!\\n' \"${1:-world}\" # changed\n");
    let report = sandbox.json(3, &["run", FILE]);
    assert_eq!(
        (&report["error"]["class"], &report["error"]["step"]),
        (&"validation".into(), &"publish".into())
    );
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("already, with another content"), "{message}");
    audit(&sandbox, "first", "1.0.0");
}

#[test]
fn tests_that_fail_stop_a_release_before_its_tag() {
    let sandbox = sandbox();
    sandbox.write("examples/release/greeting/greet.sh", "echo Goodbye\n");
    let report = sandbox.json(3, &["run", FILE, "--id", "bad"]);
    assert_eq!(report["error"]["step"], "test");
    assert_eq!(sandbox.count("bad", "attempt_started", Some("test")), 1, "they fail again however often");
    assert_eq!(sandbox.count("bad", "attempt_started", Some("tag")), 0);
    assert!(!scratch(&sandbox).join("bad").exists());
}

/// Added to every script of a release: when it has done its work it hangs, once, until it is killed.
const HANG_ONCE: &str = r#"set -eu; trap 'hung="$TMPDIR/../hung/$REENACT_STEP"; test -e "$hung" || { : > "$hung"; sleep 600; }' EXIT"#;

/// The worst moment: what a step does is done, and nobody has recorded it.
#[test]
fn a_release_that_is_killed_after_each_effect_does_nothing_twice() {
    let sandbox = sandbox();
    for script in [FILE, "examples/bin/publish"] {
        let text = fs::read_to_string(sandbox.work(script)).unwrap();
        fs::write(sandbox.work(script), text.replace("set -eu", HANG_ONCE)).unwrap();
    }
    let hung = sandbox.root().join("hung");
    fs::create_dir(&hung).unwrap();
    let count_hung = || fs::read_dir(&hung).unwrap().count();
    let mut process = sandbox.spawn(&["run", FILE, "--id", "hangs"]);
    let mut kills = 0;
    loop {
        let before = kills;
        wait_until("a step hangs, or all are done", || count_hung() > before || !process.is_running());
        if !process.is_running() {
            break;
        }
        kills = count_hung();
        process.kill();
        process = sandbox.spawn(&["resume", "hangs"]);
    }
    let ended = process.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    // All but `test`, which is a program of its own and has no effect.
    assert_eq!(count_hung(), 8);
    assert!(sandbox.count("hangs", "attempt_lost", None) >= 8);
    audit(&sandbox, "hangs", "1.0.0");
}

/// Releases are killed at moments that are spread over all that one takes, and each is resumed until it is done.
#[test]
fn a_release_that_is_killed_at_any_moment_is_resumed_and_does_nothing_twice() {
    const ROUNDS: u32 = 12;
    let sandbox = sandbox();
    let begun = Instant::now();
    sandbox.json(0, &["run", FILE, "--id", "whole", "--input", "version=0.0.0"]);
    let whole = begun.elapsed();
    let mut interrupted = 0;
    for round in 1..=ROUNDS {
        let (run, version) = (format!("killed-{round}"), format!("0.0.{round}"));
        let input = format!("version={version}");
        let start = ["run", FILE, "--id", &run, "--input", &input];
        let first = kill_after(&sandbox, &start, whole * round / ROUNDS);
        // The first resumption is killed too.
        let second = kill_after(&sandbox, &["resume", &run], whole / 3);
        interrupted += u32::from(first) + u32::from(second);
        let resumed = sandbox.reenact(&["resume", &run]);
        // It may have been killed before there was a run.
        if resumed.code() == Some(2) {
            assert!(resumed.stderr.contains("RE-1003"), "{resumed}");
            sandbox.json(0, &start);
        }
        audit(&sandbox, &run, &version);
        let report = sandbox.status(&run);
        assert_eq!(report["status"], "completed");
        for step in report["steps"].as_array().unwrap() {
            let id = step["id"].as_str().unwrap();
            assert_eq!(sandbox.count(&run, "step_completed", Some(id)), 1, "{id} of {run}");
        }
    }
    assert!(interrupted > 0, "nothing was killed in its midst");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// Starts a command and kills it that much later. Answers whether it still ran.
fn kill_after(sandbox: &Sandbox, arguments: &[&str], moment: Duration) -> bool {
    let process = sandbox.spawn(arguments);
    // This waits for nothing: it is the moment at which the process is killed.
    std::thread::sleep(moment);
    process.kill().code().is_none()
}
