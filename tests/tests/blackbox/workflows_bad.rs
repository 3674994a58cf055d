//! Files and requests of workflows that are not what they should be: what is wrong is named, and the
//! chat goes on.
use std::{fs, path::Path};

use e2e::{
    Gateway,
    chat::{Chat, people},
    http,
    workbook::{Packed, workbook},
};
use serde_json::{Value, json};

/// Resident memory that no file makes the gateway take, in KiB.
const MEMORY: u64 = 400 << 10;

fn step(operation: &str, arguments: &Value) -> Value {
    json!([{"operation": operation, "arguments": arguments}])
}

/// Why a run failed.
async fn failed(chat: &Chat, operation: &str, arguments: Value) -> String {
    let answer = chat.execute(&step(operation, &arguments)).await;
    let told = (answer.status, answer.json()["status_code"].clone());
    assert_eq!(told, (500, json!(422)), "{operation} {arguments}: {}", answer.body);
    let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    let why = message.strip_prefix("Workflow execution failed: Workflow failed at step 1/1: ");
    why.unwrap_or_else(|| panic!("{message}")).to_owned()
}

/// The columns of a table that is read as it should be.
async fn columns<const N: usize>(chat: &Chat, names: [&str; N]) -> [Value; N] {
    let arguments = json!({"columns": names.to_vec(), "include_statistics": false});
    let done = chat.execute(&step("excel/extract-columns", &arguments)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let data = &done.json()["data"]["results"][0]["data"];
    names.map(|name| data["columns"][name]["values"].clone())
}

/// A good file is worked on as if nothing had been.
async fn goes_on(chat: &Chat) {
    assert_eq!(chat.upload("good.csv", people(2)).await.status, 200);
    let data = columns(chat, ["id", "city"]).await;
    assert_eq!(data, [json!(["0000000", "0000001"]), json!(["Köln", "Oslo"])]);
}

fn sheet(xml: &str) -> Vec<u8> {
    workbook(Packed::new(xml), Packed::new("<sst/>"))
}

/// 3 GiB of blanks before the first row.
fn blanks() -> Packed {
    Packed::repeated("<worksheet><sheetData>", &" ".repeat(1 << 20), 3 << 10)
}

#[tokio::test]
async fn what_is_no_table_is_named_and_the_chat_goes_on() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    let encrypted = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes);
    let encrypted = [&ole[..], &[0; 1000], &encrypted.collect::<Vec<_>>()].concat();
    let wide = vec!["a"; 16_384].join(",").into_bytes();
    let mixed = b"name;city\nJ\xc3\xbcrgen;1\nJ\xfcrgen;2\n".to_vec();
    let texts = format!("<si><t>{}</t></si>", "x".repeat(32 << 10)).repeat(32);
    let texts = Packed::repeated("<sst>", &texts, 300).told(1000);
    let cases: [(&str, Vec<u8>, &str); 14] = [
        (
            "a.xlsx",
            b"%PDF-1.7 and so on".to_vec(),
            "not a spreadsheet: the file is a PDF; save it as",
        ),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0".to_vec(), "not a spreadsheet: the file is an image;"),
        ("a.csv", b"a,b\n1,\0\n".to_vec(), "not a spreadsheet: the file holds zero bytes"),
        ("a.csv", Vec::new(), "No columns to parse from file"),
        ("a.xlsx", b"PK\x03\x04 and no more".to_vec(), "File is not a zip file (open the file in"),
        ("a.xls", ole.to_vec(), "the workbook has the old .xls format; save it as .xlsx"),
        ("a.xlsx", encrypted, "the workbook is encrypted; remove its password and upload it again"),
        (
            "a.csv",
            mixed,
            "mixed encodings: line 2 is UTF-8 and line 3 is not; save the file as UTF-8",
        ),
        ("a.csv", b"a,b\n1,2\n3;4\n".to_vec(), "mixed delimiters: the header is separated by ','"),
        ("a.csv", wide, "the table has 16384 columns or more, 4096 is the most; remove those"),
        (
            "a.xlsx",
            sheet(
                "<worksheet><sheetData><row><c><v>1</v></c></row><row r=\"1048576\">\
                 <c r=\"ALL1048576\"><v>1</v></c></row></sheetData></worksheet>",
            ),
            "the sheet spans 1048576 rows and 1000 columns, 200000000 cells is the most; delete",
        ),
        (
            "bomb.xlsx",
            workbook(blanks(), Packed::new("<sst/>")),
            "the workbook unzips to more than 2147483648 bytes; split it",
        ),
        // It says that it is small.
        (
            "bomb.xlsx",
            workbook(blanks().told(1000), Packed::new("<sst/>")),
            "an element is longer than 1048576 bytes",
        ),
        (
            "bomb.xlsx",
            workbook(Packed::new("<worksheet><sheetData/></worksheet>"), texts),
            "the texts of the workbook take more than 268435456 bytes; save the sheet as .csv",
        ),
    ];
    for (name, content, expected) in cases {
        assert_eq!(chat.upload(name, content).await.status, 200, "{expected}");
        let why = failed(&chat, "excel/convert-to-csv", json!({})).await;
        assert!(why.contains(expected), "{why}");
        assert!(why.starts_with("Excel operation failed: "), "{why}");
        goes_on(&chat).await;
    }
    assert!(gateway.peak_kib() < MEMORY, "{} KiB", gateway.peak_kib());
}

