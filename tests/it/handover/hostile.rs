//! What comes over the control socket need not come from a command line: whatever it is, it harms nobody.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{gated, open, start_gated, starts};
use crate::support::{Process, Sandbox, wait_until};

/// A connection to the process that holds the store.
struct Raw(BufReader<UnixStream>);

impl Raw {
    fn connect(sandbox: &Sandbox) -> Self {
        Self::try_connect(sandbox).unwrap()
    }

    fn try_connect(sandbox: &Sandbox) -> std::io::Result<Self> {
        let stream = UnixStream::connect(sandbox.data().join("control.sock"))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Writes; the other side may have hung up.
    fn say(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// The next frame; none when the other side hung up.
    fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.say(format!("{request}\n").as_bytes());
        self.hear().unwrap()
    }
}

fn ends_well(sandbox: &Sandbox, holder: Process) {
    open(sandbox, "holder");
    let ended = holder.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(starts(sandbox, "holder"), 1);
}

/// A request that begins a run of one step.
fn begin(run: &str, step: &str) -> Value {
    let steps = json!([{"id": step, "does": {"sleep_us": 0}}]);
    json!({"begin": {"drive": true, "start": {
        "id": run, "input": {}, "tags": {}, "environment": {}, "workflow": {"resolved": {"root": {
            "definition": {"name": "w", "steps": steps}, "work_folder": "/tmp", "agents": [], "parallel": 1,
            "lost_limit": 1}}}}}})
}

/// Requests that begin runs and are wrong, and the code of what is wrong with each.
fn wrong_starts() -> Vec<(Value, &'static str)> {
    let root = "/workflow/resolved/root";
    let at = |pointer: &str, value: Value| {
        let mut request = begin("fine", "a");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(&format!("/begin/start{parent}")).unwrap()[key] = value;
        request
    };
    let step = |extra: Value| {
        let mut step = json!({"id": "a", "does": {"sleep_us": 0}});
        step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        at(&format!("{root}/definition/steps"), json!([step]))
    };
    vec![
        (begin("fine", "../a"), "RE-1109"),
        (begin("fine", "a[0]"), "RE-1109"),
        (step(json!({"needs": ["b"]})), "RE-1108"),
        (step(json!({"needs": ["a"]})), "RE-1107"),
        (step(json!({"does": {"agent": {"agent": "a\nb"}}})), "RE-1302"),
        (at(&format!("{root}/definition/steps"), json!([])), "RE-1106"),
        (
            at(
                &format!("{root}/definition/steps"),
                json!([{"id": "a", "does": {"sleep_us": 0}}, {"id": "a", "does": {"sleep_us": 0}}]),
            ),
            "RE-1105",
        ),
        (at(&format!("{root}/definition"), json!({"nonsense": 1})), "RE-1010"),
        (at("/tags", json!({"": "x"})), "RE-1010"),
        (at("/work_folder", json!("relative")), "RE-1010"),
        (at("/parallel", json!(0)), "RE-1010"),
        (at("/workflow", json!({"file": "relative.yaml"})), "RE-1010"),
        (at("/workflow", json!({"file": "/dev/null/none.yaml"})), "RE-1101"),
        (at("/workflow", json!({"text": "steps: [{id: a, agent: nobody}]"})), "RE-1301"),
        (at("/workflow", json!({"definition": {"name": "w", "steps": []}})), "RE-1010"),
        (at("/tags", json!({"k": "x".repeat(3000)})), "RE-1113"),
        (at(&format!("{root}/work_folder"), json!("relative")), "RE-1010"),
        (at(&format!("{root}/agents"), json!([["a", {"name": "b"}]])), "RE-1010"),
        (at(&format!("{root}/parallel"), json!(0)), "RE-1010"),
    ]
}

// A run's id from the socket was not looked at: `../` in it wrote a page outside the data folder.
#[test]
fn names_on_the_socket_are_checked_like_those_on_the_command_line() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let mut raw = Raw::connect(&sandbox);
    for id in ["../../escaped", "a/b", "", "last", ".hidden", &"x".repeat(65), "a\nb"] {
        let answer = raw.ask(&begin(id, "a"));
        assert_eq!(answer["problem"]["code"], "RE-1002", "{id}: {answer}");
        let answer = raw.ask(&json!({"see": {"run": id, "live": false}}));
        assert_eq!(answer["problem"]["code"], "RE-1002", "{id}: {answer}");
    }
    let wrong = wrong_starts().into_iter().chain([
        (
            json!({"control": {"run": "holder", "control": {"signal": {"name": "", "data": 1}}, "order": {"by": "x", "reason": null}}}),
            "RE-1010",
        ),
        (
            json!({"control": {"run": "holder", "control": {"reject": {"request": ""}}, "order": {"by": "x", "reason": "r"}}}),
            "RE-1010",
        ),
        (
            json!({"control": {"run": "holder", "control": "pause", "order": {"by": "", "reason": null}}}),
            "RE-1010",
        ),
        (json!({"report": {"run": "x".repeat(100_000)}}), "RE-1113"),
    ]);
    for (request, code) in wrong {
        let answer = raw.ask(&request);
        assert_eq!(answer["problem"]["code"], code, "{request}: {answer}");
    }
    assert!(raw.ask(&begin("fine", "a"))["response"]["begun"]["version"].is_u64(), "what is right is taken");
    drop(raw);
    ends_well(&sandbox, holder);
    let runs = sandbox.json(0, &["list"])["runs"].as_array().unwrap().len();
    assert_eq!(runs, 2);
    let names: Vec<_> =
        fs::read_dir(sandbox.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "escaped"), "{names:?}");
}

