//! Operations on a file that comes with the request: every endpoint.
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use e2e::{
    Gateway,
    direct::{Part, ask, bytes, download, send, text, timeless},
    http,
    token::{JWT, token},
};
use serde_json::{Value, json};

const PEOPLE: Part<'_> = ("file", Some("a b.csv"), "id,name\n1,Ann\n2,\n1,Ann\n");

const EXTRACTED: &str = "Extracted Excel file generated successfully";

/// The names of the sheets, and the rows of the first one.
async fn book(gateway: &Gateway, data: &Value) -> (String, Vec<String>) {
    let (path, name) = download(gateway, data);
    assert_eq!(name.rsplit_once('.').map(|(_, it)| it), Some("xlsx"));
    let mut book = Xlsx::new(Cursor::new(bytes(gateway, &path).await)).expect("a workbook");
    let range = book.worksheet_range_at(0).expect("a sheet").expect("cells");
    let show = |cell: &Data| cell.to_string();
    let rows = range.rows().map(|row| row.iter().map(show).collect::<Vec<_>>().join("|"));
    (book.sheet_names().join("|"), rows.collect())
}

#[tokio::test]
async fn a_table_is_looked_at() {
    let gateway = Gateway::start(&[]).await;
    let gateway = &gateway;
    for path in ["/api/v1/health", "/api/v1/health/"] {
        let health = gateway.get(path).await.json();
        assert_eq!(health["message"], "Service is healthy");
        assert_eq!(health["data"]["status"], "healthy");
    }
    assert_eq!(gateway.get("/api/v1/health/ready").await.json()["data"], json!({"ready": true}));

    let (message, info) = ask(gateway, "/excel/info", &[PEOPLE]).await;
    assert_eq!(message, "File information retrieved successfully");
    let expected = json!({
        "file_path": "uploads/a_b.csv", "file_name": "a_b.csv", "sheets": [], "rows": 3,
        "columns": 2, "column_names": ["id", "name"], "data_types": {"id": "str", "name": "str"},
    });
    assert_eq!(info, expected);
    let (message, info) = ask(gateway, "/csv/info", &[PEOPLE]).await;
    assert_eq!(message, "CSV file information retrieved successfully");
    assert_eq!((&info["rows"], info.get("sheets")), (&json!(3), None));
    for path in ["/excel/search/suggest-operators", "/csv/search/suggest-operators"] {
        let (message, data) = ask(gateway, path, &[PEOPLE]).await;
        assert_eq!(message, "Operator suggestions generated successfully");
        let operators = [
            "equals",
            "not_equals",
            "contains",
            "not_contains",
            "starts_with",
            "ends_with",
            "is_empty",
            "is_not_empty",
        ];
        assert_eq!(data["name"], json!({"type": "str", "operators": operators}));
    }

    let columns = text("columns", r#"["name","zz"]"#);
    let once = text("remove_duplicates", "TRUE");
    let (message, data) = ask(gateway, "/excel/extract-columns", &[PEOPLE, columns, once]).await;
    assert_eq!(message, "Successfully extracted 1 columns");
    assert_eq!(data["columns"]["name"]["values"], json!(["Ann", ""]));
    assert_eq!(data["extraction_info"]["missing_columns"], json!(["zz"]));

    let types = gateway.get("/api/v1/normalization/types").await.json();
    assert!(types["data"]["uppercase"].is_string());
    assert_eq!(types["total"].as_u64().unwrap(), types["data"].as_object().unwrap().len() as u64);
    let databases = gateway.get("/api/v1/sql/databases").await.json()["data"].clone();
    assert_eq!(databases, json!({"databases": ["postgresql", "mysql", "sqlite"]}));
}

#[tokio::test]
async fn workbooks_are_made() {
    let gateway = Gateway::start(&[]).await;
    let gateway = &gateway;
    let path = "/excel/extract-columns-to-file";
    let parts = [PEOPLE, text("columns", r#"["name","id"]"#), text("remove_duplicates", "true")];
    let (message, data) = ask(gateway, path, &parts).await;
    assert_eq!(message, EXTRACTED);
    assert_eq!(book(gateway, &data).await.1, ["name|id", "Ann|1", "|2"]);
    assert_eq!(timeless(&download(gateway, &data).1), "extracted_columns__.xlsx");

    let mapping = text("mapping", r#"{"B":"name","A":{"default":7}}"#);
    let (message, data) = ask(gateway, "/excel/map-columns", &[PEOPLE, mapping]).await;
    assert_eq!(message, EXTRACTED);
    assert_eq!(book(gateway, &data).await.1, ["B|A", "Ann|7", "|7", "Ann|7"]);
    assert_eq!(timeless(&download(gateway, &data).1), "a_b_mapped__.xlsx");

    let source = ("source_file", Some("s.csv"), "id,x\n1,a\n9,b\n");
    let bind = ("bind_file", Some("s.csv"), "id,x2,mail\n1,a,m@x\n");
    let columns = text("bind_columns", r#"["mail"]"#);
    let key = text("comparison_column", "id");
    let parts = [source, bind, key, columns, text("output_filename", "../my report")];
    let (message, data) = ask(gateway, "/excel/bind-single-key", &parts).await;
    assert_eq!(message, "Excel binding completed successfully");
    assert_eq!(data["statistics"]["matched_rows"], 1);
    assert_eq!(download(gateway, &data).1, "my_report.xlsx");
    assert_eq!(book(gateway, &data).await.1, ["id|x|mail", "1|a|m@x", "9|b|"]);
    let parts = [source, bind, text("comparison_columns", r#"["id"]"#), columns, parts[4]];
    let (_, data) = ask(gateway, "/excel/bind-multi-key", &parts).await;
    // Nothing is written over.
    assert_ne!(download(gateway, &data).1, "my_report.xlsx");
    assert_eq!(book(gateway, &data).await.1, ["id|x|mail", "1|a|m@x", "9|b|"]);

    let sheet = text("sheet_name", "People");
    let (message, data) = ask(gateway, "/csv/convert-to-excel", &[PEOPLE, sheet]).await;
    assert_eq!(message, "Converted to Excel file successfully");
    let (sheets, rows) = book(gateway, &data).await;
    assert_eq!(
        (&*sheets, rows),
        (
            "People|Info",
            vec!["id|name".to_owned(), "1|Ann".to_owned(), "2|".to_owned(), "1|Ann".to_owned()]
        )
    );

    let items = text(
        "normalizations",
        r#"[{"column_name":"name","normalization_type":"uppercase","backup_original":false}]"#,
    );
    let (message, data) = ask(gateway, "/normalization/apply", &[PEOPLE, items]).await;
    assert_eq!((&*message, data.get("report")), (EXTRACTED, None));
    assert_eq!(book(gateway, &data).await.1, ["id|name", "1|ANN", "2|", "1|ANN"]);
    let parts = [PEOPLE, items, text("return_report", "true")];
    let (message, data) = ask(gateway, "/normalization/apply", &parts).await;
    assert_eq!(message, "Normalization completed successfully");
    assert_eq!(
        (&data["report"]["success"], &data["report"]["total_rows"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(data["output_file"], download(gateway, &data).1);

    let source = ("source_file", Some("s.csv"), "x\nnew\n");
    let target = ("target_file", Some("t.csv"), "a,b\n1,2\n3,4\n");
    let mapping = text("column_mapping", r#"{"b":"x"}"#);
    let (_, data) = ask(gateway, "/files/bind", &[source, target, mapping]).await;
    assert_eq!(timeless(&download(gateway, &data).1), "t_bound__.xlsx");
    assert_eq!(book(gateway, &data).await.1, ["a|b", "1|new", "3|"]);
    let mapping = text("column_mapping", r#"{"b":"x","Q":"Z"}"#);
    let (message, data) = ask(gateway, "/files/bind/preview", &[source, target, mapping]).await;
    assert_eq!(message, "Binding preview generated");
    let expected = json!({
        "source_columns": ["x"], "target_columns": ["a", "b"], "source_rows": 1, "target_rows": 2,
        "mapping_valid": false,
        "issues": ["Source column 'Z' not found", "Target column 'Q' not found"],
    });
    assert_eq!(data, expected);
}

#[tokio::test]
async fn rows_are_searched_for_and_become_text() {
    let gateway = Gateway::start(&[]).await;
    let gateway = &gateway;
    let conditions = r#"[{"column":"name","operator":"equals","value":"Ann"}]"#;
    let conditions = text("conditions", conditions);
    let (message, data) = ask(gateway, "/excel/search", &[PEOPLE, conditions]).await;
    assert_eq!(message, "Search completed successfully. 2 rows matched.");
    let counted = (&data["total_rows"], &data["filtered_rows"], &data["conditions_applied"]);
    assert_eq!(counted, (&json!(3), &json!(2), &json!(1)));
    assert_eq!(
        book(gateway, &data).await,
        ("Sheet1".to_owned(), vec!["id|name".to_owned(), "1|Ann".to_owned(), "1|Ann".to_owned()])
    );
    let (_, data) = ask(gateway, "/csv/search", &[PEOPLE, conditions]).await;
    let file = gateway.get(&download(gateway, &data).0).await;
    assert_eq!(file.body, "id,name\n1,Ann\n1,Ann\n");
    assert_eq!(timeless(&download(gateway, &data).1), "search_results__.csv");
    let json = text("output_format", "JSON");
    let (_, data) = ask(gateway, "/csv/search", &[PEOPLE, conditions, json]).await;
    assert_eq!(
        gateway.get(&download(gateway, &data).0).await.json()[1],
        json!({"id": "1", "name": "Ann"})
    );

    let mapping = text("column_mapping", r#"{"who":"name"}"#);
    let table = text("table_name", "t");
    let (message, data) = ask(gateway, "/sql/generate", &[PEOPLE, table, mapping]).await;
    assert_eq!(message, "SQL generated successfully");
    let statements = data["statements"].as_array().unwrap();
    assert_eq!(statements[7], "INSERT INTO t (who) VALUES ('Ann');");
    assert_eq!(
        (&data["total_rows"], &data["total_statements"]),
        (&json!(3), &json!(statements.len()))
    );
    assert_eq!((&data["success"], &data["database_type"]), (&json!(true), &json!("postgresql")));
    let parts =
        [PEOPLE, table, mapping, text("return_file", "true"), text("database_type", "MySQL")];
    let (message, data) = ask(gateway, "/sql/generate", &parts).await;
    assert_eq!(message, "Generate Standard SQL file successfully");
    let (path, name) = download(gateway, &data);
    assert_eq!(timeless(&name), "a_b_sql__.sql");
    let file = gateway.get(&path).await;
    assert!(file.body.contains("\nSTART TRANSACTION;\nINSERT INTO t (who) VALUES ('Ann');\n"));
    assert_eq!(file.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(file.header("content-disposition").unwrap().starts_with("attachment; "));
    let once = text("remove_duplicates", "true");
    let (_, data) = ask(gateway, "/sql/generate-to-text", &[PEOPLE, table, mapping, once]).await;
    let (path, name) = download(gateway, &data);
    assert_eq!(timeless(&name), "sql_statements__.txt");
    assert_eq!(gateway.get(&path).await.body.matches("INSERT INTO").count(), 2);
    let template = text("template", "\"UPDATE t SET n = {who|nobody} WHERE id = {id:int};\"");
    let mapping = text("column_mapping", r#"{"who":"name","id":"id"}"#);
    let path = "/sql/generate-custom-to-text";
    let (_, data) = ask(gateway, path, &[PEOPLE, template, mapping]).await;
    let file = gateway.get(&download(gateway, &data).0).await;
    assert!(
        file.body.contains(
            "\n\nUPDATE t SET n = 'Ann' WHERE id = 1;\nUPDATE t SET n = 'nobody' WHERE id = 2;\n"
        ),
        "{}",
        file.body
    );

    let mapping = text("column_mapping", r#"{"name":"who"}"#);
    let parts = [PEOPLE, mapping, text("pretty_print", "false")];
    let (message, data) = ask(gateway, "/json/generate", &parts).await;
    assert_eq!(message, "JSON file generated successfully");
    let (path, name) = download(gateway, &data);
    assert_eq!(timeless(&name), "a_b_generated__.json");
    let file = gateway.get(&path).await;
    assert_eq!(file.json(), json!([{"who": "Ann"}, {"who": ""}, {"who": "Ann"}]));
    assert_eq!((&data["total_records"], &data["file_size"]), (&json!(3), &json!(file.body.len())));
    let mapping = text("column_mapping", r#"{"n":"name","i":"id"}"#);
    let template = text("template", r#"{"id":"{i:int}","name":"{n|none}"}"#);
    let parts = [PEOPLE, template, mapping, text("aggregation_mode", "nested")];
    let (message, data) = ask(gateway, "/json/generate-with-template", &parts).await;
    assert_eq!(message, "JSON file generated successfully with template");
    let made = gateway.get(&download(gateway, &data).0).await.json();
    assert_eq!((&made["count"], &made["items"][1]), (&json!(3), &json!({"id": 2, "name": "none"})));
}

#[tokio::test]
async fn what_somebody_made_is_theirs() {
    let gateway = Gateway::start(&JWT).await;
    let [ann, bob] = ["ann", "bob"].map(|who| token(json!({"sub": who})));
    let nobody = token(json!({"sub": null}));
    let parts = [PEOPLE, text("columns", r#"["id"]"#)];
    let path = "/excel/extract-columns-to-file";
    assert_eq!(send(&gateway, path, "", &parts).await.status, 401);
    assert_eq!(send(&gateway, path, &nobody, &parts).await.status, 403);
    let made = send(&gateway, path, &ann, &parts).await;
    let (path, _) = download(&gateway, &made.json()["data"]);
    let fetch = async |token: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str())];
        http::get(gateway.address(), &path, &headers).await.expect("the gateway answers").status
    };
    assert_eq!((fetch(&ann).await, fetch(&bob).await, fetch(&nobody).await), (200, 404, 404));
    assert_eq!(gateway.get(&path).await.status, 401);
    assert_eq!(gateway.get("/api/v1/health").await.status, 200);
}
