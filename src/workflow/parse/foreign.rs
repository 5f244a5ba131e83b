//! Keys of other tools' files, each with the key that is meant here. Names differ from tool to tool in their
//! spelling only, so `dependsOn`, `depends-on` and `depends_on` are one.

/// Keys of other tools that mean the same, without `-` and `_` and in small letters; and what to write here.
pub(super) type Foreign = (&'static [&'static str], &'static str);

/// What to write in place of a key of another tool, if it is one.
pub(super) fn meant(table: &[Foreign], key: &str) -> Option<&'static str> {
    let key: String =
        key.chars().filter(|c| !['-', '_', '.'].contains(c)).flat_map(char::to_lowercase).collect();
    table.iter().find(|(names, _)| names.contains(&key.as_str())).map(|(_, hint)| *hint)
}

/// Those of a whole file.
pub(super) const WORKFLOW: &[Foreign] = &[
    (
        &["jobs", "job", "tasks", "stages", "nodes", "services", "pipeline", "pipelines", "dag", "states"],
        "did you mean `steps`? it is a list: begin each step with `- id: NAME`",
    ),
    (
        &["edges", "transitions", "entrypoint", "start", "startat", "next"],
        "the order is said by each step: `needs: [NAME]` names those before it, `needs: []` starts at once",
    ),
    (
        &["apiversion", "kind", "spec", "metadata", "template", "templates"],
        "this is no manifest: `name` and `steps` stand at the top of the file",
    ),
    (
        &["on", "triggers", "trigger", "schedule", "cron", "when"],
        "a file does not say when it starts: whoever starts a run does",
    ),
    (
        &["inputs", "params", "parameters", "args", "arguments", "vars", "variables"],
        "did you mean `input`? it is a JSON Schema, with what may be given under `properties`",
    ),
    (&["env", "environment"], "did you mean `defaults: {env: {…}}`?"),
    (&["retry", "retries", "onerror"], "did you mean `defaults`? it holds for all steps"),
    (
        &["timeout", "timeoutminutes", "activedeadlineseconds"],
        "did you mean `limits: {duration: …}` for the whole run, or `defaults: {timeout: …}` for each attempt?",
    ),
    (
        &["concurrency", "parallelism", "parallel", "maxparallel", "maxconcurrency"],
        "did you mean `limits: {parallel: N}`?",
    ),
    (&["outputs", "result", "returns"], "did you mean `output`?"),
    (&["title", "workflow", "id"], "did you mean `name`?"),
    (&["agents"], "agents have files of their own; a step names its agent: `agent: NAME`"),
    (&["image", "runson", "container"], NO_IMAGE),
];

