//! Families, each with what its steps do, what people do, and how it ends. What an agent does is in its name; what is `held`
//! waits until the story goes on.

use reenact::aggregates::run::{Ask, Order, RunStatus};

use super::members::{Act, Family, Story};

const NOTHING: fn(&Family) -> Option<Act> = |_| None;

const PLAIN: Story = Story {
    name: "",
    files: &[],
    at_once: NOTHING,
    grants: true,
    ignores_first: false,
    ends: &[],
    may_end: &[],
};

const COMPLETED: &[RunStatus] = &[RunStatus::Completed];
const COMPENSATED: &[RunStatus] = &[RunStatus::Compensated];
const CANCELLED: &[RunStatus] = &[RunStatus::Cancelled];
const STUCK: &[RunStatus] = &[RunStatus::Stuck];

fn order() -> Order {
    Order { by: "ada".into(), reason: None }
}

/// The root is asked something, once.
fn root_is_asked(family: &Family, recorded_as: &str, ask: Ask) -> Option<Act> {
    (!family.has("root", recorded_as)).then(|| Act::Ask("root", ask))
}

fn cancel(rollback: bool) -> Ask {
    Ask::Cancel { order: order(), rollback }
}

/// The root is cancelled.
pub(super) fn cancel_root() -> Act {
    Act::Ask("root", cancel(false))
}

fn pause() -> Act {
    Act::Ask("child", Ask::Pause(order()))
}

/// A family that is left alone when its child has ended.
pub(super) const LEFT: Story = Story {
    name: "the child has ended",
    files: &["  - {id: kid, workflow: child}\n", "  - {id: x, agent: works}\n"],
    ends: &[("root", CANCELLED), ("child", COMPLETED)],
    ..PLAIN
};

/// Undone, where it can be.
macro_rules! step {
    ($id:literal) => {
        step!($id, "works")
    };
    ($id:literal, $agent:literal) => {
        concat!("  - {id: ", $id, ", agent: ", $agent, ", compensate: {agent: works}}\n")
    };
}

