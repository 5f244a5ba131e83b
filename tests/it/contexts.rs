//! Shared contexts, with the real binary: written, read, fought over, and after their process was killed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use reenact::events::commit::{Commit, Header};
use reenact::events::context::{ContextEvent, LockAwaited, LockGranted};
use reenact::events::ids::{Hash, LockFence, LockName, StreamId, Version};
use reenact::events::time::Timestamp;
use reenact::store::EventStore;
use reenact::store::sled::{SledOptions, SledStore};
use serde_json::{Value, json};

use crate::support::{Ended, Process, Sandbox};

fn code(refused: &Value) -> &str {
    refused["error"]["code"].as_str().unwrap()
}

fn lines(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended.json_lines()
}

fn history(sandbox: &Sandbox, context: &str, key: &str) -> Vec<Value> {
    lines(&sandbox.reenact(&["--json", "context", "history", context, key]))
}

#[test]
fn a_context_is_written_read_and_remembered_key_by_key() {
    let sandbox = Sandbox::new();
    let written = sandbox.json(0, &["context", "set", "prices", "eur:=12.50", "note=12", "--by", "ada"]);
    assert_eq!(
        written,
        json!({"context": "prices", "version": 1, "keys": [{"key": "eur", "version": 1}, {"key": "note", "version": 1}]})
    );
    sandbox.json(0, &["context", "set", "prices", "eur:={\"now\": [1, null]}", "--by", "bob"]);
    let mut one = sandbox.json(0, &["context", "get", "prices", "eur"]);
    assert!(one["at"].take().is_string());
    assert_eq!(
        one,
        json!({"context": "prices", "key": "eur", "version": 2, "by": "bob", "at": null, "value": {"now": [1, null]}})
    );
    assert_eq!(sandbox.json(0, &["context", "get", "prices", "note"])["value"], "12", "it is a text");
    let all = sandbox.json(0, &["context", "get", "prices"]);
    let keys: Vec<_> = all["keys"].as_array().unwrap().iter().map(|key| &key["key"]).collect();
    assert_eq!((keys, &all["version"]), (vec![&json!("eur"), &json!("note")], &json!(2)));
    let past = history(&sandbox, "prices", "eur");
    let told: Vec<_> = past.iter().map(|line| (&line["version"], &line["by"], &line["event"])).collect();
    assert_eq!(told, [(&json!(1), &json!("ada"), &json!(1)), (&json!(2), &json!("bob"), &json!(2))]);
    let whole = sandbox.reenact(&["--json", "context", "history", "prices", "eur"]);
    assert!(whole.stdout.contains("12.50"), "its digits stay: {whole}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn people_read_a_table_and_a_value_as_it_is_and_nothing_of_it_gets_at_their_terminal() {
    let sandbox = Sandbox::new();
    sandbox.json(0, &["context", "set", "c", "a=x\u{1b}[31my", "long:=[1,2]", "--by", "a\u{1b}da"]);
    let table = sandbox.reenact(&["context", "get", "c"]).stdout;
    assert!(table.starts_with("KEY   VERSION  BY"), "{table}");
    assert!(table.lines().nth(2).unwrap().starts_with("long  1"), "{table}");
    assert_eq!(sandbox.reenact(&["context", "get", "c", "long"]).stdout, "[1,2]\n");
    for verb in
        [&["context", "get", "c"][..], &["context", "get", "c", "a"], &["context", "history", "c", "a"]]
    {
        let shown = sandbox.reenact(verb).stdout;
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
    assert_eq!(
        sandbox.reenact(&["context", "set", "c", "a:=null", "b=1"]).stdout,
        "a  removed\nb  version 1\n"
    );
    assert_eq!(sandbox.reenact(&["context", "locks", "c"]).stdout, "no locks\n");
    assert_eq!(sandbox.json(0, &["context", "locks", "c"]), json!({"context": "c", "locks": []}));
}

#[test]
fn null_removes_a_key_and_no_version_of_it_means_two_values() {
    let sandbox = Sandbox::new();
    sandbox.json(0, &["context", "set", "c", "a=1"]);
    let removed = sandbox.json(0, &["context", "set", "c", "a:=null", "never:=null", "--by", "eve"]);
    assert_eq!(removed["keys"], json!([{"key": "a", "version": 0}, {"key": "never", "version": 0}]));
    let gone = sandbox.json(2, &["context", "get", "c", "a"]);
    assert_eq!(code(&gone), "RE-1403");
    assert!(gone["error"]["message"].as_str().unwrap().contains("`eve` removed `a`"), "{gone}");
    assert_eq!(sandbox.json(0, &["context", "get", "c"])["keys"], json!([]));
    let again = sandbox.json(0, &["context", "set", "c", "a=2", "--expect", "0"]);
    assert_eq!(again["keys"], json!([{"key": "a", "version": 2}]));
    assert_eq!(code(&sandbox.json(2, &["context", "set", "c", "a=3", "--expect", "1"])), "RE-1404");
    let versions: Vec<_> = history(&sandbox, "c", "a").iter().map(|line| line["version"].clone()).collect();
    assert_eq!(versions, [1, 0, 2]);
    // Of what was never there nothing is recorded.
    let nothing = sandbox.json(0, &["context", "set", "other", "a:=null"]);
    assert_eq!((&nothing["version"], &nothing["keys"][0]["version"]), (&json!(0), &json!(0)));
    assert_eq!(code(&sandbox.json(2, &["context", "get", "other"])), "RE-1402");
}

#[test]
fn of_many_processes_that_expect_the_same_version_one_writes_and_the_others_are_told_so() {
    let sandbox = Sandbox::new();
    let all: Vec<Process> = (0..8)
        .map(|number| {
            let value = format!("n:={number}");
            sandbox.spawn(&["--json", "context", "set", "c", &value, "other=x", "--expect", "0"])
        })
        .collect();
    let ended: Vec<Ended> = all.into_iter().map(Process::wait).collect();
    let won: Vec<usize> = (0..ended.len()).filter(|number| ended[*number].code() == Some(0)).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    for lost in ended.iter().filter(|ended| ended.code() != Some(0)) {
        assert_eq!((lost.code(), code(&lost.json())), (Some(2), "RE-1404"), "{lost}");
    }
    assert_eq!(sandbox.json(0, &["context", "get", "c", "n"])["value"], won[0]);
    assert_eq!(history(&sandbox, "c", "n").len(), 1);
}

/// Three at a time add one to what they have read, beside a process that holds the store and is killed while they do.
#[test]
fn nothing_that_was_counted_is_lost_or_counted_twice_though_the_holder_is_killed() {
    let sandbox = Sandbox::new();
    sandbox.json(0, &["context", "set", "c", "n:=0"]);
    let mut held = Some(sandbox.holder());
    for round in 1..=12 {
        let now = sandbox.json(0, &["context", "get", "c", "n"]);
        assert_eq!((&now["value"], &now["version"]), (&json!(round - 1), &json!(round)));
        let (value, version) = (format!("n:={round}"), now["version"].to_string());
        let set = ["--json", "context", "set", "c", &value, "--expect", &version];
        let all: Vec<Process> = (0..3).map(|_| sandbox.spawn(&set)).collect();
        if let Some(held) = held.take_if(|_| round == 6) {
            held.kill();
        }
        let ended: Vec<Ended> = all.into_iter().map(Process::wait).collect();
        assert_eq!(ended.iter().filter(|ended| ended.code() == Some(0)).count(), 1, "{round}");
        for lost in ended.iter().filter(|ended| ended.code() != Some(0)) {
            assert_eq!(code(&lost.json()), "RE-1404", "{lost}");
        }
    }
    let past = history(&sandbox, "c", "n");
    let all: Vec<_> = past.iter().map(|line| (line["version"].as_u64(), line["value"].as_u64())).collect();
    assert_eq!(all, (0..13).map(|number| (Some(number + 1), Some(number))).collect::<Vec<_>>());
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    sandbox.write("go", "");
}

/// The events of locks, as streams bring them about that ask for one.
fn append(sandbox: &Sandbox, context: &str, events: &[ContextEvent]) {
    let header = Header {
        stream: StreamId::new("context", context),
        first: Version(1),
        recorded_at: Timestamp(1_700_000_000_000_000),
        correlation: None,
        causation: "lock_acquire".into(),
        code_version: "0.1.0".into(),
        origin: None,
    };
    let commit = Commit::seal(header, events, Hash::default()).unwrap();
    actix::System::new().block_on(async {
        let store = SledStore::open(&sandbox.data(), SledOptions::default()).unwrap();
        store.append(commit, Vec::new()).await.unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn who_holds_a_lock_and_who_waits_for_it_is_shown_as_it_is_now_also_after_its_process_is_gone() {
    let sandbox = Sandbox::new();
    sandbox.json(0, &["context", "set", "other", "a=1"]);
    let lock = |name: &str| LockName::parse(name).unwrap();
    let granted = |name: &str, owner: &str, fence, until| -> ContextEvent {
        let (lock, owner, until) = (lock(name), owner.into(), Timestamp(until));
        LockGranted { lock, owner, fence: LockFence(fence), until, tells: None }.into()
    };
    let awaited = |name: &str, owner: &str, until| -> ContextEvent {
        let (lock, owner, until) = (lock(name), owner.into(), Timestamp(until));
        LockAwaited { lock, owner, lease_us: 1, until, tells: None }.into()
    };
    let (past, future) = (1_700_000_001_000_000, 4_000_000_000_000_000);
    append(
        &sandbox,
        "c",
        &[
            granted("build", "run/r/a", 1, future),
            awaited("build", "run/s/a", past),
            awaited("build", "run/t/a", future),
            granted("over", "run/r/b", 2, past),
            granted("awaited", "run/r/c", 3, past),
            awaited("awaited", "run/s/c", future),
        ],
    );
    let known = sandbox.json(0, &["context", "locks", "c"]);
    let [awaited, build] = &known["locks"].as_array().unwrap()[..] else { panic!("{known}") };
    assert_eq!((&awaited["lock"], &awaited["holder"]), (&json!("awaited"), &json!(null)));
    assert_eq!((&build["holder"]["owner"], &build["holder"]["fence"]), (&json!("run/r/a"), &json!(1)));
    let waits = build["waiting"].as_array().unwrap();
    assert_eq!(
        (waits.len(), &waits[0]["owner"]),
        (1, &json!("run/t/a")),
        "the other waited until it was over"
    );
    let people = sandbox.reenact(&["context", "locks", "c"]).stdout;
    let told: Vec<&str> = people.lines().collect();
    assert_eq!(told[0], "awaited  free, and about to be granted");
    assert!(told[2].starts_with("build  held by run/r/a until 2096-10-02T07:06:40Z, grant 1"), "{people}");
    assert!(told[3].starts_with("  run/t/a waits until 2096"), "{people}");
    // A write under a grant that is over, or was never given, is not for the command line: it names none.
    sandbox.json(0, &["context", "set", "c", "a=1"]);
    assert_eq!(
        sandbox.json(0, &["replay", "context/c"])["state"]["locks"]["awaited"]["holder"]["owner"],
        "run/s/c"
    );
    let types: Vec<_> = sandbox.history("context/c").iter().map(|line| line["type"].clone()).collect();
    assert_eq!(types[6..], ["lock_expired", "lock_granted", "lock_wait_ended", "context_set"]);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn the_history_of_a_context_is_read_and_walked_through_as_that_of_a_run() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(2_000);
    sandbox.json(0, &["context", "set", "c", "a=1", "--by", "ada"]);
    sandbox.json(0, &["context", "set", "c", &format!("a={long}"), "--by", "bob"]);
    let events = sandbox.history("context/c");
    let types: Vec<_> = events.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["context_set", "context_set"]);
    assert_eq!(events[0]["data"]["keys"][0], json!({"key": "a", "version": 1, "value": "1"}));
    assert!(events[1]["data"]["keys"][0]["value"]["blob"].is_string(), "{}", events[1]);
    let then = sandbox.json(0, &["replay", "context/c", "--at", "1"]);
    assert_eq!((&then["version"], &then["state"]["keys"]["a"]["value"]), (&json!(1), &json!("1")));
    assert_eq!(sandbox.json(0, &["replay", "context/c"])["state"]["keys"]["a"]["last"], 2);
    assert_eq!(sandbox.json(0, &["context", "get", "c", "a"])["value"], long.as_str(), "it is whole there");
    assert_eq!(sandbox.reenact(&["--json", "history", "context/c", "--type", "lock_granted"]).stdout, "");
    for refused in [
        &["history", "context/nobody"][..],
        &["replay", "context/c", "--at", "3"],
        &["history", "context/.."],
    ] {
        sandbox.json(2, refused);
    }
}

#[test]
fn bad_input_is_refused_with_a_code_and_a_hint_and_makes_nothing() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(65);
    let bad: &[(&[&str], &str)] = &[
        (&["get", "a/b"], "RE-1401"),
        (&["get", ".."], "RE-1401"),
        (&["get", "../../etc/passwd"], "RE-1401"),
        (&["set", "", "a=1"], "RE-1401"),
        (&["set", &long, "a=1"], "RE-1401"),
        (&["set", "c", "a.b=1"], "RE-1401"),
        (&["set", "c", "a/b=1"], "RE-1401"),
        (&["get", "c", "a b"], "RE-1401"),
        (&["history", "c", ".."], "RE-1401"),
        (&["locks", "a\nb"], "RE-1401"),
        (&["set", "c", "novalue"], "RE-1203"),
        (&["set", "c", "=1"], "RE-1203"),
        (&["set", "c", "a:={"], "RE-1203"),
        (&["set", "c", "a:={\"k\": 1, \"k\": 2}"], "RE-1203"),
        (&["set", "c", "a=1", "--expect", "-1"], "RE-1001"),
        (&["set", "c", "a=1", "--expect", "new"], "RE-1001"),
        (&["set", "c", "a=1", "--by", ""], "RE-1001"),
        (&["set", "c"], "RE-1001"),
        (&["get"], "RE-1001"),
        (&["get", "c"], "RE-1402"),
        (&["history", "c", "a"], "RE-1402"),
        (&["locks", "c"], "RE-1402"),
    ];
    for (arguments, wanted) in bad {
        let refused = sandbox.json(2, &[&["context"], *arguments].concat());
        assert_eq!(code(&refused), *wanted, "{arguments:?}: {refused}");
        assert!(!refused["error"]["hint"].as_str().unwrap().is_empty(), "{arguments:?}: {refused}");
    }
    assert!(!sandbox.data().exists(), "not even a data folder is made");
    sandbox.json(0, &["context", "set", "c", "price=1"]);
    let near = sandbox.json(2, &["context", "get", "c", "prise"]);
    assert_eq!((code(&near), near["error"]["hint"].as_str().unwrap()), ("RE-1403", "did you mean `price`?"));
    assert_eq!(code(&sandbox.json(2, &["context", "history", "c", "other"])), "RE-1403");
    assert_eq!(code(&sandbox.json(2, &["context", "set", "c", "a=1", "a=2"])), "RE-1001");
    sandbox.write("one.yaml", "name: one\nsteps:\n  - {id: a, run: 'true'}\n");
    sandbox.json(0, &["run", "one.yaml", "--id", "r"]);
    let run = sandbox.json(2, &["context", "history", "r", "k"]);
    assert_eq!(code(&run), "RE-1402");
    assert!(run["error"]["hint"].as_str().unwrap().contains("whose context its agents write"), "{run}");
}

#[test]
fn what_the_agents_of_a_run_share_is_read_by_its_id_unless_a_context_has_that_name() {
    let sandbox = Sandbox::new();
    let work = "echo CONTEXT n=1; echo CONTEXT n=2; echo CONTEXT gone=1; echo CONTEXT gone=null";
    sandbox.write("one.yaml", format!("name: one\nsteps:\n  - {{id: a, run: '{work}'}}\n"));
    sandbox.json(0, &["run", "one.yaml", "--id", "r"]);
    for named in ["r", "last"] {
        let mut all = sandbox.json(0, &["context", "get", named]);
        assert!(all["keys"][0]["at"].take().is_string());
        let key = json!({"context": "r", "key": "n", "version": 2, "by": "a", "at": null, "value": 2});
        assert_eq!((&all["context"], &all["keys"]), (&json!("r"), &json!([key])));
        assert_eq!(sandbox.reenact(&["context", "get", named, "n"]).stdout, "2\n");
    }
    let lacking = sandbox.json(2, &["context", "get", "r", "m"]);
    assert_eq!(
        (code(&lacking), lacking["error"]["hint"].as_str().unwrap()),
        ("RE-1403", "did you mean `n`?")
    );
    sandbox.json(0, &["context", "set", "r", "n=other"]);
    assert_eq!(sandbox.json(0, &["context", "get", "r", "n"])["value"], "other");
}

#[test]
fn what_comes_over_the_control_socket_is_held_to_the_same() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder();
    let ask = |request: Value| -> Value {
        let mut stream = UnixStream::connect(sandbox.data().join("control.sock")).unwrap();
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let set = |context: &str, key: &str, value: &str, by: &str| {
        let keys = json!([{"key": key, "value": value, "expected": null}]);
        ask(json!({"context": {"context": context, "wants": {"set": {"keys": keys, "by": by}}}}))
    };
    for (context, key) in [("../x", "a"), ("a/b", "a"), ("", "a"), ("c", "../a"), ("c", "")] {
        assert_eq!(set(context, key, "1", "eve")["problem"]["code"], "RE-1401", "{context} {key}");
    }
    assert_eq!(set("c", "a", "1", "")["problem"]["code"], "RE-1010");
    assert_eq!(set("c", "a", &"x".repeat(1024 * 1024), "eve")["problem"]["code"], "RE-1113");
    assert_eq!(
        ask(json!({"context": {"context": "../../x", "wants": {"get": {}}}}))["problem"]["code"],
        "RE-1401"
    );
    let none = ask(json!({"context": {"context": "c", "wants": {"set": {"keys": [], "by": "eve"}}}}));
    assert_eq!(none["problem"]["code"], "RE-1001");
    assert_eq!(code(&sandbox.json(2, &["context", "get", "c"])), "RE-1402", "nothing of it was written");
    assert_eq!(set("c", "a", "1", "eve")["response"]["context"]["written"]["keys"][0]["version"], 1);
    // Asked again with one id, it is one.
    let keys = json!([{"key": "a", "value": "2", "expected": 1}]);
    let id = "018f5c3e-7c1d-7000-8000-000000000001";
    let twice = json!({"context": {"context": "c", "wants": {"set": {"keys": keys, "by": "eve", "id": id}}}});
    let first = ask(twice.clone());
    assert_eq!(first["response"]["context"]["written"]["keys"][0]["version"], 2, "{first}");
    sandbox.json(0, &["context", "set", "c", "a=3", "b=1"]);
    assert_eq!(ask(twice), first);
    sandbox.write("go", "");
    assert_eq!(held.wait().code(), Some(0));
}
