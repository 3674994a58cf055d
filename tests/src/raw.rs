//! WebSocket frames by hand, for what no client library would send.
use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{
    Gateway,
    http::{self, HANDSHAKE, Response},
    patience::within,
};

pub const FIN: u8 = 0x80;
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

#[derive(Debug)]
pub struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    pub async fn connect(gateway: &Gateway) -> Self {
        Self::connect_with(gateway.address(), &[]).await
    }

    /// Shows a token.
    pub async fn signed_in(gateway: &Gateway, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        Self::open(gateway.address(), &[("Authorization", &bearer)], &[]).await
    }

    /// Sends `bytes` together with the handshake.
    pub async fn connect_with(at: SocketAddr, bytes: &[u8]) -> Self {
        Self::open(at, &[], bytes).await
    }

    async fn open(at: SocketAddr, headers: &[(&str, &str)], bytes: &[u8]) -> Self {
        let opened = Self::knock(at, "/ws", headers, bytes).await;
        opened.unwrap_or_else(|answer| panic!("no WebSocket, but {answer:?}"))
    }

    /// Asks for a WebSocket at this path. The error is the answer that there is none.
    pub async fn knock(
        at: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
        bytes: &[u8],
    ) -> Result<Self, Response> {
        let stream = TcpStream::connect(at).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut stream = BufReader::new(stream);
        let headers: Vec<_> = HANDSHAKE.iter().chain(headers).copied().collect();
        let head = http::head(at, "GET", path, &headers);
        stream.write_all(&[head.as_bytes(), bytes].concat()).await.expect("the connection is open");
        let answer = within("the handshake", http::response(&mut stream)).await;
        let answer = answer.expect("a response");
        if answer.status == 101 { Ok(Self { stream }) } else { Err(answer) }
    }

    /// Sends bytes as they are. The gateway may have closed already, and the test then reads why.
    pub async fn send(&mut self, bytes: &[u8]) {
        within("room to send", self.stream.write_all(bytes)).await.ok();
    }

    /// Sends nothing more; what the gateway sends can still be read.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.ok();
    }

    /// Sends bytes while reading, because a gateway that has seen enough stops taking them.
    pub async fn send_until_closed(mut self, bytes: &[u8]) -> (u16, String) {
        let (mut reader, mut writer) = self.stream.get_mut().split();
        let send = async {
            writer.write_all(bytes).await.ok();
            std::future::pending::<()>().await;
        };
        let read = closed(&mut reader);
        within("a close frame", async {
            tokio::select! {
                () = send => (1006, "never".to_owned()),
                closed = read => closed,
            }
        })
        .await
    }

    /// Sends bytes while reading, and gives the payloads of the next `count` text frames.
    pub async fn flood(&mut self, bytes: &[u8], count: usize) -> Vec<Vec<u8>> {
        let (reader, mut writer) = self.stream.get_mut().split();
        let mut reader = BufReader::new(reader);
        let send = async { writer.write_all(bytes).await.expect("the connection is open") };
        let read = async {
            let mut payloads = Vec::new();
            while payloads.len() < count {
                let frame = within("an answer", read_frame(&mut reader)).await;
                let (first, payload) = frame.expect("the connection is open");
                if first & 0x0F == TEXT {
                    payloads.push(payload);
                }
            }
            payloads
        };
        let ((), payloads) = tokio::join!(send, read);
        assert_eq!(reader.buffer(), b"", "a frame too many");
        payloads
    }

    /// The next frame: its first byte and its payload. `None` at the end of the stream.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        within("a frame", read_frame(&mut self.stream)).await
    }

    /// Skips frames up to the close frame; 1006 if the stream ends without one.
    pub async fn closed(&mut self) -> (u16, String) {
        within("a close frame", closed(&mut self.stream)).await
    }
}

/// A masked frame, as a client must send it. `first` is the byte of FIN, RSV and opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = header(first, payload.len(), 0x80);
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame without a mask, which only a server may send.
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len(), 0);
    bytes.extend_from_slice(payload);
    bytes
}

fn header(first: u8, length: usize, mask_bit: u8) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(mask_bit | u8::try_from(length).expect("at most 125")),
        126..=0xFFFF => {
            bytes.push(mask_bit | 0x7E);
            bytes.extend(u16::try_from(length).expect("at most 65535").to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 0x7F);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes
}

async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let length = match stream.read_u8().await.ok()? & 0x7F {
        126 => u64::from(stream.read_u16().await.ok()?),
        127 => stream.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).ok()?];
    stream.read_exact(&mut payload).await.ok()?;
    Some((first, payload))
}

async fn closed(stream: &mut (impl AsyncReadExt + Unpin)) -> (u16, String) {
    loop {
        match read_frame(stream).await {
            Some((first, payload)) if first & 0x0F == CLOSE => {
                let Some((code, reason)) = payload.split_first_chunk() else {
                    return (1005, String::new());
                };
                let reason = String::from_utf8_lossy(reason).into_owned();
                return (u16::from_be_bytes(*code), reason);
            }
            Some(_) => {}
            None => return (1006, "end of stream".to_owned()),
        }
    }
}
