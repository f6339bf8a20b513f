set role ocore_owner;

---------------------------------------------------------------------------------------------------- accounts

alter table users
    add column suspended_at timestamptz;

alter table sessions add column second_factor boolean not null default false;

create table totp_secrets (
    user_id uuid primary key references users on delete cascade,
    secret_id uuid not null references secrets,
    confirmed_at timestamptz,
    -- The newest time step that was used: none counts twice.
    last_step bigint not null default 0,
    created_at timestamptz not null default now()
);
grant select, insert, update, delete on totp_secrets to ocore_system;

create table passkeys (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    name text not null,
    credential_id bytea not null unique,
    -- Public key, counter and flags, as the WebAuthn library keeps them.
    credential jsonb not null,
    transports text[] not null default '{}',
    last_used_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index passkeys_user on passkeys (user_id);
grant select, insert, update, delete on passkeys to ocore_system;

---------------------------------------------------------------------------------------------------- organizations

alter table organizations
    add column logo_url text,
    add column require_second_factor boolean not null default false,
    add column audit_retention_days integer not null default 365 check (audit_retention_days between 30 and 3650);

-- Counts every change of what the member may do.
alter table memberships add column version bigint not null default 1;

create table invitations (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    email text not null,
    role_id uuid not null references roles on delete cascade,
    token_hash bytea not null unique,
    invited_by jsonb not null,
    expires_at timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid references users on delete set null,
    cancelled_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index invitations_open on invitations (organization_id, lower(email))
    where accepted_at is null and cancelled_at is null;
call tenant_table('invitations');

-- A permission that one member has or lacks whatever their roles say.
create table member_overrides (
    organization_id uuid not null references organizations on delete cascade,
    user_id uuid not null references users on delete cascade,
    permission text not null,
    effect text not null check (effect in ('allow', 'deny')),
    created_by jsonb not null,
    created_at timestamptz not null default now(),
    primary key (organization_id, user_id, permission)
);
call tenant_table('member_overrides');

alter table service_accounts
    add column description text not null default '',
    add column created_by jsonb;

alter table api_keys
    -- The key before the last rotation, valid until then.
    add column previous_hash bytea unique,
    add column previous_until timestamptz;

---------------------------------------------------------------------------------------------------- work of the controller

-- Work for the platform itself belongs to no organization: mail for whoever has none yet.
alter table jobs alter column organization_id drop not null;
alter table job_steps alter column organization_id drop not null;
alter table job_logs alter column organization_id drop not null;
alter table jobs add column lane text;
create index jobs_due_here on jobs (run_at) where executor = 'controller' and status in ('queued', 'dispatched', 'running');
create index jobs_kind on jobs (kind, id desc);

create table mails (
    id uuid primary key,
    organization_id uuid references organizations on delete cascade,
    recipient text not null,
    template text not null,
    subject text not null,
    -- Text and HTML, sealed as they hold links that count as credentials; removed once it is sent.
    sealed_body bytea,
    status text not null default 'queued' check (status in ('queued', 'sent', 'failed', 'kept')),
    problem text,
    job_id uuid references jobs on delete set null,
    sent_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index mails_age on mails (created_at);
grant select, insert, update, delete on mails to ocore_system;

reset role;
