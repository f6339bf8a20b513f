// What the API takes as the name and the slug of an organization.

export function organizationNameProblem(name: string): string | null {
  const length = [...name.trim()].length;
  if (length < 2) return 'At least 2 characters';
  return length > 100 ? 'At most 100 characters' : null;
}

export function slugProblem(slug: string): string | null {
  if (slug.length < 3 || slug.length > 50) return 'From 3 to 50 characters';
  return /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(slug) ? null : 'Only a-z, 0-9 and hyphens between them';
}

export function logoProblem(url: string): string | null {
  if (!url) return null;
  if (url.length > 2048) return 'At most 2048 characters';
  return /^https:\/\/[^\s/]+/.test(url) ? null : 'An address that begins with https://';
}

export function retentionProblem(days: number | string): string | null {
  return Number.isInteger(days) && Number(days) >= 30 && Number(days) <= 3650 ? null : 'From 30 to 3650 days';
}
