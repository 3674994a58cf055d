//! The spreadsheet of `workflows`: people as CSV, the same ones each time, and regions to bind to them.
use std::{
    fs::File,
    io::{BufWriter, Result, Write},
    path::Path,
};

/// Of every ten people, one has a region.
const BOUND: u32 = 10;

const FIRST: [&str; 12] = [
    "Anna", "Zoë", "Łukasz", "Seán", "Jürgen", "María", "Иван", "美咲", "Ngọc", "Tom", "Ayşe", "Ed",
];
/// One needs quotes in CSV, and one is doubled in SQL.
const LAST: [&str; 10] = [
    "Smith",
    "Müller",
    "\"Brown, Jr.\"",
    "O'Brien",
    "García",
    "Петрова",
    "田中",
    "Nguyễn",
    "Öz",
    "Lee",
];
const CITIES: [&str; 8] =
    ["Berlin", "Köln", "São Paulo", "Kraków", "New York", "大阪", "Đà Nẵng", "Paris"];

/// `id,name,email,city,amount,date,phone`, a header and so many rows.
pub(super) fn people(path: &Path, rows: u32) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "id,name,email,city,amount,date,phone")?;
    for id in 1..=rows {
        let mut random = u64::from(id);
        let mut any = |below: u64| draw(&mut random, below);
        let (first, last, city) =
            (pick(&FIRST, any(12)), pick(&LAST, any(10)), pick(&CITIES, any(8)));
        // A quoted cell is quoted as a whole.
        let quote = if last.starts_with('"') { "\"" } else { "" };
        let last = last.trim_matches('"');
        let (blank, euros, cents) = (if any(4) == 0 { " " } else { "" }, any(100_000), any(100));
        let (year, month, day) = (2015 + any(10), 1 + any(12), 1 + any(28));
        let phone = 2_000_000_000 + any(7_999_999_999);
        writeln!(
            file,
            "{id},{quote}{first} {last}{quote},{blank}User.{id}@Example.COM{blank},{city},\
             {euros}.{cents:02},{year}-{month:02}-{day:02},{phone}"
        )?;
    }
    file.flush()
}

/// `id,region,tier` for every tenth of so many people, in no order.
pub(super) fn regions(path: &Path, people: u32) -> Result<()> {
    /// A prime that divides no power of ten.
    const STEP: u64 = 7919;
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "id,region,tier")?;
    let keys = u64::from(people / BOUND);
    for n in 0..keys {
        let id = (n * STEP % keys + 1) * u64::from(BOUND);
        let mut random = id;
        let (region, tier) = (draw(&mut random, 500), draw(&mut random, 5));
        writeln!(file, "{id},Région {region},{tier}")?;
    }
    file.flush()
}

fn pick<'a>(words: &[&'a str], at: u64) -> &'a str {
    words[usize::try_from(at).unwrap_or(0) % words.len()]
}

/// The next number of splitmix64, below `below`.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, env, fs, process};

    use super::*;

    fn written(name: &str, write: fn(&Path, u32) -> Result<()>, rows: u32) -> String {
        let path = env::temp_dir().join(format!("quadrille-sheet-{}-{name}", process::id()));
        write(&path, rows).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        text
    }

    #[test]
    fn the_same_people_are_written_each_time() {
        let text = written("people-a", people, 2000);
        assert_eq!(text, written("people-b", people, 2000));
        assert_eq!(text.lines().count(), 2001);
        assert!(text.contains(" Brown, Jr.\",") && text.contains(" O'Brien,"));
        let commas = |line: &str| line.matches(',').count() - usize::from(line.contains('"'));
        assert!(text.lines().all(|line| commas(line) == 6));
    }

    #[test]
    fn every_tenth_person_has_one_region() {
        let text = written("regions", regions, 1000);
        let ids: BTreeSet<u32> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(ids, (1..=100).map(|n| n * 10).collect());
        assert_eq!(text.lines().count(), 101);
    }
}
