import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Subject } from '@/api/types';
import classes from './components.module.css';

export function ServerLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/servers/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function ProjectLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/projects/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function InstanceLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/instances/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function JobLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/jobs/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function MemberLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/members/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function RoleLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/roles/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function ServiceAccountLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/service-accounts/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

export function WebhookLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/webhooks/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

/** For the platform's administrator. */
export function AdminOrganizationLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/admin/organizations/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

/** For the platform's administrator. */
export function AdminUserLink({ id, strong, children }: { id: string; strong?: boolean; children: ReactNode }) {
  return (
    <Link to="/admin/users/$id" params={{ id }} className={strong ? classes.rowLink : classes.link}>
      {children}
    </Link>
  );
}

/** What a job or an event is about, with a link where the console has a page for it. */
export function SubjectLink({ subject }: { subject: Subject | null | undefined }) {
  if (!subject) return <>–</>;
  const name = subject.name || subject.id || subject.type;
  if (subject.id && subject.type === 'server') return <ServerLink id={subject.id}>{name}</ServerLink>;
  if (subject.id && subject.type === 'project') return <ProjectLink id={subject.id}>{name}</ProjectLink>;
  if (subject.id && subject.type === 'instance') return <InstanceLink id={subject.id}>{name}</InstanceLink>;
  if (subject.id && subject.type === 'job') return <JobLink id={subject.id}>{name}</JobLink>;
  if (subject.id && subject.type === 'member') return <MemberLink id={subject.id}>{name}</MemberLink>;
  if (subject.id && subject.type === 'role') return <RoleLink id={subject.id}>{name}</RoleLink>;
  if (subject.id && subject.type === 'service_account') return <ServiceAccountLink id={subject.id}>{name}</ServiceAccountLink>;
  if (subject.id && subject.type === 'webhook_endpoint') return <WebhookLink id={subject.id}>{name}</WebhookLink>;
  return <>{name}</>;
}
