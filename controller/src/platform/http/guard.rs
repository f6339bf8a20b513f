//! Every route declares what it needs: `guard(permission, routes!(..))`, `user(..)`, `admin(..)` or `public(..)`.
//!
//! The declaration writes itself into the OpenAPI document (security, 401, 403, 429 and `x-permission`) and checks each
//! request before the handler runs. A handler that takes `Ctx` on an undeclared route fails, and the walk over the
//! document finds it.

use crate::error::Error;
use crate::platform::http::ctx::{Access, Caller, Principal};
use crate::platform::http::describe::{complete, operations_mut};
use crate::platform::http::permissions::Permission;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use ocore_shared::ids::OrganizationId;
use std::sync::Arc;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::UtoipaMethodRouter;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    Public,
    /// A signed-in person or a key, no organization needed.
    User,
    /// The organization's owner in person.
    Owner,
    /// The platform's administrator.
    Admin,
    Permission(Permission),
}

/// Left by the declaration for the extractors.
#[derive(Clone, Copy, Debug)]
pub struct Guarded(pub Requirement);

/// In a request's extensions: only whether it would be let through is asked, and 204 means yes.
#[derive(Clone, Copy, Debug)]
pub struct AskOnly;

/// A refusal that can be told twice.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub code: &'static str,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    Unauthenticated,
    Forbidden,
    NotFound,
    Invalid,
    Unavailable,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { kind, code, message } = refusal;
        match kind {
            RefusalKind::Unauthenticated => Self::Unauthenticated { code, message },
            RefusalKind::Forbidden => Self::Forbidden { code, message },
            RefusalKind::NotFound => Self::NotFound("organization"),
            RefusalKind::Invalid => Self::field("X-Org-Slug", code, message),
            RefusalKind::Unavailable => Self::Unavailable { message, retry_after: 2 },
        }
    }
}

/// Left by the authentication layer for everything after it.
#[derive(Clone, Debug)]
pub struct Identified {
    pub caller: Result<Arc<Caller>, Refusal>,
    pub organization: Result<(OrganizationId, Arc<Access>), Refusal>,
}

/// The route needs `permission` in at least one scope; the service checks the scope of the object.
pub fn guard<S>(permission: Permission, routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    declare(Requirement::Permission(permission), routes)
}

/// The route needs a caller and no organization.
pub fn user<S: Clone + Send + Sync + 'static>(routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    declare(Requirement::User, routes)
}

/// The route needs the organization's owner.
pub fn owner<S: Clone + Send + Sync + 'static>(routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    declare(Requirement::Owner, routes)
}

/// The route needs the platform's administrator.
pub fn admin<S: Clone + Send + Sync + 'static>(routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    declare(Requirement::Admin, routes)
}

/// The route needs nothing.
pub fn public<S: Clone + Send + Sync + 'static>(routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    declare(Requirement::Public, routes)
}

fn declare<S>(requirement: Requirement, routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let (schemas, mut paths, router) = routes;
    for item in paths.paths.values_mut() {
        for (method, operation) in operations_mut(item) {
            document(requirement, &method, operation);
        }
    }
    let router =
        router.layer(middleware::from_fn(move |request: Request, next: Next| check(requirement, request, next)));
    (schemas, paths, router)
}

fn document(requirement: Requirement, method: &HttpMethod, operation: &mut Operation) {
    let word = match requirement {
        Requirement::Public => "public",
        Requirement::User => "user",
        Requirement::Owner => "owner",
        Requirement::Admin => "admin",
        Requirement::Permission(permission) => permission.key(),
    };
    let extension = ExtensionsBuilder::new().add("x-permission", word).build();
    operation.extensions.get_or_insert_default().merge(extension);
    operation.security = Some(if requirement == Requirement::Public {
        vec![]
    } else {
        vec![
            SecurityRequirement::new::<_, [&str; 0], &str>("bearer", []),
            SecurityRequirement::new::<_, [&str; 0], &str>("api_key", []),
        ]
    });
    complete(requirement, method, operation);
}

async fn check(requirement: Requirement, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Guarded(requirement));
    match allowed(requirement, request.extensions().get::<Identified>()) {
        Ok(()) if request.extensions().get::<AskOnly>().is_some() => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn allowed(requirement: Requirement, identified: Option<&Identified>) -> Result<(), Error> {
    if requirement == Requirement::Public {
        return Ok(());
    }
    let identified = identified
        .ok_or_else(|| Error::internal(anyhow::anyhow!("the authentication layer is missing before this route")))?;
    let caller = identified.caller.as_ref().map_err(|r| Error::from(r.clone()))?;
    match requirement {
        Requirement::Public | Requirement::User => Ok(()),
        Requirement::Admin => match caller.principal {
            Principal::Person { is_admin: true, .. } => Ok(()),
            _ => Err(Error::forbidden("admin_required", "Only the platform's administrator may do this.")),
        },
        Requirement::Owner => {
            let (_, access) = identified.organization.as_ref().map_err(|r| Error::from(r.clone()))?;
            if access.is_owner {
                Ok(())
            } else {
                Err(Error::forbidden("owner_required", "Only the owner of the organization may do this, in person."))
            }
        }
        Requirement::Permission(permission) => {
            let (_, access) = identified.organization.as_ref().map_err(|r| Error::from(r.clone()))?;
            if access.anywhere().contains(permission) {
                Ok(())
            } else {
                Err(Error::forbidden("permission_denied", format!("This needs the permission {}.", permission.key())))
            }
        }
    }
}
