use super::model::{Invitation, InvitationSent, InvitationStatus, InvitationView};
use super::service;
use super::store::InvitationFilter;
use crate::app::App;
use crate::error::{ErrorBody, Result};
use crate::platform::http::{
    Body, Caller, Ctx, IfMatch, List, Page, Params, Path, Permission, Versioned, guard, public, user,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use ocore_shared::ids::{InvitationId, OrganizationId, RoleId};
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Permission::ManageMembers, routes!(member_invite)))
        .routes(guard(Permission::ViewMembers, routes!(invitation_list)))
        .routes(guard(Permission::ManageMembers, routes!(invitation_cancel)))
        .routes(guard(Permission::ManageMembers, routes!(invitation_resend)))
        .routes(public(routes!(invitation_view)))
        .routes(user(routes!(invitation_accept)))
}

/// Somebody to invite.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberInvite {
    #[garde(email, length(max = 254))]
    #[schema(format = "email")]
    email: String,
    /// Role in the whole organization, none beyond your own.
    #[garde(skip)]
    role_id: RoleId,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct InvitationListParams {
    /// All when left out.
    #[garde(skip)]
    #[param(inline)]
    status: Option<InvitationStatus>,
    #[garde(dive)]
    #[serde(flatten)]
    #[param(ignore)]
    page: Page,
}

/// What was joined.
#[derive(Debug, Serialize, ToSchema)]
pub struct Joined {
    organization_id: OrganizationId,
}

/// Invite somebody by mail.
#[utoipa::path(post, path = "/api/members/invite", tag = "Team Members", request_body = MemberInvite,
    responses((status = 201, description = "The invitation is on its way", body = InvitationSent),
        (status = 400, description = "A field is wrong", body = ErrorBody),
        (status = 409, description = "The address is a member's, or has been invited already", body = ErrorBody)))]
async fn member_invite(
    ctx: Ctx, State(app): State<App>, Body(body): Body<MemberInvite>,
) -> Result<Versioned<InvitationSent>> {
    let sent = service::member_invite(&ctx, &app, body.email.trim(), body.role_id).await?;
    let version = sent.invitation.version;
    Ok(Versioned(StatusCode::CREATED, sent, version))
}

/// List invitations.
#[utoipa::path(get, path = "/api/invites", tag = "Team Members", params(InvitationListParams, Page),
    responses((status = 200, description = "Newest first", body = List<Invitation>)))]
async fn invitation_list(
    ctx: Ctx, State(app): State<App>, Params(params): Params<InvitationListParams>,
) -> Result<Json<List<Invitation>>> {
    let filter = InvitationFilter { id: None, status: params.status };
    service::invitation_list(&ctx, &app, &filter, &params.page).await.map(Json)
}

/// Cancel an invitation.
#[utoipa::path(delete, path = "/api/invites/{id}", tag = "Team Members", params(InvitationId),
    responses((status = 204, description = "Its link is void"),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It was accepted or cancelled", body = ErrorBody),
        (status = 412, description = "It has changed since it was read", body = ErrorBody)))]
async fn invitation_cancel(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InvitationId>, if_match: IfMatch,
) -> Result<StatusCode> {
    service::invitation_cancel(&ctx, &app, id, if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send an invitation again, with another link and seven more days.
#[utoipa::path(post, path = "/api/invites/{id}/resend", tag = "Team Members", params(InvitationId),
    responses((status = 200, description = "The link before is void", body = InvitationSent),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 409, description = "It was accepted or cancelled", body = ErrorBody)))]
async fn invitation_resend(
    ctx: Ctx, State(app): State<App>, Path(id): Path<InvitationId>,
) -> Result<Versioned<InvitationSent>> {
    let sent = service::invitation_resend(&ctx, &app, id).await?;
    let version = sent.invitation.version;
    Ok(Versioned(StatusCode::OK, sent, version))
}

/// Read an invitation by the token of its link.
#[utoipa::path(get, path = "/api/invites/{token}/preview", tag = "Team Members",
    params(("token" = String, Path, description = "From the invitation's link")),
    responses((status = 200, description = "Who invites whom to what", body = InvitationView),
        (status = 404, description = "It has expired, or was used, cancelled or sent again", body = ErrorBody)))]
async fn invitation_view(State(app): State<App>, Path(token): Path<String>) -> Result<Json<InvitationView>> {
    service::invitation_view(&app, &Secret::new(token)).await.map(Json)
}

/// Join an organization by the token of an invitation's link.
#[utoipa::path(post, path = "/api/invites/{token}/accept", tag = "Team Members",
    params(("token" = String, Path, description = "From the invitation's link")),
    responses((status = 200, description = "Joined", body = Joined),
        (status = 404, description = "It has expired, or was used, cancelled or sent again", body = ErrorBody),
        (status = 409, description = "You are a member already", body = ErrorBody)))]
async fn invitation_accept(caller: Caller, State(app): State<App>, Path(token): Path<String>) -> Result<Json<Joined>> {
    let organization_id = service::invitation_accept(&caller, &app, &Secret::new(token)).await?;
    Ok(Json(Joined { organization_id }))
}
