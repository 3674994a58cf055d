//! Cells of a worksheet, row by row.
use std::rc::Rc;

use super::{
    package::Package,
    reference,
    space::Space,
    styles::NumberKind,
    text::{self, SharedTexts},
    value,
    workbook::Workbook,
    xml::{Node, Xml},
};
use crate::{
    Cell,
    error::{Error, TooMuch, broken},
    limits::Limits,
    progress::Meter,
};

#[derive(Debug)]
pub(super) struct Sheet {
    xml: Xml,
    styles: Rc<Vec<NumberKind>>,
    texts: Rc<SharedTexts>,
    from_1904: bool,
    max_columns: usize,
    max_row: usize,
    /// Index of the next row, if it does not have a number.
    next: u64,
    /// Whether the end was reached.
    ended: bool,
}

/// Cells of a row, with their columns.
pub(super) type RowCells = Vec<(usize, Cell)>;

/// Attributes of a cell.
#[derive(Debug)]
struct Head {
    /// The row, if the cell has a reference.
    row: Option<u64>,
    column: usize,
    number_kind: NumberKind,
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
        styles: Rc<Vec<NumberKind>>,
        texts: Rc<SharedTexts>,
        limits: &Limits,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Error> {
        let part = package.part(&workbook.sheet)?;
        let part = part.ok_or_else(|| broken("the archive lacks the worksheet"))?;
        let mut sheet = Self {
            xml: Xml::new(part, Space::Main),
            styles,
            texts,
            from_1904: workbook.from_1904,
            max_columns: limits.max_columns,
            max_row: limits.max_row,
            next: 0,
            ended: false,
        };
        sheet.begin(meter)?;
        Ok(sheet)
    }

    /// Returns the part of the sheet that was read.
    pub(super) fn part(&self) -> f64 {
        self.xml.part()
    }

    fn begin(&mut self, meter: &mut Meter<'_>) -> Result<(), Error> {
        loop {
            match (self.xml.next(meter)?, self.xml.level()) {
                (Node::Start, 2) if self.xml.name() == "sheetData" => return Ok(()),
                (Node::Eof, _) => return Err(broken("the worksheet has no data")),
                _ => {}
            }
        }
    }

    /// Reads the next row: its index, and its cells with their columns. Rows may come in any order,
    /// and in pieces.
    pub(super) fn row(&mut self, meter: &mut Meter<'_>) -> Result<Option<(u64, RowCells)>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut at = loop {
            match (self.xml.next(meter)?, self.xml.level()) {
                (Node::Start, 3) if self.xml.name() == "row" => {
                    break match self.xml.attribute("r")? {
                        Some(number) => {
                            let row = reference::row(number.trim());
                            Some(row.ok_or_else(|| broken(format!("there is no row {number}")))?)
                        }
                        None => None,
                    };
                }
                (Node::End, 2) => {
                    self.ended = true;
                    return Ok(None);
                }
                (Node::Eof, _) => return Err(broken("the worksheet is cut off")),
                _ => {}
            }
        };
        let mut cells = Vec::new();
        // Shared texts let a small file have large rows.
        let mut bytes = 0;
        let mut written = 0;
        // Column of the next cell without a reference.
        let mut expected = 0;
        loop {
            let head = match (self.xml.next(meter)?, self.xml.level()) {
                (Node::Start, 4) if self.xml.name() == "c" => self.head(expected)?,
                (Node::End, 3) => break,
                (Node::Eof, _) => return Err(broken("the worksheet is cut off")),
                _ => continue,
            };
            at = at.or(head.row);
            let number = at.unwrap_or(self.next) + 1;
            let column = head.column;
            expected = column + 1;
            written += 1;
            if written > reference::MAX_COLUMNS {
                return Err(broken(format!("row {number} has cells more than once")));
            }
            let cell = self.cell(&head, meter)?;
            // A cell that is only formatted may be anywhere.
            if !cell.is_missing() && cell.is_empty() {
                continue;
            }
            if column >= self.max_columns {
                let (found, most) = (column + 1, self.max_columns);
                return Err(TooMuch::Columns { found, most }.into());
            }
            if cells.len() >= self.max_columns {
                return Err(broken(format!("row {number} has cells more than once")));
            }
            bytes += cell.len();
            if bytes > self.max_row {
                return Err(TooMuch::Row { row: number, most: self.max_row }.into());
            }
            cells.push((column, cell));
        }
        let at = at.unwrap_or(self.next);
        if at >= reference::MAX_ROWS {
            return Err(broken(format!("there is no row {}", at + 1)));
        }
        self.next = at + 1;
        Ok(Some((at, cells)))
    }

    fn cell(&mut self, head: &Head, meter: &mut Meter<'_>) -> Result<Cell, Error> {
        let mut written = String::new();
        let mut inline = None;
        let mut inside = false;
        loop {
            match (self.xml.next(meter)?, self.xml.level()) {
                (Node::Start, 5) => match self.xml.name() {
                    "is" => inline = Some(text::read(&mut self.xml, meter)?),
                    "v" => inside = true,
                    _ => {}
                },
                (Node::End, 5) => inside = false,
                (Node::End, 4) => break,
                (Node::Text, _) if inside => written.push_str(self.xml.text()),
                (Node::Eof, _) => return Err(broken("the worksheet is cut off")),
                _ => {}
            }
            if written.len() > MAX_VALUE {
                return Err(broken(format!("a cell has more than {MAX_VALUE} bytes")));
            }
        }
        Ok(match head.kind {
            Kind::Error => Cell::Missing,
            Kind::Inline => Cell::Text(inline.unwrap_or_else(|| text::unescape(written))),
            _ if written.is_empty() => Cell::Text(inline.unwrap_or_default()),
            Kind::Number => value::number(&written, head.number_kind, self.from_1904),
            Kind::Boolean => value::boolean(&written),
            Kind::Formula => Cell::Text(text::unescape(written)),
            Kind::Date => super::serial::iso(&written).map_or(Cell::Missing, Cell::Text),
            Kind::Shared => {
                let at: Option<usize> = written.trim().parse().ok();
                let shared = at.and_then(|at| self.texts.get(at));
                Cell::from(shared.ok_or_else(|| broken(format!("there is no text {written}")))?)
            }
        })
    }

    /// Reads the attributes of the current cell.
    fn head(&self, expected: usize) -> Result<Head, Error> {
        let mut head = Head {
            row: None,
            column: expected,
            number_kind: NumberKind::Number,
            kind: Kind::Number,
        };
        self.xml.attributes(|name, value| {
            match name {
                "r" => {
                    let reference = reference::parse(value.trim());
                    let (row, column) =
                        reference.ok_or_else(|| broken(format!("there is no cell {value}")))?;
                    (head.row, head.column) = (Some(row), column);
                }
                "s" => {
                    let style = value.trim().parse::<usize>().ok();
                    let style = style.and_then(|at| self.styles.get(at));
                    head.number_kind = style.copied().unwrap_or(NumberKind::Number);
                }
                "t" => head.kind = Kind::parse(value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(head)
    }
}

impl Kind {
    fn parse(word: &str) -> Result<Self, Error> {
        Ok(match word {
            "n" | "" => Self::Number,
            "s" => Self::Shared,
            "inlineStr" => Self::Inline,
            "str" => Self::Formula,
            "b" => Self::Boolean,
            "d" => Self::Date,
            "e" => Self::Error,
            other => return Err(broken(format!("there is no cell type {other}"))),
        })
    }
}

const MAX_VALUE: usize = 1 << 20;
