// What every part of the API shares.

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
  has_more: boolean;
}

export interface FieldProblem {
  field: string;
  constraint?: string;
  message: string;
}

export interface ErrorBody {
  error: {
    code: string;
    message: string;
    details?: { field?: string; constraint?: string } | null;
    errors?: FieldProblem[] | null;
  };
}

export interface Accepted {
  id: string;
  status: string;
  message: string;
  job_id: string;
}

export interface Reference {
  type: string;
  id: string | null;
  name: string | null;
}
