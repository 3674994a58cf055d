//! Cells that try to leave their place in a statement.
use crate::{desk::Desk, sql::statements};

#[test]
fn no_cell_leaves_the_place_that_a_template_gives_it() {
    let one = |database: &str, template: &str, cell: &str, operation: &str| {
        let args = serde_json::json!({
            "database_type": database, "template": template, "include_transaction": false,
            "column_mapping": {"n": "n"},
        });
        let content = format!("n,end\n\"{}\",.\n", cell.replace('"', "\"\""));
        let text = Desk::new().text(&content, operation, &args.to_string());
        let (_, lines) = text.rsplit_once("\n\n").unwrap();
        lines.trim_end_matches('\n').to_owned()
    };
    let cases = [
        ("postgresql", "v = {n}", "a'; DROP --", "v = 'a''; DROP --'"),
        ("postgresql", "v = '{n}'", "a'; DROP --", "v = 'a''; DROP --'"),
        ("postgresql", "v = '{n}'", "a\\", "v = 'a\\'"),
        ("postgresql", "v = E'{n}'", "\\'; DROP --", "v = E'\\\\''; DROP --'"),
        ("postgresql", "v = E{n}", "\\'; DROP --", "v = E'\\\\''; DROP --'"),
        ("postgresql", "v = N{n}", "a'", "v = N'a'''"),
        ("postgresql", "SELECT \"{n}\"", "a\" FROM s", "SELECT \"a\"\" FROM s\""),
        ("postgresql", "1 -- {n}", "a\nDROP", "1 -- a DROP"),
        ("postgresql", "1 -- {n}\n2", "a\r\u{2028}b", "1 -- a  b\n2"),
        ("postgresql", "/* {n} */ 1", "*/ DROP /*", "/*  * / DROP / *  */ 1"),
        ("postgresql", "/*{n}/ 1 */", "*", "/* * / 1 */"),
        ("postgresql", "/*{n}/ 1 */", "", "/*  / 1 */"),
        ("postgresql", "$$ {n} $$", "costs $5 now", "$$ costs $5 now $$"),
        ("postgresql", "{n}{n}", "a", "'a' 'a'"),
        ("postgresql", "E'a'{n}", "\\'", "E'a' '\\'''"),
        ("postgresql", "E{n}'{n}'", "\\", "E'\\\\' '\\'"),
        // A text goes on in another line as it began.
        ("postgresql", "E'x'\n'{n}'", "\\'; DROP --", "E'x'\n'\\\\''; DROP --'"),
        ("postgresql", "E'x'\n{n}", "\\'; DROP --", "E'x'\n'\\\\''; DROP --'"),
        ("postgresql", "e'x' -- it's\r '{n}'", "\\'", "e'x' -- it's\r '\\\\'''"),
        ("postgresql", "E'x' -- {n}\n'{n}'", "\\'", "E'x' -- \\'\n'\\\\'''"),
        ("postgresql", "E{n}\n\t'{n}'", "\\", "E'\\\\'\n\t'\\\\'"),
        ("postgresql", "E'x'\n{n}\n{n}", "\\", "E'x'\n'\\\\'\n'\\\\'"),
        ("postgresql", "E'x'\n'y'\n'{n}'", "\\", "E'x'\n'y'\n'\\\\'"),
        ("postgresql", "'x'\n'{n}'", "\\", "'x'\n'\\'"),
        ("postgresql", "E'x',\n'{n}'", "\\", "E'x',\n'\\'"),
        ("postgresql", "E'x' /*\n*/ '{n}'", "\\", "E'x' /*\n*/ '\\'"),
        ("sqlite", "E'x'\n'{n}'", "\\", "E'x'\n'\\'"),
        // A comment ends where its database ends it.
        ("postgresql", "1 -- it's\r{n}", "a\nb", "1 -- it's\r'a\nb'"),
        ("mysql", "1 -- a\r{n}", "a\nDROP", "1 -- a\ra DROP"),
        ("mysql", "1 # a\r{n}", "a\nDROP", "1 # a\ra DROP"),
        ("mysql", "1 # it's\r\n{n}", "a", "1 # it's\r\n'a'"),
        ("mysql", "1 --- it's {n}", "a\nDROP", "1 --- it's a DROP"),
        ("sqlite", "1 -- a\r{n}", "a\nDROP", "1 -- a\ra DROP"),
        ("sqlite", "1 -- it's\r\n{n}", "a", "1 -- it's\r\n'a'"),
        // What a comment begins with may make it none.
        ("mysql", "/*{n}*/ 1", "! DROP TABLE t;", "/* ! DROP TABLE t;*/ 1"),
        ("mysql", "/*{n}*/ 1", "M!100100 DROP", "/* M!100100 DROP*/ 1"),
        ("mysql", "/*M{n}*/ 1", "! DROP", "/*M ! DROP*/ 1"),
        ("mysql", "SELECT /*{n}*/ 1", "+ NO_ICP(t)", "SELECT /* + NO_ICP(t)*/ 1"),
        ("mysql", "/*!40001 a */* FROM t '{n}'", "'", "/*!40001 a */* FROM t ''''"),
        ("postgresql", "$q${n}$q$", "costs $5 a q", "$q$costs $5 a q$q$"),
        ("postgresql", "$q$ ${n} $q$", "5", "$q$ $5 $q$"),
        ("postgresql", "$\u{2603}$ {n} $\u{2603}$", "it's", "$\u{2603}$ it's $\u{2603}$"),
        ("mysql", "v = '{n}'", "a\\", "v = 'a\\\\'"),
        ("mysql", "v = '{n}'", "\\'; DROP -- ", "v = '\\\\''; DROP -- '"),
        ("mysql", "v = '\\{n}'", "'; DROP", "v = '\\\\''; DROP'"),
        ("mysql", "v = \"{n}\"", "a\"\\", "v = \"a\"\"\\\\\""),
        ("mysql", "SELECT `{n}`", "a` FROM s", "SELECT `a`` FROM s`"),
        ("mysql", "1 # {n}", "a\nDROP", "1 # a DROP"),
        ("mysql", "1 --{n}", "a", "1 --'a'"),
        ("mysql", "/*!50000 {n} */", "*/ DROP", "/*!50000 '*/ DROP' */"),
        ("sqlite", "SELECT [{n}]", "a b", "SELECT [a b]"),
        ("sqlite", "v = '{n}'", "a\\'", "v = 'a\\'''"),
    ];
    for (database, template, cell, right) in cases {
        for operation in ["sql/generate", "sql/generate-custom-to-text"] {
            let made = one(database, template, cell, operation);
            assert_eq!(made, right, "{database} {template} of {cell:?}, {operation}");
        }
    }
    let desk = Desk::new();
    for (database, template, cell) in [
        ("sqlite", "SELECT [{n}]", "a]; DROP"),
        ("postgresql", "$$ {n} $$", "a$$; DROP"),
        ("postgresql", "$q${n}$q$", "a$q$; DROP"),
        ("postgresql", "$$a${n}$$", "$; DROP"),
        ("postgresql", "$q${n}$q$", "a$q"),
        ("postgresql", "$q${n}$q$", "$q"),
        ("postgresql", "$ab$ {n}$ab$", "x$a"),
        ("postgresql", "$ab$ ${n}$ $ab$", "ab"),
        ("postgresql", "$ab$ $a{n} $ab$", "b$; DROP"),
    ] {
        let args = serde_json::json!({"database_type": database, "template": template});
        for operation in ["sql/generate", "sql/generate-custom-to-text"] {
            let err = desk.error(format!("n\n{cell}\n"), operation, &args.to_string());
            assert!(
                err.contains("cannot be used at this place of the template"),
                "{template}: {err}"
            );
        }
    }
}

