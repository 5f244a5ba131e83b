//! What failed while its run went on without it is recorded so, and what came after has used that: a retry says what did, and
//! how it is done after all.

use super::log;
use crate::support::Sandbox;

/// Items 1 and 3 fail as long as there is no file `ok`.
fn workflow(first: &str, on_error: &str) -> String {
    format!(
        "name: w\nsteps:\n{first}  - id: each\n    for_each: '[0, 1, 2, 3]'\n    run: 'test -e ok || exit $(( {{{{ item | raw }}}} % 2 )); echo {{{{ item }}}}'\n    on_error: {on_error}\n  - {{id: z, run: \"echo {{{{ steps.each.output | length }}}} >> log\"}}\n"
    )
}

const FIRST: &str = "  - {id: a, run: 'true'}\n";

#[test]
fn a_retry_names_what_the_run_went_on_without_and_the_way_back_does_all_of_it_anew() {
    for on_error in ["continue", "retry_then_skip"] {
        let sandbox = Sandbox::new();
        sandbox.write("w.yaml", workflow(FIRST, on_error));
        sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
        let before = sandbox.history("r").len();
        let said = "`each[1]`, `each[3]` failed, which is tolerated: the run went on without them";
        let back =
            "`reenact rollback r --to a` goes back before `each`, all of which is done anew from there";
        for (step, said) in [
            (&[][..], said),
            (&["--step", "each"], said),
            (&["--step", "each[3]"], "`each[3]` failed, which is tolerated: the run went on without it"),
        ] {
            let refused = sandbox.json(2, &[&["retry", "r"], step].concat());
            assert_eq!(refused["error"]["code"], "RE-2007");
            assert_eq!(
                (refused["error"]["message"].as_str(), refused["error"]["hint"].as_str()),
                (Some(said), Some(back)),
                "{refused}"
            );
        }
        let refused = sandbox.json(2, &["retry", "r", "--step", "z"]);
        assert_eq!(refused["error"]["message"], "the run is completed and has nothing to try again");
        assert_eq!(sandbox.history("r").len(), before, "what is refused changes nothing");
        sandbox.write("ok", "");
        sandbox.json(3, &["rollback", "r", "--to", "a"]);
        let done = sandbox.json(0, &["retry", "r"]);
        assert_eq!(done["steps"][1]["output"][3]["stdout"], "3", "{done}");
        assert_eq!(log(&sandbox), ["4", "4"]);
    }
}

#[test]
fn where_nothing_is_before_it_another_run_does_it() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", workflow("", "continue"));
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let refused = sandbox.json(2, &["retry", "r"]);
    assert_eq!(refused["error"]["hint"], "a new run does it again", "{refused}");
}

/// Going forward again would be refused.
#[test]
fn nobody_is_sent_back_before_what_may_be_started_once_only() {
    let sandbox = Sandbox::new();
    let text = workflow(FIRST, "continue");
    sandbox.write("w.yaml", format!("{text}  - {{id: once, run: 'true', at_most_once: true}}\n"));
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let refused = sandbox.json(2, &["retry", "r"]);
    assert_eq!(refused["error"]["hint"], "a new run does it again", "{refused}");
}
