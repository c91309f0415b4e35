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

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "otpauth://totp/My%20Company:ana%40my-company.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                       &issuer=My%20Company&algorithm=SHA1&digits=6&period=30";

    /// Paints the path again, module by module.
    fn painted(svg: &str, side: usize) -> Vec<Vec<bool>> {
        let mut modules = vec![vec![false; side]; side];
        let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        for run in path.split('z').filter(|run| !run.is_empty()) {
            let (start, rest) = run.strip_prefix('M').unwrap().split_once('h').unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split('v').next().unwrap().parse().unwrap();
            modules[y][x..x + length].fill(true);
        }
        modules
    }

    #[test]
    fn the_path_paints_the_code_inside_a_quiet_zone() {
        let code = QrCode::encode_text(URI, QrCodeEcc::Medium).unwrap();
        let svg = qr_svg(URI).unwrap();
        let side = code.size() + 8;
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
        let modules = painted(&svg, usize::try_from(side).unwrap());
        for y in 0..side {
            for x in 0..side {
                let dark = modules[usize::try_from(y).unwrap()][usize::try_from(x).unwrap()];
                assert_eq!(dark, code.get_module(x - 4, y - 4), "{x} {y}");
            }
        }
    }

    #[test]
    fn the_picture_is_small_accessible_and_needs_no_inline_style() {
        let svg = qr_svg(URI).unwrap();
        assert!(svg.contains("role=\"img\"") && svg.contains("<title>QR code</title>"));
        assert!(!svg.contains("style") && !svg.contains("script") && !svg.contains("secret"));
        assert_eq!(svg.matches("<path").count(), 1);
        assert!(svg.len() < 20_000, "{}", svg.len());
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert!(qr_svg(&"x".repeat(3000)).is_err());
    }
}
