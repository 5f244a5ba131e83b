//! Every tool as an agent's executor, in a folder of its own.

mod files;
mod folders;
mod programs;
mod shares;
mod web;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::events::ids::{Fence, StepId};
use crate::events::problem::Class;
use crate::events::run::Purpose;
use crate::executors::mask::Masks;
use crate::executors::{Executors, Progress, Stop as Why};
use crate::workflow::work::Work as Given;

/// Longer than anything takes; only what hangs meets it.
const LONG: Duration = Duration::from_secs(60);

/// A work folder with a data folder in it, and a folder beside it that is nobody's business.
struct Bench {
    folder: tempfile::TempDir,
    settings: Settings,
    masks: Masks,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder, settings: Settings::default(), masks: Masks::default() };
        for inner in ["work", "work/.reenact", "outside"] {
            std::fs::create_dir(bench.folder.path().join(inner)).unwrap();
        }
        bench.write("../outside/secret", "not for tools");
        bench.write(".reenact/lock", "not for tools");
        bench
    }

    fn work(&self, path: &str) -> PathBuf {
        self.folder.path().join("work").join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.work(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.work(path)).unwrap()
    }

    fn task(&self, tool: &str, with: &Value) -> Task {
        Task {
            run: RunId::parse("r1").unwrap(),
            step: StepId::parse("call").unwrap(),
            attempt: 1,
            generation: 1,
            fence: Fence(1),
            idempotency_key: format!("key-{}", self.folder.path().display()).into(),
            purpose: Purpose::Do,
            agent: AgentName::new(tool),
            work_folder: self.work("").to_str().unwrap().trim_end_matches('/').into(),
            work: Given { with: Json::from(with), ..Given::default() },
            compensates: None,
            context: Default::default(),
            contexts: Default::default(),
            locks: Default::default(),
            messages: Vec::new(),
            schema: None,
            turn: None,
            nth: 1,
            within: None,
            conversation: None,
        }
    }

    fn executor(&self, tool: &str) -> Arc<dyn Executor> {
        let options = subprocess::Options { masks: self.masks.clone(), ..subprocess::Options::default() };
        let tools = Tools::new(self.settings.clone(), Some(&self.work(".reenact")));
        let executors =
            Executors { subprocess: Arc::new(options), tools: Arc::new(tools), ..Executors::default() };
        executors.of(&of(tool).unwrap().agent()).unwrap()
    }

    async fn make(&self, task: Task) -> Result<Output, Failure> {
        let (_stop, stopped) = watch::channel(None);
        let context = Context::new(stopped, watch::channel(Progress::default()).0);
        let tool = task.agent.to_string();
        tokio::time::timeout(LONG, self.executor(&tool).execute(task, context)).await.expect("it hangs")
    }

    async fn call(&self, tool: &str, with: Value) -> Result<Value, Failure> {
        self.make(self.task(tool, &with)).await.map(|output| output.output.value())
    }

    async fn good(&self, tool: &str, with: Value) -> Value {
        self.call(tool, with).await.unwrap()
    }

    async fn refused(&self, tool: &str, with: Value) -> Failure {
        match self.call(tool, with.clone()).await {
            Err(failure) => failure,
            Ok(answer) => panic!("{tool} {with}: {answer}"),
        }
    }
}

#[test]
fn every_tool_is_found_by_its_name_and_by_those_of_others() {
    for tool in &TOOLS {
        for spelled in [tool.name.to_owned(), tool.name.to_uppercase(), tool.name.replace('_', "-")] {
            assert_eq!(of(&spelled).unwrap().name, tool.name);
        }
        let agent = tool.agent();
        assert_eq!(agent.check_usable(), Ok(()));
        assert_eq!(serde_json::from_str::<AgentDefinition>(agent.recorded().text()).unwrap(), agent);
        // As a file could say it: a schema, of an object.
        let mut file = AgentDefinition::named(AgentName::new("of_a_file"));
        assert_eq!(file.set("input", tool.input()), Ok(true), "{}", tool.name);
    }
    for (other, name) in [
        ("Read", "read"),
        ("Write", "write"),
        ("Edit", "edit"),
        ("MultiEdit", "edit"),
        ("LS", "list"),
        ("Glob", "find"),
        ("Grep", "search"),
        ("Bash", "run"),
        ("WebFetch", "fetch"),
        ("Task", "ask_agent"),
        ("ask agent", "ask_agent"),
        ("Git-Diff", "git_diff"),
    ] {
        assert_eq!(of(other).map(|tool| tool.name), Some(name), "{other}");
    }
    // What is narrower than a tool here is none: it would allow more than was said.
    assert!(of("Bash(git diff:*)").is_none() && of("nothing").is_none());
    let mut names: Vec<String> = TOOLS
        .iter()
        .flat_map(|tool| [tool.name].into_iter().chain(tool.aliases.iter().copied()))
        .map(|name| AgentName::new(name).key())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "no name means two");
}

