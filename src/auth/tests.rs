//! Credentials as a client brings them, against a real data folder; foreign keys are those of `tests/fixtures`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use callboard_actors::protocol::{AgentName, ChannelId, Scope, Scopes, TenantId, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::{Config, ConfigError};

const RSA: &[u8] = include_bytes!("../../tests/fixtures/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("../../tests/fixtures/rsa.pub.pem");
const EC: &[u8] = include_bytes!("../../tests/fixtures/ec.pem");
const ED: &[u8] = include_bytes!("../../tests/fixtures/ed.pem");
const JWKS: &str = include_str!("../../tests/fixtures/jwks.json");

/// A data folder, a JWKS file, and who checks against them.
struct World {
    folder: TempDir,
    config: AuthConfig,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default().auth;
        config.jwks_file = Some(folder.path().join("jwks.json"));
        let world = Self { folder, config };
        std::fs::write(world.jwks(), JWKS).unwrap();
        world
    }

    fn jwks(&self) -> PathBuf {
        self.config.jwks_file.clone().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn door(&self) -> Authenticator {
        Authenticator::new(&self.config, &self.data()).unwrap()
    }

    /// The server's own key for signing.
    fn own(&self) -> EncodingKey {
        Signer::open(&self.data()).unwrap();
        EncodingKey::from_secret(std::fs::read_to_string(self.data().join("secret")).unwrap().trim().as_bytes())
    }

    fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        enter(&self.door(), token)
    }
}

fn enter(door: &Authenticator, credential: &str) -> Result<Principal, AuthError> {
    let presented = Presented::read("", Some(&format!("Bearer {credential}")), None);
    door.authenticate(&presented, Need::Always, &Subject::trusted("nobody"))
}

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

fn claims() -> Value {
    json!({"sub": "worker", "tenant_id": "acme", "agent_id": "worker", "exp": now() + 600})
}

