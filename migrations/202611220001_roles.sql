-- Three roles: the owner migrates, the app serves requests under row-level security, the system claims jobs, flushes
-- and signs people in. The one database user of DATABASE_URL is a member of all three and switches with SET ROLE.
do $$
declare name text;
begin
    foreach name in array array['ocore_owner', 'ocore_app', 'ocore_system'] loop
        if not exists (select from pg_roles where rolname = name) then
            begin
                execute format('create role %I nologin nosuperuser nobypassrls', name);
            exception when duplicate_object or unique_violation then null;
            end;
        end if;
        -- Since PostgreSQL 16 whoever makes a role is a member that may not switch to it.
        if not pg_has_role(current_user, name, case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end) then
            execute format('grant %I to %I', name, current_user);
        end if;
    end loop;
end $$;

revoke all on schema public from public;
grant usage on schema public to ocore_app, ocore_system;
grant usage, create on schema public to ocore_owner;
