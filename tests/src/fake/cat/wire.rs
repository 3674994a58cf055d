//! Frames by hand, so that half of one can be sent too.
use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use super::Writer;

pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8A;

/// A frame that came, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, RSV and opcode.
    pub first: u8,
    pub is_masked: bool,
    pub payload: Vec<u8>,
}

pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(u8::try_from(short).expect("at most 125")),
        medium @ 126..=0xFFFF => {
            bytes.push(126);
            bytes.extend(u16::try_from(medium).expect("two bytes").to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend(u64::try_from(long).expect("eight bytes").to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// False when the connection is gone.
pub(super) async fn write(to: &Writer, first: u8, payload: &[u8]) -> bool {
    bytes(to, &frame(first, payload)).await
}

pub(super) async fn bytes(to: &Writer, bytes: &[u8]) -> bool {
    to.lock().await.write_all(bytes).await.is_ok()
}

/// One byte at a time.
pub(super) async fn drip(to: &Writer, text: &str, every: Duration) {
    for byte in frame(TEXT, text.as_bytes()) {
        if !bytes(to, &[byte]).await {
            return;
        }
        sleep(every).await;
    }
}

pub(super) async fn cut(to: &Writer) {
    // It may be gone already.
    to.lock().await.shutdown().await.ok();
}

pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let first = from.read_u8().await?;
    let second = from.read_u8().await?;
    let length = match second & 0x7F {
        126 => u64::from(from.read_u16().await?),
        127 => from.read_u64().await?,
        short => u64::from(short),
    };
    let is_masked = second & 0x80 != 0;
    let mut mask = [0; 4];
    if is_masked {
        from.read_exact(&mut mask).await?;
    }
    let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(Frame { first, is_masked, payload })
}
