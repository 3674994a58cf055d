//! Names in the head of a part (RFC 7578, 4.2), in every spelling that clients use.
use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The names in a `Content-Disposition`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartNames {
    pub(super) field: Option<String>,
    pub(super) file: Option<String>,
}

/// The bytes of a name are not text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText;

impl PartNames {
    /// Reads the value of the header. Parameters have any case; one in the form of RFC 8187 (`name*`)
    /// wins, as the client chose it for what the other cannot say.
    pub(super) fn of(value: &[u8]) -> Result<Self, NotText> {
        let mut field = Spellings::default();
        let mut file = Spellings::default();
        for (name, value) in parameters(value) {
            match name.to_ascii_lowercase().as_slice() {
                b"name" => field.plain.get_or_insert(value),
                b"name*" => field.extended.get_or_insert(value),
                b"filename" => file.plain.get_or_insert(value),
                b"filename*" => file.extended.get_or_insert(value),
                _ => continue,
            };
        }
        // Names of fields are ASCII here, so an escape in one is meant as such.
        let field = field.read(|bytes| percent_decode(bytes).collect())?;
        Ok(Self { field, file: file.read(unescaped)? })
    }
}

/// One name, as it was sent.
#[derive(Debug, Default)]
struct Spellings<'a> {
    plain: Option<Cow<'a, [u8]>>,
    extended: Option<Cow<'a, [u8]>>,
}

impl Spellings<'_> {
    fn read(self, decode: impl Fn(&[u8]) -> Vec<u8>) -> Result<Option<String>, NotText> {
        let plain = self.plain.map(|bytes| String::from_utf8(decode(&bytes)).map_err(|_| NotText));
        match (self.extended.map(|value| extended(&value)), plain) {
            (Some(Ok(name)), _) => Ok(Some(name)),
            (Some(Err(err)), None) => Err(err),
            (_, plain) => plain.transpose(),
        }
    }
}

/// `CHARSET'LANGUAGE'ESCAPED`, in one of the two character sets that RFC 8187 and its predecessor have.
fn extended(value: &[u8]) -> Result<String, NotText> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (Some(charset), Some(_), Some(escaped)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NotText);
    };
    let bytes: Vec<u8> = percent_decode(escaped).collect();
    match charset.to_ascii_lowercase().as_slice() {
        b"utf-8" => String::from_utf8(bytes).map_err(|_| NotText),
        b"iso-8859-1" => Ok(bytes.into_iter().map(char::from).collect()),
        _ => Err(NotText),
    }
}

/// Decodes the three escapes of browsers in the name of a file (WHATWG HTML, multipart/form-data). Any
/// other percent sign stands for itself.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, others)) = rest.split_first() {
        let escape = match rest.get(..3).map(<[u8]>::to_ascii_uppercase).as_deref() {
            Some(b"%22") => Some(b'"'),
            Some(b"%0D") => Some(b'\r'),
            Some(b"%0A") => Some(b'\n'),
            _ => None,
        };
        out.push(escape.unwrap_or(first));
        rest = if escape.is_some() { rest.get(3..).unwrap_or_default() } else { others };
    }
    out
}

/// The parameters after the first semicolon, each with its value out of its quotes.
fn parameters(value: &[u8]) -> Vec<(&[u8], Cow<'_, [u8]>)> {
    let mut found = Vec::new();
    let (_, mut rest) = cut(value, |byte| byte == b';');
    while !rest.is_empty() {
        let (name, after) = cut(rest, |byte| matches!(byte, b'=' | b';'));
        let has_value = rest.get(name.len()) == Some(&b'=');
        let name = name.trim_ascii();
        if !has_value {
            rest = after;
            continue;
        }
        let after = after.trim_ascii_start();
        let (value, after) = if let Some(quoted) = after.strip_prefix(b"\"") {
            let (value, after) = unquoted(quoted);
            (Cow::Owned(value), cut(after, |byte| byte == b';').1)
        } else {
            let (value, after) = cut(after, |byte| byte == b';');
            (Cow::Borrowed(value.trim_ascii()), after)
        };
        rest = after;
        found.push((name, value));
    }
    found
}

