//! Classifies messages by words and phrases.
use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A kind of task that the bot can suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    ExtractColumns,
    ConvertFormat,
    NormalizeData,
    GenerateSql,
    GenerateJson,
    SearchFilter,
    BindData,
    MapColumns,
}

/// Intent of a message. The confidence is 0.3, 0.4, 0.6, 0.7 or 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Intent {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) confidence: f64,
}

/// Rule that recognises a kind. With equal confidence, the earlier rule wins.
struct IntentRule {
    kind: Kind,
    /// Keywords, which also count inside of other words.
    keywords: &'static [&'static str],
    phrases: &'static str,
    operations: &'static [&'static str],
}

const RULES: [IntentRule; 8] = [
    IntentRule {
        kind: Kind::ExtractColumns,
        keywords: &["extract", "get", "select", "column", "field", "data from"],
        phrases: r"(extract|select|pull(\s+out)?)\s+(column|field)|get\s+(the\s+)?(column|field|data)",
        operations: &["excel/extract-columns-to-file"],
    },
    IntentRule {
        kind: Kind::ConvertFormat,
        keywords: &["convert", "transform", "change to", "make it", "export as"],
        phrases: r"((convert|transform|change)(\s+(to|into))?|export(\s+(as|to))?)\s+(excel|csv|json)",
        operations: &["csv/convert-to-excel", "excel/convert-to-csv", "json/generate"],
    },
    IntentRule {
        kind: Kind::NormalizeData,
        keywords: &[
            "normalize",
            "clean",
            "standardize",
            "format",
            "trim",
            "uppercase",
            "lowercase",
        ],
        phrases: r"(normalize|clean|standardize)\s+(the\s+)?data|(trim|uppercase|lowercase|format)\s+(the\s+)?(data|values)|remove\s+(duplicates|spaces)",
        operations: &["normalization/apply"],
    },
    IntentRule {
        kind: Kind::GenerateSql,
        keywords: &["sql", "insert", "database", "query", "statement", "generate sql"],
        phrases: r"generate\s+(sql|insert|queries)|create\s+(sql|insert)\s+(statement|queries)|(sql|database)\s+insert",
        operations: &["sql/generate", "sql/generate-to-text"],
    },
    IntentRule {
        kind: Kind::GenerateJson,
        keywords: &["json", "generate json", "export json", "json format"],
        phrases: r"(generate|create|convert\s+to|export(\s+(as|to))?)\s+json",
        operations: &["json/generate", "json/generate-with-template"],
    },
    IntentRule {
        kind: Kind::SearchFilter,
        keywords: &["search", "filter", "find", "query", "where", "lookup"],
        phrases: r"(search|filter|find)\s+(for|where)\s|(lookup|query)\s+(data|records)|show\s+(me\s+)?only|records\s+where",
        operations: &["excel/search", "csv/search"],
    },
    IntentRule {
        kind: Kind::BindData,
        keywords: &["bind", "merge", "join", "combine", "link", "match"],
        phrases: r"(bind|merge|join|combine)\s+(with\s|data)|(link|match)\s+(with\s|data\s+from)",
        operations: &["excel/bind-single-key", "excel/bind-multi-key"],
    },
    IntentRule {
        kind: Kind::MapColumns,
        keywords: &["map", "rename", "remap", "column mapping"],
        phrases: r"(map|rename|remap)\s+(column|field)|change\s+column\s+name",
        operations: &["excel/map-columns"],
    },
];

static PHRASES: LazyLock<[Regex; 8]> = LazyLock::new(|| {
    RULES.each_ref().map(|rule| Regex::new(rule.phrases).expect("the phrases are patterns"))
});

// === impl Kind ===

impl Kind {
    /// Name on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::ExtractColumns => "extract_columns",
            Self::ConvertFormat => "convert_format",
            Self::NormalizeData => "normalize_data",
            Self::GenerateSql => "generate_sql",
            Self::GenerateJson => "generate_json",
            Self::SearchFilter => "search_filter",
            Self::BindData => "bind_data",
            Self::MapColumns => "map_columns",
        }
    }
}

/// Classifies `message`. `None` if no rule matches.
pub(crate) fn classify(message: &str) -> Option<Intent> {
    let message = message.trim().to_lowercase();
    let mut best: Option<(Kind, u8)> = None;
    for (rule, phrases) in RULES.iter().zip(&*PHRASES) {
        let found = rule.keywords.iter().filter(|keyword| message.contains(**keyword)).take(2);
        let tenths: u8 = found.map(|_| 3).sum();
        let tenths = if phrases.is_match(&message) { tenths + 4 } else { tenths };
        if tenths > best.map_or(0, |best| best.1) {
            best = Some((rule.kind, tenths));
        }
    }
    best.map(|(kind, tenths)| Intent { kind, confidence: f64::from(tenths) / 10.0 })
}

/// Operations of each kind.
pub(crate) fn operations() -> BTreeMap<&'static str, &'static [&'static str]> {
    RULES.iter().map(|rule| (rule.kind.word(), rule.operations)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> Option<(&'static str, f64)> {
        classify(message).map(|intent| (intent.kind.word(), intent.confidence))
    }

    #[test]
    fn messages_are_classified_as_clients_know_it() {
        for (message, kind, confidence) in [
            ("extract columns: name, email, phone", "extract_columns", 1.0),
            ("extract name, email", "extract_columns", 0.3),
            ("convert to json", "convert_format", 0.7),
            ("  Generate SQL for table users ", "generate_sql", 1.0),
            ("remove duplicates", "normalize_data", 0.4),
            ("i want to get a json export", "extract_columns", 0.3),
            ("information about my file", "normalize_data", 0.3),
            ("generate json", "generate_json", 1.0),
            ("find where age > 30", "search_filter", 1.0),
            ("show me only adults", "search_filter", 0.4),
            ("merge with prices.xlsx", "bind_data", 0.7),
            ("rename fields", "map_columns", 0.7),
        ] {
            assert_eq!(of(message), Some((kind, confidence)), "{message}");
        }
        for message in ["hello", "yes", "sort by date", ""] {
            assert_eq!(of(message), None, "{message}");
        }
    }

    #[test]
    fn every_kind_lists_operations_that_exist() {
        let operations = operations();
        assert_eq!(operations.len(), 8);
        for name in operations.values().copied().flatten() {
            assert!(quadrille_tabular::NAMES.contains(name), "{name}");
        }
    }

    #[test]
    fn a_kind_is_written_as_its_word() {
        for rule in &RULES {
            assert_eq!(serde_json::to_value(rule.kind).unwrap(), rule.kind.word());
        }
        let intent = serde_json::to_value(classify("extract name")).unwrap();
        assert_eq!(intent, serde_json::json!({"type": "extract_columns", "confidence": 0.3}));
    }
}
