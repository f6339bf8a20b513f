// Passkeys: the browser's own conversions from and to JSON where it has them, and the same by hand where it has not. The API's document
// leaves their shape to the WebAuthn standard.
import type { PasskeyAsserted, PasskeyCreationOptions, PasskeyRegistered, PasskeyRequestOptions } from '@/api/types';

/** Whether this browser has passkeys here; it has them in secure contexts only. */
export function hasPasskeys(): boolean {
  return typeof window !== 'undefined' && window.isSecureContext && 'PublicKeyCredential' in window;
}

/** Whether it offers passkeys while an address is typed. */
export async function hasAutofill(): Promise<boolean> {
  if (!hasPasskeys()) return false;
  return (await PublicKeyCredential.isConditionalMediationAvailable?.()) ?? false;
}

export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function toBase64url(bytes: ArrayBuffer | Uint8Array): string {
  const binary = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

function descriptors(list: PublicKeyCredentialDescriptorJSON[] | undefined): PublicKeyCredentialDescriptor[] {
  return (list ?? []).map(({ id, transports }) => ({
    id: fromBase64url(id),
    type: 'public-key',
    transports: transports as AuthenticatorTransport[] | undefined,
  }));
}

export function creationOptions(json: PublicKeyCredentialCreationOptionsJSON): PublicKeyCredentialCreationOptions {
  const parse = PublicKeyCredential.parseCreationOptionsFromJSON;
  if (parse) return parse.call(PublicKeyCredential, json);
  return {
    ...(json as unknown as PublicKeyCredentialCreationOptions),
    challenge: fromBase64url(json.challenge),
    user: { ...json.user, id: fromBase64url(json.user.id) },
    excludeCredentials: descriptors(json.excludeCredentials),
  };
}

export function requestOptions(json: PublicKeyCredentialRequestOptionsJSON): PublicKeyCredentialRequestOptions {
  const parse = PublicKeyCredential.parseRequestOptionsFromJSON;
  if (parse) return parse.call(PublicKeyCredential, json);
  return {
    ...(json as unknown as PublicKeyCredentialRequestOptions),
    challenge: fromBase64url(json.challenge),
    allowCredentials: descriptors(json.allowCredentials),
  };
}

/** What the device answered, as the controller reads it. */
export function answerOf(credential: PublicKeyCredential): unknown {
  // Some password managers bring a credential whose `toJSON` is missing or fails.
  try {
    if (typeof credential.toJSON === 'function') return credential.toJSON();
  } catch {
    // By hand, then.
  }
  const { response } = credential;
  const common = {
    id: credential.id,
    rawId: toBase64url(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
  const clientDataJSON = toBase64url(response.clientDataJSON);
  if ('attestationObject' in response) {
    const made = response as AuthenticatorAttestationResponse;
    const attestationObject = toBase64url(made.attestationObject);
    return { ...common, response: { clientDataJSON, attestationObject, transports: made.getTransports?.() ?? [] } };
  }
  const shown = response as AuthenticatorAssertionResponse;
  return {
    ...common,
    response: {
      clientDataJSON,
      authenticatorData: toBase64url(shown.authenticatorData),
      signature: toBase64url(shown.signature),
      userHandle: shown.userHandle ? toBase64url(shown.userHandle) : null,
    },
  };
}

/** Makes a passkey on the person's device. */
export async function createPasskey(options: PasskeyCreationOptions): Promise<PasskeyRegistered> {
  const publicKey = creationOptions(options.publicKey as unknown as PublicKeyCredentialCreationOptionsJSON);
  const made = await navigator.credentials.create({ publicKey });
  return answerOf(made as PublicKeyCredential) as PasskeyRegistered;
}

export interface AskOptions {
  /** While an address is typed, instead of by a dialog. */
  autofill?: boolean;
  signal?: AbortSignal;
}

/** Asks the person's device for a passkey. */
export async function askPasskey(
  options: PasskeyRequestOptions,
  { autofill, signal }: AskOptions = {},
): Promise<PasskeyAsserted> {
  const shown = await navigator.credentials.get({
    publicKey: requestOptions(options.publicKey as unknown as PublicKeyCredentialRequestOptionsJSON),
    mediation: autofill ? 'conditional' : undefined,
    signal,
  });
  return answerOf(shown as PublicKeyCredential) as PasskeyAsserted;
}

/** What to say when the device has not answered; null where nothing needs to be said. */
export function passkeyProblem(error: unknown): string | null {
  if (!(error instanceof DOMException)) return null;
  switch (error.name) {
    case 'NotAllowedError':
      return 'Nothing came of it: it was cancelled, took too long, or the device has no passkey for this address.';
    case 'InvalidStateError':
      return 'This device has a passkey of yours already.';
    case 'SecurityError':
      return 'The browser allows no passkeys at this address. Open the console by HTTPS and a host name.';
    case 'NotSupportedError':
    case 'ConstraintError':
      return 'This device cannot make a passkey that asks for a PIN, a finger or a face. Use another one.';
    case 'AbortError':
      return 'It was cancelled.';
    default:
      return error.message;
  }
}