#[test]
fn what_is_no_request_is_answered_so_or_hung_up_on() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"report\":{{\"run\":{deep}");
    let lines: [(&[u8], &str); 8] = [
        (b"this is no JSON", "RE-1010"),
        (b"{}", "RE-1010"),
        (b"", "RE-1010"),
        (b"{\"report\": 7}", "RE-1010"),
        (b"\"no_such_request\"", "RE-1010"),
        (b"\xff\xfe\"hello\"", "RE-1010"),
        (deep.as_bytes(), "RE-1209"),
        (nested.as_bytes(), "RE-1209"),
    ];
    for (line, code) in lines {
        let mut raw = Raw::connect(&sandbox);
        raw.say(line);
        raw.say(b"\n\"hello\"\n");
        let answer = raw.hear().unwrap();
        assert_eq!(answer["problem"]["code"], code, "{answer}");
        assert_eq!(raw.hear(), None, "what comes behind is not answered");
    }
    let deep_input = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let request = begin("deep", "a").to_string().replace("\"input\":{}", &format!("\"input\":{deep_input}"));
    let mut raw = Raw::connect(&sandbox);
    raw.say(format!("{request}\n").as_bytes());
    assert_eq!(raw.hear().unwrap()["problem"]["code"], "RE-1209");
    // Half a request, none at all, and no reader for the answers: nobody is hindered, also not the holder's end.
    let mut half = Raw::connect(&sandbox);
    half.say(b"{\"report\":");
    let silent = Raw::connect(&sandbox);
    let mut deaf = Raw::connect(&sandbox);
    // The holder stops to read when nobody reads what it says.
    deaf.0.get_ref().set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    deaf.say("\"hello\"\n".repeat(100_000).as_bytes());
    assert_eq!(sandbox.status("holder")["status"], "running");
    ends_well(&sandbox, holder);
    drop((half, silent, deaf));
}

// A request of more than 64 MiB was read whole, dropped without a word, and sent again for ever.
#[test]
fn a_request_without_end_is_answered_at_the_bound() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let mut raw = Raw::connect(&sandbox);
    let part = vec![b'x'; 1 << 20];
    for _ in 0..70 {
        raw.say(&part);
    }
    assert_eq!(raw.hear().unwrap()["problem"]["code"], "RE-1008");
    assert_eq!(raw.hear(), None);
    ends_well(&sandbox, holder);
}

