//! Agents whose programs converse, with the real binary: messages on stdin while they run, and lines that are heard at once.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// What each of these programs begins with: it reads its document, and can say that it has handled a line.
const BEGIN: &str = "read -r document\nhandled() { printf '%s\\n' \"$1\" | sed -n 's/.*\"id\":\"\\([^\"]*\\)\".*/HANDLED: \\1/p'; }\n";

/// A workflow whose agents converse, by these programs.
fn sandbox(agents: &[(&str, &str)], steps: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, program) in agents {
        sandbox.write(&format!("{name}.sh"), format!("{BEGIN}{program}"));
        let file = format!(
            "---\nname: {name}\ndescription: Converses\ncommand: [sh, {name}.sh]\nstream: true\n---\n"
        );
        sandbox.write(&format!("agents/{name}.md"), file);
    }
    sandbox.write("w.yaml", format!("name: w\nsteps:\n{steps}"));
    sandbox
}

fn kinds(sandbox: &Sandbox) -> Vec<String> {
    let history = sandbox.history("r");
    let kinds = history.iter().map(|event| event["type"].as_str().unwrap().to_owned());
    kinds.filter(|kind| kind.starts_with("message_")).collect()
}

fn states(sandbox: &Sandbox) -> Vec<String> {
    let messages = sandbox.reenact(&["--json", "messages", "r"]).json_lines();
    messages.iter().map(|message| message["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn two_programs_of_one_run_talk_while_both_run() {
    let asks = r#"
for n in 1 2 3; do
  echo "SEND: {\"to\":\"pricer\",\"kind\":\"request\",\"body\":$n}"
  read -r answer
  handled "$answer"
  printf "%s\n" "$answer" >> answers
done
echo 'SEND: {"to":"pricer","kind":"control","body":"stop"}'
echo '{"asked":3}'
"#;
    let prices = r#"
while read -r line; do
  case $line in
    *'"kind":"control"'*) handled "$line"; break;;
    *) echo 'SEND: {"to":"asker","kind":"response","body":"priced"}'; handled "$line";;
  esac
done
printf '{"stopped":true}'
"#;
    let steps = "  - {id: ask, agent: asker, needs: []}\n  - {id: price, agent: pricer, needs: []}\n";
    let sandbox = sandbox(&[("asker", asks), ("pricer", prices)], steps);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["steps"][0]["output"], json!({"asked": 3}), "what it says is no output");
    assert_eq!(report["steps"][1]["output"], json!({"stopped": true}));
    assert_eq!(states(&sandbox), ["handled"; 7]);
    let answers = std::fs::read_to_string(sandbox.work("answers")).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = answers.iter().map(|answer| (&answer["id"], &answer["causation"])).collect();
    assert_eq!(
        ids,
        [(&json!("r/2"), &json!("r/1")), (&json!("r/4"), &json!("r/3")), (&json!("r/6"), &json!("r/5"))]
    );
    let first = ["message_sent", "message_given", "message_sent", "message_given"];
    assert_eq!(kinds(&sandbox)[..4], first, "each word is recorded before it is heard");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// The process died when a program had got a message on its stdin: the next program gets the same in its document.
#[test]
fn after_a_crash_what_was_given_and_not_handled_is_given_again_under_the_same_id() {
    let hears = r#"
if [ -e got ]; then
  handled "$document"
  printf '%s\n' "$document"
else
  read -r line
  read -r second
  handled "$second"
  while read -r more; do :; done &
  printf "%s\n" "$line" > got
  sleep 60
fi
"#;
    let tells = r#"
echo 'SEND: {"to":"bob","kind":"task","body":7}'
echo 'SEND: {"to":"bob","kind":"task","body":8}'
"#;
    let steps = "  - {id: hear, agent: bob, needs: []}\n  - {id: tell, agent: ada, needs: []}\n";
    let sandbox = sandbox(&[("bob", hears), ("ada", tells)], steps);
    let run = sandbox.spawn(&["--json", "run", "w.yaml", "--id", "r"]);
    wait_until("one is handled and the other is not", || {
        sandbox.work("got").exists() && states(&sandbox) == ["sent", "handled"]
    });
    run.kill();
    let got: Value = serde_json::from_str(&std::fs::read_to_string(sandbox.work("got")).unwrap()).unwrap();
    let report = sandbox.json(0, &["resume", "r"]);
    let given = report["steps"][0]["output"]["messages"].as_array().unwrap().clone();
    assert_eq!(given, [got], "the same, and not what was handled");
    assert_eq!(
        (sandbox.count("r", "message_given", None), sandbox.count("r", "message_handled", None)),
        (2, 2)
    );
    assert_eq!(states(&sandbox), ["handled", "handled"]);
}

