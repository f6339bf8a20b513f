// A server's proxy in words, and what is sent of it.
import type { ProxyInput, ProxyMode, ProxyStatus, ServerProxy } from '@/api/types';
import type { State } from '@/lib/status';
import { touchedOf } from '@/pages/settingsForm';

export const proxyState: Record<ProxyStatus, State> = {
  off: { label: 'Off', tone: 'idle' },
  pending: { label: 'Being set up', tone: 'busy' },
  active: { label: 'In force', tone: 'good' },
  failed: { label: 'Failed', tone: 'bad' },
};

export const MODES: Record<ProxyMode, { label: string; about: string }> = {
  managed: { label: 'oCore’s own', about: 'Caddy runs on the server, fetches certificates and renews them. Ports 80 and 443 have to be free.' },
  external: { label: 'One of yours', about: 'Each domain shows what to give to nginx or Traefik. Certificates are yours.' },
  none: { label: 'None', about: 'Instances answer on their ports, without names and certificates.' },
};

export interface ProxyValues {
  mode: ProxyMode;
  http_port: number | string;
  https_port: number | string;
  zone: string;
  acme_email: string;
  acme_directory: string;
  acme_ca_certificate: string;
  image: string;
}

export const PROXY_FIELDS: Record<keyof ProxyValues, keyof ProxyValues> = {
  mode: 'mode',
  http_port: 'http_port',
  https_port: 'https_port',
  zone: 'zone',
  acme_email: 'acme_email',
  acme_directory: 'acme_directory',
  acme_ca_certificate: 'acme_ca_certificate',
  image: 'image',
};

export function proxyValues(proxy: ServerProxy): ProxyValues {
  const { mode, http_port, https_port, image } = proxy;
  return {
    mode,
    http_port,
    https_port,
    image,
    zone: proxy.zone ?? '',
    acme_email: proxy.acme_email ?? '',
    acme_directory: proxy.acme_directory ?? '',
    acme_ca_certificate: proxy.acme_ca_certificate ?? '',
  };
}

function portProblem(port: number | string): string | null {
  return Number.isInteger(port) && +port >= 1 && +port <= 65_535 ? null : 'A port from 1 to 65535';
}

export const proxyRules = {
  http_port: portProblem,
  https_port: (port: number | string, values: ProxyValues) =>
    portProblem(port) ?? (port === values.http_port ? 'Another one than for HTTP' : null),
};

/** What was touched; what was emptied goes back to what oCore decides. */
export function proxyBody(values: ProxyValues, isTouched: (field: string) => boolean): ProxyInput {
  const text = (value: string) => value.trim() || null;
  return touchedOf(
    {
      mode: values.mode,
      http_port: +values.http_port,
      https_port: +values.https_port,
      zone: text(values.zone),
      acme_email: text(values.acme_email),
      acme_directory: text(values.acme_directory),
      acme_ca_certificate: text(values.acme_ca_certificate),
      image: text(values.image),
    },
    isTouched,
  );
}

/** What another mode means for who is on the way, where that hurts. */
export function modeWarning(from: ProxyMode, to: ProxyMode): string | null {
  if (from !== 'managed' || to === 'managed') return null;
  return to === 'external'
    ? 'oCore’s proxy stops. Until yours leads people to the instances, nobody reaches them by their names. Each instance with a domain is restarted.'
    : 'oCore’s proxy stops, and nobody reaches the instances by their names any more. It is refused while somebody’s domains lead here.';
}
