//! Many who take tasks at once, some of whom forget what they took, while the engine ends again and again: each task is done once,
//! and none is lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reenact::api::engine::tasks::NextTask;
use reenact::prelude::*;
use reenact::testing::Dice;
use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

const WORKERS: u64 = 64;

/// How many tasks there are; `REENACT_TASKS=10000` hands out more.
const TASKS: usize = 600;

/// How often the engine ends meanwhile.
const LIVES: usize = 4;

const AGENT: &str = "---\nname: clerk\ndescription: Does it\nexecutor: external\n---\n";

fn tasks() -> usize {
    std::env::var("REENACT_TASKS").ok().and_then(|tasks| tasks.parse().ok()).unwrap_or(TASKS)
}

/// Takes tasks until the engine ends, or all are done. One in ten is forgotten, and one in twenty given up.
async fn work(engine: Engine, number: u64, answered: Arc<Mutex<HashMap<u64, u32>>>, left: Arc<AtomicUsize>) {
    let mut dice = Dice::of(number);
    let me = format!("w{number}");
    while left.load(Ordering::SeqCst) > 0 {
        let length = Duration::from_millis(if dice.one_in(10) { 30 } else { 20_000 });
        let next = NextTask::of("clerk").by(&me).lease(length).wait(Duration::from_millis(200));
        let task = match engine.next_task(next).await {
            Ok(Some(task)) => task,
            Ok(None) => continue,
            Err(problem) if problem.code == Code::ShuttingDown => return,
            Err(problem) => panic!("{problem}"),
        };
        let item = task.input.value()["item"].as_u64().unwrap();
        if length < Duration::from_secs(1) {
            continue;
        }
        match engine.complete_task(&task.id, &json!({ "item": item })).await {
            Ok(_) => {
                *answered.lock().unwrap().entry(item).or_default() += 1;
                left.fetch_sub(1, Ordering::SeqCst);
            }
            // On a busy machine the lease may be over before the answer comes: then it is somebody else's.
            Err(problem) if problem.code == Code::LeaseOver => continue,
            // It may be recorded all the same: who is not answered does not know.
            Err(problem) if problem.code == Code::ShuttingDown => return,
            Err(problem) => panic!("{problem}"),
        }
    }
}

#[test]
fn sixty_four_who_take_tasks_do_each_once_and_none_is_lost() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/clerk.md", AGENT);
    let file = "name: many\nsteps: [{id: all, agent: clerk, for_each: 'input.items', with: {item: '{{ item }}'}}]\noutput: '{{ steps.all.output }}'";
    let file = sandbox.write("many.yaml", file);
    let count = tasks();
    let items: Vec<usize> = (0..count).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let answered = Arc::new(Mutex::new(HashMap::new()));
    let left = Arc::new(AtomicUsize::new(count));
    runtime.block_on(async {
        for life in 0.. {
            let engine = Engine::open(sandbox.data()).start().await.unwrap();
            let spec = RunSpec::file(&file).id("r").unwrap().input(&json!({ "items": items })).unwrap();
            let run = engine.run(spec).await.unwrap();
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| {
                    let number = worker + 1_000 * life as u64;
                    tokio::spawn(work(engine.clone(), number, Arc::clone(&answered), Arc::clone(&left)))
                })
                .collect();
            if life < LIVES {
                let enough = count - count * (life + 1) / (LIVES + 1);
                while left.load(Ordering::SeqCst) > enough {
                    tokio::task::yield_now().await;
                }
                engine.shut_down().await.unwrap();
            }
            for worker in workers {
                worker.await.unwrap();
            }
            // What was recorded and not answered is done as well.
            if life < LIVES {
                let engine = Engine::open(sandbox.data()).start().await.unwrap();
                let report = engine.find("r").await.unwrap().status().await.unwrap();
                left.store(report.progress.total - report.progress.done - 1, Ordering::SeqCst);
                engine.shut_down().await.unwrap();
                continue;
            }
            let outcome = run.outcome().await.unwrap();
            let output: Vec<Value> = outcome.output().unwrap();
            assert_eq!(output, items.iter().map(|item| json!({ "item": item })).collect::<Vec<_>>());
            let twice: Vec<_> = answered
                .lock()
                .unwrap()
                .iter()
                .filter(|(_, times)| **times > 1)
                .map(|(item, _)| *item)
                .collect();
            assert!(twice.is_empty(), "these were done twice: {twice:?}");
            assert!(engine.tasks(None).await.unwrap().is_empty());
            engine.shut_down().await.unwrap();
            break;
        }
    });
}

/// How many shells take tasks with the real binary, and how many tasks there are.
const SHELLS: usize = 6;
const KILLED_TASKS: usize = 40;

/// Takes tasks and answers them. One command in three is killed after 10 to 99 ms: whoever holds the store then, too.
const SHELL: &str = r#"
me=$1; reenact=$2
run() {
  if (( RANDOM % 3 == 0 )); then timeout -s KILL 0.0$((RANDOM % 90 + 10)) "$reenact" "$@"; else "$reenact" "$@"; fi
}
until test -e done; do
  task=$(run --json tasks next --agent clerk --lease 3s --by "$me" 2>/dev/null)
  id=$(printf %s "$task" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p')
  item=$(printf %s "$task" | sed -n 's/.*"input":{"item":\([0-9]*\)}.*/\1/p')
  if test -n "$id"; then printf '{"item": %s}' "$item" | run --json tasks complete "$id" >/dev/null 2>&1; fi
done
"#;

#[test]
fn whoever_is_killed_each_task_is_done_once_and_none_is_lost() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/clerk.md", AGENT);
    sandbox.write("work.sh", SHELL);
    let file = "name: many\nsteps: [{id: all, agent: clerk, for_each: 'input.items', with: {item: '{{ item }}'}}]\noutput: '{{ steps.all.output }}'";
    sandbox.write("many.yaml", file);
    let items: Vec<usize> = (0..KILLED_TASKS).collect();
    let input = format!("items:={}", json!(items));
    sandbox.json(4, &["run", "many.yaml", "--id", "r", "--input", &input]);
    let shells: Vec<_> = (0..SHELLS)
        .map(|shell| {
            let mut command = std::process::Command::new("bash");
            let reenact = env!("CARGO_BIN_EXE_reenact");
            command.args(["work.sh", &format!("w{shell}"), reenact]).current_dir(sandbox.work(""));
            sandbox.start(with_environment(command, &sandbox))
        })
        .collect();
    wait_until("all tasks are done", || sandbox.json(0, &["tasks"])["tasks"] == json!([]));
    sandbox.write("done", "");
    for shell in shells {
        assert_eq!(shell.wait().code(), Some(0));
    }
    let report = sandbox.json(0, &["resume", "r"]);
    let expected: Vec<_> = items.iter().map(|item| json!({ "item": item })).collect();
    assert_eq!(report["output"], json!(expected));
    assert_eq!(sandbox.count("r", "task_offered", None), KILLED_TASKS, "each attempt was made once");
    let done = sandbox.events("r", "step_completed");
    let attempts: Vec<_> = done.iter().filter(|done| done["data"]["attempt"] == 1).collect();
    assert_eq!(attempts.len(), KILLED_TASKS);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// The environment that the binary has in a sandbox.
fn with_environment(mut command: std::process::Command, sandbox: &Sandbox) -> std::process::Command {
    let of = sandbox.command(&[]);
    command.env_clear();
    for (name, value) in of.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}