#[test]
fn what_is_wrong_with_a_word_is_told_to_the_program_and_the_attempt_goes_on() {
    let says = r#"
wrong() { echo "$1"; read -r line; printf "%s\n" "$line" >> told; }
wrong 'SEND: {"to":"ada","kind":"gossip"}'
wrong 'SEND: {"to":"ada",'
wrong 'SEND: {"to":"ada","to":"bob","kind":"task"}'
wrong 'HANDLED: r/99'
wrong 'HANDLED: something else'
wrong 'HANDLED: other/1'
echo 'SEND: five packets'
"#;
    let sandbox = sandbox(&[("ada", says)], "  - {id: a, agent: ada}\n");
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["steps"][0]["output"], json!({"stdout": "SEND: five packets"}));
    let told = std::fs::read_to_string(sandbox.work("told")).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = told.iter().map(|line| line["error"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["RE-1502", "RE-1501", "RE-3030", "RE-1514", "RE-1514", "RE-1514"]);
    assert!(told[4]["error"]["message"].as_str().unwrap().contains("something else"), "{told:?}");
    let transcript = sandbox.json(0, &["transcript", "r", "a"]).to_string();
    assert!(transcript.contains("reenact: RE-1502"), "{transcript}");
    assert!(states(&sandbox).is_empty());
}

#[test]
fn a_flood_of_words_is_held_up_and_who_reads_nothing_meets_its_timeout() {
    let floods = r#"
i=0
while [ $i -lt 120 ]; do i=$((i + 1)); echo 'SEND: {"to":"shell","kind":"notice"}'; done
"#;
    let deaf = r#"
while :; do echo 'SEND: {"to":"shell","kind":"gossip"}'; printf x >> count; done
"#;
    let steps = "  - {id: flood, agent: ada, needs: []}\n  - {id: deaf, agent: bob, needs: [], timeout: 2s, on_error: continue}\n";
    let sandbox = sandbox(&[("ada", floods), ("bob", deaf)], steps);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(sandbox.count("r", "message_sent", Some("flood")), 120);
    assert_eq!(report["steps"][1]["error"]["code"], "RE-3007", "{report}");
    let written = std::fs::metadata(sandbox.work("count")).unwrap().len();
    assert!(written < 8_000, "it was held up after {written} lines");
}

#[test]
fn what_is_never_answered_waits_again_when_the_time_of_its_attempt_is_over() {
    let silent = r#"
if [ "$REENACT_ATTEMPT" = 2 ]; then printf '%s\n' "$document"; else while read -r line; do echo "$line" >> lines; done; fi
"#;
    let tells = "echo 'SEND: {\"to\":\"bob\",\"kind\":\"task\",\"body\":7}'\n";
    let steps = "  - {id: hear, agent: bob, needs: [], timeout: 1s, retry: {attempts: 2, initial: 1ms}}\n  - {id: tell, agent: ada, needs: []}\n";
    let sandbox = sandbox(&[("bob", silent), ("ada", tells)], steps);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["steps"][0]["output"]["messages"][0]["id"], "r/1", "{report}");
    assert_eq!(kinds(&sandbox), ["message_sent", "message_given"], "success alone handles nothing");
    assert_eq!(states(&sandbox), ["dead"], "and the run has ended");
}
