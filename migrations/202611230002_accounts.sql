set role ocore_owner;

alter table users
    add column email_verified_at timestamptz,
    add column password_changed_at timestamptz,
    add column default_organization_id uuid references organizations on delete set null,
    -- How the console speaks and shows time; null: as the browser does.
    add column locale text,
    add column timezone text;
-- Who made accounts before there was any mail made them on the host.
update users set email_verified_at = created_at;

alter table sessions
    add column method text not null default 'password';

-- When it was last refreshed, from where.
alter table sessions
    add column last_used_at timestamptz,
    add column last_address inet;

-- Counts every change of a group of settings.
alter table settings add column version bigint not null default 1;

-- Links that were mailed: single use, only their hash is here.
create table mailed_tokens (
    token_hash bytea primary key,
    user_id uuid not null references users on delete cascade,
    purpose text not null check (purpose in ('change_email', 'reset_password')),
    -- The address that it was sent to, which it proves.
    email text not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now()
);
create index mailed_tokens_user on mailed_tokens (user_id, purpose);
grant select, insert, update, delete on mailed_tokens to ocore_system;

-- Accounts that wait for their address to be confirmed. An address that has an account waits here like any other, so that
-- nobody learns of it; its link is never sent.
create table signups (
    id uuid primary key,
    email text not null,
    name text not null,
    organization_name text,
    password_hash text not null,
    -- Of the link that was mailed last.
    token_hash bytea unique,
    mailed_at timestamptz,
    expires_at timestamptz not null,
    created_at timestamptz not null default now()
);
create index signups_email on signups (lower(email), id desc);
create index signups_age on signups (expires_at);
grant select, insert, update, delete on signups to ocore_system;

create table login_history (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    method text not null,
    succeeded boolean not null,
    reason text,
    address inet,
    user_agent text not null default '',
    created_at timestamptz not null default now()
);
create index login_history_user on login_history (user_id, id desc);
create index login_history_age on login_history (created_at);
grant select, insert, delete on login_history to ocore_system;

create table ssh_keys (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    name text not null,
    key_type text not null,
    public_key text not null,
    fingerprint text not null,
    is_default boolean not null default false,
    last_used_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, fingerprint),
    unique (user_id, name)
);
create unique index ssh_keys_default on ssh_keys (user_id) where is_default;
grant select, insert, update, delete on ssh_keys to ocore_system;

reset role;
