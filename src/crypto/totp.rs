//! Time-based one-time passwords (RFC 6238) as authenticator apps make them: SHA-1, six digits, 30 seconds.

use totp_rs::{Builder, Totp};

use super::{CryptoError, random};
use crate::model::Secret;

/// The seconds of a step.
const STEP: u64 = 30;

/// What a person's authenticator app and this server share: 160 random bits (RFC 4226 §4 R6).
#[derive(Clone, Debug)]
pub struct TotpSecret(Secret<[u8; 20]>);

impl TotpSecret {
    /// A fresh secret.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> Result<Self, CryptoError> {
        random().map(Secret::new).map(Self)
    }

    /// Takes back what [`Self::bytes`] gave. `None` unless it is 20 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Secret::new).map(Self)
    }

    /// The bytes, for sealing.
    pub fn bytes(&self) -> &[u8; 20] {
        self.0.expose()
    }

    /// In base32 (RFC 4648 §6) without padding, for people who type it.
    pub fn base32(&self) -> String {
        totp_rs::Secret::from(*self.bytes()).to_base32()
    }

    /// What the QR code of an enrolment holds: an `otpauth` URI (Key URI Format). A colon parts the names there, so one
    /// inside them becomes a space.
    ///
    /// # Errors
    /// When `account` is empty.
    pub fn otpauth_uri(&self, issuer: &str, account: &str) -> Result<String, CryptoError> {
        let named =
            self.builder().with_issuer(Some(issuer.replace(':', " "))).with_account_name(account.replace(':', " "));
        let uri = named.build().and_then(|totp| totp.to_url());
        // The defaults, spelled out for apps that have others.
        uri.map(|uri| uri + "&algorithm=SHA1&digits=6&period=30").map_err(|_| CryptoError("writing an `otpauth` URI"))
    }

    /// The step whose code this is, if it may be used `now` (in Unix seconds): the current one or the one before, and
    /// later than `last_step`, the last one used (RFC 6238 §5.2). Keep the answer as the next `last_step`, by a
    /// statement that lets one of two simultaneous uses win.
    ///
    /// Never the next step: a clock that runs ahead is rarer than somebody who looks over a shoulder.
    pub fn check(&self, code: &str, now: u64, last_step: Option<u64>) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let (totp, current) = (self.totp()?, now / STEP);
        // Both are computed and compared in constant time, whatever the first comparison says (V-082).
        let matching =
            [Some(current), current.checked_sub(1)].map(|step| step.and_then(|s| totp.check(&code, s * STEP)));
        matching.into_iter().flatten().find(|step| last_step.is_none_or(|last| *step > last))
    }

    fn builder(&self) -> Builder {
        Builder::new().with_secret(*self.bytes()).with_skew(0).with_step_duration(STEP)
    }

    fn totp(&self) -> Option<Totp> {
        self.builder().build().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1: time and the last six of its eight digits.
    const VECTORS: [(u64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        for (now, code) in VECTORS {
            assert_eq!(secret().check(code, now, None), Some(now / 30), "{now}");
        }
    }

    /// N-161, V-031.
    #[test]
    fn a_code_holds_for_its_own_step_and_the_next() {
        for (then, code) in VECTORS {
            let step = then / 30;
            for (offset, accepted) in [(-60, false), (-30, false), (0, true), (30, true), (60, false)] {
                let now = then.checked_add_signed(offset);
                // The first vector lies in the step 1.
                let Some(now) = now else { continue };
                assert_eq!(secret().check(code, now, None), accepted.then_some(step), "{code} at {offset} s");
            }
        }
        let start = 1_111_111_110;
        assert_eq!(secret().check("050471", start, None), Some(start / 30));
        assert_eq!(secret().check("050471", start + 59, None), Some(start / 30));
        assert_eq!(secret().check("050471", start - 1, None), None);
        assert_eq!(secret().check("050471", start + 60, None), None);
    }

    /// N-159, N-160, V-030.
    #[test]
    fn a_used_step_and_those_before_it_are_over() {
        let (earlier, now) = ("081804", 1_111_111_111);
        let step = now / 30;
        assert_eq!(secret().check("050471", now, Some(step - 1)), Some(step));
        assert_eq!(secret().check("050471", now, Some(step)), None);
        assert_eq!(secret().check("050471", now, Some(step + 1)), None);
        assert_eq!(secret().check(earlier, now, None), Some(step - 1));
        assert_eq!(secret().check(earlier, now, Some(step - 2)), Some(step - 1));
        assert_eq!(secret().check(earlier, now, Some(step)), None);
    }

    #[test]
    fn spaces_do_not_count_and_nothing_else_is_read_into_a_code() {
        assert!(secret().check(" 287 082\n", 59, None).is_some());
        for code in ["", "28708", "2870820", "+87082", "28708x", "２８７０８２", "287-082", &"2".repeat(1 << 20)]
        {
            assert_eq!(secret().check(code, 59, None), None);
        }
    }

    #[test]
    fn time_may_begin() {
        assert_eq!(secret().check("755224", 0, None), Some(0));
    }

    /// V-032, N-163.
    #[test]
    fn a_secret_has_160_bits_and_does_not_print() {
        let (one, other) = (TotpSecret::new().unwrap(), TotpSecret::new().unwrap());
        assert_ne!(one.bytes(), other.bytes());
        assert_eq!(one.base32().len(), 32);
        assert_eq!(TotpSecret::from_bytes(one.bytes()).unwrap().bytes(), one.bytes());
        assert!(TotpSecret::from_bytes(&[0; 19]).is_none());
        assert!(!format!("{:?}", secret()).contains("49"));
        assert_eq!(secret().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_uri_names_issuer_and_account_percent_encoded() {
        assert_eq!(
            secret().otpauth_uri("My Company: ID", "ana+x@my-company.com").unwrap(),
            "otpauth://totp/My%20Company%20%20ID:ana%2Bx%40my-company.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=My%20Company%20%20ID&algorithm=SHA1&digits=6&period=30"
        );
        assert!(secret().otpauth_uri("Deodar", "").is_err());
    }
}
