//! What agents say about files, in the words of the API.

use crate::error::Error;
use http::StatusCode;
use ocore_shared::tunnel::TunnelError;

/// What does not go together with the files that are there.
const CONFLICTS: [&str; 11] = [
    "file_exists",
    "file_is_directory",
    "file_not_directory",
    "file_not_empty",
    "file_outside",
    "file_read_only",
    "file_special",
    "file_too_deep",
    "too_many_uploads",
    "upload_busy",
    "upload_offset",
];
/// What is too much.
const TOO_MUCH: [&str; 3] = ["disk_full", "file_too_large", "file_too_many"];

/// A refusal by an agent; `field` is the one that names the file.
pub fn refused(error: TunnelError, field: &'static str) -> Error {
    let TunnelError::Agent { status, error } = error else { return error.into() };
    let known = |codes: &[&'static str]| codes.iter().copied().find(|code| *code == error.code);
    match error.code.as_str() {
        "file_not_found" => Error::NotFound("file"),
        "upload_not_found" => Error::NotFound("upload"),
        "file_path_invalid" => Error::field(field, "path", error.message),
        "file_target_invalid" => Error::field("to", "path", error.message),
        "file_changed" => Error::PreconditionFailed { message: error.message },
        "range_not_satisfiable" => Error::RangeNotSatisfiable { message: error.message },
        "instance_not_found" => Error::conflict(
            "instance_not_ready",
            "The instance is not set up on its server yet, or not any more; wait for its job.",
        ),
        // An agent of before does not know the way.
        "not_found" if status == StatusCode::NOT_FOUND => Error::Unprocessable {
            code: "agent_too_old",
            message: "The agent of this server is of a version that serves no files; update it.".into(),
        },
        _ => match (known(&CONFLICTS), known(&TOO_MUCH)) {
            (Some(code), _) => Error::Conflict { code, message: error.message },
            (_, Some(code)) => Error::Unprocessable { code, message: error.message },
            _ => TunnelError::Agent { status, error }.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::protocol::AgentError;

    #[test]
    fn what_an_agent_says_is_told_with_its_field() {
        let said = |status: u16, code: &str| {
            let error = AgentError { code: code.into(), message: "It is so.".into() };
            refused(TunnelError::Agent { status: StatusCode::from_u16(status).unwrap(), error }, "path")
        };
        let told = [
            (404, "file_not_found", 404, "not_found"),
            (404, "not_found", 422, "agent_too_old"),
            (404, "instance_not_found", 409, "instance_not_ready"),
            (409, "file_exists", 409, "file_exists"),
            (412, "file_changed", 412, "precondition_failed"),
            (413, "disk_full", 422, "disk_full"),
            (416, "range_not_satisfiable", 416, "range_not_satisfiable"),
            (400, "file_path_invalid", 400, "validation_error"),
            (503, "file_failed", 502, "file_failed"),
        ];
        for (status, code, answered, as_code) in told {
            let error = said(status, code);
            assert_eq!((error.status().as_u16(), error.code()), (answered, as_code), "{code}");
        }
        assert_eq!(said(400, "file_path_invalid").body().error.details.unwrap().field, "path");
        assert_eq!(said(400, "file_target_invalid").body().error.details.unwrap().field, "to");
    }
}
