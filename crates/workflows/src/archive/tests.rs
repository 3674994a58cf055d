//! Archives made by the gateway, by the original, and by an attacker.
use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use quadrille_store::{ChatFile, ChatStatus, Place, RunStatus, StepStatus};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::*;

const LIMIT: u64 = 1 << 20;

/// An entry that no library would write.
struct Raw<'a>(&'a str, EntryType, &'a [u8]);

const METADATA_ONLY: &[u8] = br#"{"chat_id":"c"}"#;

fn file<'a>(path: &'a str, bytes: &'a [u8]) -> Raw<'a> {
    Raw(path, EntryType::Regular, bytes)
}

fn tar(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for Raw(path, kind, bytes) in entries {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn opened(bytes: &[u8]) -> (TempDir, Result<Unpacked, BadArchive>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump");
    fs::write(&path, bytes).unwrap();
    let unpacked = unpack(&path, folder.path(), LIMIT);
    (folder, unpacked)
}

fn refused(bytes: &[u8]) -> String {
    opened(bytes).1.unwrap_err().to_string()
}

fn restored(bytes: &[u8]) -> Restored {
    let (_folder, unpacked) = opened(bytes);
    understand(unpacked.unwrap(), Some("ann")).unwrap()
}

#[test]
fn what_leaves_the_archive_or_is_no_file_is_named() {
    let good = || file("metadata.json", METADATA_ONLY);
    let bad = [
        (file("../evil", b"x"), "leaves the archive"),
        (file("uploads/../../evil", b"x"), "leaves the archive"),
        (file("/etc/passwd", b"x"), "is absolute"),
        (file("uploads//a", b"x"), "an empty part"),
        (file("uploads/a\\b", b"x"), "a character"),
        (file("uploads/a/b", b"x"), "in no folder of a chat"),
        (file("other.txt", b"x"), "in no folder of a chat"),
        (file("uploads", b"x"), "in no folder of a chat"),
        (file("c/uploads/a", b"x"), "in the folder of the others"),
        (file("metadata.json", b"{}"), "occurs twice"),
        (Raw("uploads/l", EntryType::Symlink, b""), "a link"),
        (Raw("uploads/l", EntryType::Link, b""), "a link"),
        (Raw("uploads/d", EntryType::Char, b""), "neither a file nor a folder"),
        (Raw("uploads/d", EntryType::Fifo, b""), "neither a file nor a folder"),
        (Raw("uploads/d", EntryType::Directory, b""), "a folder where a file should be"),
    ];
    for (entry, err) in bad {
        let path = format!("{:?}", entry.0);
        let said = refused(&tar(&[good(), entry]));
        assert!(said.contains(&path) && said.contains(err), "{said}");
    }
}

#[test]
fn a_long_name_is_one_and_the_words_before_it_are_bounded() {
    let long = format!("uploads/{}.csv", "é".repeat(70));
    let name = Raw("././@LongLink", EntryType::GNULongName, long.as_bytes());
    let good = tar(&[file("metadata.json", METADATA_ONLY), name, file("uploads/cut", b"x")]);
    let unpacked = opened(&good).1.unwrap();
    assert_eq!(format!("uploads/{}", unpacked.files[0].name), long);
    let away = Raw("././@LongLink", EntryType::GNULongName, b"uploads/../../evil\0");
    let bad = tar(&[away, file("uploads/a", b"x")]);
    assert!(refused(&bad).contains("leaves the archive"));
    let pax = Raw("p", EntryType::XHeader, b"22 path=outputs/a.csv\n");
    let good = tar(&[file("metadata.json", METADATA_ONLY), pax, file("uploads/cut", b"x")]);
    assert_eq!(opened(&good).1.unwrap().files[0].place, Place::Outputs);
    let huge = vec![b'a'; 100_000];
    let bad = tar(&[Raw("././@LongLink", EntryType::GNULongName, &huge)]);
    assert!(refused(&bad).contains("too long"));
}

#[test]
fn what_is_broken_or_too_large_is_refused() {
    let metadata = file("metadata.json", METADATA_ONLY);
    let bytes = vec![7; 100_000];
    let good = tar(&[metadata, file("uploads/a", &bytes)]);
    assert!(opened(&good).1.is_ok());
    for length in [0, 1, 10, 40, good.len() / 2, good.len() - 1] {
        let said = refused(&good[..length]);
        assert!(said.contains("is broken"), "{length}: {said}");
    }
    let mut other = good.clone();
    let last = other.len() - 6;
    other[last] ^= 1;
    assert!(refused(&other).contains("is broken"));
    assert!(refused(b"id,name\n1,Ann\n").contains("is broken"));
    assert_eq!(refused(&tar(&[])), "The dump file has no metadata.json");
    let garbage = [&good[..], b"garbage"].concat();
    assert!(refused(&garbage).contains("is broken"));
    // In two parts, as some who pack in parallel make it.
    let mut whole = Vec::new();
    GzDecoder::new(&good[..]).read_to_end(&mut whole).unwrap();
    let mut parts = Vec::new();
    for part in whole.chunks(whole.len() / 2 + 1) {
        let mut gz = GzEncoder::new(&mut parts, Compression::fast());
        gz.write_all(part).unwrap();
        gz.finish().unwrap();
    }
    assert_eq!(opened(&parts).1.unwrap().files[0].size, 100_000);
    let large = vec![0; 600 << 10];
    let bomb = tar(&[file("uploads/a", &large), file("uploads/b", &large)]);
    assert!(bomb.len() < 20_000);
    assert!(refused(&bomb).contains("at most 1048576 bytes together"));
    // What is after the end counts, too.
    let mut after = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = Header::new_gnu();
    header.set_size(METADATA_ONLY.len() as u64);
    after.append_data(&mut header, "metadata.json", METADATA_ONLY).unwrap();
    let mut gz = after.into_inner().unwrap();
    for _ in 0..60 {
        gz.write_all(&vec![0; 1 << 20]).unwrap();
    }
    assert!(refused(&gz.finish().unwrap()).contains("at most 1048576 bytes together"));
    let folders: Vec<_> =
        (0..=MAX_ENTRIES).map(|_| Raw("uploads/", EntryType::Directory, b"")).collect();
    assert!(refused(&tar(&folders)).contains("at most 10000 entries"));
}

#[test]
fn a_description_says_what_is_wrong_with_it() {
    let said = |text: &str| {
        let unpacked = Unpacked { metadata: text.to_owned(), files: Vec::new() };
        understand(unpacked, None).unwrap_err().to_string()
    };
    assert!(said("[").contains("cannot be read"));
    assert!(said("{}").contains("chat_id"));
    assert!(said(r#"{"chat_id":"a\nb"}"#).contains("chat_id cannot be one"));
    assert!(said(&"[".repeat(1000)).contains("nested too deep"));
    let gone = said(r#"{"chat_id":"c","files":[{"path":"uploads/a"}]}"#);
    assert!(gone.contains("\"uploads/a\", which is not in the archive"), "{gone}");
    let array =
        r#"{"chat_id":"c","runs":[{"run_id":"r","steps":[{"operation":"o","arguments":[]}]}]}"#;
    assert!(said(array).contains("an object was expected"));
    let long = json!({"chat_id": "c", "runs": [{"run_id": "r".repeat(401)}]}).to_string();
    assert!(said(&long).contains("a run_id has more than 400 bytes"));
    let long = json!({"chat_id": "c", "workflow_steps": [{"operation": "o".repeat(201)}]});
    assert!(said(&long.to_string()).contains("an operation has more than 200 bytes"));
}

#[test]
fn a_chat_has_a_bounded_number_of_parts() {
    let many = |one: &str, count: usize| vec![one; count].join(",");
    let read = |rest: &str| {
        let metadata = format!(r#"{{"chat_id":"c",{rest}}}"#);
        understand(Unpacked { metadata, files: Vec::new() }, None)
    };
    let step = r#"{"operation":"o"}"#;
    let run = format!(r#"{{"run_id":"r","steps":[{}]}}"#, many(step, 99));
    // Steps that are said twice count once.
    let parts = |messages| {
        let (messages, runs) = (many("{}", messages), many(&run, 50));
        let steps = many(step, 50 * 99);
        read(&format!(r#""messages":[{messages}],"runs":[{runs}],"workflow_steps":[{steps}]"#))
    };
    assert_eq!(parts(5000).unwrap().whole.messages.len(), 5000);
    let said = parts(5001).unwrap_err().to_string();
    assert!(said.contains("5001 messages, 50 runs and 4950 steps"), "{said}");
    let said = |rest: &str| read(rest).unwrap_err().to_string();
    // They are counted before there is room for any.
    let messages = many("{}", 1_000_000);
    assert!(said(&format!(r#""messages":[{messages}]"#)).contains("1000000 messages"));
    assert!(said(&format!(r#""workflow_steps":[{}]"#, many(step, 10_001))).contains("10001 steps"));
    assert!(said(&format!(r#""runs":[{}]"#, many("{}", 10_001))).contains("10001 runs"));
    let paths = many("\"\"", MAX_ENTRIES + 1);
    assert!(said(&format!(r#""output_files":[{paths}]"#)).contains("at most 10000 entries"));
}

#[test]
fn what_was_given_to_a_step_is_carried_as_it_is() {
    let arguments = r#"{"z":1e999,"a":{"y":1.0,"b":12345678901234567890123}, "m":[]}"#;
    let result = r#"{"rows":2,"columns":1}"#;
    let metadata = format!(
        r#"{{"chat_id":"c","metadata":{{"b":1,"a":2}},"dialogue":{{"z":1,"y":2}},"runs":[{{"run_id":"r",
        "steps":[{{"operation":"o","arguments":{arguments},"result":{result}}}]}}]}}"#
    );
    let understood = |metadata: String| {
        understand(Unpacked { metadata, files: Vec::new() }, None).unwrap().whole
    };
    let first = understood(metadata);
    let again = understood(describe(&first).unwrap());
    for whole in [&first, &again] {
        let step = &whole.runs[0].1[0];
        assert_eq!((&*step.arguments, step.result.as_deref()), (arguments, Some(result)));
        assert_eq!(whole.chat.metadata, r#"{"b":1,"a":2}"#);
        assert_eq!(whole.chat.dialogue.as_deref(), Some(r#"{"z":1,"y":2}"#));
    }
    assert_eq!(again.chat, first.chat);
}

#[test]
fn what_is_made_is_what_is_taken() {
    let metadata = r#"{"chat_id":"c","messages":[{}]}"#.to_owned();
    let mut whole = understand(Unpacked { metadata, files: Vec::new() }, None).unwrap().whole;
    let file = ChatFile {
        id: 1,
        place: Place::Uploads,
        name: "a".to_owned(),
        key: "k".to_owned(),
        size: 1000,
        created_at: 0,
    };
    whole.files = vec![file; MAX_ENTRIES];
    let said = |limit| fits(&whole.files, limit).unwrap_err().to_string();
    assert_eq!(said(u64::MAX), "An archive has at most 10000 entries");
    whole.files.pop();
    let size = 1000 * 9999;
    fits(&whole.files, size).unwrap();
    let err = fits(&whole.files, size - 1).unwrap_err();
    assert!(matches!(err, BadArchive::TooLarge(_)), "{err}");

    // Names that take an entry more than others.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    let mut writer = Writer::create(&path).unwrap();
    for (n, file) in whole.files.iter_mut().enumerate() {
        file.name = format!("{}{n}", "n".repeat(100));
        writer.file(file.place, &file.name, 0, 1, &b"x"[..]).unwrap();
    }
    writer.metadata(0, describe(&whole).unwrap().as_bytes()).unwrap();
    writer.finish().unwrap();
    let unpacked = unpack(&path, folder.path(), 9999).unwrap();
    assert_eq!(understand(unpacked, None).unwrap().whole.files.len(), 9999);

    whole.messages = vec![whole.messages[0].clone(); MAX_PARTS + 1];
    let said = describe(&whole).unwrap_err().to_string();
    assert!(said.contains("10001 messages, 0 runs and 0 steps"), "{said}");
    whole.messages.truncate(1);
    whole.messages[0].content = "x".repeat(16 << 20);
    assert!(matches!(describe(&whole), Err(BadArchive::TooMuch)));
}

#[test]
fn what_is_written_is_read_again() {
    let step = json!({
        "step_id": "0197c0a4-1111-7000-8000-000000000001", "operation": "csv/search",
        "kind": "internal", "arguments": {"a": 1}, "input_file": "workflows/2026/11/c/uploads/b.csv",
        "output_file": "workflows/2026/11/c/outputs/o.csv", "status": "completed", "progress": 100,
        "result": {"n": 3},
    });
    let mut second = step.clone();
    second["step_id"] = Value::Null;
    second["status"] = "running".into();
    let described = json!({
        "chat_id": "c", "participant_name": "Otter-1", "status": "completed",
        "partition_key": "2026/11", "created_at": "2026-11-20T20:38:59.263000Z",
        "messages": [{"message_type": "user", "content": "go", "metadata": {"n": 1}}],
        "files": [{"path": "uploads/b.csv", "created_at": "2026-11-20T20:39:00Z"},
            {"path": "uploads/a.csv"}, {"path": "outputs/o.csv"}],
        "runs": [{"run_id": "r", "status": "running", "seq": 4, "steps": [step, second]}],
        "dialogue": {"state": "idle"},
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    let mut writer = Writer::create(&path).unwrap();
    writer.metadata(0, described.to_string().as_bytes()).unwrap();
    for (place, name) in [(Place::Outputs, "o.csv"), (Place::Uploads, "a.csv")] {
        writer.file(place, name, 0, name.len() as u64, name.as_bytes()).unwrap();
    }
    assert!(writer.file(Place::Uploads, "short", 0, 9, &b"short"[..]).is_err());

    let mut writer = Writer::create(&path).unwrap();
    writer.metadata(0, described.to_string().as_bytes()).unwrap();
    for (place, name) in
        [(Place::Outputs, "o.csv"), (Place::Uploads, "a.csv"), (Place::Uploads, "b.csv")]
    {
        writer.file(place, name, 0, name.len() as u64, name.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    let unpacked = unpack(&path, folder.path(), LIMIT).unwrap();
    let Restored { whole, bytes } = understand(unpacked, Some("ann")).unwrap();
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(bytes.iter().map(read).collect::<Vec<_>>(), ["b.csv", "a.csv", "o.csv"]);
    let names: Vec<_> =
        whole.files.iter().map(|file| (file.id, file.name.as_str(), file.size)).collect();
    assert_eq!(names, [(1, "b.csv", 5), (2, "a.csv", 5), (3, "o.csv", 5)]);
    assert_eq!(whole.files[0].created_at - whole.chat.created_at, 737);
    assert_eq!((whole.chat.user_id.as_deref(), &*whole.chat.partition), (Some("ann"), "2026/11"));
    assert_eq!(whole.chat.dialogue.as_deref(), Some(r#"{"state":"idle"}"#));
    assert_eq!((&*whole.messages[0].content, &*whole.messages[0].metadata), ("go", r#"{"n":1}"#));
    let (run, steps) = &whole.runs[0];
    assert_eq!((run.status, run.total, run.next, run.seq), (RunStatus::Running, 2, 1, 4));
    assert_eq!((steps[0].input, steps[0].output), (Some(1), Some(3)));
    assert_eq!(steps[0].result.as_deref(), Some(r#"{"n":3}"#));
    assert_eq!(steps[1].status, StepStatus::Running);
}

#[test]
fn an_archive_of_the_original_is_understood() {
    let full = json!({
        "chat_id": "c", "participant_name": "Zebra-4974", "status": "processing",
        "messages": [], "workflow_steps": [{"step_id": "x", "operation": "json/generate",
            "arguments": {}, "status": "completed", "progress": 100,
            "input_file": "./automation/workflows/2026/11/c/uploads/a.csv",
            "output_file": null, "error_message": null}],
        "uploaded_files": ["./automation/workflows/2026/11/c/uploads/b.csv", "/x/c/uploads/a.csv"],
        "output_files": ["./automation/workflows/2026/11/c/outputs/gone.json"],
        "metadata": {}, "created_at": "2026-11-20T20:38:59.263209",
        "updated_at": "2026-11-20T20:38:59.263209", "partition_key": "2026/11",
    });
    let full = full.to_string();
    let folder = |path| Raw(path, EntryType::Directory, b"");
    let archive = tar(&[
        folder("c"),
        folder("c/uploads"),
        file("c/uploads/a.csv", b"a"),
        file("c/uploads/b.csv", b"b"),
        folder("c/outputs/"),
        file("c/metadata.json", br#"{"chat_id":"c","partition_key":"2026/11"}"#),
        file("c/conversation_metadata.json", b"{}"),
        file("c/conversation_metadata.json", full.as_bytes()),
    ]);
    let Restored { whole, .. } = restored(&archive);
    let names: Vec<_> = whole.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["b.csv", "a.csv"]);
    assert_eq!((whole.chat.created_at, whole.chat.status), (1_795_207_139_263, ChatStatus::Failed));
    let (run, steps) = &whole.runs[0];
    assert_eq!((run.status, run.total, run.next), (RunStatus::Completed, 1, 1));
    assert_eq!(steps[0].input, Some(2));
    // The least that there is of one.
    let Restored { whole, .. } = restored(&tar(&[file("./metadata.json", METADATA_ONLY)]));
    assert_eq!((&*whole.chat.id, whole.chat.status), ("c", ChatStatus::Active));
}

/// Packs with an extension header before each entry, as some programs do.
fn with_pax<'a>(entries: &[Raw<'a>]) -> Vec<Raw<'a>> {
    let pax = b"40 LIBARCHIVE.creationtime=1795207139.2\n30 mtime=1795207139.263209000\n";
    let with = entries.iter().flat_map(|Raw(path, kind, bytes)| {
        [Raw("PaxHeader/x", EntryType::XHeader, &pax[..]), Raw(path, *kind, bytes)]
    });
    with.collect()
}

#[test]
fn what_a_system_leaves_beside_files_is_passed_over() {
    let description = |name: &str| {
        json!({"chat_id": "c", "files": [{"path": format!("workflows/c/uploads/{name}")}]})
            .to_string()
    };
    // Composed in the description, and as a Mac writes it in the archive.
    let (listed, name) = (description("k\u{e1}va.csv"), "uploads/ka\u{301}va.csv");
    let double = b"\0\x05\x16\x07 resources";
    let folder = |path| Raw(path, EntryType::Directory, b"");
    let ours = || [file("metadata.json", listed.as_bytes()), file(name, b"a\n1\n")];
    let hidden = "uploads/._ka\u{301}va.csv";
    let beside = [
        vec![file("._metadata.json", double), file(hidden, double)],
        vec![file(".DS_Store", b"Bud1"), file("uploads/.DS_Store", b"Bud1")],
        vec![folder("__MACOSX/"), file("__MACOSX/uploads/._a", double)],
        vec![file("__MACOSX", b""), file("./._.", double), folder("uploads/.AppleDouble")],
        vec![folder(".Trashes"), file(".Spotlight-V100/x/y", b""), file(".localized", b"")],
        vec![file("uploads/Icon\r", b""), file("Icon\r", b"")],
        vec![file("Thumbs.db", b"x"), file("uploads/Thumbs.db", b"x"), file("desktop.ini", b"")],
        vec![file("uploads/desktop.ini", b""), file("@eaDir/uploads@SynoEAStream", b"")],
    ];
    for companions in beside {
        let paths: Vec<_> = companions.iter().map(|entry| entry.0).collect();
        let [first, second] = ours();
        let mut all = vec![first, second];
        all.splice(1..1, companions);
        for archive in [tar(&all), tar(&with_pax(&all))] {
            let (_folder, unpacked) = opened(&archive);
            let unpacked = unpacked.unwrap_or_else(|err| panic!("{paths:?}: {err}"));
            let Restored { whole, bytes } = understand(unpacked, None).unwrap();
            let names: Vec<_> = whole.files.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, ["k\u{e1}va.csv"], "{paths:?}");
            assert_eq!(fs::read(&bytes[0]).unwrap(), b"a\n1\n", "{paths:?}");
        }
    }
    // All of it in a folder, which has a companion of its own.
    let inside = [
        file("._chat", double),
        folder("chat"),
        file("chat/._uploads", double),
        file("chat/metadata.json", METADATA_ONLY),
        file("chat/uploads/a.csv", b"a"),
    ];
    assert_eq!(restored(&tar(&inside)).whole.files.len(), 1);
    // A file of the chat is one, whatever it is called.
    let listed = description("Thumbs.db");
    let own = [file("metadata.json", listed.as_bytes()), file("uploads/Thumbs.db", b"x")];
    assert_eq!(restored(&tar(&own)).whole.files[0].name, "Thumbs.db");
    // Nothing leaves the archive so.
    let away = [file("metadata.json", METADATA_ONLY), file("../._evil", b"x")];
    assert!(refused(&tar(&away)).contains("leaves the archive"));
    let many: Vec<_> = (0..=MAX_ENTRIES).map(|_| file("._a", b"")).collect();
    assert!(refused(&tar(&many)).contains("at most 10000 entries"));
}

#[test]
fn a_step_has_its_file_however_the_archive_writes_its_name() {
    let described = json!({
        "chat_id": "c",
        "runs": [{"run_id": "r", "steps": [{"operation": "csv/search",
            "input_file": "workflows/c/uploads/k\u{e1}va.csv"}]}],
    });
    let described = described.to_string();
    let entries =
        [file("metadata.json", described.as_bytes()), file("uploads/ka\u{301}va.csv", b"a")];
    let Restored { whole, .. } = restored(&tar(&entries));
    assert_eq!(whole.runs[0].1[0].input, Some(whole.files[0].id));
}
