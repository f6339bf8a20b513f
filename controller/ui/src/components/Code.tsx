import { CopyButton } from './Copy';
import classes from './components.module.css';

/** Text as it is, in a box that scrolls, to be copied. */
export function CodeBox({ text, label, height = 320, testId }: { text: string; label: string; height?: number; testId?: string }) {
  return (
    <div className={classes.code} role="group" aria-label={label}>
      <pre style={{ maxHeight: height }} tabIndex={0} data-testid={testId}>
        {text}
      </pre>
      <div className={classes.commandCopy}>
        <CopyButton value={text} label={`Copy: ${label}`} />
      </div>
    </div>
  );
}

/** Headers of a request or an answer, a line each. */
export function HeaderList({ headers, label }: { headers: Record<string, string>; label: string }) {
  const text = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
  return <CodeBox text={text || '(none)'} label={label} height={180} />;
}
