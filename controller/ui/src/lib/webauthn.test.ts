import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answerOf, creationOptions, fromBase64url, passkeyProblem, requestOptions, toBase64url } from './webauthn';

const bytes = (...list: number[]) => new Uint8Array(list);

describe('base64url', () => {
  it('goes there and back, without padding', () => {
    for (const length of [0, 1, 2, 3, 255]) {
      const some = Uint8Array.from({ length }, (_, i) => (i * 37 + 250) % 256);
      const text = toBase64url(some);
      expect(text).toMatch(/^[A-Za-z0-9_-]*$/);
      expect(fromBase64url(text)).toEqual(some);
    }
    expect(toBase64url(bytes(251, 255, 254))).toBe('-__-');
  });
});

describe('a browser without JSON helpers', () => {
  beforeEach(() => vi.stubGlobal('PublicKeyCredential', class {}));
  afterEach(() => void vi.unstubAllGlobals());

  it('gets its options decoded', () => {
    const made = creationOptions({
      rp: { id: 'localhost', name: 'oCore' },
      user: { id: 'AQI', name: 'ada', displayName: 'Ada' },
      challenge: 'AwQ',
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      excludeCredentials: [{ type: 'public-key', id: 'BQ' }],
    });
    expect(made.challenge).toEqual(bytes(3, 4));
    expect(made.user.id).toEqual(bytes(1, 2));
    expect(made.excludeCredentials?.[0]?.id).toEqual(bytes(5));
    const asked = requestOptions({ challenge: 'AwQ', allowCredentials: [{ type: 'public-key', id: 'BQ' }] });
    expect(asked.challenge).toEqual(bytes(3, 4));
    expect(asked.allowCredentials?.[0]?.id).toEqual(bytes(5));
  });

  it('has its answers encoded', () => {
    const common = { id: 'BQ', rawId: bytes(5).buffer, type: 'public-key', getClientExtensionResults: () => ({}) };
    const made = {
      ...common,
      response: { clientDataJSON: bytes(1).buffer, attestationObject: bytes(2).buffer, getTransports: () => ['usb'] },
    };
    expect(answerOf(made as unknown as PublicKeyCredential)).toEqual({
      id: 'BQ', rawId: 'BQ', type: 'public-key', clientExtensionResults: {},
      response: { clientDataJSON: 'AQ', attestationObject: 'Ag', transports: ['usb'] },
    });
    const shown = {
      ...common,
      toJSON: () => {
        throw new TypeError('not mine');
      },
      response: { clientDataJSON: bytes(1).buffer, authenticatorData: bytes(2).buffer, signature: bytes(3).buffer, userHandle: null },
    };
    expect(answerOf(shown as unknown as PublicKeyCredential)).toMatchObject({
      response: { clientDataJSON: 'AQ', authenticatorData: 'Ag', signature: 'Aw', userHandle: null },
    });
  });
});

describe('a device that does not answer', () => {
  it('is told about in words', () => {
    expect(passkeyProblem(new DOMException('x', 'NotAllowedError'))).toContain('cancelled');
    expect(passkeyProblem(new DOMException('x', 'InvalidStateError'))).toContain('already');
    expect(passkeyProblem(new DOMException('said so', 'OddError'))).toBe('said so');
    expect(passkeyProblem(new Error('x'))).toBeNull();
  });
});
