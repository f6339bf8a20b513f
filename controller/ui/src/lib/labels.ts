// Labels as people type them: `region=eu`, one tag each.

export function labelsFromTags(tags: string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const tag of tags) {
    const at = tag.indexOf('=');
    const key = (at < 0 ? tag : tag.slice(0, at)).trim();
    if (key) labels[key] = at < 0 ? '' : tag.slice(at + 1).trim();
  }
  return labels;
}

export function tagsFromLabels(labels: Record<string, string>): string[] {
  return Object.entries(labels).map(([key, value]) => (value ? `${key}=${value}` : key));
}
