//! No secret is told: not by what programs write, not by what is written down of it, and not by what goes wrong.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::{Ended, Process, Sandbox, wait_until};

/// What must not be told: it holds what JSON escapes and what is not of ASCII, so that it is written in several ways.
const TOKEN: &str = "tk-5f3a/\"9b\\1c<\u{fc}7";

/// A key of several lines.
const KEY: &str = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhki\nG9w0BAQEFAASCBKcwgg\n-----END KEY-----";

/// The token of a notice, which no program gets.
const CHAT: &str = "chat-77d1e0c4a2";

/// What a program names itself.
const NAMED: &str = "named-4c1e88";

/// Programs that tell what they got in every way that there is.
const WORKFLOW: &str = r#"name: secrets
on_failure: stop
steps:
  - id: halves
    run: |
      set -- "$(printf %s "$TOKEN" | head -c 7)" "$(printf %s "$TOKEN" | tail -c +8)"
      printf '%s' "$1"; printf '%s' "$1" >&2; sleep 0.2; printf '%s\n' "$2"; printf '%s\n' "$2" >&2
      printf '%s\n' "$TOKEN" > got; printf '%s\n' "$KEY"; printf '> %s\n' "$KEY"
  - id: names
    run: |
      secret=named-4c; secret=${secret}1e88; echo "first $secret"; echo "first $secret" >&2
      echo "MASK: $secret"; printf "PROGRESS: 10 %s %s\\n" "$secret" "$TOKEN"; echo "then $secret"; echo "then $secret" >&2
  - id: made
    run: 'touch "made-$PIN.txt"; echo "ARTIFACT: made-$PIN.txt"; echo "ARTIFACTS: made-$PIN.txt, got"'
    needs: [halves]
  - id: json
    run: [cat, answer.json]
  - {id: fails, run: 'printf "cannot log in as %s\n" "$TOKEN" >&2; exit 65', on_error: continue}
  - id: long
    run: 'for n in $(seq 3000); do printf "%s and %s, line after line\n" "$PIN" "$TOKEN"; done'
  - {id: bytes, run: 'printf "%s\0" "$TOKEN"; printf "\377%s" "$PIN"'}
  - {id: uses, run: [echo, 'got {{ steps.halves.output.stdout }}']}
  - {id: gate, run: 'true', approve: before, needs: [names, made, json, fails, long, bytes, uses]}
"#;

/// A machine on which programs get secrets, and somebody is told of how steps end who says no and repeats what it got.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("workflow.yaml", WORKFLOW);
    let ascii = serde_json::json!({ "a": TOKEN }).to_string().replace('\u{fc}', "\\u00fc");
    sandbox.write("answer.json", ascii);
    sandbox.configure(&format!(
        "[process]\nsecrets = ['TOKEN', 'KEY', 'PIN']\n\
         [approvals]\ncheck = ['sh', '-c', 'printf \"checked with %s\\n\" \"$TOKEN\"; echo \"$KEY\"; echo \"$PIN\" >&2']\n\
         [[notify]]\non = ['approval_requested']\nurl = '{}'\ntoken_env = 'CHAT'\n",
        echoing_server()
    ));
    sandbox
}

/// Answers each request with 403 and the token that came with it.
fn echoing_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut reader, mut head) = (BufReader::new(stream.unwrap()), String::new());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|count| count > 0) {}
            let field = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
            };
            let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let _ = reader.read_exact(&mut vec![0; length]);
            let said = format!("no: {}", field("authorization").unwrap_or_default());
            let answer = format!(
                "HTTP/1.1 403 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
                said.len()
            );
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    url
}

fn command(sandbox: &Sandbox, arguments: &[&str], token: &str) -> Command {
    let mut command = sandbox.command(arguments);
    command.env("TOKEN", token).env("KEY", KEY).env("PIN", "71930458").env("CHAT", CHAT);
    command
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    sandbox.start(command(sandbox, arguments, TOKEN)).wait()
}

/// All ways in which secrets are written where they are told.
fn forms() -> Vec<Vec<u8>> {
    let texts = [TOKEN, KEY, "71930458", CHAT, NAMED, "MIIEvQIBADANBgkqhki", "G9w0BAQEFAASCBKcwgg"];
    let json = texts.map(|text| serde_json::to_string(text).unwrap().trim_matches('"').to_owned());
    let ascii = json.clone().map(|text| text.replace('\u{fc}', "\\u00fc"));
    let halves = [TOKEN[..7].to_owned(), TOKEN[8..].to_owned()];
    let all = texts.map(str::to_owned).into_iter().chain(json).chain(ascii).chain(halves);
    all.map(String::into_bytes).collect()
}

/// Which files below a folder hold a secret.
fn tellers(folder: &Path, found: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            looked_at += tellers(&path, found);
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            looked_at += 1;
            let told =
                forms().into_iter().filter(|form| bytes.windows(form.len()).any(|window| window == form));
            found.extend(told.map(|form| format!("{}: {}", path.display(), String::from_utf8_lossy(&form))));
        }
    }
    looked_at
}

