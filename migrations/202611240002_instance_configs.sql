set role ocore_owner;

-- What an instance's Odoo was set to, one row a change.
create table instance_configs (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    instance_id uuid not null references instances on delete cascade,
    -- The generation of the instance that began with it.
    revision bigint not null,
    settings jsonb not null,
    -- The password at the mail server, where there is one.
    smtp_secret_id uuid references secrets,
    -- [{"setting": …, "before": …, "after": …}]
    changes jsonb not null default '[]',
    note text not null default '',
    actor jsonb not null,
    -- The job that brought it about, where one was needed.
    job_id uuid references jobs on delete set null,
    created_at timestamptz not null default now(),
    unique (instance_id, revision)
);
call tenant_table('instance_configs');

reset role;
