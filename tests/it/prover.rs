//! Somebody who has a key and proves it with every request (RFC 9449).

use std::collections::BTreeMap;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deodar::{
    crypto::{PublicKey, digest, random},
    model::{Algorithm, Clock},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
};

/// See the module.
pub struct Prover {
    pair: Pair,
    clock: Clock,
    /// How it signs.
    pub alg: &'static str,
    /// Its public key.
    pub jwk: Value,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

/// Everything a proof may be signed with.
pub const ALGORITHMS: [&str; 5] = ["ES256", "EdDSA", "RS256", "PS256", "ES384"];

impl TestApp {
    /// Somebody with a key for ES256.
    pub fn prover(&self) -> Prover {
        self.prover_by("ES256")
    }

    /// Somebody with a key for this algorithm.
    pub fn prover_by(&self, alg: &'static str) -> Prover {
        let jwk = |algorithm, public: &[u8]| {
            let mut jwk = PublicKey::new("x", algorithm, public).unwrap().jwk().clone();
            jwk.as_object_mut().unwrap().retain(|name, _| !["kid", "use", "alg"].contains(&name.as_str()));
            jwk
        };
        let (pair, jwk) = match alg {
            "ES256" => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let jwk = jwk(Algorithm::Es256, pair.public_key().as_ref());
                (Pair::Ec(pair), jwk)
            }
            "ES384" => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
                let point = pair.public_key().as_ref()[1..].to_vec();
                let [x, y] = [&point[..48], &point[48..]].map(|half| URL_SAFE_NO_PAD.encode(half));
                (Pair::Ec(pair), json!({ "kty": "EC", "crv": "P-384", "x": x, "y": y }))
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let jwk = jwk(Algorithm::EdDsa, pair.public_key().as_ref());
                (Pair::Ed(pair), jwk)
            }
            _ => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let jwk = jwk(Algorithm::Rs256, pair.public_key().as_ref());
                let padding: &'static dyn RsaEncoding =
                    if alg == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                (Pair::Rsa(pair, padding), jwk)
            }
        };
        Prover { pair, clock: self.clock.clone(), alg, jwk }
    }
}

impl Prover {
    /// The thumbprint of the key (RFC 7638).
    pub fn jkt(&self) -> String {
        // The required members in the order of the alphabet.
        let members: BTreeMap<&String, &Value> = self.jwk.as_object().unwrap().iter().collect();
        URL_SAFE_NO_PAD.encode(digest(serde_json::to_string(&members).unwrap().as_bytes()))
    }

    /// The header of its proofs.
    pub fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk })
    }

    /// What a proof for this request says.
    pub fn claims(&self, method: &str, path: &str, token: Option<&str>) -> Value {
        let jti = URL_SAFE_NO_PAD.encode(random::<16>().unwrap());
        let now = self.clock.now().unix_timestamp();
        let mut claims = json!({ "jti": jti, "htm": method, "htu": format!("{ISSUER}{path}"), "iat": now });
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(digest(token.as_bytes())));
        }
        claims
    }

    /// Signs whatever.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let bytes = message.as_bytes();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), bytes, &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A proof for this request.
    pub fn proof(&self, method: &str, path: &str, token: Option<&str>) -> String {
        self.sign(&self.header(), &self.claims(method, path, token))
    }

    /// A request with a token that is bound to the key.
    pub fn request(&self, actor: &Actor, method: Method, path: &str, token: &str) -> RequestBuilder {
        let bare = path.split('?').next().unwrap();
        let proof = self.proof(method.as_str(), bare, Some(token));
        let request = actor.http.request(method, format!("{}{path}", actor.base));
        request.header("authorization", format!("DPoP {token}")).header("dpop", proof)
    }

    /// The same, sent.
    pub async fn send(&self, actor: &Actor, method: Method, path: &str, token: &str) -> Answer {
        Answer::read(self.request(actor, method, path, token).send().await.unwrap()).await
    }

    /// A form at the token endpoint, with a proof.
    pub async fn token_form(&self, actor: &Actor, form: &[(&str, &str)]) -> Answer {
        actor.token_form_with(form, &[&self.proof("POST", "/oauth/token", None)]).await
    }
}

impl Actor {
    /// A form at the token endpoint with these headers `DPoP`, by this application's own credentials if it has some.
    pub async fn token_form_with(&self, form: &[(&str, &str)], proofs: &[&str]) -> Answer {
        let mut request = self.http.post(format!("{}/oauth/token", self.base));
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        let mut form = form.to_vec();
        if let (Some(who), Some(secret)) = (&self.who, &self.secret) {
            form.extend([("client_id", who.id.as_str()), ("client_secret", secret.as_str())]);
        }
        Answer::read(request.form(&form).send().await.unwrap()).await
    }
}
