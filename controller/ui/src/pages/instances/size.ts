import type { Limits } from '@/api/types';

/** The controller takes no less. */
export const LEAST_MEMORY_MB = 512;

export type SizeName = 'small' | 'medium' | 'large' | 'custom';

export const SIZES: { name: Exclude<SizeName, 'custom'>; label: string; text: string; limits: Limits }[] = [
  { name: 'small', label: 'Small', text: '1 CPU · 1 GiB', limits: { cpus: 1, memory_mb: 1024 } },
  { name: 'medium', label: 'Medium', text: '2 CPU · 2 GiB', limits: { cpus: 2, memory_mb: 2048 } },
  { name: 'large', label: 'Large', text: '4 CPU · 4 GiB', limits: { cpus: 4, memory_mb: 4096 } },
];

export function sizeOf(limits: Limits): SizeName {
  const size = SIZES.find((s) => s.limits.cpus === limits.cpus && s.limits.memory_mb === limits.memory_mb);
  return size?.name ?? 'custom';
}
