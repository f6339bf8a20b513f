set role ocore_owner;

-- What happened between two requests of one sign-in: who has shown a password and owes a second factor, a passkey's
-- challenge, an OAuth state. Sealed, single use.
create table login_challenges (
    token_hash bytea primary key,
    purpose text not null check (purpose in ('second_factor', 'passkey_login', 'passkey_register', 'oauth')),
    user_id uuid references users on delete cascade,
    session_id uuid references sessions on delete cascade,
    sealed_state bytea not null,
    expires_at timestamptz not null
);
create index login_challenges_age on login_challenges (expires_at);
grant select, insert, update, delete on login_challenges to ocore_system;

create table recovery_codes (
    user_id uuid not null references users on delete cascade,
    code_hash bytea not null,
    used_at timestamptz,
    primary key (user_id, code_hash)
);
grant select, insert, update, delete on recovery_codes to ocore_system;

-- The sealed key goes with its row, also where the row goes with its person.
create function totp_secret_remove() returns trigger language plpgsql as $$
begin
    delete from secrets where id = old.secret_id;
    return null;
end $$;
create trigger totp_secret_removed after delete on totp_secrets for each row execute function totp_secret_remove();

-- A passkey answers only on the host that it was made on.
alter table passkeys add column host text not null;

create table connected_accounts (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    provider text not null,
    -- Who names the subject: a provider that is pointed elsewhere knows nobody any more.
    issuer text not null,
    subject text not null,
    email text,
    name text,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    unique (provider, issuer, subject),
    unique (user_id, provider)
);
grant select, insert, update, delete on connected_accounts to ocore_system;

reset role;
