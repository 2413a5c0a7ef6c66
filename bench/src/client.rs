//! A client that costs little, so that what is measured is the server.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most headers of a response.
const HEADERS: usize = 64;
const HEAD_END: &[u8] = b"\r\n\r\n";
/// The end of a body in chunks. No event has an empty line of this form in it.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// A connection on which request follows request.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    received: Vec<u8>,
    may_go_on: bool,
}

/// A response, as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    head: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) is_chunked: bool,
}

struct Head {
    status: u16,
    bytes: usize,
    length: Option<usize>,
    is_chunked: bool,
    closes: bool,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            stream: open(address).await?,
            received: Vec::with_capacity(16 << 10),
            may_go_on: true,
        })
    }

    /// Sends a request and gives the whole response.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Reply<'_>> {
        if !self.may_go_on {
            self.stream = open(self.address).await?;
        }
        self.received.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            self.receive().await?;
            if let Some(head) = Head::parse(&self.received)? {
                break head;
            }
        };
        while !head.is_complete(&self.received) {
            self.receive().await?;
        }
        self.may_go_on = !head.closes;
        let (bytes, body) = self
            .received
            .split_at_checked(head.bytes)
            .context("the head is cut off")?;
        Ok(Reply {
            status: head.status,
            head: bytes,
            body,
            is_chunked: head.is_chunked,
        })
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.received).await?;
        ensure!(read > 0, "the connection ended within a response");
        Ok(())
    }
}

impl Head {
    fn parse(received: &[u8]) -> anyhow::Result<Option<Self>> {
        if !received.windows(HEAD_END.len()).any(|window| window == HEAD_END) {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(bytes) = response.parse(received)? else {
            return Ok(None);
        };
        let status = response.code.context("a response without a status")?;
        let value = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| header.value)
        };
        let length = match value("content-length") {
            Some(value) => Some(str::from_utf8(value)?.parse()?),
            None if matches!(status, 204 | 304) => Some(0),
            None => None,
        };
        let is_chunked = value("transfer-encoding").is_some_and(|value| value == b"chunked");
        Ok(Some(Self {
            status,
            bytes,
            // A response that says that nothing has changed may tell how long it would be.
            length: length.map(|length| if status == 304 { 0 } else { length }),
            is_chunked,
            closes: value("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close")),
        }))
    }

    fn is_complete(&self, received: &[u8]) -> bool {
        let body = received.get(self.bytes..).unwrap_or_default();
        match self.length {
            Some(length) => body.len() >= length,
            None => body.ends_with(LAST_CHUNK),
        }
    }
}

impl Reply<'_> {
    /// The headers that the server says, without those that say how and when it was sent.
    pub(crate) fn headers(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        if response.parse(self.head)?.is_partial() {
            bail!("the head is cut off");
        }
        let mut said = Vec::new();
        for header in response.headers {
            let name = header.name.to_ascii_lowercase();
            if !matches!(
                name.as_str(),
                "date" | "content-length" | "transfer-encoding" | "connection"
            ) {
                said.push((name, str::from_utf8(header.value)?.to_owned()));
            }
        }
        Ok(said)
    }

    /// The pieces that the body came in: one, or its chunks.
    pub(crate) fn pieces(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        if !self.is_chunked {
            return Ok(vec![self.body.to_owned()]);
        }
        let (mut pieces, mut rest) = (Vec::new(), self.body);
        loop {
            let httparse::Status::Complete((line, length)) =
                httparse::parse_chunk_size(rest).map_err(|_| anyhow::anyhow!("a chunk without a size"))?
            else {
                bail!("a chunk is cut off");
            };
            if length == 0 {
                return Ok(pieces);
            }
            let end = line + usize::try_from(length)?;
            pieces.push(rest.get(line..end).context("a chunk is cut off")?.to_owned());
            rest = rest.get(end + 2..).context("a chunk is cut off")?;
        }
    }
}

async fn open(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
