//! The cells of a worksheet, row by row.
use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};

use super::{
    broken,
    package::Package,
    place,
    styles::Shown,
    text, value,
    workbook::Workbook,
    xml::{self, Xml, attribute},
};
use crate::{
    Cell,
    error::{Error, TooMuch},
    limits::Limits,
};

#[derive(Debug)]
pub(super) struct Sheet {
    xml: Xml,
    styles: Rc<Vec<Shown>>,
    texts: Rc<Vec<Box<str>>>,
    from_1904: bool,
    max_columns: usize,
    max_row: usize,
    declared: Option<(u64, u64)>,
    /// The row that comes next if it does not say which it is.
    next: u64,
    /// There are no more rows.
    ended: bool,
}

/// The cells of a row, with their columns.
pub(super) type Cells = Vec<(usize, Cell)>;

/// What a cell says of itself before its value.
#[derive(Debug)]
struct Head {
    column: usize,
    shown: Shown,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Shared,
    Inline,
    Formula,
    Boolean,
    Date,
    Error,
}

// === impl Sheet ===

impl Sheet {
    pub(super) fn open(
        package: &mut Package,
        workbook: &Workbook,
        styles: Rc<Vec<Shown>>,
        texts: Rc<Vec<Box<str>>>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let part = package.part(&workbook.sheet)?;
        let part = part.ok_or_else(|| broken("the archive lacks the worksheet"))?;
        let mut sheet = Self {
            xml: Xml::new(part),
            styles,
            texts,
            from_1904: workbook.from_1904,
            max_columns: limits.max_columns,
            max_row: limits.max_row,
            declared: None,
            next: 0,
            ended: false,
        };
        sheet.begin()?;
        Ok(sheet)
    }

    /// Rows and columns that the sheet says it has, which need not be true.
    pub(super) fn declared(&self) -> Option<(u64, u64)> {
        self.declared
    }

    /// The part of the sheet that was read.
    pub(super) fn part(&self) -> f64 {
        self.xml.part()
    }

    fn begin(&mut self) -> Result<(), Error> {
        loop {
            match self.xml.next()? {
                Event::Start(element) => match element.local_name().as_ref() {
                    "dimension" => {
                        let range = attribute(&element, "ref")?;
                        self.declared = range.and_then(|range| place::extent(&range));
                    }
                    "sheetData" => return Ok(()),
                    _ => {}
                },
                Event::Eof => return Err(broken("the worksheet has no data")),
                _ => {}
            }
        }
    }

    /// The next row that is written: its place from 0, and its cells with their columns.
    pub(super) fn row(&mut self) -> Result<Option<(u64, Cells)>, Error> {
        if self.ended {
            return Ok(None);
        }
        let at = loop {
            match self.xml.next()? {
                Event::Start(element) if element.local_name().as_ref() == "row" => {
                    break match attribute(&element, "r")? {
                        Some(number) => place::row(&number)
                            .ok_or_else(|| broken(format!("there is no row {number}")))?,
                        None => self.next,
                    };
                }
                Event::End(element) if element.local_name().as_ref() == "sheetData" => {
                    self.ended = true;
                    return Ok(None);
                }
                Event::Eof => return Err(broken("the worksheet is cut off")),
                _ => {}
            }
        };
        if at < self.next || at >= place::MAX_ROWS {
            return Err(broken(format!("row {} is out of order", at + 1)));
        }
        self.next = at + 1;
        let mut cells = Vec::new();
        // Many cells may have one text, so that a small file may have large rows.
        let mut bytes = 0;
        let mut written = 0;
        // Where a cell is that does not say so.
        let mut expected = 0;
        loop {
            let head = match self.xml.next()? {
                Event::Start(element) if element.local_name().as_ref() == "c" => {
                    Head::read(&element, expected, &self.styles)?
                }
                Event::End(element) if element.local_name().as_ref() == "row" => {
                    return Ok(Some((at, cells)));
                }
                Event::Eof => return Err(broken("the worksheet is cut off")),
                _ => continue,
            };
            let column = head.column;
            expected = column + 1;
            written += 1;
            if written > place::MAX_COLUMNS {
                return Err(broken(format!("row {} has cells more than once", at + 1)));
            }
            let cell = self.cell(&head)?;
            // A cell that is only formatted may be anywhere.
            if !cell.is_missing() && cell.is_empty() {
                continue;
            }
            if column >= self.max_columns {
                let (found, most) = (column + 1, self.max_columns);
                return Err(TooMuch::Columns { found, most }.into());
            }
            if cells.len() >= self.max_columns {
                return Err(broken(format!("row {} has cells more than once", at + 1)));
            }
            bytes += cell.len();
            if bytes > self.max_row {
                return Err(TooMuch::Row { row: at + 1, most: self.max_row }.into());
            }
            cells.push((column, cell));
        }
    }

