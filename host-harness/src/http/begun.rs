//! A connection from which some bytes have come already, which are read again by whoever reads it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How a client begins that speaks HTTP/2 without having asked (RFC 9113, section 3.4). No method begins so.
const PREFACE: [u8; 4] = *b"PRI ";

/// A connection after its first bytes.
#[derive(Debug)]
pub(super) struct Begun<S> {
    /// What came and was not read again yet.
    came: Bytes,
    stream: S,
}

impl<S> Begun<S> {
    /// A connection from which this has come.
    pub(super) fn new(came: Bytes, stream: S) -> Self {
        Self { came, stream }
    }

    /// What is still to be read again, and the connection.
    pub(super) fn into_parts(self) -> (Bytes, S) {
        (self.came, self.stream)
    }
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Waits until it is known what is spoken on a connection.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) async fn on(mut stream: S) -> io::Result<Self> {
        let mut first = [0; PREFACE.len()];
        let mut came = 0;
        // They may come one by one.
        while let Some(rest) = first.get_mut(came..).filter(|rest| !rest.is_empty()) {
            let read = stream.read(rest).await?;
            came += read;
            if read == 0 || first.get(..came) != PREFACE.get(..came) {
                break;
            }
        }
        let came = Bytes::copy_from_slice(first.get(..came).unwrap_or_default());
        Ok(Self { came, stream })
    }

    /// Whether HTTP/2 is spoken on it, of which nothing was read again yet.
    pub(super) fn is_http2(&self) -> bool {
        self.came == PREFACE[..]
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.came.is_empty() || buffer.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.came.len().min(buffer.remaining());
        buffer.put_slice(&self.came.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What is spoken, and all that is read, where bytes come in these pieces.
    async fn begin(pieces: &[&str]) -> (bool, String) {
        let (mut client, server) = tokio::io::duplex(64);
        let send = async {
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.unwrap();
                // The other side takes what is there.
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let receive = async {
            let mut begun = Begun::on(server).await.unwrap();
            let (is_http2, mut text) = (begun.is_http2(), String::new());
            begun.read_to_string(&mut text).await.unwrap();
            (is_http2, text)
        };
        tokio::join!(receive, send).0
    }

    #[tokio::test]
    async fn what_is_spoken_is_known_however_the_first_bytes_come() {
        let rows: [(&[&str], bool); 8] = [
            (&["PRI * HTTP/2.0"], true),
            (&["P", "R", "I", " ", "* HTTP/2.0"], true),
            (&["PRI ", "*"], true),
            (&["PRI", "X / HTTP/1.1"], false),
            (&["P", "OST / HTTP/1.1"], false),
            (&["GET / HTTP/1.1"], false),
            (&["PRI"], false),
            (&[], false),
        ];
        for (pieces, is_http2) in rows {
            assert_eq!(begin(pieces).await, (is_http2, pieces.concat()), "{pieces:?}");
        }
    }
}
