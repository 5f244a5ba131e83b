//! Conversations, with the real binary: gone on with, compressed, found again, and after their process was killed or the disk was
//! full; and by a program that embeds the engine.

mod costs;
mod steps;

use std::process::{Command, Stdio};

use reenact::api::engine::conversations::{Role, TurnGiven, WhichTurns, Window};
use reenact::events::ids::TurnNumber;
use reenact::prelude::*;
use serde_json::{Value, json};

use crate::support::{Ended, Process, Sandbox, wait_until};

/// A small window, in the work folder's own configuration.
fn small(tokens: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("reenact.toml", format!("[conversation]\nwindow = {tokens}\nkeep_last = 2\n"));
    sandbox
}

fn code(refused: &Value) -> &str {
    refused["error"]["code"].as_str().unwrap()
}

fn add(sandbox: &Sandbox, more: &[&str]) -> Value {
    sandbox.json(0, &[&["conversation", "add", "c"], more].concat())
}

fn numbers(turns: &Value) -> Vec<u64> {
    turns["turns"].as_array().unwrap().iter().map(|turn| turn["turn"].as_u64().unwrap()).collect()
}

fn export(sandbox: &Sandbox, conversation: &str) -> Vec<Value> {
    let ended = sandbox.reenact(&["conversation", "export", conversation]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended.json_lines()
}

fn sentence(number: usize) -> String {
    format!("The replica number {number} of the database in Oslo was moved to Bergen, as we decided in May.")
}

/// Runs the binary with what it is given on stdin.
fn given(sandbox: &Sandbox, arguments: &[&str], stdin: &[u8]) -> Ended {
    let path = sandbox.work("stdin");
    std::fs::write(&path, stdin).unwrap();
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::from(std::fs::File::open(path).unwrap()));
    sandbox.start(command).wait()
}