#[tokio::test]
async fn tables_in_other_encodings_and_with_other_delimiters_are_read() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let table = "id;city\r\n007;Köln\r\n";
    let wide = |text: &str| {
        let units = ["\u{feff}", text].concat().encode_utf16().collect::<Vec<_>>();
        units.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<_>>()
    };
    let latin: Vec<_> = table.chars().map(|it| u8::try_from(u32::from(it)).unwrap()).collect();
    let tabs = table.replace(';', "\t");
    let marked = ["\u{feff}", table].concat();
    let files = [wide(table), wide(&tabs), latin, tabs.into_bytes(), marked.into_bytes()];
    for file in files {
        assert_eq!(chat.upload("a.csv", &file).await.status, 200);
        let data = columns(&chat, ["id", "city"]).await;
        assert_eq!(data, [json!(["007"]), json!(["Köln"])], "{file:02x?}");
    }
    // Columns of one name are told apart.
    chat.upload("a.csv", "a,b,a\n1,2,3\n").await;
    assert_eq!(columns(&chat, ["a", "a.1"]).await, [json!(["1"]), json!(["3"])]);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let gateway = Gateway::start(&[("workflows.max_steps", "3")]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(10)).await;
    let json = [("Content-Type", "application/json")];
    let body = async |body: &str| {
        let path = chat.path("/execute");
        let sent = http::send(gateway.address(), "POST", &path, &json, body.as_bytes()).await;
        let answer = sent.unwrap();
        assert_eq!(answer.json()["status_code"], answer.status);
        (answer.status, answer.json()["message"].as_str().unwrap().to_owned())
    };
    let shape = "expected {\"steps\":[{\"operation\":TEXT,\"arguments\":OBJECT}]}";
    for not in ["", "{", "steps", "[]", "{\"steps\":7}", "{\"steps\":[7]}", "{\"steps\":[{}]}"] {
        let (status, message) = body(not).await;
        assert!(status == 422 && message.contains(shape), "{not}: {status} {message}");
    }
    for none in ["{}", "{\"steps\":null}"] {
        assert_eq!(body(none).await, (422, "No steps provided".to_owned()));
    }
    let many = json!({"steps": vec![json!({"operation": "csv/search"}); 4]}).to_string();
    assert_eq!(body(&many).await, (422, "a run has at most 3 steps".to_owned()));
    let (status, message) = body(&format!("{{\"steps\":[\"{}\"]}}", "x".repeat(1 << 20))).await;
    assert!(status == 413 && message.contains("1000000"), "{status} {message}");

    let condition = |column: Value, operator: Value| json!({"conditions": [{"column": column, "operator": operator, "value": "x"}]});
    let cases = [
        ("csv/search", json!([1]), "the arguments are not a JSON object"),
        ("csv/search", json!({"conditions": "x"}), "argument `conditions`: invalid type: string"),
        ("csv/search", condition(json!(7), json!("equals")), "argument `conditions[0].column`: "),
        ("csv/search", condition(json!("id"), json!("like")), "like"),
        ("csv/search", condition(json!("age"), json!("equals")), "id, name, city"),
        ("excel/extract-columns", json!({"columns": {"a": 1}}), "argument `columns`: "),
        ("excel/extract-columns-to-file", json!({"columns": ["id", "age"]}), "data: age (the"),
        ("excel/map-columns", json!({"mapping": ["id"]}), "argument `mapping`: "),
        ("csv/convert-to-excel", json!({"sheet_name": 7}), "argument `sheet_name`: "),
        ("normalization/apply", json!({"normalizations": {}}), "argument `normalizations`: "),
        ("sql/generate", json!({"batch_size": "many"}), "argument `batch_size`: "),
        ("json/generate", json!({"pretty_print": "yes"}), "argument `pretty_print`: "),
        ("excel/bind-single-key", json!({"comparison_column": "id"}), "argument `bind_file` "),
    ];
    // Before anything runs.
    let steps = json!({"steps": [
        {"operation": "excel/convert-to-csv"}, {"operation": "csv/burn", "arguments": {}},
    ]});
    let (status, message) = body(&steps.to_string()).await;
    let told = "No handler found for operation: csv/burn; there are csv/convert-to-excel, ";
    assert!(status == 422 && message.starts_with(told), "{status} {message}");
    for (operation, arguments, expected) in cases {
        let why = failed(&chat, operation, arguments).await;
        assert!(why.contains(expected), "{operation}: {why}");
    }
    // A mapping leaves empty what is not there, and says so.
    let done = chat.execute(&step("excel/map-columns", &json!({"mapping": {"new": "age"}}))).await;
    let warnings = done.json()["data"]["results"][0]["warnings"].to_string();
    assert!(done.status == 200 && warnings.contains("age"), "{}", done.body);
    goes_on(&chat).await;
}

