//! What of a program's words nobody is told.

use proptest::prelude::*;
use serde_json::json;

use super::super::mask::{Masking, VALUE_BYTES_MAX, VALUES_MAX};
use super::*;
use crate::executors::mask::Masks;
use crate::workflow::work::Transcript;

const SECRET: &str = "hunter2-\"tr\u{fc}ffel\"";

fn masks() -> Masks {
    Masks::default().and([("TOKEN", SECRET.as_bytes()), ("KEY", &b"first line\nlast line"[..])])
}

fn masked_options(folder: &Path) -> Options {
    let mut options = Options { masks: masks(), ..options(folder) };
    options.environment.insert("TOKEN".into(), SECRET.into());
    options
}

async fn attempt(work: Work) -> (Result<Output, Failure>, Transcript, Progress) {
    let folder = tempfile::tempdir().unwrap();
    let executor =
        SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(masked_options(folder.path())));
    let attempt = Attempt::start(executor, task(folder.path(), work));
    let progress = attempt.progress.clone();
    let result = attempt.end().await;
    let (Ok(Output { transcript, .. }) | Err(Failure { transcript, .. })) = &result;
    let said = transcript.as_ref().map(|said| serde_json::from_str(said.text()).unwrap());
    let shown = progress.borrow().clone();
    (result, said.unwrap_or_default(), shown)
}

/// What is kept of what came out of stdout in the end.
fn kept(text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut masking = Masking::new(masks());
    let (mut out, mut rest, mut cuts) = (Vec::new(), text, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, left) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        out.extend_from_slice(masking.stdout(piece).unwrap());
        rest = left;
    }
    out.extend_from_slice(masking.end_stdout().unwrap());
    masking.again(&mut out, false);
    out
}

#[tokio::test]
async fn a_secret_is_in_nothing_that_an_attempt_tells() {
    let says = "printf '%s' \"$TOKEN\" | head -c 9; sleep 0.1; printf '%s' \"$TOKEN\" | tail -c +10; echo .; \
                echo \"PROGRESS: 50 $TOKEN\"; echo \"ARTIFACT: made-$TOKEN\"; echo \"to $TOKEN\" >&2";
    let (result, said, shown) = attempt(shell(says)).await;
    let output = result.unwrap();
    assert_eq!(output.output.value(), json!({"stdout": "[TOKEN]."}));
    assert_eq!((&*output.artifacts, shown.text.as_str()), (&["made-[TOKEN]".to_owned()][..], "[TOKEN]"));
    assert_eq!(&*said.stdout.bytes(), b"[TOKEN].\nARTIFACT: made-[TOKEN]\n");
    assert_eq!(&*said.stderr.bytes(), b"to [TOKEN]\n");
    let (result, ..) = attempt(shell("echo \"bad $TOKEN\" >&2; exit 65")).await;
    assert_eq!(result.unwrap_err().message, "exit 65: bad [TOKEN]");
    let (result, ..) = attempt(shell(
        "python3 -c 'import json, os; print(json.dumps({os.environ[\"TOKEN\"]: 1}))' \
         || echo '{\"[TOKEN]\": 1}'",
    ))
    .await;
    assert_eq!(result.unwrap().output.value(), json!({"[TOKEN]": 1}));
    let (result, ..) = attempt(shell("echo '{\"a\": \"\\u0068unter2-\\\"tr\\u00fcffel\\\"\"}'")).await;
    assert_eq!(result.unwrap().output.value(), json!({"a": "[TOKEN]"}));
    let (_, said, _) = attempt(shell("printf '%s\\0' \"$TOKEN\"; printf '\\377%s' \"$TOKEN\" >&2")).await;
    assert_eq!((&*said.stdout.bytes(), &*said.stderr.bytes()), (&b"[TOKEN]\0"[..], &b"\xff[TOKEN]"[..]));
    let (result, ..) = attempt(list(&[&format!("absent-{SECRET}")])).await;
    assert!(!result.as_ref().unwrap_err().message.contains("hunter2"), "{result:?}");
}

#[tokio::test]
async fn what_a_program_names_is_masked_on_both_streams_also_where_it_was_not_told_yet() {
    let says = "echo 'early s3cret'; echo 'early s3cret' >&2; echo 'MASK: s3cret '; echo 'PROGRESS: 1 s3cret'; \
                echo 's3cret MASK: no'; echo 'late s3cret' >&2; printf MA; sleep 0.1; printf 'SK: l4ter'; sleep 0.1; \
                echo; echo l4ter; printf 'MASK: last'; echo 'the last' >&2";
    let (result, said, shown) = attempt(shell(says)).await;
    let stdout = "early [MASKED]\n[MASKED] MASK: no\n[MASKED]\n";
    assert_eq!(result.unwrap().output.value(), json!({ "stdout": stdout.trim_end() }));
    assert_eq!((&*said.stdout.bytes(), shown.text.as_str()), (stdout.as_bytes(), "[MASKED]"));
    assert_eq!(&*said.stderr.bytes(), b"early [MASKED]\nlate [MASKED]\nthe [MASKED]\n");
    let (result, ..) = attempt(shell("echo 'MASK: s3cret'; echo 'no s3cret' >&2; exit 1")).await;
    assert_eq!(result.unwrap_err().message, "exit 1: no [MASKED]");
    // What was masked already when it was named is a part of what is named.
    let (result, ..) = attempt(shell("printf 'u:%s\\n' \"$TOKEN\"; printf 'MASK: u:%s\\n' \"$TOKEN\"")).await;
    assert_eq!(result.unwrap().output.value(), json!({"stdout": "[MASKED]"}));
    let (result, ..) = attempt(shell("echo MASK:; echo 'MASK: abc'; echo abc")).await;
    assert_eq!(
        result.unwrap().output.value(),
        json!({"stdout": "MASK:\nabc"}),
        "nothing is named, or too little"
    );
}

#[tokio::test]
async fn a_program_that_has_too_much_masked_fails_and_nothing_more_of_it_is_kept() {
    let many = format!(
        "for n in $(seq {}); do echo \"MASK: value $n\"; done; echo value 777; sleep 1000",
        VALUES_MAX + 1
    );
    let long = format!(
        "echo begun; printf 'MASK: '; head -c {} /dev/zero | tr '\\0' x; echo; echo xxxxxxx",
        VALUE_BYTES_MAX + 1
    );
    let again = format!("for n in $(seq {}); do echo 'MASK: value'; done; echo good", VALUES_MAX * 2);
    for (says, kept) in [(many, ""), (long, "begun\n")] {
        let (result, said, _) = attempt(shell(&says)).await;
        let failure = result.unwrap_err();
        assert_eq!((failure.code, failure.outcome), (Code::MasksTooMuch, Outcome::Unknown));
        assert_eq!(&*said.stdout.bytes(), kept.as_bytes());
    }
    let (result, ..) = attempt(shell(&again)).await;
    assert_eq!(result.unwrap().output.value(), json!({"stdout": "good"}));
}

proptest! {
    #[test]
    fn what_is_kept_does_not_depend_on_how_it_was_written(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "MASK: ", "MASK:", "MAS", "\n", "\n", "s3cret", "s3c", "last line", "first line", "hunter2-", "\"tr\u{fc}ffel\"", " ",
        ]), 0..30),
        cuts in proptest::collection::vec(1usize..9, 1..20),
    ) {
        let text = pieces.concat().into_bytes();
        let whole = kept(&text, &[text.len().max(1)]);
        let cut = kept(&text, &cuts);
        prop_assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
        let secret = SECRET.as_bytes();
        prop_assert!(!whole.windows(secret.len()).any(|window| window == secret));
    }
}
