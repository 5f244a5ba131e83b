//! Out of the work folder nothing leads, and nothing into the data folder.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode};

use super::*;

const READS: [&str; 3] = ["read", "list", "search"];

fn with(tool: &str, path: &str) -> Value {
    match tool {
        "search" => json!({"pattern": "tools", "path": path}),
        "write" => json!({"path": path, "content": "changed"}),
        "edit" => json!({"path": path, "old": "not", "new": "changed"}),
        "run" => json!({"command": "ls", "cwd": path}),
        "find" => json!({"pattern": "*", "path": path}),
        _ => json!({"path": path}),
    }
}

#[tokio::test]
async fn no_path_leads_out_and_none_into_the_data_folder() {
    let bench = Bench::new();
    bench.write("in/file", "not");
    bench.write("data/lock", "not for tools");
    symlink("../outside", bench.work("link")).unwrap();
    symlink("/", bench.work("root")).unwrap();
    symlink("../../outside/secret", bench.work("in/file_link")).unwrap();
    symlink(".reenact", bench.work("data_link")).unwrap();
    symlink("loop", bench.work("loop")).unwrap();
    let outside = bench.folder.path().join("outside/secret").display().to_string();
    let whole_data = bench.work(".reenact/lock").display().to_string();
    for path in [
        "..",
        "../outside/secret",
        "in/../../outside/secret",
        "in/../..",
        "/etc/passwd",
        "/",
        &outside,
        "link/secret",
        "root/etc/passwd",
        "in/file_link",
        ".reenact",
        ".reenact/lock",
        "in/../.reenact/lock",
        "data_link/lock",
        "data_link",
        &whole_data,
        "loop",
        "/proc/self/root/etc/passwd",
    ] {
        for tool in READS.into_iter().chain(["write", "edit", "find", "run"]) {
            let failure = bench.refused(tool, with(tool, path)).await;
            assert_eq!(failure.code, Code::ToolPath, "{tool} {path}: {failure}");
        }
    }
    assert_eq!(bench.text("../outside/secret"), "not for tools");
    assert_eq!(bench.text(".reenact/lock"), "not for tools");
    // Links that stay inside are as good as any path.
    symlink("in", bench.work("alias")).unwrap();
    symlink(bench.work("in/file"), bench.work("whole")).unwrap();
    for path in ["alias/file", "whole", "alias/../in/./file"] {
        assert_eq!(bench.good("read", json!({"path": path})).await["content"], "not", "{path}");
    }
    bench.good("write", json!({"path": "alias/file", "content": "through a link"})).await;
    assert_eq!(bench.text("in/file"), "through a link");
}

// The data folder may be called otherwise (`--data`), and be found by another name.
#[tokio::test]
async fn the_data_folder_is_known_whatever_it_is_called() {
    let bench = Bench::new();
    bench.write("state/lock", "not for tools");
    let tools = Tools::new(Settings::default(), Some(&bench.work("state")));
    let executors = Executors { tools: Arc::new(tools), ..Executors::default() };
    for (tool, path) in [("read", "state/lock"), ("list", "state"), ("write", "state/new")] {
        let executor = executors.of(&of(tool).unwrap().agent()).unwrap();
        let (_stop, stopped) = watch::channel(None);
        let context = Context::new(stopped, watch::channel(Progress::default()).0);
        let failure = executor.execute(bench.task(tool, &with(tool, path)), context).await.unwrap_err();
        assert_eq!(failure.code, Code::ToolPath, "{tool}: {failure}");
    }
    let executor = executors.of(&of("search").unwrap().agent()).unwrap();
    let (_stop, stopped) = watch::channel(None);
    let context = Context::new(stopped, watch::channel(Progress::default()).0);
    let found = executor.execute(bench.task("search", &json!({"pattern": "tools"})), context).await.unwrap();
    assert_eq!(found.output.value()["matches"], json!([]), "{}", found.output.text());
}

