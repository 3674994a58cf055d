//! Namespaces of XML.
use quick_xml::{
    events::BytesStart,
    name::{Prefix, PrefixDeclaration},
};

use crate::error::{Error, broken};

/// A namespace, with two addresses: of usual files, and of strict ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Sheets, texts, styles.
    Main,
    /// References to relations.
    Relations,
    /// The relations themselves.
    Package,
    /// Alternatives for other versions of programs.
    Compatibility,
    Foreign,
    None,
}

/// The prefixes in scope.
#[derive(Debug, Default)]
pub(super) struct Scopes(Vec<Binding>);

#[derive(Debug)]
struct Binding {
    depth: usize,
    /// Empty for the default namespace.
    prefix: String,
    space: Space,
}

/// Most declarations in scope.
const MAX_BINDINGS: usize = 1000;

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
    /// Adds the declarations of `element` at `depth`.
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
            if self.0.len() >= MAX_BINDINGS {
                return Err(broken("there are too many namespaces"));
            }
            self.0.push(Binding { depth, prefix, space: Space::of(&attribute.value) });
        }
        Ok(())
    }

    /// Drops the declarations of elements deeper than `depth`.
    pub(super) fn close(&mut self, depth: usize) {
        while self.0.last().is_some_and(|scope| scope.depth > depth) {
            self.0.pop();
        }
    }

    /// Returns the namespace of a prefix; [`Space::Foreign`] if it is not declared.
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
        self.0.iter().rev().find(|scope| scope.prefix == prefix).map(|scope| scope.space)
    }
}