/// Everything below a folder.
fn everything(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let entries = fs::read_dir(folder).expect("a folder");
    for path in entries.map(|it| it.expect("an entry of it").path()) {
        if path.is_dir() {
            all.extend(everything(&path));
        }
        all.push(path.display().to_string());
    }
    all.sort();
    all
}

#[tokio::test]
async fn no_argument_leads_out_of_the_chat() {
    let gateway = Gateway::start(&[]).await;
    let (chat, other) = (Chat::create(&gateway).await, Chat::create(&gateway).await);
    let theirs = other.upload("theirs.csv", people(3)).await.json()["data"].clone();
    let theirs = theirs["file_path"].as_str().unwrap();
    let own = chat.upload("own.csv", people(3)).await.json()["data"]["file_path"].clone();
    let own = own.as_str().unwrap();
    let secret = gateway.home().join("secret.csv");
    fs::write(&secret, people(3)).unwrap();
    let secret = secret.display().to_string();
    let climbing = format!("{}/../../../../../../secret.csv", own.rsplit_once('/').unwrap().0);
    let names = [
        "nobody.csv",
        "",
        ".",
        "..",
        "/etc/passwd",
        "../../secret.csv",
        "..\\..\\secret.csv",
        "%2e%2e/secret.csv",
        "own.csv\0",
        "own.csv/../own.csv",
        &format!("file://{secret}"),
        &secret,
        &climbing,
        "theirs.csv",
        theirs,
    ];
    let before = everything(gateway.home());
    for name in names {
        let one = json!({"bind_file": name, "comparison_column": "id", "bind_columns": ["name"]});
        let many =
            json!({"bind_file": name, "comparison_columns": ["id"], "bind_columns": ["name"]});
        for (kind, arguments) in [("single", one), ("multi", many)] {
            let why = failed(&chat, &format!("excel/bind-{kind}-key"), arguments).await;
            assert!(why.contains("argument `bind_file`: "), "{name:?}: {why}");
        }
    }
    assert_eq!(everything(gateway.home()), before);
    // What else could be taken for the path of a file.
    let condition = json!({"column": "id", "operator": "is_not_empty"});
    let search = json!({"conditions": [condition], "output_format": "../../secret"});
    for (operation, arguments) in [
        ("csv/convert-to-excel", json!({"sheet_name": "../../secret"})),
        ("sql/generate", json!({"table_name": "../../secret"})),
        ("sql/generate", json!({"template": "/etc/passwd", "columns": ["id"]})),
        ("json/generate-with-template", json!({"template": "/etc/passwd"})),
        ("csv/search", search),
    ] {
        let done = chat.execute(&step(operation, &arguments)).await;
        assert!(!done.body.contains("root:"), "{}", done.body);
    }
    let names = everything(gateway.home()).into_iter();
    let outside = names.filter(|it| it.contains("secret") || !it.contains("/data"));
    assert_eq!(outside.collect::<Vec<_>>(), [secret]);
    for name in ["..%2f..%2fsecret.csv", "%2fetc%2fpasswd", "theirs.csv", "..", "."] {
        assert_eq!(chat.get(&format!("/files/{name}")).await.status, 404, "{name}");
    }
    // A name with a path is a name.
    for name in ["../../up.csv", "/etc/up.csv", "..\\..\\up.csv", "..", ""] {
        let answer = chat.upload(name, people(1)).await;
        let path = answer.json()["data"]["file_path"].as_str().unwrap_or_default().to_owned();
        let inside = path.starts_with(own.rsplit_once('/').unwrap().0) && !path.contains("..");
        assert!(answer.status == 422 || inside, "{name:?}: {}", answer.body);
    }
    goes_on(&chat).await;
}
