//! The examples at the end of what `--help` tells of a verb. A test runs each of them.

use clap::Command;

use super::verbs::each;

/// A verb, with the verb that it is in, and some ways to call it: each with what that does.
type Examples = (&'static [&'static str], &'static [(&'static str, &'static str)]);

const EXAMPLES: &[Examples] = &[
    (
        &[],
        &[
            ("reenact init trip --template saga", "begin a project"),
            ("reenact run trip.yaml --id first", "start a run, and see it through"),
            ("reenact help rollback", "read more about a verb"),
        ],
    ),
    (
        &["run"],
        &[
            ("reenact run trip.yaml", "start a run, and see it through"),
            (
                "reenact run trip.yaml --id june --input to=Oslo",
                "name it, and say where to; again, it attaches to that run",
            ),
            ("reenact run trip.yaml --mode record", "keep all answers in trip.cassette.json"),
            ("reenact run trip.yaml --mode replay", "answer from there: nothing is started or asked"),
            ("reenact run trip.yaml --until pay", "pause when `pay` is done with; `unpause` lets it go on"),
        ],
    ),
    (
        &["ask"],
        &[
            (
                "reenact ask --agent writer 'a haiku on rust'",
                "have an agent do something, and see that through",
            ),
            (
                "reenact ask 'what broke?' --input log=build.log --id monday",
                "ask the configured one; again, it attaches",
            ),
            ("reenact ask --agent writer 'a long novel' --detach", "only record it; `resume` lets it go on"),
        ],
    ),
    (
        &["route"],
        &[
            ("reenact route 'help me configure DNS records'", "who would do it, and why"),
            ("reenact route 'our site is slow' --context domain=web --explain", "with what it was told by"),
        ],
    ),
    (
        &["resume"],
        &[
            ("reenact resume", "go on with the run that was interrupted"),
            ("reenact resume --all", "go on with all of them"),
        ],
    ),
    (
        &["list"],
        &[
            ("reenact list --status waiting", "runs that wait for somebody"),
            ("reenact list --workflow trip --limit 5", "the last five of one workflow"),
        ],
    ),
    (
        &["status"],
        &[("reenact status", "the last run"), ("reenact status first --watch", "one run, as it goes on")],
    ),
    (
        &["logs"],
        &[
            ("reenact logs last -f", "what all its programs say, until it rests"),
            ("reenact logs first pay --attempt 1", "what one attempt said"),
        ],
    ),
    (
        &["history"],
        &[
            ("reenact history first", "everything that happened, in order"),
            ("reenact history first --from 5 --to 9 --json", "a part of it, for a program"),
        ],
    ),
    (
        &["replay"],
        &[
            ("reenact replay first", "step through it with the arrow keys"),
            ("reenact replay first --at 7", "the run as it was after its seventh event"),
        ],
    ),
    (
        &["why"],
        &[
            ("reenact why", "why the last run is as it is"),
            ("reenact why first pay", "why one of its steps is"),
        ],
    ),
    (
        &["budget", "show"],
        &[
            ("reenact budget show", "what the last run may spend, and has spent, by agent"),
            ("reenact budget show first --json", "the same of one run, for a program"),
        ],
    ),
    (
        &["retry"],
        &[
            ("reenact retry last", "try again what failed, and go on from there"),
            ("reenact retry first --step pay", "only this step, where several failed"),
        ],
    ),
    (
        &["rollback"],
        &[
            ("reenact rollback first --dry-run", "what would be undone, in which order"),
            ("reenact rollback first", "undo all that it did"),
            ("reenact rollback first --to hotel", "undo what came after `hotel`"),
        ],
    ),
    (
        &["rollback", "resolve"],
        &[
            (
                "reenact rollback resolve first hotel --retry --reason 'they gave in'",
                "try again what could not be undone",
            ),
            ("reenact rollback resolve first hotel --done --reason 'by phone'", "it was undone by hand"),
        ],
    ),
    (
        &["approve"],
        &[
            ("reenact approve last", "grant what the run asks, where it asks one thing"),
            (
                "reenact approve first publish --note 'looks good' --resume",
                "grant what `publish` asks, and see the run through",
            ),
            ("reenact approve first publish --check 1,2", "tick two points of its checklist"),
        ],
    ),
    (
        &["reject"],
        &[(
            "reenact reject last --reason 'not on a Friday' --resume",
            "refuse it, and see through what follows",
        )],
    ),
    (
        &["signal"],
        &[(
            "reenact signal last 'market open' '{\"price\": 3}' --resume",
            "send it, and see the run through",
        )],
    ),
    (
        &["cancel"],
        &[
            ("reenact cancel last", "end it as it is"),
            ("reenact cancel first --rollback", "end it, and undo what it did"),
        ],
    ),
    (
        &["transcript"],
        &[("reenact transcript last pay", "all that was said during the last attempt at `pay`")],
    ),
    (
        &["agents"],
        &[
            ("reenact agents", "who there is, and who takes work"),
            ("reenact agents list --handoffs", "who may hand work over to whom"),
            ("reenact agents pause publisher --reason 'until Monday'", "let one start nothing"),
        ],
    ),
    (
        &["context", "get"],
        &[
            ("reenact context get prices", "all that is shared there"),
            ("reenact context get prices eur", "one value of it"),
        ],
    ),
    (
        &["context", "set"],
        &[
            ("reenact context set prices eur:=12.5 note='as of today'", "a number and a text, both or none"),
            ("reenact context set prices eur:=13 --expect 1", "only if nobody has set it meanwhile"),
        ],
    ),
    (
        &["conversation", "add"],
        &[
            ("reenact conversation add review 'Why is the build red?' --name ada", "somebody asks"),
            (
                "reenact conversation add review 'Answer in one sentence.' --role system --pin",
                "and this always holds",
            ),
        ],
    ),
    (
        &["conversation", "turns"],
        &[
            ("reenact conversation turns review", "as an agent is given it"),
            ("reenact conversation turns review --all --from 1 --limit 20", "from the beginning"),
        ],
    ),
    (
        &["conversation", "search"],
        &[("reenact conversation search review 'red builds'", "by words, in any form")],
    ),
    (
        &["messages"],
        &[
            ("reenact messages last", "what the agents of the last run said to each other"),
            ("reenact messages --dead --since 2h", "what nobody has handled, of all runs"),
        ],
    ),
    (
        &["tasks"],
        &[
            ("reenact tasks", "all that is handed out, and who has it"),
            ("reenact tasks --agent reviewer", "only what one agent is to do"),
        ],
    ),
    (
        &["tasks", "next"],
        &[
            ("reenact tasks next --agent reviewer", "take what is open longest, for half an hour"),
            ("reenact tasks next --agent reviewer --lease 2h --wait 1s --json", "wait for it, for a program"),
        ],
    ),
    (
        &["cache", "list"],
        &[("reenact cache list --json", "the answers that are kept, and how often each was taken")],
    ),
    (
        &["cache", "clear"],
        &[
            ("reenact cache clear --agent shell", "have the steps with `run` done anew"),
            ("reenact cache clear --by ada", "take no answer any more that was kept until now"),
        ],
    ),
    (&["validate"], &[("reenact validate trip.yaml", "what is wrong with it, with line and column")]),
    (
        &["test"],
        &[
            ("reenact test tests/*.yaml", "run the tests of these files; 1 if one fails"),
            ("reenact test trip.test.yaml --junit report.xml --only refund", "some of them, for a machine"),
        ],
    ),
    (
        &["convert"],
        &[(
            "reenact convert diagnosis.md > diagnosis.yaml",
            "write a Markdown chain as YAML, to change more of it",
        )],
    ),
    (
        &["schema"],
        &[("reenact schema > workflow.schema.json", "let an editor complete and check workflow files")],
    ),
    (&["verify"], &[("reenact verify", "prove that nothing of the store is lost or changed")]),
    (&["mcp"], &[("reenact mcp", "serve the assistant that starts it, from the current folder")]),
    (&["trust"], &[("reenact trust .", "let the programs be run that this folder's reenact.toml names")]),
    (
        &["init"],
        &[
            ("reenact init", "begin here"),
            (
                "reenact init trip --template saga",
                "begin in a new folder, with bookings that can be taken back",
            ),
        ],
    ),
    (
        &["doctor"],
        &[
            ("reenact doctor", "look at store, disk, configuration, agents and clock"),
            ("reenact doctor --json", "the same, for a program"),
        ],
    ),
    (
        &["config", "show"],
        &[
            ("reenact config show", "each setting, and where it comes from"),
            ("REENACT_RUN__PARALLEL=4 reenact config show", "with one from the environment"),
        ],
    ),
    (
        &["completions"],
        &[
            ("reenact completions bash > ~/.local/share/bash-completion/completions/reenact", "for bash"),
            ("echo 'source <(reenact completions zsh)' >> ~/.zshrc", "for zsh, behind its `compinit`"),
            ("reenact completions fish > ~/.config/fish/completions/reenact.fish", "for fish"),
        ],
    ),
    (
        &["help"],
        &[
            ("reenact help rollback resolve", "all about one verb"),
            ("reenact help --man ~/.local/share/man/man1", "all about all verbs, for `man reenact`"),
        ],
    ),
];

/// The command line, with examples at the end of what is told of each verb that has some.
pub(super) fn with_examples(command: Command) -> Command {
    each(command, &[], &|verb, path| match EXAMPLES.iter().find(|(of, _)| *of == path) {
        Some((_, examples)) => verb.after_help(text(examples)),
        None => verb,
    })
}

/// Each command on a line of its own, below what it does: either may be long.
fn text(examples: &[(&str, &str)]) -> String {
    let lines = examples.iter().map(|(command, does)| format!("  # {does}\n  {command}"));
    format!("Examples:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
