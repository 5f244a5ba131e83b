//! What goes in and what comes out.

use serde_json::{Value, json};

use super::*;
use crate::events::json::Json;
use crate::events::problem::Class;
use crate::executors::Compensated;

#[tokio::test]
async fn a_list_is_executed_as_it_is() {
    assert_eq!(stdout_of(list(&["printf", "%s|", "$HOME", "a b", "*", ""])).await, "$HOME|a b|*||");
}

#[tokio::test]
async fn a_text_is_run_by_the_shell() {
    assert_eq!(stdout_of(shell("for n in 1 2; do echo $n; done; printf '%s' \"$0\"")).await, "1\n2\nsh");
}

#[tokio::test]
async fn stdin_holds_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work {
        with: Json::parse("{\"n\":12345678901234567890123}").unwrap(),
        prompt: Some("Publish.".to_owned()),
        ..shell("cat")
    };
    let output = start(folder.path(), work).end().await.unwrap().output;
    let key = format!("key-of-{}", folder.path().display());
    assert_eq!(
        output.text(),
        format!(
            "{{\"run\":\"r1\",\"step\":\"build[0]\",\"attempt\":2,\"generation\":3,\"idempotency_key\":\"{key}\",\
             \"agent\":{{\"name\":\"shell\",\"description\":\"Runs the programs of steps with `run`\",\"system\":\"\"}},\
             \"input\":{{\"n\":12345678901234567890123}},\"prompt\":\"Publish.\",\"context\":{{}},\"messages\":[],\"files\":[],\
             \"purpose\":\"do\"}}"
        )
    );
}

#[tokio::test]
async fn a_compensation_is_told_what_it_undoes() {
    let folder = tempfile::tempdir().unwrap();
    let compensates = Some(Compensated { outcome: Undoes::Unknown, output: Json::parse("[7]").unwrap() });
    let task = Task {
        purpose: Purpose::Compensate,
        compensates,
        ..task(
            folder.path(),
            shell("cat; made=$REENACT_PURPOSE-$REENACT_OUTCOME; touch $made; echo \"ARTIFACT: $made\""),
        )
    };
    let executor = SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options(folder.path())));
    let output = Attempt::start(executor, task).end().await.unwrap();
    let document = output.output.value();
    assert_eq!(
        (&document["outcome"], &document["output"], &document["input"]),
        (&json!("unknown"), &json!([7]), &json!({}))
    );
    assert_eq!(output.artifacts, ["compensate-unknown"]);
}

#[tokio::test]
async fn a_big_document_and_a_big_answer_do_not_wait_for_each_other() {
    let prompt = "x".repeat(3 * 1024 * 1024);
    let echoed = run(Work { prompt: Some(prompt.clone()), ..shell("cat") }).await.unwrap();
    assert_eq!(echoed.output.value()["prompt"], Value::String(prompt));
}

#[tokio::test]
async fn a_document_that_nobody_reads_is_fine() {
    let prompt = Some("x".repeat(3 * 1024 * 1024));
    for text in [
        "echo done",
        "exec <&-; echo done",
        "head -c 10 >/dev/null; echo done",
        "sleep 1000 >&- 2>&- & echo done; kill $!",
    ] {
        assert_eq!(stdout_of(Work { prompt: prompt.clone(), ..shell(text) }).await, "done", "{text}");
    }
}

#[tokio::test]
async fn only_what_is_allowed_of_the_environment_passes() {
    let folder = tempfile::tempdir().unwrap();
    let parent = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/h"),
        ("LANG", "C"),
        ("TMPDIR", "/t"),
        ("TOKEN", "s3cret"),
        ("ALLOWED", "yes"),
    ]
    .map(|(name, value)| (name.into(), value.into()));
    let environment =
        Options::environment_of(parent.into_iter(), &["ALLOWED".to_owned(), "ABSENT".to_owned()]);
    let options = Options { environment, ..options(folder.path()) };
    let env = [("OWN", "a b"), ("HOME", "/other"), ("REENACT_RUN", "forged")];
    let work =
        Work { env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), ..list(&["env"]) };
    let attempt = Attempt::start(
        SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options)),
        task(folder.path(), work),
    );
    let output = attempt.end().await.unwrap().output.value();
    let mut seen: Vec<_> = output["stdout"].as_str().unwrap().lines().collect();
    seen.sort_unstable();
    // The mark by which its process group is known if this process dies.
    let mark = seen.iter().position(|entry| entry.starts_with("REENACT_MARK=")).unwrap();
    seen.remove(mark);
    let key = format!("REENACT_IDEMPOTENCY_KEY=key-of-{}", folder.path().display());
    assert_eq!(
        seen,
        [
            "ALLOWED=yes",
            "HOME=/other",
            "LANG=C",
            "OWN=a b",
            "PATH=/usr/bin:/bin",
            "REENACT_ATTEMPT=2",
            &key,
            "REENACT_INPUT=/dev/stdin",
            "REENACT_PURPOSE=do",
            "REENACT_RUN=r1",
            "REENACT_STEP=build[0]",
            "TMPDIR=/t"
        ]
    );
}

