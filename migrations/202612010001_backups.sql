set role ocore_owner;

-- Keys that an organization's backups are encrypted for by us: what is sealed with one needs it for ever.
create table backup_keys (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    -- Public, as age writes it.
    recipient text not null unique,
    secret_id uuid not null references secrets,
    created_at timestamptz not null default now()
);
call tenant_table('backup_keys');
create index backup_keys_organization on backup_keys (organization_id, id);

-- Backups, from the wish on. They outlive what they are of.
create table backups (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    project_id uuid references projects on delete set null,
    environment_id uuid references environments on delete set null,
    instance_id uuid references instances on delete set null,
    server_id uuid references servers on delete set null,
    instance_name text not null,
    odoo_version text not null,
    kind text not null
        check (kind in ('manual', 'scheduled', 'before_upgrade', 'before_restore', 'before_delete')),
    status text not null check (status in ('running', 'succeeded', 'failed', 'deleting')),
    destination_id uuid not null references backup_destinations,
    -- The place as it was then.
    place jsonb not null,
    prefix text not null,
    encryption text not null check (encryption in ('none', 'managed', 'recipients')),
    -- The job that makes it, then the one that deletes it.
    job_id uuid not null,
    manifest jsonb,
    manifest_sha256 text,
    size_bytes bigint,
    failure jsonb,
    is_pinned boolean not null default false,
    note text not null default '',
    created_by jsonb not null,
    finished_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call tenant_table('backups');
create index backups_organization on backups (organization_id, id);
create index backups_environment on backups (environment_id, id);
create index backups_instance on backups (instance_id, id);
create index backups_destination on backups (destination_id);
create index backups_job on backups (job_id);

reset role;
