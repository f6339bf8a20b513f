import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Page } from '@/api/types';
import { ListTable, type Column } from './ListTable';
import { Pager, type Paging } from './Pager';
import { Loaded } from './States';

export interface PagedListProps<T> {
  label: string;
  query: UseQueryResult<Page<T>>;
  paging: Paging;
  noun: string;
  many?: string;
  columns: Column[];
  /** Shown where there is nothing, or nothing that matches. */
  empty: ReactNode;
  /** A row, with its key. */
  children: (item: T) => ReactNode;
}

/** A list that the API gives in pages, with all that it can be: on its way, failed, empty, there. */
export function PagedList<T>({ query, paging, noun, many, empty, label, columns, children }: PagedListProps<T>) {
  return (
    <>
      <Loaded query={query}>
        {({ data }) =>
          data.length === 0 ? (
            empty
          ) : (
            <ListTable label={label} columns={columns}>
              {data.map(children)}
            </ListTable>
          )
        }
      </Loaded>
      <Pager paging={paging} page={query.data} noun={noun} many={many} />
    </>
  );
}
