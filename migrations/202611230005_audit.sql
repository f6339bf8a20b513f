set role ocore_owner;

alter table users
    add column suspended_reason text;

---------------------------------------------------------------------------------------------------- audit

-- Entries outlive their organization: what was done to it last can be read until they are too old.
alter table audit_log drop constraint audit_log_organization_id_fkey;
alter table audit_log
    add column user_agent text,
    -- Written by the sealer, once: the entry's place in its organization's chain and the chain's hash up to it.
    add column xid xid8 not null default pg_current_xact_id(),
    add column seq bigint,
    add column hash bytea;
create index audit_log_unsealed on audit_log (xid, id) where seq is null;
create unique index audit_log_chain on audit_log (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), seq)
    where seq is not null;
grant update (seq, hash) on audit_log to ocore_system;
grant delete on audit_log to ocore_system;

-- The end of each chain, signed; nil stands for the platform's own.
create table audit_chains (
    organization_id uuid primary key,
    -- Number of the newest entry, and the hash that all up to it lead to.
    seq bigint not null default 0,
    hash bytea not null,
    signature bytea not null,
    sealed_at timestamptz not null,
    -- Where the kept part begins: what retention removed was numbered up to here and had this hash.
    first_seq bigint not null default 1,
    first_hash bytea not null,
    first_signature bytea not null
);
alter table audit_chains enable row level security;
create policy tenant on audit_chains for select to ocore_app using (organization_id = ocore_org());
create policy system on audit_chains to ocore_system using (true) with check (true);
grant select on audit_chains to ocore_app;
grant select, insert, update, delete on audit_chains to ocore_system;

reset role;
