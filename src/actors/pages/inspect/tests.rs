use std::fs;
use std::process::Command as Std;

use tempfile::TempDir;

use super::*;
use crate::executors::inspection::SAID_BYTES_MAX;

fn inspector(check: &[&str]) -> Inspector {
    let environment = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
    Inspector {
        check: check.iter().map(|part| (*part).to_owned()).collect(),
        environment,
        ..Inspector::default()
    }
}

/// A folder that no repository holds, wherever temporary files lie.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn git(folder: &TempDir, arguments: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
    let ran = Std::new("git").args(who).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[tokio::test]
async fn a_repository_is_clean_until_a_file_differs() {
    let folder = folder();
    git(&folder, &["init", "-q", "-b", "main"]);
    fs::write(folder.path().join("kept"), "1").unwrap();
    git(&folder, &["add", "kept"]);
    git(&folder, &["commit", "-q", "-m", "first"]);
    let clean = inspector(&[]).repository(folder.path()).await.unwrap();
    assert_eq!((clean.branch.as_deref(), clean.changes.len()), (Some("main"), 0));
    assert_eq!(clean.head.unwrap().len(), 40);
    fs::write(folder.path().join("kept"), "2").unwrap();
    fs::write(folder.path().join("new"), "").unwrap();
    let changes = inspector(&[]).repository(folder.path()).await.unwrap().changes;
    let expected = [(".M", "kept"), ("??", "new")];
    assert_eq!(changes, expected.map(|(how, path)| (how.to_owned(), path.to_owned())));
}

/// A repository of which a file is not what was committed, though it has the same length: only its content tells.
fn changed() -> TempDir {
    let folder = folder();
    git(&folder, &["init", "-q"]);
    fs::write(folder.path().join("kept"), "1").unwrap();
    fs::write(folder.path().join(".gitattributes"), "* filter=f\n").unwrap();
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-q", "-m", "first"]);
    fs::write(folder.path().join("kept"), "2").unwrap();
    folder
}

/// A program that leaves a trace in a folder.
fn trace(folder: &TempDir) -> String {
    format!("touch {}/ran; cat", folder.path().display())
}

fn has_run(folder: &TempDir) -> bool {
    folder.path().join("ran").exists()
}

#[tokio::test]
async fn what_a_repository_configures_is_not_run_by_a_look_at_it() {
    for key in
        ["core.fsmonitor", "filter.f.clean", "filter.f.process", "core.pager", "pager.status", "alias.status"]
    {
        let folder = changed();
        git(&folder, &["config", key, &trace(&folder)]);
        git(&folder, &["config", "filter.f.required", "true"]);
        let found = inspector(&[]).repository(folder.path()).await.unwrap();
        assert!(!has_run(&folder), "{key}");
        assert_eq!(found.changes, [(".M".to_owned(), "kept".to_owned())], "{key}");
    }
}

#[tokio::test]
async fn a_hook_is_not_run_by_a_look() {
    let folder = changed();
    for hook in ["post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction"] {
        let hook = folder.path().join(".git/hooks").join(hook);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{}\n", trace(&folder))).unwrap();
        fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    inspector(&[]).repository(folder.path()).await.unwrap();
    assert!(!has_run(&folder));
}

/// `git -c filter.a=b.clean=` sets `filter.a`.
#[tokio::test]
async fn a_repository_with_a_filter_that_cannot_be_overridden_is_not_looked_at() {
    let folder = changed();
    fs::write(folder.path().join(".gitattributes"), "* filter=a=b\n").unwrap();
    git(&folder, &["config", "filter.a=b.clean", &trace(&folder)]);
    let found = inspector(&[]).repository(folder.path()).await;
    assert!(!has_run(&folder));
    assert!(found.unwrap_err().contains("a filter whose name"));
}

#[tokio::test]
async fn what_a_submodule_configures_is_not_run_by_a_look_at_what_it_lies_in() {
    let (folder, inner) = (folder(), changed());
    git(&folder, &["init", "-q"]);
    git(
        &folder,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            inner.path().to_str().unwrap(),
            "sub",
        ],
    );
    git(&folder, &["commit", "-q", "-m", "first"]);
    git(&folder, &["-C", "sub", "config", "filter.f.clean", &trace(&folder)]);
    git(&folder, &["-C", "sub", "config", "core.fsmonitor", &trace(&folder)]);
    fs::write(folder.path().join("sub/kept"), "3").unwrap();
    let found = inspector(&[]).repository(folder.path()).await.unwrap();
    assert!(!has_run(&folder));
    assert_eq!(found.changes, []);
}

