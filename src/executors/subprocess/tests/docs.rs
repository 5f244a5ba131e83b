//! The programs of docs/agents.md do what the page says.

use serde_json::json;

use super::*;
use crate::events::json::Json;
use crate::executors::Compensated;

const PAGE: &str = include_str!("../../../../docs/agents.md");

/// A project with a `dist/app` and the program that stands below `<!-- tested: NAME -->`.
pub(super) async fn project(name: &str) -> tempfile::TempDir {
    let (_, below) =
        PAGE.split_once(&format!("<!-- tested: {name} -->\n```")).expect("the page has no such example");
    let (_, code) = below.split_once('\n').unwrap();
    let (code, _) = code.split_once("\n```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Written by a program, because a file that this process has open for writing, in any thread, cannot be executed.
    let write = "mkdir bin dist; echo content >dist/app; printf '%s\\n' \"$1\" >\"$0\"; chmod +x \"$0\"";
    start(folder.path(), list(&["sh", "-c", write, name, code])).end().await.unwrap();
    folder
}

async fn ask(folder: &Path, command: &[&str], change: impl FnOnce(&mut Task)) -> Result<Output, Failure> {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    let mut task = task(folder, Work::default());
    task.idempotency_key = "key-1".into();
    change(&mut task);
    let agent = AgentDefinition { command, ..AgentDefinition::shell() };
    Attempt::start(SubprocessExecutor::new(&agent, Arc::new(options(folder))), task).end().await
}

#[tokio::test]
async fn the_shell_example_works() {
    let folder = project("bin/checksum").await;
    let output = ask(folder.path(), &["bin/checksum", "dist"], |_| {}).await.unwrap();
    assert_eq!(output.output.value(), json!({"files": 1}));
    assert_eq!(output.artifacts, ["checksums.txt"]);
    let failure = ask(folder.path(), &["bin/checksum", "nowhere"], |_| {}).await.unwrap_err();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (Code::ExitValidation, "exit 65: there is no folder nowhere")
    );
}

#[tokio::test]
async fn the_python_example_works_where_there_is_python() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let folder = project("bin/publish").await;
    let with = |text: &str| Json::parse(text).unwrap();
    let file = with(r#"{"file":"dist/app"}"#);
    let output = ask(folder.path(), &["bin/publish"], |task| task.work.with = file.clone()).await.unwrap();
    let published = output.output.value()["published"].as_str().unwrap().to_owned();
    assert_eq!(output.output.value(), json!({"published": published, "bytes": 8}));
    assert!(folder.path().join(&published).exists());
    let undo = |task: &mut Task| {
        task.purpose = Purpose::Compensate;
        task.idempotency_key = "key-2".into();
        task.work.with = file.clone();
        task.compensates = Some(Compensated { outcome: Undoes::Completed, output: Json::null() });
    };
    ask(folder.path(), &["bin/publish"], undo).await.unwrap();
    assert!(!folder.path().join(&published).exists());
    let absent = with(r#"{"file":"absent"}"#);
    let failure = ask(folder.path(), &["bin/publish"], |task| task.work.with = absent).await.unwrap_err();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (Code::ExitDependency, "exit 69: absent is not there")
    );
}
