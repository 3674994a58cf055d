//! Finds the parts of a workbook.
use super::{
    package::Package,
    space::Space,
    xml::{Node, Xml},
};
use crate::{
    error::{Error, Unreadable, broken},
    name,
    progress::Meter,
};

/// Paths of the parts.
#[derive(Debug, Default)]
pub(super) struct Workbook {
    /// The requested worksheet; by default the first one, hidden or not.
    pub(super) sheet: String,
    /// Names of all worksheets.
    pub(super) sheets: Vec<String>,
    pub(super) styles: Option<String>,
    pub(super) texts: Option<String>,
    /// Whether dates are counted from 1904 instead of 1900.
    pub(super) from_1904: bool,
}

#[derive(Debug)]
struct Relation {
    id: String,
    kind: String,
    target: String,
}

/// Prefixes of the types of relations, in usual and in strict files.
const TYPES: [&str; 2] = [
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/",
    "http://purl.oclc.org/ooxml/officeDocument/relationships/",
];

pub(super) fn read(
    package: &mut Package,
    wanted: Option<&str>,
    meter: &mut Meter<'_>,
) -> Result<Workbook, Error> {
    let root = relations(package, "", "_rels/.rels", meter)?;
    let path = root
        .into_iter()
        .find(|relation| relation.is("officeDocument"))
        .map(|relation| relation.target);
    let path = path.ok_or_else(|| broken("the archive holds no workbook"))?;
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
    let relations = relations(package, folder, &format!("{folder}/_rels/{file}.rels"), meter)?;
    let named = |kind: &str| {
        relations.iter().find(|relation| relation.is(kind)).map(|relation| relation.target.clone())
    };
    let part = package.small_part(&path)?.ok_or_else(|| match path.rsplit_once('.') {
        Some((_, "bin")) => Unreadable::Binary.into(),
        _ => broken("the archive holds no workbook"),
    })?;
    if path.to_ascii_lowercase().ends_with(".bin") {
        return Err(Unreadable::Binary.into());
    }
    let mut xml = Xml::new(part, Space::Main);
    let mut workbook =
        Workbook { styles: named("styles"), texts: named("sharedStrings"), ..Workbook::default() };
    let mut parts = Vec::new();
    let mut within_sheets = false;
    loop {
        match (xml.next(meter)?, xml.level()) {
            (Node::Start, 2) => {
                within_sheets = xml.name() == "sheets";
                if xml.name() == "workbookPr" {
                    let value = xml.attribute("date1904")?;
                    workbook.from_1904 = matches!(value.as_deref(), Some("1" | "true"));
                }
            }
            (Node::Start, 3) if within_sheets && xml.name() == "sheet" => {
                let id = xml.relation()?.ok_or_else(|| broken("a sheet has no relation"))?;
                let part =
                    relations.iter().find(|relation| relation.id == id && relation.is("worksheet"));
                let Some(part) = part else { continue };
                workbook.sheets.push(xml.attribute("name")?.unwrap_or_default());
                parts.push(part.target.clone());
            }
            (Node::Eof, _) => break,
            _ => {}
        }
    }
    let at = match wanted {
        Some(wanted) => name::find(&workbook.sheets, wanted),
        None => Some(0),
    };
    workbook.sheet = at.and_then(|at| parts.into_iter().nth(at)).ok_or_else(|| match wanted {
        Some(name) if !workbook.sheets.is_empty() => {
            Unreadable::NoSheet { name: name.to_owned(), sheets: workbook.sheets.clone() }.into()
        }
        _ => broken("the workbook has no worksheet"),
    })?;
    Ok(workbook)
}

fn relations(
    package: &mut Package,
    folder: &str,
    path: &str,
    meter: &mut Meter<'_>,
) -> Result<Vec<Relation>, Error> {
    let Some(part) = package.small_part(path)? else { return Ok(Vec::new()) };
    let mut xml = Xml::new(part, Space::Package);
    let mut relations = Vec::new();
    loop {
        match xml.next(meter)? {
            Node::Start if xml.name() == "Relationship" => {
                let [id, kind, target, mode] =
                    ["Id", "Type", "Target", "TargetMode"].map(|name| xml.attribute(name));
                let (Some(id), Some(kind), Some(target)) = (id?, kind?, target?) else { continue };
                if mode?.is_none_or(|mode| mode != "External") {
                    relations.push(Relation { id, kind, target: resolve(folder, &target) });
                }
            }
            Node::Eof => return Ok(relations),
            _ => {}
        }
    }
}

impl Relation {
    /// Returns whether the type ends with `kind`. Types of other vendors may end alike.
    fn is(&self, kind: &str) -> bool {
        let start = self.kind.trim().strip_suffix(kind);
        start.is_some_and(|start| TYPES.contains(&start) || !start.contains("://"))
    }
}

/// Resolves `target`, as written in a part of `folder`.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let mut path: Vec<_> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => folder.split('/').filter(|step| !step.is_empty()).collect(),
    };
    for step in target.split('/').filter(|step| !matches!(*step, "" | ".")) {
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
