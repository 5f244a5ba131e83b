//! What each builtin does with the worst arguments that it can get.

use std::collections::BTreeSet;
use std::time::Duration;

use super::budget::MADE_BYTES_MAX;
use super::*;
use crate::events::ids::RunId;

fn scope() -> Scope {
    let text = format!("{}\n", "Ab cd ef ".repeat(8)).repeat(1_000);
    let list: Vec<u32> = (0..50_000).collect();
    let maps: Vec<_> = (0..2_000).map(|n| serde_json::json!({"k": n % 7, "t": "x".repeat(100)})).collect();
    let map: serde_json::Map<_, _> = (0..50_000).map(|n| (n.to_string(), n.into())).collect();
    let input = serde_json::json!({
        "text": text, "list": list, "maps": maps, "map": map, "copies": vec![text.clone(); 30],
    });
    Scope {
        input: Json::from(&input),
        run: RunId::parse("r").unwrap(),
        env: Default::default(),
        steps: Default::default(),
        context: Default::default(),
        contexts: Default::default(),
        item: None,
        round: None,
        answer: None,
        undone: None,
    }
}

/// Fifty bytes of an expression took all the memory of the machine, and with it every run of the process. A
/// filter, test, function or operator that is offered has its worst case here, or this fails.
const WORST: &[(&str, &str)] = &[
    ("abs", "input.list|map('abs')|list"),
    ("attr", "input.maps|map('attr', 't')|join('x'*100000)"),
    ("batch", "[1]|batch(2000000000, 'x')"),
    ("bool", "range(100000)|map('bool')"),
    ("capitalize", "input.copies|map('capitalize')|map('capitalize')|map('capitalize')"),
    (
        "chain",
        "input.list|chain(input.list, range(100000), range(100000), range(100000), range(100000), range(100000), range(100000), range(100000), range(100000), range(100000), range(100000))|list",
    ),
    ("count", "(input.list * 100000000)|count"),
    ("d", "input.text|d(input.text * 1000000)"),
    ("default", "input.nope|default('x' * 10000000000)"),
    ("dictsort", "input.map|dictsort(by='value')"),
    ("first", "('x' * 100000000)|first"),
    ("float", "range(100000)|map('float')|map('float')"),
    ("format", "'%2000000000d'|format(1)"),
    ("fromjson", "('[' * 10000000)|fromjson"),
    ("groupby", "input.maps|groupby('k')|map('tojson')|join(input.text)"),
    ("indent", "input.text|indent(1000000)"),
    ("int", "range(100000)|map('int', base=99)"),
    ("items", "input.map|items|list|list|list"),
    ("join", "range(99999)|join('x'*100000)"),
    ("last", "(input.list * 1000000)|last"),
    ("length", "(input.text ~ input.text ~ input.text * 1000)|length"),
    ("lines", "('\n' * 15000000)|lines"),
    ("list", "([1] * 100000000)|list"),
    ("lower", "input.copies|map('lower')|map('lower')|map('lower')"),
    ("map", "range(100000)|map('replace', '', input.text)"),
    ("max", "input.maps|max(attribute='t')"),
    ("min", "(input.list * 1000)|min"),
    ("needed", "('x' * 100000000)|needed"),
    ("raw", "('x' * 100000000)|raw"),
    ("reject", "range(100000)|reject('in', range(100000))"),
    ("rejectattr", "input.maps|rejectattr('t', 'in', input.copies)"),
    ("replace", "('x'*1000000)|replace('', 'y'*10000)"),
    ("reverse", "(input.list * 100)|reverse"),
    ("round", "range(100000)|map('float')|map('round', 2147483647)"),
    ("select", "range(100000)|select('in', range(100000))"),
    ("selectattr", "input.maps|selectattr('t', 'in', input.text)"),
    ("slice", "[1]|slice(2000000000, 'x')"),
    ("sort", "input.list|sort(reverse=true)|sort|sort"),
    ("split", "('x' * 15000000)|split('')"),
    ("string", "(input.list * 1000)|string"),
    ("sum", "input.copies|sum(start='')"),
    ("title", "input.copies|map('title')|map('title')|map('title')"),
    ("tojson", "[input.maps, input.maps, input.map]|tojson|tojson|tojson|tojson|tojson|tojson|tojson|tojson"),
    ("trim", "input.copies|map('trim')|map('trim')|map('trim')"),
    ("unique", "(input.copies * 1000)|unique"),
    ("upper", "('ŉ' * 8000000)|upper|upper"),
    ("zip", "input.list|zip(input.list, input.list)|list|string|zip(range(100000))"),
    ("boolean", "range(100000)|select('boolean')"),
    ("defined", "range(100000)|select('defined')"),
    ("divisibleby", "range(100000)|select('divisibleby', 0)"),
    ("endingwith", "input.copies|select('endingwith', input.text)"),
    ("eq", "input.maps|select('eq', input.maps)"),
    ("equalto", "input.copies|select('equalto', input.text)"),
    ("even", "range(100000)|select('even')"),
    ("false", "range(100000)|select('false')"),
    ("ge", "input.maps|select('ge', input.maps[0])"),
    ("gt", "input.maps|select('gt', input.maps[0])"),
    ("in", "input.list|select('in', input.list)"),
    ("integer", "range(100000)|select('integer')"),
    ("iterable", "input.list|select('iterable')"),
    ("le", "input.maps|select('le', input.maps[0])"),
    ("lower", "input.copies|select('lower')"),
    ("lt", "input.maps|select('lt', input.maps[0])"),
    ("mapping", "input.maps|select('mapping')"),
    ("ne", "input.maps|select('ne', input.maps)"),
    ("none", "input.maps|select('none')"),
    ("number", "input.list|select('number')"),
    ("odd", "input.list|select('odd')"),
    ("sequence", "input.list|select('sequence')"),
    ("startingwith", "input.copies|select('startingwith', input.text)"),
    ("string", "input.copies|select('string')"),
    ("true", "range(100000)|select('true')"),
    ("undefined", "range(100000)|select('undefined')"),
    ("upper", "input.copies|select('upper')"),
    ("==", "input.maps|select('==', input.maps)"),
    ("!=", "input.maps|select('!=', input.maps)"),
    ("<", "input.maps|select('<', input.maps[0])"),
    ("<=", "input.maps|select('<=', input.maps[0])"),
    (">", "input.maps|select('>', input.maps[0])"),
    (">=", "input.maps|select('>=', input.maps[0])"),
    ("dict", "dict(a=dict(b='x' * 100000000))"),
    ("range", "range(-9223372036854775807, 9223372036854775807, 1)"),
    ("range", "range(9223372036854775807, -9223372036854775807, -9223372036854775807)|list"),
    ("operator *", "'x' * 1000000000"),
    ("operator *", "[1] * 1000000000"),
    ("operator *", "1000000000 * 'x'"),
    ("operator *", "(range(100000) * 1000) * 1000"),
    ("operator *", "170141183460469231731687303715884105727 * 2"),
    ("operator ~", "input.copies[0] ~ input.copies ~ input.copies ~ input.copies ~ input.copies"),
    ("operator ~", "(input.list * 19) ~ ''"),
    ("operator +", "input.copies|join + (input.copies|join) + (input.copies|join)"),
    ("operator +", "([1]*900000) + ([1]*900000)"),
    ("operator -", "0 - 170141183460469231731687303715884105727 - 170141183460469231731687303715884105727"),
    ("operator /", "1 / 0"),
    ("operator //", "1 // 0"),
    ("operator %", "1 % 0"),
    ("operator **", "9 ** 9999999999"),
    ("operator **", "2 ** 2 ** 2 ** 2 ** 2 ** 9999"),
    ("operator ==", "input == input"),
    ("operator in", "input.map in [input.map, input.list]"),
    ("slice", "(input.list * 15)[::-1]"),
    ("slice", "[1,2,3][0:2:-1]"),
    ("slice", "input.text[::-9223372036854775808]"),
    ("literal", "[('x'*9000000), ('x'*9000000), ('x'*9000000)]"),
];

