// How one operation is written down, in the form that openapi-fetch reads.
import type { ErrorBody } from './types';

type Json<T> = { headers: Record<string, unknown>; content: { 'application/json': T } };

type Shape = { path?: object; query?: object; body?: unknown };

export type Operation<Answer, S extends Shape = object> = {
  parameters: (S extends { path: infer P } ? { path: P } : { path?: never }) &
    (S extends { query: infer Q } ? { query?: Q } : { query?: never });
  responses: { 200: Json<Answer>; default: Json<ErrorBody> };
} & (S extends { body: infer B }
  ? { requestBody: { content: { 'application/json': B } } }
  : { requestBody?: never });

export type Id = { path: { id: string } };
export type Paging = { limit?: number; cursor?: string };
