//! Describes the multipart forms that endpoints take.
use serde_json::{Map, Value, json};
use utoipa::openapi::{ContentBuilder, RefOr, path::Operation, request_body::RequestBody};

/// Type of a part.
#[derive(Clone, Copy)]
enum Kind {
    File,
    Text,
    /// Text; only `true` is true.
    Flag,
    /// JSON, as text.
    Json,
}

use Kind::{File, Flag, Json, Text};

const TABLE: &str = "city,name\nOslo,Ann\n";

/// All parts, each with an example. The examples fit together.
const PARTS: [(&str, Kind, &str, &str); 32] = [
    ("file", File, "a file; tables are CSV or XLSX", TABLE),
    ("dump_file", File, "an archive that was downloaded", ""),
    ("source_file", File, "CSV or XLSX", TABLE),
    ("target_file", File, "CSV or XLSX", TABLE),
    ("bind_file", File, "CSV or XLSX", "city,age\nOslo,7\n"),
    ("result", Json, "an object: the result of the step besides its file", "{}"),
    ("output_filename", Text, "name of the new file", "made"),
    ("columns", Json, "a list of columns", r#"["city"]"#),
    ("remove_duplicates", Flag, "remove repeated rows", "true"),
    ("include_statistics", Flag, "add statistics of the columns", "true"),
    ("mapping", Json, "an object: old names of columns by new ones", r#"{"town":"city"}"#),
    ("comparison_column", Text, "the column whose cells are the key", "city"),
    ("comparison_columns", Json, "a list of columns whose cells are the key", r#"["city"]"#),
    ("bind_columns", Json, "a list of columns to add", r#"["age"]"#),
    (
        "conditions",
        Json,
        "a list of objects with `column`, `operator` and `value`",
        r#"[{"column":"city","operator":"equals","value":"Oslo"}]"#,
    ),
    ("logic", Text, "`AND` or `OR`", "OR"),
    ("output_format", Text, "`xlsx`, `csv` or `json`", "json"),
    ("sheet_name", Text, "the sheet of a workbook", "people"),
    (
        "normalizations",
        Json,
        "a list of objects with `column` and `type`",
        r#"[{"column":"name","type":"trim_whitespace"}]"#,
    ),
    ("return_report", Flag, "add a report", "true"),
    ("column_mapping", Json, "an object: maps names to columns", r#"{"city":"name"}"#),
    ("table_name", Text, "the table of the statements", "people"),
    ("database_type", Text, "one of `/api/v1/sql/databases`", "sqlite"),
    ("template", Text, "template for a row, with placeholders", r#"{"at":"{city}"}"#),
    ("batch_size", Text, "rows of one statement, a whole number above 0", "10"),
    ("include_transaction", Flag, "wrap all statements in a transaction", "true"),
    ("auto_increment", Json, "an object: a key that is added to each row", r#"{"enabled":true}"#),
    ("return_file", Flag, "make a file of the statements", "true"),
    ("pretty_print", Flag, "add line breaks and indentation", "true"),
    ("null_handling", Text, "`include`, `exclude` or `default`", "exclude"),
    ("array_wrapper", Flag, "one array instead of a line per row", "true"),
    ("aggregation_mode", Text, "`array`, `single` or `nested`", "single"),
];

/// Required and optional parts of the form of each path.
const FORMS: [(&str, &str, &str); 24] = [
    ("/api/v1/chat/workflows/{chat}/upload", "file", ""),
    ("/api/v1/chat/bot/conversations/{chat}/upload", "file", ""),
    ("/api/v1/chat/workflows/restore", "dump_file", ""),
    ("/api/v1/chat/work/{step}/result", "", "file result"),
    ("/api/v1/excel/info", "file", ""),
    ("/api/v1/csv/info", "file", ""),
    ("/api/v1/excel/search/suggest-operators", "file", ""),
    ("/api/v1/csv/search/suggest-operators", "file", ""),
    ("/api/v1/excel/extract-columns", "file columns", "remove_duplicates include_statistics"),
    ("/api/v1/excel/extract-columns-to-file", "file columns", "remove_duplicates output_filename"),
    ("/api/v1/excel/map-columns", "file mapping", "output_filename"),
    (
        "/api/v1/excel/bind-single-key",
        "source_file bind_file comparison_column bind_columns",
        "output_filename",
    ),
    (
        "/api/v1/excel/bind-multi-key",
        "source_file bind_file comparison_columns bind_columns",
        "output_filename",
    ),
    ("/api/v1/excel/search", "file conditions", "logic output_format output_filename"),
    ("/api/v1/csv/search", "file conditions", "logic output_format output_filename"),
    ("/api/v1/csv/convert-to-excel", "file", "sheet_name output_filename"),
    ("/api/v1/normalization/apply", "file normalizations", "return_report output_filename"),
    ("/api/v1/files/bind", "source_file target_file column_mapping", "output_filename"),
    ("/api/v1/files/bind/preview", "source_file target_file", "column_mapping"),
    (
        "/api/v1/sql/generate",
        "file table_name column_mapping",
        "database_type template batch_size include_transaction auto_increment return_file output_filename",
    ),
    (
        "/api/v1/sql/generate-to-text",
        "file table_name column_mapping",
        "columns database_type remove_duplicates auto_increment output_filename",
    ),
    (
        "/api/v1/sql/generate-custom-to-text",
        "file template column_mapping",
        "columns sheet_name remove_duplicates auto_increment output_filename",
    ),
    (
        "/api/v1/json/generate",
        "file",
        "columns column_mapping pretty_print null_handling array_wrapper output_filename",
    ),
    (
        "/api/v1/json/generate-with-template",
        "file template column_mapping",
        "pretty_print aggregation_mode output_filename",
    ),
];

/// Adds the form of `path` to the description of its endpoint.
pub(super) fn describe(path: &str, operation: &mut Operation) {
    let Some((_, required, optional)) = FORMS.iter().find(|(its, ..)| *its == path) else { return };
    let required: Vec<_> = required.split_whitespace().collect();
    let wanted = |name: &str| {
        required.contains(&name) || optional.split_whitespace().any(|part| part == name)
    };
    let parts = PARTS.iter().filter(|(name, ..)| wanted(name));
    let properties: Map<_, _> = parts
        .map(|(name, kind, what, example)| {
            let mut part = kind.schema();
            part["description"] = (*what).into();
            part["example"] = (*example).into();
            ((*name).to_owned(), part)
        })
        .collect();
    let schema = json!({ "type": "object", "required": required, "properties": properties });
    let body = operation.request_body.get_or_insert_with(|| RequestBody::new().into());
    if let RefOr::T(body) = body {
        // The schema as it stands: the types of schemas are costly to parse into.
        let schema = [("schema", schema)].into_iter().collect();
        let content = ContentBuilder::new().extensions(Some(schema)).build();
        body.content.insert("multipart/form-data".to_owned(), content.into());
    }
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            File => json!({ "type": "string", "format": "binary" }),
            Text | Flag => json!({ "type": "string" }),
            Json => json!({ "type": "string", "contentMediaType": "application/json" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::endpoints, *};

    #[test]
    fn every_form_is_that_of_an_endpoint_and_every_part_is_in_one() {
        let described = endpoints().into_openapi();
        for (path, must, may) in FORMS {
            let endpoint = described.paths.paths.get(path).and_then(|item| item.post.as_ref());
            assert!(endpoint.is_some(), "{path}");
            for name in must.split_whitespace().chain(may.split_whitespace()) {
                assert!(PARTS.iter().any(|(its, ..)| *its == name), "{path}: {name}");
            }
        }
        for (name, ..) in PARTS {
            let used = |parts: &str| parts.split_whitespace().any(|part| part == name);
            assert!(FORMS.iter().any(|(_, must, may)| used(must) || used(may)), "{name}");
        }
    }
}
