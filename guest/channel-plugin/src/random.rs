//! Randomness as `rand_core` wants it, over whatever a component is given: make secrets from nothing else.

use std::fmt::Write as _;

use rand_core::{Infallible, TryCryptoRng, TryRng};

/// A cryptographic source that fills buffers through one function of the host.
#[derive(Debug)]
pub struct Random {
    fill: fn(&mut [u8]),
}

impl Random {
    /// A source over `fill`, which must write unpredictable bytes to the whole buffer.
    pub const fn new(fill: fn(&mut [u8])) -> Self {
        Self { fill }
    }

    /// A secret of 256 random bits, as 64 hex digits. It needs no key and no slow hash where it is kept.
    pub fn token(&mut self) -> String {
        let mut bytes = [0_u8; 32];
        (self.fill)(&mut bytes);
        let mut token = String::with_capacity(64);
        for byte in bytes {
            // Writing to a `String` cannot fail.
            let _ = write!(token, "{byte:02x}");
        }
        token
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.fill)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.fill)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        (self.fill)(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random {}
