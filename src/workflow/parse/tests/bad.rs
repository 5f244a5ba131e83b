use super::*;

/// A row: a text, and the code, the line, the column, and parts of the message and the hint
/// of its one problem.
pub(super) type Row<'a> = (&'a str, Code, u64, u64, &'a str, &'a str);

#[track_caller]
pub(super) fn check(rows: &[Row<'_>]) {
    for (text, code, line, column, message, hint) in rows {
        let problem = only(text);
        let at = problem.at.as_ref().unwrap();
        assert_eq!((problem.code, at.line, at.column), (*code, *line, *column), "{text}\n{problem:?}");
        assert!(problem.message.contains(message), "{text}\n{problem:?}");
        assert!(
            problem.remedies.plain().contains(hint) && !problem.remedies.all.is_empty(),
            "{text}\n{problem:?}"
        );
        assert_eq!((problem.class, at.file.as_str()), (Class::Validation, "release.yaml"));
    }
}

/// A workflow of one step, with `rest` beside its id, which is on line 2.
pub(super) fn step(rest: &str) -> String {
    format!("steps:\n  - id: a\n    {rest}\n")
}

#[track_caller]
pub(super) fn check_steps(rows: &[Row<'_>]) {
    for (rest, code, line, column, message, hint) in rows {
        check(&[(&step(rest), *code, *line, *column, message, hint)]);
    }
}

#[test]
fn what_is_not_a_workflow() {
    check(&[
        ("", Code::NoSteps, 1, 1, "empty", "steps"),
        ("# only a comment\n", Code::NoSteps, 2, 1, "empty", "steps"),
        ("just words", Code::NotYaml, 1, 1, "this is a text", "name:"),
        ("- a\n- b", Code::NotYaml, 1, 1, "this is a list", "name:"),
        ("name: x", Code::NoSteps, 1, 1, "no steps", ""),
        ("name: x\nsteps: []", Code::NoSteps, 2, 1, "no steps", ""),
        ("name: x\nsteps:", Code::NoSteps, 2, 1, "no steps", ""),
        ("steps: {a: {run: x}}", Code::BadValue, 1, 8, "this is a map", "- id:"),
        ("steps: 3", Code::BadValue, 1, 8, "this is a number", ""),
        ("steps: [x]", Code::BadValue, 1, 9, "this is a text", ""),
        ("a: b: c", Code::NotYaml, 1, 5, "not YAML", ""),
        ("steps:\n\t- id: a", Code::NotYaml, 2, 2, "not YAML", ""),
        ("steps: [1", Code::NotYaml, 1, 8, "not YAML", ""),
        ("\u{0}\u{1}\u{2}\u{7f}ELF", Code::NotYaml, 1, 1, "not YAML", ""),
        ("name: a\nname: b\nsteps: [{id: a, run: x}]", Code::DuplicateKey, 2, 1, "`name` stands twice", ""),
        ("steps: [{id: a, run: x}]\n---\nsteps: []", Code::NotYaml, 3, 1, "second document", "one workflow"),
        ("name: {{ x }}\nsteps: [{id: a, run: x}]", Code::NotYaml, 1, 8, "not in quotes", "quotes around"),
    ]);
}

#[test]
fn too_much_is_refused_before_it_costs() {
    let long = format!("# {}\nsteps: [{{id: a, run: x}}]", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(only(&long).code, Code::TooLarge);
    let steps: String = (0..=STEPS_MAX).map(|n| format!("- {{id: s{n}, run: x}}\n")).collect();
    assert_eq!(only(&format!("steps:\n{steps}")).code, Code::TooLarge);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert_eq!(only(&bomb).code, Code::TooLarge);
    assert!(read(&format!("steps: {}", "[".repeat(5_000))).is_err());
}

#[test]
fn bytes_that_are_no_text() {
    let problem = decode(b"name: x\nsteps: \xff\xfe", "f.yaml").unwrap_err();
    let at = problem.at.unwrap();
    assert_eq!((problem.code, at.line, at.column), (Code::NotYaml, 2, 8));
    assert!(decode("näme".as_bytes(), "f.yaml").is_ok());
}

#[test]
fn keys_that_do_not_exist_and_keys_that_are_not_built() {
    check(&[
        ("naem: x\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 1, "`naem`", "`name`"),
        ("stesp: [{id: a, run: x}]", Code::UnknownKey, 1, 1, "`stesp`", "`steps`"),
        ("limits: {paralel: 3}\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 10, "`limits`", "`parallel`"),
        (
            "defaults: {tiemout: 3s}\nsteps: [{id: a, run: x}]",
            Code::UnknownKey,
            1,
            12,
            "`defaults`",
            "`timeout`",
        ),
        (
            "defaults:\n  retry:\n    atempts: 2\nsteps: [{id: a, run: x}]",
            Code::UnknownKey,
            3,
            5,
            "`retry`",
            "`attempts`",
        ),
        ("zzzzzzz: x\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 1, "`zzzzzzz`", "its keys are `name`"),
    ]);
    check_steps(&[
        ("run: x\n    nedes: []", Code::UnknownKey, 4, 5, "a step has no key `nedes`", "`needs`"),
        ("rnu: x", Code::UnknownKey, 3, 5, "`rnu`", "`run`"),
        ("run: x\n    merge: auto", Code::NotBuilt, 4, 5, "`merge`", ""),
        ("run: x\n    retry: {polcy: fixed}", Code::UnknownKey, 4, 13, "`polcy`", "`policy`"),
    ]);
}

#[test]
fn every_key_of_later_versions_is_named_as_such() {
    for key in ["artifacts", "priority", "files", "worktree", "merge"] {
        let problem = only(&step(&format!("run: x\n    {key}: y")));
        assert_eq!(problem.code, Code::NotBuilt, "{key}");
        assert_eq!(problem.message, format!("`{key}` is not supported by this version"));
        assert_eq!(problem.step.unwrap().as_str(), "a");
    }
}

#[test]
fn steps_that_are_not_what_they_must_be() {
    check_steps(&[
        ("if: 'true'", Code::StepKind, 2, 5, "does nothing", "exactly one"),
        ("run: x\n    sleep: 1s", Code::StepKind, 4, 5, "`run` and `sleep`", "exactly one"),
        ("run: x\n    with: {a: 1}", Code::Contradiction, 4, 5, "`with` is for an `agent`", ""),
        ("sleep: 1s\n    prompt: hi", Code::Contradiction, 4, 5, "`prompt` is for an `agent`", ""),
        ("run: ''", Code::BadValue, 3, 10, "`run` is empty", ""),
        ("run: []", Code::BadValue, 3, 10, "`run` is empty", ""),
        ("run: ['']", Code::BadValue, 3, 11, "no name", ""),
        ("run: [a, [b]]", Code::BadValue, 3, 14, "this is a list", ""),
        ("run:", Code::BadValue, 3, 8, "`run` has no value", ""),
        ("run: {a: b}", Code::BadValue, 3, 10, "this is a map", ""),
        ("run: {{ input.x }}", Code::NotYaml, 3, 11, "not in quotes", "quotes around"),
        ("agent: Shell", Code::BadValue, 3, 12, "does steps with `run`", "`run:`"),
        ("agent: ''", Code::BadValue, 3, 12, "`agent` is empty", ""),
        ("agent: p\n    with: {f: {{ input.x }}}", Code::NotYaml, 4, 16, "not in quotes", "quotes"),
        ("sleep: soon", Code::BadDuration, 3, 12, "`soon`", "10s"),
        ("sleep: 10", Code::BadDuration, 3, 12, "`10`", "10s"),
        ("sleep: [1]", Code::BadValue, 3, 12, "a duration", ""),
        ("run: x\n    timeout: 1 minute", Code::BadDuration, 4, 14, "`1 minute`", ""),
        ("run: x\n    timeout: 0s", Code::BadValue, 4, 14, "longer than zero", ""),
        ("sleep: 1s\n    timeout: 1m", Code::Contradiction, 4, 5, "`sleep` makes no attempts", ""),
        ("sleep: 1s\n    retry: {}", Code::Contradiction, 4, 5, "`sleep` makes no attempts", ""),
        ("run: x\n    max_parallel: 2", Code::Contradiction, 4, 5, "`for_each`", ""),
        ("run: x\n    for_each: [1]\n    max_parallel: 0", Code::BadValue, 5, 19, "from 1", ""),
        ("run: x\n    for_each: 3", Code::BadValue, 4, 15, "an expression or a list", ""),
        ("run: x\n    on_error: fail", Code::BadValue, 4, 15, "not `fail`", "`fail_fast`"),
        ("run: x\n    on_error: continu", Code::BadValue, 4, 15, "not `continu`", "`continue`"),
        ("run: x\n    env: {1A: x}", Code::BadValue, 4, 11, "`1A`", "no digit first"),
        ("run: x\n    env: {A: [x]}", Code::BadValue, 4, 14, "this is a list", ""),
        ("run: x\n    env: x", Code::BadValue, 4, 10, "a map", ""),
        ("run: x\n    needs: b", Code::BadValue, 4, 12, "a list of ids", "needs: [b]"),
    ]);
    check(&[
        ("steps:\n  - run: x", Code::BadStepId, 2, 5, "no `id`", "id: build"),
        (
            "steps:\n  - id: 1a\n    run: x",
            Code::BadStepId,
            2,
            9,
            "`1a` is no step id",
            "begin with a letter",
        ),
        ("steps:\n  - id: a b\n    run: x", Code::BadStepId, 2, 9, "`a b`", ""),
        ("limits: {parallel: 0}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 20, "from 1", ""),
        ("limits: {lost: many}\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 16, "from 1", ""),
        ("name: ''\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 7, "empty", "file's name"),
        ("description: [x]\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 14, "a text", ""),
        ("input: x\nsteps: [{id: a, run: x}]", Code::BadValue, 1, 8, "a JSON Schema", ""),
        ("input: {type: strin}\nsteps: [{id: a, run: x}]", Code::BadSchema, 1, 8, "no JSON Schema", ""),
        ("input: {$ref: 'http://x.invalid/'}\nsteps: [{id: a, run: x}]", Code::BadSchema, 1, 8, "", ""),
    ]);
}

#[test]
fn retries_that_make_no_sense() {
    for (retry, line, column) in [
        ("{attempts: 0}", 4, 23),
        ("{attempts: 1.5}", 4, 23),
        ("{attempts: -1}", 4, 23),
        ("{multiplier: 0.5}", 4, 25),
        ("{jitter: 1.5}", 4, 21),
        ("{jitter: -0.1}", 4, 21),
        ("{policy: never}", 4, 21),
        ("{initial: 2m}", 4, 12),
        ("{initial: 2s, max: 1s}", 4, 12),
        ("{exit_codes: [0]}", 4, 26),
        ("{exit_codes: [256]}", 4, 26),
        ("{exit_codes: 1}", 4, 25),
        ("{messages: ['']}", 4, 24),
    ] {
        check_steps(&[(&format!("run: x\n    retry: {retry}"), Code::BadValue, line, column, "", "")]);
    }
    check_steps(&[
        ("run: x\n    retry: {policy: none, attempts: 2}", Code::Contradiction, 4, 37, "one attempt", ""),
        ("run: x\n    retry: {initial: soon}", Code::BadDuration, 4, 22, "`soon`", ""),
        ("run: x\n    retry: 3", Code::BadValue, 4, 12, "a map", ""),
    ]);
}

#[test]
fn needs_that_lead_nowhere_or_in_a_circle() {
    let two = |needs: &str| {
        format!("steps:\n  - id: build\n    run: x\n  - id: test\n    run: x\n    needs: {needs}\n")
    };
    check(&[
        (&two("[biuld]"), Code::UnknownStep, 6, 13, "`biuld`", "`build`"),
        (&two("[zzz]"), Code::UnknownStep, 6, 13, "`zzz`", ""),
        (&two("[test]"), Code::Cycle, 6, 13, "test → test", ""),
        (
            "steps:\n  - {id: a, run: x, needs: [c]}\n  - {id: b, run: x}\n  - {id: c, run: x}\n",
            Code::Cycle,
            2,
            29,
            "a → c → b → a",
            "`c` runs after the step above it",
        ),
        (
            "steps:\n  - {id: a, run: x, needs: [b]}\n  - {id: b, run: x, needs: [a]}\n",
            Code::Cycle,
            2,
            29,
            "a → b → a",
            "out of the circle",
        ),
        (
            "steps:\n  - {id: a, run: x}\n  - id: b\n    run: x\n  - id: a\n    run: x\n",
            Code::DuplicateStep,
            5,
            9,
            "the first is at line 2, column 10",
            "id of its own",
        ),
    ]);
}

#[test]
fn expressions_that_do_not_parse() {
    check_steps(&[
        ("run: echo {{ x", Code::BadExpression, 3, 15, "not closed", ""),
        ("run: |\n      echo a\n        b {{ 'x }}", Code::BadExpression, 5, 11, "not closed", ""),
        ("run: echo {{ 1 + }}", Code::BadExpression, 3, 15, "", ""),
        ("run: echo {{- 1 }}", Code::BadExpression, 3, 15, "mean nothing", ""),
        ("run: [a, 'b {{ }}']", Code::BadExpression, 3, 17, "empty", ""),
        ("run: x\n    if: 1 +", Code::BadExpression, 4, 9, "`if`", ""),
        ("run: x\n    if: '{{ 1 }} == 1'", Code::BadExpression, 4, 9, "several parts", "without `{{`"),
        ("run: x\n    if: 1 == {{ 1 }}", Code::BadExpression, 4, 9, "`if`", "without `{{`"),
        ("run: x\n    if: 3", Code::BadValue, 4, 9, "an expression", ""),
        ("run: x\n    for_each: input.x |", Code::BadExpression, 4, 15, "", ""),
        ("run: '{{ [1].pop() }}'", Code::BadExpression, 3, 18, "no methods", "filters"),
    ]);
}

#[test]
fn names_that_expressions_cannot_know() {
    check_steps(&[
        ("run: echo {{ inptu.x }}", Code::UnknownName, 3, 18, "`inptu`", "`input`"),
        ("run: nope {{ nope }}", Code::UnknownName, 3, 18, "`nope`", "there are `input`"),
        ("run: echo {{ 1 | uper }}", Code::UnknownName, 3, 22, "filter `uper`", "`upper`"),
        ("run: echo {{ 1 is strng }}", Code::UnknownName, 3, 23, "test `strng`", "`string`"),
        ("run: echo {{ rnage(3) }}", Code::UnknownName, 3, 18, "function `rnage`", "`range`"),
        ("run: echo {{ steps.a.output }}", Code::UnknownName, 3, 24, "yet to do itself", ""),
        ("run: echo {{ steps.b.output }}", Code::UnknownName, 3, 24, "no step `b`", ""),
        ("run: echo {{ run.idd }}", Code::UnknownName, 3, 22, "`run.idd`", "`run.id`"),
        ("run: echo {{ run }}", Code::UnknownName, 3, 18, "`run`", "`run.id`"),
        ("run: echo {{ env.HOEM }}", Code::UnknownName, 3, 22, "`env.HOEM`", "`HOME`"),
        ("run: echo {{ env }}", Code::UnknownName, 3, 18, "one name at a time", "env.NAME"),
        ("run: echo {{ item }}", Code::UnknownName, 3, 18, "`for_each`", ""),
        (
            "run: x\n    for_each: [1]\n    if: index > 0",
            Code::UnknownName,
            5,
            9,
            "`index`",
            "evaluated once",
        ),
        (
            "run: echo {{ contexts.x.y }}",
            Code::UnknownName,
            3,
            27,
            "no context has the alias `x`",
            "`contexts: {x: NAME}`",
        ),
        ("run: x\n    env:\n      A: \"x\n        {{ nope }}\"", Code::UnknownName, 6, 12, "`nope`", ""),
    ]);
}

#[test]
fn names_of_inputs_and_steps_that_are_not_to_be_had_there() {
    let chain = |use_: &str| {
        format!(
            "input: {{properties: {{version: {{type: string}}, deep: {{properties: {{x: {{}}}}}}, any: {{}}}}}}\n\
             steps:\n  - {{id: a-b, run: x}}\n  - {{id: c, run: x, needs: []}}\n  - id: d\n    run: x {use_}\n    needs: [c]\n"
        )
    };
    check(&[
        (&chain("{{ input.vresion }}"), Code::UnknownName, 6, 21, "`input.vresion`", "`version`"),
        (&chain("{{ input.deep.y }}"), Code::UnknownName, 6, 26, "`input.deep.y`", ""),
        (&chain("{{ steps.a-b.output }}"), Code::UnknownName, 6, 21, "no step `a`", "`steps['a-b']`"),
        (
            &chain("{{ steps['a-b'].output }}"),
            Code::UnknownName,
            6,
            21,
            "need not be done",
            "add `a-b` to the `needs` of `d`",
        ),
        (&chain("{{ steps.c.outptu }}"), Code::UnknownName, 6, 23, "no `outptu`", "`output`"),
        (&chain("{{ steps.c.file }}"), Code::UnknownName, 6, 23, "no `file`", "steps.c.output.file"),
        (&chain("{{ steps['c[0]'].output }}"), Code::UnknownName, 6, 21, "no step `c[0]`", ""),
        (
            "steps:\n  - {id: a, run: 'x {{ steps.b.output }}'}\n  - {id: b, run: x}\n",
            Code::UnknownName,
            2,
            30,
            "need not be done",
            "change the order",
        ),
        (
            "defaults: {env: {A: '{{ steps.a.output }}'}}\nsteps: [{id: a, run: x}]",
            Code::UnknownName,
            1,
            25,
            "`defaults`",
            "",
        ),
        (
            "steps: [{id: a, run: x}]\noutput: '{{ steps.b.output }}'",
            Code::UnknownName,
            2,
            19,
            "no step `b`",
            "`a`",
        ),
    ]);
}

#[test]
fn values_in_quotes_of_the_shell() {
    check_steps(&[
        ("run: echo '{{ run.id }}'", Code::QuotedValue, 3, 19, "in quotes", "raw"),
        ("run: |\n      echo a\n      echo \"b {{ run.id }}\"", Code::QuotedValue, 5, 18, "in quotes", "raw"),
        (
            "run: |\n      n={{ run.id }}\n      echo a\n      echo $((1 + n))",
            Code::QuotedValue,
            6,
            19,
            "`$n` gets it, which the command has read again here; the value is in line 4",
            "raw",
        ),
        (
            "run: |\n      cat <<EOF\n      {{ run.id }}\n      EOF",
            Code::QuotedValue,
            5,
            10,
            "here-document",
            "raw",
        ),
    ]);
    assert!(read(&step("run: [echo, \"'{{ run.id }}'\"]")).is_ok(), "items of a list are never quoted");
}

#[test]
fn all_problems_are_told_in_the_order_of_the_file_and_each_once() {
    let text = "\
nmae: x
steps:
  - id: a
    run: echo {{ nope }}
    timeout: soon
  - id: 2b
    run: y
    worktree: true
  - id: c
    needs: [2b, b]
    sleep: 1s
    retry: {}
output: '{{ steps.zzz.output }}'
";
    let found: Vec<_> = read(text)
        .unwrap_err()
        .into_iter()
        .map(|problem| (problem.at.unwrap().line, problem.code, problem.step.map(|step| step.to_string())))
        .collect();
    let step = |id: &str| Some(id.to_owned());
    assert_eq!(
        found,
        [
            (1, Code::UnknownKey, None),
            (4, Code::UnknownName, step("a")),
            (5, Code::BadDuration, step("a")),
            (6, Code::BadStepId, None),
            (8, Code::NotBuilt, None),
            (12, Code::Contradiction, step("c")),
        ],
        "what only follows from the refused id is left out"
    );
}

#[test]
fn keys_of_other_tools_lead_to_ours() {
    check_steps(&[
        ("run: x\n    depends_on: [b]", Code::UnknownKey, 4, 5, "`depends_on`", "`needs`"),
        ("run: x\n    dependsOn: [b]", Code::UnknownKey, 4, 5, "`dependsOn`", "`needs`"),
        ("command: x", Code::UnknownKey, 3, 5, "`command`", "`run`"),
        ("cmds: [x]", Code::UnknownKey, 3, 5, "`cmds`", "`run`"),
        ("script: x", Code::UnknownKey, 3, 5, "`script`", "`run`"),
        ("uses: actions/checkout@v4", Code::UnknownKey, 3, 5, "`uses`", "`agent`"),
        ("run: x\n    parallel: true", Code::UnknownKey, 4, 5, "`parallel`", "`needs`"),
        ("run: x\n    when: input.x", Code::UnknownKey, 4, 5, "`when`", "`if`"),
        ("run: x\n    strategy: {matrix: {}}", Code::UnknownKey, 4, 5, "`strategy`", "`for_each`"),
        (
            "run: x\n    continue-on-error: true",
            Code::UnknownKey,
            4,
            5,
            "`continue-on-error`",
            "`on_error: continue`",
        ),
        ("run: x\n    working-directory: src", Code::UnknownKey, 4, 5, "`working-directory`", "`cwd`"),
        ("run: x\n    retry: {max_attempts: 2}", Code::UnknownKey, 4, 13, "`max_attempts`", "`attempts`"),
        ("run: x\n    next: b", Code::UnknownKey, 4, 5, "`next`", "`needs`"),
    ]);
    check(&[
        ("jobs: {build: {}}", Code::UnknownKey, 1, 1, "`jobs`", "`steps`"),
        ("nodes: []\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 1, "`nodes`", "`steps`"),
        ("on: push\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 1, "`on`", "whoever starts a run"),
        ("inputs: {a: b}\nsteps: [{id: a, run: x}]", Code::UnknownKey, 1, 1, "`inputs`", "`input`"),
    ]);
}

#[test]
fn a_colon_inside_a_text_is_told_as_one() {
    check_steps(&[
        ("run: make; echo ARTIFACT: x", Code::NotYaml, 3, 29, "not YAML", "`run: |`"),
        ("run: make\n      echo ARTIFACT: x", Code::NotYaml, 4, 20, "not YAML", "`run: |`"),
    ]);
}

#[test]
fn names_in_an_input_that_are_no_keywords_are_warned_of() {
    let warned = |text: &str| read(text).unwrap().warnings;
    let steps = "steps: [{id: a, run: x}]";
    for (text, name) in [
        (format!("input: {{version: string}}\n{steps}"), "version"),
        (format!("input: {{type: object, version: {{type: string}}}}\n{steps}"), "version"),
        ("steps: [{id: a, run: x, schema: {count: integer}}]".to_owned(), "count"),
    ] {
        let warnings = warned(&text);
        assert_eq!(warnings.len(), 1, "{text}\n{warnings:?}");
        assert_eq!(warnings[0].code, Code::BadSchema);
        assert!(warnings[0].message.contains(&format!("`{name}`")), "{warnings:?}");
        assert!(warnings[0].remedies.plain().contains("`properties"), "{warnings:?}");
    }
    for fine in
        ["{}", "{type: object, x-ours: 1}", "{$schema: 'http://json-schema.org/draft-07/schema#', id: x}"]
    {
        assert_eq!(warned(&format!("input: {fine}\n{steps}")), [], "{fine}");
    }
}

#[test]
fn statements_of_other_template_engines_in_a_run_are_warned_of() {
    for block in ["{% if input.x %}a{% endif %}", "{%- for a in b -%}", "{%set x = 1%}"] {
        let warnings = read(&step(&format!("run: \"true; {block}\""))).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{block}\n{warnings:?}");
        let at = warnings[0].at.as_ref().unwrap();
        assert_eq!((warnings[0].code, at.line, at.column), (Code::BadExpression, 3, 17), "{warnings:?}");
    }
    for shell in ["echo ${x%%.*} {%}", "date +{%H}", "printf '{%s} if %}'"] {
        assert_eq!(read(&step(&format!("run: \"{shell}\""))).unwrap().warnings, [], "{shell}");
    }
}
