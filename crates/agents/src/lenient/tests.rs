//! Everything that `serde_json` reads is read the same, and some things besides.
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use super::*;

fn read(text: &str) -> Document<'_> {
    Document::read(text).unwrap_or_else(|err| panic!("{err}: {text}"))
}

#[test]
fn the_last_of_equal_keys_counts_and_what_is_not_asked_for_may_be_odd() {
    let text = r#"{"a":1,"\ud83d":[NaN,-Infinity,{"Infinity":"NaN \" Infinity"}],"a":"NaN"}"#;
    let document = read(text);
    let [a, b, odd] = document.root().members(["a", "b", "\u{fffd}"]);
    assert_eq!(a.string().as_deref(), Some("NaN"));
    assert!(b.is_null() && odd.is_null());
    let odd = read(r#"{"x":[NaN,-Infinity,{"Infinity":"NaN \" -Infinity"}, "I", -1]}"#);
    let x = odd.root().get("x");
    assert_eq!(x.raw(), r#"[null,null,{"Infinity":"NaN \" -Infinity"}, "I", -1]"#);
    assert_eq!(x.items().len(), 5);
}

#[test]
fn what_is_no_json_is_refused_and_not_repeated() {
    for text in ["", " ", "{", "meow", "{\"a\":nan}", "[1] 2", "{\"secret\":}", "+Infinity"] {
        let err = Document::read(text).expect_err(text);
        assert!(
            err.to_string().starts_with("not JSON at line 1 column ") || text.is_empty(),
            "{err}"
        );
    }
    assert_eq!(read("\u{feff} {\"a\":1}\n").root().get("a").number(), Some(1));
}

#[test]
fn what_says_something_is_set() {
    let unset = ["null", "false", "\"\"", "0", "-0.0", "0e0", "{}", "[ ]", "{\n}"];
    let set = ["true", "\" \"", "1", "-0.5", "{\"a\":1}", "[0]", "[ \"\" ]"];
    assert!(unset.iter().all(|json| !read(json).root().is_set()));
    assert!(set.iter().all(|json| read(json).root().is_set()));
}

#[test]
fn words_are_texts_numbers_and_parts() {
    let words = [
        (r#""a\u00e8""#, Some("aè")),
        ("1.50", Some("1.50")),
        ("null", None),
        ("true", None),
        ("[]", Some("")),
        (
            r#"["a",{"type":"text","text":"b"},{"text":"c"},{"type":"thinking","text":"d"},7]"#,
            Some("abc"),
        ),
        (
            r#"[{"type":"output_text","text":{"value":"a"}},{"type":"refusal","refusal":"b"}]"#,
            Some("ab"),
        ),
        (r#"{"text":"a"}"#, Some("a")),
        (r#"{"type":"image","text":"a"}"#, None),
        (r#""a\ud83d""#, Some("a\u{fffd}")),
        (r#"["\ud83d","\ude00"]"#, Some("😀")),
    ];
    for (json, expected) in words {
        assert_eq!(read(json).root().text().as_deref(), expected, "{json}");
    }
}

#[test]
fn numbers_may_be_texts() {
    let numbers = ["7", "\"7\"", "\" 7 \"", "-7", "7.5", "\"a\"", "null", "[7]"];
    let read = numbers.map(|number| read(number).root().number());
    assert_eq!(read, [Some(7), Some(7), Some(7), None, None, None, None, None]);
}

/// UTF-16, in which every text can be cut anywhere.
fn units() -> impl Strategy<Value = Vec<u16>> {
    let some = [0x41, 0xE8, 0xFFFD, 0xD7FF, 0xE000, 0xD83D, 0xDE00, 0xD800, 0xDC00, 0xDBFF, 0xDFFF];
    vec(select(some.to_vec()), 0..12)
}

fn escaped(units: &[u16]) -> String {
    let escapes: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{}\"", escapes.concat())
}

proptest! {
    #[test]
    fn a_text_that_was_cut_between_any_units_is_the_text(units in units(), cuts in vec(0_usize..12, 0..4)) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(units.len())).collect();
        cuts.extend([0, units.len()]);
        cuts.sort_unstable();
        let mut halves = Halves::default();
        let mut text = String::new();
        for cut in cuts.windows(2) {
            let piece = escaped(&units[cut[0]..cut[1]]);
            let document = read(&piece);
            text += &halves.join(&document.root().words().unwrap());
        }
        text.extend(halves.end());
        prop_assert_eq!(&text, &String::from_utf16_lossy(&units));
        let whole = escaped(&units);
        prop_assert_eq!(read(&whole).root().string(), Some(text));
    }

    #[test]
    fn what_serde_reads_is_read_the_same(
        names in vec("[a-c\"\\\\é]{0,2}", 1..4),
        texts in vec("[ -~é🐈\"\\\\\n]{0,6}", 1..4),
    ) {
        let pairs = names.iter().cloned().zip(texts.into_iter().map(Value::from));
        let value = Value::Object(pairs.collect());
        let text = Value::from(vec![value.clone(), value.clone()]).to_string();
        let document = read(&text);
        for item in document.root().items() {
            for name in &names {
                let found = value.get(name).and_then(Value::as_str).map(str::to_owned);
                prop_assert_eq!(item.get(name).string(), found);
            }
        }
    }
}
