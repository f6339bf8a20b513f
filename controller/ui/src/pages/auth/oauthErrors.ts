// Why signing in at a provider, or connecting an account, came to nothing.

const WORDS: Record<string, string> = {
  state_invalid: 'This took too long, or was begun in another browser or tab. Try again.',
  denied: 'It was cancelled there. Nothing has changed.',
  provider_unreachable: 'The provider does not answer at the moment. Try again, or sign in another way.',
  provider_refused: 'The provider’s answer could not be trusted. If it happens again, tell the administrator of this platform.',
  email_unverified: 'The provider has not confirmed your e-mail address. Confirm it there first.',
  account_exists:
    'There is an account of this address here already. Sign in to it as before; then connect the other one in your account, under Security.',
  account_closed: 'This account is closed. Ask the administrator of this platform.',
  signup_closed: 'You have no account here yet, and nobody can make one alone. Ask for an invitation.',
  linked_elsewhere: 'That account is connected to another person here. Disconnect it there first.',
  linked_already: 'You have another account of this provider connected. Disconnect that one first.',
  session_ended: 'Your session has ended meanwhile. Sign in and try again.',
  second_factor_required: 'This session began without your second factor. Sign in again with it, then connect the account.',
};

export function oauthProblem(word: string): string {
  // The word comes by the address, which anybody can write.
  const known = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  return known ?? 'It did not work, and the controller has not said why. Try again, or sign in another way.';
}