#[test]
fn no_number_joins_what_is_around_it() {
    let one = |database: &str, template: &str, operation: &str| {
        let key = if database == "postgresql" { "none" } else { "manual_sequence" };
        let args = serde_json::json!({
            "database_type": database, "template": template, "include_transaction": false,
            "auto_increment": {
                "enabled": true, "column_name": "key", "start_value": -7, "increment_type": key,
            },
        });
        statements("n,f\n-5,-0.5\n", operation, &args.to_string()).remove(0)
    };
    let (simple, custom) = ("sql/generate", "sql/generate-custom-to-text");
    let cases = [
        ("SET v = v -{n:int} WHERE id={n:int};", "SET v = v - -5 WHERE id=-5;"),
        ("v -{f:float} -{n:int}-{n:int}", "v - -0.5 - -5- -5"),
        ("v - {n:int} (-{n:int}) +{n:int} *{n:int}", "v - -5 (- -5) +-5 *-5"),
        ("v <{n:int} >={n:int} ->{n:int}", "v <-5 >=-5 ->-5"),
        // PostgreSQL has operators that end with a sign.
        ("v %{n:int} |{n:int} @>{n:int} ^{f:float}", "v % -5 | -5 @> -5 ^ -0.5"),
        ("'-{n:int}' /*{n:int}*/ {n:int}-1", "'--5' /*-5*/ -5-1"),
        ("v -{key} -{zz:int|-3}", "v - -7 - -3"),
    ];
    for database in ["postgresql", "mysql", "sqlite"] {
        for (template, right) in cases {
            assert_eq!(one(database, template, custom), right, "{database}: {template}");
        }
        for operation in [simple, custom] {
            let made = one(database, "v -{auto_id} %{auto_id} '-{auto_id}';", operation);
            assert_eq!(made, "v - -7 % -7 '--7';", "{database}, {operation}");
        }
    }
    // Two signs are no comment here, unless there is space after them.
    assert_eq!(one("mysql", "1 --{n:int} --{auto_id}", custom), "1 ---5 ---7");
    assert_eq!(one("mysql", "1 --{auto_id}", simple), "1 ---7");
    // A key within quotes is part of the text.
    let args = serde_json::json!({
        "template": "'{auto_id}'", "include_transaction": false,
        "auto_increment": {"enabled": true, "increment_type": "manual_sequence"},
    });
    let text = statements("n\n1\n", simple, &args.to_string());
    assert_eq!(text, ["'nextval(''seq_id'')'"]);
}
