//! TLS: read under `security.protocol` `SSL` and `SASL_SSL` alone.
//!
//! Those two are refused by name while they are not built. Beside `PLAINTEXT` Java and librdkafka
//! accept all of these and read none, and so does kfetch.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::NoEffect;
use super::super::value::Kind::{Boolean, Callback, List, Secret, Text};

const TLS: &str = "Is read where security.protocol is SSL or SASL_SSL.";
const HTTPS: &str = "Is read where a token is fetched over HTTPS.";

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("ssl.protocol", Text, "TLSv1.3", NoEffect, TLS),
    Property::new("ssl.enabled.protocols", List, "TLSv1.2,TLSv1.3", NoEffect, TLS),
    Property::new("ssl.cipher.suites", Text, "", NoEffect, TLS),
    Property::new("ssl.endpoint.identification.algorithm", Text, "https", NoEffect, TLS),
    Property::new("ssl.truststore.type", Text, "JKS", NoEffect, TLS),
    Property::new("ssl.truststore.location", Text, "", NoEffect, TLS),
    Property::new("ssl.truststore.password", Secret, "", NoEffect, TLS),
    Property::new("ssl.truststore.certificates", Secret, "", NoEffect, TLS),
    Property::new("ssl.keystore.type", Text, "JKS", NoEffect, TLS),
    Property::new("ssl.keystore.location", Text, "", NoEffect, TLS),
    Property::new("ssl.keystore.password", Secret, "", NoEffect, TLS),
    Property::new("ssl.keystore.key", Secret, "", NoEffect, TLS),
    Property::new("ssl.keystore.certificate.chain", Secret, "", NoEffect, TLS),
    Property::new("ssl.key.password", Secret, "", NoEffect, TLS),
    Property::new("ssl.provider", Text, "", NoEffect, TLS),
    Property::new("ssl.keymanager.algorithm", Text, "SunX509", NoEffect, TLS),
    Property::new("ssl.trustmanager.algorithm", Text, "PKIX", NoEffect, TLS),
    Property::new("ssl.secure.random.implementation", Text, "", NoEffect, TLS),
    Property::new("ssl.engine.factory.class", Text, "", NoEffect, TLS),

    Property::new("enable.ssl.certificate.verification", Boolean, "true", NoEffect, TLS),
    Property::new("ssl.ca.location", Text, "", NoEffect, TLS),
    Property::new("ssl.ca.pem", Secret, "", NoEffect, TLS),
    Property::new("ssl.ca.certificate.stores", Text, "Root", NoEffect, TLS),
    Property::new("ssl.crl.location", Text, "", NoEffect, TLS),
    Property::new("ssl.certificate.location", Text, "", NoEffect, TLS),
    Property::new("ssl.certificate.pem", Secret, "", NoEffect, TLS),
    Property::new("ssl.key.location", Text, "", NoEffect, TLS),
    Property::new("ssl.key.pem", Secret, "", NoEffect, TLS),
    Property::new("ssl.curves.list", Text, "", NoEffect, TLS),
    Property::new("ssl.sigalgs.list", Text, "", NoEffect, TLS),
    Property::new("ssl.providers", Text, "", NoEffect, TLS),
    Property::new("ssl.engine.location", Text, "", NoEffect, TLS),
    Property::new("ssl.engine.id", Text, "dynamic", NoEffect, TLS),
    Property::new("ssl_ca", Callback, "", NoEffect, TLS),
    Property::new("ssl_certificate", Callback, "", NoEffect, TLS),
    Property::new("ssl_key", Callback, "", NoEffect, TLS),
    Property::new("ssl_engine_callback_data", Callback, "", NoEffect, TLS),
    Property::new("ssl.certificate.verify_cb", Callback, "", NoEffect, TLS),

    Property::new("https.ca.location", Text, "", NoEffect, HTTPS),
    Property::new("https.ca.pem", Secret, "", NoEffect, HTTPS),
];