    fn cell(&mut self, head: &Head) -> Result<Cell, Error> {
        let mut written = String::new();
        let mut inline = None;
        let mut inside = false;
        loop {
            match self.xml.next()? {
                Event::Start(element) => match element.local_name().as_ref() {
                    "is" => inline = Some(text::read(&mut self.xml, "is")?),
                    "v" => inside = true,
                    _ => {}
                },
                Event::End(element) => match element.local_name().as_ref() {
                    "v" => inside = false,
                    "c" => break,
                    _ => {}
                },
                Event::Text(piece) if inside => written.push_str(&piece.xml10_content()),
                Event::CData(piece) if inside => written.push_str(&piece.xml10_content()),
                Event::GeneralRef(reference) if inside => xml::resolve(&reference, &mut written)?,
                Event::Eof => return Err(broken("the worksheet is cut off")),
                _ => {}
            }
            if written.len() > MAX_VALUE {
                return Err(broken(format!("a cell has more than {MAX_VALUE} bytes")));
            }
        }
        Ok(match head.kind {
            Kind::Error => Cell::Missing,
            Kind::Inline => Cell::Text(inline.unwrap_or_default()),
            _ if written.is_empty() => Cell::EMPTY,
            Kind::Number => value::number(&written, head.shown, self.from_1904),
            Kind::Boolean => value::boolean(&written),
            Kind::Formula => Cell::Text(text::unescape(written)),
            Kind::Date => super::serial::iso(&written).map_or(Cell::Missing, Cell::Text),
            Kind::Shared => {
                let at: Option<usize> = written.trim().parse().ok();
                let shared = at.and_then(|at| self.texts.get(at));
                Cell::from(&**shared.ok_or_else(|| broken(format!("there is no text {written}")))?)
            }
        })
    }
}

const MAX_VALUE: usize = 1 << 20;

// === impl Head ===

impl Head {
    fn read(element: &BytesStart<'_>, expected: usize, styles: &[Shown]) -> Result<Self, Error> {
        let mut head = Self { column: expected, shown: Shown::Number, kind: Kind::Number };
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(broken)?;
            let value = &*attribute.value;
            match attribute.key.as_ref() {
                "r" => {
                    let (_, column) = place::parse(value)
                        .ok_or_else(|| broken(format!("there is no cell {value}")))?;
                    head.column = column;
                }
                "s" => {
                    let style = value.parse::<usize>().ok().and_then(|at| styles.get(at));
                    head.shown = style.copied().unwrap_or(Shown::Number);
                }
                "t" => {
                    head.kind = match value {
                        "n" => Kind::Number,
                        "s" => Kind::Shared,
                        "inlineStr" => Kind::Inline,
                        "str" => Kind::Formula,
                        "b" => Kind::Boolean,
                        "d" => Kind::Date,
                        "e" => Kind::Error,
                        other => return Err(broken(format!("there is no cell type {other}"))),
                    };
                }
                _ => {}
            }
        }
        Ok(head)
    }
}
