//! LeaveGroup: members that go, by their own will or an administrator's.

#![forbid(unsafe_code)]

use super::super::now::Now;
use super::answers::Turn;
use super::group::Group;
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use crate::wire::WireError;

/// The first version of LeaveGroup that can name several members.
const BATCH_VERSION: i16 = 3;

impl GroupCoordinator {
    pub(super) fn handle_leave(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = LeaveGroupRequest::decode(incoming.body, incoming.version)?;
        let turn = &mut Turn { now, settings: &self.settings, outbox: &mut self.outbox };
        let mut members = Vec::new();
        let mut error_code = ErrorCode::NONE;
        if request.group_id.is_empty() {
            error_code = ErrorCode::INVALID_GROUP_ID;
        } else {
            let mut group = self.groups.get_mut(request.group_id);
            for member in &request.members {
                let left = match &mut group {
                    Some(group) => group.leave(member, turn),
                    None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
                };
                members.push(MemberResponse {
                    member_id: member.member_id,
                    group_instance_id: member.group_instance_id,
                    error_code: left.err().unwrap_or_default(),
                });
            }
            if let Some(group) = group {
                group.after_departure_of(&members, turn);
            }
        }
        if incoming.version < BATCH_VERSION {
            error_code = members.first().map_or(error_code, |member| member.error_code);
            members.clear();
        }
        let response = LeaveGroupResponse { throttle_time_ms: 0, error_code, members };
        self.outbox.push(incoming.reply(), |version, out| response.encode(version, out));
        Ok(())
    }
}

impl Group {
    /// Takes out one member, by its id, or by its instance id alone.
    fn leave(&mut self, member: &MemberIdentity<'_>, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let member_id = member.member_id;
        if self.pending_members.remove(member_id).is_some() {
            return Ok(());
        }
        if let (true, Some(instance_id)) = (member_id.is_empty(), member.group_instance_id) {
            let current = self.static_members.get(instance_id).cloned();
            let current = current.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            self.take_out(&current, turn);
            return Ok(());
        }
        self.check_member(member_id, member.group_instance_id)?;
        self.take_out(member_id, turn);
        Ok(())
    }

    fn after_departure_of(&mut self, members: &[MemberResponse<'_>], turn: &mut Turn<'_>) {
        if members.iter().any(|member| !member.error_code.is_error()) {
            self.after_departure(turn);
        }
    }
}
