//! SASL: read under `security.protocol` `SASL_PLAINTEXT` and `SASL_SSL` alone.
//!
//! Those two are refused by name while they are not built. Beside `PLAINTEXT` the details are
//! accepted in silence as Java does, but a mechanism or credentials mean that somebody expects to
//! be authenticated: they get a warning, as librdkafka gives one.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::{NoEffect, Warn};
use super::super::value::Kind::{
    AnyCaseWord, Boolean, Callback, Decimal, Integer, List, Secret, Text, Word,
};

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const ANY: f64 = f64::INFINITY;
const GRANTS: &[&str] = &["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"];

const SASL: &str = "Is read where security.protocol is SASL_PLAINTEXT or SASL_SSL.";
const KERBEROS: &str = "Is read where sasl.mechanism is GSSAPI.";
const OAUTH: &str = "Is read where sasl.mechanism is OAUTHBEARER.";

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("sasl.mechanism", Text, "GSSAPI",
        Warn(&["GSSAPI"]), SASL).or(&["sasl.mechanisms"]),
    Property::new("sasl.jaas.config", Secret, "", Warn(&[""]), SASL),
    Property::new("sasl.username", Text, "", Warn(&[""]), SASL),
    Property::new("sasl.password", Secret, "", Warn(&[""]), SASL),
    Property::new("sasl.client.callback.handler.class", Text, "", NoEffect, SASL),
    Property::new("sasl.login.callback.handler.class", Text, "", NoEffect, SASL),
    Property::new("sasl.login.class", Text, "", NoEffect, SASL),
    Property::new("enable_sasl_queue", Boolean, "false", NoEffect, SASL),

    Property::new("sasl.kerberos.service.name", Text, "", NoEffect, KERBEROS),
    Property::new("sasl.kerberos.principal", Text, "kafkaclient", NoEffect, KERBEROS),
    Property::new("sasl.kerberos.keytab", Text, "", NoEffect, KERBEROS),
    Property::new("sasl.kerberos.kinit.cmd", Text, "/usr/bin/kinit", NoEffect, KERBEROS),
    Property::new("sasl.kerberos.ticket.renew.window.factor", Decimal(-ANY, ANY), "0.8",
        NoEffect, KERBEROS),
    Property::new("sasl.kerberos.ticket.renew.jitter", Decimal(-ANY, ANY), "0.05",
        NoEffect, KERBEROS),
    Property::new("sasl.kerberos.min.time.before.relogin", Integer(0, LONG), "60000",
        NoEffect, KERBEROS),

    Property::new("sasl.login.refresh.window.factor", Decimal(0.5, 1.0), "0.8", NoEffect, OAUTH),
    Property::new("sasl.login.refresh.window.jitter", Decimal(0.0, 0.25), "0.05", NoEffect, OAUTH),
    Property::new("sasl.login.refresh.min.period.seconds", Integer(0, 900), "60", NoEffect, OAUTH),
    Property::new("sasl.login.refresh.buffer.seconds", Integer(0, 3600), "300", NoEffect, OAUTH),
    Property::new("sasl.login.connect.timeout.ms", Integer(0, INT), "", NoEffect, OAUTH),
    Property::new("sasl.login.read.timeout.ms", Integer(0, INT), "", NoEffect, OAUTH),
    Property::new("sasl.login.retry.backoff.ms", Integer(0, LONG), "100", NoEffect, OAUTH),
    Property::new("sasl.login.retry.backoff.max.ms", Integer(0, LONG), "10000", NoEffect, OAUTH),

    Property::new("sasl.oauthbearer.method", Word(&["default", "oidc"]), "default",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.config", Secret, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.extensions", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.grant.type", Word(GRANTS), "client_credentials",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.client.credentials.client.id", Text, "", NoEffect, OAUTH)
        .or(&["sasl.oauthbearer.client.id"]),
    Property::new("sasl.oauthbearer.client.credentials.client.secret", Secret, "", NoEffect, OAUTH)
        .or(&["sasl.oauthbearer.client.secret"]),
    Property::new("sasl.oauthbearer.scope", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.scope.claim.name", Text, "scope", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.sub.claim.name", Text, "sub", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.token.endpoint.url", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.jwt.retriever.class", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.jwt.validator.class", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.jwks.endpoint.url", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.jwks.endpoint.refresh.ms", Integer(0, LONG), "3600000",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Integer(0, LONG), "100",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Integer(0, LONG), "10000",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.clock.skew.seconds", Integer(0, INT), "30", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.expected.audience", List, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.expected.issuer", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.header.urlencode", Boolean, "false", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.algorithm", AnyCaseWord(&["RS256", "ES256"]), "RS256",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.file", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.private.key.file", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.private.key.pem", Secret, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.private.key.passphrase", Secret, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.template.file", Text, "", NoEffect, OAUTH)
        .or(&["sasl.oauthbearer.assertion.jwt.template.file"]),
    Property::new("sasl.oauthbearer.assertion.claim.aud", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.claim.exp.seconds", Integer(0, INT), "300",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.claim.iss", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.claim.jti.include", Boolean, "false",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.claim.nbf.seconds", Integer(0, INT), "60",
        NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.assertion.claim.sub", Text, "", NoEffect, OAUTH),
    Property::new("sasl.oauthbearer.metadata.authentication.type",
        Word(&["none", "azure_imds", "aws_iam"]), "none", NoEffect, OAUTH),
    Property::new("enable.sasl.oauthbearer.unsecure.jwt", Boolean, "false", NoEffect, OAUTH),
    Property::new("oauthbearer_token_refresh_cb", Callback, "", NoEffect, OAUTH),
];
