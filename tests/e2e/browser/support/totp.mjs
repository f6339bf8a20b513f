// What an authenticator app does (RFC 6238: SHA-1, six digits, 30 seconds).
import { createHmac } from 'node:crypto';

/** An app that was given this key. Each code that it shows is a newer one, as a person would wait for it. */
export function app(secret) {
  const key = base32(secret);
  let last = 0;
  return () => {
    const now = Math.floor(Date.now() / 30_000);
    // The step before counts too: begin there, so that there are three codes without waiting.
    last = Math.max(last + 1, now - 1);
    return code(key, last);
  };
}

function code(key, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

function base32(text) {
  let bits = '';
  for (const character of text.replace(/\s/g, '').toUpperCase()) {
    bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character).toString(2).padStart(5, '0');
  }
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}
