import qrcode from 'qrcode-generator';
import { useMemo } from 'react';
import classes from './components.module.css';

/** Around the code, so that cameras find it. */
const QUIET = 4;

/** A QR code, dark on white in both themes: many cameras read no other. */
export default function QrCode({ text, label }: { text: string; label: string }) {
  const { size, path } = useMemo(() => drawn(text), [text]);
  return (
    <svg viewBox={`0 0 ${size} ${size}`} className={classes.qr} role="img" aria-label={label} shapeRendering="crispEdges" data-testid="qr">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

function drawn(text: string): { size: number; path: string } {
  const code = qrcode(0, 'M');
  code.addData(text);
  code.make();
  const count = code.getModuleCount();
  let path = '';
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (!code.isDark(row, column)) continue;
      let end = column;
      while (end + 1 < count && code.isDark(row, end + 1)) end += 1;
      path += `M${column + QUIET} ${row + QUIET}h${end - column + 1}v1h-${end - column + 1}z`;
      column = end;
    }
  }
  return { size: count + 2 * QUIET, path };
}
