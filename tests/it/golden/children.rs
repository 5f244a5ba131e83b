//! What is recorded of the runs that a run starts.

use super::*;

pub(super) fn events() -> Vec<RunEvent> {
    let run = || RunId::parse("child-1").unwrap();
    vec![
        ChildStarted { step: step("test"), run: run() }.into(),
        ChildRested { step: step("test"), run: run(), version: Version(70_000) }.into(),
        ChildStirred { step: step("test"), run: run(), version: Version(70_001) }.into(),
        TellingBegan {}.into(),
        ParentTold {}.into(),
        ReturnAsked { step: step("test"), run: run() }.into(),
        ReturnAnswered { granted: true }.into(),
        ChildPastReturn { step: step("test"), run: run() }.into(),
        ended().into(),
    ]
}

pub(super) fn ended() -> ChildEnded {
    ChildEnded {
        step: step("test"),
        run: RunId::parse("child-1").unwrap(),
        status: "completed".into(),
        version: Version(70_000),
        past_return: true,
        driven: false,
    }
}
