//! QR codes as small SVG pictures.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

use super::CryptoError;

/// The light border that readers need, in modules (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

/// A QR code of `text` as an SVG element to put into a page. Dark on light in every colour scheme, as readers ask; without
/// style attributes, which the content security policy forbids.
///
/// # Errors
/// When the text has more than about 2 300 bytes.
pub fn qr_svg(text: &str) -> Result<String, CryptoError> {
    let code =
        QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|_| CryptoError("drawing a QR code of a long text"))?;
    let side = code.size() + 2 * QUIET;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         shape-rendering=\"crispEdges\"><title>QR code</title><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path fill=\"#000\" d=\"{}\"/></svg>",
        path(&code)
    ))
}

/// One rectangle for each run of dark modules in a row.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            // Outside of the code everything is light, so every run ends.
            let run = (x..).take_while(|x| code.get_module(*x, y)).count();
            if run > 0 {
                // Writing to a text does not fail.
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += i32::try_from(run).unwrap_or(i32::MAX - x).max(1);
        }
    }
    path
}
