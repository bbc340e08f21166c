//! ApiVersions and FindCoordinator: what a client asks before it asks for a group.

#![forbid(unsafe_code)]

use super::machine::{APIS, GroupCoordinator, Incoming, versions};
use crate::protocol::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, GROUP_KEY_TYPE,
};
use crate::protocol::{ApiKey, ErrorCode};
use crate::wire::WireError;

/// The coordinator's node id: there is one.
const NODE_ID: i32 = 0;

impl GroupCoordinator {
    pub(super) fn handle_api_versions(&mut self, incoming: &Incoming<'_>) -> Result<(), WireError> {
        let range = versions(ApiKey::ApiVersions);
        let knows = range.is_some_and(|range| range.contains(incoming.version));
        let (error_code, version) = if knows {
            ApiVersionsRequest::decode(incoming.body, incoming.version)?;
            (ErrorCode::NONE, incoming.version)
        } else {
            // In version 0, which every client reads (KIP-511).
            (ErrorCode::UNSUPPORTED_VERSION, 0)
        };
        let row = |api_key: &ApiKey| {
            let range = versions(*api_key)?;
            let (min_version, max_version) = (range.min, range.max);
            Some(ApiVersion { api_key: api_key.code(), min_version, max_version })
        };
        let api_keys = APIS.iter().filter_map(row).collect();
        let response = ApiVersionsResponse { error_code, api_keys, ..Default::default() };
        self.outbox.push(incoming.reply(), |_, out| response.encode(version, out));
        Ok(())
    }

    /// Answers that this is the coordinator of every group, and of nothing else.
    pub(super) fn handle_find(&mut self, incoming: &Incoming<'_>) -> Result<(), WireError> {
        let request = FindCoordinatorRequest::decode(incoming.body, incoming.version)?;
        let found = |key| Coordinator {
            key,
            node_id: NODE_ID,
            host: &self.settings.host,
            port: self.settings.port,
            error_code: ErrorCode::NONE,
            error_message: None,
        };
        let refused = |key| Coordinator {
            key,
            node_id: -1,
            host: "",
            port: -1,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("there are groups of consumers here, and nothing else"),
        };
        let keys = request.coordinator_keys.iter().copied();
        let coordinators = if request.key_type == GROUP_KEY_TYPE {
            keys.map(found).collect()
        } else {
            keys.map(refused).collect()
        };
        let response = FindCoordinatorResponse { throttle_time_ms: 0, coordinators };
        self.outbox.push(incoming.reply(), |version, out| response.encode(version, out));
        Ok(())
    }
}
