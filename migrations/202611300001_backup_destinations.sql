set role ocore_owner;

-- Where backups are kept, and what they are encrypted for.
create table backup_destinations (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name text not null,
    -- A place, as agents know it; its secret apart.
    config jsonb not null,
    secret_id uuid references secrets,
    encryption text not null check (encryption in ('none', 'managed', 'recipients')),
    recipients text[] not null default '{}',
    is_default boolean not null default false,
    status text not null default 'unchecked' check (status in ('unchecked', 'ok', 'failed')),
    problem jsonb,
    free_bytes bigint,
    checked_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call tenant_table('backup_destinations');
create unique index backup_destinations_name on backup_destinations (organization_id, lower(name));
create unique index backup_destinations_default on backup_destinations (organization_id) where is_default;

-- A server's own disk is better than nothing, from the first evening on.
insert into backup_destinations (id, organization_id, name, config, encryption, is_default)
select gen_random_uuid(), id, 'The server''s own disk', '{"kind": "local", "path": "/var/backups/ocore"}', 'none', true
from organizations;

reset role;