/// The usual claims with some replaced; `null` takes one away.
fn claims_but(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn sign(algorithm: Algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn foreign(algorithm: Algorithm) -> (&'static str, EncodingKey) {
    match algorithm {
        Algorithm::RS256 => ("rsa", EncodingKey::from_rsa_pem(RSA).unwrap()),
        Algorithm::ES256 => ("ec", EncodingKey::from_ec_pem(EC).unwrap()),
        _ => ("ed", EncodingKey::from_ed_pem(ED).unwrap()),
    }
}

const FOREIGN: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

#[test]
fn a_token_of_the_command_line_lets_its_agent_in() {
    let world = World::new();
    let grant = Grant {
        tenant: TenantId::trusted("acme"),
        agent: AgentName::trusted("worker"),
        channels: Some(vec![ChannelId::trusted("news")]),
        scopes: Some(vec![Scope::ChannelSubscribe]),
        life: Duration::from_secs(600),
    };
    let token = Signer::open(&world.data()).unwrap().sign(&grant).unwrap();
    let principal = world.verify(&token).unwrap();
    assert_eq!((principal.tenant.as_str(), principal.subject.as_str()), ("acme", "worker"));
    assert_eq!(principal.agent, Some(AgentName::trusted("worker")));
    assert!(principal.may_use(&ChannelId::trusted("news")) && !principal.may_use(&ChannelId::trusted("other")));
    assert!(principal.scopes.has(Scope::ChannelSubscribe) && !principal.scopes.has(Scope::ChannelPublish));
    assert!(principal.authenticated);
    let life = principal.expires_at.unwrap().since(Timestamp::now());
    assert!((590_000..=600_000).contains(&life), "{life}");
}

#[test]
fn a_token_without_limits_has_all_scopes_but_admin() {
    let world = World::new();
    let principal = world.verify(&sign(Algorithm::HS256, None, &claims(), &world.own())).unwrap();
    assert_eq!(principal.scopes, Scopes::usual());
    assert_eq!(principal.channels, None);
    let none = world.verify(&sign(Algorithm::HS256, None, &claims_but(json!({"scopes": ["x"]})), &world.own()));
    assert_eq!(none.unwrap().scopes, Scopes::default(), "an unknown scope grants nothing");
}

#[test]
fn tokens_of_another_issuer_pass_with_each_algorithm() {
    let world = World::new();
    for algorithm in FOREIGN {
        let (kid, key) = foreign(algorithm);
        for kid in [Some(kid), None] {
            let principal = world.verify(&sign(algorithm, kid, &claims(), &key));
            assert_eq!(principal.unwrap().tenant.as_str(), "acme", "{algorithm:?} {kid:?}");
        }
        let unknown = world.verify(&sign(algorithm, Some("other"), &claims(), &key));
        assert_eq!(unknown.unwrap_err(), AuthError::BadSignature, "{algorithm:?}");
    }
}

#[test]
fn claims_that_will_not_do_are_refused() {
    let world = World::new();
    for (changes, expected) in [
        (json!({"exp": now() - 31}), "expired"),
        (json!({"exp": now() - 1}), "expired"),
        (json!({"exp": 0}), "expired"),
        (json!({"exp": null}), "expected the claims"),
        (json!({"exp": "soon"}), "expected the claims"),
        (json!({"exp": -1}), "expected the claims"),
        (json!({"nbf": now() + 600}), "not valid yet"),
        (json!({"tenant_id": null}), "expected the claims"),
        (json!({"tenant_id": 5}), "expected the claims"),
        (json!({"tenant_id": "a/b"}), "tenant_id: expected"),
        (json!({"tenant_id": ""}), "tenant_id: expected"),
        (json!({"sub": null}), "expected the claims"),
        (json!({"sub": "a b"}), "sub: expected"),
        (json!({"agent_id": "ü"}), "agent_id: expected"),
        (json!({"channels": ["a", "b c"]}), "channels: expected"),
        (json!({"channels": vec!["a"; 1001]}), "channels: expected"),
        (json!({"channels": "a"}), "expected the claims"),
    ] {
        let error = world.verify(&sign(Algorithm::HS256, None, &claims_but(changes.clone()), &world.own()));
        let error = error.unwrap_err();
        assert!(error.to_string().contains(expected), "{changes}: {error}");
        assert_eq!((error.status(), error.code()), (401, "UNAUTHORIZED"), "{changes}");
    }
    for changes in [json!({"nbf": now() + 20}), json!({"exp": now() as f64 + 9.5})] {
        assert!(world.verify(&sign(Algorithm::HS256, None, &claims_but(changes.clone()), &world.own())).is_ok());
    }
}

#[test]
fn clocks_may_lie_apart_from_another_issuers_and_its_sockets_last_as_long() {
    let world = World::new();
    let (kid, key) = foreign(FOREIGN[0]);
    let late = |by: i64| world.verify(&sign(FOREIGN[0], Some(kid), &claims_but(json!({"exp": now() - by})), &key));
    let left = late(20).unwrap().expires_at.unwrap().0 - 1000 * now();
    assert!((8_000..=10_000).contains(&left), "{left} ms");
    assert_eq!(late(31).unwrap_err(), AuthError::Expired);
}

#[test]
fn numbers_beyond_all_clocks_do_no_harm() {
    let world = World::new();
    for number in [json!(u64::MAX), json!(1e300), json!(-1e300), json!(i64::MIN), json!(0.5)] {
        for claim in ["exp", "nbf"] {
            let token = sign(Algorithm::HS256, None, &claims_but(json!({claim: number})), &world.own());
            if let Ok(principal) = world.verify(&token) {
                assert!(principal.expires_at.unwrap() > Timestamp::now(), "{claim} {number}");
            }
        }
    }
}

#[test]
fn extensions_that_an_issuer_calls_critical_are_refused() {
    let world = World::new();
    let header = Header { crit: Some(vec!["x".to_owned()]), ..Header::new(Algorithm::HS256) };
    let token = jsonwebtoken::encode(&header, &claims(), &world.own()).unwrap();
    assert!(matches!(world.verify(&token), Err(AuthError::Malformed(_))));
}

#[test]
fn issuer_and_audience_are_asked_of_foreign_tokens() {
    let mut world = World::new();
    world.config.issuer = Some("https://id.example.com".to_owned());
    world.config.audience = Some("callboard".to_owned());
    let (kid, key) = foreign(Algorithm::ES256);
    let verify = |changes: Value| world.verify(&sign(Algorithm::ES256, Some(kid), &claims_but(changes), &key));
    assert!(verify(json!({"iss": "https://id.example.com", "aud": ["x", "callboard"]})).is_ok());
    for changes in [
        json!({"iss": "https://id.example.com"}),
        json!({"aud": "callboard"}),
        json!({"iss": "https://evil.com", "aud": "callboard"}),
        json!({"iss": "https://id.example.com", "aud": "other"}),
    ] {
        assert_eq!(verify(changes.clone()).unwrap_err(), AuthError::WrongParty, "{changes}");
    }
    assert!(world.verify(&sign(Algorithm::HS256, None, &claims(), &world.own())).is_ok(), "an own token needs none");
}

#[test]
fn a_key_is_used_with_its_own_algorithm_only() {
    let world = World::new();
    let modulus: Value = serde_json::from_str(JWKS).unwrap();
    let modulus = modulus["keys"][0]["n"].as_str().unwrap().as_bytes().to_vec();
    // The classic attack: what is public about an RSA key, taken for an HMAC secret.
    for secret in [RSA_PUBLIC, JWKS.as_bytes(), &modulus, b""] {
        for kid in [Some("rsa"), None] {
            let forged = sign(Algorithm::HS256, kid, &claims(), &EncodingKey::from_secret(secret));
            assert_eq!(world.verify(&forged).unwrap_err(), AuthError::BadSignature);
        }
    }
    // Good signatures by a good key, with algorithms that are not taken.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = sign(algorithm, Some("rsa"), &claims(), &foreign(Algorithm::RS256).1);
        assert_eq!(world.verify(&token).unwrap_err(), AuthError::BadSignature, "{algorithm:?}");
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert_eq!(world.verify(&sign(algorithm, None, &claims(), &world.own())).unwrap_err(), AuthError::BadSignature);
    }
    // A key named under which another kind of key is kept.
    let token = sign(Algorithm::ES256, Some("rsa"), &claims(), &foreign(Algorithm::ES256).1);
    assert_eq!(world.verify(&token).unwrap_err(), AuthError::BadSignature);
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let world = World::new();
    let good = sign(Algorithm::HS256, None, &claims(), &world.own());
    let parts: Vec<_> = good.split('.').collect();
    // {"alg":"none","typ":"JWT"}, with capitals, and with no signature at all.
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let none_capital = "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0";
    let other = sign(Algorithm::HS256, None, &claims_but(json!({"tenant_id": "other"})), &world.own());
    let other: Vec<_> = other.split('.').collect();
    for forged in [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{none_capital}.{}.", parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], other[1], parts[2]),
        format!("{good}."),
        format!("{good}x"),
        "a.b.c".to_owned(),
        "x".to_owned(),
        "ü.ü.ü".to_owned(),
    ] {
        let error = world.verify(&forged).unwrap_err();
        assert_eq!(error.status(), 401, "{forged}");
        assert!(!error.to_string().contains(parts[1]), "{error}");
    }
    assert!(world.verify(&good).is_ok());
}

#[test]
fn without_a_jwks_file_foreign_tokens_are_refused() {
    let mut world = World::new();
    world.config.jwks_file = None;
    let (kid, key) = foreign(Algorithm::EdDSA);
    let token = sign(Algorithm::EdDSA, Some(kid), &claims(), &key);
    assert_eq!(world.verify(&token).unwrap_err(), AuthError::BadSignature);
}

#[test]
fn a_jwks_file_of_no_use_is_a_configuration_error() {
    let world = World::new();
    for (content, expected) in [
        ("nonsense", "expected a JWKS"),
        ("{\"keys\":[]}", "expected a key for RS256"),
        ("{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", "a secret key"),
        ("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"HS256\",\"k\":\"c2VjcmV0\"}]}", "a secret key"),
        ("{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "expected a key for RS256"),
        ("{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS512\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "expected a key for RS256"),
    ] {
        std::fs::write(world.jwks(), content).unwrap();
        let error = Authenticator::new(&world.config, &world.data()).unwrap_err();
        assert!(error.is::<ConfigError>(), "{content}");
        assert!(error.to_string().contains(expected), "{content}: {error}");
    }
}

#[test]
fn a_key_set_is_followed_when_its_file_changes() {
    let world = World::new();
    let mut set: Value = serde_json::from_str(JWKS).unwrap();
    let watched = crate::watched::Watched::open(world.jwks(), Duration::ZERO, jwks::KeySet::load).unwrap();
    assert!(watched.current().find(Some("ed"), Algorithm::EdDSA).is_some());
    set["keys"][2]["kid"] = json!("next");
    std::fs::write(world.jwks(), set.to_string()).unwrap();
    assert!(watched.current().find(Some("ed"), Algorithm::EdDSA).is_none());
    assert!(watched.current().find(Some("next"), Algorithm::EdDSA).is_some());
}

#[test]
fn a_new_secret_ends_the_tokens_of_the_old_one() {
    let world = World::new();
    let (old, door) = (sign(Algorithm::HS256, None, &claims(), &world.own()), world.door());
    assert!(enter(&door, &old).is_ok());
    std::fs::write(world.data().join("secret"), "f".repeat(64)).unwrap();
    assert_eq!(enter(&door, &old).unwrap_err(), AuthError::BadSignature);
    assert!(enter(&door, &sign(Algorithm::HS256, None, &claims(), &world.own())).is_ok());
}

fn make_key(file: &KeyFile, name: &str) -> (KeyRecord, String) {
    let (record, key) = file.create(TenantId::trusted("acme"), Subject::trusted(name), None).unwrap();
    (record, key.expose_secret().to_owned())
}

#[test]
fn a_running_server_follows_keys_as_they_are_made_and_revoked() {
    let world = World::new();
    let (door, file) = (world.door(), KeyFile::at(&world.data()));
    let (first, key) = make_key(&file, "worker");
    let principal = enter(&door, &key).unwrap();
    assert_eq!((principal.tenant.as_str(), principal.subject.as_str()), ("acme", "worker"));
    assert_eq!(principal.scopes, Scopes::usual());
    let (_, other) = make_key(&file, "other");
    assert!(enter(&door, &other).is_ok());
    file.revoke(&first.id).unwrap();
    assert_eq!(enter(&door, &key).unwrap_err(), AuthError::InvalidKey);
    assert!(enter(&door, &other).is_ok());
    assert!(file.list().unwrap()[0].revoked_at.is_some());
}

#[test]
fn keys_that_are_not_quite_right_are_refused() {
    let world = World::new();
    let (record, key) = make_key(&KeyFile::at(&world.data()), "worker");
    let door = world.door();
    let secret = key.rsplit_once('_').unwrap().1;
    for wrong in [
        format!("{key}0"),
        key[..key.len() - 1].to_owned(),
        format!("cbk_{}_{}", record.id, "0".repeat(64)),
        format!("cbk_{}_", record.id),
        format!("cbk_000000000000_{secret}"),
        format!("cbk_{}", record.id),
        "cbk_".to_owned(),
        key.to_uppercase(),
    ] {
        let error = enter(&door, &wrong).unwrap_err();
        assert_eq!(error.status(), 401, "{wrong}");
        assert!(!error.to_string().contains(&record.id), "{error}");
    }
}

#[test]
fn only_hashes_of_keys_are_kept_and_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let (_, key) = make_key(&KeyFile::at(&world.data()), "worker");
    let path = world.data().join("keys.json");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(!kept.contains(key.rsplit_once('_').unwrap().1));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn keys_made_at_once_are_all_kept() {
    let world = World::new();
    let data = world.data();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let file = KeyFile::at(&data);
            scope.spawn(move || (0..5).for_each(|n| drop(make_key(&file, &format!("k{thread}-{n}")))));
        }
    });
    let mut names: Vec<_> = KeyFile::at(&data).list().unwrap().iter().map(|key| key.name.to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 20);
}

