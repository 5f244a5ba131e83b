//! Which tools there are, in the order in which a page tells of them.

use serde_json::{Value, json};

use super::super::inspection::Ran;
use super::super::{Failure, Output, Task};
use super::call::Call;
use super::programs::Program;
use super::{Settings, git, look, programs, read, search, share, web, write};
use crate::workflow::turns::{ASK_AGENT, HANDOFF, SEND};
use crate::workflow::work::Transcript;

/// What a tool may do beside answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// It only looks: called again it does no harm.
    Look,
    /// It changes files in the work folder.
    Change,
    /// It runs programs, which may do whatever this process may.
    Run,
    /// It asks others over the network.
    Reach,
    /// It changes what the agents of a run share.
    Share,
    /// It has another agent do something, or says something to one.
    Ask,
}

/// A tool that is built in.
#[derive(Debug)]
pub struct Tool {
    /// The name by which it is recorded, and offered to models.
    pub name: &'static str,
    /// The names that other programs have for it.
    pub aliases: &'static [&'static str],
    /// What a model is told of it.
    pub description: &'static str,
    /// What it may do.
    pub may: May,
    input: fn() -> Value,
    work: Work,
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// On files, on a thread that may block.
    Files(fn(&Call) -> Result<Value, Failure>),
    /// By a program.
    Programs {
        of: fn(&Call, &Settings) -> Result<Program, Failure>,
        says: fn(&Transcript) -> Result<Value, Failure>,
    },
    /// By what git says.
    Git { of: fn(&Call) -> Result<Vec<String>, Failure>, says: fn(&Ran) -> Result<Value, Failure> },
    /// By fetching a page.
    Fetch,
    /// By a request over HTTP.
    Http,
    /// By what it wants of the run.
    Shares(fn(&Task) -> Result<Output, Failure>),
    /// By whoever asks the model: it is a step of another agent.
    Loop,
    /// By whoever asks the model: that is said with what it answered, and here it is only noted.
    Said,
}

impl Tool {
    /// The shape of what it takes, as a JSON Schema of an object.
    pub fn input(&self) -> Value {
        (self.input)()
    }

    pub(super) fn work(&self) -> Work {
        self.work
    }
}

