// What the forms of the platform's settings hold, and what the API takes.
import type { MailSettingsView, MailTls, OAuthInput, OAuthKind, OAuthView, PlatformSettingsUpdate } from '@/api/types';

export const TLS_PORTS: Record<MailTls, number> = { none: 25, starttls: 587, tls: 465 };

export function mailValues(mail: MailSettingsView | null | undefined) {
  return {
    host: mail?.host ?? '',
    port: (mail?.port ?? TLS_PORTS.starttls) as number | string,
    tls: mail?.tls ?? ('starttls' as MailTls),
    username: mail?.username ?? '',
    password: '',
    from_address: mail?.from_address ?? '',
    from_name: mail?.from_name ?? '',
  };
}

export function mailOf(values: ReturnType<typeof mailValues>): PlatformSettingsUpdate['mail'] {
  return {
    host: values.host.trim(),
    port: Number(values.port),
    tls: values.tls,
    username: values.username.trim() || null,
    password: values.password || undefined,
    from_address: values.from_address.trim(),
    from_name: values.from_name.trim() || null,
  };
}

export function hostProblem(host: string): string | null {
  return /^[\w.:-]+$/.test(host.trim()) ? null : 'The name or the address of a server, such as smtp.example.com';
}

export const KINDS: { value: OAuthKind; label: string }[] = [
  { value: 'github', label: 'GitHub' },
  { value: 'google', label: 'Google' },
  { value: 'oidc', label: 'OpenID Connect' },
];

export function kindName(kind: OAuthKind): string {
  return KINDS.find(({ value }) => value === kind)?.label ?? kind;
}

export interface ProviderValues {
  id: string;
  kind: OAuthKind;
  name: string;
  issuer: string;
  client_id: string;
  client_secret: string;
}

export function providerValues(provider: OAuthView | null): ProviderValues {
  return {
    id: provider?.id ?? '',
    kind: provider?.kind ?? 'oidc',
    name: provider?.name ?? '',
    issuer: provider?.issuer ?? '',
    client_id: provider?.client_id ?? '',
    client_secret: '',
  };
}

/** Where the provider sends people back to. */
export function redirectUrl(origin: string, id: string): string {
  return `${origin}/api/auth/oauth/${id}/callback`;
}

export function providerIdProblem(id: string, taken: string[]): string | null {
  if (taken.includes(id)) return 'Another provider has this name already';
  return /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])$/.test(id)
    ? null
    : '2 to 32 lower-case letters, digits and hyphens, no hyphen first or last';
}

export function issuerProblem(issuer: string, kind: OAuthKind): string | null {
  const text = issuer.trim();
  if (kind === 'google' || (kind === 'github' && !text)) return null;
  const local = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/.test(text);
  return (/^https:\/\/[^\s/?#@]+[^\s?#@]*$/.test(text) || local) ? null : 'An address that begins with https://';
}

/** Whether the secret that is there goes with what the form says: it must not wander to somebody else. */
export function keepsSecret(before: OAuthView | null, values: ProviderValues): boolean {
  return (
    before !== null &&
    before.client_secret_set &&
    before.id === values.id &&
    before.kind === values.kind &&
    (before.issuer ?? '') === values.issuer.trim() &&
    before.client_id === values.client_id.trim()
  );
}

/** The whole list with one that was changed, added or taken away; the secrets of the others stay. */
export function providersWith(all: OAuthView[], before: OAuthView | null, values: ProviderValues | null): OAuthInput[] {
  const kept = ({ id, kind, name, issuer, client_id }: OAuthView): OAuthInput => ({ id, kind, name, issuer, client_id });
  const made = (v: ProviderValues): OAuthInput => ({
    id: v.id.trim(),
    kind: v.kind,
    name: v.name.trim(),
    issuer: v.kind === 'google' ? null : v.issuer.trim() || null,
    client_id: v.client_id.trim(),
    client_secret: v.client_secret || undefined,
  });
  const list = all.flatMap((one) => (one.id !== before?.id ? [kept(one)] : values ? [made(values)] : []));
  return before === null && values ? [...list, made(values)] : list;
}

export function networksProblem(networks: string[]): string | null {
  const wrong = networks.find((text) => !/^[0-9a-f.:]+(\/\d{1,3})?$/i.test(text.trim()) || !/[.:]/.test(text));
  return wrong ? `${wrong} is neither an address nor a network such as 10.20.0.0/16` : null;
}