#[test]
fn revoking_asks_for_exactly_one_key_in_use() {
    let world = World::new();
    let file = KeyFile::at(&world.data());
    let (first, _) = make_key(&file, "twin");
    let (second, _) = make_key(&file, "twin");
    let error = file.revoke("twin").unwrap_err().to_string();
    assert!(error.contains(&first.id) && error.contains(&second.id), "{error}");
    file.revoke(&first.id).unwrap();
    assert_eq!(file.revoke("twin").unwrap().id, second.id);
    for gone in ["twin", "nobody", first.id.as_str()] {
        assert!(file.revoke(gone).unwrap_err().to_string().contains("no key in use"), "{gone}");
    }
}

#[test]
fn a_keys_file_that_breaks_neither_opens_nor_shuts_the_door() {
    let world = World::new();
    let file = KeyFile::at(&world.data());
    let (_, key) = make_key(&file, "worker");
    let (revoked, revoked_key) = make_key(&file, "former");
    file.revoke(&revoked.id).unwrap();
    let door = world.door();
    std::fs::write(world.data().join("keys.json"), "{\"version\":1,\"ke").unwrap();
    assert!(enter(&door, &key).is_ok());
    assert_eq!(enter(&door, &revoked_key).unwrap_err(), AuthError::InvalidKey);
    assert!(file.create(TenantId::trusted("a"), Subject::trusted("b"), None).is_err(), "it is not overwritten");
    assert!(Authenticator::new(&world.config, &world.data()).is_err());
}