#[tokio::test]
async fn nothing_is_written_where_git_would_run_it() {
    let bench = Bench::new();
    bench.write(".git/config", "[core]\n");
    for path in [".git/hooks/pre-commit", ".git/config", ".GIT/config", "in/.git", "in/../.git/config"] {
        let failure = bench.refused("write", json!({"path": path, "content": "x"})).await;
        assert_eq!(failure.code, Code::ToolPath, "{path}: {failure}");
    }
    assert_eq!(bench.good("read", json!({"path": ".git/config"})).await["lines"], 1);
}

#[tokio::test]
async fn what_would_block_or_act_is_not_opened() {
    let bench = Bench::new();
    rustix::fs::mknodat(CWD, bench.work("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    std::os::unix::net::UnixListener::bind(bench.work("socket")).unwrap();
    // Not everybody may make a device, and the one that reads without end is as good as any.
    let zeros = rustix::fs::makedev(1, 5);
    let mode = Mode::from_raw_mode(0o600);
    let device = rustix::fs::mknodat(CWD, bench.work("zeros"), FileType::CharacterDevice, mode, zeros);
    for path in ["pipe", "socket"].into_iter().chain(device.is_ok().then_some("zeros")) {
        for tool in ["read", "write", "edit", "search"] {
            let failure = bench.refused(tool, with(tool, path)).await;
            assert_eq!(failure.code, Code::ToolNotThere, "{tool} {path}: {failure}");
        }
    }
    assert_eq!(bench.good("search", json!({"pattern": "x"})).await["matches"], json!([]));
    let listed = bench.good("list", json!({})).await;
    let first = &listed["entries"].as_array().unwrap()[..2];
    assert_eq!(first, [json!("pipe (no file)"), json!("socket (no file)")]);
}

#[tokio::test]
async fn what_may_not_be_read_is_said_to_be() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.write("locked/file", "x");
    let locked = bench.work("locked");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Who may do everything is refused nothing.
    let may = std::fs::read_dir(&locked).is_ok();
    let (read, listed) = (
        bench.call("read", json!({"path": "locked/file"})).await,
        bench.good("list", json!({"depth": 2})).await,
    );
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o700)).unwrap();
    match read {
        Ok(_) => assert!(may),
        Err(failure) => {
            assert!(!may);
            assert_eq!(failure.code, Code::ToolNotAllowed, "{failure}");
            assert!(listed["cut"].as_str().unwrap().contains("1 folders could not be read"), "{listed}");
        }
    }
}

/// Whoever swaps a folder for a link that leads out, again and again, gets nothing read or written outside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
    let bench = Arc::new(Bench::new());
    bench.write("swap/secret", "inside");
    bench.write("../outside/deep/secret", "not for tools");
    symlink("../outside", bench.work("spare")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (swapped, paths) = (Arc::clone(&over), (bench.work("swap"), bench.work("spare")));
    let swapper = std::thread::spawn(move || {
        let mut swaps = 0_u64;
        while !swapped.load(Ordering::Relaxed) {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(CWD, &paths.0, CWD, &paths.1, flags).unwrap();
            swaps += 1;
        }
        swaps
    });
    let (mut read, mut refused) = (0, 0);
    for round in 0..400 {
        for with in [
            ("read", json!({"path": "swap/secret"})),
            ("search", json!({"pattern": "not for tools", "path": "swap"})),
        ] {
            match bench.call(with.0, with.1).await {
                Ok(answer) => {
                    assert!(!answer.to_string().contains("not for tools\"}"), "{answer}");
                    assert!(!answer.to_string().contains("outside"), "{answer}");
                    read += 1;
                }
                Err(failure) => {
                    assert!([Code::ToolPath, Code::ToolNotThere].contains(&failure.code), "{failure}");
                    refused += 1;
                }
            }
        }
        let _ = bench.call("write", json!({"path": format!("swap/new{round}"), "content": "x"})).await;
    }
    over.store(true, Ordering::Relaxed);
    assert!(swapper.join().unwrap() > 100);
    assert!(read > 0 && refused > 0, "both happened: {read} {refused}");
    let outside: Vec<_> = std::fs::read_dir(bench.folder.path().join("outside")).unwrap().collect();
    assert_eq!(outside.len(), 2, "nothing was written there: {outside:?}");
    assert_eq!(bench.text("../outside/secret"), "not for tools");
}
