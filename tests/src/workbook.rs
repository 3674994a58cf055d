//! Workbooks made byte by byte, with what no spreadsheet program would write.
use std::io::Write as _;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// The content of a part, compressed.
#[derive(Debug)]
pub struct Packed {
    bytes: Vec<u8>,
    /// Uncompressed size that the archive declares.
    told: u32,
    crc: u32,
}

const RELATIONS: &str = r#"<Relationships><Relationship Id="r1" Type="x/officeDocument"
 Target="xl/workbook.xml"/></Relationships>"#;

const WORKBOOK: &str = r#"<workbook xmlns:r="x"><sheets><sheet name="One" sheetId="1" r:id="r1"/>
</sheets></workbook>"#;

const PARTS: &str = r#"<Relationships><Relationship Id="r1" Type="x/worksheet" Target="one.xml"/>
<Relationship Id="r2" Type="x/sharedStrings" Target="texts.xml"/></Relationships>"#;

/// An empty block that is the last one.
const END: [u8; 2] = [3, 0];

impl Packed {
    pub fn new(text: &str) -> Self {
        let told = u32::try_from(text.len()).expect("a short text");
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        Self { bytes: [&*block(text), &END].concat(), told, crc: crc.sum() }
    }

    /// `begin`, and `again` so many times, which are compressed only once.
    pub fn repeated(begin: &str, again: &str, times: usize) -> Self {
        let mut bytes = block(begin);
        bytes.extend(block(again).repeat(times));
        bytes.extend(END);
        let told = begin.len() + times * again.len();
        Self { bytes, told: u32::try_from(told).expect("less than 4 GiB"), crc: 0 }
    }

    /// The archive says that it unzips to this.
    #[must_use]
    pub fn told(self, told: u32) -> Self {
        Self { told, ..self }
    }
}

/// A workbook of one sheet, and of texts that its cells share.
pub fn workbook(sheet: Packed, texts: Packed) -> Vec<u8> {
    archive(&[
        ("_rels/.rels", Packed::new(RELATIONS)),
        ("xl/workbook.xml", Packed::new(WORKBOOK)),
        ("xl/_rels/workbook.xml.rels", Packed::new(PARTS)),
        ("xl/texts.xml", texts),
        ("xl/one.xml", sheet),
    ])
}

fn archive(parts: &[(&str, Packed)]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for (name, part) in parts {
        let at = small(all.len());
        let length = small(part.bytes.len());
        // Deflated, on the first day there is.
        let [version, method] = [20_u16, 8].map(u16::to_le_bytes);
        let day = [0, 0, 0x21, 0];
        let sizes = [part.crc, length, part.told].map(u32::to_le_bytes).concat();
        let named = u16::try_from(name.len()).expect("a short name").to_le_bytes();
        let head = [&version[..], &[0, 0], &method, &day, &sizes, &named, &[0, 0]].concat();
        all.extend([b"PK\x03\x04", &*head, name.as_bytes(), &part.bytes].concat());
        let place = [&[0; 10][..], &at.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02", &version[..], &head, &place, name.as_bytes()].concat());
    }
    let count = u16::try_from(parts.len()).expect("few parts").to_le_bytes();
    let places = [small(directory.len()), small(all.len())].map(u32::to_le_bytes).concat();
    all.extend(directory);
    all.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &places, &[0, 0]].concat());
    all
}

fn small(length: usize) -> u32 {
    u32::try_from(length).expect("a small archive")
}

/// A piece that refers to nothing before it and ends at a byte.
fn block(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.flush()).expect("it goes to memory");
    encoder.get_ref().clone()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn what_is_repeated_unzips_to_all_of_it() {
        let packed = Packed::repeated("begin ", "again and ", 1000);
        let mut text = String::new();
        DeflateDecoder::new(&*packed.bytes).read_to_string(&mut text).unwrap();
        assert_eq!(text, "begin ".to_owned() + &"again and ".repeat(1000));
        assert_eq!(packed.told as usize, text.len());
    }
}
