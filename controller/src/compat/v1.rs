//! The table: what each operation of `/v1` is on `/api`, and what its fields are called there.

use super::row::{Filled, In, Out, Row, Source, Words};

const ROLES: Words = &[("developer", "user")];
/// The one key of a permission that clients of `/v1` know by a name of its own.
const SCOPES: Words = &[("manage:servers", "nodes.create")];
const NODE_STATES: Words = &[
    ("online", "healthy"),
    ("degraded", "unhealthy"),
    ("reconcile", "unhealthy"),
    ("locked", "unhealthy"),
    ("provisioning", "pending"),
    ("removing", "deleting"),
];
const INSTANCE_STATES: Words = &[("pending", "creating"), ("provisioning", "installing"), ("removing", "deleting")];

const TOKENS: &[Out] = &[Out::Hide("user")];
const TOKEN: &[Out] =
    &[Out::Rename { canonical: "permissions", v1: "scopes" }, Out::Words { field: "scopes", words: SCOPES }];
const NODE: &[Out] = &[
    Out::Words { field: "status", words: NODE_STATES },
    Out::Rename { canonical: "last_seen_at", v1: "last_heartbeat_at" },
];
const NODE_IN: &[In] = &[
    In::Words { canonical: "status", words: NODE_STATES },
    In::Rename { v1: "last_heartbeat_at", canonical: "last_seen_at" },
];
const INSTANCE: &[Out] = &[
    Out::Words { field: "status", words: INSTANCE_STATES },
    Out::Rename { canonical: "server_id", v1: "node_id" },
    Out::Rename { canonical: "server_name", v1: "node_name" },
];
const INSTANCE_IN: &[In] = &[
    In::Words { canonical: "status", words: INSTANCE_STATES },
    In::Rename { v1: "node_id", canonical: "server_id" },
    In::Rename { v1: "node_name", canonical: "server_name" },
];
const INSTANCE_ACCEPTED: &[Out] = &[Out::Words { field: "status", words: INSTANCE_STATES }];
const NODE_ACCEPTED: &[Out] = &[Out::Words { field: "status", words: NODE_STATES }];
const ROLE: &[Out] = &[Out::Words { field: "role", words: ROLES }];
const ROLE_IN: &[In] = &[In::Find { v1: "role", canonical: "role_id", list: "role_list", words: ROLES }];
const GITHUB: &[(&str, Source)] = &[("provider", Source::Fixed("github"))];
const SSH_KEY: &[(&str, Source)] = &[("id", Source::Name { parameter: "name", list: "ssh_key_list" })];
const DESTINATION: &[Out] = &[Out::Rename { canonical: "is_default", v1: "is_active" }];
const DESTINATION_IN: &[In] = &[In::Rename { v1: "is_active", canonical: "is_default" }];
const BACKUP_OUT: &[Out] = &[Out::Rename { canonical: "server_id", v1: "node_id" }];
const BACKUP: &[(&str, Source)] = &[("backup_id", Source::Parameter("bid"))];
const MEMBER: &[(&str, Source)] = &[("id", Source::Parameter("userId"))];

