// One error for everything that a request can end with, fit to be shown to a person.
import type { ErrorBody, Problem } from './types';

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Problem[] = [],
    readonly requestId?: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Whether the controller could not be reached at all. */
  get isOffline(): boolean {
    return this.status === 0;
  }
}

export function offlineError(): ApiError {
  return new ApiError(0, 'offline', 'The controller does not answer. Check that it runs and that you are connected.');
}

/** `requestId` finds the request in the controller's log; it comes in the header X-Request-Id. */
export function errorFromBody(status: number, body: unknown, requestId?: string | null): ApiError {
  const id = requestId ?? undefined;
  const error = (body as Partial<ErrorBody> | undefined)?.error;
  if (!error?.message) {
    return new ApiError(status, 'http_' + status, `The controller answered with status ${status} and no explanation.`, [], id);
  }
  const fields = (error.errors ?? []).map((problem) => ({ ...problem, message: forPeople(problem.message) }));
  const message = forPeople(error.message);
  if (fields.length === 0 && error.details?.field) {
    fields.push({ field: error.details.field, constraint: error.details.constraint, message });
  }
  return new ApiError(status, error.code, message, fields, id);
}

/** Without the routes that messages name for programs: `… transfer it first (POST /api/org/transfer).` */
export function forPeople(message: string): string {
  return message.replace(/ \((?:GET|POST|PUT|PATCH|DELETE) \/api\/[^)]*\)/g, '');
}

export async function errorFromResponse(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => undefined);
  return errorFromBody(response.status, body, response.headers.get('x-request-id'));
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError(-1, 'unexpected', text);
}

/** Field messages by field name, for a form; `known` maps the API's names to the form's. */
export function fieldMessages(error: ApiError, known: Record<string, string>): Record<string, string> {
  const messages: Record<string, string> = {};
  for (const problem of error.fields) {
    const field = known[problem.field] ?? known[problem.field.split('.')[0] ?? ''];
    if (field && !messages[field]) messages[field] = problem.message;
  }
  return messages;
}
