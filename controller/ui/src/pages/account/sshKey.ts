// What can be said of a pasted SSH key before it is sent anywhere.

/** What is wrong with it; null where the controller is to judge. */
export function publicKeyProblem(pasted: string): string | null {
  const text = pasted.trim();
  if (!text) return 'The public key is needed';
  if (isPrivate(text)) return 'This is the private key: it belongs to nobody else. Give the public one, from the file that ends in .pub';
  if (/[\r\n]/.test(text)) return 'A public key is one line. Add several keys one by one';
  if (!/^(ssh-|ecdsa-|sk-)\S+\s+AAAA\S+/.test(text)) return 'It looks like: ssh-ed25519 AAAA… name@host';
  return null;
}

export function isPrivate(pasted: string): boolean {
  return /PRIVATE KEY/.test(pasted);
}

/** What stands behind the key, often `name@host`. */
export function commentOf(pasted: string): string {
  return pasted.trim().split(/\s+/).slice(2).join(' ').slice(0, 64);
}