#[test]
fn the_page_of_tools_tells_what_each_takes_and_may_do() {
    let page = include_str!("../../../docs/tools.md");
    for tool in &TOOLS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", tool.name)));
        let row = row.unwrap_or_else(|| panic!("`{}` has no row", tool.name));
        for key in tool.input()["properties"].as_object().unwrap().keys() {
            assert!(row.contains(&format!("`{key}`")), "{}: {key}", tool.name);
        }
        let may = match tool.may {
            May::Look => "look |",
            May::Change => "change files |",
            May::Run => "run programs |",
            May::Reach => "ask over the network |",
            May::Share => "change what agents share |",
            May::Ask => "have an agent do something |",
        };
        assert!(row.ends_with(may), "{}: {row}", tool.name);
    }
}

#[tokio::test]
async fn every_tool_refuses_what_does_not_fit() {
    let bench = Bench::new();
    for tool in &TOOLS {
        for with in [json!([]), json!("x"), json!({"no_such_argument": 1})] {
            let failure = bench.refused(tool.name, with.clone()).await;
            assert_eq!(failure.code, Code::ToolInput, "{} {with}: {failure}", tool.name);
            assert_eq!(failure.class, Class::Validation);
        }
    }
    let failure = bench.refused("read", json!({"path": 7})).await;
    assert!(failure.message.contains("`input.path`"), "{failure}");
}

#[tokio::test]
async fn what_only_a_model_calls_does_no_step_and_what_is_not_there_is_refused() {
    let bench = Bench::new();
    let failure = bench.refused("ask_agent", json!({"agent": "a", "prompt": "p"})).await;
    assert_eq!(failure.code, Code::ToolOfLoop);
    let failure = bench.refused("handoff", json!({"to": "a", "reason": "r", "context": {"k": 1}})).await;
    assert_eq!(failure.code, Code::ToolOfLoop);
    let newer =
        AgentDefinition { executor: ExecutorKind::Tool, ..AgentDefinition::named(AgentName::new("fly")) };
    let refused = Executors::default().of(&newer).map(drop).unwrap_err();
    assert_eq!(refused.code, Code::NoSuchTool);
}

#[tokio::test]
async fn no_tool_tells_a_secret() {
    let mut bench = Bench::new();
    bench.masks = Masks::default().and([("TOKEN", &b"s3cret-value"[..])]);
    bench.write("a.txt", "the token is s3cret-value\n");
    for (tool, with) in [
        ("read", json!({"path": "a.txt"})),
        ("search", json!({"pattern": "token"})),
        ("run", json!({"command": "cat a.txt; echo s3cret-value >&2"})),
        ("run", json!({"command": ["echo", "ARTIFACT: s3cret-value"]})),
    ] {
        let output = bench.make(bench.task(tool, &with)).await.unwrap();
        let all = format!("{output:?}");
        assert!(all.contains("[TOKEN]") && !all.contains("s3cret-value"), "{tool}: {all}");
    }
    let failure = bench.refused("read", json!({"path": "s3cret-value"})).await;
    assert!(!failure.message.contains("s3cret-value"), "{failure}");
}

#[tokio::test]
async fn a_call_that_is_stopped_ends() {
    let bench = Bench::new();
    let (stop, stopped) = watch::channel(None);
    let context = Context::new(stopped, watch::channel(Progress::default()).0);
    let task = bench.task("run", &json!({"command": "echo begun > begun; exec sleep 1000"}));
    let executor = bench.executor("run");
    let attempt = tokio::spawn(async move { executor.execute(task, context).await });
    let begun = bench.work("begun");
    tokio::time::timeout(LONG, async {
        while !begun.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    stop.send_replace(Some(Why::Cancelled));
    let failure = tokio::time::timeout(LONG, attempt).await.unwrap().unwrap().unwrap_err();
    assert_eq!(failure.code, Code::Cancelled);
}

#[tokio::test]
async fn a_file_is_not_changed_after_its_call_has_ended() {
    let bench = Bench::new();
    let mut ended = Vec::new();
    for round in 0..50 {
        let (_stop, stopped) = watch::channel(Some(Why::TimedOut));
        let context = Context::new(stopped, watch::channel(Progress::default()).0);
        let path = format!("file{round}");
        let task = bench.task("write", &json!({"path": path, "content": "x".repeat(100_000)}));
        let executor = bench.executor("write");
        let result = tokio::time::timeout(LONG, executor.execute(task, context)).await.unwrap();
        ended.push((path, result.is_ok()));
    }
    // What was late has come by now, of most of them.
    for (path, is_written) in ended {
        assert_eq!(bench.work(&path).exists(), is_written, "it is known what became of {path}");
    }
    let (_stop, stopped) = watch::channel(Some(Why::TimedOut));
    let context = Context::new(stopped, watch::channel(Progress::default()).0);
    let task = bench.task("find", &json!({"pattern": "*"}));
    let failure = bench.executor("find").execute(task, context).await.unwrap_err();
    assert_eq!(failure.code, Code::TimedOut);
}