#[test]
fn what_is_said_is_kept_shown_and_exported() {
    let sandbox = Sandbox::new();
    let first = add(&sandbox, &["Why is the build red?", "--name", "ada"]);
    assert_eq!(
        (&first["version"], &first["turns"][0]["turn"], &first["compressed"]),
        (&json!(2), &json!(1), &Value::Null)
    );
    add(&sandbox, &["Answer in one sentence.", "--role", "system", "--pin"]);
    let answered = given(
        &sandbox,
        &["--json", "conversation", "add", "c", "-", "--role", "assistant"],
        "Müde.\n".as_bytes(),
    );
    assert_eq!(answered.json()["turns"][0]["turn"], 3);
    let turns = sandbox.json(0, &["conversation", "turns", "c"]);
    let said: Vec<_> =
        turns["turns"].as_array().unwrap().iter().map(|turn| (&turn["role"], &turn["content"])).collect();
    let expected = json!([
        ["user", "Why is the build red?"],
        ["system", "Answer in one sentence."],
        ["assistant", "Müde."]
    ]);
    assert_eq!(json!(said), expected, "no line break that nobody said");
    assert_eq!((&turns["turns"][0]["name"], &turns["turns"][1]["pinned"]), (&json!("ada"), &json!(true)));
    let page = sandbox.json(0, &["conversation", "turns", "c", "--all", "--from", "2", "--limit", "1"]);
    assert_eq!((numbers(&page), &page["next"]), (vec![2], &json!(3)));
    let known = sandbox.json(0, &["conversation", "show", "c"]);
    assert_eq!(
        (&known["turns"], &known["window"]["pinned"], &known["archive"]["pages"]),
        (&json!(3), &json!(1), &json!(0))
    );
    let lines = export(&sandbox, "c");
    assert_eq!(
        (&lines[0]["format"], &lines[0]["schema"], lines.len()),
        (&json!("reenact.conversation"), &json!(1), 4)
    );
    let listed = sandbox.json(0, &["conversation", "list"]);
    assert_eq!(
        (&listed["conversations"][0]["conversation"], &listed["conversations"][0]["turns"]),
        (&json!("c"), &json!(3))
    );
    let kinds: Vec<_> = sandbox.reenact(&["--json", "history", "conversation/c"]).json_lines();
    let kinds: Vec<&str> = kinds.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["window_set", "turn_added", "turn_added", "turn_added"]);
    let then = sandbox.json(0, &["replay", "conversation/c", "--at", "3"]);
    assert_eq!(then["state"]["turns"], 2);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn people_read_it_in_lines_and_nothing_of_it_gets_at_their_terminal() {
    let sandbox = Sandbox::new();
    add(&sandbox, &["x\u{1b}[31my", "--name", "a\u{202e}da"]);
    for verb in [&["turns", "c"][..], &["show", "c"], &["search", "c", "x"], &["export", "c"], &["list"]] {
        let shown = sandbox.reenact(&[&["conversation"], verb].concat());
        assert_eq!(shown.code(), Some(0), "{shown}");
        assert!(!shown.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", shown.stdout);
    }
    assert_eq!(export(&sandbox, "c")[1]["content"], "x\u{1b}[31my", "it is whole all the same");
    assert!(sandbox.reenact(&["conversation", "turns", "c"]).stdout.starts_with("1  user a"));
}

#[test]
fn above_the_bound_it_is_compressed_and_what_left_is_found_again() {
    let sandbox = small(300);
    add(&sandbox, &["Answer in one sentence.", "--role", "system", "--pin"]);
    let mut compressed = Vec::new();
    for number in 2..=40 {
        let added = add(&sandbox, &[&sentence(number)]);
        compressed.extend((!added["compressed"].is_null()).then(|| added["compressed"].clone()));
    }
    assert!(compressed.len() >= 3, "{compressed:?}");
    for one in &compressed {
        assert!(
            one["tokens_before"].as_u64() > Some(240) && one["tokens_after"].as_u64() <= Some(150),
            "{one}"
        );
        assert_eq!((&one["by"], one["ratio"].as_f64() < Some(0.7)), (&json!("extraction"), true), "{one}");
    }
    let known = sandbox.json(0, &["conversation", "show", "c", "--archived"]);
    let window = sandbox.json(0, &["conversation", "turns", "c"]);
    let archived = sandbox.json(0, &["conversation", "turns", "c", "--archived"]);
    assert!(known["window"]["tokens"].as_u64() <= Some(300) && numbers(&window)[0] == 1, "{known}");
    assert_eq!(window["summary"]["turn"], 2, "it stands where the first stood that left");
    assert!(window["summary"]["content"].as_str().unwrap().contains(" user] The replica number"), "{window}");
    let mut all: Vec<u64> = [numbers(&window), numbers(&archived)].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=40).collect::<Vec<_>>(), "nothing is lost, and nothing is in two places");
    let pages = known["pages"].as_array().unwrap();
    let turns_of = |page: &Value| page["turns"].as_array().unwrap().clone();
    let mut paged: Vec<u64> = pages.iter().flat_map(turns_of).map(|turn| turn.as_u64().unwrap()).collect();
    paged.sort_unstable();
    assert_eq!((paged, pages.len()), (numbers(&archived), compressed.len()));
    let found = sandbox.json(0, &["conversation", "search", "c", "replica 7 moving", "--limit", "1"]);
    assert_eq!((numbers(&found), &found["turns"][0]["archived"]), (vec![7], &json!(true)), "{found}");
    assert_eq!(found["turns"][0]["content"], sentence(7));
    assert_eq!(sandbox.json(0, &["conversation", "search", "c", "zeppelin"])["turns"], json!([]));
    // Another conversation has the same turns, the pin among them, under a window of its own.
    let lines = sandbox.reenact(&["conversation", "export", "c"]).stdout;
    let file = sandbox.write("c.jsonl", &lines);
    let copied = sandbox.json(0, &["conversation", "add", "copy", "--lines", file.to_str().unwrap()]);
    assert_eq!(copied["turns"].as_array().unwrap().len(), 40);
    let told = |lines: Vec<Value>| -> Vec<Value> {
        lines[1..]
            .iter()
            .map(|line| json!([line["turn"], line["role"], line["name"], line["content"]]))
            .collect()
    };
    assert_eq!(told(export(&sandbox, "copy")), told(export(&sandbox, "c")));
    let event = sandbox
        .reenact(&["--json", "history", "conversation/c", "--type", "conversation_compressed"])
        .json_lines();
    assert_eq!((event.len(), &event[0]["data"]["by"]), (compressed.len(), &json!("extraction")));
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn a_pinned_turn_leaves_once_it_is_unpinned() {
    let sandbox = small(300);
    add(&sandbox, &[&sentence(1), "--pin"]);
    let say = |from: usize| (from..from + 12).for_each(|number| drop(add(&sandbox, &[&sentence(number)])));
    say(2);
    assert_eq!(numbers(&sandbox.json(0, &["conversation", "turns", "c"]))[0], 1);
    assert_eq!(sandbox.json(0, &["conversation", "unpin", "c", "1"])["window"]["pinned"], 0);
    sandbox.json(0, &["conversation", "pin", "c", "13"]);
    say(14);
    let window = numbers(&sandbox.json(0, &["conversation", "turns", "c"]));
    assert!(!window.contains(&1) && window.contains(&13), "{window:?}");
    assert_eq!(code(&sandbox.json(2, &["conversation", "pin", "c", "1"])), "RE-1707");
    assert_eq!(code(&sandbox.json(2, &["conversation", "pin", "nobody", "1"])), "RE-1702");
}

