//! Programs that converse: what is said to them while they run, and what they say.

use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::*;
use crate::aggregates::mind::Take;
use crate::events::json::Json;
use crate::events::run::{Address, MessageKind, Priority};
use crate::events::time::Timestamp;
use crate::executors::MessageGiven;
use crate::executors::mask::Masks;
use crate::executors::messages::{Incoming, Unread};
use crate::executors::voice::{Recalled, Speak, Voice};

/// Hears what a program says, and does not let it say `no`.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Speak for Ear {
    async fn say(&self, message: Json) -> Result<(), Failure> {
        if message.text().contains("no") {
            return Err(Failure::new(Code::UnknownMessageKind, "not so"));
        }
        // As long as recording takes.
        match message.text().contains("slow") {
            true => tokio::time::sleep(Duration::from_millis(300)).await,
            false => tokio::task::yield_now().await,
        }
        self.0.lock().unwrap().push(message.text().to_owned());
        Ok(())
    }

    async fn handled(&self, message: &str) -> Result<(), Failure> {
        self.0.lock().unwrap().push(format!("handled {message}"));
        Ok(())
    }

    async fn ask(&self, _: Json, _: Duration) -> Result<Json, Failure> {
        unreachable!("no program asks")
    }

    async fn recall(&self, _: &AgentName, _: &str) -> Result<Recalled, Failure> {
        unreachable!("no program remembers")
    }

    async fn remember(&self, _: &AgentName, _: Take) -> Result<bool, Failure> {
        unreachable!("no program remembers")
    }
}

fn message(id: &str) -> Unread {
    message_of(id, MessageKind::Notice)
}

fn message_of(id: &str, kind: MessageKind) -> Unread {
    let (from, to) = (AgentName::new("bob"), Address::Everyone);
    let message = MessageGiven {
        id: id.to_owned(),
        from,
        to,
        kind,
        type_name: None,
        priority: Priority::Normal,
        correlation: None,
        causation: None,
        deadline: None,
        at: Timestamp(0),
        body: Json::null(),
    };
    Box::new(|| Ok(message))
}

struct Talk {
    attempt: Attempt,
    ear: Ear,
    give: mpsc::UnboundedSender<Unread>,
}

fn talk(folder: &Path, program: &str, masks: Masks, change: impl FnOnce(&mut Task)) -> Talk {
    talk_with(folder, &["sh", "-c", program], masks, change)
}

fn talk_with(folder: &Path, command: &[&str], masks: Masks, change: impl FnOnce(&mut Task)) -> Talk {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    let agent = AgentDefinition { command, stream: true, ..AgentDefinition::shell() };
    let executor = SubprocessExecutor::new(&agent, Arc::new(Options { masks, ..options(folder) }));
    let (stop, stopped) = watch::channel(None);
    let (shown, progress) = watch::channel(Progress::default());
    let (ear, (give, given)) = (Ear::default(), mpsc::unbounded_channel());
    let (voice, incoming) = (Voice::new(ear.clone()), Incoming::from_channel(given));
    let context = Context { voice, incoming, ..Context::new(stopped, shown) };
    let mut task = task(folder, Work::default());
    change(&mut task);
    let end = tokio::spawn(async move { executor.execute(task, context).await });
    Talk { attempt: Attempt { stop, progress, end }, ear, give }
}

