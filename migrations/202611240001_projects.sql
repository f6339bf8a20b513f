set role ocore_owner;

-- What a project's new instances run unless they say otherwise.
alter table projects add column odoo_version text;
create unique index projects_name on projects (organization_id, name);

alter table environments
    add column description text not null default '',
    -- Its instances are being deleted since then.
    add column deleting_at timestamptz;
create unique index environments_name on environments (project_id, name);
-- There is one that customers use.
create unique index environments_production on environments (project_id) where type = 'production';

reset role;