#[test]
fn what_is_added_again_under_its_id_is_there_once() {
    let sandbox = Sandbox::new();
    let first = add(&sandbox, &["Hello.", "--id", "m-1"]);
    assert_eq!(add(&sandbox, &["Hello.", "--id", "m-1"]), first);
    for other in [
        &["Bye.", "--id", "m-1"][..],
        &["Hello.", "--id", "m-1", "--pin"],
        &["Hello.", "--id", "m-1", "--role", "tool"],
    ] {
        let refused = sandbox.json(2, &[&["conversation", "add", "c"], other].concat());
        assert_eq!(code(&refused), "RE-1708", "{refused}");
    }
    // An id is that of its conversation.
    assert_eq!(sandbox.json(0, &["conversation", "add", "d", "Bye.", "--id", "m-1"])["turns"][0]["turn"], 1);
    assert_eq!(sandbox.json(0, &["conversation", "show", "c"])["turns"], 1);
}

#[test]
fn what_is_no_turn_is_refused_by_its_code_and_nothing_is_recorded() {
    let sandbox = small(200);
    add(&sandbox, &[&vec!["word"; 100].join(" "), "--pin"]);
    let before = sandbox.json(0, &["conversation", "show", "c"]);
    let words = vec!["word"; 300].join(" ");
    let refused = |arguments: &[&str], expected: &str| {
        let refused = sandbox.json(2, &[&["conversation"], arguments].concat());
        assert_eq!(code(&refused), expected, "{arguments:?}: {refused}");
    };
    refused(&["add", "c", " \n"], "RE-1703");
    refused(&["add", "c", ""], "RE-1703");
    refused(&["add", "c", "x", "--role", "boss"], "RE-1001");
    refused(&["add", "c", "x", "--name", "a\nb"], "RE-1703");
    refused(&["add", "c"], "RE-1001");
    refused(&["add", "c", &words], "RE-1704");
    refused(&["add", "c", &words[..5 * 150]], "RE-1705");
    refused(&["add", "no/name", "x"], "RE-1701");
    refused(&["add", "c", "--file", "absent"], "RE-1101");
    refused(&["show", "nobody"], "RE-1702");
    refused(&["turns", "nobody"], "RE-1702");
    refused(&["export", "nobody"], "RE-1702");
    let long = sandbox.write("long", "x".repeat(1024 * 1024 + 1));
    refused(&["add", "c", "--file", long.to_str().unwrap()], "RE-1113");
    let given = |arguments: &[&str], stdin: &[u8], expected: &str| -> Value {
        let ended = given(&sandbox, &[&["--json", "conversation", "add", "c"], arguments].concat(), stdin);
        assert_eq!((ended.code(), code(&ended.json())), (Some(2), expected), "{ended}");
        ended.json()
    };
    given(&["-"], b"a\xffb", "RE-1703");
    given(&["-"], b"a\0b", "RE-1703");
    given(&["-"], b"\n", "RE-1703");
    given(&["-"], &[b'x'; 1024 * 1024 + 1], "RE-1113");
    for bad in [
        "{",
        "[]",
        "{\"role\":\"user\"}",
        "{\"role\":\"boss\",\"content\":\"x\"}",
        "{\"role\":\"user\",\"content\":\"a\\u0000\"}",
        "{\"role\":\"user\",\"role\":\"user\",\"content\":\"x\"}",
        "{\"role\":\"user\",\"content\":\"\"}",
    ] {
        let lines = format!("{{\"role\":\"user\",\"content\":\"good\"}}\n\n{bad}\n");
        let told = given(&["--lines", "-"], lines.as_bytes(), "RE-1703");
        assert_eq!(told["error"]["at"]["line"], 3, "{bad}: {told}");
    }
    given(&["--lines", "-"], b"\n", "RE-1703");
    assert_eq!(sandbox.json(0, &["conversation", "show", "c"]), before);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    // A folder in which nothing was ever said stays as it was.
    let empty = Sandbox::new();
    assert_eq!(code(&empty.json(2, &["conversation", "show", "c"])), "RE-1702");
    assert_eq!(empty.json(0, &["conversation", "list"]), json!({"conversations": []}));
    assert!(!empty.data().exists());
}

