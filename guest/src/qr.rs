//! The QR code of a link, as the page draws it.

use qrcodegen::{QrCode, QrCodeEcc};
use serde::Serialize;

/// A QR code as the path of an SVG, one unit a module, without the quiet zone of four modules around it.
#[derive(Debug, Serialize)]
pub(crate) struct Drawing {
    /// Modules on each side.
    size: i32,
    /// The attribute `d`: each run of dark modules as one rectangle.
    path: String,
}

/// Draws a text, unless it is too long for any QR code.
pub(crate) fn drawing(text: &str) -> Option<Drawing> {
    // A screen is clean, so that little has to be corrected; a smaller code is scanned from further away.
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let run = (x..size).take_while(|x| code.get_module(*x, y)).count();
            if run > 0 {
                path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
            }
            // What follows a run is light.
            x += i32::try_from(run).ok()? + 1;
        }
    }
    Some(Drawing { size, path })
}
