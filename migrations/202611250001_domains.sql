set role ocore_owner;

-- What leads people to the instances of a server.
create table server_proxies (
    server_id uuid primary key references servers on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    mode text not null default 'none' check (mode in ('managed', 'external', 'none')),
    http_port integer not null default 80 check (http_port between 1 and 65535),
    https_port integer not null default 443 check (https_port between 1 and 65535),
    image text not null,
    acme_email text,
    acme_directory text,
    acme_ca_certificate text,
    -- Instances of the server get SLUG.ZONE.
    zone text,
    status text not null default 'off' check (status in ('off', 'pending', 'active', 'failed')),
    status_message text,
    applied_at timestamptz,
    -- SHA-256 of what the newest job was told; another wish wants another job.
    wished_digest bytea,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call tenant_table('server_proxies');

-- Names of instances, each of one instance in the whole installation.
create table domains (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    instance_id uuid not null references instances on delete cascade,
    host text not null,
    is_primary boolean not null default false,
    -- It comes of its server's zone.
    automatic boolean not null default false,
    state text not null default 'pending_dns' check (state in ('pending_dns', 'issuing', 'active', 'failed')),
    reason text,
    -- Before then the authority refuses.
    retry_at timestamptz,
    -- What the last look at its DNS found.
    dns jsonb,
    verified_at timestamptz,
    -- First of being reached; from then on Odoo is made for it.
    activated_at timestamptz,
    uploaded_chain text,
    key_secret_id uuid references secrets,
    not_before timestamptz,
    not_after timestamptz,
    issuer text,
    serial text,
    -- Fewest days before its end that were told of.
    warned_days integer,
    access jsonb not null default '{}',
    redirect_to_primary boolean not null default false,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint domains_host unique (host)
);
create unique index domains_primary on domains (instance_id) where is_primary;
create index domains_instance on domains (instance_id, id);
create index domains_ending on domains (not_after) where not_after is not null;
call tenant_table('domains');

-- A domain goes with its instance, its server or its organization, and its key with it.
create function domain_key_forget() returns trigger language plpgsql as $$
begin
    delete from secrets where id = old.key_secret_id;
    return old;
end $$;
create trigger domain_key_forget after delete on domains
    for each row when (old.key_secret_id is not null) execute function domain_key_forget();

-- Jobs on a proxy are one at a time.
create index jobs_proxy on jobs (server_id, id)
    where kind in ('proxy_apply', 'certificate_issue') and status in ('queued', 'dispatched', 'running');

reset role;