#[test]
fn nothing_that_is_offered_makes_more_than_an_evaluation_may() {
    let listed: BTreeSet<&str> = WORST.iter().map(|(name, _)| *name).collect();
    for name in FILTERS.iter().chain(TESTS).chain(FUNCTIONS) {
        assert!(listed.contains(name), "`{name}` is offered, and what it makes at worst is not listed");
    }
    let scope = scope();
    for (name, source) in WORST {
        let before = used();
        match Expression::parse(source).unwrap_or_else(|why| panic!("{source}: {why}")).evaluate(&scope) {
            Ok(made) => assert!(made.text().len() <= 2 * MADE_BYTES_MAX, "{name}: {source}"),
            Err(RenderError::Failed(_)) => {}
            Err(other) => panic!("{source}: {other}"),
        }
        let took = used() - before;
        assert!(took < Duration::from_secs(10), "{name}: {source} took {took:?}");
    }
}

/// The time for which this thread has had a processor: that does not depend on what else the machine does.
fn used() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap()
}

#[test]
fn what_is_beyond_the_budget_says_so() {
    let scope = scope();
    for (source, says) in [
        ("'x' * 17000000", "makes more than 16777216 bytes of text"),
        ("[1] * 2000000", "more than 1000000 items"),
        ("('x'*1000000)|replace('', 'y'*10000)", "makes more than 16777216 bytes of text"),
        ("range(100000)|select('in', range(100000))", "more than 1000000 items"),
        ("[1]|batch(2000000000, 'x')", "more than 1000000 items"),
        ("input.list|select('divisibleby', 0)", "divisible by zero"),
    ] {
        let why = Expression::parse(source).unwrap().evaluate(&scope).unwrap_err().to_string();
        assert!(why.contains(says), "{source}: {why}");
    }
    let each = Expression::parse("'x' * 9000000").unwrap();
    for _ in 0..5 {
        assert!(each.evaluate(&scope).is_ok(), "each evaluation has a budget of its own");
    }
}