/// All tools.
pub static TOOLS: [Tool; 17] = [
    Tool {
        name: "read",
        aliases: &["read_file", "view", "cat", "NotebookRead"],
        description: "Reads lines of a text file. Answers `content`, and in `cut` what was left out.",
        may: May::Look,
        input: read::input,
        work: Work::Files(read::read),
    },
    Tool {
        name: "write",
        aliases: &["write_file", "create_file"],
        description: "Writes a whole file, in place of what was there. Missing folders are made.",
        may: May::Change,
        input: write::input_of_write,
        work: Work::Files(write::write),
    },
    Tool {
        name: "edit",
        aliases: &["edit_file", "MultiEdit", "str_replace"],
        description: "Replaces a text in a file by another. `old` must stand there exactly once, unless `all` is true.",
        may: May::Change,
        input: write::input_of_edit,
        work: Work::Files(write::edit),
    },
    Tool {
        name: "list",
        aliases: &["LS", "list_dir", "list_files", "list_directory"],
        description: "Lists a folder. Names of folders end with a slash.",
        may: May::Look,
        input: look::input_of_list,
        work: Work::Files(look::list),
    },
    Tool {
        name: "find",
        aliases: &["Glob", "find_files"],
        description: "Finds files whose paths fit a glob, without those that .gitignore leaves out.",
        may: May::Look,
        input: look::input_of_find,
        work: Work::Files(look::find),
    },
    Tool {
        name: "search",
        aliases: &["Grep", "search_files", "ripgrep"],
        description: "Searches text files for a regular expression, line by line. Answers file, line and text of each.",
        may: May::Look,
        input: search::input,
        work: Work::Files(search::search),
    },
    Tool {
        name: "run",
        aliases: &["Bash", "shell_command", "execute", "terminal"],
        description: "Runs a command in the work folder. Answers its exit status, stdout and stderr; a status other than 0 is no failure of the tool.",
        may: May::Run,
        input: programs::input_of_run,
        work: Work::Programs { of: programs::run, says: programs::ran },
    },
    Tool {
        name: "fetch",
        aliases: &["WebFetch", "fetch_url"],
        description: "Fetches a page by its address and answers its text.",
        may: May::Reach,
        input: web::input_of_fetch,
        work: Work::Fetch,
    },
    Tool {
        name: "git_diff",
        aliases: &["diff"],
        description: "Shows what changed in files that git knows: since the index, or since `base`.",
        may: May::Look,
        input: git::input_of_diff,
        work: Work::Git { of: git::diff, says: git::differs },
    },
    Tool {
        name: "git_log",
        aliases: &[],
        description: "Shows the latest commits, with author, time and message.",
        may: May::Look,
        input: git::input_of_log,
        work: Work::Git { of: git::log, says: git::commits_of },
    },
    Tool {
        name: "test",
        aliases: &["run_tests"],
        description: "Runs the tests of the project. Answers whether they passed, and what they wrote.",
        may: May::Run,
        input: programs::input_of_test,
        work: Work::Programs { of: programs::test, says: programs::tested },
    },
    Tool {
        name: "http",
        aliases: &["http_request"],
        description: "Sends an HTTP request. Answers status, headers and body, whatever the status is.",
        may: May::Reach,
        input: web::input_of_http,
        work: Work::Http,
    },
    Tool {
        name: ASK_AGENT,
        aliases: &["Task", "delegate"],
        description: "Has another agent do something, and answers what it answers.",
        may: May::Ask,
        input: input_of_ask,
        work: Work::Loop,
    },
    Tool {
        name: HANDOFF,
        aliases: &["hand_over", "transfer"],
        description: "Hands the rest of the work over to another agent, which goes on in your place. Call it alone: nothing comes after it.",
        may: May::Ask,
        input: input_of_handoff,
        work: Work::Loop,
    },
    Tool {
        name: SEND,
        aliases: &["send_message"],
        description: "Sends a message to another agent, to a topic or to all. Nobody waits for an answer.",
        may: May::Ask,
        input: input_of_send,
        work: Work::Said,
    },
    Tool {
        name: "note",
        aliases: &["take_note"],
        description: "Adds a note that all agents of the run can read, in the key `notes` of its context.",
        may: May::Share,
        input: share::input_of_note,
        work: Work::Shares(share::note),
    },
    Tool {
        name: "context",
        aliases: &["memory"],
        description: "Reads or writes a key of what the agents of the run share; without a key it tells which there are.",
        may: May::Share,
        input: share::input_of_context,
        work: Work::Shares(share::context),
    },
];

fn input_of_ask() -> Value {
    json!({
        "type": "object",
        "required": ["agent", "prompt"],
        "additionalProperties": false,
        "properties": {
            "agent": {"type": "string", "minLength": 1, "maxLength": 100, "description": "The name of the agent"},
            "prompt": {"type": "string", "minLength": 1, "description": "What it is to do, with all that it has to know"},
            "input": {"type": "object", "description": "What it is given beside that"},
        },
    })
}

fn input_of_handoff() -> Value {
    json!({
        "type": "object",
        "required": ["to", "reason", "context"],
        "additionalProperties": false,
        "properties": {
            "to": {"type": "string", "minLength": 1, "maxLength": 100, "description": "The name of the agent that goes on"},
            "reason": {"type": "string", "minLength": 1, "description": "Why, in a sentence"},
            "context": {"type": "object", "minProperties": 1, "description": "What it has to know: what was done, what is left"},
        },
    })
}

fn input_of_send() -> Value {
    json!({
        "type": "object",
        "required": ["to", "body"],
        "additionalProperties": false,
        "properties": {
            "to": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The name of an agent, `topic:NAME`, or `*` for all"},
            "body": {"description": "What is said: a text, or any JSON"},
            "kind": {"enum": ["task", "result", "request", "response", "notice"]},
            "priority": {"enum": ["low", "normal", "high", "urgent"]},
            "correlation": {"type": "string", "minLength": 1, "maxLength": 200},
        },
    })
}