/// Every row.
pub const TABLE: &[Row] = &[
    Row::new("Auth", "POST", "/v1/auth/login", "login", "Authenticate user").answers(TOKENS),
    Row::new("Auth", "POST", "/v1/auth/refresh", "refresh", "Refresh access token").answers(TOKENS),
    Row::new("Auth", "GET", "/v1/auth/bootstrap/status", "bootstrap_status", "Check if bootstrap needed"),
    Row::new("Auth", "POST", "/v1/auth/bootstrap", "bootstrap", "Create initial admin user").answers(TOKENS).sends(&[
        In::Default { canonical: "name", value: Filled::NameOfAddress },
        In::Default { canonical: "organization_name", value: Filled::Text("Default") },
    ]),
    Row::new("Auth", "POST", "/v1/auth/register", "signup", "Register new user")
        .sends(&[In::Default { canonical: "name", value: Filled::NameOfAddress }]),
    Row::new("Auth", "POST", "/v1/auth/forgot-password", "password_forgot", "Request password reset"),
    Row::new("Auth", "POST", "/v1/auth/reset-password", "password_reset", "Reset password with token")
        .sends(&[In::Rename { v1: "new_password", canonical: "password" }]),
    Row::new("Auth", "GET", "/v1/auth/github", "oauth_begin", "Redirect to GitHub OAuth").stream().parameters(GITHUB),
    Row::new("Auth", "GET", "/v1/auth/github/callback", "oauth_finish", "GitHub OAuth callback")
        .stream()
        .parameters(GITHUB),
    Row::new("MFA", "GET", "/v1/auth/mfa/status", "totp_get", "Check MFA status"),
    Row::new("MFA", "POST", "/v1/auth/mfa/enroll", "totp_enroll", "Start MFA enrollment"),
    Row::new("MFA", "POST", "/v1/auth/mfa/verify", "totp_verify", "Verify TOTP enrollment"),
    Row::new("MFA", "POST", "/v1/auth/mfa/disable", "totp_disable", "Disable MFA"),
    Row::new("MFA", "POST", "/v1/auth/mfa/challenge", "login_totp", "Submit TOTP during login").answers(TOKENS),
    Row::new("User", "POST", "/v1/users/me/password", "password_change", "Update password"),
    Row::new("User", "GET", "/v1/users", "admin_user_list", "List users").list(),
    Row::new("User", "POST", "/v1/users", "admin_user_create", "Create user").sends(&[
        In::Default { canonical: "name", value: Filled::NameOfAddress },
        In::Is { v1: "role", canonical: "is_admin", words: ["admin", "user"] },
    ]),
    Row::new("User", "GET", "/v1/users/{id}", "admin_user_get", "Get user"),
    Row::new("User", "DELETE", "/v1/users/{id}", "admin_user_delete", "Delete user"),
    Row::new("Settings", "GET", "/v1/settings", "account_get", "Get settings").also("ssh_keys", "ssh_key_list"),
    Row::new("Settings", "PUT", "/v1/settings", "account_update", "Update settings")
        .replaces("account_get")
        .also("ssh_keys", "ssh_key_list"),
    Row::new("Settings", "POST", "/v1/settings/ssh-keys", "ssh_key_add", "Add SSH key"),
    Row::new("Settings", "DELETE", "/v1/settings/ssh-keys/{name}", "ssh_key_remove", "Remove SSH key")
        .parameters(SSH_KEY),
    Row::new("Settings", "POST", "/v1/settings/ssh-keys/{name}/default", "ssh_key_update", "Set default key")
        .parameters(SSH_KEY)
        .sends(&[In::Default { canonical: "is_default", value: Filled::True }]),
    Row::new("Tunnel", "GET", "/v1/tunnel/stats", "tunnel_stats", "Tunnel statistics"),
    Row::new("Tunnel", "GET", "/v1/tunnel/agents", "tunnel_agent_list", "Connected agents").list(),
    Row::new("Admin", "GET", "/v1/admin/metrics", "admin_metrics_get", "Metrics dashboard"),
    Row::new("Admin", "GET", "/v1/admin/organizations", "admin_organization_list", "List all organizations").list(),
    Row::new("Admin", "GET", "/v1/admin/organizations/{id}", "admin_organization_get", "Get organization"),
    Row::new("Admin", "GET", "/v1/admin/audit-logs", "admin_audit_log_list", "List audit logs").list(),
    Row::new("Admin", "GET", "/v1/admin/audit-logs/export", "admin_audit_log_export", "Export audit logs").stream(),
    Row::new("Admin", "GET", "/v1/admin/users", "admin_user_list", "List users").list(),
    Row::new("Admin", "POST", "/v1/admin/users/{id}/suspend", "admin_user_suspend", "Suspend user"),
    Row::new("Admin", "POST", "/v1/admin/users/{id}/unsuspend", "admin_user_unsuspend", "Unsuspend user"),
    Row::new("Admin", "GET", "/v1/admin/settings/logs", "admin_log_settings_get", "Get log settings"),
    Row::new("Admin", "PUT", "/v1/admin/settings/logs", "admin_log_settings_update", "Update log settings"),
    Row::new("User", "GET", "/v1/users/me", "account_get", "Get current user"),
    Row::new("API Token", "GET", "/v1/api-tokens", "api_key_list", "List tokens").list().answers(TOKEN),
    Row::new("API Token", "POST", "/v1/api-tokens", "api_key_create", "Create token")
        .sends(&[
            In::Rename { v1: "scopes", canonical: "permissions" },
            In::Words { canonical: "permissions", words: SCOPES },
            In::Default { canonical: "permissions", value: Filled::Everything },
            In::Seconds { v1: "expires_in", canonical: "expires_at" },
        ])
        .answers(&[
            Out::Rename { canonical: "permissions", v1: "scopes" },
            Out::Words { field: "scopes", words: SCOPES },
            Out::Rename { canonical: "key", v1: "token" },
        ]),
    Row::new("API Token", "DELETE", "/v1/api-tokens/{id}", "api_key_revoke", "Delete token"),
    Row::new("Node", "GET", "/v1/nodes", "server_list", "List nodes").list().answers(NODE),
    Row::new("Node", "GET", "/v1/nodes/{id}", "server_get", "Get node details").answers(NODE),
    Row::new("Node", "PUT", "/v1/nodes/{id}", "server_update", "Update node")
        .replaces("server_get")
        .sends(NODE_IN)
        .answers(NODE),
    Row::new("Node", "DELETE", "/v1/nodes/{id}", "server_remove", "Delete node").answers(NODE_ACCEPTED),
    Row::new("Node", "POST", "/v1/nodes/register-token", "server_create", "Create registration token")
        .sends(&[In::Default { canonical: "name", value: Filled::Unique("node") }])
        .answers(&[
            Out::Pick { object: "server", field: "id", v1: "node_id" },
            Out::Pick { object: "server", field: "name", v1: "name" },
            Out::Hide("server"),
            Out::Lift("install"),
            Out::Rename { canonical: "command", v1: "install_command" },
            Out::Rename { canonical: "token_expires_at", v1: "expires_at" },
        ]),
    Row::new("Node", "GET", "/v1/nodes/{id}/terminal", "server_terminal", "WebSocket terminal").stream(),
    Row::new("Instance", "GET", "/v1/instances", "instance_list", "List instances")
        .list()
        .answers(INSTANCE)
        .query(&[("server_id", "node_id")]),
    Row::new("Instance", "POST", "/v1/instances", "instance_create", "Create instance")
        .sends(INSTANCE_IN)
        .answers(INSTANCE_ACCEPTED),
    Row::new("Instance", "GET", "/v1/instances/{id}", "instance_get", "Get instance").answers(INSTANCE),
    Row::new("Instance", "PUT", "/v1/instances/{id}", "instance_update", "Update instance")
        .replaces("instance_get")
        .sends(INSTANCE_IN)
        .answers(INSTANCE),
    Row::new("Instance", "DELETE", "/v1/instances/{id}", "instance_remove", "Delete instance")
        .answers(INSTANCE_ACCEPTED),
    Row::new("Instance", "POST", "/v1/instances/{id}/start", "instance_start", "Start").answers(INSTANCE_ACCEPTED),
    Row::new("Instance", "POST", "/v1/instances/{id}/stop", "instance_stop", "Stop").answers(INSTANCE_ACCEPTED),
    Row::new("Instance", "POST", "/v1/instances/{id}/restart", "instance_restart", "Restart")
        .answers(INSTANCE_ACCEPTED),
    Row::new("Instance", "POST", "/v1/instances/{id}/kill", "instance_kill", "Kill (SIGKILL)")
        .answers(INSTANCE_ACCEPTED),
    Row::new("Instance", "GET", "/v1/instances/{id}/stats", "instance_stats", "Real-time stats"),
    Row::new("Instance", "GET", "/v1/instances/{id}/metrics/history", "instance_metrics", "Metrics history"),
    Row::new("Instance", "GET", "/v1/instances/{id}/logs", "instance_logs", "WebSocket: live logs").stream(),
    Row::new("Instance", "GET", "/v1/instances/{id}/console", "instance_console", "WebSocket: interactive console")
        .stream(),
    Row::new("Instance", "GET", "/v1/instances/{id}/install-logs", "instance_install_logs", "Install/startup logs"),
    Row::new("Instance", "GET", "/v1/instances/{id}/logs/history", "instance_logs_history", "Log history"),
    Row::new("Instance", "GET", "/v1/instances/{id}/logs/download", "instance_logs_download", "Download logs").stream(),
    Row::new("Instance", "DELETE", "/v1/instances/{id}/logs/clear", "instance_logs_clear", "Clear logs"),
    Row::new("Instance", "GET", "/v1/instances/{id}/files", "instance_file_list", "List files").list(),
    Row::new("Instance", "DELETE", "/v1/instances/{id}/files", "instance_file_delete", "Delete file"),
    Row::new("Instance", "GET", "/v1/instances/{id}/files/content", "instance_file_read", "Read file"),
    Row::new("Instance", "PUT", "/v1/instances/{id}/files/content", "instance_file_write", "Write file").stream(),
    Row::new("Instance", "GET", "/v1/instances/{id}/files/download", "instance_file_download", "Download file")
        .stream(),
    Row::new(
        "Instance",
        "GET",
        "/v1/instances/{id}/files/download-zip",
        "instance_directory_download",
        "Download directory as zip",
    )
    .stream(),
    Row::new("Instance", "POST", "/v1/instances/{id}/files/upload", "instance_file_upload", "Upload (multipart)")
        .stream(),
    Row::new("Instance", "POST", "/v1/instances/{id}/files/tus", "instance_upload_create", "Upload (TUS resumable)")
        .stream(),
    Row::new("Instance", "GET", "/v1/instances/{id}/files/tus/{upload}", "instance_upload_get", "Upload: how far"),
    Row::new(
        "Instance",
        "PATCH",
        "/v1/instances/{id}/files/tus/{upload}",
        "instance_upload_append",
        "Upload: next part",
    )
    .stream(),
    Row::new("Instance", "DELETE", "/v1/instances/{id}/files/tus/{upload}", "instance_upload_delete", "Upload: end"),
    Row::new("Instance", "POST", "/v1/instances/{id}/files/mkdir", "instance_directory_create", "Create directory"),
    Row::new("Instance", "POST", "/v1/instances/{id}/files/move", "instance_file_move", "Move/rename"),
    Row::new("Instance", "GET", "/v1/instances/{id}/backups", "instance_backup_list", "List backups")
        .list()
        .answers(BACKUP_OUT),
    Row::new("Instance", "POST", "/v1/instances/{id}/backups", "instance_backup_create", "Create backup"),
    Row::new(
        "Instance",
        "POST",
        "/v1/instances/{id}/backups/{bid}/restore",
        "instance_backup_restore",
        "Restore backup",
    )
    .parameters(BACKUP),
    Row::new("Instance", "DELETE", "/v1/instances/{id}/backups/{bid}", "instance_backup_delete", "Delete backup")
        .parameters(BACKUP),
    Row::new("Backup Configuration", "GET", "/v1/backup-config", "destination_get_default", "Active config")
        .answers(DESTINATION),
    Row::new("Backup Configuration", "POST", "/v1/backup-config", "destination_create", "Create config")
        .sends(DESTINATION_IN)
        .answers(DESTINATION),
    Row::new("Backup Configuration", "GET", "/v1/backup-config/list", "destination_list", "List all configs")
        .list()
        .answers(DESTINATION),
    Row::new("Backup Configuration", "GET", "/v1/backup-config/{id}", "destination_get", "Get config")
        .answers(DESTINATION),
    Row::new("Backup Configuration", "PUT", "/v1/backup-config/{id}", "destination_update", "Update config")
        .replaces("destination_get")
        .answers(DESTINATION),
    Row::new("Backup Configuration", "DELETE", "/v1/backup-config/{id}", "destination_delete", "Delete config"),
    Row::new("Backup Configuration", "POST", "/v1/backup-config/{id}/activate", "destination_activate", "Set active")
        .answers(DESTINATION),
    Row::new("Backup Configuration", "GET", "/v1/backup-config/s3-buckets", "default_bucket_list", "List S3 buckets"),
    Row::new(
        "Backup Configuration",
        "POST",
        "/v1/backup-config/s3-buckets",
        "default_bucket_create",
        "Create S3 bucket",
    ),
    Row::new("Organization", "GET", "/v1/organizations", "organization_list", "List organizations").list(),
    Row::new("Organization", "POST", "/v1/organizations", "organization_create", "Create organization"),
    Row::new("Organization", "GET", "/v1/organizations/{orgId}", "organization_get", "Get organization"),
    Row::new("Organization", "PUT", "/v1/organizations/{orgId}", "organization_update", "Update organization")
        .replaces("organization_get"),
    Row::new("Organization", "DELETE", "/v1/organizations/{orgId}", "organization_delete", "Delete organization"),
    Row::new("Organization", "GET", "/v1/organizations/{orgId}/members", "member_list", "List members")
        .list()
        .answers(ROLE),
    Row::new("Organization", "POST", "/v1/organizations/{orgId}/members/invite", "member_invite", "Invite member")
        .sends(ROLE_IN)
        .answers(ROLE),
    Row::new("Organization", "DELETE", "/v1/organizations/{orgId}/members/{userId}", "member_remove", "Remove member")
        .parameters(MEMBER),
    Row::new(
        "Organization",
        "PUT",
        "/v1/organizations/{orgId}/members/{userId}/role",
        "member_role_set",
        "Update role",
    )
    .parameters(MEMBER)
    .sends(ROLE_IN)
    .answers(ROLE),
    Row::new(
        "Organization",
        "GET",
        "/v1/organizations/{orgId}/members/{userId}/permissions",
        "member_permissions_get",
        "Get permissions",
    )
    .parameters(MEMBER),
    Row::new(
        "Organization",
        "POST",
        "/v1/organizations/{orgId}/members/{userId}/permissions",
        "member_permission_set",
        "Set permission",
    )
    .parameters(MEMBER)
    .sends(&[In::Words { canonical: "key", words: SCOPES }, In::Path { v1: "key", parameter: "key" }]),
    Row::new(
        "Organization",
        "DELETE",
        "/v1/organizations/{orgId}/members/{userId}/permissions/{key}",
        "member_permission_remove",
        "Remove permission",
    )
    .parameters(&[("id", Source::Parameter("userId")), ("key", Source::Word { parameter: "key", words: SCOPES })]),
    Row::new("Organization", "GET", "/v1/organizations/{orgId}/invites", "invitation_list", "List invites")
        .list()
        .answers(ROLE),
    Row::new(
        "Organization",
        "DELETE",
        "/v1/organizations/{orgId}/invites/{inviteId}",
        "invitation_cancel",
        "Delete invite",
    )
    .parameters(&[("id", Source::Parameter("inviteId"))]),
    Row::new("Organization", "POST", "/v1/invites/{token}/accept", "invitation_accept", "Accept invite"),
    Row::new("Health", "GET", "/health", "health_get", "Basic health check (liveness)"),
    Row::new("Health", "GET", "/health/live", "health_live", "Liveness probe"),
    Row::new("Health", "GET", "/health/ready", "health_ready", "Readiness probe"),
    Row::new("Health", "GET", "/health/detailed", "health_detailed", "Detailed health report"),
    Row::new("Health", "GET", "/ready", "ready_get", "Readiness probe (alias)"),
    Row::new("Permissions", "GET", "/v1/permissions", "permission_list", "List all available permissions").list(),
];
