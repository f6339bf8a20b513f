//! Ids of everything that has one: UUIDv7 in newtypes, plain UUID text on the wire.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema, utoipa::IntoParams),
            into_params(names("id"), parameter_in = Path))]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by the time of its making.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    OrganizationId, UserId, RoleId, GrantId, ApiKeyId, SessionId,
    ServerId, ProjectId, EnvironmentId, InstanceId, DatabaseClusterId, DatabaseId,
    JobId, EventId, SecretId, AuditId, ReplicaId, TerminalId,
    InvitationId, ServiceAccountId, PasskeyId, SshKeyId, ConnectedAccountId,
    RegistryId, DestinationId, BackupId, DomainId, MailId, WebhookEndpointId, WebhookDeliveryId, NoticeId, LoginId, UploadId,
    /// One life of an agent's journal: a new one means that its sequence numbers start again.
    JournalId,
}