#[tokio::test]
async fn a_program_of_a_step_is_looked_for_in_the_steps_folder_and_an_agents_in_the_work_folder() {
    let folder = tempfile::tempdir().unwrap();
    // Written by a program, because a file that this process has open for writing, in any thread, cannot be executed.
    let write = "mkdir sub; for tool in top:. sub:sub; do \
                 printf '#!/bin/sh\necho %s $(basename \"$PWD\")\n' ${tool%:*} > ${tool#*:}/tool; \
                 chmod +x ${tool#*:}/tool; done";
    start(folder.path(), shell(write)).end().await.unwrap();
    let cwd = Some("sub".to_owned());
    for (agent, work, says) in [
        (vec![], Work { cwd: cwd.clone(), ..list(&["./tool"]) }, "sub sub"),
        (vec![], Work { cwd: cwd.clone(), ..shell("./tool") }, "sub sub"),
        (vec!["./tool".to_owned()], Work { cwd, ..Work::default() }, "top sub"),
    ] {
        let agent = AgentDefinition { command: agent, ..AgentDefinition::shell() };
        let executor = SubprocessExecutor::new(&agent, Arc::new(options(folder.path())));
        let output = Attempt::start(executor, task(folder.path(), work)).end().await.unwrap();
        assert_eq!(output.output.value(), json!({ "stdout": says }));
    }
}

#[tokio::test]
async fn a_missing_folder_is_told_apart_from_a_missing_program() {
    let missing_folder = run(Work { cwd: Some("nowhere".to_owned()), ..shell("true") }).await.unwrap_err();
    assert!(missing_folder.message.contains("nowhere`: that folder is not there"), "{missing_folder}");
    for program in ["no-such-program", "./no-such-program"] {
        let missing_program = run(list(&[program])).await.unwrap_err();
        assert!(
            missing_program.message.starts_with(&format!("`{program}` cannot be started")),
            "{missing_program}"
        );
        assert!(missing_program.message.contains("the program"), "{missing_program}");
        assert_eq!((missing_program.code, missing_program.class), (Code::NotStarted, Class::Fatal));
    }
    let nothing = run(list(&[])).await.unwrap_err();
    assert_eq!(nothing.message, "there is no program for agent `shell` to run");
}

#[tokio::test]
async fn a_nul_byte_is_bad_input() {
    let failure = run(list(&["echo", "a\0b"])).await.unwrap_err();
    assert_eq!((failure.code, failure.class), (Code::NotStarted, Class::Validation));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), list(&["no-such-program"])).end().await.unwrap_err();
    assert_eq!(records(folder.path()), 0);
}

#[tokio::test]
async fn progress_is_shown_while_the_program_works() {
    let folder = tempfile::tempdir().unwrap();
    let text = "mkfifo gate; echo 'PROGRESS: 40 half'; read line <gate; echo \"$line\"";
    let mut attempt = start(folder.path(), shell(text));
    let half = Progress { percent: 40, text: "half".to_owned() };
    tokio::time::timeout(LONG, attempt.progress.wait_for(|shown| *shown == half)).await.unwrap().unwrap();
    std::fs::write(folder.path().join("gate"), "go\n").unwrap();
    assert_eq!(attempt.end().await.unwrap().output.value(), json!({"stdout": "go"}));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(stdout_of(shell("printf 'a\\377b'")).await, "a\u{fffd}b");
}

#[tokio::test]
async fn a_file_that_is_named_and_not_there_is_bad_output() {
    let failure = run(shell("echo ARTIFACT: nowhere.tar")).await.unwrap_err();
    assert_eq!((failure.code, failure.class), (Code::ArtifactMissing, Class::Validation));
    assert!(failure.message.contains("`nowhere.tar`"), "{failure}");
    let folder = tempfile::tempdir().unwrap();
    // As it is seen from the program's folder, or from the work folder.
    let text = "touch here ../there; echo ARTIFACTS: here, there";
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let work = Work { cwd: Some("sub".to_owned()), ..shell(text) };
    assert_eq!(start(folder.path(), work).end().await.unwrap().artifacts, ["here", "there"]);
}

#[tokio::test]
async fn the_document_can_be_read_again_under_a_name() {
    let small = "read -r line <\"$REENACT_INPUT\"; printf '%s' \"$REENACT_INPUT ${#line}\"";
    let output = stdout_of(shell(small)).await;
    assert!(output.starts_with("/dev/stdin "), "{output}");
    let folder = tempfile::tempdir().unwrap();
    let big = Work {
        prompt: Some("x".repeat(300_000)),
        ..shell(
            "stat -c %a \"$REENACT_INPUT\"; cat >one; cat \"$REENACT_INPUT\" >two; cmp one two && wc -c <one",
        )
    };
    let output = start(folder.path(), big.clone()).end().await.unwrap().output.value();
    let (mode, bytes) = output["stdout"].as_str().unwrap().split_once('\n').unwrap();
    assert!(mode == "600" && bytes.trim().parse::<usize>().unwrap() > 300_000, "{output}");
    let left = std::fs::read_dir(folder.path().join("processes")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["running"], "the document is removed");
    // Without a folder for it, it is in memory.
    let options = Options { programs: Programs::in_folder(None), ..options(folder.path()) };
    let executor = SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options));
    let work = Work { prompt: big.prompt, ..shell("cat \"$REENACT_INPUT\" | wc -c") };
    let output = Attempt::start(executor, task(folder.path(), work)).end().await.unwrap().output.value();
    assert!(output["stdout"].as_str().unwrap().trim().parse::<usize>().unwrap() > 300_000, "{output}");
}
