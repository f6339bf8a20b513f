set role ocore_owner;

-- Where images come from, and who one is there.
create table registries (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    address text not null,
    description text not null default '',
    username text,
    secret_id uuid references secrets,
    -- It is asked before that registry, for the same images.
    mirror_of text,
    status text not null default 'unchecked' check (status in ('unchecked', 'ok', 'refused', 'unreachable')),
    status_message text,
    checked_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call tenant_table('registries');
create unique index registries_address on registries (organization_id, address, coalesce(mirror_of, ''));

reset role;
