//! Workbooks and texts as other programs write them: the same cells, whatever is around them.
use crate::{
    desk::Desk,
    workbook::{archive_of, workbook},
};

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const STRICT: [&str; 2] = [
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
];
const X14: &str = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main";
const MC: &str = "http://schemas.openxmlformats.org/markup-compatibility/2006";

/// The parts of a workbook.
struct Book {
    relations: String,
    workbook: String,
    sheet: String,
    styles: String,
    texts: String,
    encode: fn(&str) -> Vec<u8>,
}

/// A cell with a text of its own.
fn inline(place: &str, text: &str) -> String {
    format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

/// A column `when` with the day 43889, as a date.
fn dated() -> String {
    let when = inline("A1", "when");
    format!("<row r=\"1\">{when}</row><row r=\"2\"><c r=\"A2\" s=\"1\"><v>43889</v></c></row>")
}

impl Book {
    fn new(rows: &str) -> Self {
        let xmlns = format!("xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"");
        let relation = |id: &str, kind: &str, target: &str| {
            format!("<Relationship Id=\"{id}\" Type=\"{RELATIONS}/{kind}\" Target=\"{target}\"/>")
        };
        Self {
            relations: format!(
                "<Relationships xmlns=\"{PACKAGE}\">{}{}{}</Relationships>",
                relation("rId1", "worksheet", "sheet.xml"),
                relation("rId2", "styles", "styles.xml"),
                relation("rId3", "sharedStrings", "texts.xml"),
            ),
            workbook: format!(
                "<workbook {xmlns}><workbookPr/><sheets>\
                 <sheet name=\"A\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
            sheet: format!("<worksheet {xmlns}><sheetData>{rows}</sheetData></worksheet>"),
            styles: format!(
                "<styleSheet {xmlns}><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy\"/>\
                 </numFmts><cellXfs><xf/><xf numFmtId=\"164\"/></cellXfs></styleSheet>"
            ),
            texts: format!("<sst {xmlns}><si><t>shared</t></si></sst>"),
            encode: |text| text.as_bytes().to_vec(),
        }
    }

    fn read(&self) -> Vec<String> {
        let root = format!(
            "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"x\" \
             Type=\"{RELATIONS}/officeDocument\" Target=\"xl/book.xml\"/></Relationships>"
        );
        let desk = Desk::new();
        let parts: Vec<_> = [
            ("_rels/.rels", &root),
            ("xl/_rels/book.xml.rels", &self.relations),
            ("xl/book.xml", &self.workbook),
            ("xl/sheet.xml", &self.sheet),
            ("xl/styles.xml", &self.styles),
            ("xl/texts.xml", &self.texts),
        ]
        .map(|(name, text)| (name, (self.encode)(text)))
        .into();
        desk.read(&desk.file("book.xlsx", archive_of(&parts)))
    }

    /// Every part in its own words.
    fn map(mut self, change: impl Fn(&str) -> String) -> Self {
        for part in [
            &mut self.relations,
            &mut self.workbook,
            &mut self.sheet,
            &mut self.styles,
            &mut self.texts,
        ] {
            *part = change(part);
        }
        self
    }
}

#[test]
fn an_element_counts_by_its_namespace() {
    let from_1904 = |mut book: Book, more: &str| {
        book.workbook = book.workbook.replace("<workbookPr/>", "<workbookPr date1904=\"1\"/>");
        book.workbook = book.workbook.replace("</workbook>", &format!("{more}</workbook>"));
        book.read()
    };
    let right = ["when", "2024-02-29 00:00:00"];
    assert_eq!(from_1904(Book::new(&dated()), ""), right);
    for more in [
        format!(
            "<extLst><ext uri=\"u\" xmlns:x15=\"{X14}\"><x15:workbookPr date1904=\"0\"/></ext></extLst>"
        ),
        "<extLst><ext uri=\"u\"><workbookPr date1904=\"0\"/></ext></extLst>".to_owned(),
        format!("<workbookPr xmlns=\"{X14}\"/>"),
        format!("<x:any xmlns:x=\"{X14}\"><workbookPr/></x:any>"),
        "<other><workbookPr/></other>".to_owned(),
    ] {
        assert_eq!(from_1904(Book::new(&dated()), &more), right, "{more}");
    }
    // Attributes of others are no attributes of the element.
    let foreign = format!("<workbookPr xmlns:y=\"{X14}\" y:date1904=\"1\"/>");
    let mut book = Book::new(&dated());
    book.workbook = book.workbook.replace("<workbookPr/>", &foreign);
    assert_eq!(book.read(), ["when", "2020-02-28 00:00:00"]);
}

#[test]
fn cells_texts_and_styles_of_extensions_are_none() {
    let rows = format!(
        "<row r=\"1\" xmlns:e=\"{X14}\" e:r=\"9\">{}<e:c r=\"B1\"><e:v>1</e:v></e:c></row>\
         <e:row r=\"2\"><c r=\"A2\"><v>7</v></c></e:row>\
         <row r=\"2\"><c r=\"A2\" t=\"s\" e:t=\"n\"><e:v>1</e:v><v>0</v><extLst><v>5</v></extLst></c>\
         </row><extLst><row r=\"3\"><c r=\"A3\"><v>3</v></c></row></extLst>",
        inline("A1", "a")
    );
    let mut book = Book::new(&rows);
    let other = format!(
        "<e:si xmlns:e=\"{X14}\"><t>no</t></e:si><si><e:t xmlns:e=\"{X14}\">no</e:t>\
         <rPh><t>no</t></rPh><r><t>sha</t></r><r><t>red</t></r></si><si>"
    );
    book.texts = book.texts.replacen("<si>", &other, 1);
    assert_eq!(book.read(), ["a", "shared"]);
    // The format of a condition has the number of another one.
    let mut book = Book::new(&dated());
    let conditions =
        "<dxfs><dxf><numFmt numFmtId=\"164\" formatCode=\"0.00\"/></dxf></dxfs></styleSheet>";
    book.styles = book.styles.replace("</styleSheet>", conditions);
    assert_eq!(book.read(), ["when", "2020-02-28 00:00:00"]);
}

#[test]
fn any_prefix_and_the_strict_form_are_read() {
    let right = ["when", "2020-02-28 00:00:00"];
    // Every element of spreadsheets with a prefix, and `rel` for relations.
    let prefixed = Book::new(&dated()).map(|part| {
        if part.contains(PACKAGE) {
            let part = part.replace("<Rel", "<p:Rel").replace("</Rel", "</p:Rel");
            return part.replace("xmlns=", "xmlns:p=");
        }
        let part = part.replace("</", "\u{1}").replace('<', "<x:").replace('\u{1}', "</x:");
        part.replace("xmlns=", "xmlns:x=")
            .replace("xmlns:r=", "xmlns:rel=")
            .replace("r:id", "rel:id")
    });
    assert_eq!(prefixed.read(), right);
    let strict =
        Book::new(&dated()).map(|part| part.replace(MAIN, STRICT[0]).replace(RELATIONS, STRICT[1]));
    assert_eq!(strict.read(), right);
    // Another attribute called `id` is not the relation.
    let mut book = Book::new(&dated());
    let ids = format!("id=\"rId2\" xmlns:z=\"{X14}\" z:id=\"rId3\" r:id");
    book.workbook = book.workbook.replace("r:id", &ids);
    assert_eq!(book.read(), right);
    // Other makers have relations that end alike.
    let mut book = Book::new(&dated());
    let other = format!(
        "<Relationship Id=\"a\" Type=\"{X14}/styles\" Target=\"texts.xml\"/><Relationship "
    );
    book.relations = book.relations.replacen("<Relationship ", &other, 1);
    assert_eq!(book.read(), right);
}

#[test]
fn of_alternatives_the_one_for_older_programs_counts() {
    let both = |inside: &str, other: &str| {
        format!(
            "<mc:AlternateContent xmlns:mc=\"{MC}\" xmlns:n=\"{X14}\">\
             <mc:Choice Requires=\"n\">{inside}</mc:Choice><mc:Fallback>{other}</mc:Fallback>\
             </mc:AlternateContent>"
        )
    };
    let mut book = Book::new(&dated());
    let alternatives = both("<workbookPr/>", "<workbookPr date1904=\"true\"/>");
    book.workbook = book.workbook.replace("<workbookPr/>", &alternatives);
    assert_eq!(book.read(), ["when", "2024-02-29 00:00:00"]);
    let cell = both("<c r=\"A2\"><v>1</v></c>", "<c r=\"A2\"><v>2</v></c>");
    let rows = format!("<row r=\"1\">{}</row><row r=\"2\">{cell}</row>", inline("A1", "a"));
    assert_eq!(Book::new(&rows).read(), ["a", "2"]);
    let known = cell.replace("xmlns:n=", "xmlns:m=").replace("Requires=\"n\"", "Requires=\"k\"");
    let known = known.replace("<mc:Choice", &format!("<mc:Choice xmlns:k=\"{MAIN}\""));
    let rows = format!("<row r=\"1\">{}</row><row r=\"2\">{known}</row>", inline("A1", "a"));
    assert_eq!(Book::new(&rows).read(), ["a", "1"]);
}

#[test]
fn what_a_sheet_declares_as_its_size_is_only_a_hint() {
    let rows =
        format!("<row r=\"1\">{}</row><row r=\"2\">{}</row>", inline("A1", "k"), inline("B2", "y"));
    for range in ["A1:XFD1048576", "A1", "A1:A1", "C9:D10", "", "nonsense", "A0:ZZZZ9999999999"] {
        let mut book = Book::new(&rows);
        let declared = format!("<dimension ref=\"{range}\"/><sheetData>");
        book.sheet = book.sheet.replace("<sheetData>", &declared);
        assert_eq!(book.read(), ["k|Unnamed: 1", "|y"], "{range}");
    }
}

#[test]
fn rows_may_come_in_pieces_and_in_any_order() {
    let (a, b, one, two) =
        (inline("A1", "a"), inline("B1", "b"), inline("A2", "1"), inline("B2", "2"));
    let right = ["a|b", "1|2"];
    for rows in [
        format!(
            "<row r=\"1\">{a}</row><row r=\"1\">{b}</row><row r=\"2\">{one}</row><row r=\"2\">{two}</row>"
        ),
        format!("<row r=\"2\">{one}{two}</row><row r=\"1\">{a}{b}</row>"),
        format!("<row r=\"2\">{two}{one}</row><row r=\"1\">{b}</row><row r=\"1\">{a}</row>"),
        format!("<row r=\"1\">{a}</row><row r=\"2\">{one}{two}</row><row r=\"1\">{b}</row>"),
        format!("<row>{a}{b}</row><row>{one}{two}</row>"),
        format!("<row>{a}</row><row>{b}</row><row>{one}</row><row>{two}</row>"),
        format!("<row>{a}{b}</row><row>{one}{two}</row>")
            .replace(" r=\"A1\"", "")
            .replace(" r=\"A2\"", ""),
    ] {
        assert_eq!(Book::new(&rows).read(), right, "{rows}");
    }
    let gap = format!("<row>{a}</row><row>{}</row>", inline("A3", "x"));
    assert_eq!(Book::new(&gap).read(), ["a", "", "x"]);
    // What is written last counts, and jumbled rows are bounded.
    let twice = format!(
        "<row r=\"1\">{a}</row><row r=\"2\">{one}</row><row r=\"2\">{}</row>",
        inline("A2", "9")
    );
    assert_eq!(Book::new(&twice).read(), ["a", "9"]);
    let mut desk = Desk::new();
    desk.limits.max_held = 500;
    let rows = "<row r=\"9\"><c><v>1</v></c></row><row r=\"1\"><c><v>1</v></c></row>".repeat(20);
    let refused = desk.error(workbook(&rows, ""), "excel/convert-to-csv", "{}");
    assert_eq!(
        refused,
        "the rows of the sheet, which are out of order, take more than 500 bytes; save it again \
         in a spreadsheet program"
    );
}

#[test]
fn parts_may_be_in_utf_16() {
    let rows = format!(
        "<row r=\"1\">{}</row><row r=\"2\">{}</row>",
        inline("A1", "a"),
        inline("A2", "ž😀")
    );
    let encodings: [fn(&str) -> Vec<u8>; 5] = [
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |text| text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |text| format!("\u{feff}{text}").into_bytes(),
    ];
    for encode in encodings {
        let declared = "<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>";
        let book = Book::new(&rows).map(|part| format!("{declared}{part}"));
        assert_eq!(Book { encode, ..book }.read(), ["a", "ž😀"]);
    }
}

#[test]
fn iso_dates_keep_their_fractions_and_lose_their_zones() {
    let cell = |text: &str| format!("<row><c t=\"d\"><v>{text}</v></c></row>");
    let texts = [
        "23:44:51.894",
        "2024-02-29T12:00:00.5",
        "2024-02-29T12:00:00+05:00",
        "2024-02-29",
        "never",
    ];
    let rows: String = texts.into_iter().map(cell).collect();
    let read =
        Book::new(&format!("<row>{}</row>{rows}<row><c><v>1</v></c></row>", inline("A1", "at")))
            .read();
    let right = [
        "at",
        "23:44:51.894000",
        "2024-02-29 12:00:00.500000",
        "2024-02-29 12:00:00",
        "2024-02-29 00:00:00",
        "",
        "1",
    ];
    assert_eq!(read, right);
}

#[test]
fn other_spreadsheets_are_named() {
    let error = |content: Vec<u8>| Desk::new().error(content, "excel/convert-to-csv", "{}");
    let parts = |name: &'static str, text: &str| vec![(name, text.as_bytes().to_vec())];
    let open = parts("mimetype", "application/vnd.oasis.opendocument.spreadsheet");
    assert_eq!(
        error(archive_of(&open)),
        "the file is an OpenDocument spreadsheet (.ods); save it as .xlsx"
    );
    let mut binary = parts("xl/workbook.bin", "\u{83}");
    let root = format!(
        "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"x\" \
         Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.bin\"/></Relationships>"
    );
    binary.push(("_rels/.rels", root.into_bytes()));
    assert_eq!(
        error(archive_of(&binary)),
        "the workbook has the binary .xlsb format; save it as .xlsx"
    );
    let old = "the workbook has the old .xls format; save it as .xlsx";
    assert_eq!(error(b"\x09\x00\x04\x00\x02\x00\x10\x00".to_vec()), old);
    assert_eq!(error(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()), old);
}

fn text(content: impl AsRef<[u8]>) -> Vec<String> {
    let desk = Desk::new();
    desk.read(&desk.file("in.csv", content))
}

#[test]
fn a_line_that_names_the_delimiter_is_no_row() {
    let right = ["id|city", "1|Brno"];
    for content in [
        "sep=;\nid;city\n1;Brno\n",
        "\u{feff}sep=;\r\nid;city\r\n1;Brno\r\n",
        "sep=\t\nid\tcity\n1\tBrno\n",
        "\"sep=,\"\nid,city\n1,Brno\n",
        "SEP=|\rid|city\r1|Brno\r",
        "sep=:\nid:city\n1:Brno\n",
    ] {
        assert_eq!(text(content), right, "{content:?}");
        let wide = format!("\u{feff}{}", content.trim_start_matches('\u{feff}'));
        let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(wide), right, "{content:?}");
    }
    // It counts, even against what the rows look like.
    assert_eq!(text("sep=,\na;b,c\n1;2,3\n"), ["a;b|c", "1;2|3"]);
    assert_eq!(
        Desk::new().error("sep=;\na;b\n1;2\n1;2;3\n", "excel/convert-to-csv", "{}"),
        "Failed to read CSV file: Error tokenizing data. C error: Expected 2 fields in line 4, saw 3"
    );
    assert_eq!(
        Desk::new().error("sep=;\n", "excel/convert-to-csv", "{}"),
        "Failed to read CSV file: No columns to parse from file"
    );
}

#[test]
fn no_text_is_torn_where_another_delimiter_is_as_likely() {
    assert_eq!(
        text("person (last, first)\tage\nNovak, Jana\t31\nKral, Petr\t45\n"),
        ["person (last, first)|age", "Novak, Jana|31", "Kral, Petr|45"]
    );
    assert_eq!(text("a,b,c\n1;x,2,3\n4;y,5,6\n"), ["a|b|c", "1;x|2|3", "4;y|5|6"]);
    assert_eq!(text("id,\"a; b\"\n1,\"x; y\"\n"), ["id|a; b", "1|x; y"]);
    assert_eq!(text("name\nNovak, Jana\nKral\n"), ["name", "Novak, Jana", "Kral"]);
    assert_eq!(text("price\n1,5\n2,75\n"), ["price", "1,5", "2,75"]);
}

#[test]
fn bytes_that_an_encoding_does_not_have_are_refused_by_their_line() {
    let error = |content: &[u8]| Desk::new().error(content, "excel/convert-to-csv", "{}");
    assert_eq!(
        error(b"a,b\n\xe9,1\n2,\x81\n"),
        "line 3 has the byte 0x81, which Windows-1252 does not define, and the file is not UTF-8; \
         save the file as UTF-8"
    );
    let half = "line 2 has an incomplete UTF-16 character; save the file again, as UTF-8";
    assert_eq!(error(b"\xff\xfea\0\n\0\x3d\xd8x\0"), half);
    assert_eq!(error(b"\xff\xfea\0\n\0\x00\xde"), half);
    assert_eq!(error(b"\xff\xfea\0\n\0b\0c"), half);
    assert_eq!(error(b"\xfe\xff\0a\0\n\xd8\x3d"), half);
}