/// A clone without all its objects would fetch what is missing, by a program that it names.
#[tokio::test]
async fn nothing_is_fetched_for_a_look() {
    let folder = folder();
    git(&folder, &["init", "-q"]);
    let (old, lines) = (folder.path().join("old"), (0..50).map(|line| format!("{line}\n")));
    fs::write(&old, lines.collect::<String>()).unwrap();
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-q", "-m", "first"]);
    // Whether a file that is new is like one that is gone is seen in the content of both.
    let blob = Std::new("git").args(["rev-parse", "HEAD:old"]).current_dir(folder.path()).output().unwrap();
    let blob = String::from_utf8(blob.stdout).unwrap();
    fs::write(&old, format!("{}more\n", fs::read_to_string(&old).unwrap())).unwrap();
    git(&folder, &["mv", "old", "new"]);
    git(&folder, &["add", "."]);
    let program = folder.path().join("fetch");
    fs::write(&program, format!("#!/bin/sh\n{}\n", trace(&folder))).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (key, value) in [
        ("remote.origin.url", format!("ext::{} x", program.display()).as_str()),
        ("remote.origin.promisor", "true"),
        ("protocol.ext.allow", "always"),
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
    ] {
        git(&folder, &["config", key, value]);
    }
    fs::remove_file(folder.path().join(".git/objects").join(&blob[..2]).join(blob[2..].trim())).unwrap();
    let _ = inspector(&[]).repository(folder.path()).await;
    assert!(!has_run(&folder));
}

#[tokio::test]
async fn where_there_is_no_repository_or_no_git_it_says_so() {
    let folder = folder();
    let none = inspector(&[]).repository(folder.path()).await;
    assert_eq!(none.unwrap_err(), "the folder is in no repository");
    let gone = inspector(&[]).repository(&folder.path().join("gone")).await;
    assert_eq!(gone.unwrap_err(), "the folder is not there");
    let nothing = Inspector { environment: [("PATH".into(), "/nowhere".into())].into(), ..inspector(&[]) };
    assert_eq!(nothing.repository(folder.path()).await.unwrap_err(), "there is no `git` on this machine");
}

#[tokio::test]
async fn a_check_is_run_in_the_folder_and_says_how_it_ended() {
    let folder = folder();
    let check = inspector(&["sh", "-c", "pwd; echo score: 7; echo odd >&2; exit 3"]);
    let found = check.check(folder.path()).await.unwrap();
    assert_eq!((found.end.as_str(), found.is_good, found.score().as_deref()), ("exit 3", false, Some("7")));
    assert!(found.output.starts_with(folder.path().to_str().unwrap()), "{found:?}");
    assert!(inspector(&[]).check(folder.path()).await.is_none());
    let missing = inspector(&["no-such-program"]).check(folder.path()).await.unwrap();
    assert!(!missing.is_good && missing.end.starts_with("it could not be run"), "{missing:?}");
}

#[tokio::test]
async fn what_says_too_much_is_read_to_its_end_and_cut() {
    let found = inspector(&["sh", "-c", "yes | head -c 3000000"]).check(folder().path()).await.unwrap();
    assert_eq!((found.end.as_str(), found.output.len()), ("exit 0", SAID_BYTES_MAX as usize));
}

#[tokio::test]
async fn what_does_not_end_is_ended_with_all_that_it_started() {
    let folder = folder();
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 600 & echo $! > helper; wait"]);
    // Long enough that the helper is there when the time is over: else there is nothing to find.
    let ran = inspector(&[]).programs().run(command, folder.path(), Duration::from_secs(1)).await;
    assert!(matches!(ran, Err(NoRun::TimedOut(_))));
    let helper = fs::read_to_string(folder.path().join("helper")).unwrap();
    // Dead, or on its way to be taken off the list by who adopted it.
    let is_gone = || match fs::read_to_string(format!("/proc/{}/stat", helper.trim())) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => true,
    };
    let gone = async {
        while !is_gone() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
}
