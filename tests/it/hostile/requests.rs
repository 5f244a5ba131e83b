//! Requests: whatever comes through the control socket, its holder answers or hangs up, and goes on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use reenact::events::ids::RunId;
use reenact::testing::Dice;

use super::kit::{begin_innocent, play};
use super::words;
use crate::support::{Sandbox, wait_until};

/// How long a holder may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Requests that are right. `@` is where a text comes from outside.
const REQUESTS: &[&str] = &[
    r#""hello""#,
    r#""interrupt""#,
    r#""verify""#,
    r#""interrupted""#,
    r#"{"report":{"run":"@"}}"#,
    r#"{"resolve":{"run":"@"}}"#,
    r#"{"history":{"run":"@","from":null,"to":18446744073709551615}}"#,
    r#"{"state_at":{"run":"innocent","at":18446744073709551615}}"#,
    r#"{"transcript":{"run":"innocent","step":"@","purpose":"do","attempt":4294967295}}"#,
    r#"{"logs":{"run":"innocent","step":"@","purpose":"do","attempt":4294967295}}"#,
    r#"{"logs":{"run":"@","step":null,"purpose":null,"attempt":null}}"#,
    r#"{"rest":{"run":"@"}}"#,
    r#"{"see":{"run":"@","live":false,"hears":"words"}}"#,
    r#"{"list":{"filter":{"status":null,"workflow":"@","tags":{"@":"@"},"limit":18446744073709551615}}}"#,
    r#"{"plan":{"run":"innocent","to":"@"}}"#,
    r#"{"control":{"run":"innocent","control":{"signal":{"name":"@","data":"@"}},"order":{"by":"@","reason":"@"}}}"#,
    r#"{"control":{"run":"innocent","control":{"approve":{"request":"@","note":"@","edits":{"@":"@"}}},"order":{"by":"@","reason":null}}}"#,
    r#"{"control":{"run":"x@","control":{"cancel":{"rollback":true}},"order":{"by":"@","reason":"@"}}}"#,
    r#"{"control":{"run":"innocent","control":{"resolve":{"step":"@","how":"retry"}},"order":{"by":"@","reason":"@"}}}"#,
    r#"{"begin":{"drive":true,"start":{"id":"@","input":{},"tags":{"@":"@"},"environment":{},"workflow":{"resolved":{"root":{"definition":{"name":"@","steps":[]},"work_folder":"@","agents":[["@",{}]],"parallel":4294967295,"lost_limit":1}}}}}}"#,
    r#"{"see":{"run":"@","live":true}}"#,
    r#"{"begin":{"drive":true,"start":{"id":"@","input":{},"tags":{},"environment":{},"workflow":{"resolved":{"root":{"definition":{"name":"w","steps":[{"id":"a","does":{"sleep_us":0}}]},"work_folder":"/","agents":[],"parallel":1,"lost_limit":1}}}}}}"#,
    r#"{"begin":{"drive":false,"start":{"id":"a","input":{},"tags":{"@":"@"},"environment":{},"workflow":{"resolved":{"root":{"definition":{"name":"@","steps":[{"id":"@","does":{"sleep_us":0}}]},"work_folder":"/","agents":[],"parallel":1,"lost_limit":1}}}}}}"#,
    r#"{"begin":{"drive":true,"start":{"id":"@","workflow":{"file":"@"},"work_folder":"@","until":"@","agents":[]}}}"#,
    r#"{"begin":{"drive":false,"start":{"workflow":{"text":"name: '@'\nsteps: [{id: a, sleep: 0s}]"},"tags":{"@":"@"}}}}"#,
    r#"{"begin":{"drive":false,"start":{"workflow":{"definition":{"name":"@","steps":[{"id":"@","does":{"agent":{"agent":"@"}}}]}}}}}"#,
];

/// A request, spoilt.
fn request(dice: &mut Dice) -> Vec<u8> {
    let mut line = String::new();
    for (number, part) in REQUESTS[dice.below(REQUESTS.len())].split('@').enumerate() {
        if number > 0 {
            let quoted = serde_json::to_string(&words::text(dice)).unwrap();
            line.push_str(quoted.trim_matches('"'));
        }
        line.push_str(part);
    }
    let mut line = line.into_bytes();
    match dice.below(8) {
        0 => line.truncate(dice.below(line.len())),
        1 => {
            let at = dice.below(line.len());
            line[at] ^= 1 << dice.below(8);
        }
        2 => line = words::json(dice, 6).into_bytes(),
        3 => line = vec![b'['; 1 + dice.below(200_000)],
        4 => line = (0..dice.below(4_000)).map(|_| dice.roll() as u8).collect(),
        _ => {}
    }
    if !dice.one_in(10) {
        line.push(b'\n');
    }
    line
}

/// Sends something, reads what comes, and hangs up. Answers whether an answer came.
fn talk(socket: &Path, bytes: &[u8]) -> bool {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // The holder may hang up while more is sent.
    if stream.write_all(bytes).is_err() || stream.shutdown(std::net::Shutdown::Write).is_err() {
        return false;
    }
    let mut answer = Vec::new();
    match BufReader::new(stream).read_until(b'\n', &mut answer) {
        Ok(0) => false,
        Ok(_) => {
            assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok(), "{answer:?}");
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
        Err(error) => panic!("neither an answer nor an end to {:?}: {error}", String::from_utf8_lossy(bytes)),
    }
}

/// What lies beside the data folder.
fn beside(sandbox: &Sandbox) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![sandbox.root().to_path_buf()];
    while let Some(folder) = folders.pop().filter(|folder| *folder != sandbox.data()) {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            names.push(entry.display().to_string());
            if entry.is_dir() && entry != sandbox.data() {
                folders.push(entry);
            }
        }
    }
    names.sort();
    names
}

#[test]
fn no_request_harms_the_holder_or_what_lies_beside_its_folder() {
    let sandbox = Sandbox::new();
    begin_innocent(&sandbox);
    sandbox.write("holds.yaml", "name: holds\nsteps: [{id: nap, sleep: 1h}]");
    let mut holder = sandbox.spawn(&["--json", "run", "holds.yaml", "--id", "holds"]);
    let socket = sandbox.data().join("control.sock");
    wait_until("somebody listens", || UnixStream::connect(&socket).is_ok());
    let before = beside(&sandbox);
    let (mut answered, mut silent) = (0, Vec::new());
    play(600, |seed, mut dice| {
        if dice.one_in(40) {
            // It says nothing more, and is never asked to leave by who hangs up.
            let mut stream = UnixStream::connect(&socket).unwrap();
            let _ = stream.write_all(&request(&mut dice));
            silent.push(stream);
            return;
        }
        answered += u32::from(talk(&socket, &request(&mut dice)));
        assert!(holder.is_running(), "seed {seed}: {}", holder.stderr());
    });
    assert!(answered > 100 || std::env::var_os("REENACT_FUZZ_SEED").is_some(), "{answered} answers");
    assert_eq!(beside(&sandbox), before, "something was written beside the data folder");
    // Those that say nothing hold nobody up.
    for row in sandbox.json(0, &["list"])["runs"].as_array().unwrap() {
        let id = row["run"].as_str().unwrap();
        assert!(RunId::parse(id).is_ok() && id != "last", "a run is called {id:?}");
    }
    assert_eq!(sandbox.status("holds")["status"], "running");
    holder.interrupt();
    let ended = holder.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    drop(silent);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}
