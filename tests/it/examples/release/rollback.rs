//! A release that fails, or is taken back, leaves no trace; those that others made stay.

use super::*;
use crate::examples::hang::Hanging;

/// All steps, in the order of the file.
const STEPS: [&str; 9] =
    ["scratch", "repository", "test", "tag", "tarball", "notes", "checksum", "publish", "announce"];

/// What lies in the scratch folder, but for the log of the registry, which says what was withdrawn too.
fn left(sandbox: &Sandbox) -> Vec<(PathBuf, Vec<u8>)> {
    let mut left = tree(&scratch(sandbox));
    left.retain(|(path, _)| !path.ends_with("registry/log.txt"));
    left
}

/// How many lines of the registry's log say that of a version.
fn logged(sandbox: &Sandbox, what: &str, version: &str) -> usize {
    let begins = format!("{what} greeting {version} ");
    lines(&scratch(sandbox).join("registry/log.txt")).iter().filter(|line| line.starts_with(&begins)).count()
}

/// The steps of a run that were undone, in the order in which they were.
fn undone(sandbox: &Sandbox, run: &str) -> Vec<String> {
    let history = sandbox.history(run);
    let undone = history.iter().filter(|event| event["type"] == "step_compensated");
    undone.map(|event| event["data"]["step"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn wherever_a_release_fails_it_leaves_no_trace() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "first"]);
    let before = left(&sandbox);
    for step in STEPS {
        let (run, fail_at) = (format!("fails-at-{step}"), format!("fail_at={step}"));
        // Where nothing was done there is nothing to undo.
        let (code, status) = if step == "scratch" { (1, "failed") } else { (3, "compensated") };
        let run_it = ["run", FILE, "--id", &run, "--input", "version=2.0.0", "--input", &fail_at];
        let report = sandbox.json(code, &run_it);
        assert_eq!((report["status"].as_str(), report["error"]["step"].as_str()), (Some(status), Some(step)));
        assert!(left(&sandbox) == before, "`{run}` left something");
        assert!(!scratch(&sandbox).join(&run).exists(), "`{run}` left its folder");
    }
    assert_eq!(logged(&sandbox, "published", "2.0.0"), 2, "at `publish` and at `announce` it was published");
    assert_eq!(logged(&sandbox, "withdrawn", "2.0.0"), 2);
    audit(&sandbox, "first", "1.0.0");
}

#[test]
fn a_release_is_undone_dependents_first() {
    let sandbox = sandbox();
    sandbox.json(3, &["run", FILE, "--id", "r", "--input", "fail_at=publish"]);
    let mut undone = undone(&sandbox, "r");
    undone[2..4].sort_unstable();
    assert_eq!(undone, ["publish", "checksum", "notes", "tarball", "tag", "repository", "scratch"]);
}

#[test]
fn a_release_is_taken_back_to_its_repository_and_made_again() {
    let sandbox = sandbox();
    let report = sandbox.json(4, &["run", FILE, "--id", "r", "--until", "publish"]);
    assert_eq!(report["status"], "paused");
    let (made, registry) = (scratch(&sandbox).join("r"), scratch(&sandbox).join("registry/greeting"));
    assert!(registry.join("1.0.0").exists());
    sandbox.json(3, &["rollback", "r", "--to", "test"]);
    assert_eq!(answer_of(&made.join("repository"), "git", &["tag"]), "", "the tag is gone");
    assert_eq!(fs::read_dir(&made).unwrap().count(), 1, "the repository is all that is left");
    assert_eq!(fs::read_dir(&registry).unwrap().count(), 0);
    sandbox.json(0, &["unpause", "r"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["output"]["new"], true);
    assert_eq!((logged(&sandbox, "published", "1.0.0"), logged(&sandbox, "withdrawn", "1.0.0")), (2, 1));
    assert_eq!(lines(&scratch(&sandbox).join("announcements.txt")).len(), 1);
}

#[test]
fn what_was_announced_is_not_taken_back() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "first"]);
    assert_eq!(sandbox.json(2, &["rollback", "first"])["error"]["code"], "RE-2011");
    audit(&sandbox, "first", "1.0.0");
}

#[test]
fn a_release_withdraws_no_publication_but_its_own() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "first"]);
    sandbox.json(3, &["run", FILE, "--id", "again", "--input", "fail_at=publish"]);
    assert_eq!(undone(&sandbox, "again")[0], "publish");
    audit(&sandbox, "first", "1.0.0");
    assert_eq!(logged(&sandbox, "withdrawn", "1.0.0"), 0);
}

/// The worst moment: what undoes a step has done so, and nobody has recorded it.
#[test]
fn a_release_that_is_killed_after_each_effect_of_its_rollback_leaves_no_trace() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "first"]);
    let before = left(&sandbox);
    let hanging = Hanging::after(&sandbox, &["rm", "git", "mv"], "compensate");
    let run = ["run", FILE, "--id", "r", "--input", "version=2.0.0", "--input", "fail_at=announce"];
    let (ended, kills) = hanging.see_through(&run, &["resume", "r"], || {});
    assert_eq!(ended.code(), Some(3), "{ended}");
    // `rm` in all of the seven that are undone, `git` in `tag`, `mv` in `publish`.
    assert_eq!(kills, 9);
    assert!(left(&sandbox) == before, "it left something");
    assert_eq!((logged(&sandbox, "published", "2.0.0"), logged(&sandbox, "withdrawn", "2.0.0")), (1, 1));
    for step in undone(&sandbox, "r") {
        assert_eq!(sandbox.count("r", "step_compensated", Some(&step)), 1, "{step}");
    }
}

/// Failing releases are killed at moments that are spread over all that one takes, there and back.
#[test]
fn a_failing_release_that_is_killed_at_any_moment_leaves_no_trace() {
    const ROUNDS: u32 = 8;
    let sandbox = sandbox();
    let fails = |run: &str, version: &str| {
        let version = format!("version={version}");
        ["run", FILE, "--id", run, "--input", &version, "--input", "fail_at=announce"].map(str::to_owned)
    };
    let (begun, first) = (Instant::now(), fails("whole", "0.0.0"));
    sandbox.json(3, &first.each_ref().map(String::as_str));
    let (whole, mut interrupted) = (begun.elapsed(), 0);
    for round in 1..=ROUNDS {
        let (run, version) = (format!("killed-{round}"), format!("0.0.{round}"));
        let start = fails(&run, &version);
        let start = start.each_ref().map(String::as_str);
        kill_after(&sandbox, &start, whole * round / ROUNDS);
        interrupted += u32::from(kill_after(&sandbox, &["resume", &run], whole / 3));
        let resumed = sandbox.reenact(&["resume", &run]);
        match resumed.code() {
            Some(3) => assert_eq!(sandbox.status(&run)["status"], "compensated"),
            // It was killed while it was announced: nobody knows whether somebody has read it.
            Some(5) => {
                assert!(sandbox.count(&run, "attempt_lost", Some("announce")) > 0, "{resumed}");
                continue;
            }
            // It was killed before there was a run.
            Some(2) => drop(sandbox.json(3, &start)),
            _ => panic!("{resumed}"),
        }
        assert!(!scratch(&sandbox).join(&run).exists(), "`{run}` left its folder");
        let published = scratch(&sandbox).join("registry/greeting").join(&version);
        assert!(!published.exists(), "`{run}` left its publication");
        assert_eq!(logged(&sandbox, "published", &version), logged(&sandbox, "withdrawn", &version));
    }
    assert!(interrupted > 0, "nothing was killed in its midst");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}
