//! Clients from many addresses: every address of the loopback network is this machine's, and to the harness each is
//! somebody else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::DEADLINE;

/// A connection on which request follows request.
#[derive(Debug)]
pub struct Visitor {
    stream: BufReader<TcpStream>,
    host: String,
}

/// The `number`th address of the loopback network after `127.0.0.1`.
pub fn loopback(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

impl Visitor {
    /// Connects from an address.
    pub fn open(from: Ipv4Addr, to: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into()).unwrap();
        socket.connect_timeout(&to.into(), DEADLINE).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
            host: format!("localhost:{}", to.port()),
        }
    }

    /// A request that redeems a code, as bytes.
    pub fn redeeming(&self, code: &str) -> Vec<u8> {
        let body = serde_json::json!({ "code": code }).to_string();
        format!(
            "POST /api/auth/redeem HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .into_bytes()
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// The status of the next response, and whether it sets a cookie.
    pub fn outcome(&mut self) -> (u16, bool) {
        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let (mut length, mut sets_cookie) = (0, false);
        loop {
            let line = self.line().to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some((name, _)) => sets_cookie |= name == "set-cookie",
            }
        }
        self.stream.read_exact(&mut vec![0; length]).unwrap();
        (status, sets_cookie)
    }

    /// Whether the harness closes the connection, instead of answering what is sent now.
    pub fn is_closed_after(&mut self, bytes: &[u8]) -> bool {
        // A closed connection may say so by a reset.
        let _ = self.stream.get_mut().write_all(bytes);
        matches!(self.stream.fill_buf(), Ok([]) | Err(_))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.stream.read_line(&mut line).unwrap() > 0, "the connection ended");
        line.trim_end().to_owned()
    }
}
