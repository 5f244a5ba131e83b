//! What runs are started with.

use async_trait::async_trait;
use reenact::api::spec::Workflow;
use reenact::executors::{Context, Output, Task};
use reenact::prelude::*;
use reenact::workflow::parse::{Known, parse};

use super::kit::current_thread;

const ECHO: &str = "
name: echo
input: {type: object, properties: {word: {type: string}, times: {type: integer, default: 2}}, required: [word]}
steps: [{id: say, agent: echo, with: '{{ input }}'}]
output: '{{ steps.say.output }}'
";

/// An agent of the program's own.
struct Echo;

#[async_trait]
impl Executor for Echo {
    async fn execute(&self, task: Task, _: Context) -> Result<Output, Failure> {
        Ok(Output { output: task.work.with, ..Output::default() })
    }
}

async fn echo() -> Engine {
    let agent = AgentDefinition { concurrency: Some(1), ..AgentDefinition::named(AgentName::new("echo")) };
    Engine::in_memory().agent(agent, Echo).start().await.unwrap()
}
use reenact::events::ids::AgentName;

#[test]
fn a_file_a_text_and_a_definition_are_started_alike() {
    current_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("echo.yaml");
        std::fs::write(&file, ECHO).unwrap();
        let definition = parse(ECHO, "echo.yaml", &Known::default()).unwrap().definition;
        let engine = echo().await;
        for spec in [RunSpec::file(&file), RunSpec::text(ECHO), RunSpec::of(&definition)] {
            let spec = spec.input(&serde_json::json!({"word": "hello"})).unwrap();
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<RunSpec>(&json).unwrap(), spec, "it travels whole");
            let run = engine.run(spec).await.unwrap();
            let said: serde_json::Value = run.outcome().await.unwrap().output().unwrap();
            assert_eq!(said, serde_json::json!({"word": "hello", "times": 2}));
        }
    });
}

#[test]
fn one_that_is_resolved_begins_many_runs_and_reads_nothing_again() {
    current_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("echo.yaml");
        std::fs::write(&file, ECHO).unwrap();
        let engine = echo().await;
        let spec = RunSpec::file(&file).input(&serde_json::json!({"word": "x"})).unwrap();
        let spec = engine.resolve(spec).await.unwrap();
        assert!(matches!(spec.workflow, Workflow::Resolved(_)));
        std::fs::remove_file(&file).unwrap();
        for word in ["a", "b"] {
            let spec = spec.clone().input(&serde_json::json!({ "word": word })).unwrap();
            let outcome = engine.run(spec).await.unwrap().outcome().await.unwrap();
            assert_eq!(outcome.output::<serde_json::Value>().unwrap()["word"], word);
        }
        let refused = engine.run(spec.input(&serde_json::json!({"word": 1})).unwrap()).await.err().unwrap();
        assert_eq!(refused.code, Code::BadInput, "the schema holds whatever was resolved before");
    });
}

#[test]
fn all_that_is_wrong_with_one_is_told_and_nothing_is_recorded() {
    current_thread(async {
        let engine = echo().await;
        let wrong = RunSpec::text("steps: [{id: a, agent: nobody}, {id: b, needs: [c], agent: ecko}]");
        let problems = engine.resolve(wrong.clone()).await.unwrap_err();
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [Code::UnknownAgent, Code::UnknownStep, Code::UnknownAgent]);
        let helps = format!("{:?}", problems[2].remedies);
        assert!(helps.contains("`echo`"), "{helps}");
        assert_eq!(engine.run(wrong).await.err().unwrap(), problems[0]);
        for (spec, code) in [
            (RunSpec::file("/nowhere/w.yaml"), Code::FileNotRead),
            (RunSpec::text(ECHO), Code::BadInput),
            (RunSpec::text("steps: [{id: a, run: 'true'}]").until("b"), Code::NoSuchStep),
            (RunSpec::text("steps: [{id: a, run: 'true'}]").parallel(0), Code::BadRequest),
            (RunSpec::text("steps: [{id: a, run: 'true'}]").tag("", "x"), Code::BadRequest),
        ] {
            let problem = engine.run(spec).await.err().unwrap();
            assert_eq!(problem.code, code);
            assert!(!problem.message.contains("--"), "an option of the command line: {problem}");
        }
        let no_agent =
            parse("steps: [{id: a, agent: nobody}]", "w.yaml", &Known::default()).unwrap().definition;
        let problem = engine.run(RunSpec::of(&no_agent)).await.err().unwrap();
        assert_eq!((problem.code, problem.at), (Code::UnknownAgent, None));
        assert_eq!(RunSpec::text("").id("a/b").unwrap_err().code, Code::BadRunId);
        assert_eq!(RunSpec::text("").input(&f64::NAN).map(|spec| spec.input.is_null()).ok(), Some(true));
        assert!(engine.list(Default::default()).await.unwrap().is_empty());
    });
}

#[test]
fn the_same_start_is_the_same_run_and_another_with_its_id_is_refused() {
    current_thread(async {
        let engine = echo().await;
        let spec = RunSpec::text(ECHO).input(&serde_json::json!({"word": "x"})).unwrap().id("once").unwrap();
        let first = engine.run(spec.clone()).await.unwrap();
        first.outcome().await.unwrap().output::<serde_json::Value>().unwrap();
        let version = first.status().await.unwrap().version;
        let again = engine.run(spec.clone()).await.unwrap();
        assert_eq!(again.status().await.unwrap().version, version);
        let other = spec.input(&serde_json::json!({"word": "y"})).unwrap();
        assert_eq!(engine.run(other).await.err().unwrap().code, Code::RunIdTaken);
    });
}

#[test]
fn a_file_with_the_name_of_a_function_says_more_of_it_and_another_agent_of_that_name_is_hidden() {
    current_thread(async {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("agents")).unwrap();
        let agent = |name: &str, text: &str| {
            std::fs::write(folder.path().join("agents").join(name), text).unwrap();
        };
        agent("echo.md", "---\nname: echo\ndescription: says it\nexecutor: function\nconcurrency: 3\n---\n");
        agent("quiet.md", "---\nname: quiet\ndescription: a program\ncommand: ['false']\n---\n");
        let engine = Engine::in_memory()
            .agent(AgentDefinition::named(AgentName::new("echo")), Echo)
            .function("quiet", || async { Ok::<_, Failure>("the function") })
            .work_folder(folder.path());
        let engine = engine.start().await.unwrap();
        let workflow = "steps: [{id: a, agent: echo}, {id: b, agent: quiet}]\noutput: '{{ steps.b.output }}'";
        let spec = engine.resolve(RunSpec::text(workflow)).await.unwrap();
        let Workflow::Resolved(resolved) = &spec.workflow else { panic!("it is resolved") };
        let echo = resolved.root.agents.iter().find(|(name, _)| name.as_str() == "echo").unwrap();
        assert_eq!(echo.1.value()["concurrency"], 3);
        let outcome = engine.run(spec).await.unwrap().outcome().await.unwrap();
        assert_eq!(outcome.output::<String>().unwrap(), "the function");
    });
}
