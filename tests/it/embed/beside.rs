//! An engine holds its data folder like any holder: the command line and other programs work through it.

use reenact::prelude::*;

use super::kit::{Turnstile, current_thread};
use crate::support::Sandbox;

const ASKS: &str = "
name: asks
steps: [{id: publish, agent: publish, approve: before}]
output: '{{ steps.publish.output }}'
";

async fn publisher(sandbox: &Sandbox) -> Engine {
    let publish = || async { Ok::<_, Failure>("published") };
    Engine::open(sandbox.data()).function("publish", publish).start().await.unwrap()
}

#[test]
fn the_command_line_looks_at_and_answers_the_runs_of_an_open_engine() {
    let sandbox = Sandbox::new();
    current_thread(async {
        let engine = publisher(&sandbox).await;
        let run = engine.run(RunSpec::text(ASKS).id("asked").unwrap()).await.unwrap();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Waiting(_)));
        let seen = sandbox.status("asked");
        assert_eq!((seen["status"].as_str(), seen["driven"].as_bool()), (Some("waiting"), Some(true)));
        let printed: reenact::views::presenters::report::RunReport = serde_json::from_value(seen).unwrap();
        assert_eq!(
            serde_json::to_value(&printed).unwrap()["waiting_for"],
            serde_json::to_value(run.status().await.unwrap()).unwrap()["waiting_for"],
        );
        let ended = sandbox.reenact(&["approve", "asked", "publish", "--by", "ada"]);
        assert_eq!(ended.code(), Some(0), "{ended}");
        // It is the engine that goes on with it, which has the function.
        assert_eq!(run.outcome().await.unwrap().output::<String>().unwrap(), "published");
        assert_eq!(sandbox.status("asked")["output"], "published");
        engine.shut_down().await.unwrap();
    });
    assert_eq!(sandbox.status("asked")["status"], "completed", "the store was let go of");
}

#[test]
fn a_file_that_names_a_function_of_an_open_engine_is_run_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "publish.yaml",
        "name: publish\nsteps: [{id: publish, agent: publish}]\noutput: '{{ steps.publish.output }}'",
    );
    current_thread(async {
        let engine = publisher(&sandbox).await;
        let ran = sandbox.reenact(&["run", "publish.yaml", "--id", "beside"]);
        assert_eq!(ran.code(), Some(0), "{ran}");
        assert_eq!(sandbox.status("beside")["output"], "published");
        sandbox.write("unknown.yaml", "name: unknown\nsteps: [{id: publish, agent: publisj}]");
        let refused = sandbox.reenact(&["run", "unknown.yaml"]);
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr.contains("did you mean `publish`?"), "{refused}");
        engine.shut_down().await.unwrap();
    });
    let refused = sandbox.reenact(&["run", "publish.yaml"]);
    assert_eq!(refused.code(), Some(2), "nobody has the function any more: {refused}");
}

#[test]
fn a_store_that_is_held_is_refused_by_its_holders_name_and_worked_on_through_it() {
    let sandbox = Sandbox::new();
    current_thread(async {
        assert_eq!(Engine::connect(sandbox.data()).await.err().unwrap().code, Code::StoreNotHeld);
        let engine = publisher(&sandbox).await;
        let held = Engine::open(sandbox.data()).start().await.err().unwrap();
        assert_eq!(held.code, Code::StoreTaken, "{held}");
        assert!(held.message.contains(&format!("process {}", std::process::id())), "{held}");

        let other = Engine::connect(sandbox.data()).await.unwrap();
        let run = other.run(RunSpec::text(ASKS)).await.unwrap();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Waiting(_)));
        let mut events = run.events();
        assert_eq!(events.next().await.unwrap().unwrap().kind, "run_started");
        run.approve("publish").await.unwrap();
        assert_eq!(run.outcome().await.unwrap().output::<String>().unwrap(), "published");
        assert_eq!(run.history(Version(0), 1).await.unwrap()[0].kind, "run_started");
        other.shut_down().await.unwrap();
        assert!(run.status().await.is_ok(), "its holder is another");
        engine.shut_down().await.unwrap();
        assert_eq!(run.status().await.unwrap_err().code, Code::StoreNotHeld);
    });
}

#[test]
fn a_store_that_a_command_holds_is_refused_by_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write("nap.yaml", "name: nap\nsteps: [{id: nap, sleep: 1h}]");
    let holder = sandbox.spawn(&["run", "nap.yaml", "--id", "nap"]);
    crate::support::wait_until("the run is there", || {
        std::os::unix::net::UnixStream::connect(sandbox.data().join("control.sock")).is_ok()
    });
    current_thread(async {
        let held = Engine::open(sandbox.data()).start().await.err().unwrap();
        assert_eq!(held.code, Code::StoreTaken, "{held}");
        assert!(held.message.contains(&holder.pid().to_string()), "{held}");
        assert!(held.message.contains("run nap.yaml --id nap"), "{held}");
    });
    drop(holder);
}

#[test]
fn an_engine_whose_data_folder_is_removed_ends_and_says_so() {
    let sandbox = Sandbox::new();
    let gate = Turnstile::new();
    current_thread(async {
        let engine = gate.added_to(Engine::open(sandbox.data())).start().await.unwrap();
        let run = engine.run(RunSpec::text(super::kit::GATED)).await.unwrap();
        std::fs::rename(sandbox.data(), sandbox.root().join("elsewhere")).unwrap();
        assert_eq!(run.outcome().await.unwrap_err().code, Code::StoreGone);
        assert_eq!(run.status().await.unwrap_err().code, Code::StoreGone);
    });
}