/// Constants were calculated while they were compiled: `validate` took the memory, before anything ran.
#[test]
fn nothing_is_made_while_an_expression_is_compiled() {
    let many = format!("[{}]", "'x' * 90000000, ".repeat(1_000));
    let before = used();
    assert!(Expression::parse(&many).is_ok());
    assert!(Expression::parse(&format!("{many} )")).is_err());
    assert!(used() - before < Duration::from_secs(5));
}

/// `1.10` became 1.1 where it was a part of something, and 1E5 became 100000.0.
#[test]
fn a_number_keeps_its_digits_until_it_is_calculated_with() {
    let input = r#"{"v":1.10,"e":1E5,"s":0.30000000000000000000001,"z":-0,"l":[1.10,1.050,2,1e400],"m":{"a":1.10},"o":[{"k":2.50},{"k":1.0}],"big":1234567890123456789012345678901234567890123}"#;
    let scope = Scope { input: Json::read(input).unwrap(), ..scope() };
    for (source, expected) in [
        ("[input.v, input.e, input.s, input.z]", "[1.10,1E5,0.30000000000000000000001,-0]"),
        ("{'a': input.v, 'b': input.l}", r#"{"a":1.10,"b":[1.10,1.050,2,1e400]}"#),
        ("[input.v]|tojson", r#""[1.10]""#),
        ("input.v|string ~ input.e ~ [input.v]", r#""1.101E5[1.10]""#),
        ("input.l|join(' ')", r#""1.10 1.050 2 1e400""#),
        ("input.l[1:]|list", "[1.050,2,1e400]"),
        ("input.l|first if input.v else input.e", "1.10"),
        ("input.l|sort", "[1.050,1.10,2,1e400]"),
        ("[input.v, 1.5, input.l[1], 1]|sort", "[1,1.050,1.10,1.5]"),
        ("input.l|min", "1.050"),
        ("[input.v, input.v, 1.1]|unique", "[1.10]"),
        ("input.o|sort(attribute='k')|map(attribute='k')|list", "[1.0,2.50]"),
        ("input.nope|default(input.v)", "1.10"),
        ("input.l + [input.e]", "[1.10,1.050,2,1e400,1E5]"),
        ("[input.v] * 2", "[1.10,1.10]"),
        ("'%s'|format(input.v)", r#""1.10""#),
        ("input.big", "1234567890123456789012345678901234567890123"),
        ("[input.v + 1, input.v * 2, -input.v, input.e - 1, input.e // 3]", "[2.1,2.2,-1.1,99999.0,33333.0]"),
        (
            "[input.v == 1.1, input.v > 1, input.v in [1.1], input.m == {'a': 1.1}, input.z == 0]",
            "[true,true,true,true,true]",
        ),
        (
            "[input.v is number, input.v is float, input.v is integer, input.e is divisibleby(10)]",
            "[true,true,false,true]",
        ),
        ("[input.v|round, input.v|int, '%.3f'|format(input.v), input.l[:3]|sum]", r#"[1.0,1,"1.100",4.15]"#),
        ("not input.z", "true"),
        ("[[input.v]] == [[1.1]]", "true"),
        ("input.l[1e0]", "1.050"),
    ] {
        let value = Expression::parse(source).unwrap().evaluate(&scope);
        assert_eq!(value.as_ref().map(Json::text), Ok(expected), "{source}");
    }
}
