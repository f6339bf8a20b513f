/** The mark: a core, its open orbit, and a satellite. */
export function Logo({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden>
      <path
        d="M27.3 11.2A12.3 12.3 0 1 0 28.3 16"
        stroke="var(--oc-accent)"
        strokeWidth="3.4"
        strokeLinecap="round"
      />
      <circle cx="16" cy="16" r="5" fill="var(--oc-accent)" />
      <circle cx="27.4" cy="11.4" r="2.6" fill="#f0a53a" />
    </svg>
  );
}