#[test]
fn shares_of_a_window_that_contradict_each_other_are_refused() {
    let sandbox = Sandbox::new();
    for bad in ["compress_at = 0.3", "summary = 0.6", "window = 5", "keep_last = 0"] {
        sandbox.write("reenact.toml", format!("[conversation]\n{bad}\n"));
        assert_eq!(code(&sandbox.json(2, &["conversation", "add", "c", "x"])), "RE-5001", "{bad}");
    }
}

/// Three at a time go on with a conversation, beside a process that holds the store and is killed while they do; each tries once more under
/// the same id, as who is not sure does.
#[test]
fn no_turn_is_lost_or_there_twice_though_the_holder_is_killed() {
    let sandbox = small(300);
    let mut held = Some(sandbox.holder());
    for round in 0..8 {
        let said = |nth: usize| [sentence(round * 3 + nth), format!("id-{round}-{nth}")];
        let adding = |nth: usize| {
            let [text, id] = said(nth);
            sandbox.spawn(&["--json", "conversation", "add", "c", &text, "--id", &id])
        };
        let all: Vec<Process> = (0..3).map(adding).collect();
        if let Some(held) = held.take_if(|_| round == 3) {
            held.kill();
        }
        for (nth, process) in all.into_iter().enumerate() {
            let ended = process.wait();
            assert_eq!(ended.code(), Some(0), "{ended}");
            let again = adding(nth).wait();
            assert_eq!(
                (again.code(), again.json()["turns"].clone()),
                (Some(0), ended.json()["turns"].clone()),
                "{again}"
            );
        }
    }
    let lines = export(&sandbox, "c");
    let mut said: Vec<String> =
        lines[1..].iter().map(|line| line["content"].as_str().unwrap().to_owned()).collect();
    said.sort();
    let mut expected: Vec<String> = (0..24).map(sentence).collect();
    expected.sort();
    assert_eq!(said, expected);
    assert!(lines[0]["archive"]["pages"].as_u64() > Some(0), "{}", lines[0]);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// Killed at no moment in particular while it adds many: what is there is a beginning of it, and adding it again makes it whole.
#[test]
fn many_turns_that_a_killed_process_was_adding_are_whole_once_they_are_added_again() {
    let sandbox = small(300);
    let line = |number: usize| json!({"role": "user", "content": sentence(number)}).to_string();
    let file = sandbox.write("many.jsonl", (0..450).map(line).collect::<Vec<_>>().join("\n"));
    let verb = ["--json", "conversation", "add", "c", "--lines", file.to_str().unwrap(), "--id", "many"];
    for _ in 0..3 {
        let process = sandbox.spawn(&verb);
        wait_until("something of it is stored", || {
            let shown = sandbox.reenact(&["--json", "conversation", "show", "c"]);
            shown.code() == Some(0) && shown.json()["turns"].as_u64() > Some(0)
        });
        process.kill();
    }
    assert_eq!(sandbox.reenact(&verb).code(), Some(0));
    let lines = export(&sandbox, "c");
    let said: Vec<&str> = lines[1..].iter().map(|line| line["content"].as_str().unwrap()).collect();
    assert_eq!(said, (0..450).map(sentence).collect::<Vec<_>>());
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// A limit on the size of files stands for the disk, as in `full_disk`: the text of the turn is a file that finds no room.
#[test]
fn a_turn_for_which_the_disk_has_no_room_is_refused_and_nothing_else_is_lost() {
    let sandbox = small(1_000_000);
    add(&sandbox, &["Hello.", "--id", "first"]);
    let text: String =
        (0..120_000).map(|number: u32| format!("{:x} ", number.wrapping_mul(2_654_435_761))).collect();
    let file = sandbox.write("long", &text[..900_000]);
    let verb = ["--json", "conversation", "add", "c", "--file", file.to_str().unwrap(), "--id", "long"];
    let inner = sandbox.command(&verb);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", r#"trap "" XFSZ; ulimit -f 1400; exec "$@""#, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    limited.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(inner.get_current_dir().unwrap());
    let refused = sandbox.start(limited).wait();
    assert_eq!((refused.code(), code(&refused.json())), (Some(7), "RE-4003"), "{refused}");
    assert_eq!(sandbox.json(0, &["conversation", "show", "c"])["turns"], 1);
    let added = sandbox.reenact(&verb);
    assert_eq!((added.code(), &added.json()["turns"][0]["turn"]), (Some(0), &json!(2)), "{added}");
    assert_eq!(export(&sandbox, "c")[2]["content"], text[..900_000]);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[tokio::test]
async fn a_program_goes_on_with_conversations_as_the_command_line_does() {
    let engine = Engine::in_memory().start().await.unwrap();
    assert_eq!(engine.conversation("no/name").map(drop).unwrap_err().code, Code::BadConversationName);
    let talk = engine.conversation("talk").unwrap();
    assert_eq!(talk.show().await.unwrap_err().code, Code::UnknownConversation);
    let window = Window { tokens: 200, compress_above: 160, target: 100, summary: 40, keep_last: 2 };
    let first = TurnGiven::new(Role::System, "Answer in one sentence.").pinned();
    talk.clone().window(window).add(vec![first]).await.unwrap();
    for number in 2..=30 {
        let turn = || vec![TurnGiven::new(Role::User, sentence(number)).named("ada")];
        let added = talk.add_once(&number.to_string(), turn()).await.unwrap();
        assert_eq!(talk.add_once(&number.to_string(), turn()).await.unwrap(), added);
    }
    let other = talk.add_once("7", vec![TurnGiven::new(Role::User, "Else.")]).await;
    assert_eq!(other.unwrap_err().code, Code::TurnIdTaken);
    let known = talk.show().await.unwrap();
    assert_eq!((known.turns, known.window.limits), (30, window), "it keeps the window that it has");
    assert!(known.window.tokens <= 200 && known.archive.pages > 2, "{known:?}");
    let at_hand = talk.turns(WhichTurns::Window, TurnNumber(1), 100).await.unwrap();
    assert!(at_hand.turns[0].pinned && at_hand.summary.is_some());
    let mut all = Vec::new();
    talk.export(|turn| all.push(turn)).await.unwrap();
    assert_eq!(all.iter().map(|turn| turn.turn.0).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    assert_eq!(talk.search("replica number 9", 1).await.unwrap().turns[0].content, sentence(9));
    assert_eq!(talk.pin(TurnNumber(1), false).await.unwrap().window.pinned, 0);
    assert_eq!(engine.conversations().await.unwrap()[0].turns, 30);
    engine.shut_down().await.unwrap();
}

/// Sixteen at once, each of whom has to compress what others go on with meanwhile.
#[tokio::test]
async fn many_who_go_on_with_one_conversation_at_once_are_all_heard() {
    let engine = Engine::in_memory().start().await.unwrap();
    let window = Window { tokens: 200, compress_above: 160, target: 100, summary: 20, keep_last: 2 };
    let adding = (0..16).map(|who: usize| {
        let talk = engine.conversation("talk").unwrap().window(window);
        async move {
            for nth in 0..12 {
                talk.add(vec![TurnGiven::new(Role::User, sentence(who * 100 + nth))]).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(adding).await;
    let talk = engine.conversation("talk").unwrap();
    let mut all = Vec::new();
    talk.export(|turn| all.push(turn.content)).await.unwrap();
    let mut expected: Vec<String> =
        (0..16).flat_map(|who| (0..12).map(move |nth| sentence(who * 100 + nth))).collect();
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
    assert!(talk.show().await.unwrap().window.tokens <= 200);
    engine.shut_down().await.unwrap();
}
