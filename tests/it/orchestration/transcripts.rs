//! What was said during each attempt can be read again.

use super::with;

#[test]
fn each_attempt_says_what_was_written_and_how_it_ended() {
    let sandbox = with(
        "name: w
on_failure: stop
steps:
  - id: a
    run: 'echo out; echo err >&2; [ -e works ] || { touch works; exit 75; }'
    retry: {attempts: 2, initial: 1ms}
    compensate: {run: echo undone}
  - {id: b, sleep: 1ms}
",
    );
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let last = sandbox.json(0, &["transcript", "r", "a"]);
    assert_eq!(
        (&last["attempt"], &last["attempts"], &last["status"]),
        (&2.into(), &2.into(), &"completed".into())
    );
    assert_eq!(
        (&last["stdout"], &last["stderr"], &last["exit_code"]),
        (&"out\n".into(), &"err\n".into(), &0.into())
    );
    let first = sandbox.json(0, &["transcript", "r", "a", "--attempt", "1"]);
    assert_eq!((&first["status"], &first["exit_code"]), (&"failed".into(), &75.into()));
    assert_eq!(first["error"]["code"], "RE-3001");
    let shown = sandbox.reenact(&["transcript", "r", "a"]);
    assert_eq!(shown.code(), Some(0), "{shown}");
    assert!(shown.stdout.contains("── stdout\nout\n── stderr\nerr\n"), "{shown}");
    for arguments in [["transcript", "r", "a", "--attempt", "3"], ["transcript", "r", "b", "--attempt", "1"]]
    {
        assert_eq!(sandbox.json(2, &arguments)["error"]["code"], "RE-2017");
    }
    assert_eq!(sandbox.json(2, &["transcript", "r", "a", "--undo"])["error"]["code"], "RE-2017");
    sandbox.json(3, &["rollback", "r"]);
    let undo = sandbox.json(0, &["transcript", "r", "a", "--undo"]);
    assert_eq!((&undo["purpose"], &undo["stdout"]), (&"compensate".into(), &"undone\n".into()));
    assert_eq!(sandbox.json(2, &["transcript", "r", "c"])["error"]["code"], "RE-2009");
}
