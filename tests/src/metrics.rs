//! The gateway's own counts, read from its Prometheus text.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics(Vec<(String, u64)>);

impl Metrics {
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The sum of the series with this name and these labels; 0 if there is none yet.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let wanted: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let matching = self.0.iter().filter(|(series, _)| {
            let (this, set) = series.split_once('{').unwrap_or((series, ""));
            this == name && wanted.iter().all(|label| set.contains(label.as_str()))
        });
        matching.map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_name_and_label() {
        let text = "# TYPE a counter\na{code=\"1\",x=\"y\"} 2\na{code=\"2\"} 3\nab 5\n";
        let metrics = Metrics::parse(text);
        let sums = [("a", &[][..]), ("a", &[("code", "1")][..]), ("c", &[][..])];
        assert_eq!(sums.map(|(name, labels)| metrics.sum(name, labels)), [5, 2, 0]);
    }
}
