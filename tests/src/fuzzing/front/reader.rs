//! What a strict reader of HTTP/1.1 (RFC 9112) makes of a client's bytes: where each request begins and ends.
//!
//! Two leniencies are the front's and the standard's: empty lines before a request, and lines of a head that end in LF alone
//! (section 2.2). Everything else that could be read in two ways ends the reading.

/// What a client sent.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The whole requests, in order.
    pub(super) requests: Vec<Request>,
    /// What follows them.
    pub(super) rest: Rest,
}

/// A whole request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    /// Whether the client waits for leave to send its body.
    pub(super) expects: bool,
    /// Whether its sender asks for another protocol.
    pub(super) upgrades: bool,
}

/// What follows the whole requests.
#[derive(Debug, Default)]
pub(super) enum Rest {
    /// Nothing, or nothing that is read: the last request was to be the last one.
    #[default]
    Nothing,
    /// The beginning of a request, and how long it is where it has no end of its head.
    Part {
        is_head: bool,
        expects: bool,
        head_bytes: usize,
    },
    /// What is none.
    Wrong { is_head: bool },
}

/// How a request goes on after its head.
enum Framing {
    Length(usize),
    Chunks,
}

struct Head {
    request: Request,
    framing: Framing,
    is_last: bool,
}

/// Why a piece cannot be read.
enum Unread {
    Part,
    Wrong,
}

/// Reads everything.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let mut rest = bytes;
    loop {
        while let [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() || rest == b"\r" {
            return read;
        }
        let is_head = rest.starts_with(b"HEAD ");
        let (head, after) = match head(rest) {
            Ok(read) => read,
            Err(Unread::Part) => {
                read.rest = Rest::Part {
                    is_head,
                    expects: false,
                    head_bytes: rest.len(),
                };
                return read;
            }
            Err(Unread::Wrong) => {
                read.rest = Rest::Wrong { is_head };
                return read;
            }
        };
        let expects = head.request.expects;
        let body = match head.framing {
            Framing::Length(length) => after.get(length..).ok_or(Unread::Part),
            Framing::Chunks => chunks(after),
        };
        rest = match body {
            Ok(rest) => rest,
            Err(Unread::Part) => {
                read.rest = Rest::Part {
                    is_head,
                    expects,
                    head_bytes: 0,
                };
                return read;
            }
            Err(Unread::Wrong) => {
                read.rest = Rest::Wrong { is_head };
                return read;
            }
        };
        read.requests.push(head.request);
        if head.is_last {
            return read;
        }
    }
}

/// The next line without its end, and what follows it.
fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Unread> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(Unread::Part)?;
    let line = &bytes[..end];
    Ok((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

fn head(bytes: &[u8]) -> Result<(Head, &[u8]), Unread> {
    let (first, mut rest) = line(bytes)?;
    let words: Vec<&[u8]> = first.split(|byte| *byte == b' ').collect();
    let &[method, target, version] = words.as_slice() else {
        return Err(Unread::Wrong);
    };
    let is_old = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(Unread::Wrong),
    };
    if !is_token(method) || target.is_empty() || !target.iter().all(|byte| *byte > b' ' && *byte != 127) {
        return Err(Unread::Wrong);
    }
    let mut fields = Vec::new();
    loop {
        let (field, after) = line(rest)?;
        rest = after;
        if field.is_empty() {
            break;
        }
        fields.push(self::field(field)?);
    }
    let has = |name, token: &str| {
        tokens(&fields, name)
            .iter()
            .any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    };
    let codings = tokens(&fields, "transfer-encoding");
    let lengths: Vec<&[u8]> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"content-length"))
        .map(|(_, value)| *value)
        .collect();
    let framing = if let Some(last) = codings.last() {
        if is_old || !last.eq_ignore_ascii_case(b"chunked") {
            return Err(Unread::Wrong);
        }
        Framing::Chunks
    } else {
        Framing::Length(length(&lengths)?)
    };
    let request = Request {
        method: method.to_vec(),
        target: target.to_vec(),
        expects: has("expect", "100-continue"),
        upgrades: has("connection", "upgrade"),
    };
    let is_last = (is_old && !has("connection", "keep-alive"))
        || has("connection", "close")
        || (!codings.is_empty() && !lengths.is_empty())
        || request.method == b"CONNECT";
    let head = Head {
        request,
        framing,
        is_last,
    };
    Ok((head, rest))
}

/// What stands between commas in all fields of a name.
fn tokens<'a>(fields: &[(&'a [u8], &'a [u8])], name: &str) -> Vec<&'a [u8]> {
    let named = fields
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
    let values = named.flat_map(|(_, value)| value.split(|byte| *byte == b','));
    values.map(<[u8]>::trim_ascii).collect()
}

fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Unread> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Unread::Wrong)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_value = value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 127));
    if is_token(name) && is_value {
        Ok((name, value.trim_ascii()))
    } else {
        Err(Unread::Wrong)
    }
}

/// The one length that all fields give; none of them means no body.
fn length(values: &[&[u8]]) -> Result<usize, Unread> {
    let Some(first) = values.first() else { return Ok(0) };
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !is_number || values.iter().any(|other| other != first) {
        return Err(Unread::Wrong);
    }
    let digits = std::str::from_utf8(first).unwrap();
    digits.parse().map_err(|_| Unread::Wrong)
}

/// What follows the last chunk and its trailers.
fn chunks(bytes: &[u8]) -> Result<&[u8], Unread> {
    let mut rest = bytes;
    loop {
        let (first, after) = strict_line(rest)?;
        let digits = first.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extension = first[digits..].trim_ascii_start();
        if digits == 0 || digits > 16 || !(extension.is_empty() || extension.starts_with(b";")) {
            return Err(Unread::Wrong);
        }
        let size = u64::from_str_radix(std::str::from_utf8(&first[..digits]).unwrap(), 16).unwrap();
        rest = after;
        if size == 0 {
            break;
        }
        let data = usize::try_from(size).map_err(|_| Unread::Wrong)?;
        let after = rest.get(data..).ok_or(Unread::Part)?;
        rest = match after {
            [b'\r', b'\n', after @ ..] => after,
            [] | [b'\r'] => return Err(Unread::Part),
            _ => return Err(Unread::Wrong),
        };
    }
    loop {
        let (trailer, after) = strict_line(rest)?;
        rest = after;
        if trailer.is_empty() {
            return Ok(rest);
        }
        field(trailer)?;
    }
}

/// The next line, which CR and LF end and have nothing like them before.
fn strict_line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Unread> {
    let (line, rest) = match bytes.iter().position(|byte| *byte == b'\r' || *byte == b'\n') {
        None => return Err(Unread::Part),
        Some(at) => bytes.split_at(at),
    };
    match rest {
        [b'\r', b'\n', rest @ ..] => Ok((line, rest)),
        [b'\r'] => Err(Unread::Part),
        _ => Err(Unread::Wrong),
    }
}

fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}