fn assert_told_nowhere(sandbox: &Sandbox) {
    let mut found = Vec::new();
    // The events, blobs, pages and lists of the data folder, and the logs and results of all processes.
    let looked_at =
        tellers(&sandbox.data(), &mut found) + tellers(&sandbox.root().join("written"), &mut found);
    assert!(found.is_empty(), "{found:#?}");
    assert!(looked_at > 10, "{looked_at}");
}

fn stdout_of(report: &serde_json::Value, step: &str) -> String {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|found| found["id"] == step).unwrap();
    step["output"]["stdout"].as_str().unwrap_or_else(|| panic!("{step}")).to_owned()
}

#[test]
fn a_secret_is_in_no_file_of_the_data_folder_and_in_no_log() {
    let sandbox = machine();
    let ended = run(&sandbox, &["--json", "--log", "trace", "run", "workflow.yaml", "--id", "r"]);
    assert_eq!(ended.code(), Some(4), "{ended}");
    let report = ended.json();
    // The programs had it.
    assert_eq!(fs::read_to_string(sandbox.work("got")).unwrap().trim_end(), TOKEN);
    assert!(sandbox.work("made-71930458.txt").exists());
    assert_told_nowhere(&sandbox);
    // Whoever reads it knows what stood there.
    assert_eq!(stdout_of(&report, "halves"), "[TOKEN]\n[KEY]\n> [KEY]");
    assert_eq!(stdout_of(&report, "uses"), "got [TOKEN]\n[KEY]\n> [KEY]");
    assert_eq!(stdout_of(&report, "names"), "first [MASKED]\nthen [MASKED]");
    assert!(stdout_of(&report, "long").starts_with("[PIN] and [TOKEN], line"), "{report}");
    let history = sandbox.reenact(&["--json", "history", "r"]).stdout;
    assert!(history.contains("made-[PIN].txt") && history.contains("cannot log in as [TOKEN]"), "{history}");
    let transcript = sandbox.reenact(&["transcript", "r", "names"]).stdout;
    assert!(transcript.contains("first [MASKED]") && transcript.contains("then [MASKED]"), "{transcript}");
    let page = fs::read_dir(sandbox.data().join("runs/r")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> =
        page.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect();
    let told = |text: &str| pages.iter().any(|page| page.contains(text));
    assert!(told("checked with [TOKEN]") && told("[KEY]"), "{pages:#?}");
    assert!(ended.stderr.contains("the answer was 403 Forbidden no: Bearer [CHAT]"), "{ended}");
    for verb in
        [&["status", "r"][..], &["transcript", "r", "halves"], &["verify"], &["approve", "r", "--all"]]
    {
        run(&sandbox, verb);
    }
    assert_told_nowhere(&sandbox);
}

/// What programs get is of the process that starts them, so what is masked is as well.
#[test]
fn whoever_holds_the_store_masks_what_its_own_programs_get() {
    let sandbox = machine();
    sandbox.write(
        "holds.yaml",
        "name: holds\nsteps: [{id: a, run: 'while [ ! -e go ]; do sleep 0.02; done'}]\n",
    );
    sandbox.write("tells.yaml", "name: tells\nsteps: [{id: a, run: 'printf %s \"$TOKEN\"'}]\n");
    let holder: Process = sandbox.start(command(&sandbox, &["run", "holds.yaml", "--id", "h"], TOKEN));
    wait_until("somebody holds the store", || sandbox.data().join("control.sock").exists());
    wait_until("it runs", || sandbox.reenact(&["status", "h"]).stdout.contains("running"));
    let asks = ["--json", "run", "tells.yaml", "--id", "t"];
    let ended = sandbox.start(command(&sandbox, &asks, "the token of a client")).wait();
    assert_eq!(stdout_of(&ended.json(), "a"), "[TOKEN]", "{ended}");
    fs::write(sandbox.work("go"), "").unwrap();
    assert_eq!(holder.wait().code(), Some(0));
    assert_told_nowhere(&sandbox);
}

#[test]
fn a_secret_that_is_too_short_is_told_of_and_one_that_would_be_recorded_is_refused() {
    let sandbox = machine();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'echo \"$PIN\"'}]\n");
    let mut short = command(&sandbox, &["run", "w.yaml"], TOKEN);
    // No digits: those of a moment or an id could be the same.
    short.env("PIN", "q~z");
    let ended = sandbox.start(short).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(ended.stderr.contains("under 4 bytes, and is not masked name=\"PIN\""), "{ended}");
    assert!(!ended.stderr.contains("q~z"), "{ended}");
    assert!(!run(&sandbox, &["run", "w.yaml"]).stderr.contains("not masked"));
    for name in ["PIN", "CHAT"] {
        let mut reads = command(&sandbox, &["run", "w.yaml"], TOKEN);
        reads.env("REENACT_EXPRESSIONS__ENV", name);
        let ended = sandbox.start(reads).wait();
        assert_eq!(ended.code(), Some(2), "{ended}");
        assert!(
            ended.stderr.contains(&format!("`expressions.env` names `{name}`, which is a secret")),
            "{ended}"
        );
    }
}
