//! Namespaces of XML, as far as they decide what counts.
use quick_xml::{
    events::BytesStart,
    name::{Prefix, PrefixDeclaration},
};

use super::broken;
use crate::error::Error;

/// What a name belongs to. Each has two addresses: that of files as they are written usually, and
/// that of files in the strict form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Sheets, texts, styles.
    Main,
    /// Names of relations, where they are used.
    Relations,
    /// The relations themselves.
    Package,
    /// Alternatives for programs that know more or less.
    Compatibility,
    Foreign,
    None,
}

/// The prefixes that hold where the reader is.
#[derive(Debug, Default)]
pub(super) struct Scopes(Vec<Binding>);

#[derive(Debug)]
struct Binding {
    depth: usize,
    /// Empty for names without one.
    prefix: String,
    space: Space,
}

/// Declarations that hold at once; more are no spreadsheet.
const MOST: usize = 1000;

// === impl Space ===

impl Space {
    fn of(address: &str) -> Self {
        match address.trim() {
            "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
            | "http://purl.oclc.org/ooxml/spreadsheetml/main" => Self::Main,
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
            | "http://purl.oclc.org/ooxml/officeDocument/relationships" => Self::Relations,
            "http://schemas.openxmlformats.org/package/2006/relationships" => Self::Package,
            "http://schemas.openxmlformats.org/markup-compatibility/2006" => Self::Compatibility,
            "" => Self::None,
            _ => Self::Foreign,
        }
    }
}

// === impl Scopes ===

impl Scopes {
    /// Take what `element` declares, which is open at `depth`.
    pub(super) fn open(&mut self, element: &BytesStart<'_>, depth: usize) -> Result<(), Error> {
        if !element.attributes_raw().contains("xmlns") {
            return Ok(());
        }
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(broken)?;
            let prefix = match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Named(prefix)) => prefix.to_owned(),
                Some(PrefixDeclaration::Default) => String::new(),
                None => continue,
            };
            if self.0.len() >= MOST {
                return Err(broken("there are too many namespaces"));
            }
            self.0.push(Binding { depth, prefix, space: Space::of(&attribute.value) });
        }
        Ok(())
    }

    /// Forget what elements deeper than `depth` declared.
    pub(super) fn close(&mut self, depth: usize) {
        while self.0.last().is_some_and(|it| it.depth > depth) {
            self.0.pop();
        }
    }

    /// What a prefix stands for; one that is not declared stands for nothing that is known.
    pub(super) fn of(&self, prefix: Option<Prefix<'_>>) -> Space {
        match prefix {
            Some(prefix) => self.named(prefix.as_ref()),
            None => self.find("").unwrap_or(Space::None),
        }
    }

    pub(super) fn named(&self, prefix: &str) -> Space {
        self.find(prefix).unwrap_or(Space::Foreign)
    }

    fn find(&self, prefix: &str) -> Option<Space> {
        self.0.iter().rev().find(|it| it.prefix == prefix).map(|it| it.space)
    }
}
