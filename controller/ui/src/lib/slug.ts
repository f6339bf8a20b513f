/** The slug that a name leads to: 3 to 50 of a-z, 0-9 and inner hyphens; empty while the name gives too little. */
export function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 50)
    .replace(/-+$/, '');
  return slug.length >= 3 ? slug : '';
}

export function nameProblem(name: string): string | null {
  const length = [...name.trim()].length;
  if (length < 3) return 'At least 3 characters';
  if (length > 64) return 'At most 64 characters';
  return null;
}
