//! Base64 (RFC 4648), in which WebDriver hands over pictures.

/// Bytes of a text that a browser wrote.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut held_bits) = (0_u32, 0);
    for character in text.bytes().take_while(|&character| character != b'=') {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => panic!("{other:#x} is no base64"),
        };
        held = (held << 6 | u32::from(value)) & 0xfff;
        held_bits += 6;
        if held_bits >= 8 {
            held_bits -= 8;
            bytes.push(u8::try_from(held >> held_bits & 0xff).unwrap());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_examples_of_the_standard() {
        let examples = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, example) in examples.into_iter().enumerate() {
            assert_eq!(decode(example), &b"foobar"[..length], "{example}");
        }
        assert_eq!(decode("+/+/"), [0xfb, 0xff, 0xbf]);
    }
}
