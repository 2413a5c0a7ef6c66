//! One connection, byte by byte: for requests that no well-behaved client makes, and below those that one does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::DEADLINE;

/// A connection to the harness.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub struct Incoming {
    /// Its status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
}

/// A body without its framing. Its end is an error unless the framing says that it is the end (RFC 9112, section 8).
#[derive(Debug)]
pub struct Body {
    stream: BufReader<TcpStream>,
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    /// Bytes still to come.
    Length(u64),
    /// Bytes of the chunk still to come; none before the first one.
    Chunked(Option<u64>),
    UntilClosed,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream: BufReader::new(stream),
        })
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a request with its body, after which the connection is closed.
    pub fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str(&format!("host: localhost:{}\r\n", self.address.port()));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        // An answer may come before the whole body is taken.
        let _ = self.stream.get_mut().write_all(&[head.as_bytes(), body].concat());
    }

    /// Reads the head of the response.
    pub fn response(self) -> Incoming {
        self.try_response().unwrap()
    }

    /// As [`Connection::response`], from a harness that may end at any moment.
    ///
    /// # Errors
    /// When the connection ends in the head.
    pub fn try_response(mut self) -> io::Result<Incoming> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if self.stream.read_until(b'\n', &mut head)? == 0 {
                let head = String::from_utf8_lossy(&head);
                let error = format!("the connection ended in the head: {head:?}");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        assert!(response.parse(&head).unwrap().is_complete());
        let status = response.code.unwrap();
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        let headers: Vec<(String, String)> = response
            .headers
            .iter()
            .map(|header| (header.name.to_lowercase(), text(header.value)))
            .collect();
        let value = |name: &str| {
            headers
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value.as_str())
        };
        let framing = match (value("transfer-encoding"), value("content-length")) {
            (Some("chunked"), _) => Framing::Chunked(None),
            (_, Some(length)) => Framing::Length(length.parse().unwrap()),
            _ => Framing::UntilClosed,
        };
        Ok(Incoming {
            status,
            headers,
            body: Body {
                stream: self.stream,
                framing,
            },
        })
    }
}

impl Body {
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn next_chunk(&mut self, after: Option<u64>) -> io::Result<u64> {
        if after.is_some() {
            self.line()?;
        }
        let line = self.line()?;
        let size = u64::from_str_radix(&line, 16).map_err(io::Error::other)?;
        if size == 0 {
            self.line()?;
        }
        Ok(size)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = match self.framing {
            Framing::UntilClosed => return self.stream.read(buffer),
            Framing::Length(left) => left,
            Framing::Chunked(Some(left)) if left > 0 => left,
            Framing::Chunked(after) => {
                let size = self.next_chunk(after)?;
                self.framing = if size == 0 {
                    Framing::Length(0)
                } else {
                    Framing::Chunked(Some(size))
                };
                size
            }
        };
        if left == 0 {
            return Ok(0);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stream.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = left - u64::try_from(read).unwrap();
        self.framing = match self.framing {
            Framing::Chunked(_) => Framing::Chunked(Some(left)),
            _ => Framing::Length(left),
        };
        Ok(read)
    }
}
