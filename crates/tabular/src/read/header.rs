//! Names of columns.
use std::collections::{HashMap, HashSet};

/// Makes unique names: a column without a name gets one with its index, and a repeated name gets
/// the next free number.
pub(crate) fn names(header: Vec<String>) -> Vec<String> {
    let given = header.into_iter().enumerate();
    let given: Vec<_> = given
        .map(|(at, name)| if name.is_empty() { format!("Unnamed: {at}") } else { name })
        .collect();
    let mut taken: HashSet<String> = given.iter().cloned().collect();
    let mut used: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::with_capacity(given.len());
    for name in given {
        let Some(count) = used.get_mut(&name) else {
            used.insert(name.clone(), 0);
            names.push(name);
            continue;
        };
        let unique = loop {
            *count += 1;
            let unique = format!("{name}.{count}");
            if !taken.contains(&unique) {
                break unique;
            }
        };
        taken.insert(unique.clone());
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let named = |header: &[&str]| names(header.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(named(&["a", "a", "a"]), ["a", "a.1", "a.2"]);
        assert_eq!(named(&["a", "a", "a.1"]), ["a", "a.2", "a.1"]);
        assert_eq!(named(&["", " x ", ""]), ["Unnamed: 0", " x ", "Unnamed: 2"]);
    }
}