/// Those of one step.
pub(super) const STEP: &[Foreign] = &[
    (
        &[
            "dependson",
            "depends",
            "dependencies",
            "deps",
            "requires",
            "after",
            "previous",
            "prev",
            "upstream",
        ],
        "did you mean `needs`? it is a list of ids",
    ),
    (
        &["next", "goto", "then", "before", "to", "edges", "downstream", "transitions"],
        "the order is said by the step that comes after: did you mean `needs`, there?",
    ),
    (
        &[
            "command", "cmd", "cmds", "commands", "script", "scripts", "shell", "bash", "sh", "exec",
            "execute",
        ],
        "did you mean `run`? a text runs under `sh -c`, a list is a program and its arguments",
    ),
    (
        &["uses", "call", "action", "task", "tool", "function", "handler", "operator", "assignee"],
        "did you mean `agent`, or `workflow` for another file?",
    ),
    (
        &["parallel", "async", "concurrent", "background"],
        "did you mean `needs`? steps that need the same run at the same time, `needs: []` starts at once",
    ),
    (&["parallelism", "maxconcurrency", "concurrency"], "did you mean `max_parallel`, beside `for_each`?"),
    (
        &["foreach", "matrix", "strategy", "loop", "withitems", "withparam", "items", "map"],
        "did you mean `for_each`? it makes a step for each item of a list",
    ),
    (&["until", "while", "dountil"], "did you mean `repeat: {until: …, max: N}`?"),
    (&["when", "condition", "only", "rules", "unless", "onlyif"], "did you mean `if`? it is an expression"),
    (&["environment", "envvars"], "did you mean `env`?"),
    (&["dir", "workdir", "workingdir", "workingdirectory", "chdir", "directory"], "did you mean `cwd`?"),
    (
        &["timeoutminutes", "timeoutseconds", "timeoutms", "activedeadlineseconds", "deadline"],
        "did you mean `timeout`? it takes a duration, as in `90s`",
    ),
    (
        &["continueonerror", "allowfailure", "ignoreerror", "ignoreerrors", "ignorefailure", "continueon"],
        "did you mean `on_error: continue`?",
    ),
    (
        &["retries", "maxretries", "retrystrategy", "retrypolicy", "attempts", "maxattempts"],
        "did you mean `retry: {attempts: N}`?",
    ),
    (&["onfailure", "catch"], "did you mean `on_error`, `fallback`, or `compensate` for how it is undone?"),
    (&["name", "key"], "did you mean `id`?"),
    (&["title", "description", "summary"], "write it as a comment: `# …`"),
    (&["stage", "group"], "did you mean `phase`?"),
    (
        &["outputs", "result", "returns", "outputpath"],
        "did you mean `output`? it is made of what the step answered",
    ),
    (&["outputschema", "responseformat", "outputpydantic"], "did you mean `schema`?"),
    (
        &["input", "inputs", "params", "parameters", "args", "arguments", "vars", "variables", "body"],
        "did you mean `with`, beside an `agent` or a `workflow`?",
    ),
    (
        &["instructions", "message", "messages", "systemprompt", "query"],
        "did you mean `prompt`, beside an `agent`?",
    ),
    (
        &["role", "llm", "model", "worker"],
        "did you mean `agent`? what it works with stands in the agent's own file",
    ),
    (
        &["type", "kind"],
        "what a step does follows from its key: `run`, `agent`, `sleep`, `wait_for` or `workflow`",
    ),
    (&["wait", "delay", "pause"], "did you mean `sleep`, or `wait_for` for a signal?"),
    (&["signal", "waitforevent", "event", "waitforsignal"], "did you mean `wait_for`?"),
    (&["approval", "manual", "review", "interrupt", "humaninput"], "did you mean `approve: before`?"),
    (&["rollback", "undo", "compensation", "cleanup", "finally"], "did you mean `compensate`?"),
    (&["subworkflow", "include", "child", "graph", "subgraph"], "did you mean `workflow`?"),
    (&["image", "container", "runson", "services"], NO_IMAGE),
];

/// Those of a `retry`.
pub(super) const RETRY: &[Foreign] = &[
    (
        &["maxattempts", "limit", "count", "times", "retries", "maxretries"],
        "did you mean `attempts`? the first counts",
    ),
    (&["delay", "interval", "wait", "initialinterval", "initialdelay"], "did you mean `initial`?"),
    (&["maxdelay", "maxinterval", "maximuminterval"], "did you mean `max`?"),
    (&["backoff", "strategy"], "did you mean `policy`, or `multiplier`?"),
    (&["factor", "backoffcoefficient", "exponent"], "did you mean `multiplier`?"),
];

const NO_IMAGE: &str = "programs run on this machine: start a container in the `run` itself, if one is meant";

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&[Foreign]; 3] = [WORKFLOW, STEP, RETRY];

    #[test]
    fn a_name_of_another_tool_is_found_however_it_is_spelt() {
        for key in ["depends_on", "dependsOn", "depends-on", "DEPENDS_ON"] {
            assert!(meant(STEP, key).is_some_and(|hint| hint.contains("`needs`")), "{key}");
        }
        assert_eq!(meant(STEP, "zzzzz"), None);
    }

    #[test]
    fn names_stand_in_the_tables_as_they_are_compared() {
        for table in TABLES {
            for name in table.iter().flat_map(|(names, _)| *names) {
                assert!(meant(table, name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn no_name_of_another_tool_stands_twice_in_a_table() {
        for table in TABLES {
            let mut names: Vec<_> = table.iter().flat_map(|(names, _)| *names).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
