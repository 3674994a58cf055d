//! The publications that are sent and the channel names they carry, all of one length per run.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// The first sequence number: ten digits without a leading zero, so it is JSON and stays as long.
pub(crate) const FIRST_SEQ: u64 = 1_000_000_000;
pub(crate) const SEQ_DIGITS: usize = 10;
/// How every publication begins, and no other frame of the protocol.
pub(crate) const START: &[u8] = br#"{"channel":"bench-"#;

/// Names channels that no other run and no other round uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    run: u32,
    round: u32,
}

impl Names {
    pub(crate) fn new(round: u32) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { run: now.subsec_nanos() ^ std::process::id().rotate_left(16), round }
    }

    pub(crate) fn channel(self, number: usize) -> String {
        format!("bench-{:08x}-{:02}-{number:06}", self.run, self.round % 100)
    }
}

/// The envelope form of a subscription.
pub(crate) fn subscribe(channel: &str) -> String {
    format!(
        r#"{{"channel":"subscription","payload":{{"action":"subscribe","channel":"{channel}"}}}}"#
    )
}

/// Where things are in every publication of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) size: usize,
    pub(crate) seq_at: usize,
}

/// A publication of exactly `size` bytes that carries [`FIRST_SEQ`].
pub(crate) fn publication(channel: &str, size: usize) -> Result<(String, Shape)> {
    let head = format!(r#"{{"channel":"{channel}","payload":{{"seq":"#);
    let bare = format!(r#"{head}{FIRST_SEQ},"pad":""}}}}"#);
    let Some(pad) = size.checked_sub(bare.len()).filter(|_| size <= 32 * 1024) else {
        bail!("a message of {size} bytes cannot be made: choose {} to 32768", bare.len());
    };
    let text = format!(r#"{head}{FIRST_SEQ},"pad":"{}"}}}}"#, "x".repeat(pad));
    Ok((text, Shape { size, seq_at: head.len() }))
}

/// Reads the sequence number of a publication.
pub(crate) fn seq(text: &[u8], shape: Shape) -> Option<u64> {
    let digits = text.get(shape.seq_at..shape.seq_at + SEQ_DIGITS)?;
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
    })
}

/// The ten digits of a sequence number.
pub(crate) fn digits(mut seq: u64) -> [u8; SEQ_DIGITS] {
    let mut digits = [b'0'; SEQ_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(seq % 10).expect("below ten");
        seq /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_is_json_of_the_wanted_size() {
        let channel = Names::new(1).channel(7);
        let (text, shape) = publication(&channel, 256).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.len(), 256);
        assert!(text.as_bytes().starts_with(START));
        assert_eq!(value["payload"]["seq"], FIRST_SEQ);
        assert_eq!(seq(text.as_bytes(), shape), Some(FIRST_SEQ));
        assert!(publication(&channel, 20).is_err());
    }

    #[test]
    fn digits_are_read_back() {
        let text = digits(FIRST_SEQ + 120_305);
        assert_eq!(seq(&text, Shape { size: 10, seq_at: 0 }), Some(FIRST_SEQ + 120_305));
    }
}