pub(super) const STORIES: &[Story] = &[
    Story {
        name: "all of it completes",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n", step!("y")),
            concat!("  - {id: g, agent: stumbles, retry: {attempts: 3, initial: 1s}}\n", step!("h")),
        ],
        ends: &[("root", COMPLETED), ("child", COMPLETED), ("grandchild", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "a child that failed is tried again",
        files: &[
            concat!(
                step!("a"),
                "  - {id: kid, workflow: child, retry: {attempts: 3, initial: 1s}}\n",
                step!("z")
            ),
            concat!("  - {id: x, agent: stumbles}\n", step!("y")),
        ],
        ends: &[("root", COMPLETED), ("child", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "a grandchild fails for good",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child, retry: {attempts: 2, initial: 1s}}\n"),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n"),
            concat!(step!("g"), step!("h", "fails")),
        ],
        ends: &[("root", COMPENSATED), ("child", COMPENSATED), ("grandchild", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "the root fails after its child",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z", "fails")),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n"),
            step!("g"),
        ],
        ends: &[("root", COMPENSATED), ("child", COMPENSATED), ("grandchild", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "a grandchild is approved",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            concat!("  - {id: deep, workflow: grandchild}\n", step!("y")),
            "  - {id: g, agent: works, approve: before}\n  - {id: h, agent: works, approve: before}\n",
        ],
        ends: &[("root", COMPLETED), ("child", COMPLETED), ("grandchild", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "a child is refused",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            concat!(step!("x"), "  - {id: y, agent: works, approve: before}\n"),
        ],
        grants: false,
        ends: &[("root", COMPENSATED), ("child", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "a child waits for a signal",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            concat!(step!("x"), "  - {id: s, wait_for: go}\n", step!("y")),
        ],
        ends: &[("root", COMPLETED), ("child", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "an answer ends a grandchild, and that its parent",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            "  - {id: deep, workflow: grandchild}\n",
            "  - {id: s, wait_for: go}\n",
        ],
        ends: &[("root", COMPLETED), ("child", COMPLETED), ("grandchild", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "an answer lets a child fail that has nothing to undo",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            "  - {id: y, agent: works, approve: before}\n",
        ],
        grants: false,
        ends: &[("root", COMPENSATED), ("child", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "a child is cancelled that waits",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            "  - {id: s, wait_for: go}\n",
        ],
        at_once: |family| {
            let waits = family.has("root", "child_rested") && !family.has("child", "cancel_requested");
            waits.then(|| Act::Ask("child", cancel(false)))
        },
        ends: &[("root", COMPENSATED), ("child", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "a child is paused while it is undone",
        files: &[concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z", "fails")), step!("x")],
        at_once: |family| match family.has("child", "run_paused") {
            false => family.has("child", "rollback_started").then(pause),
            true if family.has("child", "run_unpaused") => None,
            true => family.has("root", "child_rested").then(|| Act::Ask("child", Ask::Unpause(order()))),
        },
        ends: &[("root", COMPENSATED), ("child", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "a child takes too long",
        files: &[
            concat!(
                step!("a"),
                "  - {id: kid, workflow: child, timeout: 10s, retry: {attempts: 3, initial: 1s}}\n",
                step!("z")
            ),
            concat!(step!("x"), "  - {id: s, wait_for: go}\n"),
        ],
        ignores_first: true,
        ends: &[("root", COMPLETED), ("child", &[RunStatus::Compensated, RunStatus::Completed])],
        ..PLAIN
    },
    Story {
        name: "a child works for too long",
        files: &[
            concat!(
                step!("a"),
                "  - {id: kid, workflow: child, timeout: 10s, retry: {attempts: 3, initial: 1s}}\n",
                step!("z")
            ),
            concat!(step!("x"), step!("s", "held")),
        ],
        at_once: |family| (family.count("child") > 1).then(|| family.held("s")).flatten(),
        ends: &[("root", COMPLETED), ("child", &[RunStatus::Compensated, RunStatus::Completed])],
        ..PLAIN
    },
    Story {
        name: "a grandchild passes the point of no return",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n", step!("z")),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n"),
            concat!(step!("g"), "  - {id: pay, agent: works, irreversible: true}\n"),
        ],
        ends: &[("root", COMPLETED), ("child", COMPLETED), ("grandchild", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "the root is cancelled while a grandchild asks",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n"),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n"),
            concat!(step!("g"), "  - {id: pay, agent: works, irreversible: true}\n"),
        ],
        at_once: |family| {
            let asks = family.has("grandchild", "return_asked");
            asks.then(|| root_is_asked(family, "cancel_requested", cancel(true))).flatten()
        },
        ends: &[("root", COMPENSATED), ("child", COMPENSATED), ("grandchild", COMPENSATED)],
        ..PLAIN
    },
    Story {
        name: "the root fails while its child asks",
        files: &[
            concat!(
                step!("a"),
                "  - {id: side, agent: held-fails, needs: [a]}\n  - {id: kid, workflow: child, needs: [a]}\n"
            ),
            concat!(step!("x"), "  - {id: pay, agent: works, irreversible: true}\n"),
        ],
        at_once: |family| {
            let asks = family.has("child", "return_asked") && !family.has("root", "step_failed");
            asks.then(|| family.held("side").or_else(|| family.drive("root"))).flatten()
        },
        ends: &[("root", COMPENSATED), ("child", COMPENSATED)],
        // What the child asked was heard first.
        may_end: &[("root", STUCK), ("child", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "the root fails once its child may pass the point of no return",
        files: &[
            concat!(
                step!("a"),
                "  - {id: side, agent: held-fails, needs: [a]}\n  - {id: kid, workflow: child, needs: [a]}\n"
            ),
            concat!(step!("x"), "  - {id: pay, agent: works, irreversible: true}\n"),
        ],
        at_once: |family| family.has("root", "child_past_return").then(|| family.held("side")).flatten(),
        ends: &[("root", STUCK), ("child", COMPLETED)],
        ..PLAIN
    },
    Story {
        name: "what cannot be undone fails in a child",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n"),
            concat!(step!("x"), "  - {id: pay, agent: fails, irreversible: true}\n"),
        ],
        ends: &[("root", COMPENSATED), ("child", COMPENSATED)],
        // What became of an attempt that was lost is not known.
        may_end: &[("root", STUCK), ("child", STUCK)],
        ..PLAIN
    },
    Story {
        name: "the root is cancelled in the middle of its child",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n"),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n"),
            concat!(step!("g"), step!("h", "held")),
        ],
        at_once: |family| {
            let runs = family.has_begun("grandchild", "h");
            runs.then(|| root_is_asked(family, "cancel_requested", cancel(false))).flatten()
        },
        ends: &[("root", CANCELLED), ("child", CANCELLED), ("grandchild", CANCELLED)],
        ..PLAIN
    },
    Story {
        name: "the root is rolled back in the middle of its child",
        files: &[
            concat!(step!("a"), "  - {id: kid, workflow: child}\n"),
            concat!(step!("x"), "  - {id: deep, workflow: grandchild}\n"),
            concat!(step!("g"), step!("h", "held")),
        ],
        at_once: |family| {
            let runs = family.has_begun("grandchild", "h");
            let ask = Ask::Rollback { order: order(), to: None };
            runs.then(|| root_is_asked(family, "rollback_started", ask)).flatten()
        },
        ends: &[("root", COMPENSATED), ("child", COMPENSATED), ("grandchild", COMPENSATED)],
        ..PLAIN
    },
];