impl Talk {
    async fn end(self) -> (Result<Output, Failure>, Vec<String>) {
        let ended = self.attempt.end().await;
        (ended, self.ear.0.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn its_stdin_stays_open_and_what_it_says_is_heard_in_order_and_is_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let program = r#"read -r document; echo 'SEND: {"a":1}'; echo 'PROGRESS: 1 x'; read -r one; echo "HANDLED: m"
        echo 'SEND: {"no":1}'; read -r wrong; printf '%s %s' "$wrong" "${#document}" >told; printf 'SEND: {"last":1}'"#;
    // More than a pipe holds.
    let long = "x".repeat(200_000);
    let talk = talk(folder.path(), program, Masks::default(), |task| task.work.prompt = Some(long));
    talk.give.send(message("r/1")).unwrap();
    let (ended, heard) = talk.end().await;
    assert_eq!(ended.unwrap().output.value(), serde_json::json!({"stdout": ""}));
    assert_eq!(heard, [r#"{"a":1}"#, "handled m", r#"{"last":1}"#]);
    let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
    let (wrong, length) = told.rsplit_once(' ').unwrap();
    assert_eq!(wrong, r#"{"error":{"code":"RE-1502","message":"not so"}}"#);
    assert!(length.parse::<usize>().unwrap() > 200_000, "{length}");
}

#[tokio::test]
async fn a_program_that_is_stopped_says_nothing_more_and_one_that_fails_has_said_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let program =
        "trap 'echo \"SEND: {}\"; exit 1' TERM; echo \"PROGRESS: 1 $$\"; while :; do sleep 0.1; done";
    let mut stopped = talk(folder.path(), program, Masks::default(), |_| {});
    stopped.attempt.says_pid().await;
    stopped.attempt.stop.send_replace(Some(Stop::TimedOut));
    let (ended, heard) = stopped.end().await;
    assert_eq!((ended.unwrap_err().code, heard.len()), (Code::TimedOut, 0));
    let failing = talk(folder.path(), "echo 'SEND: {}'; exit 65", Masks::default(), |_| {});
    let (ended, heard) = failing.end().await;
    assert_eq!((ended.unwrap_err().code, heard.as_slice()), (Code::ExitValidation, &["{}".to_owned()][..]));
}

#[tokio::test]
async fn a_secret_in_a_message_is_masked_however_it_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let masks = Masks::default().and([("TOKEN", &b"secret-value"[..])]);
    let program = r#"printf '%s\n' 'SEND: {"a":"secret-value","b":"\u0073ecret-value"}'"#;
    let (ended, heard) = talk(folder.path(), program, masks, |_| {}).end().await;
    ended.unwrap();
    assert!(!heard[0].contains("ecret-value") && heard[0].matches("[TOKEN]").count() == 2, "{heard:?}");
}

#[tokio::test]
async fn the_example_of_the_page_answers_requests_until_it_is_told_to_stop() {
    let folder = docs::project("bin/answer").await;
    let talk = talk_with(folder.path(), &["bin/answer"], Masks::default(), |_| {});
    for (id, kind) in
        [("r/1", MessageKind::Request), ("r/2", MessageKind::Notice), ("r/3", MessageKind::Control)]
    {
        talk.give.send(message_of(id, kind)).unwrap();
    }
    let (ended, heard) = talk.end().await;
    ended.unwrap();
    let answer = r#"{"to":"asker","kind":"response","correlation":"r/1","body":7}"#;
    assert_eq!(heard, [answer, "handled r/1", "handled r/2", "handled r/3"]);
}

/// Each word takes longer to record than a program that has ended was waited for in all: what it wrote last was lost.
#[tokio::test]
async fn what_a_program_answers_last_is_heard_however_long_its_words_take() {
    let folder = tempfile::tempdir().unwrap();
    let program =
        "for n in 1 2 3 4; do echo \"SEND: {\\\"slow\\\":$n}\"; done; sleep 0.2; echo '{\"ok\":true}'";
    let (ended, heard) = talk(folder.path(), program, Masks::default(), |_| {}).end().await;
    assert_eq!(ended.unwrap().output.value(), serde_json::json!({"ok": true}));
    assert_eq!(heard.len(), 4);
}

#[tokio::test]
async fn a_program_that_closes_what_it_writes_to_is_told_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = "exec >&- 2>&-; read -r document; read -r one; printf '%s' \"$one\" >told";
    let long = "x".repeat(200_000);
    let talk = talk(folder.path(), program, Masks::default(), |task| task.work.prompt = Some(long));
    talk.give.send(message("r/1")).unwrap();
    talk.end().await.0.unwrap();
    assert!(std::fs::read_to_string(folder.path().join("told")).unwrap().contains("r/1"));
}

#[tokio::test]
async fn who_inherits_its_stdin_keeps_no_attempt_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let program = "sleep 30 <&0 >/dev/null 2>&1 & echo 'SEND: {\"a\":1}'";
    let long = "x".repeat(400_000);
    let talk = talk(folder.path(), program, Masks::default(), |task| task.work.prompt = Some(long));
    let (ended, heard) = tokio::time::timeout(Duration::from_secs(20), talk.end()).await.expect("it ends");
    ended.unwrap();
    assert_eq!(heard, ["{\"a\":1}"]);
}
