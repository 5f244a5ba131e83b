//! However an engine ends, nothing is lost, and the next one on its store goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reenact::prelude::*;

use super::kit::{GATED, Turnstile, current_thread, recorded};
use crate::support::wait_until;

/// The data folder of the process that is killed.
const FOLDER: &str = "REENACT_TEST_EMBED_FOLDER";

#[test]
fn an_engine_that_is_dropped_unclosed_has_crashed_and_the_next_goes_on() {
    let (folder, gate) = (tempfile::tempdir().unwrap(), Turnstile::new());
    current_thread(async {
        let engine = gate.added_to(Engine::open(folder.path())).start().await.unwrap();
        let run = engine.run(RunSpec::text(GATED).id("r").unwrap()).await.unwrap();
        recorded(&run, "attempt_started").await;
        let clone = engine.clone();
        drop(engine);
        assert!(run.status().await.is_ok(), "somebody has it still");
        let waits = run.outcome();
        drop(clone);
        assert_eq!(waits.await.unwrap_err().code, Code::ShuttingDown);

        let engine = gate.added_to(Engine::open(folder.path())).start().await.unwrap();
        assert_eq!(gate.holders(), 1, "the functions of the first are gone, and its threads with them");
        gate.open();
        let run = engine.handle(run.id());
        assert_eq!(run.outcome().await.unwrap().output::<usize>().unwrap(), 2);
        recorded(&run, "attempt_lost").await;
        engine.shut_down().await.unwrap();
    });
}

#[test]
fn what_a_killed_process_had_begun_goes_on_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embed::ends::is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("its function is called", || folder.path().join("called").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let gate = Turnstile::new();
    gate.open();
    current_thread(async {
        let engine = gate.added_to(Engine::open(folder.path().join("data"))).start().await.unwrap();
        let run = engine.find("killed").await.unwrap();
        // Nobody asks it to go on.
        recorded(&run, "run_completed").await;
        let kinds: Vec<_> =
            run.history(Version(0), 100).await.unwrap().into_iter().map(|line| line.kind).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "attempt_lost").count(), 1, "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| *kind == "attempt_started").count(), 2, "{kinds:?}");
        engine.shut_down().await.unwrap();
    });
}

#[test]
#[ignore = "it is the process that another test kills"]
fn is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let called = |folder: &Path| std::fs::write(folder.join("called"), "").unwrap();
    current_thread(async {
        let data = folder.join("data");
        let engine = Engine::open(data).function("gated", move || {
            called(&folder);
            std::future::pending::<Result<(), Failure>>()
        });
        let engine = engine.start().await.unwrap();
        engine.run(RunSpec::text(GATED).id("killed").unwrap()).await.unwrap();
        std::future::pending::<()>().await;
    });
}

#[test]
fn an_engine_that_shuts_down_lets_what_runs_end() {
    let (folder, gate) = (tempfile::tempdir().unwrap(), Turnstile::new());
    current_thread(async {
        let engine = gate.added_to(Engine::open(folder.path())).start().await.unwrap();
        let run = engine.run(RunSpec::text(GATED).id("r").unwrap()).await.unwrap();
        recorded(&run, "attempt_started").await;
        let (down, ()) = tokio::join!(engine.shut_down(), async { gate.open() });
        down.unwrap();
        let engine = gate.added_to(Engine::open(folder.path())).start().await.unwrap();
        assert_eq!(engine.handle(run.id()).outcome().await.unwrap().output::<usize>().unwrap(), 1);
        engine.shut_down().await.unwrap();
    });
}

#[test]
fn a_function_that_is_called_holds_up_neither_the_others_nor_who_asks() {
    current_thread(async {
        let engine = Engine::in_memory()
            .function("blocks", || async {
                std::thread::sleep(std::time::Duration::from_millis(100));
                Ok::<_, Failure>(())
            })
            .start()
            .await
            .unwrap();
        let run = engine.run(RunSpec::text("steps: [{id: a, agent: blocks}]")).await.unwrap();
        assert_eq!(run.status().await.unwrap().status.text(), "running");
        assert!(run.outcome().await.unwrap().is_good());
        engine.shut_down().await.unwrap();
    });
}