/// Splits `text` at the first such byte, and drops that.
fn cut(text: &[u8], is_end: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| is_end(*byte)).unwrap_or(text.len());
    let (before, after) = text.split_at(end);
    (before, after.get(1..).unwrap_or_default())
}

/// Splits `text` after its closing quote. Old clients write paths of Windows as they are, so a
/// backslash escapes a quote or another backslash only.
fn unquoted(mut text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    loop {
        match text {
            [b'\\', escaped @ (b'"' | b'\\'), rest @ ..] => {
                value.push(*escaped);
                text = rest;
            }
            [] => return (value, text),
            [b'"', rest @ ..] => return (value, rest),
            [byte, rest @ ..] => {
                value.push(*byte);
                text = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(value: &str) -> Result<(Option<String>, Option<String>), NotText> {
        PartNames::of(value.as_bytes()).map(|names| (names.field, names.file))
    }

    #[test]
    fn a_name_is_the_same_in_every_spelling() {
        let cases = [
            (r#"form-data; name="file"; filename="a b.csv""#, "file", Some("a b.csv")),
            ("form-data; name=file; filename=a.csv", "file", Some("a.csv")),
            (r#"form-data;name="file";filename="a.csv";"#, "file", Some("a.csv")),
            (r#"FORM-DATA; Name = "file" ; FileName= "a.csv""#, "file", Some("a.csv")),
            (
                r#"form-data; name="file"; filename*=UTF-8''%C5%BElut%C3%BD.csv"#,
                "file",
                Some("žlutý.csv"),
            ),
            (r#"form-data; name="file"; FILENAME*=utf-8'cs'%C5%BE"#, "file", Some("ž")),
            (r#"form-data; name="file"; filename*="UTF-8''%C5%BE""#, "file", Some("ž")),
            (r#"form-data; name="file"; filename*=ISO-8859-1''%FClle"#, "file", Some("ülle")),
            (r#"form-data; name="file"; filename="x"; filename*=UTF-8''%C3%A4"#, "file", Some("ä")),
            (r#"form-data; name="file"; filename*=UTF-8''%FF; filename="x""#, "file", Some("x")),
            (r#"form-data; name="file"; filename="žlutý.csv""#, "file", Some("žlutý.csv")),
            (
                r#"form-data; name="file"; filename="a%22b%0d%0A%20%25.csv""#,
                "file",
                Some("a\"b\r\n%20%25.csv"),
            ),
            (
                r#"form-data; name="file"; filename="a\"b;c\\d=\e.csv""#,
                "file",
                Some(r#"a"b;c\d=\e.csv"#),
            ),
            (r#"form-data; name="file"; filename="C:\dir\a.csv""#, "file", Some(r"C:\dir\a.csv")),
            (r#"form-data; name="conversation%5Fid""#, "conversation_id", None),
            ("form-data; name*=UTF-8''conversation%5Fid", "conversation_id", None),
            (r#"form-data; x="; filename=no"; name="a"; flag"#, "a", None),
            (r#"form-data; name="file"; filename="""#, "file", Some("")),
            (r#"form-data; name="100%""#, "100%", None),
        ];
        for (value, field, file) in cases {
            let expected = Ok((Some(field.to_owned()), file.map(str::to_owned)));
            assert_eq!(names(value), expected, "{value}");
        }
        assert_eq!(names("form-data"), Ok((None, None)));
        assert_eq!(names(""), Ok((None, None)));
    }

    #[test]
    fn a_name_that_is_no_text_is_not_taken_for_none() {
        let latin = b"form-data; name=\"file\"; filename=\"\xFClle.csv\"";
        assert_eq!(PartNames::of(latin), Err(NotText));
        assert_eq!(PartNames::of(b"form-data; name=\"\xFC\""), Err(NotText));
        let bad = ["UTF-8''%FF", "UTF-16''%FE%FF", "%C3%A4", "UTF-8'a"];
        for bad in bad {
            assert_eq!(
                names(&format!("form-data; name=file; filename*={bad}")),
                Err(NotText),
                "{bad}"
            );
        }
    }
}