#[test]
fn an_input_is_too_large_alone_and_beside_a_holder_alike() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'true'}]");
    sandbox.write("big.json", json!({"a": "x".repeat(70_000_000)}).to_string());
    sandbox.write("fine.json", json!({"a": "x".repeat(5_000_000)}).to_string());
    let run = |input: &str, code| {
        let ended = sandbox.json(code, &["run", "w.yaml", "--input-file", input]);
        ended["error"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(run("big.json", 2).as_deref(), Some("RE-1113"));
    assert!(!sandbox.data().exists(), "nothing was started");
    run("fine.json", 0);
    let holder = start_gated(&sandbox, "holder");
    assert_eq!(run("big.json", 2).as_deref(), Some("RE-1113"));
    run("fine.json", 0);
    ends_well(&sandbox, holder);
}

/// Starts a [`gated`] run in a process that may have so many files open.
fn start_with_files(sandbox: &Sandbox, files: u32) -> Process {
    sandbox.write("holder.yaml", gated("holder"));
    let inner = sandbox.command(&["--json", "run", "holder.yaml", "--id", "holder"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(sandbox.work("")).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let process = sandbox.start(command);
    wait_until("the holder runs", || starts(sandbox, "holder") == 1);
    process
}

/// How many files a process has open.
fn files_of(process: &Process) -> u32 {
    fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap().count().try_into().unwrap()
}

#[test]
fn too_many_clients_are_turned_away_with_a_word() {
    let sandbox = Sandbox::new();
    let holder = start_with_files(&sandbox, 256);
    let mut clients: Vec<Raw> = (0..200).map(|_| Raw::connect(&sandbox)).collect();
    let turned = clients.iter_mut().rev().take(200 - 128).map(|raw| raw.hear().unwrap());
    let codes: Vec<Value> = turned.map(|answer| answer["problem"]["code"].clone()).collect();
    assert!(codes.iter().all(|code| code == "RE-2021"), "{codes:?}");
    let busy = sandbox.json(7, &["status", "holder"]);
    assert_eq!(busy["error"]["code"], "RE-2021", "{busy}");
    drop(clients);
    assert_eq!(sandbox.status("holder")["status"], "running");
    ends_well(&sandbox, holder);
}

// Out of file descriptors, the holder tried to accept without a pause: a core was busy, and the log grew by 50 MB a second.
#[test]
fn a_holder_without_file_descriptors_waits_and_tells_so_once() {
    let sandbox = Sandbox::new();
    let probe = start_with_files(&sandbox, 1024);
    let used = files_of(&probe);
    ends_well(&sandbox, probe);
    fs::remove_file(sandbox.work("holder.log")).unwrap();
    fs::remove_file(sandbox.work("holder.go")).unwrap();
    fs::remove_dir_all(sandbox.data()).unwrap();

    let holder = start_with_files(&sandbox, used + 6);
    let clients: Vec<Raw> = (0..60).map(|_| Raw::connect(&sandbox)).collect();
    wait_until("the holder tells of it", || holder.stderr().contains("cannot be let in"));
    drop(clients);
    wait_until("clients are let in again", || {
        sandbox.reenact(&["--json", "status", "holder"]).json()["status"] == "running"
    });
    let said = holder.stderr();
    assert_eq!(said.matches("cannot be let in").count(), 1, "{said}");
    ends_well(&sandbox, holder);
}

/// A process that holds a store, greets, and hangs up on everything else; answers how often that was.
fn rude_holder(sandbox: &Sandbox) -> (File, std::thread::JoinHandle<u32>, PathBuf) {
    fs::create_dir_all(sandbox.data().join("events")).unwrap();
    let lock = File::create(sandbox.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let socket = sandbox.data().join("control.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let end = sandbox.root().join("end");
    let ended = end.clone();
    let thread = std::thread::spawn(move || {
        let mut asked = 0;
        for stream in listener.incoming() {
            if ended.exists() {
                break;
            }
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            stream.get_mut().write_all(b"{\"response\":\"done\"}\n").unwrap();
            asked += u32::from(stream.read_line(&mut line).is_ok_and(|read| read > 0));
        }
        asked
    });
    (lock, thread, end)
}

// What made a holder hang up was sent to it again and again, for ever.
#[test]
fn a_client_gives_up_on_a_holder_that_hangs_up_on_it() {
    let sandbox = Sandbox::new();
    let (lock, thread, end) = rude_holder(&sandbox);
    let answer = sandbox.json(7, &["list"]);
    assert_eq!(answer["error"]["code"], "RE-2022", "{answer}");
    fs::write(end, "").unwrap();
    let _ = UnixStream::connect(sandbox.data().join("control.sock")).unwrap().read(&mut [0]);
    assert!((2..=10).contains(&thread.join().unwrap()));
    drop(lock);
    // It has told which process that was: this one.
    let pid = std::process::id().to_string();
    assert!(answer["error"]["message"].as_str().unwrap().contains(&pid), "{answer}");
}
