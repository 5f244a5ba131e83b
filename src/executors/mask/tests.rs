use proptest::collection::vec;
use proptest::prelude::*;

use super::stream::Stream;
use super::*;
use crate::events::json::Json;
use crate::executors::AgentRequest;
use crate::workflow::work::{Output, Transcript, Written};

fn masks(values: &[(&str, &str)]) -> Masks {
    Masks::default().and(values.iter().map(|(name, value)| (*name, value.as_bytes())))
}

fn numbered(values: &[Vec<u8>]) -> Masks {
    let names: Vec<String> = (0..values.len()).map(|number| number.to_string()).collect();
    Masks::default().and(names.iter().map(String::as_str).zip(values.iter().map(Vec::as_slice)))
}

/// What comes out of these pieces, and how many bytes were held back at most.
fn streamed(masks: &Masks, pieces: impl Iterator<Item = Vec<u8>>) -> (Vec<u8>, usize) {
    let (mut stream, mut out, mut held) = (Stream::default(), Vec::new(), 0);
    for piece in pieces {
        stream.push(masks, &piece, &mut out);
        held = held.max(stream.held());
    }
    stream.end(masks, &mut out);
    (out, held)
}

/// The same as masks do, looking at each place for each value.
fn slowly(masks: &Masks, bytes: &[u8]) -> Vec<u8> {
    let patterns = masks.finder.as_ref().map_or(&[][..], |finder| finder.patterns());
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let here = patterns.iter().filter(|pattern| bytes[at..].starts_with(&pattern.bytes));
        match here.max_by_key(|pattern| pattern.bytes.len()) {
            Some(pattern) => {
                out.extend_from_slice(pattern.mask.as_bytes());
                at += pattern.bytes.len();
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Bytes in which values stand, and begin and do not go on: of few kinds, so that much is nearly the same.
fn told(values: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let (whole, cut) = (values.to_vec(), values.to_vec());
    let piece = prop_oneof![
        vec(0u8..3, 0..9),
        (0..whole.len()).prop_map(move |which| whole[which].clone()),
        (0..cut.len(), 0usize..300).prop_map(move |(which, end)| {
            let value = &cut[which];
            value[..end % value.len()].to_vec()
        }),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let value = prop_oneof![4 => vec(0u8..3, 4..8), 2 => vec(0u8..3, 4..40), 1 => vec(0u8..2, 250..300)];
    vec(value, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_masked_does_not_depend_on_how_bytes_are_cut(
        (values, told) in values().prop_flat_map(|values| (Just(values.clone()), told(&values))),
        cuts in vec(1usize..7, 1..40),
    ) {
        let masks = numbered(&values);
        let whole = slowly(&masks, &told);
        prop_assert_eq!(&*masks.bytes(&told), &*whole);
        let mut rest = &told[..];
        let mut cuts = cuts.iter().cycle();
        let pieces = std::iter::from_fn(|| {
            let (piece, left) = rest.split_at_checked(*cuts.next()?).unwrap_or((rest, &[]));
            rest = left;
            Some(piece.to_vec()).filter(|piece| !piece.is_empty())
        });
        let (out, held) = streamed(&masks, pieces);
        prop_assert_eq!(out, whole);
        let longest = values.iter().map(|value| value.trim_ascii().len()).max().unwrap();
        prop_assert!(held < longest.max(1), "{} of {}", held, longest);
    }

    #[test]
    fn no_value_is_in_what_is_masked_json(text in "[a-d\"\\\\/\u{e9}\u{1f600}\n<&+]{4,12}", before in "[a-d\"\\\\]{0,4}") {
        prop_assume!(text.trim_ascii().len() >= VALUE_BYTES_MIN);
        let masks = masks(&[("S", &text)]);
        let told = serde_json::json!({ "a": [format!("{before}{text}"), 7], text.clone(): null });
        let masked = masks.json(&Json::from(&told)).unwrap();
        let expected = serde_json::json!({ "a": [&*masks.text(&format!("{before}{text}")), 7], &*masks.text(&text): null });
        prop_assert_eq!(masked.value(), expected);
    }
}

#[test]
fn of_values_that_begin_alike_the_longest_is_masked() {
    let masks = masks(&[("SHORT", "abcd"), ("LONG", "abcdef"), ("INSIDE", "cdefgh")]);
    assert_eq!(masks.text("abcdefgh abcdx abcde cdefgh"), "[LONG]gh [SHORT]x [SHORT]e [INSIDE]");
    let pieces = ["ab", "cd", "e", "fgh"].map(|piece| piece.as_bytes().to_vec());
    assert_eq!(streamed(&masks, pieces.into_iter()).0, b"[LONG]gh");
}

#[test]
fn what_is_too_short_or_empty_masks_nothing() {
    let masks = masks(&[("A", ""), ("B", "abc"), ("C", " \n"), ("D", " abc\n")]);
    assert!(masks.is_empty());
    assert_eq!(masks.text("abc"), "abc");
    assert!(!is_too_short(b"") && !is_too_short(b"abcd") && is_too_short(b" abc\n"));
}

#[test]
fn a_value_is_known_without_the_white_space_around_it_and_by_each_of_its_lines() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n}\n-----END KEY-----\n";
    let masks = masks(&[("KEY", key)]);
    assert_eq!(masks.text(&format!("a {}", key.trim())), "a [KEY]");
    assert_eq!(masks.text("> MIIEvQIBADANBg\n> }\n"), "> [KEY]\n> }\n");
    assert_eq!(masks.text(&serde_json::to_string(key).unwrap()), "\"[KEY]\\n\"");
}

/// As json.dumps of Python, encoding/json of Go, json_encode of PHP, and System.Text.Json of .NET write it.
#[test]
fn a_value_in_json_is_known_whoever_wrote_it() {
    let masks = masks(&[("S", "p\"\u{e4}/<+\\\u{1f600}")]);
    for written in [
        "p\\\"\u{e4}/<+\\\\\u{1f600}",
        "p\\\"\\u00e4/<+\\\\\\ud83d\\ude00",
        "p\\\"\u{e4}/\\u003c+\\\\\u{1f600}",
        "p\\\"\\u00e4\\/<+\\\\\\ud83d\\ude00",
        "p\\u0022\\u00E4/\\u003C\\u002B\\\\\\uD83D\\uDE00",
    ] {
        let json: String = serde_json::from_str(&format!("\"{written}\"")).unwrap();
        assert_eq!(json, "p\"\u{e4}/<+\\\u{1f600}", "{written}");
        assert_eq!(masks.text(&format!("{{\"a\": \"{written}\"}}")), "{\"a\": \"[S]\"}", "{written}");
    }
}

#[test]
fn in_json_a_value_is_found_however_it_is_escaped_and_numbers_keep_their_digits() {
    let masks = masks(&[("S", "secret"), ("PIN", "12345")]);
    let json = Json::parse("{\"\\u0073ecret\" : 1.50, \"n\":[12345 ,1e400], \"t\":\"a\\nb\"}").unwrap();
    let masked = masks.json(&json).unwrap();
    assert_eq!(masked.text(), "{\"[S]\" : 1.50, \"n\":[\"[PIN]\" ,1e400], \"t\":\"a\\nb\"}");
    let half = Json::parse("\"\\ud800 secrets\"").unwrap();
    assert!(masks.json(&half).is_err());
    let twice = Json::parse("{\"secret\":1,\"\\u0073ecret\":2}").unwrap();
    assert!(masks.json(&twice).unwrap_err().message.contains("stands twice"));
}

#[test]
fn all_that_an_attempt_tells_is_masked_but_what_it_was_asked() {
    let masks = masks(&[("S", "secret")]);
    let json = |text| Json::parse(text).unwrap();
    let written = || Written::of(b"a\0secret".to_vec());
    let transcript = Transcript { prompt: Some("secret".into()), stdout: written(), ..Transcript::default() };
    let told = Output {
        output: json("\"secret\""),
        artifacts: vec!["dist/secret".into()],
        requests: vec![
            AgentRequest::Send(json("[\"secret\"]")),
            AgentRequest::Context { key: "secret".into(), value: json("\"secret\"") },
            AgentRequest::Handoff("To: secret".into()),
        ],
        transcript: Some(transcript.to_json()),
        ..Output::default()
    };
    let masked = masks.output(told).unwrap();
    let said: Transcript = serde_json::from_str(masked.transcript.as_ref().unwrap().text()).unwrap();
    assert_eq!((said.prompt.as_deref(), &*said.stdout.bytes()), (Some("secret"), &b"a\0[S]"[..]));
    let rest = format!("{:?}", Output { transcript: None, ..masked });
    assert!(!rest.contains("secret"), "{rest}");
    assert_eq!(rest.matches("[S]").count(), 6, "{rest}");
}

#[test]
fn what_is_masked_cannot_be_read_from_masks() {
    let masks = masks(&[("NAME", "secret")]);
    assert_eq!(format!("{masks:?}"), "{\"[NAME]\"}");
    assert!(masks.stand_in("a/[NAME].tar") && !masks.stand_in("a/NAME.tar"));
}

#[test]
fn of_what_was_cut_no_beginning_of_a_value_is_left() {
    let masks = masks(&[("S", "secret")]);
    assert_eq!(&*masks.beginning(b"a secret secre", true), b"a [S] ");
    assert_eq!(&*masks.beginning(b"a secret secre", false), b"a [S] secre");
}
