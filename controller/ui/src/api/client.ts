// The typed client: `await unwrap(api.GET('/api/servers', …))` gives the answer or throws an ApiError.
import createClient from 'openapi-fetch';
import { errorFromBody } from './errors';
import type { paths } from './schema';
import { authorizedFetch } from './session';

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: authorizedFetch,
  querySerializer: { array: { style: 'form', explode: false } },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw errorFromBody(response.status, error, response.headers.get('x-request-id'));
  return data as T;
}
