// Paths, and what can be done with what lies at them.
import type { FileInfo } from '@/api/types';

/** The largest text that the API reads and writes. */
export const MAX_TEXT = 5 * 1024 * 1024;

/** What the roots are, for people. */
export const ROOTS: Record<string, string> = {
  addons: 'Modules that you bring yourself',
  config: 'odoo.conf as it is, without its secrets',
  filestore: 'Odoo’s attachments, named by their content',
  sources: 'Modules from git, as they were fetched',
};

export interface Crumb {
  name: string;
  path: string;
}

/** Each directory on the way to a path. */
export function crumbs(path: string): Crumb[] {
  const names = path.split('/').filter(Boolean);
  return names.map((name, index) => ({ name, path: names.slice(0, index + 1).join('/') }));
}

export function joined(directory: string, name: string): string {
  return directory ? `${directory}/${name}` : name;
}

export function parentOf(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}

/** Whether files are brought into a directory and made in it: what lies in it says so, and of an empty one its root. */
export function isOpen(path: string): boolean {
  return path === 'addons' || path.startsWith('addons/');
}

export function isReadable({ type, size }: FileInfo): boolean {
  return type === 'file' && size <= MAX_TEXT;
}

/** Why a name cannot be one. */
export function nameProblem(name: string): string | null {
  const text = name.trim();
  if (!text) return 'Which name?';
  if (text.includes('/')) return 'One name, without a slash';
  if (text === '.' || text === '..') return 'Another name';
  return null;
}

export interface Progress {
  at: number;
  sent: number;
}

/** Bytes per second over the last few reports. */
export function speed(reports: Progress[]): number | null {
  const first = reports[0];
  const last = reports[reports.length - 1];
  if (!first || !last || last.at - first.at < 500) return null;
  return ((last.sent - first.sent) / (last.at - first.at)) * 1000;
}