#[test]
fn an_open_endpoint_takes_anybody_but_no_bad_credentials() {
    let mut world = World::new();
    let nobody = Subject::trusted("session-7");
    let (_, key) = make_key(&KeyFile::at(&world.data()), "worker");
    let good = sign(Algorithm::HS256, None, &claims(), &world.own());
    let (none, bad) = (Presented::default(), Presented::read("token=x", None, None));
    let door = world.door();
    let anonymous = door.authenticate(&none, Need::Open, &nobody).unwrap();
    assert_eq!((anonymous.tenant.as_str(), anonymous.subject.as_str()), ("default", "session-7"));
    assert!(!anonymous.authenticated);
    assert_eq!(door.authenticate(&none, Need::Always, &nobody).unwrap_err(), AuthError::Missing);
    assert_eq!(door.authenticate(&bad, Need::Open, &nobody).unwrap_err().status(), 401);
    let both = Presented::read(&format!("token={good}&key={key}0"), None, None);
    assert_eq!(door.authenticate(&both, Need::Open, &nobody).unwrap_err(), AuthError::InvalidKey, "the key wins");
    let both = Presented::read(&format!("token=x&key={key}"), None, None);
    assert!(door.authenticate(&both, Need::Always, &nobody).is_ok());
    world.config.required = true;
    assert_eq!(world.door().authenticate(&none, Need::Open, &nobody).unwrap_err(), AuthError::Missing);
}

#[test]
fn debug_shows_no_secret() {
    let world = World::new();
    let door = world.door();
    let secret = std::fs::read_to_string(world.data().join("secret")).unwrap();
    let shown = format!("{door:?} {:?}", Signer::open(&world.data()).unwrap());
    assert!(!shown.contains(secret.trim()), "{shown}");
    assert_eq!(door.check_origin(Some("https://evil.com"), Some("localhost")).unwrap_err().status(), 403);
}
