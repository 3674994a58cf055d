//! Where the parts of a workbook are.
use quick_xml::events::Event;

use super::{
    broken,
    package::Package,
    xml::{Xml, attribute},
};
use crate::error::{Error, Unreadable};

/// The parts that matter.
#[derive(Debug, Default)]
pub(super) struct Workbook {
    /// The worksheet that is asked for: the first in the order of the workbook, hidden or not, if
    /// none is.
    pub(super) sheet: String,
    /// The names of all worksheets.
    pub(super) sheets: Vec<String>,
    pub(super) styles: Option<String>,
    pub(super) texts: Option<String>,
    /// Dates are counted from 1904, not from 1900.
    pub(super) from_1904: bool,
}

#[derive(Debug)]
struct Relation {
    id: String,
    /// The last word of its type.
    kind: String,
    target: String,
}

pub(super) fn read(package: &mut Package, wanted: Option<&str>) -> Result<Workbook, Error> {
    let root = relations(package, "", "_rels/.rels")?;
    let path = root.into_iter().find(|it| it.kind == "officeDocument").map(|it| it.target);
    let path = path.ok_or_else(|| broken("the archive holds no workbook"))?;
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
    let relations = relations(package, folder, &format!("{folder}/_rels/{file}.rels"))?;
    let named = |kind: &str| {
        relations.iter().find(|it| it.kind == kind).map(|relation| relation.target.clone())
    };
    let part = package.small_part(&path)?.ok_or_else(|| broken("the archive holds no workbook"))?;
    let mut xml = Xml::new(part);
    let mut workbook =
        Workbook { styles: named("styles"), texts: named("sharedStrings"), ..Workbook::default() };
    let mut sheet = None;
    loop {
        match xml.next()? {
            Event::Start(element) if element.local_name().as_ref() == "workbookPr" => {
                let value = attribute(&element, "date1904")?;
                workbook.from_1904 = matches!(value.as_deref(), Some("1" | "true"));
            }
            Event::Start(element) if element.local_name().as_ref() == "sheet" => {
                let id = relation_id(&element)?;
                let named = relations.iter().find(|it| it.id == id && it.kind == "worksheet");
                let Some(part) = named else { continue };
                let name = attribute(&element, "name")?.unwrap_or_default();
                if wanted.is_none_or(|wanted| wanted == name) {
                    sheet = sheet.or(Some(part.target.clone()));
                }
                workbook.sheets.push(name);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    workbook.sheet = sheet.ok_or_else(|| match wanted {
        Some(name) if !workbook.sheets.is_empty() => {
            Unreadable::NoSheet { name: name.to_owned(), sheets: workbook.sheets.clone() }.into()
        }
        _ => broken("the workbook has no worksheet"),
    })?;
    Ok(workbook)
}

/// `r:id`; a sheet has a `sheetId`, too, which says nothing.
fn relation_id(element: &quick_xml::events::BytesStart<'_>) -> Result<String, Error> {
    attribute(element, "id")?.ok_or_else(|| broken("a sheet has no relation"))
}

fn relations(package: &mut Package, folder: &str, path: &str) -> Result<Vec<Relation>, Error> {
    let Some(part) = package.small_part(path)? else { return Ok(Vec::new()) };
    let mut xml = Xml::new(part);
    let mut relations = Vec::new();
    loop {
        match xml.next()? {
            Event::Start(element) if element.local_name().as_ref() == "Relationship" => {
                let [id, kind, target] =
                    ["Id", "Type", "Target"].map(|name| attribute(&element, name));
                let (Some(id), Some(kind), Some(target)) = (id?, kind?, target?) else { continue };
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                relations.push(Relation { id, kind, target: resolve(folder, &target) });
            }
            Event::Eof => return Ok(relations),
            _ => {}
        }
    }
}

/// The path of `target`, as written in a part of `folder`.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let mut path: Vec<_> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => folder.split('/').filter(|it| !it.is_empty()).collect(),
    };
    for step in target.split('/').filter(|it| !matches!(*it, "" | ".")) {
        if step == ".." {
            path.pop();
        } else {
            path.push(step);
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_relative_to_the_part_that_names_them() {
        assert_eq!(resolve("xl", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(resolve("xl", "/xl/styles.xml"), "xl/styles.xml");
        assert_eq!(resolve("a/b", "../c\\d.xml"), "a/c/d.xml");
        assert_eq!(resolve("", "xl/workbook.xml"), "xl/workbook.xml");
    }
}
